"""Keys and values of what a growing chat has already read, kept between its turns.

A chat's next input starts with all of its last one and the answer to it (policies/chat.py), so only the bridge and the
new observation are left to read. What is kept is a function of tokens and weights, never of which episode asked.
"""

from collections import OrderedDict
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt


class Prefix(NamedTuple):
    """The keys and values of a row of tokens: a pair of tensors (heads, tokens, head size) for each layer."""

    ids: npt.NDArray[np.int64]
    layers: tuple[tuple[Any, Any], ...]

    @property
    def n_bytes(self) -> int:
        """Return the size of the tensors."""
        return sum(tensor.numel() * tensor.element_size() for pair in self.layers for tensor in pair)

    def first(self, length: int) -> "Prefix":
        """Return the first `length` tokens, as views."""
        return Prefix(self.ids[:length], tuple((k[:, :length], v[:, :length]) for k, v in self.layers))


class PrefixStore:
    """The prefixes used last, up to a size in bytes; the weights that made them are the caller's to watch."""

    def __init__(self, max_bytes: int) -> None:
        """Start empty."""
        self.max_bytes = max_bytes
        self._kept: OrderedDict[bytes, Prefix] = OrderedDict()
        self._n_bytes = 0

    def longest(self, prompt: Sequence[int]) -> Prefix | None:
        """Return what is kept of the longest beginning of `prompt` that leaves at least its last token to read."""
        ids = np.asarray(prompt, dtype=np.int64)
        best, length = b"", 0
        for key, kept in reversed(self._kept.items()):  # used last first: a long find rules the others out
            most = min(len(kept.ids), len(ids) - 1)
            if most > length and kept.ids[length] == ids[length]:
                others = np.flatnonzero(kept.ids[:most] != ids[:most])
                shared = int(others[0]) if len(others) else most
                best, length = (key, shared) if shared > length else (best, length)
        if not length:
            return None
        self._kept.move_to_end(best)
        return self._kept[best].first(length)

    def keep(self, ids: Sequence[int], layers: tuple[tuple[Any, Any], ...]) -> None:
        """Keep the keys and values of `ids`, in place of those of their beginnings.

        The prefixes unused for longest make room.
        """
        prefix = Prefix(np.asarray(ids, dtype=np.int64), layers)
        for key, kept in list(self._kept.items()):
            length = len(kept.ids)
            if length <= len(ids) and kept.ids[-1] == ids[length - 1] and np.array_equal(kept.ids, prefix.ids[:length]):
                self._n_bytes -= self._kept.pop(key).n_bytes
        self._kept[prefix.ids.tobytes()] = prefix
        self._n_bytes += prefix.n_bytes
        while self._n_bytes > self.max_bytes and self._kept:
            _, dropped = self._kept.popitem(last=False)
            self._n_bytes -= dropped.n_bytes

    def clear(self) -> None:
        """Forget everything: the weights are others now."""
        self._kept.clear()
        self._n_bytes = 0
