"""Distractors in the style of their own family: how many, which words, and where they go.

Counts follow arXiv 2601.18217, appendix C; SciWorld, which the paper leaves alone, follows Sokoban's rule. What is
invented (banks/things.txt) is in no family's world, and never named in a goal.
"""

from collections.abc import Callable, Collection, Sequence
from functools import cache
from itertools import islice
from typing import NamedTuple

import numpy as np

from agentgen_bench.envs.webshop.text import PRODUCT_ENTRY
from agentgen_bench.errors import SpecError
from agentgen_bench.families import family, load
from agentgen_bench.text import Entry, Section
from agentgen_bench.wrappers.banks import Order, bank, drawn_order, things
from agentgen_bench.wrappers.insertion import Piece, Spot, edges, entry_spots, last_end, on_own_lines

_STATUS = ("Advertisement", "Not for sale", "Sold out", "Display only")
_ENTRY_NUMBERS = 9973  # a prime: titles and numbers together repeat only after 63 x 9973 entries
_PLACE = "({row}, {column})"
_OUTSIDE = tuple(map(str, range(20, 90)))  # rows and columns named outside a Sokoban room, which has at most 10


class Words(NamedTuple):
    """What an episode's distractors are made of: orders of texts, and the numbers and things they may use."""

    orders: tuple[Order, ...]
    numbers: tuple[int, ...]
    things: tuple[str, ...]  # each with its article: `an abacus`


class Draws(NamedTuple):
    """What one state's distractors are decided by: its number in the episode, and rows of three floats in [0, 1)."""

    step: int
    rows: list[list[float]]


class Style(NamedTuple):
    """How a family's distractors are written.

    `most` gives the most texts a state gets at some volume, `sizes` how many texts each order goes through for a
    number of things, `write` the pieces for one state.
    """

    most: Callable[[int], int]
    sizes: Callable[[int], tuple[int, ...]]
    write: Callable[[Sequence[Section], int, Words, Draws], list[Piece]]


def episode_words(style: Style, taken: Collection[str], rng: np.random.Generator) -> Words:
    """Return the words of one episode; nothing in them is called like one of the level's names `taken`."""
    free = tuple([f"{article} {name}" for article, name in things() if name not in taken])
    used = {int(number) for name in taken if (number := name.rpartition(" ")[2]).isdecimal()}
    numbers = tuple(number for number in range(1, 100) if number not in used) or (100 + max(used, default=0),)
    return Words(tuple(drawn_order(size, rng) for size in style.sizes(len(free))), numbers, free)


def n_alfworld(volume: int) -> int:
    """Return the number of sentences in an ALFWorld state."""
    return volume // 12


def n_lines(volume: int) -> int:
    """Return the number of lines in a Sokoban or SciWorld state."""
    return max(1, volume // 10)


def n_entries(volume: int) -> int:
    """Return the number of entries on a WebShop page of results: floor(volume / 100 * .5 * 10), at most 10."""
    return min(volume // 20, 10)


def n_trivia(volume: int) -> int:
    """Return the number of pieces of trivia on a WebShop item page."""
    return max(1, volume // 25)


def n_adverts(volume: int) -> int:
    """Return the number of advertisements on a WebShop item page."""
    return max(1, volume // 30)


@cache
def _halves(name: str, start: str) -> tuple[tuple[str, str, bool], ...]:
    """Return what stands before and after the thing in each text of a bank, and whether it begins a sentence.

    `start` goes before the text; a list has no sentences.
    """
    halves = [text.partition("{a}") for text in bank(name)]
    return tuple([(start + before, after, start == " " and not before) for before, _, after in halves])


def _texts_at(
    spots: list[Spot], name: str, start: str, end: str, words: Words, draws: Draws, count: int
) -> list[Piece]:
    """Return a state's texts by spot; each has a hole for a thing, and for its number where it is a sentence."""
    halves, named, numbers = _halves(name, start), words.things, words.numbers
    first, stride, n = words.orders[0]
    k = (first + draws.step * count * stride) % n
    n_halves, n_things, n_spots, n_numbers = len(halves), len(named), len(spots), len(numbers)
    texts = [""] * n_spots
    for where, number, _ in draws.rows[:count]:
        before, after, is_capital = halves[k % n_halves]
        thing = named[k // n_halves % n_things]
        if is_capital:
            thing = thing[0].upper() + thing[1:]
        numbered = f"{thing} {numbers[int(number * n_numbers)]}" if start == " " else thing
        texts[int(where * n_spots)] += f"{before}{numbered}{after}{end}"
        k = (k + stride) % n
    return [(spot, text) for spot, text in zip(spots, texts, strict=True) if text]


def _alfworld(sections: Sequence[Section], volume: int, words: Words, draws: Draws) -> list[Piece]:
    """Return sentences to follow others."""
    spots = entry_spots(sections) or [last_end(sections)]
    return _texts_at(spots, "alfworld", " ", "", words, draws, n_alfworld(volume))


def _sciworld(sections: Sequence[Section], volume: int, words: Words, draws: Draws) -> list[Piece]:
    """Return entries for the lists of what one sees; where the state has no list, they make one at its end."""
    spots = entry_spots(sections)
    if spots:
        return _texts_at(spots, "sciworld", "\t", "\n", words, draws, n_lines(volume))
    return _texts_at([last_end(sections)], "sciworld", "\n\t", "", words, draws, n_lines(volume))


class _Line(NamedTuple):
    """What stands before, between and after the thing and the place of a line, and which of the two comes first."""

    before: str
    between: str
    after: str
    is_thing_first: bool


@cache
def _lines() -> tuple[_Line, ...]:
    """Return Sokoban's lines."""
    lines = []
    for text in bank("sokoban"):
        is_thing_first = text.index("{a}") < text.index(_PLACE)
        first, second = ("{a}", _PLACE) if is_thing_first else (_PLACE, "{a}")
        before, _, rest = text.partition(first)
        between, _, after = rest.partition(second)
        lines.append(_Line(before, between, after, is_thing_first))
    return tuple(lines)


def _sokoban(sections: Sequence[Section], volume: int, words: Words, draws: Draws) -> list[Piece]:
    """Return lines around the board and what describes it."""
    spots, count, lines, named = edges(sections) or [last_end(sections)], n_lines(volume), _lines(), words.things
    first, stride, n = words.orders[0]
    k = (first + draws.step * count * stride) % n
    n_texts, n_things, n_spots, n_outside = len(lines), len(named), len(spots), len(_OUTSIDE)
    texts: dict[Spot, str] = {}
    for where, row, column in draws.rows[:count]:
        before, between, after, is_thing_first = lines[k % n_texts]
        thing = named[k // n_texts % n_things]
        place = f"({_OUTSIDE[int(row * n_outside)]}, {_OUTSIDE[int(column * n_outside)]})"
        if not is_thing_first:
            line = f"{before}{place}{between}{thing}{after}"
        elif before:
            line = f"{before}{thing}{between}{place}{after}"
        else:
            line = f"{thing[0].upper()}{thing[1:]}{between}{place}{after}"
        spot = spots[int(where * n_spots)]
        texts[spot] = f"{texts[spot]}\n{line}" if spot in texts else line
        k = (k + stride) % n
    return [(spot, on_own_lines(sections, spot, text)) for spot, text in texts.items()]


def _webshop(sections: Sequence[Section], volume: int, words: Words, draws: Draws) -> list[Piece]:
    """Return products for a page of results and remarks for an item's page; other pages have no room for any."""
    spots = entry_spots(sections)
    if not spots:
        return []
    index, place = spots[0]
    entry = sections[index].spans[place - 1]
    if type(entry) is not Entry:
        raise TypeError(f"{entry!r} is no entry")
    write = _products if entry.kind == PRODUCT_ENTRY else _remarks
    return write(spots, entry.separator, volume, words, draws)


def _products(spots: list[Spot], separator: str, volume: int, words: Words, draws: Draws) -> list[Piece]:
    endings, count, n_spots, n_statuses = _endings(separator), n_entries(volume), len(spots), len(_STATUS)
    first, stride, n = words.orders[0]
    k, n_titles = (first + draws.step * count * stride) % n, len(endings)
    start = "\n\n" if separator == "\n" else separator
    pieces = []
    for where, status, _ in draws.rows[:count]:
        ending = endings[k % n_titles][int(status * n_statuses)]
        pieces.append((spots[int(where * n_spots)], f"{start}AD{k // n_titles:04d}{ending}"))
        k = (k + stride) % n
    return pieces


@cache
def _endings(separator: str) -> tuple[tuple[str, ...], ...]:
    """Return what follows a product's number, for each title and status."""
    return tuple(
        [tuple([f"{separator}{title}{separator}{status}" for status in _STATUS]) for title in bank("webshop_items")]
    )


def _remarks(spots: list[Spot], separator: str, volume: int, words: Words, draws: Draws) -> list[Piece]:
    rows, n_spots, pieces = iter(draws.rows), len(spots), []
    for texts, count, number in _remark_texts(separator, volume):
        first, stride, n = words.orders[number]
        k = (first + draws.step * count * stride) % n
        for row in islice(rows, count):
            pieces.append((spots[int(row[0] * n_spots)], texts[k]))
            k = (k + stride) % n
    return pieces


@cache
def _remark_texts(separator: str, volume: int) -> tuple[tuple[tuple[str, ...], int, int], ...]:
    """Return each bank's texts behind the separator, how many of them a page gets, and the number of their order."""
    counts = {"webshop_trivia": n_trivia(volume), "webshop_adverts": n_adverts(volume)}
    return tuple(
        [
            (tuple([separator + text for text in bank(name)]), count, number)
            for number, (name, count) in enumerate(counts.items(), 1)
        ]
    )


def _n_webshop(volume: int) -> int:
    return max(n_entries(volume), n_trivia(volume) + n_adverts(volume))


def _webshop_sizes(n_things: int) -> tuple[int, ...]:
    return len(bank("webshop_items")) * _ENTRY_NUMBERS, len(bank("webshop_trivia")), len(bank("webshop_adverts"))


# The families' records name these.
ALFWORLD = Style(n_alfworld, lambda n: (len(bank("alfworld")) * n,), _alfworld)
WEBSHOP = Style(_n_webshop, _webshop_sizes, _webshop)
SOKOBAN = Style(n_lines, lambda n: (len(bank("sokoban")) * n,), _sokoban)
SCIWORLD = Style(n_lines, lambda n: (len(bank("sciworld")) * n,), _sciworld)


@cache
def style(family_name: str) -> Style:
    """Return the style of a family's contextual distractors; raises SpecError where it has none."""
    name = family(family_name).contextual
    if name is None:
        raise SpecError(f"{family_name} has no contextual distractors; choose the kind 'cross_env'")
    found = load(name)
    if not isinstance(found, Style):
        raise SpecError(f"the contextual distractors of {family_name} are a Style, got {name} = {found!r}")
    return found
