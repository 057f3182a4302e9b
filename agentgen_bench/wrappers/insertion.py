"""Where text may be put between the sections of an observation, and the putting.

A section may be split between two of its spans, its halves keep richness and source: without the inserted sections the
observation is, byte for byte, what it was. Only what describes the state or the past is split; task and hints stay
whole.
"""

import sys
from collections.abc import Sequence
from operator import itemgetter

from agentgen_bench.text import Richness, Section, entries, plain_section

OPEN = ("state", "history")  # the sources whose sections may be split, and have distractors beside them
_LEAN = Richness.LEAN

Spot = tuple[int, int]
"""A place in an observation: before span `spot[1]` of section `spot[0]`; the number of spans, or END, is its end."""

END = sys.maxsize
"""The end of a section: said so, nobody has to make its spans to count them."""

Piece = tuple[Spot, str]
"""A text and where it goes."""


def entry_spots(sections: Sequence[Section]) -> list[Spot]:
    """Return the spots that the text itself marks in sections that may be split."""
    return entries(sections, OPEN)


def edges(sections: Sequence[Section]) -> list[Spot]:
    """Return the two ends of every section that may be split."""
    spots: list[Spot] = []
    for i, section in enumerate(sections):
        if section[2] in OPEN:
            spots += ((i, 0), (i, _end(section)))
    return spots


def edge(sections: Sequence[Section], where: float) -> Spot:
    """Return the one of `edges` that lies at `where` in [0, 1); where there is none, the last end."""
    indices = [i for i, section in enumerate(sections) if section[2] in OPEN]
    if not indices:
        return last_end(sections)
    number, is_end = divmod(int(where * 2 * len(indices)), 2)
    index = indices[number]
    return index, _end(sections[index]) if is_end else 0


def last_end(sections: Sequence[Section]) -> Spot:
    """Return the end of the last section that may be split, else of the last section."""
    open_indices = [i for i, section in enumerate(sections) if section[2] in OPEN]
    index = open_indices[-1] if open_indices else len(sections) - 1
    return index, _end(sections[index])


def _end(section: Section) -> int:
    return END if section[0] else 0


def on_own_lines(sections: Sequence[Section], spot: Spot, text: str) -> str:
    """Return `text` with the line breaks it needs to stand on lines of its own at a section's end, or its start."""
    index, place = spot
    before = sections[index][0] if place else ""
    after = "" if place else sections[index][0]
    i = index - 1
    while not before and i >= 0:
        before = sections[i][0]
        i -= 1
    i = index + 1
    while not after and i < len(sections):
        after = sections[i][0]
        i += 1
    start = "\n" if before and before[-1] != "\n" else ""
    end = "" if (after[0] == "\n" if after else start) else "\n"
    return f"{start}{text}{end}"


def inserted(sections: tuple[Section, ...], pieces: Sequence[Piece]) -> tuple[Section, ...]:
    """Return the sections with the pieces put in as distractors; pieces of one spot keep their order."""
    if len(pieces) == 1 and pieces[0][0][1] in (0, END):
        (index, place), text = pieces[0]
        at = index + (place > 0)
        return (*sections[:at], distractor(text), *sections[at:])
    if not pieces:
        return sections
    result: list[Section] = []
    section, i, start, last = sections[0], -1, END, -1  # section i is in up to span `start`; `last` piece's place in it
    for (index, place), text in sorted(pieces, key=_SPOT):
        if index != i:
            result += _rest(section, start)
            result += sections[i + 1 : index]
            section, i, start, last = sections[index], index, 0, -1
        if place == last or (place == END and 0 < last == len(section.spans)):
            result[-1] = distractor(result[-1][0] + text)
            continue
        if place == END:
            result += _rest(section, start)
        elif before := "".join(part := section.spans[start:place]):
            half = plain_section((before, section[1], section[2]))  # as `with_spans` makes it, without the call
            half._spans = part
            result.append(half)
        result.append(plain_section((text, _LEAN, "distractor")))
        start = last = place
    result += _rest(section, start)
    return (*result, *sections[i + 1 :])


_SPOT = itemgetter(0)


def _rest(section: Section, start: int) -> tuple[Section, ...]:
    """Return the section without its first `start` spans, none where no text is left of it."""
    if start == 0:
        return (section,)
    if start == END:
        return ()
    rest = section.with_spans(section.spans[start:])
    return (rest,) if rest[0] else ()


def distractor(text: str) -> Section:
    """Return a text as a distractor, seen at every richness."""
    return plain_section((text, _LEAN, "distractor"))
