import pytest

from agentgen_bench.errors import SpecError
from agentgen_bench.evaluation.freeze import changed_levels, definitions
from agentgen_bench.suites import from_text, load_suite, suite_names, to_text


@pytest.mark.parametrize("name", suite_names())
def test_a_suite_holds_what_its_definition_says(name):
    suite = load_suite(name)
    _, cells = definitions()[name]
    assert [(cell.spec, len(cell.seeds)) for cell in suite.cells] == cells


@pytest.mark.parametrize("name", suite_names())
def test_no_level_occurs_twice_in_a_cell(name):
    for cell in load_suite(name).cells:
        assert len(set(cell.level_ids)) == len(cell.level_ids) == len(cell.seeds)


def test_every_definition_is_frozen():
    assert sorted(definitions()) == suite_names()


@pytest.mark.parametrize("name", suite_names())
def test_a_sample_of_each_frozen_cell_is_still_the_same(name):
    for cell in load_suite(name).cells:
        step = max(1, len(cell.seeds) // 5)
        assert changed_levels(cell.__class__(cell.spec, cell.seeds[::step], cell.level_ids[::step])) == []


def test_a_changed_level_is_named():
    cell = load_suite("smoke").cells[0]
    forged = cell.__class__(cell.spec, cell.seeds[:2], (cell.level_ids[0], "sokoban:0000000000000000"))
    (line,) = changed_levels(forged)
    assert line.startswith(f"{cell.spec.label} seed {cell.seeds[1]}: frozen sokoban:0000000000000000, now ")


def test_a_suite_survives_its_file():
    suite = load_suite("smoke")
    assert from_text("smoke", to_text(suite.description, suite.cells)) == suite


def test_an_unknown_suite_is_refused():
    with pytest.raises(SpecError, match=r"unknown suite 'all'; choose one of: .*smoke"):
        load_suite("all")
