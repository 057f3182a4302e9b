"""Observations as tuples of sections, so that richness and distractors only ever add text.

A section carries its own separators: `render` concatenates. Take any section away and what is left is, byte for
byte, the observation without it.
"""

from collections.abc import Sequence
from enum import IntEnum
from typing import Literal, NamedTuple, get_args

from agentgen_bench.errors import SpecError

Source = Literal["task", "state", "history", "hint", "distractor"]
SOURCES: tuple[Source, ...] = get_args(Source)


class Richness(IntEnum):
    """How much text the state holds; each level contains the one below."""

    LEAN = 0
    BASE = 1
    RICH = 2

    @property
    def label(self) -> str:
        """The lower-case name used in ids, JSON and on the command line."""
        return self.name.lower()

    @classmethod
    def parse(cls, value: "str | int | Richness") -> "Richness":
        """Return the level named by `value`: lean, base or rich; raises SpecError otherwise."""
        try:
            return cls[value.upper()] if isinstance(value, str) else cls(value)
        except (KeyError, ValueError):
            choices = ", ".join(level.label for level in cls)
            raise SpecError(f"unknown richness {value!r}; choose one of: {choices}") from None


class Section(NamedTuple):
    """A piece of an observation: its text, the lowest richness that shows it, and who wrote it."""

    text: str
    richness: Richness
    source: Source


def render(sections: Sequence[Section], richness: Richness = Richness.RICH) -> str:
    r"""Return the text of the sections shown at `richness`, in order, joined by nothing.

    Examples:
        >>> grid, legend = Section("#P#", Richness.LEAN, "state"), Section("\nP: you", Richness.BASE, "state")
        >>> render([grid, legend], Richness.LEAN)
        '#P#'
    """
    return "".join([section.text for section in sections if section.richness <= richness])
