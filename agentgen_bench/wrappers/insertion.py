"""Where text may be put between the sections of an observation, and the putting.

A section may be split, its halves keep richness and source: without the inserted sections the observation is, byte
for byte, what it was. Only what describes the state or the past is split; task and hints stay whole.
"""

import re
from collections.abc import Sequence
from typing import NamedTuple

from agentgen_bench.text import Richness, Section

SENTENCE_END = re.compile(r"\.(?=\s|$)")


class Spot(NamedTuple):
    """A place in an observation: before character `offset` of section `section`; offset = length is the end."""

    section: int
    offset: int


class Piece(NamedTuple):
    """A text and where it goes."""

    spot: Spot
    text: str


def is_open(section: Section) -> bool:
    """Return whether a distractor may be put into or beside the section."""
    return section.source in ("state", "history")


def spots_after(sections: Sequence[Section], pattern: re.Pattern[str]) -> list[Spot]:
    """Return the spots right after each match of `pattern` in sections that may be split."""
    return [
        Spot(i, match.end())
        for i, section in enumerate(sections)
        if is_open(section)
        for match in pattern.finditer(section.text)
    ]


def spots_before(sections: Sequence[Section], pattern: re.Pattern[str]) -> list[Spot]:
    """Return the spots right before each match of `pattern` in sections that may be split."""
    return [
        Spot(i, match.start())
        for i, section in enumerate(sections)
        if is_open(section)
        for match in pattern.finditer(section.text)
    ]


def edges(sections: Sequence[Section]) -> list[Spot]:
    """Return the two ends of every section that may be split."""
    open_sections = [(i, len(section.text)) for i, section in enumerate(sections) if is_open(section)]
    return [Spot(i, offset) for i, length in open_sections for offset in (0, length)]


def last_end(sections: Sequence[Section]) -> Spot:
    """Return the end of the last section that may be split, else of the last section."""
    open_indices = [i for i, section in enumerate(sections) if is_open(section)]
    index = open_indices[-1] if open_indices else len(sections) - 1
    return Spot(index, len(sections[index].text))


def on_own_lines(sections: Sequence[Section], spot: Spot, text: str) -> str:
    """Return `text` with the line breaks it needs at `spot` to stand on lines of its own."""
    before, after = _neighbours(sections, spot)
    start = "" if before in ("", "\n") else "\n"
    end = "" if after == "\n" or (after == "" and start) else "\n"
    return f"{start}{text}{end}"


def _neighbours(sections: Sequence[Section], spot: Spot) -> tuple[str, str]:
    """Return the characters just before and after a spot, empty at the observation's ends."""
    text = sections[spot.section].text
    earlier = (section.text[-1] for section in reversed(sections[: spot.section]) if section.text)
    later = (section.text[0] for section in sections[spot.section + 1 :] if section.text)
    before = text[spot.offset - 1] if spot.offset else next(earlier, "")
    after = text[spot.offset] if spot.offset < len(text) else next(later, "")
    return before, after


def inserted(sections: Sequence[Section], pieces: Sequence[Piece]) -> tuple[Section, ...]:
    """Return the sections with the pieces put in as distractors; pieces of one spot keep their order."""
    at: dict[Spot, list[str]] = {}
    for spot, text in pieces:
        at.setdefault(spot, []).append(text)
    result: list[Section] = []
    spots = sorted(at)
    position = 0
    for i, section in enumerate(sections):
        start = 0
        while position < len(spots) and spots[position].section == i:
            spot = spots[position]
            if spot.offset > start:
                result.append(section._replace(text=section.text[start : spot.offset]))
            result.append(Section("".join(at[spot]), Richness.LEAN, "distractor"))
            start, position = spot.offset, position + 1
        if start < len(section.text) or not section.text:
            result.append(section._replace(text=section.text[start:]) if start else section)
    return tuple(result)
