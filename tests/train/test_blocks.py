"""Attention by blocks is torch's own attention, results and gradients, whatever the sizes of rows and blocks."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from agentgen_bench.train import blocks


def attended(attend, query, key, value, scale):
    inputs = [states.clone().requires_grad_() for states in (query, key, value)]
    result = attend(*inputs, scale)
    (result * torch.arange(result.numel()).view(result.shape).cos()).sum().backward()
    return [result.detach(), *(states.grad for states in inputs)]


def by_torch(query, key, value, scale):
    return torch.nn.functional.scaled_dot_product_attention(
        query, key, value, is_causal=True, scale=scale, enable_gqa=True
    )


@given(
    rows=st.integers(1, 3), length=st.integers(1, 40), groups=st.integers(1, 2), repeats=st.integers(1, 3),
    queries=st.integers(1, 16), weights=st.integers(1, 2000), scale=st.sampled_from([None, 0.3]),
)  # fmt: skip
def test_blocks_attend_as_torch_does(rows, length, groups, repeats, queries, weights, scale):
    torch.manual_seed(length)
    query = torch.randn(rows, groups * repeats, length, 8)
    key, value = torch.randn(2, rows, groups, length, 8).unbind()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(blocks, "QUERIES", queries)
        patch.setattr(blocks, "WEIGHTS", weights)
        own = attended(blocks.attend, query, key, value, scale)
    for mine, reference in zip(own, attended(by_torch, query, key, value, scale), strict=True):
        torch.testing.assert_close(mine, reference, rtol=1e-4, atol=1e-5)


def test_large_scores_do_not_overflow():
    states = torch.full((1, 1, 5, 4), 200.0)
    torch.testing.assert_close(blocks.attend(states, states, states, 1.0), states)
