"""A WebShop shopper that learns where a shop lists what fits: whether a task was solved says if the place was right.

It is the reader in everything else. What it found out goes into its note: the place, or places where it was not. With
the fact told it reads that instead.
"""

import re
from collections.abc import Sequence
from typing import NamedTuple

from agentgen_bench.envs.webshop.shelf import UNSAID, shelf_text
from agentgen_bench.policies.base import Decision, Description
from agentgen_bench.policies.demonstrators import NO_ANSWER
from agentgen_bench.policies.pack_frames import frame_of
from agentgen_bench.policies.webshop_reader import Hit, best_hit, decided, hits, parts_of
from agentgen_bench.prompts import History

_PLACE = re.compile(r"stands in place (\d+)")
_NOT = re.compile(r"not in place ((?:\d+, )*\d+)")
_SOLVED = "is over: it was solved"


class WebShopRegular:
    """Opens what stands where its note says; else the best of the titles, where it was not found to be wrong."""

    name = "webshop-regular"

    def act(self, histories: Sequence[History]) -> list[Decision]:
        """Return one decision per history, from its observations alone."""
        return [_decide(history) for history in histories]

    def describe(self) -> Description:
        """Return the kind."""
        return {"kind": self.name}


class Known(NamedTuple):
    """What is known of a shop: the place, or those that it is not."""

    place: int | None
    wrong: tuple[int, ...]


def _decide(history: History) -> Decision:
    if history.family != "WebShop":
        return NO_ANSWER
    frame = frame_of(history)
    known = _read(frame.known)
    if frame.is_writing:
        return frame.written(_written(_updated(known, frame.alone)))
    is_odd = UNSAID in frame.alone.observation
    return decided(frame.alone, lambda task, found: _picked(task, found, known if is_odd else Known(None, ())))


def _read(text: str) -> Known:
    place, wrong = _PLACE.search(text), _NOT.search(text)
    return Known(int(place[1]) if place else None, tuple(map(int, wrong[1].split(", "))) if wrong else ())


def _written(known: Known) -> str:
    if known.place is not None:
        return shelf_text(known.place)
    return f"what fits a request best stands not in place {', '.join(map(str, known.wrong))}" if known.wrong else ""


def _picked(task: str, found: Sequence[Hit], known: Known) -> Hit:
    if known.place is not None and known.place <= len(found):
        return found[known.place - 1]
    left = [hit for place, hit in enumerate(found, 1) if place not in known.wrong]
    return best_hit(task, left or found)


def _updated(known: Known, alone: History) -> Known:
    """Return what is known after a task: the place of what was bought is right where that solved the task, else not."""
    bought = None
    for turn in alone.turns:
        numbers = [hit.number for hit in hits(parts_of(turn.observation))]
        link = (turn.action or "").removeprefix("click[").removesuffix("]").upper()
        if UNSAID in turn.observation and link in numbers:
            bought = numbers.index(link) + 1
    if bought is None:
        return known
    if _SOLVED in alone.observation:
        return Known(bought, ())
    return Known(known.place if known.place != bought else None, tuple(sorted({*known.wrong, bought})))
