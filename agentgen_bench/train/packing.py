"""Packed attention: rows one after another as a single one, each seeing only itself, at the cost of the rows alone.

Linear layers and norms do not care where a row begins, so packed rows have no padding there. Attention does: a mask
over the whole pack would cost the square of its length. Here rows of like length are stacked, attended to at once, and
put back; what a longer neighbour leaves over is at most a twentieth. Padding stands behind a row's tokens, where causal
attention never looks.
"""

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import torch
from torch.autograd.function import once_differentiable

from agentgen_bench.train import blocks
from agentgen_bench.train.settings import Kernel

WASTE = 0.05  # of a stack, at most, is padding
NAMES: dict[Kernel, str] = {
    "sdpa": "agentgen_packed",
    "eager": "agentgen_packed_eager",
    "blocks": "agentgen_packed_blocks",
}
OWN_WAYS = ("sliding_window", "softcap", "s_aux", "position_bias")  # what transformers passes to kernels that have it
# Largest difference in a logit between packed and separate rows that rounding explains.
TOLERANCE = 1e-3


class Order(NamedTuple):
    """Where rows of heads go, of states with H heads that are flattened to one row for each head of each token.

    In the pack token by token, (T H); in the stacks row by row and head by head, so that a head's tokens follow each
    other. `there` holds for each place in the stacks its row in the pack, `back` the reverse; `padding` are the places
    in the stacks of what is only padding.
    """

    there: torch.Tensor
    back: torch.Tensor
    padding: torch.Tensor


@dataclass(frozen=True, eq=False)
class Packing:
    """Where the rows of a pack of T tokens are.

    Each stack (S, L) holds, for S rows, the places of their tokens in the pack; a shorter row repeats its last one.
    `places` (T,) says where in the stacks, flattened one after another, each token of the pack is; `padding` where
    those are that repeat one.
    """

    stacks: tuple[torch.Tensor, ...]
    places: torch.Tensor
    padding: torch.Tensor
    lengths: tuple[int, ...]
    orders: dict[int, Order] = field(default_factory=dict)

    def order(self, heads: int) -> Order:
        """Return the order of rows of so many heads; worked out once, as all layers ask for it."""
        if heads not in self.orders:
            head = torch.arange(heads, device=self.places.device)
            there = [(stack[:, None] * heads + head[None, :, None]).flatten() for stack in self.stacks]
            by_token, before = [], 0  # (S L, H) of each stack: where its tokens' heads are in the stacks
            for stack in self.stacks:
                own = torch.arange(before, before + heads * stack.numel(), device=stack.device)
                by_token.append(own.view(len(stack), heads, -1).transpose(1, 2).reshape(-1, heads))
                before += heads * stack.numel()
            places = torch.cat(by_token)
            back, padding = (places[tokens].flatten() for tokens in (self.places, self.padding))
            self.orders[heads] = Order(torch.cat(there), back, padding)
        return self.orders[heads]


def packing_of(lengths: Sequence[int], device: Any = "cpu") -> Packing:
    """Return the stacks of rows of these lengths, which follow each other in the pack.

    Examples:
        >>> [stack.tolist() for stack in packing_of([2, 9, 2]).stacks]
        [[[0, 1], [11, 12]], [[2, 3, 4, 5, 6, 7, 8, 9, 10]]]
    """
    starts = np.cumsum([0, *lengths[:-1]])
    stacks = []
    for rows in _like_lengths(lengths):
        columns = np.arange(max(lengths[row] for row in rows))
        last = np.array([[lengths[row] - 1] for row in rows])
        stacks.append(starts[rows][:, None] + np.minimum(columns, last))
    flat = np.concatenate([stack.ravel() for stack in stacks])
    places = np.empty(sum(lengths), dtype=np.int64)
    places[flat[::-1]] = np.arange(len(flat))[::-1]  # of a repeated token, the first
    padding = np.flatnonzero(places[flat] != np.arange(len(flat)))
    *stacked, there, repeated = (torch.from_numpy(array).to(device) for array in (*stacks, places, padding))
    return Packing(tuple(stacked), there, repeated, tuple(lengths))


def dense_mask(packing: Packing) -> torch.Tensor:
    """Return the mask of a pack for a model without packed attention, (1, 1, T, T) of bool: right, and slow."""
    owner = torch.repeat_interleave(torch.tensor(packing.lengths)).to(packing.places.device)
    causal = torch.ones(len(owner), len(owner), dtype=torch.bool, device=owner.device).tril()
    return (causal & (owner[:, None] == owner[None, :]))[None, None]


def _like_lengths(lengths: Sequence[int]) -> list[list[int]]:
    """Return the rows in groups whose padding to the longest is at most `WASTE` of its tokens."""
    groups: list[list[int]] = []
    tokens = 0
    for row in sorted(range(len(lengths)), key=lambda row: (lengths[row], row)):
        if groups and lengths[row] * (len(groups[-1]) + 1) <= (1 + WASTE) * (tokens + lengths[row]):
            groups[-1].append(row)
            tokens += lengths[row]
        else:
            groups.append([row])
            tokens = lengths[row]
    return groups


def attention_kernel(asked: Kernel | None, accelerator: Any) -> Kernel:
    """Return the kernel asked for, else the one that is fastest for short rows where accelerate computes."""
    if asked is not None:
        return asked
    if accelerator.device.type != "cpu":
        return "sdpa"
    return "eager" if accelerator.mixed_precision == "bf16" else "blocks"


def set_attention(model: Any, kernel: Kernel, packing: bool) -> None:
    """Set the kernel of attention, packed where asked for; say so where the model cannot have that.

    Blocks are for packed rows alone: where these are padded, torch's fused kernel takes their place.
    """
    if not packing:
        model.set_attn_implementation(_plain(kernel))
    elif not use_packed_attention(model, kernel):
        sys.stderr.write(f"{type(model).__name__} attends in a way of its own: rows are padded, not packed\n")


def _plain(kernel: Kernel) -> str:
    """Return transformers' name of the kernel that padded rows have."""
    return "eager" if kernel == "eager" else "sdpa"


def takes_packs(model: Any) -> bool:
    """Return whether the model, wrapped or not, was given packed attention."""
    bare = getattr(model, "module", model)
    return getattr(bare.config, "_attn_implementation", None) in NAMES.values()


def use_packed_attention(model: Any, kernel: Kernel) -> bool:
    """Give the model packed attention and return whether it can have it; else it keeps the plain kernel.

    Whether it can is tried out: two rows read in one pack must get the logits that they get alone. Models that attend
    in ways of their own (sliding windows, sinks, position biases) or not by transformers' interface do not pass.
    """
    rows = [torch.arange(length) % model.config.get_text_config().vocab_size for length in (5, 3)]
    model.set_attn_implementation(_plain(kernel))
    try:
        with torch.no_grad():
            alone = torch.cat([model(input_ids=row[None].to(model.device)).logits[0] for row in rows])
            _register()
            model.set_attn_implementation(NAMES[kernel])
            together = model(
                input_ids=torch.cat(rows)[None].to(model.device),
                position_ids=torch.cat([torch.arange(len(row)) for row in rows])[None].to(model.device),
                attention_mask=no_mask(model.device),
                packing=packing_of([len(row) for row in rows], model.device),
                use_cache=False,
            ).logits[0]
        fits = bool((alone - together).abs().max() <= TOLERANCE)
    except (RuntimeError, TypeError, ValueError, KeyError, AttributeError):
        fits = False
    if not fits:
        model.set_attn_implementation(_plain(kernel))
    return fits


def no_mask(device: Any) -> torch.Tensor:
    """Return what goes for an attention mask beside a packing: four axes, so that transformers builds none itself."""
    return torch.ones(1, 1, 1, 1, dtype=torch.bool, device=device)


def _register() -> None:
    """Tell transformers of the kernels; without a packing, as in sampling, they are its own SDPA."""
    from transformers import AttentionInterface
    from transformers.masking_utils import AttentionMaskInterface, sdpa_mask

    ways = {"sdpa": _attend_by_sdpa, "eager": _attend_eagerly, "blocks": _attend_by_blocks}
    for kernel, name in NAMES.items():
        AttentionInterface.register(name, ways[kernel])
        AttentionMaskInterface.register(name, sdpa_mask)


def _attend_by_sdpa(module: Any, query: Any, key: Any, value: Any, mask: Any, **options: Any) -> Any:
    return _attend(_sdpa, module, query, key, value, mask, **options)


def _attend_eagerly(module: Any, query: Any, key: Any, value: Any, mask: Any, **options: Any) -> Any:
    return _attend(_eager, module, query, key, value, mask, **options)


def _attend_by_blocks(module: Any, query: Any, key: Any, value: Any, mask: Any, **options: Any) -> Any:
    return _attend(_blocks, module, query, key, value, mask, **options)


def _attend(kernel: Any, module: Any, query: Any, key: Any, value: Any, mask: Any, **options: Any) -> Any:
    """Return (1, T, H, D) for packed queries (1, H, T, D), keys and values (1, H', T, D), as transformers asks."""
    packing: Packing | None = options.pop("packing", None)
    if packing is None:
        from transformers.integrations.sdpa_attention import sdpa_attention_forward

        return sdpa_attention_forward(module, query, key, value, mask, **options)
    if own := [name for name in OWN_WAYS if options.get(name) is not None]:
        raise ValueError(f"packed attention knows no {own[0]}")
    scale = options.get("scaling")
    stacked = [_stacked(states, packing) for states in (query, key, value)]
    results = [kernel(*stack, scale) for stack in zip(*stacked, strict=True)]  # (S, H, L, D) each
    heads, size = query.shape[1], value.shape[-1]
    there, back, padding = packing.order(heads)
    rows = torch.cat([result.reshape(-1, size) for result in results])
    return _Reordered.apply(rows, back, there, padding).view(1, -1, heads, size), None


def _stacked(states: torch.Tensor, packing: Packing) -> list[torch.Tensor]:
    """Return the states (1, H, T, D) of each stack's tokens, (S, H, L, D)."""
    heads, size = states.shape[1], states.shape[-1]
    there, back, _ = packing.order(heads)
    rows = _Reordered.apply(states.transpose(1, 2).reshape(-1, size), there, back, None)
    parts = rows.split([stack.numel() * heads for stack in packing.stacks])
    return [part.view(len(stack), heads, -1, size) for part, stack in zip(parts, packing.stacks, strict=True)]


class _Reordered(torch.autograd.Function):  # type: ignore[misc]  # torch gives it no type
    """Rows of a matrix in another order, and their gradient in the order back: two gathers and no sum.

    Of a row that is taken twice only the one that `back` names passes a gradient on: the others are padding, whose
    gradient is 0 as nothing looks at them. `unused` are rows that are not taken; None: there are none.
    """

    @staticmethod
    def forward(
        ctx: Any, rows: torch.Tensor, there: torch.Tensor, back: torch.Tensor, unused: torch.Tensor | None
    ) -> torch.Tensor:
        ctx.back, ctx.unused = back, unused
        return rows.index_select(0, there)

    @staticmethod
    @once_differentiable  # type: ignore[untyped-decorator]
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        own = gradient.index_select(0, ctx.back)
        return own if ctx.unused is None else own.index_fill_(0, ctx.unused, 0.0), None, None, None


def _sdpa(query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, scale: float | None) -> torch.Tensor:
    grouped = query.shape[1] != key.shape[1]
    return torch.nn.functional.scaled_dot_product_attention(
        query, key, value, is_causal=True, scale=scale, enable_gqa=grouped
    )


def _blocks(query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, scale: float | None) -> torch.Tensor:
    attend = blocks.attend if query.shape[2] <= blocks.LONGEST else _sdpa
    return attend(query, key, value, scale)


def _eager(query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, scale: float | None) -> torch.Tensor:
    repeats = query.shape[1] // key.shape[1]
    if repeats > 1:
        key, value = key.repeat_interleave(repeats, 1), value.repeat_interleave(repeats, 1)
    scores = query @ key.transpose(-1, -2) * (query.shape[-1] ** -0.5 if scale is None else scale)
    ahead = torch.ones(scores.shape[-2:], dtype=torch.bool, device=scores.device).triu(1)
    return torch.softmax(scores.masked_fill(ahead, float("-inf")), -1, dtype=torch.float32).to(value.dtype) @ value
