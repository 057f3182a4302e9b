"""Keys and values that grow in place: transformers' own layers copy all that was read for each new token."""

from collections.abc import Sequence
from typing import Any

import torch
from transformers import Cache, DynamicCache
from transformers.cache_utils import DynamicLayer

from agentgen_bench.policies.prefixes import Prefix

ROOM = 64  # tokens for which a layer takes room at once


class GrowingLayer(DynamicLayer):  # type: ignore[misc]
    """A `DynamicLayer` with room behind its tokens, where the next ones are written.

    `keys` and `values`, (rows, heads, tokens, head size), are views of larger tensors.
    """

    def __init__(self, keys: torch.Tensor, values: torch.Tensor, length: int) -> None:
        """Take over tensors of which the first `length` tokens are read, the rest is room."""
        super().__init__()
        self._whole = (keys, values)
        self.dtype, self.device, self.is_initialized = keys.dtype, keys.device, True
        self._show(length)

    def update(self, key_states: torch.Tensor, value_states: torch.Tensor, *args: Any, **kwargs: Any) -> Any:
        """Append keys and values, (rows, heads, new tokens, head size), and return all."""
        read = self.keys.shape[-2]
        length = read + key_states.shape[-2]
        if length > self._whole[0].shape[-2]:
            self._whole = (_with_room(self.keys, length + ROOM), _with_room(self.values, length + ROOM))
        for whole, new in zip(self._whole, (key_states, value_states), strict=True):
            whole[..., read:length, :] = new
        self._show(length)
        return self.keys, self.values

    def batch_select_indices(self, indices: torch.Tensor) -> None:
        """Keep the rows at `indices`, and the room behind their tokens; a row that stays where it is is not copied."""
        rows, length = self.keys.shape[0], self.keys.shape[-2]
        if len(indices) > rows:
            self._whole = (self._whole[0][indices], self._whole[1][indices])
        else:
            moved = (indices != torch.arange(len(indices), device=indices.device)).nonzero()[:, 0]
            for whole in self._whole if len(moved) else ():
                whole[moved, :, :length] = whole[indices[moved], :, :length]
            self._whole = (self._whole[0][: len(indices)], self._whole[1][: len(indices)])
        self._show(length)

    def _show(self, length: int) -> None:
        self.keys, self.values = (whole[..., :length, :] for whole in self._whole)


def grow_in_place(cache: Cache) -> None:
    """Let those layers of a cache grow in place that keep all they read; others (sliding, say) stay as they are."""
    cache.layers = [
        GrowingLayer(one.keys, one.values, one.get_seq_length()) if type(one) is DynamicLayer else one
        for one in cache.layers
    ]


def with_prefixes(prefixes: Sequence[Prefix | None], length: int, room: int) -> Cache:
    """Return a cache of rows that have read these prefixes, padded on the left to `length`, with room for more tokens.

    At least one row has a prefix.
    """
    some = next(prefix for prefix in prefixes if prefix is not None)
    cache = DynamicCache()
    for number, pair in enumerate(some.layers):
        wholes = [
            tensor.new_zeros(len(prefixes), tensor.shape[0], length + room + ROOM, tensor.shape[2]) for tensor in pair
        ]
        for row, prefix in enumerate(prefixes):
            if prefix is not None:
                for whole, own in zip(wholes, prefix.layers[number], strict=True):
                    whole[row, :, length - own.shape[1] : length] = own
        cache.layers.append(GrowingLayer(wholes[0], wholes[1], length))
    return cache


def _with_room(tensor: torch.Tensor, length: int) -> torch.Tensor:
    whole = tensor.new_empty(*tensor.shape[:-2], length, tensor.shape[-1])
    whole[..., : tensor.shape[-2], :] = tensor
    return whole
