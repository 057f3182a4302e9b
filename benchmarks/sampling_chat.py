"""Chats drawn by the transformers back end: what guesses and keys and values that grow in place are worth.

    python benchmarks/sampling_chat.py --model runs/base-cpu/sft/checkpoint-002000 [--family sokoban] [--levels 8]

Groups of 8 episodes, as GRPO plays them, of a starter cell of the preset base-cpu, at temperature 1, on one thread:
with guesses and without, CPU-seconds of this process, completion tokens per CPU-second, tokens that a row draws in a
pass, and CPU time over that with guesses. Completions must be equal. The model should be a trained one: one of random
weights repeats nothing. Then passes of one token over 64 rows that have read 512, with keys and values that grow in
place and with the layers of transformers, which copy all that was read for each token; medians of CPU time, in turn.
"""

import argparse
import statistics
import time
from typing import Any, NamedTuple
from unittest.mock import patch

import torch
from transformers import AutoModelForCausalLM

from agentgen_bench.policies import drafts, transformers
from agentgen_bench.policies.decoding import Rows
from agentgen_bench.policies.growing import grow_in_place
from agentgen_bench.policies.sampling import Sampling
from agentgen_bench.prompts import PromptConfig
from agentgen_bench.train.choices import sources
from agentgen_bench.train.grpo import play_groups
from agentgen_bench.train.presets import load_preset
from agentgen_bench.train.settings import training_jobs

GROUP = 8
ROWS, READ = 64, 512
PROMPT = PromptConfig(protocol="chat", action_hints="none", thinking=True)


class Played(NamedTuple):
    """What a way of drawing took, and what it drew."""

    seconds: float
    tokens: int
    per_pass: float  # tokens that a row drew in a pass
    completions: list[Any]


def played(args: argparse.Namespace) -> Played:
    """Play the groups with a fresh policy."""
    own = sources([(args.family, 1.0)], {}, [], load_preset("base-cpu").environments)
    sampling = Sampling(1.0, max_tokens=args.max_tokens, seed=0)
    policy = transformers.TransformersPolicy(
        args.model, PROMPT, sampling, device="cpu", batch_size=args.levels * GROUP, with_logprobs=True
    )
    taken: list[int] = []
    settle = Rows.settle

    def counted(rows: Rows, tokens: Any) -> None:
        taken.extend(tokens.tolist())
        settle(rows, tokens)

    groups = training_jobs(own, 0, 1, args.levels, GROUP)
    with patch.object(Rows, "settle", counted):
        began = time.process_time()
        rollouts, _ = play_groups(groups, policy, args.levels * GROUP)
        seconds = time.process_time() - began
    drawn = [[sample.completion_ids for sample in one.samples if sample] for one in rollouts]
    return Played(seconds, sum(taken), sum(taken) / len(taken), drawn)


def seconds_of_a_pass(model: Any, grows: bool) -> float:
    """Return the CPU-seconds of one of 16 passes of a token a row."""
    read = torch.randint(0, model.config.vocab_size, (ROWS, READ), generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        cache = model(input_ids=read, use_cache=True, logits_to_keep=1).past_key_values
        if grows:
            grow_in_place(cache)
        began = time.process_time()
        for _ in range(16):
            model(input_ids=read[:, :1], past_key_values=cache, use_cache=True)
        return (time.process_time() - began) / 16


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True)
    parser.add_argument("--family", default="sokoban")
    parser.add_argument("--levels", type=int, default=8)
    parser.add_argument("--max-tokens", type=int, default=80)
    args = parser.parse_args()
    torch.set_num_threads(1)
    print(f"{torch.backends.cpu.get_cpu_capability()}, 1 thread, {args.family}, {args.levels * GROUP} episodes")
    print(f"{'':<16}{'CPU s':>8}{'tokens':>9}{'tokens/s':>10}{'a pass':>8}{'over with guesses':>19}")
    first: Played | None = None
    for name, longest in (("with guesses", drafts.LONGEST), ("without", 0)):
        with patch.object(transformers, "LONGEST", longest):
            found = played(args)
        first = first or found
        if found.completions != first.completions:
            raise SystemExit(f"{name}: other completions")
        rate, ratio = found.tokens / found.seconds, found.seconds / first.seconds
        print(f"{name:<16}{found.seconds:>8.1f}{found.tokens:>9}{rate:>10,.0f}{found.per_pass:>8.2f}{ratio:>19.2f}")
    model = AutoModelForCausalLM.from_pretrained(args.model).eval()
    times: dict[bool, list[float]] = {True: [], False: []}
    for _ in range(5):
        for grows, own in times.items():
            own.append(seconds_of_a_pass(model, grows))
    in_place, copied = (statistics.median(own) for own in times.values())
    print(f"a pass over {ROWS} rows of {READ}: {1e3 * in_place:.1f} ms in place, {1e3 * copied:.1f} copied", end="")
    print(f", {copied / in_place:.2f} times")


if __name__ == "__main__":
    main()
