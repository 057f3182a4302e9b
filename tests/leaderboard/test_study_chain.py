"""The chain of weights in studies of difficulty and of sequences: each stage from the one before, seed by seed."""

from dataclasses import replace

import pytest

from agentgen_bench.evaluation.protocol import load_protocol
from agentgen_bench.evaluation.training import Origin
from agentgen_bench.leaderboard.study_chain import chain_problems, trimmed
from agentgen_bench.scores.study import Study, StudyRun
from tests.leaderboard.studies import record, weights

ORDER = ("WebShop", "Sokoban", "SciWorld", "ALFWorld")


def stage(t, seed):
    return f"stage-{t}-{seed}"


def joint(name, seed):
    """A training on all families at once."""
    parts = [record(name, "start", family, seed=seed) for family in ORDER]
    sources = tuple(source for part in parts for source in part.sources)
    return replace(parts[0], sources=sources)


def sequence():
    runs, origins = [StudyRun("start", "initial")], {"start": Origin(weights("start"), None)}
    for seed in range(3):
        for t, family in enumerate(ORDER, 1):
            name, parent = stage(t, seed), "start" if t == 1 else stage(t - 1, seed)
            runs.append(StudyRun(name, "stage", family, stage=t, seed=seed))
            origins[name] = Origin(weights(name), record(name, parent, family, seed=seed))
        name = f"joint-{seed}"
        runs.append(StudyRun(name, "joint", seed=seed))
        origins[name] = Origin(weights(name), joint(name, seed))
    return Study("s", tuple(runs)), origins


def found(study, origins, protocol="sequence-v1"):
    return chain_problems(load_protocol(protocol), study, origins)


def with_training(origins, name, **changes):
    origin = origins[name]
    return {**origins, name: replace(origin, training=replace(origin.training, **changes))}


def test_a_sequence_whose_stages_follow_on_one_another_holds():
    study, origins = sequence()
    assert load_protocol("sequence-v1").missing(study) == []
    assert found(study, origins) == []


@pytest.mark.parametrize(
    ("name", "parent", "there"),
    [
        ("stage-2-0", "start", "stage-1-0"),  # not from the initial policy
        ("stage-3-1", "stage-2-0", "stage-2-1"),  # of another seed
        ("stage-1-2", "stage-4-1", "start"),
        ("joint-0", "stage-4-0", "start"),
    ],
)
def test_a_stage_that_follows_on_another_is_a_broken_chain(name, parent, there):
    study, origins = sequence()
    (line,) = found(study, with_training(origins, name, parent=weights(parent)))
    assert line == (
        f"{name}: the chain is broken, it was trained from {weights(parent)[:12]}, but {there} is {weights(there)[:12]}"
    )


def test_a_mixture_is_of_all_families():
    study, origins = sequence()
    sources = record("x", None, "Sokoban").sources
    assert found(study, with_training(origins, "joint-1", sources=sources)) == [
        "joint-1 is 'joint', but was trained on sokoban, not alfworld, sciworld, sokoban, webshop"
    ]


def test_a_record_in_an_entry_goes_back_to_the_run_before_it_and_no_further():
    study, origins = sequence()
    first, second = origins["stage-1-0"].training, origins["stage-2-0"].training
    whole = with_training(origins, "stage-2-0", before=(record("start", None, "Sokoban"), first))
    assert found(study, whole) == []
    assert trimmed(study, whole)["stage-2-0"].training == second


def difficulty(grade, seed, trained_on=None):
    name = f"{grade}-{seed}"
    made = record(name, "start", "Sokoban", seed=seed)
    spec = {**made.sources[0]["spec"], "difficulty": trained_on or grade}
    return replace(made, sources=({"spec": spec, "weight": 1.0},))


def test_a_training_is_of_the_difficulty_that_its_role_says():
    grades = ("easy", "medium", "hard")
    runs = [StudyRun(f"{g}-{s}", "trained", "Sokoban", g, seed=s) for g in grades for s in range(3)]
    study = Study("s", (StudyRun("start", "initial"), *runs))
    origins = {"start": Origin(weights("start"), None)}
    origins |= {run.run: Origin(weights(run.run), difficulty(run.difficulty, run.seed)) for run in runs}
    assert load_protocol("difficulty-v2").missing(study) == []
    assert found(study, origins, "difficulty-v2") == []
    origins["hard-1"] = Origin(weights("hard-1"), difficulty("hard", 1, trained_on="easy"))
    assert found(study, origins, "difficulty-v2") == [
        "hard-1 is 'trained on Sokoban hard', but its training was on easy"
    ]


def test_a_study_of_life_cycles_trains_on_packs():
    study = Study("s", (StudyRun("start", "initial"), StudyRun("a", "trained", "Sokoban")))
    single = record("a", "start", "Sokoban")
    packs = {**single.sources[0]["spec"], "knobs": {"fact": "rule"}, "lifecycle": "cod-4"}
    start = {"start": Origin(weights("start"), None)}
    of_packs = replace(single, sources=({"spec": packs, "weight": 1.0},))
    assert found(study, {**start, "a": Origin(weights("a"), of_packs)}, "lifecycle-transfer-v1") == []
    assert found(study, {**start, "a": Origin(weights("a"), single)}, "lifecycle-transfer-v1") == [
        "a was trained on single tasks; a study of this kind trains on packs (lifecycle cod-4, ...)"
    ]
