"""Levels: the goal that a seed draws from a shop, in words and as the reward reads it."""

import hashlib
import json
from typing import NamedTuple

import numpy as np

from agentgen_bench.envs.webshop.clusters import NO_CAP, Draws
from agentgen_bench.envs.webshop.nouns import NounFinder
from agentgen_bench.envs.webshop.oracle import choices
from agentgen_bench.envs.webshop.product import DEFAULT_PRICE, Product
from agentgen_bench.envs.webshop.reward import Goal
from agentgen_bench.envs.webshop.shop import Shop
from agentgen_bench.envs.webshop.text import task
from agentgen_bench.envs.webshop.vocabulary import TYPES
from agentgen_bench.envs.webshop.vocabulary.kinds import attribute
from agentgen_bench.envs.webshop.wording import Phrasing, Wishes
from agentgen_bench.errors import DataError
from agentgen_bench.seeding import stream

CAP_STEPS = [10.0 * i for i in range(1, 100)]  # dollars: the limits the original draws from
NEXT_CAPS = 4
TRIES = 1000
LEVEL_DRAWS = 16  # draws that a generated level takes at most, with room


class Level(NamedTuple):
    """A goal and where its target lies."""

    goal: Goal
    target: int  # document number
    level_id: str


def generated_level(
    shop: Shop, seed: int, phrasing: Phrasing, held_out: bool, nouns: NounFinder, paraphrase: int = 0
) -> Level:
    """Return level `seed` of a generated shop: a cluster, option values and a limit it allows, and words.

    `held_out` changes the words only: level n of ood_phrasing asks for what level n of test asks for. So does
    `paraphrase` (0: none), and leaves the level's id as it is.
    """
    draws = Draws(stream("webshop", "level", *shop.key, seed), LEVEL_DRAWS)
    cluster = draws.pick(shop.clusters)
    kind = TYPES[cluster.kind][1]
    picked = [(name, draws.pick(values)) for name, values in cluster.options]
    cap = cluster.caps[0] + draws.below(cluster.caps[1] - cluster.caps[0] + 1) if cluster.caps[1] else None
    wished = [(kind.groups[group], kind.groups[group].values[value]) for group, value in cluster.attributes]
    phrases = {option.name: option.phrase for option in kind.options}
    wishes = Wishes(kind, tuple(wished), tuple((name, value, phrases[name]) for name, value in picked), cap)
    attributes = tuple(attribute(value) for _, value in wished)
    instruction = task(wishes, phrasing, held_out, draws)
    level = level_of(shop, cluster.target, instruction, attributes, tuple(picked), cap or NO_CAP, nouns)
    if not paraphrase:
        return level
    others = Draws(stream("webshop", "paraphrase", paraphrase, level.level_id), LEVEL_DRAWS)
    return level._replace(goal=level.goal._replace(instruction=task(wishes, "varied", held_out, others)))


def official_level(shop: Shop, seed: int, split: str, human: bool, nouns: NounFinder) -> Level:
    """Return level `seed` of the original's goals on the user's data, drawn by the original's weights.

    Goals that no purchase can meet are drawn again.

    Raises:
        DataError: the split holds no goal that can be met.
    """
    table = shop.requests
    if table is None:
        raise DataError("a generated shop holds no requests; give the original's data with data=<folder>")
    rows = table.rows(split, human)
    if not len(rows):
        what = "items_human_ins.json with" if human != (split == "ood_phrasing") else "items with"
        raise DataError(f"the data holds no goals for split {split!r}; it needs {what} more requests")
    ends = np.cumsum(table.weights[rows])
    draws = stream("webshop", "paper", split, str(human), seed)
    for _ in range(TRIES):
        row = int(rows[min(int(np.searchsorted(ends, draws.random() * ends[-1])), len(rows) - 1)])
        found = _data_goal(shop, table.products[row], table.numbers[row], draws, nouns)
        if found is not None:
            return found
    raise DataError(f"none of {TRIES} goals drawn for split {split!r} can be met; are the two data files of one set?")


def drawn_price(product: Product) -> float:
    """Return what the product costs: its price, or one drawn within its range from the asin."""
    low, *high = product.prices or (DEFAULT_PRICE,)
    if not high:
        return low
    return low + (high[0] - low) * float(stream("webshop", "price", product.asin).random())  # some ranges run downwards


def _data_goal(shop: Shop, number: int, place: int, draws: np.random.Generator, nouns: NounFinder) -> Level | None:
    product = shop.catalogue.product(int(number))
    asked = product.requests[place]
    if asked.options is None:
        options = tuple(
            (name, values[draws.integers(len(values))]) for name, values in sorted(product.options) if values
        )
        picks = ", and ".join([f"{name}: {value}" for name, value in options])
        text = f"{asked.text}{' with ' + picks if picks else ''}"
    else:
        options, text = tuple(("", value) for value in asked.options), asked.text
    steps = [cap for cap in CAP_STEPS if cap > drawn_price(product)][:NEXT_CAPS]
    cap = NO_CAP
    if len(steps) >= 2:
        cap = max(draws.choice(steps, size=2, replace=False).tolist())
        text = f"{text}, and price lower than {cap:.2f} dollars"
    level = level_of(shop, int(number), text, asked.attributes, options, cap, nouns)
    return None if choices(product, level.goal) is None else level


def level_of(
    shop: Shop,
    target: int,
    text: str,
    attributes: tuple[str, ...],
    options: tuple[tuple[str, str], ...],
    cap: float,
    nouns: NounFinder,
) -> Level:
    """Return the level that asks in the words `text` for document `target` with these wishes; `cap` in dollars."""
    product = shop.catalogue.product(target)
    goal = Goal(
        text,
        product.asin,
        product.title,
        product.query,
        product.product_category,
        attributes,
        options,
        cap,
        tuple(nouns(product)),
    )
    content = json.dumps(goal).encode() + shop.catalogue.line(target)
    return Level(goal, target, f"webshop:{hashlib.sha256(content).hexdigest()[:16]}")
