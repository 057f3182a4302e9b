"""The words of the generated shop: product pages from drafts, and requests from wishes."""

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Literal, NamedTuple, TypedDict, get_args

from agentgen_bench.envs.webshop.clusters import Draft, Draws
from agentgen_bench.envs.webshop.vocabulary import BRANDS, SERIES, TYPES, Group, ProductType
from agentgen_bench.envs.webshop.vocabulary.kinds import attribute

Phrasing = Literal["varied", "plain"]
PHRASINGS: tuple[Phrasing, ...] = get_args(Phrasing)
DESCRIBED = 1  # attributes that a description repeats; the search engine reads descriptions, but one bullet only
TAIL_OPENINGS = (
    "made of ",
    "made with ",
    "filled with ",
    "in ",
    "with ",
    "for ",
)  # of the groups' phrases, in this order
IMAGE = "image not shown in text mode"
_A_BEFORE_VOWEL = re.compile(r"\b([Aa]) (?=[aeio])")
_AN_BEFORE_ONE = re.compile(r"\b([Aa])n (?=one\b)")


class Wishes(NamedTuple):
    """What a request asks for: (group, value) pairs, (option name, value, phrase) triples, whole dollars or None."""

    kind: ProductType
    attributes: tuple[tuple[Group, str], ...]
    options: tuple[tuple[str, str, str], ...]
    cap: int | None


class Template(NamedTuple):
    """A way to ask. Holes: {item}, {Item}, {name}, {musts}, {picks}, {options}; `price` has {cap}."""

    text: str
    price: str


SEEN = (
    Template("I am looking for {item}{options}{price}.", ", and it should cost less than ${cap}"),
    Template("Find me {item}{options}{price}.", ", for under ${cap}"),
    Template("I need {item}{options}{price}, please.", ", priced below ${cap}"),
    Template("Can you help me get {item}{options}{price}?", ", for less than {cap} dollars"),
    Template("I want to buy {item}{options}{price}.", ", and pay no more than ${cap}"),
    Template("Please show me {item}{options}{price}.", ", at a price under {cap} dollars"),
    Template("My sister asked me for {item}{options}{price}.", ". It has to stay under ${cap}"),
    Template("Get me {item}{options}{price}, would you?", ", below ${cap}"),
)
HELD_OUT = (
    Template("{price}What I am after is {item}{options}.", "I can spend ${cap} at the most. "),
    Template("{Item}{options}: that is what is missing from my cart.{price}", " Nothing above ${cap}."),
    Template("Shopping list: {name}. Must have: {musts}. Choose: {picks}.{price}", " Budget: ${cap}."),
    Template("Do your shelves hold {item}{options}?{price}", " My limit is ${cap}."),
)


def task(wishes: Wishes, phrasing: Phrasing, held_out: bool, draws: Draws) -> str:
    """Return the goal, a request, in words; `plain` is the form of the original's synthetic goals."""
    if phrasing == "plain":
        return _plain_request(wishes)
    template = draws.pick(HELD_OUT if held_out else SEEN)
    item = _item(wishes)
    options = "".join([f", {phrase.format(v=value)}" for _, value, phrase in wishes.options])
    price = "" if wishes.cap is None else template.price.format(cap=wishes.cap)
    text = template.text.format(
        item=item,
        Item=item[0].upper() + item[1:],
        name=wishes.kind.name,
        musts="; ".join([attribute(value) for _, value in wishes.attributes]) or "good quality",
        picks="; ".join([f"{name} {value}" for name, value, _ in wishes.options]) or "whatever is there",
        options=options,
        price=price,
    )
    return with_articles(text)


class OptionJson(TypedDict):
    """A value that a buyer may choose."""

    value: str


class ReviewJson(TypedDict):
    """A buyer's review."""

    title: str
    stars: int
    review: str


class ProductJson(TypedDict):
    """A product page in the schema of the original's items_shuffle.json, as far as it is used."""

    name: str
    full_description: str
    images: list[str]
    product_category: str
    average_rating: float
    small_description: list[str]
    customization_options: dict[str, list[OptionJson]]
    asin: str
    category: str
    query: str
    page: int
    pricing: str
    reviews: list[ReviewJson]
    title_nouns: list[str]


def raw_product(draft: Draft, asin: str, titled: Sequence[int], draws: Draws) -> ProductJson:
    """Return a product page for a draft as a record of the original's schema.

    `titled` are the groups that the title names; bullets name all groups, the description some.
    """
    department, kind = TYPES[draft.kind]
    brand, series = draws.pick(BRANDS), draws.pick(SERIES)
    chosen = [(group, group.values[value]) for group, value in zip(kind.groups, draft.values, strict=True)]
    sentences = [_sentence(draws.pick(group.sentences), value) for group, value in chosen]
    bullets = [f"{group.label}: {sentence} " for (group, _), sentence in zip(chosen, sentences, strict=True)]
    described = draws.sample(chosen, min(DESCRIBED, len(chosen)))
    description = [draws.pick(department.openings)]
    description += [_sentence(draws.pick(group.sentences), value) for group, value in described]
    description.append(draws.pick(department.closings))
    reviews = draws.sample(department.reviews, 2 + draws.below(2))
    return {
        "name": _title(kind, brand, series, [chosen[i] for i in titled]),
        "full_description": " ".join(description).replace("{name}", kind.prose_name),
        "images": [IMAGE],
        "product_category": kind.path,
        "average_rating": round(sum(stars for _, stars, _ in reviews) / len(reviews), 1),
        "small_description": [*draws.sample(bullets, len(bullets)), draws.pick(department.service)],
        "customization_options": {name: [{"value": value} for value in values] for name, values in draft.options},
        "asin": asin,
        "category": department.category,
        "query": kind.plural,
        "page": 1,
        "pricing": f"${draft.price:.2f}",
        "reviews": [
            {"title": title, "stars": stars, "review": body.replace("{name}", kind.prose_name)}
            for title, stars, body in reviews
        ],
        "title_nouns": [brand.lower(), *kind.name.split()],
    }


def attributes_of(draft: Draft) -> list[str]:
    """Return the attributes of a draft as its annotation lists them."""
    groups = TYPES[draft.kind][1].groups
    return [attribute(group.values[value]) for group, value in zip(groups, draft.values, strict=True)]


def with_articles(text: str) -> str:
    """Return the text with `an` where a vowel follows `a`.

    Examples:
        >>> with_articles("Comes in a opal jar.")
        'Comes in an opal jar.'
    """
    return _AN_BEFORE_ONE.sub(r"\1 ", _A_BEFORE_VOWEL.sub(r"\1n ", text))


def _phrase(group: Group, value: str) -> str:
    """Return the attribute as words after the noun: `with a pump bottle`."""
    return group.phrase.format(a=value)


def _item(wishes: Wishes) -> str:
    """Return the kind with what it must have: `a slim fit shirt with zip pockets and a crew neck for weddings`."""
    before = ", ".join([value for group, value in wishes.attributes if group.is_adjective])
    name = f"{before} {wishes.kind.name}" if before else wishes.kind.name
    article = "a" if wishes.kind.article == "an" else wishes.kind.article
    joined: dict[str, list[str]] = {opening: [] for opening in TAIL_OPENINGS}
    for group, value in wishes.attributes:
        if not group.is_adjective:
            phrase = _phrase(group, value)
            opening = next(opening for opening in TAIL_OPENINGS if phrase.startswith(opening))
            joined[opening].append(phrase.removeprefix(opening))
    tails = [f" {opening}{_listed(phrases)}" for opening, phrases in joined.items() if phrases]
    return with_articles(f"{article} {name}{''.join(tails)}")


def _listed(phrases: Sequence[str]) -> str:
    return " and ".join([part for part in (", ".join(phrases[:-1]), phrases[-1]) if part])


def _plain_request(wishes: Wishes) -> str:
    attributes = ", ".join([attribute(value) for _, value in wishes.attributes])
    options = ", and ".join([f"{name}: {value}" for name, value, _ in wishes.options])
    price = "" if wishes.cap is None else f", and price lower than {wishes.cap:.2f} dollars"
    return f"Find me {attributes} {wishes.kind.plural}{' with ' + options if options else ''}{price}"


def _title(kind: ProductType, brand: str, series: str, named: Sequence[tuple[Group, str]]) -> str:
    before = " ".join([value.title() for group, value in named if group.is_adjective])
    behind = ", ".join([_title_case(_phrase(group, value)) for group, value in named if not group.is_adjective])
    name = " ".join([part for part in (brand, series, before, kind.name.title()) if part])
    return f"{name} {behind}" if behind else name


@lru_cache(maxsize=4096)
def _title_case(phrase: str) -> str:
    small = {"a", "an", "the", "with", "for", "of", "in", "and"}
    return " ".join([word if word in small else word.capitalize() for word in with_articles(phrase).split()])


@lru_cache(maxsize=4096)
def _sentence(template: str, value: str) -> str:
    return with_articles(template.format(a=value))
