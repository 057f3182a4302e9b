"""A WebShop shopper that reads the pages as text, and nothing that a page does not say.

It searches for the words of the request, opens the hit whose title says most of what was asked for within the price
limit, clicks the option values that the request names, in the order of the page, and buys. It remembers the last click
only, so one past step has to be in the prompt; pages that list the choices make up for that.
"""

import re
from collections.abc import Callable, Sequence
from typing import NamedTuple

from agentgen_bench.policies.base import Decision, Description
from agentgen_bench.policies.demonstrators import NO_ANSWER, answer
from agentgen_bench.policies.webshop_shoppers import FILLERS, named_values, price_limit, wording
from agentgen_bench.prompts import History

# Words that tell no product from another.
_SILENT = FILLERS | set("as bag box buy me pair priced set stay what would you".split())
_PARTS = re.compile(r" \[SEP\] |\n")
_BUTTON = re.compile(r"^(\[(?:clicked )?button\]) (.*?) \[(?:clicked )?button_\]$")
_NUMBER = re.compile(r"[A-Z0-9]{10}")
_PRICE = re.compile(r"\$\s*([\d,]+(?:\.\d+)?)")
_LISTED = re.compile(r"^Open item: .* Options: (.*)\.$")
_LIMIT = re.compile(
    r"[^.,:?!]*(?:\$\d+(?:\.\d+)?|\d+(?:\.\d+)? dollars)[^.,:?!]*"
)  # the clause of a request that names its limit
_WORD = re.compile(r"[a-z0-9]+(?:'[a-z]+)?")
# How shops name a choice; a request's "in a square shape" means the value square, not the heading shape.
_HEADINGS = frozenset(
    "bundle capacity color coverage cut delivery department diameter edition engraving flavor grind length model pack "
    "packing power set shape size storage strength width style material scent team quantity".split()
) | {"plug type", "fit type", "item package quantity", "size name", "color name", "special size", "flavor name"}


class Hit(NamedTuple):
    """An entry of a page of results: product number as shown, title, price in dollars."""

    number: str
    title: str
    price: float


Pick = Callable[[str, Sequence[Hit]], Hit]  # of a request and the hits on a page, the one to open


class WebShopReader:
    """Search, the best of the ten titles, the named options, buy."""

    name = "webshop-reader"

    def act(self, histories: Sequence[History]) -> list[Decision]:
        """Return one decision per history, from its pages and the action before."""
        return [_decide(history) for history in histories]

    def describe(self) -> Description:
        """Return the kind."""
        return {"kind": self.name}


def _decide(history: History) -> Decision:
    return decided(history, best_hit)


def decided(history: History, pick: Pick) -> Decision:
    """Return the reader's decision, where `pick` chooses among the hits of a page for a request."""
    if history.family != "WebShop":
        return NO_ANSWER
    parts = parts_of(history.observation)
    if any(part.startswith("Page ") and "Total results" in part for part in parts):
        return _opened(history.task, hits(parts), pick)
    if any(part.startswith("Price: ") for part in parts):
        return _chosen(history, parts)
    if parts and parts[-1] == "Search":
        return _searched(history.task)
    return NO_ANSWER


def parts_of(observation: str) -> list[str]:
    """Return the parts of a page, without the marks of buttons."""
    return [text for part in _PARTS.split(observation) if (text := _plain(part))]


def _plain(part: str) -> str:
    """Return a part of a page without the marks of a button."""
    text = part.strip()
    match = _BUTTON.match(text)
    return match[2] if match else text


def query_of(task: str) -> str:
    """Return the words of a request that say something, its price limit left out.

    Examples:
        >>> query_of("Find me a bag of potato chips in a recyclable tin, as a sampler, for under $18.")
        'potato chips recyclable tin sampler'
    """
    words = _WORD.findall(_LIMIT.sub(" ", task.lower()))
    return " ".join(dict.fromkeys(word for word in words if word not in _SILENT))


def hits(parts: Sequence[str]) -> list[Hit]:
    """Return the entries of a page of results; what has no price, such as an advertisement, is none."""
    found = []
    for number, title, price in zip(parts, parts[1:], parts[2:], strict=False):
        if _NUMBER.fullmatch(number) and (match := _PRICE.match(price)):
            found.append(Hit(number, title, float(match[1].replace(",", ""))))
    return found


def _searched(task: str) -> Decision:
    query = query_of(task)
    return answer("I search for the words of the request.", f"search[{query}]") if query else NO_ANSWER


def _opened(task: str, found: Sequence[Hit], pick: Pick) -> Decision:
    if not found:
        return NO_ANSWER
    limit = price_limit(task)
    best = pick(task, found)
    words = [word for word in _WORD.findall(best.title.lower()) if word in set(query_of(task).split())]
    said = f"the title of {best.number} says {' '.join(dict.fromkeys(words))}" if words else f"{best.number} is left"
    if limit == float("inf"):
        cost = f"It costs ${best.price:.2f}."
    elif best.price <= limit:
        cost = f"${best.price:.2f} is within ${limit:g}."
    else:
        cost = f"All cost more than ${limit:g}." if min(h.price for h in found) > limit else f"${best.price:.2f}."
    return answer(f"Of what is listed, {said}. {cost}", f"click[{best.number}]")


def best_hit(task: str, found: Sequence[Hit]) -> Hit:
    """Return the hit within the limit whose title shares most words and pairs of words with the request."""
    limit, wanted = price_limit(task), wording(task)
    return max(found, key=lambda hit: (hit.price <= limit, len(wanted & wording(hit.title))))


def _chosen(history: History, parts: Sequence[str]) -> Decision:
    """Return the click on the first named value not clicked yet, in the order of the page; else the purchase."""
    values = _values(parts)
    named = set(named_values(history.task, values))
    wanted = [value for value in values if value in named]
    done = _done(history, parts, wanted)
    left = wanted[done:]
    if left:
        return answer(f"The request names {left[0]}, which is to be chosen here.", f"click[{left[0]}]")
    if wanted:
        return answer(f"Chosen: {', '.join(wanted)}. Nothing else is to be chosen.", "click[buy now]")
    return answer("The request names none of the choices here.", "click[buy now]")


def _values(parts: Sequence[str]) -> list[str]:
    """Return what an item page lists before its title, less the headings: the values of its options."""
    price = next(i for i, part in enumerate(parts) if part.startswith("Price: "))
    start = max((i for i, part in enumerate(parts[:price]) if part == "< Prev"), default=-1) + 1
    return [part for part in dict.fromkeys(parts[start : price - 1]) if part.lower() not in _HEADINGS]


def _done(history: History, parts: Sequence[str], wanted: Sequence[str]) -> int:
    """Return how many of the wanted values have been clicked: those up to the last click, as values go in order."""
    marked = {part.removeprefix("You have clicked ").rstrip(".") for part in parts if part.startswith("You have click")}
    listed = next((match[1] for part in parts if (match := _LISTED.search(part))), "")  # rich pages list the choices
    marked |= {choice.partition(" = ")[2] for choice in listed.split("; ")}
    if history.turns and (action := history.turns[-1].action) is not None:
        marked.add(action.removeprefix("click[").removesuffix("]"))
    return max((i + 1 for i, value in enumerate(wanted) if value in marked), default=0)
