"""What the generated catalogue's words must keep so that no wish is met by accident."""

import itertools
import re

import pytest
from rapidfuzz import fuzz

from agentgen_bench.envs.webshop.reward import FUZZY_CUT, normalized_color, same_option
from agentgen_bench.envs.webshop.vocabulary import BRANDS, SERIES, TYPES
from agentgen_bench.envs.webshop.wording import TAIL_OPENINGS

KINDS = [kind for _, kind in TYPES]


def test_there_are_at_least_sixty_types_in_five_categories_besides_those_held_out():
    assert sum(not kind.held_out for kind in KINDS) >= 60
    assert {department.category for department, _ in TYPES} == {"beauty", "electronics", "garden", "fashion", "grocery"}
    assert sum(kind.held_out for kind in KINDS) == 10


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_every_type_has_twelve_attributes_and_three_options(kind):
    assert len(set(kind.attributes)) >= 12
    assert len(kind.options) == 3


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_no_two_attributes_of_a_type_match(kind):
    matching = [
        pair
        for pair in itertools.combinations(kind.attributes, 2)
        if fuzz.token_set_ratio(*pair) > FUZZY_CUT or pair[0] in pair[1] or pair[1] in pair[0]
    ]
    assert matching == []


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_no_two_option_values_of_a_type_match(kind):
    values = [value for option in kind.options for value in option.values]
    assert [pair for pair in itertools.combinations(values, 2) if same_option(*pair)] == []


def test_colours_stay_what_they_are_called():
    values = {value for kind in KINDS for option in kind.options if option.name == "color" for value in option.values}
    assert {value for value in values if normalized_color(value) != value} == set()


@pytest.mark.parametrize(("department", "kind"), TYPES, ids=[kind.name for kind in KINDS])
def test_what_the_shop_says_anyway_names_no_attribute(department, kind):
    texts = [*department.openings, *department.closings, *department.service, kind.name, kind.path]
    texts += [sentence.replace("{a}", "") for group in kind.groups for sentence in group.sentences]
    texts += [f"{brand} {series}" for brand, series in itertools.product(BRANDS, SERIES)]
    said = " | ".join(texts).lower()
    assert [attribute for attribute in kind.attributes if attribute in said] == []


def test_option_values_can_be_marked_as_chosen():
    for kind in KINDS:
        for option in kind.options:
            assert all(re.fullmatch(r"[a-z0-9 ]+", value) for value in option.values)


def test_every_phrase_after_a_noun_can_be_joined_to_others():
    phrases = [group.phrase for kind in KINDS for group in kind.groups if not group.is_adjective]
    assert all(phrase.startswith(TAIL_OPENINGS) for phrase in phrases)
