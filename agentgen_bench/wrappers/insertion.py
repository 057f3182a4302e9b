"""Where text may be put between the sections of an observation, and the putting.

A section may be split between two of its spans, its halves keep richness and source: without the inserted sections the
observation is, byte for byte, what it was. Only what describes the state or the past is split; task and hints stay
whole.
"""

from collections.abc import Sequence

from agentgen_bench.text import Entry, Richness, Section, plain_section

Spot = tuple[int, int]
"""A place in an observation: before span `spot[1]` of section `spot[0]`; the number of spans is the section's end."""

Piece = tuple[Spot, str]
"""A text and where it goes."""


def is_open(section: Section) -> bool:
    """Return whether a distractor may be put into or beside the section."""
    return section.source == "state" or section.source == "history"  # faster than a look-up


def entry_spots(sections: Sequence[Section]) -> list[Spot]:
    """Return the spots that the text itself marks in sections that may be split."""
    return [
        (i, k)
        for i, section in enumerate(sections)
        if is_open(section) and not section.is_plain
        for k, span in enumerate(section.spans, 1)
        if not span and type(span) is Entry  # an entry is empty: most spans need no second look
    ]


def edges(sections: Sequence[Section]) -> list[Spot]:
    """Return the two ends of every section that may be split."""
    spots: list[Spot] = []
    for i, section in enumerate(sections):
        source = section[2]
        if source == "state" or source == "history":
            spots += ((i, 0), (i, _end(section)))
    return spots


def edge(sections: Sequence[Section], where: float) -> Spot:
    """Return the one of `edges` that lies at `where` in [0, 1); where there is none, the last end."""
    indices = [i for i, section in enumerate(sections) if section[2] == "state" or section[2] == "history"]
    if not indices:
        return last_end(sections)
    number, is_end = divmod(int(where * 2 * len(indices)), 2)
    index = indices[number]
    return index, _end(sections[index]) if is_end else 0


def last_end(sections: Sequence[Section]) -> Spot:
    """Return the end of the last section that may be split, else of the last section."""
    open_indices = [i for i, section in enumerate(sections) if is_open(section)]
    index = open_indices[-1] if open_indices else len(sections) - 1
    return index, _end(sections[index])


def _end(section: Section) -> int:
    if not section[0]:
        return 0
    return 1 if section.is_plain else len(section.spans)


def on_own_lines(sections: Sequence[Section], spot: Spot, text: str) -> str:
    """Return `text` with the line breaks it needs to stand on lines of its own at a section's end, or its start."""
    index, place = spot
    own = sections[index][0]
    before = "" if place == 0 else own[-1:]
    after = own[:1] if place == 0 else ""
    before = before or next((other.text[-1] for other in reversed(sections[:index]) if other.text), "")
    after = after or next((other.text[0] for other in sections[index + 1 :] if other.text), "")
    start = "" if before in ("", "\n") else "\n"
    end = "" if after == "\n" or (after == "" and start) else "\n"
    return f"{start}{text}{end}"


def inserted(sections: tuple[Section, ...], pieces: Sequence[Piece]) -> tuple[Section, ...]:
    """Return the sections with the pieces put in as distractors; pieces of one spot keep their order."""
    if len(pieces) == 1:
        (index, place), text = pieces[0]
        if place == 0 or place == _end(sections[index]):
            at = index + (place > 0)
            return (*sections[:at], distractor(text), *sections[at:])
    texts: dict[int, dict[int, str]] = {}  # by section and place
    for (index, place), text in pieces:
        there = texts.setdefault(index, {})
        there[place] = there[place] + text if place in there else text
    result: list[Section] = []
    for i, section in enumerate(sections):
        if i not in texts:
            result.append(section)
            continue
        start, end = 0, _end(section)
        there = texts[i]
        for place, text in sorted(there.items()) if len(there) > 1 else there.items():
            if start < place:
                _add(result, section, start, place, end)
            result.append(distractor(text))
            start = place
        if start < end:
            _add(result, section, start, end, end)
        elif not end:
            result.append(section)
    return tuple(result)


def distractor(text: str) -> Section:
    """Return a text as a distractor, seen at every richness."""
    return plain_section((text, Richness.LEAN, "distractor"))


def _add(result: list[Section], section: Section, start: int, stop: int, end: int) -> None:
    """Add the spans of a section from `start` to `stop`, of `end`, where they hold any text."""
    part = section if start == 0 and stop == end else section.with_spans(section.spans[start:stop])
    if part.text:
        result.append(part)
