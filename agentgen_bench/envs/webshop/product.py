"""Products: the original's raw records read into one frozen form, and back and forth from a line of storage."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from decimal import Decimal, InvalidOperation
from functools import cached_property
from typing import Any, NamedTuple

from agentgen_bench.errors import DataError

NO_ATTRIBUTE = "DUMMY_ATTR"  # what the original gives a product without attributes; no goal asks for it
DEFAULT_PRICE = 100.0  # the original's price for a product that has none
MAX_ASIN_CHARS = 10
_NOT_A_PRICE = re.compile(r"[^\d.]")


class Review(NamedTuple):
    """A customer's review; `score` in stars, 1 to 5."""

    title: str
    score: float
    body: str


class Request(NamedTuple):
    """What somebody wrote for a product: the words, and the attributes and option values they ask for.

    `options` is None where the original makes a goal of every combination of the product's options.
    """

    text: str
    attributes: tuple[str, ...]
    options: tuple[str, ...] | None


@dataclass(frozen=True)
class Product:
    """One product as the shop shows it. `nouns` are its title's nouns where the catalogue carries them, else None."""

    asin: str
    category: str
    query: str
    product_category: str
    title: str
    description: str
    bullets: tuple[str, ...]
    prices: tuple[float, ...]  # dollars: none, one, or the two ends of a range
    options: tuple[tuple[str, tuple[str, ...]], ...]  # (name, values), as the page lists them
    attributes: tuple[str, ...]
    rating: str
    reviews: tuple[Review, ...]
    requests: tuple[Request, ...]
    nouns: tuple[str, ...] | None

    @cached_property
    def link(self) -> str:
        """The asin as it is clicked: in lower case."""
        return self.asin.lower()

    @cached_property
    def option_values(self) -> tuple[str, ...]:
        """All option values in page order, a value under two names once."""
        return tuple(dict.fromkeys(value for _, values in self.options for value in values))

    @cached_property
    def price_tag(self) -> str:
        """The price as printed: `$9.99` or `$9.99 to $12.5`."""
        first, *rest = self.prices or (DEFAULT_PRICE,)
        return f"${first} to ${rest[0]}" if rest else f"${first}"

    @property
    def indexed_text(self) -> str:
        """What the search engine sees: title, description, first bullet and options, in lower case."""
        options = ", and ".join([f"{name}: {', '.join(values)}" for name, values in self.options])
        return " ".join([self.title, self.description, self.bullets[0] if self.bullets else "", options]).lower()


def parsed_product(
    raw: Mapping[str, Any], annotation: Mapping[str, Any] | None, human: Sequence[Mapping[str, Any]], file: str
) -> Product:
    """Return the product of a raw record, its entry in items_ins_v2 (None: it has none) and its human instructions.

    Raises:
        DataError: a key is missing or holds something else than it should; names file, asin and key.
    """
    record = _Record(raw, file)
    price = record.raw.get("pricing")
    return Product(
        asin=record.text("asin"),
        category=record.text("category"),
        query=record.text("query").lower().strip(),
        product_category=record.text("product_category"),
        title=record.text("name"),
        description=record.text("full_description"),
        bullets=_bullets(record),
        prices=_prices(price, record) if price else (),
        options=_options(record),
        attributes=tuple((annotation or {}).get("attributes", (NO_ATTRIBUTE,))),
        rating=str(raw["average_rating"]) if raw.get("reviews") else "N.A.",
        reviews=tuple(_review(review, record) for review in raw.get("reviews") or ()),
        requests=tuple(_requests(annotation or {}, human)),
        nouns=tuple(raw["title_nouns"]) if "title_nouns" in raw else None,
    )


def encoded(product: Product) -> bytes:
    """Return the product as one line of JSON, without the line's end."""
    values = [getattr(product, field.name) for field in fields(product)]
    return json.dumps(values, ensure_ascii=False, separators=(",", ":")).encode()


def decoded(line: bytes) -> Product:
    """Return the product written by `encoded`."""
    asin, category, query, path, title, description, bullets, prices, options, attributes, *rest = json.loads(line)
    rating, reviews, requests, nouns = rest
    return Product(
        asin,
        category,
        query,
        path,
        title,
        description,
        tuple(bullets),
        tuple(prices),
        tuple((name, tuple(values)) for name, values in options),
        tuple(attributes),
        rating,
        tuple(Review(*review) for review in reviews),
        tuple(Request(text, tuple(a), None if o is None else tuple(o)) for text, a, o in requests),
        None if nouns is None else tuple(nouns),
    )


class _Record(NamedTuple):
    """A raw record and where it was read, for messages."""

    raw: Mapping[str, Any]
    file: str

    def text(self, key: str) -> str:
        """Return the string at `key`, "" where it is null."""
        value = self.raw.get(key, self)
        if value is not None and not isinstance(value, str):
            got = "nothing" if value is self else f"{value!r:.80}"
            raise self.error(key, f"expected a string, got {got}")
        return value or ""

    def error(self, key: str, problem: str) -> DataError:
        """Return the error to raise about a key."""
        return DataError(f"{self.file}, product {self.raw.get('asin', '?')!r}, key {key!r}: {problem}")


def _bullets(record: _Record) -> tuple[str, ...]:
    found = record.raw.get("small_description", "")
    if isinstance(found, str):
        return (found,)
    if not isinstance(found, list) or not all(isinstance(bullet, str) for bullet in found):
        raise record.error("small_description", f"expected a string or a list of strings, got {found!r:.80}")
    return tuple(found)


def _prices(price: Any, record: _Record) -> tuple[float, ...]:
    """Return the first two dollar amounts of a price such as `$10.52 - $40.5`."""
    try:
        return tuple(float(Decimal(_NOT_A_PRICE.sub("", amount))) for amount in price.split("$")[1:])[:2]
    except (AttributeError, InvalidOperation):
        raise record.error("pricing", f"expected a price such as '$9.99', got {price!r:.80}") from None


def _options(record: _Record) -> tuple[tuple[str, tuple[str, ...]], ...]:
    found = record.raw.get("customization_options")
    if not found:
        return ()
    try:
        options = {
            name.lower(): tuple(entry["value"].strip().replace("/", " | ").lower() for entry in entries)
            for name, entries in found.items()
            if entries is not None
        }
    except (AttributeError, KeyError, TypeError):
        problem = f"expected a mapping from names to lists of entries with a 'value', got {found!r:.80}"
        raise record.error("customization_options", problem) from None
    return tuple(options.items())


def _review(review: Any, record: _Record) -> Review:
    try:
        return Review(str(review["title"]), float(review["stars"]), str(review["review"]))
    except (KeyError, TypeError, ValueError):
        raise record.error("reviews", f"expected title, stars and review, got {review!r:.80}") from None


def _requests(annotation: Mapping[str, Any], human: Sequence[Mapping[str, Any]]) -> list[Request]:
    requests = []
    if annotation.get("instruction") is not None and annotation.get("instruction_attributes"):
        requests.append(Request(annotation["instruction"], tuple(annotation["instruction_attributes"]), None))
    for entry in human:
        if entry["instruction_attributes"]:
            options = tuple(entry["instruction_options"])
            requests.append(Request(entry["instruction"].strip("."), tuple(entry["instruction_attributes"]), options))
    return requests
