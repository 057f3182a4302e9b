"""A shop that sells the first places of its lists: what fits a request best stands further down, in one place."""

from typing import NamedTuple

from agentgen_bench.envs.webshop.product import Product
from agentgen_bench.envs.webshop.session import HITS_PER_PAGE, Shelves
from agentgen_bench.seeding import stream

UNSAID = "Some places of this list are paid for."


class PaidShelf(NamedTuple):
    """The shelves of a shop whose lists show the wanted product, wherever it is among the hits, in one place.

    The other hits keep their order around it. A search that does not find it shows what it finds.
    """

    shelves: Shelves
    target: int
    place: int  # counted from 1

    def product(self, number: int) -> Product:
        """Return the product of a document number."""
        return self.shelves.product(number)

    def search(self, query: str) -> tuple[int, ...]:
        """Return the hits as the shop lists them."""
        hits = self.shelves.search(query)
        if self.target not in hits:
            return hits
        others = [number for number in hits if number != self.target]
        return (*others[: self.place - 1], self.target, *others[self.place - 1 :])


def place_of(seed: int) -> int:
    """Return the place that a fact's seed decides, from 2 to the last of a page."""
    return int(stream("webshop", "shelf", seed).integers(2, HITS_PER_PAGE + 1))


def shelf_text(place: int) -> str:
    """Return in words where the wanted product stands.

    Examples:
        >>> shelf_text(4)
        'what fits a request best stands in place 4 of the list; the places before it are paid for'
    """
    return f"what fits a request best stands in place {place} of the list; the places before it are paid for"
