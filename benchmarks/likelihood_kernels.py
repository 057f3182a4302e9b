"""What other kernels do to the likelihood check: the same weights in two back ends and two precisions.

    python benchmarks/likelihood_kernels.py --model CHECKPOINT --prompts samples.jsonl [samples.jsonl ...] [--each 60]

The prompts are those of demonstrations (`agentgen-bench collect`), `--each` of every file. Transformers and vLLM (where
installed) complete them in float32 and in bfloat16, at temperature 1 and greedily; transformers judges every completion
in float32 and in bfloat16, as `verify --model` does. For sampled completions:

    off        mean(s + H) in nats a token, with its standard error: chance and kernels are all that moves it
    judge      mean log-probability of the judge minus that of the sampler, on the same tokens: kernels alone
    between    change of `off` from a float32 to a bfloat16 judge, on the same tokens: kernels alone

and for greedy ones the tokens that the judge would not have taken, the worst of their gaps in logits, and the largest
logit, which says how far two neighbouring numbers of bfloat16 are apart there.
"""

import argparse
import json
import math
from concurrent.futures import ProcessPoolExecutor
from importlib.util import find_spec
from itertools import product
from multiprocessing import get_context
from pathlib import Path

import numpy as np

from agentgen_bench.leaderboard.likelihood import GREEDY_GAP, judged
from agentgen_bench.policies.prefill import evidence
from agentgen_bench.policies.sampling import Sampling
from agentgen_bench.policies.transformers import TransformersPolicy
from agentgen_bench.prompts import Message, PromptConfig

DTYPES = ("float32", "bfloat16")
MODES = {"sampled": Sampling(temperature=1.0, max_tokens=80), "greedy": Sampling(max_tokens=80)}
Completions = list[tuple[tuple[int, ...], tuple[float, ...]]]  # token ids, log-probabilities of the sampler
Evidence = np.ndarray  # (tokens, 4): log-probability, entropy, variance, gap


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True)
    parser.add_argument("--prompts", type=Path, nargs="+", required=True)
    parser.add_argument("--each", type=int, default=60, help="prompts of each file (default 60)")
    args = parser.parse_args()
    judges = {dtype: TransformersPolicy(args.model, PromptConfig(), Sampling(), dtype=dtype) for dtype in DTYPES}
    prompts = [ids for file in args.prompts for ids in read_prompts(file, args.each, judges["float32"])]
    print(f"{len(prompts)} prompts of {np.mean([len(prompt) for prompt in prompts]):.0f} tokens")
    for backend, dtype in product([name for name in ("transformers", "vllm") if find_spec(name)], DTYPES):
        with ProcessPoolExecutor(1, get_context("spawn")) as fresh:  # two engines do not share a process
            drawn = fresh.submit(completed, args.model, prompts, backend, dtype).result()
        for mode, completions in drawn.items():
            report(mode, f"{backend} {dtype}", prompts, completions, judges)


def read_prompts(file: Path, n: int, policy: TransformersPolicy) -> list[tuple[int, ...]]:
    """Return what a model reads before turns of demonstrated chats, chats and turns spread over file and chat."""
    lines = file.read_text(encoding="utf-8").splitlines()
    found = []
    for i in range(n):
        sample = json.loads(lines[i * len(lines) // n])
        chat = [Message(message["role"], message["content"]) for message in sample["prompt"] + sample["completion"]]
        turns = [k for k, message in enumerate(chat) if message.role == "assistant"]
        found.append(policy.chat.encode(policy.chat.text(chat[: turns[i % len(turns)]], thinking=False)))
    return found


def completed(model: str, prompts: list[tuple[int, ...]], backend: str, dtype: str) -> dict[str, Completions]:
    """Return a completion of each prompt by mode, in a process of its own."""
    if backend == "vllm":
        from agentgen_bench.policies.vllm import VLLMPolicy as Policy
    else:
        from agentgen_bench.policies.transformers import TransformersPolicy as Policy
    policy = Policy(model, PromptConfig(), MODES["greedy"], dtype=dtype, with_logprobs=True, max_model_len=4096)
    found = {}
    for mode, sampling in MODES.items():
        seeds = [sampling.request_seed(("kernels", k)) for k in range(len(prompts))]
        generations = policy.with_sampling(sampling).generate(prompts, seeds)
        found[mode] = [(tuple(one.ids), tuple(one.logprobs)) for one in generations]
    return found


def report(
    mode: str, sampler: str, prompts: list[tuple[int, ...]], drawn: Completions, judges: dict[str, TransformersPolicy]
) -> None:
    own = np.array([logprob for _, logprobs in drawn for logprob in logprobs])
    offs = {}
    for dtype, judge in judges.items():
        each = [evidence(judge, prompt, ids, MODES[mode]) for prompt, (ids, _) in zip(prompts, drawn, strict=True)]
        tokens: Evidence = np.array([token[:4] for completion in each for token in completion])
        verdict = "holds" if judged(each, MODES[mode], n_episodes=len(drawn), left_out=0).holds else "FOUND OUT"
        if mode == "sampled":
            offs[dtype] = (tokens[:, 0] + tokens[:, 1]).mean()
            error = math.sqrt(tokens[:, 2].sum()) / len(tokens)
            change = (tokens[:, 0] - own).mean()
            said = f"off {offs[dtype]:+.4f} (standard error {error:.4f}), judge {change:+.6f}"
        else:
            gaps = tokens[:, 3]
            said = (
                f"{(gaps > 0).sum()} others, worst gap {gaps.max():.4f}, {(gaps > GREEDY_GAP).sum()} beyond the limit"
            )
        print(f"{mode:8}{sampler:22} judged in {dtype:9}{len(tokens):7} tokens: {said}; {verdict}", flush=True)
    if offs:
        print(f"{'':8}{'':22} between {offs['bfloat16'] - offs['float32']:+.6f}")
    else:
        print(f"{'':8}{'':22} largest logit {largest_logit(judges['float32'], prompts, drawn):.1f}")


def largest_logit(judge: TransformersPolicy, prompts: list[tuple[int, ...]], drawn: Completions) -> float:
    """Return the largest logit behind the first completions."""
    import torch

    with torch.inference_mode():
        rows = [torch.tensor([[*prompt, *ids]]) for prompt, (ids, _) in zip(prompts[:20], drawn, strict=False)]
        return max(float(judge.model(input_ids=row).logits.max()) for row in rows)


if __name__ == "__main__":
    main()
