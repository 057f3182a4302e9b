"""Chats of an evaluation with the transformers back end: what it is worth to read first what would pad other chats.

    python benchmarks/chat_prefixes.py --model examples/models/base-cpu-1.4m [--env AgentGen/SciWorld-base-v0]

The same test levels twice, greedily, so many at once that some begin while others go on, in a context of 1,024 tokens,
so that chats drop their older halves; one thread. CPU-seconds of this process, tokens that passes over prompts read,
padding included, and the ratio of the times. Completions must be equal.
"""

import argparse
import json
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from unittest.mock import patch

import torch

from agentgen_bench.cli import main as command
from agentgen_bench.policies.prefixes import Prefix
from agentgen_bench.policies.transformers import TransformersPolicy


def only_kept(policy: TransformersPolicy, prompts: Sequence[Sequence[int]]) -> list[Prefix | None]:
    """Return what is kept of each prompt's beginning, and read nothing first."""
    return [policy._prefixes.longest(prompt) for prompt in prompts]


def played(args: argparse.Namespace, folder: Path) -> tuple[float, int, list[Any]]:
    """Return CPU-seconds, tokens read and all completions of an evaluation."""
    read = [0]
    next_logits = TransformersPolicy._next_logits

    def counted(policy: TransformersPolicy, rows: Any) -> Any:
        read[0] += rows.input_ids.numel() if rows._read is None else 0
        return next_logits(policy, rows)

    options = "--backend transformers --temperature 0 --protocol chat --action-hints none --max-tokens 48 --quiet"
    own = f"--model {args.model} --env {args.env} --episodes {args.episodes} --workers {args.workers}"
    more = f"--batch-size {args.workers} --max-model-len 1024 --output {folder}"
    with patch.object(TransformersPolicy, "_next_logits", counted):
        began = time.process_time()
        if code := command(["evaluate", *f"{own} {options} {more}".split()]):
            raise SystemExit(code)
        seconds = time.process_time() - began
    lines = (folder / "episodes.jsonl").read_text(encoding="utf-8").splitlines()
    episodes = sorted(map(json.loads, lines), key=lambda one: (one["seed"], one["repeat"]))
    return seconds, read[0], [[step["completion"] for step in episode["steps"]] for episode in episodes]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True)
    parser.add_argument("--env", default="AgentGen/SciWorld-base-v0")
    parser.add_argument("--episodes", type=int, default=48)
    parser.add_argument("--workers", type=int, default=32)
    args = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        first = played(args, Path(folder) / "first")
        with patch.object(TransformersPolicy, "_known", only_kept):
            alone = played(args, Path(folder) / "alone")
    if first[2] != alone[2]:
        raise SystemExit("other completions")
    print(f"{torch.backends.cpu.get_cpu_capability()}, 1 thread, {args.env}, {args.episodes} episodes")
    print(f"{'':<16}{'CPU s':>8}{'tokens read':>13}{'times':>7}")
    for name, (seconds, read, _) in (("reads first", first), ("reads together", alone)):
        print(f"{name:<16}{seconds:>8.1f}{read:>13,}{seconds / first[0]:>7.2f}")


if __name__ == "__main__":
    main()
