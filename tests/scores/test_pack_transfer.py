"""Transfer between packs of families, worked out by hand."""

from dataclasses import replace

import pytest

from agentgen_bench.contract import TaskRecord
from agentgen_bench.episodes import Episode
from agentgen_bench.scores.base import LEVELS, LEVELS_AND_SEEDS
from agentgen_bench.scores.pack_transfer import pack_table, transfer_scores
from agentgen_bench.scores.study import Study, StudyRun
from agentgen_bench.scores.study_scores import score_study
from agentgen_bench.spec import LifecycleSpec
from tests.scores.build import episode, is_inside

FACTS = {"Sokoban": "rule", "WebShop": "shelf"}


def pack(family: str, seed: int, context: str, *scores: float) -> Episode:
    lifecycle = LifecycleSpec(len(scores), context, update="episode")
    tasks = tuple(TaskRecord(k, score, score == 1) for k, score in enumerate(scores))
    return episode(
        family=family, seed=seed, level_id=f"{family}:{seed}", tasks=tasks, knobs=(("fact", FACTS[family]),),
        lifecycle=lifecycle,
    )  # fmt: skip


def run(sokoban: float, webshop: float, wiped: float = 0.0) -> list[Episode]:
    """Two packs of two tasks per family: the second task of a kept context is worth what is given."""
    return [
        one
        for seed in (0, 1)
        for family, value in (("Sokoban", sokoban), ("WebShop", webshop))
        for one in (pack(family, seed, "kept", 0, value), pack(family, seed, "wiped", 0, wiped))
    ]


BEFORE = run(0.2, 0.0)


def again(one: Episode, k: int) -> Episode:
    """The pack under another name, so that there are more of them."""
    return replace(one, seed=one.seed + 2 * k, level_id=f"{one.level_id}-{k}")


def by_name(*after: list[Episode]) -> dict[str, float | None]:
    return {
        score.name: score.value
        for score in transfer_scores(pack_table(BEFORE), list(map(pack_table, after)), "Sokoban")
    }


def test_changes_are_those_on_the_packs_of_the_family_trained_on_and_of_the_others() -> None:
    assert by_name(run(1.0, 0.5)) == pytest.approx(
        {
            "held_in_score_change": 0.4,  # (0 + 1) / 2 - (0 + .2) / 2
            "held_in_gain_change": 0.4,
            "held_out_score_change": 0.25,
            "held_out_gain_change": 0.25,
        }
    )


def test_who_merely_plays_better_has_a_change_of_score_and_none_of_gain() -> None:
    found = by_name(run(0.6, 0.4, wiped=0.4))
    assert found["held_in_score_change"] == pytest.approx(0.2)
    assert found["held_in_gain_change"] == pytest.approx(0.0)
    assert found["held_out_gain_change"] == pytest.approx(0.0)


def test_seeds_are_averaged_and_their_spread_is_in_the_interval() -> None:
    tables = [pack_table(run(1.0, 0.0)), pack_table(run(0.6, 0.0)), pack_table(run(0.2, 0.0))]
    one = transfer_scores(pack_table(BEFORE), tables[:1], "Sokoban")[0]
    all_seeds = transfer_scores(pack_table(BEFORE), tables, "Sokoban")[0]
    assert (one.over, all_seeds.over) == (LEVELS, LEVELS_AND_SEEDS)
    assert all_seeds.value == pytest.approx(0.2)
    # Seeds .4, .2, 0: deviation of their mean .2 / sqrt(3) = .1155, t(2) = 4.303; every pack changes alike, so levels
    # themselves explain none of it.
    assert all_seeds.value is not None
    assert all_seeds.high is not None
    assert all_seeds.high - all_seeds.value >= 0.1155 * 4.302
    assert one.low is not None
    assert one.low < 0.4 < one.high  # type: ignore[operator]


def test_a_change_that_all_packs_share_is_inside_its_interval() -> None:
    before, after = ([again(one, k) for k in range(16) for one in found] for found in (BEFORE, run(1.0, 0.5)))
    for score in transfer_scores(pack_table(before), [pack_table(after)], "Sokoban"):
        assert score.low is not None
        assert is_inside(score)


def test_without_a_twin_there_is_no_change_of_gain_and_the_reason_is_said() -> None:
    kept = [one for one in BEFORE if one.spec["lifecycle"].get("context") != "wiped"]
    scores = transfer_scores(pack_table(kept), [pack_table(kept)], "Sokoban")
    assert [score.value is None for score in scores] == [False, True, False, True]
    assert scores[1].reason == "no packs of such settings were played before and after the training"


def test_a_study_has_them_for_each_training() -> None:
    study = Study("s", (StudyRun("a", "initial"), StudyRun("b", "trained", "Sokoban")))
    trained = [replace(one, policy="Q") for one in run(1.0, 0.5)]
    scores = score_study(study, {"a": BEFORE, "b": trained})
    lines = [line for line in scores.lines if line.section == "life cycle: transfer"]
    assert [(line.subject, line.score.name) for line in lines[:1]] == [("trained on Sokoban", "held_in_score_change")]
    assert lines[2].score.value == pytest.approx(0.25)
