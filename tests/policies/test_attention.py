"""Attention with shared keys is torch's own attention with these repeated for each head."""

import pytest

torch = pytest.importorskip("torch")

from hypothesis import given  # noqa: E402
from hypothesis import strategies as st  # noqa: E402

from agentgen_bench.policies.attention import FEW, attend  # noqa: E402

SIZE = 8


@given(
    rows=st.integers(1, 3),
    shared=st.integers(1, 3),
    group=st.integers(1, 4),
    width=st.integers(1, FEW + 3),
    before=st.integers(0, 20),
    scale=st.sampled_from([None, 0.5]),
    kind=st.sampled_from(["bool", "added"]),
)
def test_each_head_attends_as_if_it_had_keys_of_its_own(rows, shared, group, width, before, scale, kind):
    numbers = torch.Generator().manual_seed(rows * 1000 + width)
    query = torch.randn(rows, width, shared * group, SIZE, generator=numbers).transpose(1, 2)
    key, value = torch.randn(2, rows, shared, before + width, SIZE, generator=numbers)
    padding = torch.rand(rows, 1, 1, before + width, generator=numbers) < 0.3
    padding[..., before:] = False
    mask = torch.ones(width, before + width, dtype=torch.bool).tril(before) & ~padding
    seen = mask if kind == "bool" else torch.zeros(mask.shape).masked_fill(~mask, -torch.inf)
    expected = torch.nn.functional.scaled_dot_product_attention(
        query, key.repeat_interleave(group, 1), value.repeat_interleave(group, 1), attn_mask=mask, scale=scale
    )
    torch.testing.assert_close(attend(query, key, value, seen, scale), expected, rtol=1e-4, atol=1e-5)


def test_one_new_token_sees_all_without_a_mask():
    query, key, value = torch.randn(2, 6, 1, SIZE), torch.randn(2, 2, 5, SIZE), torch.randn(2, 2, 5, SIZE)
    expected = torch.nn.functional.scaled_dot_product_attention(
        query, key.repeat_interleave(3, 1), value.repeat_interleave(3, 1)
    )
    torch.testing.assert_close(attend(query, key, value, None, None), expected, rtol=1e-4, atol=1e-5)
