import pytest
from hypothesis import given

from agentgen_bench.errors import SpecError
from agentgen_bench.text import Richness, Section, render
from tests.strategies import section_tuples


@given(section_tuples)
def test_taking_distractors_away_leaves_the_bare_text(sections):
    bare = tuple(section for section in sections if section.source != "distractor")
    noisy = [*bare, Section("A dog barks.", Richness.LEAN, "distractor")]
    assert render([section for section in noisy if section.source != "distractor"]) == render(bare)


@given(section_tuples)
def test_rich_shows_every_section(sections):
    assert render(sections) == "".join(section.text for section in sections)


def test_richness_is_ordered():
    assert Richness.LEAN < Richness.BASE < Richness.RICH


@pytest.mark.parametrize("value", ["huge", 3, ""])
def test_an_unknown_richness_is_refused(value):
    with pytest.raises(SpecError, match=r"unknown richness .*; choose one of: lean, base, rich"):
        Richness.parse(value)
