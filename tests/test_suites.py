import pytest

from agentgen_bench.errors import SpecError
from agentgen_bench.evaluation.freeze import changed_levels, definitions
from agentgen_bench.evaluation.plan import bare
from agentgen_bench.suites import Cell, from_text, load_suite, suite_names, to_text


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


def bare_cell(cell):
    """Return the cell without what leaves its levels alone."""
    return Cell(bare(cell.spec), cell.seeds, cell.level_ids)


CELLS = {bare_cell(cell) for name in suite_names() for cell in load_suite(name).cells}


def is_slow(cell):
    """Whether a single pack takes seconds: the simulator loads a level for each of its tasks."""
    pack = cell.spec.lifecycle_spec
    is_first = pack is None or (pack.tasks, pack.strategy) == (4, "cod")
    return cell.spec.family == "SciWorld" and not is_first


BY_LABEL = sorted(CELLS, key=lambda cell: cell.spec.label)


@pytest.mark.parametrize(
    "cell", [pytest.param(cell, marks=[pytest.mark.slow] * is_slow(cell), id=cell.spec.label) for cell in BY_LABEL]
)
def test_a_sample_of_each_frozen_setting_is_still_the_same(cell):
    n_levels = 4 if cell.spec.fact == "none" else 1  # whose packs are of many levels
    step = max(1, len(cell.seeds) // n_levels)
    assert changed_levels(Cell(cell.spec, cell.seeds[::step], cell.level_ids[::step])) == []


def test_views_of_a_setting_have_the_same_frozen_levels():
    frozen = {}
    for name in suite_names():
        for cell in load_suite(name).cells:
            levels = frozen.setdefault(bare(cell.spec), dict(zip(cell.seeds, cell.level_ids, strict=True)))
            assert all(levels.get(seed, level) == level for seed, level in zip(cell.seeds, cell.level_ids, strict=True))


def test_every_setting_of_lifecycle_v2_that_keeps_a_context_has_its_twin_without_one_on_the_same_packs():
    packs = {(cell.spec.family, str(cell.spec.lifecycle)): cell.level_ids for cell in load_suite("lifecycle-v2").cells}
    kept = {key for key in packs if key[1].startswith("cod") and not key[1].endswith(("-wiped", "-told"))}
    assert {(family, f"{preset}-wiped") for family, preset in kept} == {key for key in packs if "wiped" in key[1]}
    assert all(packs[family, f"{preset}-wiped"] == packs[family, preset] for family, preset in kept)
    assert {preset.split("-")[1] for _, preset in kept} == {"4", "8", "16"}
    assert {family for family, _ in kept} == {"Sokoban", "WebShop", "ALFWorld", "SciWorld"}


def test_a_changed_level_is_named():
    cell = load_suite("smoke").cells[0]
    forged = Cell(cell.spec, cell.seeds[:2], (cell.level_ids[0], "sokoban:0000000000000000"))
    (line,) = changed_levels(forged)
    assert line.startswith(f"{cell.spec.label} seed {cell.seeds[1]}: frozen sokoban:0000000000000000, now ")


def test_a_suite_survives_its_file():
    suite = load_suite("smoke")
    assert from_text("smoke", to_text(suite.description, suite.cells)) == suite


def test_an_unknown_suite_is_refused():
    with pytest.raises(SpecError, match=r"unknown suite 'all'; choose one of: .*smoke"):
        load_suite("all")
