"""The embedded catalogue: clusters and fillers drawn from a seed, written in the original's raw schema.

The same loader reads these records and the original's files.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple, TypedDict

import numpy as np

from agentgen_bench.envs.webshop.cache import Arrays
from agentgen_bench.envs.webshop.catalogue import catalogue_arrays
from agentgen_bench.envs.webshop.clusters import (
    Cluster,
    Draft,
    Draws,
    drawn_cluster,
    drawn_stray,
)
from agentgen_bench.envs.webshop.product import Product, Record, parsed_product
from agentgen_bench.envs.webshop.settings import LevelSettings
from agentgen_bench.envs.webshop.vocabulary import TYPES
from agentgen_bench.envs.webshop.wording import ProductJson, attributes_of, raw_product
from agentgen_bench.seeding import stream

ASIN_LETTERS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
TITLED_SHARE = 0.5  # chance that a cluster's titles name a group


class Placed(NamedTuple):
    """A cluster's goal side and where its products lie."""

    kind: int
    target: int  # document number
    rivals: tuple[int, ...]
    broken: tuple[str, ...]
    attributes: tuple[tuple[int, int], ...]  # (group, value) asked for
    options: tuple[tuple[str, tuple[str, ...]], ...]  # (name, values a level may ask for)
    caps: tuple[int, int]


class GeneratedSource(NamedTuple):
    """What decides a generated catalogue: `split` is train, valid, test or ood_types."""

    split: str
    settings: LevelSettings
    n_products: int

    @property
    def key(self) -> str:
        """What names the random stream of the levels: frozen in these words, whatever the code calls things now."""
        s = self.settings
        shape = f"n_attributes={s.n_attributes!r}, n_options={s.n_options!r}, n_confusables={s.n_confusables!r}"
        return (
            f"GeneratedSource(split={self.split!r}, shape=Shape({shape}, price={s.price!r}), "
            f"n_products={self.n_products!r})"
        )

    def kinds(self) -> list[int]:
        """Return the types of the split: the held-out ones for ood_types, all others elsewhere."""
        return [i for i, (_, kind) in enumerate(TYPES) if kind.held_out == (self.split == "ood_types")]


def generated_arrays(source: GeneratedSource, folder: Path | None) -> Arrays:
    """Return the catalogue's arrays and its clusters."""
    clusters: list[Placed] = []
    arrays = catalogue_arrays(generated_products(source, clusters), folder)
    return {**arrays, "families": np.frombuffer(json.dumps(clusters).encode(), np.uint8)}


def placed_clusters(arrays: Arrays) -> tuple[Placed, ...]:
    """Return the clusters written by `generated_arrays`."""
    return tuple(
        Placed(
            kind,
            target,
            tuple(rivals),
            tuple(broken),
            tuple((g, v) for g, v in attributes),
            tuple((name, tuple(values)) for name, values in options),
            (caps[0], caps[1]),
        )
        for kind, target, rivals, broken, attributes, options, caps in json.loads(arrays["families"].tobytes())
    )


def generated_products(source: GeneratedSource, clusters: list[Placed]) -> Iterator[Product]:
    """Yield the products in order of document number, and append the clusters to `clusters`."""
    for raw, annotation in raw_records(source, clusters):
        record, note = (Record(part, "generated catalogue", raw["asin"]) for part in (raw, annotation))
        yield parsed_product(record, note, ())


class AnnotationJson(TypedDict):
    """A generated product's record in the schema of items_ins_v2.json."""

    attributes: list[str]


def raw_records(source: GeneratedSource, clusters: list[Placed]) -> Iterator[tuple[ProductJson, AnnotationJson]]:
    """Yield (raw record, annotation) pairs in the schema of items_shuffle.json and items_ins_v2.json."""
    settings, kinds = source.settings, source.kinds()
    draws = Draws(stream("webshop", "catalogue", source.split, *settings, source.n_products))
    asins: set[str] = set()
    placed = 0
    while placed + 1 + settings.n_confusables <= source.n_products:
        cluster = drawn_cluster(settings, source.split, kinds, draws)
        drafts = [cluster.target, *cluster.rivals]
        order = draws.sample(range(len(drafts)), len(drafts))
        titled = _titled(cluster.target, draws)
        numbers = {member: placed + place for place, member in enumerate(order)}
        clusters.append(_placed(cluster, numbers))
        for member in order:
            yield _record(drafts[member], _asin(asins, draws), titled, draws)
        placed += len(drafts)
    for _ in range(source.n_products - placed):
        stray = drawn_stray(kinds, draws)
        yield _record(stray, _asin(asins, draws), _titled(stray, draws), draws)


def _placed(cluster: Cluster, numbers: dict[int, int]) -> Placed:
    return Placed(
        cluster.target.kind,
        numbers[0],
        tuple(numbers[i + 1] for i in range(len(cluster.rivals))),
        cluster.broken,
        tuple((group, cluster.target.values[group]) for group in cluster.wished_groups),
        cluster.wished_options,
        cluster.caps,
    )


def _record(draft: Draft, asin: str, titled: list[int], draws: Draws) -> tuple[ProductJson, AnnotationJson]:
    return raw_product(draft, asin, titled, draws), {"attributes": attributes_of(draft)}


def _titled(draft: Draft, draws: Draws) -> list[int]:
    return [group for group in range(len(draft.values)) if draws.share() < TITLED_SHARE]


def _asin(used: set[str], draws: Draws) -> str:
    while True:
        asin = "B0" + "".join([draws.pick(ASIN_LETTERS) for _ in range(8)])
        if asin not in used:
            used.add(asin)
            return asin
