"""Two scripted WebShop shoppers that read what any agent reads; they say how hard a setting is.

Both search for the request's own words, choose the option values that the request names, and buy. One takes the first
hit. The other reads the titles and prices of all ten and takes the one that says most of what was asked for within
the price limit. Neither looks at descriptions or features, nor goes back.
"""

import re
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

from agentgen_bench.parsing import ParseReason
from agentgen_bench.policies.base import Decision, Description
from agentgen_bench.prompts import History

BUY = "click[buy now]"
_BUTTONS = ("back to search", "< prev", "next >", "description", "features", "reviews", "attributes", "buy now")
_ASIN = re.compile(r"[a-z0-9]{10}")
_PRICE = re.compile(r"\$\s*(\d+(?:\.\d+)?)")
_LIMIT = re.compile(r"\$(\d+(?:\.\d+)?)|(\d+(?:\.\d+)?) dollars")
_WORD = re.compile(r"[a-z0-9]+")
FILLERS = frozenset(
    "a an and am are at be below can cart choose cost do for from get hold i in is it item less me missing more must "
    "my no of please show than that the to under want with you your looking need find help sister asked stay".split()
)


class Hit(NamedTuple):
    """A line of a result page: product number in lower case, title, price in dollars."""

    asin: str
    title: str
    price: float


class BuyFirstHit:
    """Searches for the request and buys the first hit."""

    name = "webshop-first-hit"

    def act(self, histories: Sequence[History]) -> list[Decision]:
        """Return one decision per history."""
        return [_decided(history, _first(history)) for history in histories]

    def describe(self) -> Description:
        """Return the kind."""
        return {"kind": self.name}


class ReadAllTen:
    """Searches for the request, reads the ten titles and prices, and buys the best match."""

    name = "webshop-read-all-ten"

    def act(self, histories: Sequence[History]) -> list[Decision]:
        """Return one decision per history."""
        return [_decided(history, _best(history)) for history in histories]

    def describe(self) -> Description:
        """Return the kind."""
        return {"kind": self.name}


def hits(history: History) -> list[Hit]:
    """Return the hits of a result page in either page format; none on other pages."""
    shown = [c[6:-1] for c in history.admissible_commands if c.startswith("click[") and _ASIN.fullmatch(c[6:-1])]
    if BUY in history.admissible_commands:
        return []
    parts = [part.strip() for part in re.split(r" \[SEP\] |\n", history.observation)]
    plain = [part.removeprefix("[button] ").removeprefix("[clicked button] ").split(" [")[0] for part in parts]
    places = {asin: plain.index(asin.upper()) for asin in shown if asin.upper() in plain}
    return [Hit(asin, parts[i + 1], _dollars(parts[i + 2])) for asin, i in places.items() if i + 2 < len(parts)]


def price_limit(task: str) -> float:
    """Return the limit that a request names, in dollars; infinity without one."""
    found = _LIMIT.findall(task)
    return float(found[-1][0] or found[-1][1]) if found else float("inf")


def named_values(task: str, values: Sequence[str]) -> list[str]:
    """Return the option values that a request names as whole words, longer ones first and never inside another.

    Examples:
        >>> named_values("a set of four, in warm white", ["white", "set of four", "four"])
        ['set of four', 'white']
    """
    text, found = task.lower(), []
    for value in sorted(values, key=lambda value: (-len(value), value)):
        pattern = rf"(?<![\w'])(?:size |size: )?{re.escape(value)}(?![\w'])"
        if re.search(pattern, text):
            found.append(value)
            text = re.sub(pattern, " ", text)
    return found


def _first(history: History) -> str | None:
    found = hits(history)
    return f"click[{found[0].asin}]" if found else None


def _best(history: History) -> str | None:
    """Return the click on the best hit: price kept, right kind, most words of the request; else the first.

    The kind is what most titles share with the request.
    """
    found = hits(history)
    if not found:
        return None
    limit, wanted = price_limit(history.task), wording(history.task)
    titles = {hit: wanted & wording(hit.title) for hit in found}
    counts = Counter(words for shared in titles.values() for words in sorted(shared))
    kind = max(sorted(counts), key=lambda words: (counts[words], len(words)), default="")

    def merit(hit: Hit) -> tuple[bool, bool, int]:
        return hit.price <= limit, kind in titles[hit], len(titles[hit])

    return f"click[{max(found, key=merit).asin}]"


def _decided(history: History, open_hit: str | None) -> Decision:
    action = _next_action(history, open_hit)
    return Decision("", None, ParseReason.NO_ACTION) if action is None else Decision(action, action)


def _next_action(history: History, open_hit: str | None) -> str | None:
    if BUY in history.admissible_commands:
        return _choice(history) or BUY
    search = next((command for command in history.admissible_commands if command.startswith("search[")), None)
    return open_hit or search


def _choice(history: History) -> str | None:
    """Return the click on the first named option value not clicked since the item was opened."""
    clicks = [command for command in history.admissible_commands if command.startswith("click[")]
    values = [click[6:-1] for click in clicks if click[6:-1] not in _BUTTONS]
    clicked: set[str] = set()
    for turn in reversed(history.turns):
        if turn.action is None or _ASIN.fullmatch(turn.action[6:-1]):
            break
        clicked.add(turn.action[6:-1])
    left = [value for value in named_values(history.task, values) if value not in clicked]
    return f"click[{left[0]}]" if left else None


def _dollars(text: str) -> float:
    found = _PRICE.search(text)
    return float(found[1]) if found else float("inf")


def wording(text: str) -> frozenset[str]:
    """Return the words that say something, plurals cut, and the pairs of words that follow each other."""
    words = [word.rstrip("s") for word in _WORD.findall(text.lower()) if word not in FILLERS]
    return frozenset(words) | frozenset([f"{first} {second}" for first, second in pairwise(words)])
