"""Families: the target meets every wish, each near-duplicate misses exactly one."""

import pytest

from agentgen_bench.envs.webshop.clusters import ALLOWED_VALUES, Draws, drawn_cluster
from agentgen_bench.envs.webshop.generate import GeneratedSource
from agentgen_bench.envs.webshop.oracle import choices
from agentgen_bench.envs.webshop.reward import has_attribute, reward_parts, same_option
from agentgen_bench.envs.webshop.settings import PRESETS, LevelSettings
from agentgen_bench.envs.webshop.shop import open_shop
from agentgen_bench.envs.webshop.vocabulary import TYPES
from agentgen_bench.seeding import stream
from tests.webshop.shops import SPLITS, cluster_goals, preset_shop

SHOPS = [(difficulty, split) for difficulty in PRESETS for split in SPLITS]


def wishes_missed(product, goal):
    """Return how many wishes no purchase of the product can meet."""
    offered = [value for _, values in product.options for value in values]
    attributes = sum(not has_attribute(product, wanted) for wanted in goal.attributes)
    options = sum(not any(same_option(value, wanted) for value in offered) for _, wanted in goal.options)
    return attributes + options + (product.prices[0] > goal.price_upper)


@pytest.mark.parametrize(("difficulty", "split"), SHOPS)
def test_the_target_of_every_goal_earns_all_of_it(difficulty, split):
    shop = preset_shop(difficulty, split)
    for cluster, goal in cluster_goals(shop):
        product = shop.catalogue.product(cluster.target)
        chosen = [value for _, value in choices(product, goal)]
        assert reward_parts(product, goal, chosen, product.prices[0], product.nouns).reward == 1.0


@pytest.mark.parametrize(("difficulty", "split"), SHOPS)
def test_every_near_duplicate_of_every_goal_misses_exactly_one_wish(difficulty, split):
    shop = preset_shop(difficulty, split)
    for cluster, goal in cluster_goals(shop):
        assert [wishes_missed(shop.catalogue.product(rival), goal) for rival in cluster.rivals] == [1] * len(
            cluster.rivals
        )


@pytest.mark.parametrize("difficulty", PRESETS)
def test_every_near_duplicate_earns_less_than_all_whatever_is_chosen(difficulty):
    shop = preset_shop(difficulty, "test")
    for cluster, goal in cluster_goals(shop):
        for rival in cluster.rivals:
            product = shop.catalogue.product(rival)
            everything = [value for _, values in product.options for value in values]
            assert reward_parts(product, goal, everything, product.prices[0], product.nouns).reward < 1.0


@pytest.mark.parametrize("difficulty", PRESETS)
def test_a_preset_has_the_wishes_and_near_duplicates_it_states(difficulty):
    shape = PRESETS[difficulty]
    for cluster in preset_shop(difficulty).clusters:
        assert len(cluster.attributes) == shape.n_attributes
        assert len(cluster.options) == shape.n_options
        assert len(cluster.rivals) == shape.n_confusables
        assert all(1 <= len(values) <= ALLOWED_VALUES for _, values in cluster.options)


@pytest.mark.parametrize("difficulty", PRESETS)
def test_products_have_no_attribute_but_those_they_list(difficulty):
    shop = preset_shop(difficulty)
    for number in range(len(shop.catalogue)):
        product = shop.catalogue.product(number)
        kind = next(kind for _, kind in TYPES if kind.plural == product.query)
        found = {attribute for attribute in kind.attributes if has_attribute(product, attribute)}
        assert found == set(product.attributes)


def test_every_wish_of_a_hard_goal_is_broken_by_some_near_duplicate():
    for cluster in preset_shop("hard").clusters:
        groups = {f"group {group}" for group, _ in cluster.attributes}
        assert set(cluster.broken) == groups | {f"option {name}" for name, _ in cluster.options} | {"price"}


@pytest.mark.parametrize("price", ["none", "loose", "tight"])
def test_price_limits_leave_room_for_the_target_and_none_for_the_dear(price):
    draws = Draws(stream("test", price))
    for _ in range(100):
        cluster = drawn_cluster(LevelSettings(2, 1, 6, price), "train", range(len(TYPES)), draws)
        dear = [rival.price for rival, broken in zip(cluster.rivals, cluster.broken, strict=True) if broken == "price"]
        assert (cluster.caps == (0, 0)) == (price == "none") == (dear == [])
        assert all(rival > cluster.caps[1] for rival in dear)
        assert price == "none" or cluster.target.price <= cluster.caps[0] <= cluster.caps[1]


def test_tight_limits_are_closer_than_loose_ones():
    def distance(price):
        draws = Draws(stream("test"))
        clusters = [drawn_cluster(LevelSettings(1, 1, 1, price), "train", range(len(TYPES)), draws) for _ in range(200)]
        return sum(cluster.caps[0] / cluster.target.price for cluster in clusters)

    assert distance("tight") < distance("loose")


def test_every_size_of_catalogue_is_filled():
    shop = open_shop(GeneratedSource("train", PRESETS["hard"], 100))
    assert len(shop.catalogue) == 100
    assert len(shop.clusters) == 7
    assert len({shop.catalogue.product(number).asin for number in range(100)}) == 100
