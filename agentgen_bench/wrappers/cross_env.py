"""Distractors that show a glimpse of another family's state: `A monitor shows a page of a web shop: ...`."""

from collections.abc import Sequence
from functools import cache

from agentgen_bench.families import family
from agentgen_bench.text import Section
from agentgen_bench.wrappers.banks import bank, glimpses
from agentgen_bench.wrappers.contextual import Draws, Style, Words
from agentgen_bench.wrappers.insertion import Piece, edge, on_own_lines

SHOWN = ("Sokoban", "WebShop", "ALFWorld", "SciWorld")  # frozen: another family here would change every glimpse


def n_glimpses(volume: int) -> int:
    """Return the number of glimpses in a state, of each family: one per 100 of volume, at least one."""
    return max(1, volume // 100)


@cache
def style(family_name: str) -> Style:
    """Return how glimpses of the other families are put into the states of a family."""
    shown = [
        (family(other).medium or "", glimpse) for other in SHOWN if other != family_name for glimpse in glimpses(other)
    ]
    leads = bank("leads")

    def write(sections: Sequence[Section], volume: int, words: Words, draws: Draws) -> list[Piece]:
        count = n_glimpses(volume)
        pieces: list[Piece] = []
        by_glimpse, by_lead = words.orders
        for j, (where, _, _) in enumerate(draws.rows[:count], draws.step * count):
            medium, glimpse = shown[by_glimpse.at(j)]
            lead = leads[by_lead.at(j)].replace("{medium}", medium)
            spot = edge(sections, where)
            pieces.append((spot, on_own_lines(sections, spot, f"{lead} {glimpse}")))
        return pieces

    return Style(n_glimpses, lambda _: (len(shown), len(leads)), write)
