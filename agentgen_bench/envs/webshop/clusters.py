"""Families: one wanted product and its near-duplicates, each of which breaks exactly one of the wishes.

A cluster is drawn as values first (which attribute, which option values, which price), without any text. Its content
class, a hash of type, attributes and wishes, decides the split it belongs to, so splits never share a product.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple, TypeVar

import numpy as np

from agentgen_bench.envs.webshop.settings import LevelSettings, PriceKnob
from agentgen_bench.envs.webshop.vocabulary import TYPES, ProductType
from agentgen_bench.seeding import key_digest

NO_CAP = 1_000_000.0  # dollars: what the original takes for "no limit"
ALLOWED_VALUES = 2  # option values of the target that a level may ask for, out of those a near-duplicate lacks
SPLIT_SHARES = {"train": (0.0, 0.6), "valid": (0.6, 0.75), "test": (0.75, 1.0), "ood_types": (0.0, 1.0)}

T = TypeVar("T")


class Draft(NamedTuple):
    """A product before it has words: one value per group of its type, the option values it offers, its price."""

    kind: int  # index into TYPES
    values: tuple[int, ...]  # per group, an index into the group's values
    options: tuple[tuple[str, tuple[str, ...]], ...]
    price: float


class Cluster(NamedTuple):
    """A target, its near-duplicates, and the wishes: groups and options asked for, and the range of price limits."""

    target: Draft
    rivals: tuple[Draft, ...]
    broken: tuple[str, ...]  # per rival, the wish it breaks: "group <i>", "option <name>" or "price"
    wished_groups: tuple[int, ...]
    wished_options: tuple[tuple[str, tuple[str, ...]], ...]  # (name, values a level may ask for)
    caps: tuple[int, int]  # whole dollars, both ends included; (0, 0) without a limit


class Draws:
    """Cheap draws from one generator, taken in batches: numpy's calls cost more than what they decide here."""

    def __init__(self, generator: np.random.Generator, batch: int = 4096) -> None:
        """Take over the generator; `batch` draws are taken at a time."""
        self._generator, self._batch = generator, batch
        self._waiting: list[int] = []

    def below(self, n: int) -> int:
        """Return an integer in [0, n); n far below 2**32, so that the modulus leaves no visible bias."""
        if not self._waiting:
            self._waiting = self._generator.integers(0, 1 << 32, size=self._batch).tolist()
        return self._waiting.pop() % n

    def share(self) -> float:
        """Return a number in [0, 1)."""
        return self.below(1 << 24) / (1 << 24)

    def between(self, low: float, high: float) -> float:
        """Return a number in [low, high)."""
        return low + (high - low) * self.share()

    def pick(self, choices: Sequence[T]) -> T:
        """Return one of the choices."""
        return choices[self.below(len(choices))]

    def sample(self, choices: Sequence[T], n: int) -> list[T]:
        """Return `n` different choices, in random order."""
        left = list(choices)
        return [left.pop(self.below(len(left))) for _ in range(n)]


def drawn_cluster(settings: LevelSettings, split: str, kinds: Sequence[int], draws: Draws) -> Cluster:
    """Return a cluster whose content class belongs to the split."""
    low, high = SPLIT_SHARES[split]
    while True:
        kind = draws.pick(kinds)
        groups = TYPES[kind][1].groups
        values = tuple(draws.below(len(group.values)) for group in groups)
        wished = tuple(sorted(draws.sample(range(len(groups)), min(settings.n_attributes, len(groups)))))
        place = int.from_bytes(key_digest("webshop-family", kind_name(kind), *values, "wishes", *wished)[:4]) / 2**32
        if low <= place < high:
            return _completed(settings, kind, values, wished, draws)


def drawn_stray(kinds: Sequence[int], draws: Draws) -> Draft:
    """Return a product that belongs to no cluster, to fill the shelves."""
    kind = draws.pick(kinds)
    product_type = TYPES[kind][1]
    values = tuple(draws.below(len(group.values)) for group in product_type.groups)
    options = _offered(product_type, dict.fromkeys(_shown_options(product_type, (), draws), ()), draws)
    return Draft(kind, values, options, _priced(draws.between(*product_type.prices)))


def kind_name(kind: int) -> str:
    """Return the name of a type's index."""
    return TYPES[kind][1].name


def _completed(
    settings: LevelSettings, kind: int, values: tuple[int, ...], wished: tuple[int, ...], draws: Draws
) -> Cluster:
    product_type = TYPES[kind][1]
    names = [option.name for option in product_type.options]
    wished_names = sorted(draws.sample(names, min(settings.n_options, len(names))), key=names.index)
    allowed = {
        option.name: tuple(draws.sample(option.values, min(ALLOWED_VALUES, len(option.values) - 1)))
        for option in product_type.options
        if option.name in wished_names
    }
    shown = dict.fromkeys(_shown_options(product_type, wished_names, draws), ()) | allowed
    price = _priced(draws.between(*product_type.prices))
    caps = _caps(settings.price, price, draws)
    target = Draft(kind, values, _offered(product_type, shown, draws), price)
    wishes = [f"group {i}" for i in wished] + [f"option {name}" for name in wished_names]
    wishes = draws.sample(wishes + (["price"] if caps != (0, 0) else []), len(wishes) + (caps != (0, 0)))
    broken = tuple(wishes[i % len(wishes)] for i in range(settings.n_confusables if wishes else 0))
    rivals = tuple(_rival(target, wished, allowed, shown, caps, wish, draws) for wish in broken)
    return Cluster(target, rivals, broken, wished, tuple(allowed.items()), caps)


def _rival(
    target: Draft,
    wished: tuple[int, ...],
    allowed: dict[str, tuple[str, ...]],
    shown: dict[str, tuple[str, ...]],
    caps: tuple[int, int],
    broken: str,
    draws: Draws,
) -> Draft:
    """Return a near-duplicate that keeps every wish but `broken`; what nobody asked for is drawn anew."""
    product_type = TYPES[target.kind][1]
    values = [
        v if i in wished else draws.below(len(product_type.groups[i].values)) for i, v in enumerate(target.values)
    ]
    if broken.startswith("group "):
        group = int(broken.removeprefix("group "))
        n_values = len(product_type.groups[group].values)
        values[group] = (values[group] + 1 + draws.below(n_values - 1)) % n_values
    missing = allowed.get(broken.removeprefix("option "), ())
    options = _offered(product_type, shown, draws, missing)
    if broken == "price":
        price = _priced(caps[1] * draws.between(1.06, 1.5) + 1)
    else:
        price = _priced(target.price * draws.between(0.75, 1.0), at_most=target.price)
    return Draft(target.kind, tuple(values), options, price)


def _shown_options(product_type: ProductType, wished: Sequence[str], draws: Draws) -> list[str]:
    """Return the names of the options on the page: those wished for and, now and then, others."""
    return [option.name for option in product_type.options if option.name in wished or draws.share() < 0.4]


def _offered(
    product_type: ProductType, required: dict[str, tuple[str, ...]], draws: Draws, missing: Sequence[str] = ()
) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Return the options with the required values and some others, without those that are `missing`."""
    offered = []
    for option in product_type.options:
        if option.name in required:
            wanted = required[option.name]
            kept = [v for v in option.values if v not in missing and (v in wanted or draws.share() < 0.7)]
            spare = [v for v in option.values if v not in missing and v not in wanted]
            offered.append((option.name, tuple(kept or [draws.pick(spare)])))
    return tuple(offered)


def _caps(price_knob: PriceKnob, price: float, draws: Draws) -> tuple[int, int]:
    if price_knob == "none":
        return (0, 0)
    low, high = (1.15, 1.45) if price_knob == "loose" else (1.0, 1.08)
    first = math.ceil(price * low) + 1
    return first, max(first, math.ceil(price * high) + 1)


def _priced(amount: float, at_most: float = math.inf) -> float:
    """Return a price that ends in .99 or .49, as shops like it, not above `at_most`."""
    found = math.floor(amount) + (0.99 if math.floor(amount * 10) % 3 else 0.49)
    return max(min(found, at_most), 0.99)
