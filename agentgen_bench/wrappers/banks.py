"""The texts that distractors are made of: plain files in `banks/`, one text a line, all wording our own."""

import json
import math
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np

FOLDER = Path(__file__).parent / "banks"


class Order(NamedTuple):
    """The order in which an episode uses `n` texts: a walk that meets every one before it meets one again."""

    start: int
    stride: int
    n: int

    def at(self, i: int) -> int:
        """Return which text is the i-th."""
        return (self.start + i * self.stride) % self.n


def drawn_order(n: int, rng: np.random.Generator) -> Order:
    """Return a random order; its stride shares no divisor with n, so that the walk reaches all."""
    while math.gcd(stride := int(rng.integers(1, max(n, 2))), n) != 1:
        pass
    return Order(int(rng.integers(n)), stride, n)


@cache
def bank(name: str) -> tuple[str, ...]:
    """Return the texts of `banks/<name>.txt`."""
    return tuple((FOLDER / f"{name}.txt").read_text(encoding="utf-8").splitlines())


@cache
def things() -> tuple[tuple[str, str], ...]:
    """Return (article, name) of every thing that distractors may invent, such as ("an", "abacus")."""
    return tuple((article, name) for article, _, name in (line.partition(" ") for line in bank("things")))


@cache
def glimpses(family: str) -> tuple[str, ...]:
    """Return states of a family as text, recorded from its generated levels (SciWorld's are our own wording)."""
    data = json.loads((FOLDER / f"glimpses_{family.lower()}.json").read_text(encoding="utf-8"))
    return tuple(data["glimpses"])
