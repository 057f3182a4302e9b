"""Shops that sell places of their lists: the wanted product stands in one place, the rest is as it was."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentgen_bench import Richness, make, render
from agentgen_bench.envs.webshop.shelf import UNSAID, PaidShelf, place_of, shelf_text
from agentgen_bench.errors import SpecError


class Hits:
    """Shelves whose every search finds these."""

    def __init__(self, numbers):
        self.numbers = tuple(numbers)

    def product(self, number):
        return f"product {number}"

    def search(self, query):
        return self.numbers


@given(n=st.integers(0, 50), target=st.integers(0, 60), place=st.integers(2, 10))
def test_the_wanted_product_stands_in_its_place_and_the_others_keep_their_order(n, target, place):
    shelf = PaidShelf(Hits(range(n)), target, place)
    found = shelf.search("anything")
    assert [number for number in found if number != target] == [number for number in range(n) if number != target]
    assert (target in found) == (target < n)
    if target < n:
        assert found.index(target) == min(place, n) - 1
    assert shelf.product(3) == "product 3"


def test_seeds_draw_every_place_but_the_first():
    assert {place_of(seed) for seed in range(200)} == set(range(2, 11))


@pytest.mark.parametrize("page_format", ["text", "text_rich"])
def test_lists_say_that_places_are_paid_for_and_richer_text_only_adds(page_format):
    seen = {}
    for richness in Richness:
        env = make(f"AgentGen/WebShop-{richness.label}-v0", fact="shelf", difficulty="hard", page_format=page_format)
        _, info = env.reset(seed=2)
        place = place_of(env.unwrapped.fact_seed)
        texts = [env.reset(seed=2)[0]]
        while not info["success"]:
            text, *_, info = env.step(env.unwrapped.expert_action())
            texts.append(text)
            assert text == render(info["sections"])
        assert sum(UNSAID in text for text in texts) >= 1
        assert not any(shelf_text(place) in text for text in texts)
        assert env.unwrapped.facts()[0].value == shelf_text(place)
        seen[richness] = texts
    for lean, base, rich in zip(*seen.values(), strict=True):
        assert lean in base
        assert base in rich


def test_a_place_is_part_of_the_level():
    env = make("AgentGen/WebShop-v0", fact="shelf")
    ids = {(place_of(k), env.reset(seed=1, options={"fact_seed": k})[1]["level_id"]) for k in range(30)}
    assert len(ids) == len({place for place, _ in ids}) == len({level for _, level in ids})


def test_goals_on_data_have_no_shelf():
    with pytest.raises(SpecError, match="fact"):
        make("AgentGen/WebShop-v0", difficulty="paper", fact="shelf", data="here")
