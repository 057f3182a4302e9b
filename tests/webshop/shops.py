"""Shops and walks that the tests of this folder share."""

import itertools
from functools import cache

from agentgen_bench.envs.webshop.catalogue import Catalogue, catalogue_arrays
from agentgen_bench.envs.webshop.clusters import NO_CAP
from agentgen_bench.envs.webshop.generate import GeneratedSource
from agentgen_bench.envs.webshop.levels import level_of
from agentgen_bench.envs.webshop.nouns import noun_finder
from agentgen_bench.envs.webshop.rawdata import found_files, products
from agentgen_bench.envs.webshop.settings import PRESETS
from agentgen_bench.envs.webshop.shop import open_shop
from agentgen_bench.envs.webshop.vocabulary import TYPES
from agentgen_bench.envs.webshop.vocabulary.kinds import attribute
from tests.conftest import REFERENCE_DATA

SPLITS = ("train", "valid", "test", "ood_types")
SMALL = 300  # products


@cache
def original_catalogue():
    """Return the catalogue of the original's 1,000 products."""
    files = found_files(REFERENCE_DATA / "webshop")
    return Catalogue(catalogue_arrays(products(files, None, None), None))


def preset_shop(difficulty, split="train", n_products=1000):
    return open_shop(GeneratedSource(split, PRESETS[difficulty], n_products))


def cluster_goals(shop):
    """Yield (cluster, goal) for every goal that the shop's levels can ask for, at both ends of the price limits."""
    nouns = noun_finder("catalog")
    for cluster in shop.clusters:
        groups = TYPES[cluster.kind][1].groups
        attributes = tuple(attribute(groups[group].values[value]) for group, value in cluster.attributes)
        names = [name for name, _ in cluster.options]
        for values in itertools.product(*[values for _, values in cluster.options]):
            for cap in sorted(set(cluster.caps)):
                options = tuple(zip(names, values, strict=True))
                yield cluster, level_of(shop, cluster.target, "", attributes, options, cap or NO_CAP, nouns).goal
