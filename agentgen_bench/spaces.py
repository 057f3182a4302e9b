"""A text space that survives shared memory and accepts all Unicode.

Gymnasium's own `Text` returns constant strings from `AsyncVectorEnv(shared_memory=True)` (seen on 1.0 to 1.4) and
rejects characters outside its alphabet, such as √ or é.
"""

import ctypes
import multiprocessing
from collections.abc import Sequence
from functools import cache
from multiprocessing.context import BaseContext
from typing import Any, overload

import gymnasium as gym
from gymnasium.vector.utils import create_shared_memory, read_from_shared_memory, write_to_shared_memory

MAX_ACTION_CHARS = 512  # longer than any admissible command of any family
SAMPLE_ALPHABET = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 .,:;'[]()|#_√é\n"
BYTES_PER_CHAR = 4  # UTF-32: a fixed width, so a slot of `max_length` characters always fits


def is_encodable(text: str) -> bool:
    """Return whether a file, a process or a server can be given the text: it holds no half of a surrogate pair."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


class TextSpace(gym.spaces.Text):
    """All strings of at most `max_length` characters, without lone surrogates; samples use `SAMPLE_ALPHABET`."""

    def __init__(self, max_length: int, seed: int | None = None) -> None:
        """Create the space; `max_length` is in characters."""
        super().__init__(max_length, min_length=0, charset=SAMPLE_ALPHABET, seed=seed)
        # Gymnasium builds 12 KB of tables of the alphabet for each space; all of ours share one set.
        self.__dict__.update(_alphabet_tables())

    def contains(self, x: Any) -> bool:
        """Return whether `x` is a string that fits and can be encoded."""
        return isinstance(x, str) and len(x) <= self.max_length and is_encodable(x)

    def __repr__(self) -> str:
        """Return `TextSpace(max_length)`."""
        return f"TextSpace({self.max_length})"


@cache
def _alphabet_tables() -> dict[str, Any]:
    tables = vars(gym.spaces.Text(1, charset=SAMPLE_ALPHABET))
    return {name: table for name, table in tables.items() if name.startswith("_char_")}


@create_shared_memory.register(TextSpace)
def _create(space: TextSpace, n: int = 1, ctx: BaseContext | None = None) -> Any:
    """Return `n` slots, each a 4-byte length followed by UTF-32 characters."""
    return (ctx or multiprocessing).Array(ctypes.c_uint8, n * _slot_size(space))


class SharedTexts(Sequence[str]):
    """A live view of the texts in shared memory; copying it gives a tuple of what they are now.

    AsyncVectorEnv reads shared memory once, when it is made, and later copies what it got: right for arrays that
    look into the memory, and the reason why `Text` stays constant.
    """

    def __init__(self, space: TextSpace, shared_memory: Any, n: int) -> None:
        """Look into `n` slots of the shared memory of `space`."""
        self._slot_size = _slot_size(space)
        self._view = memoryview(shared_memory.get_obj()).cast("B")
        self._n = n

    def __len__(self) -> int:
        return self._n

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[str, ...]: ...
    def __getitem__(self, index: int | slice) -> str | tuple[str, ...]:
        if isinstance(index, slice):
            return tuple(self[i] for i in range(*index.indices(self._n)))
        return _read_slot(self._view, range(self._n)[index] * self._slot_size)

    def __deepcopy__(self, memo: dict[int, Any]) -> tuple[str, ...]:
        return tuple(self)

    def __eq__(self, other: object) -> bool:
        return tuple(self) == other

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return repr(tuple(self))


@read_from_shared_memory.register(TextSpace)
def _read(space: TextSpace, shared_memory: Any, n: int = 1) -> SharedTexts:
    return SharedTexts(space, shared_memory, n)


@write_to_shared_memory.register(TextSpace)
def _write(space: TextSpace, index: int, value: str, shared_memory: Any) -> None:
    payload = value.encode("utf-32-le")
    if len(payload) > space.max_length * BYTES_PER_CHAR:
        raise ValueError(f"observation of {len(value)} characters does not fit {space!r}")
    start = index * _slot_size(space)
    view = memoryview(shared_memory.get_obj()).cast("B")
    view[start : start + 4] = len(payload).to_bytes(4, "little")
    view[start + 4 : start + 4 + len(payload)] = payload


def _slot_size(space: TextSpace) -> int:
    return 4 + space.max_length * BYTES_PER_CHAR


def _read_slot(view: memoryview, start: int) -> str:
    length = int.from_bytes(view[start : start + 4], "little")
    return bytes(view[start + 4 : start + 4 + length]).decode("utf-32-le")
