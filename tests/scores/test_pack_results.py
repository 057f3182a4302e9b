"""What results.json says of packs, worked out by hand."""

from dataclasses import replace
from typing import Any

import pytest

from agentgen_bench.contract import TaskRecord
from agentgen_bench.episodes import Episode
from agentgen_bench.scores.success import results
from agentgen_bench.spec import LifecycleSpec
from tests.scores.build import episode, step

FACT = (("fact", "rule"),)


def pack(kind: str, seed: int, *scores: float, tokens: int = 0) -> Episode:
    """A pack of one step a task, and one more in which each context is written; `tokens` is what each of those took."""
    strategy, size, *context = kind.split("-")
    lifecycle = LifecycleSpec(int(size), *context, update="episode", strategy=strategy)
    notes = ["x" if not context else None] * (len(scores) - 1) + [None]
    tasks = tuple(
        TaskRecord(2 * k, score, score == 1, note) for k, (score, note) in enumerate(zip(scores, notes, strict=True))
    )
    steps = [step(completion_tokens=tokens * (k % 2)) for k in range(2 * len(scores) - 1)]
    level_id = f"sokoban:{strategy}-{size}-{seed}"
    return episode(seed=seed, level_id=level_id, steps=steps, tasks=tasks, knobs=FACT, lifecycle=lifecycle)


def overall(*episodes: Episode) -> dict[str, Any]:
    return {name: score["value"] for name, score in results(episodes)["packs"]["overall"].items()}


def test_means_weigh_each_setting_the_same_and_leave_out_what_was_not_kept() -> None:
    found = overall(
        pack("cod-2", 0, 0, 1, tokens=30),
        pack("cod-2", 1, 1, 1, tokens=10),
        pack("cod-2-wiped", 0, 0, 0),
        pack("cod-2-told", 0, 1, 1),
        pack("cod-3", 0, 0, 0.5, 0.25, tokens=5),
        pack("ralph_sample-2", 0, 0.25, 1, tokens=8),
    )
    assert found["kept_score"] == pytest.approx(((0.5 + 1) / 2 + 0.25) / 2)
    assert found["first_position"] == pytest.approx((0.5 + 0) / 2)
    assert found["last_position"] == pytest.approx((1 + 0.25) / 2)
    assert found["cod_effect"] == pytest.approx((0.5 + 0.25) / 2)
    assert found["stateful_gain"] == pytest.approx(0.5)  # pack 0 of cod-2 alone was played with the context wiped
    assert found["ralph_effect"] == pytest.approx(0.75)
    assert found["memory_tokens"] == pytest.approx((20 + 10 + 8) / 3)


def test_what_no_setting_gives_is_left_out_and_runs_without_packs_say_nothing() -> None:
    assert list(overall(pack("cod-2-wiped", 0, 0, 1))) == []
    assert list(overall(pack("cod-2", 0, 0, 1))) == ["kept_score", "first_position", "last_position", "cod_effect"]
    assert "packs" not in results([episode()])


def test_each_setting_has_its_curve_and_packs_that_are_all_alike_an_interval_with_a_width() -> None:
    found = results([pack("cod-2", seed, 0, 1) for seed in range(5)])["packs"]
    (setting,) = found["settings"]
    assert [setting["scores"][name]["value"] for name in ("position_1", "position_2", "cod_effect")] == [0, 1, 1]
    effect = found["overall"]["cod_effect"]
    assert effect["low"] < effect["high"] <= 1
    assert found["overall"]["last_position"]["low"] < 1


@pytest.mark.parametrize("sizes", [(8, 8), (2, 12)])
def test_means_over_settings_whose_packs_are_all_alike_are_inside_their_intervals(sizes: tuple[int, int]) -> None:
    first = [pack(kind, seed, *scores) for kind, *scores in (("cod-3", 0, 1, 0.75), ("cod-3-wiped", 0, 0, 0))
             for seed in range(sizes[0])]  # fmt: skip
    second = [pack("cod-2", seed, 0, 0.25) for seed in range(sizes[1])]
    found = results([*first, *second])["packs"]["overall"]
    assert found["cod_effect"]["value"] == (0.75 + 0.25) / 2
    for score in found.values():
        assert score["low"] <= score["value"] <= score["high"]


def test_a_crashed_pack_fails_at_every_position() -> None:
    crashed = replace(pack("cod-2", 1, 1, 1), ending="error", error="boom")
    found = overall(pack("cod-2", 0, 1, 1), crashed)
    assert (found["kept_score"], found["cod_effect"]) == (0.5, 0)


def test_settings_whose_packs_all_crashed_have_no_scores_of_packs() -> None:
    crashed = [replace(pack(kind, 0, 1, 1), ending="error", error="boom") for kind in ("cod-2", "cod-2-wiped")]
    found = results(crashed)["packs"]
    assert found["overall"] == {}
    assert [setting["scores"]["cod_effect"]["value"] for setting in found["settings"]] == [None, None]
