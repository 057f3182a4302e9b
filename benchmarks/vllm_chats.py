"""Chats in vLLM on a CPU: what it is worth that the cache has room for all chats that are played at once.

    python benchmarks/vllm_chats.py --model MODEL [--env AgentGen/SciWorld-base-v0] [--chats 48] [--room 16]

The same test levels twice, greedily, all at once: with room for `--room` chats of full length in the cache, and with
room for all. Prints CPU-seconds of each, tokens of prompts that were read and that the cache had, and the ratio of
the times. The model has to be of some size: the cache never has less than a quarter of a GiB.
"""

import argparse
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from unittest.mock import patch

from agentgen_bench.cli import main as command
from agentgen_bench.policies import vllm


def played(args: argparse.Namespace, room: int, folder: Path) -> tuple[float, int, int]:
    """Return CPU-seconds of an evaluation, tokens of its prompts, and how many of those the cache had."""
    tokens, cached = [0], [0]
    start = vllm._started

    def watched(options: Mapping[str, object]) -> Any:
        llm = start(options)
        step = llm.llm_engine.step

        def counted() -> Any:
            for output in (outputs := step()):
                if output.finished:
                    tokens[0] += len(output.prompt_token_ids)
                    cached[0] += output.num_cached_tokens or 0
            return outputs

        llm.llm_engine.step = counted
        return llm

    where = f"--env {args.env} --set max_steps={args.steps} --episodes {args.chats} --workers {args.chats}"
    how = "--protocol chat --no-thinking --action-hints templates --temperature 0 --max-tokens 24 --max-model-len 2048"
    own = f"--backend vllm --model {args.model} --dtype {args.dtype} --batch-size {room} --output {folder} --quiet"
    with patch.object(vllm, "_started", watched):
        began = time.process_time()
        if code := command(["evaluate", *f"{where} {how} {own}".split()]):
            raise SystemExit(code)
        return time.process_time() - began, tokens[0], cached[0]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True)
    parser.add_argument("--env", default="AgentGen/SciWorld-base-v0")
    parser.add_argument("--dtype", default="auto")
    parser.add_argument("--steps", type=int, default=12)
    parser.add_argument("--chats", type=int, default=48)
    parser.add_argument("--room", type=int, default=16)
    args = parser.parse_args()
    seconds = {}
    with tempfile.TemporaryDirectory() as folder:
        for room in (args.room, args.chats):
            seconds[room], tokens, cached = played(args, room, Path(folder) / str(room))
            had = f"{tokens} tokens of prompts, {cached / tokens:.0%} of them in the cache"
            print(f"room for {room} of {args.chats} chats: {seconds[room]:.0f} s, {had}", flush=True)
    print(f"room for all takes {seconds[args.chats] / seconds[args.room]:.2f} of the time (loading included)")


if __name__ == "__main__":
    main()
