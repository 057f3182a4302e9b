"""Causal attention for training on a CPU in float32: blocks of queries, their weights kept for the way back.

Torch's fused kernel computes scores and weights a second time on the way back, and reaches a fifth to two fifths of a
CPU's product rate where rows are shorter than about 2,000 tokens. Here each block of queries meets the keys up to its
own end, in plain batched products, and its weights stay: less work, for memory of half the square of a row's length
per head and layer. That is why long rows are left to the fused kernel (`LONGEST`). `benchmarks/train_speed.py`
measures a step with it.
"""

from typing import Any

import torch
from torch.autograd.function import once_differentiable

LONGEST = 1536  # tokens of a row; beyond, the fused kernel is as fast and needs no memory
QUERIES = 64  # of a block
WEIGHTS = 1 << 20  # of a block, heads and rows together, at most: 4 MiB


def attend(query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, scale: float | None) -> torch.Tensor:
    """Return causal attention (S, H, L, D) of queries (S, H, L, D) to keys and values (S, H', L, D), H' dividing H."""
    repeats = query.shape[1] // key.shape[1]
    if repeats > 1:
        key, value = key.repeat_interleave(repeats, 1), value.repeat_interleave(repeats, 1)
    flat = [states.flatten(0, 1) for states in (query, key, value)]  # (S H, L, D)
    result: torch.Tensor = _Attention.apply(*flat, query.shape[-1] ** -0.5 if scale is None else scale)
    return result.view(query.shape)


class _Attention(torch.autograd.Function):  # type: ignore[misc]  # torch gives it no type
    """Causal softmax(scale Q K^T) V over N heads of L tokens, and its gradient."""

    @staticmethod
    def forward(ctx: Any, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, scale: float) -> torch.Tensor:
        n, length = query.shape[:2]
        ahead = query.new_full((min(QUERIES, length),) * 2, float("-inf")).triu(1)
        result, kept = torch.empty_like(query), []
        for heads, rows, seen in _blocks(n, length):
            scores = _scaled_product(query[heads, rows], key[heads, seen].transpose(1, 2), scale)
            size = rows.stop - rows.start
            scores[:, :, rows] += ahead[:size, :size]
            weights = torch.softmax(scores, -1)
            result[heads, rows] = weights @ value[heads, seen]
            kept.append(weights)
        ctx.save_for_backward(query, key, value, result, *kept)
        ctx.scale = scale
        return result

    @staticmethod
    @once_differentiable  # type: ignore[untyped-decorator]
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        query, key, value, result, *kept = ctx.saved_tensors
        # A softmax's gradient takes off what all weights of a query share: sum of dP * P, which is sum of dO * O.
        shared = (gradient * result).sum(-1, keepdim=True)
        d_query, d_key, d_value = torch.empty_like(query), torch.zeros_like(key), torch.zeros_like(value)
        for (heads, rows, seen), weights in zip(_blocks(*query.shape[:2]), kept, strict=True):
            own = gradient[heads, rows]
            d_value[heads, seen].baddbmm_(weights.transpose(1, 2), own)
            d_scores = (own @ value[heads, seen].transpose(1, 2)).sub_(shared[heads, rows]).mul_(weights)
            d_query[heads, rows] = _scaled_product(d_scores, key[heads, seen], ctx.scale)
            d_key[heads, seen].baddbmm_(d_scores.transpose(1, 2), query[heads, rows], alpha=ctx.scale)
        return d_query, d_key, d_value, None


def _scaled_product(a: torch.Tensor, b: torch.Tensor, scale: float) -> torch.Tensor:
    """Return scale A B, batched, in one pass."""
    out = a.new_empty(a.shape[0], a.shape[1], b.shape[2])
    return torch.baddbmm(out, a, b, beta=0, alpha=scale)  # beta 0: what `out` holds is not read


def _blocks(n: int, length: int) -> list[tuple[slice, slice, slice]]:
    """Return the blocks of N heads of L tokens: heads, queries, and the keys that these see."""
    together = max(1, WEIGHTS // (min(QUERIES, length) * length))
    return [
        (slice(first, first + together), slice(start, end), slice(end))
        for first in range(0, n, together)
        for start in range(0, length, QUERIES)
        for end in (min(length, start + QUERIES),)
    ]
