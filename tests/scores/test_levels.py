"""Episodes that could not begin: failures on the level of their seed, in every score and every comparison."""

from typing import Any

import pytest

from agentgen_bench.contract import TaskRecord
from agentgen_bench.episodes import Episode
from agentgen_bench.scores.base import by_setting, family
from agentgen_bench.scores.comparison import compare
from agentgen_bench.scores.levels import with_levels
from agentgen_bench.scores.packs import pack_changes, pack_scores
from agentgen_bench.scores.run_scores import run_scores
from agentgen_bench.scores.sampling import sample
from agentgen_bench.scores.study import Study, StudyRun
from agentgen_bench.scores.study_scores import score_study
from agentgen_bench.scores.success import results
from agentgen_bench.spec import LifecycleSpec
from tests.scores.build import cell, episode

WHOLE = cell(12, 12)


def failed(seed: int, **fields: Any) -> Episode:
    """An episode whose environment could not be reset: it shows no level."""
    return episode(seed=seed, level_id="", max_steps=0, ending="error", error="RuntimeError: JVM", **fields)


HALF = [failed(one.seed) if one.seed < 6 else one for one in WHOLE]


def test_a_failed_start_is_a_level_lost_in_a_comparison() -> None:
    found = compare(HALF, WHOLE)
    (setting,) = found.settings
    assert (found.difference.value, found.difference.n) == (0.5, 12)
    assert (setting.levels, setting.only_a, setting.only_b) == (12, 0, 0)


def test_a_failed_start_is_a_level_failed_in_a_study() -> None:
    found = sample({"a": HALF, "b": WHOLE}, family)
    assert {name: run.rates for name, run in found.runs.items()} == {"a": {"Sokoban": 0.5}, "b": {"Sokoban": 1.0}}
    assert found.notes == ()


def test_a_failed_start_is_a_repeat_of_its_level() -> None:
    again = [failed(0, repeat=1), *(episode(True, seed=seed, repeat=1) for seed in range(1, 12))]
    reliability = {s.name: s.value for one in run_scores([*WHOLE, *again]) for s in one.scores}
    assert reliability["pass^2"] == pytest.approx(11 / 12)
    assert reliability["consistency"] == pytest.approx(10 / 12)  # the level solved once of twice has -1
    assert results([*WHOLE, *again])["settings"][0]["levels"] == 12


def test_a_level_that_another_view_of_the_setting_shows_is_known() -> None:
    faulty = [failed(one.seed, faults="actions-v1") for one in WHOLE]
    ratio, change = (s for one in run_scores([*WHOLE, *faulty]) if one.section == "robustness" for s in one.scores)
    assert (ratio.value, change.value, change.n) == (0.0, -1.0, 12)


def test_the_level_of_another_difficulty_is_another() -> None:
    (group,) = (group for group in by_setting([*WHOLE, failed(0, difficulty="hard")]).values() if len(group) == 1)
    assert group[0].level_id == ""


def test_seeds_that_no_run_could_begin_pair_by_their_seed() -> None:
    lost = [failed(20), failed(21)]
    found = compare([*WHOLE, *lost], [*WHOLE, *lost])
    assert (found.difference.value, found.settings[0].levels, found.settings[0].scores[0].value) == (0.0, 14, 12 / 14)


def test_a_run_is_asked_before_the_others() -> None:
    mine, theirs = [episode(level_id="x"), failed(0, repeat=1)], [episode(level_id="y")]
    assert [[one.level_id for one in run] for run in with_levels([theirs, mine])] == [["y"], ["x", "x"]]


def pack(seed: int, context: str, *scores: float) -> Episode:
    tasks = tuple(TaskRecord(k, score, score == 1) for k, score in enumerate(scores))
    lifecycle = LifecycleSpec(2, context, update="episode")
    return episode(seed=seed, level_id=f"pack {seed}", tasks=tasks, interface="opaque", lifecycle=lifecycle)


def failed_pack(seed: int, context: str) -> Episode:
    return failed(seed, interface="opaque", lifecycle=LifecycleSpec(2, context, update="episode"))


WIPED = [pack(seed, "wiped", 0, 0) for seed in range(4)]
KEPT = [*(pack(seed, "kept", 1, 1) for seed in range(3)), failed_pack(3, "kept")]


def test_a_pack_that_could_not_begin_has_no_gain_and_counts() -> None:
    (gain,) = (one.gain for one in pack_scores([[*KEPT, *WIPED]]) if one.gain is not None)
    assert (gain.value, gain.n) == (0.75, 4)


def test_a_pack_that_could_not_begin_counts_in_what_changed() -> None:
    before = [pack(seed, "kept", 0, 0) for seed in range(4)]
    (change, *_) = pack_changes([before], [KEPT])[0].scores
    assert (change.name, change.value, change.n) == ("score_change", 0.75, 4)


def test_a_pack_that_could_not_begin_counts_in_transfer() -> None:
    study = Study("s", (StudyRun("a", "initial"), StudyRun("b", "trained", "Sokoban")))
    before = [pack(seed, "kept", 0, 0) for seed in range(4)]
    lines = score_study(study, {"a": before, "b": KEPT}).lines
    (held_in,) = (line.score for line in lines if line.score.name == "held_in_score_change")
    assert (held_in.value, held_in.n) == (0.75, 4)
