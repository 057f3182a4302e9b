"""Attention of a few new tokens, where heads share keys: torch's kernel as transformers calls it, and ours.

    python benchmarks/shared_attention.py [--rows 64] [--read 800]

Shapes of SmolLM2-135M (9 heads of 64, 3 of keys and values), a mask that hides padding, one thread. Milliseconds of
CPU time of one layer, medians of calls in turn, and the ratio. Results must agree within the rounding of the type.
"""

import argparse
import statistics
import time
from functools import partial
from types import SimpleNamespace
from typing import Any

import torch
from transformers.integrations.sdpa_attention import sdpa_attention_forward

from agentgen_bench.policies.attention import attend

HEADS, SHARED, SIZE = 9, 3, 64
ROUNDING = {torch.float32: 1e-4, torch.bfloat16: 3e-2}


def _theirs(module: Any, *states: Any) -> torch.Tensor:
    result: torch.Tensor = sdpa_attention_forward(module, *states)[0]
    return result


def _ours(*states: Any) -> torch.Tensor:
    return attend(*states).transpose(1, 2)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=64)
    parser.add_argument("--read", type=int, default=800)
    parser.add_argument("--calls", type=int, default=7)
    args = parser.parse_args()
    torch.set_num_threads(1)
    module = SimpleNamespace(num_key_value_groups=HEADS // SHARED, is_causal=True)
    print(f"{torch.backends.cpu.get_cpu_capability()}, 1 thread, {args.rows} rows of {args.read}")
    print(f"{'':<10}{'new tokens':>12}{'transformers ms':>17}{'ours ms':>9}{'times':>7}")
    for dtype in ROUNDING:
        for width in (1, 2, 6, 64):
            query = torch.randn(args.rows, width, HEADS, SIZE, dtype=dtype).transpose(1, 2)
            key, value = torch.randn(2, args.rows, SHARED, args.read, SIZE, dtype=dtype)
            mask = torch.ones(args.rows, 1, width, args.read, dtype=torch.bool)
            mask[::2, ..., : args.read // 10] = False
            ways = {
                "theirs": partial(_theirs, module, query, key, value, mask),
                "ours": partial(_ours, query, key, value, mask),
            }
            torch.testing.assert_close(ways["ours"](), ways["theirs"](), rtol=ROUNDING[dtype], atol=ROUNDING[dtype])
            times: dict[str, list[float]] = {name: [] for name in ways}
            for _ in range(args.calls):
                for name, way in ways.items():
                    began = time.process_time()
                    way()
                    times[name].append(1e3 * (time.process_time() - began))
            theirs, ours = (statistics.median(own) for own in times.values())
            name = str(dtype).removeprefix("torch.")
            print(f"{name:<10}{width:>12}{theirs:>17.1f}{ours:>9.1f}{theirs / ours:>7.1f}")


if __name__ == "__main__":
    main()
