"""What a product type is made of: groups of attributes that exclude each other, and options to choose on its page."""

from typing import NamedTuple


def attribute(value: str) -> str:
    """Return the attribute as products list it: the value of a group without its article.

    Examples:
        >>> attribute("a physical dial"), attribute("deep bass")
        ('physical dial', 'deep bass')
    """
    return value.removeprefix("an ").removeprefix("a ")


class Group(NamedTuple):
    """Attributes of which a product has one. `phrase` puts one into a sentence: `{a}` goes before the noun."""

    label: str
    phrase: str
    values: tuple[str, ...]
    sentences: tuple[str, ...]  # each with {a}; what a shop says about it; {a} keeps the value's own article

    @property
    def is_adjective(self) -> bool:
        """Whether the attribute stands before the noun."""
        return self.phrase == "{a}"


class Option(NamedTuple):
    """A choice on the product page. `phrase` puts a value into a request, with {v}."""

    name: str
    phrase: str
    values: tuple[str, ...]


class ProductType(NamedTuple):
    """A kind of product. `article` goes before its name; prices in dollars; held-out types appear in ood_types only."""

    name: str
    plural: str
    article: str
    path: str
    prices: tuple[int, int]
    groups: tuple[Group, ...]
    options: tuple[Option, ...]
    held_out: bool = False

    @property
    def prose_name(self) -> str:
        """The name in running text, as a singular: `pair of headphones`."""
        return f"{self.article.removeprefix('a ')} {self.name}" if self.article.endswith(" of") else self.name

    @property
    def attributes(self) -> tuple[str, ...]:
        """All attributes a product of the type can have."""
        return tuple(attribute(value) for group in self.groups for value in group.values)


class Department(NamedTuple):
    """One of the five categories: its types, and what its shop texts say apart from attributes, with {name}."""

    category: str
    types: tuple[ProductType, ...]
    openings: tuple[str, ...]
    closings: tuple[str, ...]
    service: tuple[str, ...]  # bullets that say nothing about attributes
    reviews: tuple[tuple[str, int, str], ...]  # title, stars, body
