"""Given goals: a file of goals in the original's form, over the products of a data folder."""

from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

from agentgen_bench.envs.webshop.catalogue import Catalogue
from agentgen_bench.envs.webshop.clusters import NO_CAP
from agentgen_bench.envs.webshop.levels import Level, level_of
from agentgen_bench.envs.webshop.nouns import noun_finder
from agentgen_bench.envs.webshop.oracle import choices
from agentgen_bench.envs.webshop.product import Record
from agentgen_bench.envs.webshop.rawdata import json_elements
from agentgen_bench.envs.webshop.shop import Shop
from agentgen_bench.errors import DataError
from agentgen_bench.homes import expanded


def given_levels(path: str, shop: Shop, nouns: str) -> tuple[Level, ...]:
    """Return the levels of a JSON array of goals, in its order, each with the keys of the original's goals.

    `asin` names the target, `instruction_text` is the request as it is shown, `attributes` a list of strings,
    `goal_options` a mapping from option names to values, or a list of values where a person wrote them; `price_upper`,
    in dollars, may be left out where there is no limit. Whatever else the original keeps in a goal follows from the
    product, and is passed over.

    Raises:
        DataError: the file is no such array, a goal is malformed, asks for a product that the shop lacks, or cannot be
            met by buying its target; names file, goal and key.
    """
    file = expanded(path, DataError)
    finder, numbers = noun_finder(nouns), _numbers(shop.catalogue)
    levels: list[Level] = []
    for goal in _goals(file):
        if goal.asin not in numbers:
            raise goal.error("asin", f"the shop has no such product among its {len(numbers)}")
        target = numbers[goal.asin]
        text, attributes = goal.text("instruction_text"), goal.texts("attributes")
        level = level_of(shop, target, text, attributes, _options(goal), _limit(goal), finder)
        if choices(shop.catalogue.product(target), level.goal) is None:
            raise goal.error("asin", "the product lacks an attribute or option asked for; no purchase meets this goal")
        levels.append(level)
    if not levels:
        raise DataError(f"{file} holds no goal; expected a JSON array of at least one")
    return tuple(levels)


def _goals(file: Path) -> Iterator[Record]:
    for place, raw in enumerate(json_elements(file)):
        if not isinstance(raw, dict) or not isinstance(raw.get("asin"), str):
            raise DataError(f"{file}, goal {place}: expected a goal with the key 'asin', got {raw!r:.80}")
        yield Record(raw, f"{file}, goal {place}", raw["asin"])


@lru_cache(maxsize=2)
def _numbers(catalogue: Catalogue) -> dict[str, int]:
    """Return the document number of each asin: one pass over the catalogue, some 30 microseconds a product."""
    return {catalogue.product(number).asin: number for number in range(len(catalogue))}


def _options(goal: Record) -> tuple[tuple[str, str], ...]:
    found: Any = goal.raw.get("goal_options", {})
    if isinstance(found, list):
        return tuple(("", value) for value in goal.texts("goal_options"))
    if not isinstance(found, dict) or not all(isinstance(value, str) for value in found.values()):
        raise goal.error("goal_options", f"expected a mapping of names to values, or a list, got {found!r:.80}")
    texts = [(goal.writable("goal_options", name), goal.writable("goal_options", found[name])) for name in found]
    return tuple(texts)


def _limit(goal: Record) -> float:
    found = goal.raw.get("price_upper", NO_CAP)
    if isinstance(found, bool) or not isinstance(found, int | float) or not 0 < found <= NO_CAP:
        raise goal.error("price_upper", f"expected dollars above 0 and up to {NO_CAP:g}, got {found!r:.80}")
    return float(found)
