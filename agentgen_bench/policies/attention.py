"""Attention on a CPU for models whose heads share keys and values (grouped-query attention, arXiv 2305.13245).

Before a call with a mask, transformers repeats the shared keys and values for each head that reads them: for one new
token it copies all that was read. Here the heads of a group become rows of one product with what they share, and
nothing is copied but queries and mask. `benchmarks/shared_attention.py` measures both.
"""

from typing import Any

import torch

NAME = "agentgen_shared"
FEW = 16  # new tokens of a row, up to which heads as rows are faster than the kernel's own grouping


def share_keys(model: Any) -> None:
    """Let a model that attends by torch's kernel, on a CPU and with shared keys, read them without copies."""
    config = model.config.get_text_config()
    heads = getattr(config, "num_attention_heads", None)
    shared = getattr(config, "num_key_value_heads", None) or heads
    if model.device.type != "cpu" or heads == shared or config._attn_implementation != "sdpa":
        return
    from transformers import AttentionInterface
    from transformers.masking_utils import AttentionMaskInterface, sdpa_mask

    AttentionInterface.register(NAME, _attend)
    AttentionMaskInterface.register(NAME, sdpa_mask)
    model.set_attn_implementation(NAME)


def attend(
    query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, mask: torch.Tensor | None, scale: float | None = None
) -> torch.Tensor:
    """Return attention (B, H, W, D) of queries (B, H, W, D) to keys and values (B, H', T, D), H' dividing H.

    The mask, (B, 1, W, T), says what each query sees, or what is added to its scores; None: it sees everything. Without
    a scale, scores are multiplied by 1 / sqrt(D).
    """
    rows, heads, width, size = query.shape
    shared = key.shape[1]
    kernel = torch.nn.functional.scaled_dot_product_attention
    if width > FEW:
        return kernel(query, key, value, attn_mask=mask, scale=scale, enable_gqa=True)
    grouped = query.reshape(rows, shared, heads // shared * width, size)
    seen = None if mask is None else mask.repeat(1, 1, heads // shared, 1)
    return kernel(grouped, key, value, attn_mask=seen, scale=scale).view(rows, heads, width, value.shape[-1])


def _attend(module: Any, query: Any, key: Any, value: Any, mask: Any, **options: Any) -> Any:
    """Return (B, W, H, D), as transformers asks; what is causal without a mask, or more, is transformers' own."""
    more = options.get("position_bias") is not None or options.get("cache") is not None or options.get("dropout")
    if more or (mask is None and query.shape[2] > 1) or (mask is not None and mask.shape[1] != 1):
        from transformers.integrations.sdpa_attention import sdpa_attention_forward

        return sdpa_attention_forward(module, query, key, value, mask, **options)
    return attend(query, key, value, mask, options.get("scaling")).transpose(1, 2).contiguous(), None
