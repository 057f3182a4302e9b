"""From recorded packs to their scores."""

from dataclasses import replace
from typing import Any

import pytest

from agentgen_bench.contract import Part, TaskRecord
from agentgen_bench.episodes import Episode
from agentgen_bench.scores.packs import pack_changes, pack_scores
from agentgen_bench.scores.study import Study, StudyRun
from agentgen_bench.scores.study_scores import score_study
from tests.scores.build import cell, episode, step


def pack(seed: int, *scores: float, lifecycle: str = "pack-4", **fields: Any) -> Episode:
    notes = ["" if lifecycle == "pack-4" else None] * (len(scores) - 1) + [None]
    tasks = tuple(
        TaskRecord(start, score, score == 1, note)
        for start, (score, note) in enumerate(zip(scores, notes, strict=False))
    )
    return episode(
        seed=seed, level_id=f"sokoban:{seed}", tasks=tasks, interface="opaque", lifecycle=lifecycle, **fields
    )


KEPT = [pack(0, 0, 1, 1, 1), pack(1, 0, 0, 1, 1)]
WIPED = [pack(seed, 0, 0, 1, 0, lifecycle="pack-4-wiped") for seed in (0, 1)]


def test_the_curve_and_the_effect_are_means_over_packs() -> None:
    (scores,) = pack_scores([KEPT])
    assert [score.value for score in scores.curve] == [0.0, 0.5, 1.0, 1.0]
    assert scores.effect.value == 1.0
    assert scores.gain is None


def test_the_gain_is_over_the_same_packs_with_the_context_wiped() -> None:
    kept, wiped = pack_scores([[*KEPT, *WIPED, pack(2, 1, 1, 1, 1)]])
    assert kept.gain is not None
    assert kept.gain.value == pytest.approx((0.75 + 0.5) / 2 - 0.25)
    assert kept.gain.n == 2  # pack 2 was not played with the context wiped
    assert wiped.gain is None


def test_a_crashed_pack_stays_in_the_denominator() -> None:
    (scores,) = pack_scores([[*KEPT, pack(2, ending="error", error="boom")]])
    assert [score.value for score in scores.curve] == pytest.approx([0, 1 / 3, 2 / 3, 2 / 3])


def test_packs_that_all_crashed_have_no_curve_and_no_effect() -> None:
    (scores,) = pack_scores([[pack(0, ending="error", error="boom")]])
    assert scores.curve == ()
    assert scores.effect.reason == "needs packs of at least 2 tasks"


def test_a_pack_played_several_times_or_by_several_seeds_counts_once() -> None:
    again = [pack(0, 1, 1, 1, 1, repeat=1), *KEPT]
    (scores,) = pack_scores([again, KEPT])
    assert [score.value for score in scores.curve] == pytest.approx([1 / 6, 0.5, 1, 1])
    assert scores.effect.n == 2


def test_episodes_of_one_task_have_no_such_scores() -> None:
    assert pack_scores([cell(1, 3)]) == []


def test_a_study_prints_them_per_condition() -> None:
    lines = score_study(Study("s", (StudyRun("run"),)), {"run": [*KEPT, *WIPED]}).lines
    names = [line.score.name for line in lines if line.section == "life cycle"]
    assert names == [*(f"position_{k}" for k in (1, 2, 3, 4)), "cod_effect", "stateful_gain", *names[6:]]
    assert len(names) == 11


TWINS = [pack(seed, 0.5, 0.5, 0.5, 0.5, lifecycle="cod-4-wiped") for seed in (0, 1)]


def test_the_twin_of_a_pack_differs_in_its_context_alone() -> None:
    kept = [pack(seed, 0, 1, 1, 1, lifecycle="cod-4") for seed in (0, 1)]
    scores = {one.spec["lifecycle"]: one for one in pack_scores([[*KEPT, *WIPED, *kept, *TWINS]])}
    assert scores["cod-4"].gain is not None
    assert scores["cod-4"].gain.value == pytest.approx(0.75 - 0.5)
    assert scores["pack-4"].gain is not None
    assert scores["pack-4"].gain.value == pytest.approx((0.75 + 0.5) / 2 - 0.25)
    told = [replace(one, spec={**one.spec, "lifecycle": "cod-4-told"}) for one in kept]
    assert all(one.gain is None for one in pack_scores([[*told, *TWINS]]))


def test_a_preset_of_another_release_still_has_its_twin() -> None:
    kept, wiped = pack(0, 0, 1, lifecycle="cod-32"), pack(0, 0, 0, lifecycle="cod-32-wiped")
    (scores, _) = pack_scores([[kept, wiped]])
    assert scores.gain is not None
    assert scores.gain.value == 0.5


def test_one_task_again_and_again_has_an_effect_of_its_own_name() -> None:
    (scores,) = pack_scores([[pack(0, 0, 0, 1, 1, lifecycle="ralph-full-4")]])
    assert (scores.effect.name, scores.effect.value) == ("ralph_effect", 1.0)


def test_a_task_that_was_never_begun_scores_nothing() -> None:
    (scores,) = pack_scores([[pack(0, 1, 1, 1, 1), pack(1, 1, 1)]])
    assert [score.value for score in scores.curve] == [1.0, 1.0, 0.5, 0.5]


def written(seed: int, is_read: bool, tokens: int) -> Episode:
    steps = tuple(step(valid=valid, completion_tokens=tokens) for valid in (True, is_read, True))
    tasks = (TaskRecord(0, 0.0, False, ""), TaskRecord(2, 1.0, True))
    parts = (Part(0, "t", 9), Part(1, "", 1, "", 99), Part(2, "t", 9))
    fields: dict[str, Any] = {"interface": "opaque", "lifecycle": "cod-4"}
    return replace(episode(seed=seed, level_id=f"sokoban:{seed}", tasks=tasks, **fields), steps=steps, parts=parts)


def test_what_memory_costs_and_how_much_of_it_could_not_be_read() -> None:
    (scores,) = pack_scores([[written(0, True, 10), written(1, False, 30)]])
    unread, tokens = scores.memory
    assert (unread.name, unread.value, unread.n) == ("unread_contexts", 0.5, 2)
    assert (tokens.name, tokens.value, tokens.n) == ("memory_tokens", 20.0, 2)
    assert [score.name for score in scores.scores[-2:]] == ["unread_contexts", "memory_tokens"]


def test_what_memory_costs_is_a_mean_over_packs_however_often_each_was_played() -> None:
    once = [written(seed, seed < 2, 10 + 10 * seed) for seed in range(4)]
    again = [replace(one, repeat=repeat) for one in once for repeat in range(1, 9)]
    (few,), (many,) = pack_scores([once]), pack_scores([[*once, *again]])
    assert few.memory == many.memory  # the same again says nothing new of other packs


def test_training_changes_effect_and_gain_on_the_same_packs() -> None:
    before = [*KEPT, *WIPED]  # effects 1 and 1, gains .5 and .25
    after = [pack(0, 0, 1, 1, 1), pack(1, 1, 1, 1, 1), pack(2, 0, 0, 0, 0), *WIPED]  # effects 1 and 0, gains .5, .75
    kept, wiped = pack_changes([before], [after])
    assert [(score.name, score.value, score.n) for score in kept.scores] == [
        ("score_change", pytest.approx(0.25), 2),
        ("effect_change", pytest.approx(-0.5), 2),
        ("gain_change", pytest.approx(0.25), 2),
    ]
    assert [(score.name, score.value) for score in wiped.scores] == [("score_change", 0.0), ("effect_change", 0.0)]


def test_a_study_says_what_training_on_one_family_changed_on_every_setting() -> None:
    study = Study("s", (StudyRun("a", "initial"), StudyRun("b", "trained", source="WebShop")))
    lines = score_study(study, {"a": [*KEPT, *WIPED], "b": [*KEPT, *WIPED]}).lines
    changed = [line for line in lines if line.section == "life cycle: change by training"]
    assert {line.subject.partition(":")[0] for line in changed} == {"trained on WebShop"}
    assert [line.score.name for line in changed] == [
        *("score_change", "effect_change", "gain_change"),
        *("score_change", "effect_change"),
    ]
    assert {line.score.value for line in changed} == {0.0}
