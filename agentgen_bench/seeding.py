"""Random streams, keyed by what they are for.

Every draw in the package comes from `stream(*key)`, so two uses share random numbers only when they share the
whole key. `seed + index` would let neighbouring episodes and splits share levels.
"""

import hashlib
import json
from json.encoder import encode_basestring_ascii as _quoted

import numpy as np


def key_digest(*key: str | int) -> bytes:
    """Return the 32-byte SHA-256 of the key; equal for equal keys in every process and on every machine.

    Examples:
        >>> key_digest("sokoban", "test", 7).hex()[:12]
        '5e724a0c71a4'
    """
    text = ", ".join([_quoted(part) if type(part) is str else _number(part) for part in key])
    return hashlib.sha256(f"[{text}]".encode()).digest()


def _number(part: str | int) -> str:
    """Return a part of a key that is no plain string as JSON; raises TypeError where it is not JSON's."""
    return int.__repr__(part) if type(part) is int else json.dumps(part)


def stream(*key: str | int) -> np.random.Generator:
    """Return a generator whose whole sequence is decided by `key`; the caller owns it.

    Examples:
        >>> int(stream("sokoban", "test", 7).integers(100)) == int(stream("sokoban", "test", 7).integers(100))
        True
    """
    return np.random.Generator(np.random.PCG64(int.from_bytes(key_digest(*key)[:16])))


def seed_from(*key: str | int) -> int:
    """Return an integer in [0, 2**31) decided by `key`, for interfaces that take a seed instead of a generator."""
    return int.from_bytes(key_digest(*key)[:4]) >> 1
