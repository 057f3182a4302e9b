"""Which words of a title are its nouns: read from the catalogue, by rules, or by a spaCy model the user has."""

import re
from collections.abc import Callable, Sequence
from functools import lru_cache

from agentgen_bench.envs.webshop.product import Product
from agentgen_bench.errors import DataError, MissingDependencyError, SpecError

NounFinder = Callable[[Product], Sequence[str]]
NOUN_TAGS = ("NOUN", "PROPN")
_LETTERS = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*")
_NO_NOUNS = frozenset(
    "a about above after all an and any are around as at be been before behind below between both but by can could do "
    "does each easy every extra few for free from great has have he her high his how i if in into is it its just large "
    "less long low made make makes many may more most much my natural near new no non not now of off old on one only "
    "onto or other our out over own per perfect really safe same she short small so some soft such than that the their "
    "them then there these they this those three through to too top two under until up use used using very was we well "
    "were what when where which while who whose why will with without would you your ultra multi super mini "
    "adjustable portable suitable compatible available waterproof wireless organic black white blue red green pink "
    "purple yellow orange grey gray brown beige".split()
)
_NOT_NOUN_ENDINGS = ("able", "ible", "ful", "less", "ous", "ly")


def noun_finder(strategy: str) -> NounFinder:
    """Return the finder of a strategy: `catalog`, `rules` or `spacy:<model>`.

    Raises:
        SpecError: there is no such strategy.
        MissingDependencyError: spaCy or the model is not installed.
    """
    if strategy == "catalog":
        return _from_catalogue
    if strategy == "rules":
        return _by_rules
    if isinstance(strategy, str) and strategy.startswith("spacy:"):
        return _by_spacy(strategy.removeprefix("spacy:"))
    raise SpecError(f"unknown nouns {strategy!r}; choose one of: catalog, rules, spacy:<model>")


def title_nouns(title: str) -> list[str]:
    """Return the nouns of a title by rules, in order, lower-cased, repetitions kept.

    Titles are strings of nouns and names, so every word counts but function words, common adjectives and colours.

    Examples:
        >>> title_nouns("Adjustable Desk Lamp with USB Port, Black")
        ['desk', 'lamp', 'usb', 'port']
    """
    found = [word.lower() for word in _LETTERS.findall(title)]
    return [word for word in found if word not in _NO_NOUNS and not word.endswith(_NOT_NOUN_ENDINGS) and len(word) > 1]


def _from_catalogue(product: Product) -> Sequence[str]:
    if product.nouns is None:
        raise DataError(f"product {product.asin!r} carries no nouns of its title; set nouns='rules'")
    return product.nouns


def _by_rules(product: Product) -> Sequence[str]:
    return title_nouns(product.title)


@lru_cache(maxsize=4)
def _by_spacy(model: str) -> NounFinder:
    try:
        import spacy  # type: ignore[import-not-found,unused-ignore]

        tagger = spacy.load(model)
    except (ImportError, OSError) as error:
        raise MissingDependencyError(
            f"nouns='spacy:{model}' needs spaCy and the model ({error}); run: pip install spacy && "
            f"python -m spacy download {model}"
        ) from None

    @lru_cache(maxsize=65_536)
    def found(title: str) -> tuple[str, ...]:
        return tuple(token.text.lower() for token in tagger(title) if token.pos_ in NOUN_TAGS)

    return lambda product: found(product.title)
