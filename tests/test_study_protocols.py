"""Frozen protocols of studies: their levels, their roles, and what a study lacks to be one of theirs."""

from dataclasses import replace

import pytest

from agentgen_bench import families
from agentgen_bench.errors import SpecError
from agentgen_bench.evaluation.freeze import PROTOCOLS, protocol_file
from agentgen_bench.evaluation.protocol import load_protocol, protocol_from_text, protocol_names
from agentgen_bench.scores.study import Study, StudyRun
from agentgen_bench.suites import load_suite

FOUR = ("Sokoban", "WebShop", "ALFWorld", "SciWorld")
SMALL = ("transfer-mini-v1", "transfer-mini-v2")
REAL = [name for name in PROTOCOLS if name not in ("transfer-smoke", "lifecycle-smoke", "lifecycle-transfer-v1")]


@pytest.mark.parametrize("name", PROTOCOLS)
def test_a_protocol_is_frozen_as_it_is_defined(name):
    protocol = load_protocol(name)
    assert protocol == protocol_from_text(name, protocol_file(name))
    assert protocol.suite == load_suite(name)


def test_every_protocol_is_defined():
    assert protocol_names() == sorted(PROTOCOLS)


@pytest.mark.parametrize("name", REAL)
def test_a_protocol_has_enough_levels_and_not_too_many(name):
    cells = load_protocol(name).suite.cells
    assert {len(cell.seeds) for cell in cells} == {500 if name == "transfer-mini-v2" else 250}
    assert 750 <= sum(len(cell.seeds) for cell in cells) <= 4000
    assert {cell.spec.split for cell in cells} == {"test"}


@pytest.mark.parametrize("name", REAL)
def test_each_family_is_there_from_a_starter_to_hard(name):
    protocol = load_protocol(name)
    if name in SMALL:
        assert protocol.labels == ("Sokoban starter", "ALFWorld starter", "SciWorld starter")
    else:
        assert {f"{family} {grade}" for family in FOUR for grade in ("starter", "hard")} <= set(protocol.labels)
    assert [label.split()[0] for label in protocol.labels] == [cell.spec.family for cell in protocol.suite.cells]
    assert all(
        protocol.label(c.spec.to_json()) == n for n, c in zip(protocol.labels, protocol.suite.cells, strict=True)
    )


@pytest.mark.parametrize("name", ["transfer-v1", "sequence-v1"])
def test_a_world_that_nobody_trains_on_is_played(name):
    worlds = {cell.spec.family for cell in load_protocol(name).suite.cells} - set(FOUR)
    assert [families.family(world).evaluation_only for world in worlds] == [True]


def test_a_study_of_life_cycles_plays_the_packs_of_lifecycle_v2_with_their_twins():
    protocol, whole = load_protocol("lifecycle-transfer-v1"), load_suite("lifecycle-v2")
    assert protocol.labels == tuple(f"{f} {p}" for f in FOUR for p in ("cod-4", "cod-4-wiped", "ralph-sample-4"))
    assert set(protocol.suite.cells) <= set(whole.cells)
    assert [(role.role, role.source) for role in protocol.roles] == [("initial", None), *(("trained", f) for f in FOUR)]


def test_a_protocol_of_another_suite_is_refused():
    suite = replace(load_suite("transfer-smoke"), hash="0" * 64)
    with pytest.raises(SpecError, match=r"transfer-smoke was frozen with transfer-smoke .*, here it is 000000000000"):
        protocol_from_text("transfer-smoke", protocol_file("transfer-smoke"), suite)


def seeds(n=3, **role):
    return [StudyRun(f"{'-'.join(map(str, role.values()))}-{seed}", **role, seed=seed) for seed in range(n)]


def trained(name, **more):
    return seeds(role="trained", source=name, **more)


TRANSFER = [
    StudyRun("start", "initial"),
    *(run for name in FOUR for augmented in (False, True) for run in trained(name, augmented=augmented)),
]
MINI = [StudyRun("start", "initial"), *trained("ALFWorld")]
DIFFICULTY = [
    StudyRun("start", "initial"),
    *(run for grade in ("easy", "medium", "hard") for run in trained("WebShop", difficulty=grade)),
]
SEQUENCE = [
    StudyRun("start", "initial"),
    *(run for t, name in enumerate(reversed(FOUR), 1) for run in seeds(role="stage", source=name, stage=t)),
    *seeds(role="joint"),
]


@pytest.mark.parametrize(
    ("name", "runs"),
    [
        ("transfer-v1", TRANSFER),
        ("transfer-mini-v1", MINI),
        ("transfer-mini-v2", [*MINI, *trained("SciWorld")]),
        ("transfer-mini-v1", [*MINI, *trained("SciWorld", augmented=True)]),
        ("difficulty-v2", DIFFICULTY),
        ("sequence-v1", SEQUENCE),
    ],
)
def test_a_complete_study_lacks_nothing(name, runs):
    assert load_protocol(name).missing(Study("s", tuple(runs))) == []
    assert len(runs) <= 40


@pytest.mark.parametrize(
    ("name", "runs", "line"),
    [
        ("transfer-v1", TRANSFER[1:], "the role 'initial' is missing"),
        (
            "transfer-mini-v1",
            [*MINI, StudyRun("worse", "initial", seed=1)],
            "'initial' is 2 policies (start, worse); all trainings of transfer-mini-v1 start from one",
        ),
        (
            "transfer-mini-v1",
            [replace(MINI[0], also=("worse",)), *MINI[1:]],
            "'initial' is 2 policies (start, worse); all trainings of transfer-mini-v1 start from one",
        ),
        ("transfer-v1", TRANSFER[:-3], "the role 'trained on SciWorld, augmented' is missing"),
        ("transfer-v1", TRANSFER[:-1], "'trained on SciWorld, augmented' has 2 training seeds; transfer-v1 asks for 3"),
        ("transfer-v1", [*TRANSFER, StudyRun("j", "joint")], "j is 'joint', which is no role of transfer-v1"),
        (
            "transfer-v1",
            [*TRANSFER[:-1], replace(TRANSFER[-1], also=("x",))],
            f"{TRANSFER[-1].run} has 2 checkpoints; transfer-v1 counts 1",
        ),
        ("transfer-mini-v1", MINI[:1], "no group of roles is filled; transfer-mini-v1 asks for at least one"),
        ("transfer-mini-v1", MINI[:-1], "'trained on ALFWorld' has 2 training seeds; transfer-mini-v1 asks for 3"),
        (
            "transfer-mini-v1",
            [*MINI, *trained("SciWorld")[:2]],
            "'trained on SciWorld' has 2 training seeds; transfer-mini-v1 asks for 3",
        ),
        ("difficulty-v2", DIFFICULTY[:1], "no group of roles is filled; difficulty-v2 asks for at least one"),
        ("difficulty-v2", DIFFICULTY[:-3], "the role 'trained on WebShop hard' is missing"),
        ("sequence-v1", SEQUENCE[:-3], "the role 'joint' is missing"),
        ("sequence-v1", [SEQUENCE[0], *SEQUENCE[-3:]], "it has no stages; sequence-v1 has one for each of Sokoban"),
        (
            "sequence-v1",
            [*SEQUENCE[:-6], *SEQUENCE[-3:]],
            "its stages are SciWorld, ALFWorld, WebShop; sequence-v1 has",
        ),
    ],
)
def test_what_a_study_lacks_is_said(name, runs, line):
    (found,) = load_protocol(name).missing(Study("s", tuple(runs)))
    assert found.startswith(line)


def test_a_study_of_one_familys_difficulties_plays_that_family_alone():
    plan = load_protocol("difficulty-v2").plan_for(["WebShop"])
    assert {cell.spec.family for cell in plan.cells} == {"WebShop"}
    assert plan.n_episodes == 1000


@pytest.mark.parametrize("name", SMALL)
def test_the_small_study_of_transfer_plays_levels_of_the_large_one(name):
    large, small = load_protocol("transfer-v1"), load_protocol(name)
    levels = dict(zip(large.labels, (cell.level_ids for cell in large.suite.cells), strict=True))
    for label, cell in zip(small.labels, small.suite.cells, strict=True):
        assert cell.level_ids[:250] == levels[label]  # how many there are: test_a_protocol_has_enough_levels_...


@pytest.mark.parametrize("name", SMALL)
def test_a_small_study_of_transfer_on_one_family_plays_all_of_them(name):
    plan = load_protocol(name).plan_for(["ALFWorld"])
    assert [cell.spec.family for cell in plan.cells] == ["Sokoban", "ALFWorld", "SciWorld"]


def test_core_mini_is_nested_in_core():
    core, mini = load_suite("core-v1"), load_suite("core-mini-v1")
    assert [(cell.spec, cell.seeds, cell.level_ids) for cell in mini.cells] == [
        (cell.spec, cell.seeds[:50], cell.level_ids[:50]) for cell in core.cells
    ]
