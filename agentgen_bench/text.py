"""Observations as tuples of sections, so that richness and distractors only ever add text.

A section carries its own separators: `render` concatenates. Take any section away and what is left is, byte for
byte, the observation without it.

A section's text is made of spans, strings that know what they are. A plain `str` is text; `Command`, `Button` and
`Listing` name actions, so that these can be given other names; `Entry` is the empty string, where a distractor may
stand. Who writes a text says what is what; nobody else has to read it.
"""

import re
from collections.abc import Callable, Collection, Iterable, Sequence
from enum import IntEnum
from functools import partial
from itertools import repeat
from typing import Any, Literal, NamedTuple, get_args

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


class Command(str):
    """An action that the text names: `word`, as the family's actions spell it, and the `rest`: object names.

    The string is what the reader sees; at the start of a sentence it has a capital letter that `word` has not.
    """

    __slots__ = ("rest", "word")
    word: str
    rest: str

    def __new__(cls, word: str, rest: str = "", *, is_capital: bool = False) -> "Command":
        """Return the span; `rest` is what follows the word as written, its space included."""
        span = super().__new__(cls, f"{word[0].upper()}{word[1:]}{rest}" if is_capital else word + rest)
        span.word, span.rest = word, rest
        return span

    def renamed(self, word: str) -> "Command":
        """Return the command with another word, capital where this one is."""
        return Command(word, self.rest, is_capital=self[0] != self.word[0])

    def __reduce__(self) -> tuple[Any, ...]:
        return _command, (self.word, self.rest, self[0] != self.word[0])


def _command(word: str, rest: str, is_capital: bool) -> Command:
    return Command(word, rest, is_capital=is_capital)


class Button(str):
    """What can be clicked, under the label that the page gives it."""

    __slots__ = ()


class Listing(str):
    """All actions in a row, joined by `, `; their order tells nothing and may be changed."""

    __slots__ = ("commands",)
    commands: tuple[Command, ...]

    def __new__(cls, commands: Sequence[Command]) -> "Listing":
        """Return the span of these commands in this order."""
        span = super().__new__(cls, ", ".join(commands))
        span.commands = tuple(commands)
        return span

    def __reduce__(self) -> tuple[Any, ...]:
        return Listing, (self.commands,)


class Entry(str):
    """A place where a distractor may stand, itself the empty string.

    `kind` tells apart the places of a family that has several; `separator` is what stands between the entries there.
    """

    __slots__ = ("kind", "separator")
    kind: str
    separator: str

    def __new__(cls, kind: str = "", separator: str = "") -> "Entry":
        """Return the span."""
        span = super().__new__(cls)
        span.kind, span.separator = kind, separator
        return span

    def __reduce__(self) -> tuple[Any, ...]:
        return Entry, (self.kind, self.separator)


ENTRY = Entry()
Spans = tuple[str, ...]
Reader = Callable[[str], Spans]


_new = tuple.__new__


class _Fields(NamedTuple):
    text: str
    richness: Richness
    source: Source


class Section(_Fields):
    """A piece of an observation: its text, the lowest richness that shows it, and who wrote it.

    As a tuple it is these three, and so it is compared and recorded. `spans` say what the text is made of.

    Examples:
        >>> section = Section(("Actions: ", Command("look"), "."), Richness.BASE, "task")
        >>> section.text, section.spans[1].word
        ('Actions: look.', 'look')
    """

    _spans: Spans | Reader | None = None
    _places: tuple[int, ...] | None = None

    def __new__(cls, content: str | Spans, richness: Richness, source: Source, read: Reader | None = None) -> "Section":
        """Create the section of a text, or of the spans it is made of.

        Where a text comes whole from elsewhere (a simulator), `read` makes the spans of it; it is called when they are
        asked for.
        """
        if type(content) is tuple:
            section = _new(cls, ("".join(content), richness, source))
            section._spans = content
            return section
        section = _new(cls, (content, richness, source))
        if read is not None:
            section._spans = read
        return section

    @property
    def spans(self) -> Spans:
        """What the text is made of; joined they are the text."""
        spans = self._spans
        if type(spans) is not tuple:
            spans = self._spans = (self.text,) if spans is None else spans(self.text)  # type: ignore[operator]
        return spans

    @property
    def places(self) -> tuple[int, ...]:
        """Where a distractor may stand: the number of spans before each place."""
        places = self._places
        if places is None:
            # An entry is empty: most spans need no second look.
            places = tuple([k for k, span in enumerate(self.spans, 1) if not span and type(span) is Entry])
            self._places = places
        return places

    def with_spans(self, spans: Spans) -> "Section":
        """Return the section with other spans."""
        _, richness, source = self
        section = _new(Section, ("".join(spans), richness, source))
        section._spans = spans
        return section

    def __repr__(self) -> str:
        return f"Section({self.text!r}, {self.richness!r}, {self.source!r})"

    def __reduce__(self) -> tuple[Any, ...]:
        if type(self._spans) is tuple:
            return Section, (self._spans, self.richness, self.source)
        return Section, (self.text, self.richness, self.source, self._spans)


def entries(sections: Sequence[Section], sources: Collection[str]) -> list[tuple[int, int]]:
    """Return where the sections of these sources have room for a distractor: section, and spans before the place."""
    found: list[tuple[int, int]] = []
    for i, section in enumerate(sections):
        if section._spans is not None and section[2] in sources:
            found += zip(repeat(i), section.places)
    return found


def mapped(sections: Sequence[Section], change: Callable[[Spans], Spans]) -> tuple[Section, ...]:
    """Return the sections with their spans changed; the same object where `change` gives back what it got."""
    found: list[Section] = []
    for section in sections:
        spans = section._spans
        if spans is not None:
            if type(spans) is not tuple:
                spans = section.spans
            other = change(spans)
            if other is not spans:
                section = section.with_spans(other)
        found.append(section)
    return tuple(found)


plain_section: partial[Section] = partial(tuple.__new__, Section)
"""A section of its fields as one tuple, without spans: for whoever makes one at each step."""


def starts_of(words: Iterable[str]) -> re.Pattern[str]:
    """Return a pattern for the words that begin a command, the longest that fits; `named` takes it."""
    longest_first = sorted(words, key=len, reverse=True)
    return re.compile(rf"(?:{'|'.join(map(re.escape, longest_first))})(?![^\s,:.])")


def named(text: str, starts: re.Pattern[str]) -> str:
    """Return a text that begins with a command as a `Command`; as it is where it begins with none.

    Examples:
        >>> named("go to box 1", starts_of(["go", "go to"])).word
        'go to'
    """
    match = starts.match(text)
    return text if match is None else Command(match[0], text[match.end() :])


_RICH = Richness.RICH


def render(sections: Sequence[Section], richness: Richness = _RICH) -> str:
    r"""Return the text of the sections shown at `richness`, in order, joined by nothing.

    Examples:
        >>> grid, legend = Section("#P#", Richness.LEAN, "state"), Section("\nP: you", Richness.BASE, "state")
        >>> render([grid, legend], Richness.LEAN)
        '#P#'
    """
    if richness is _RICH:
        return "".join([section[0] for section in sections])
    return "".join([section.text for section in sections if section.richness <= richness])
