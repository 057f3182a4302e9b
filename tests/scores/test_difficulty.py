"""Difficulty transfer, recovery and slope."""

import pytest

from agentgen_bench.scores.base import Interval
from agentgen_bench.scores.difficulty import difficulty_slope, difficulty_transfer, recovery

INITIAL = {"easy": 0.30, "hard": 0.10}
AFTER_EASY = {"easy": 0.80, "hard": 0.25}
AFTER_HARD = {"easy": 0.60, "hard": 0.40}


def test_transfer_is_the_gain_on_the_target() -> None:
    assert difficulty_transfer(INITIAL, AFTER_EASY, "hard").value == pytest.approx(0.15)


def test_recovery_is_the_share_of_the_gain_of_training_on_the_target() -> None:
    assert recovery(INITIAL, AFTER_EASY, AFTER_HARD, "hard").value == pytest.approx(0.5)  # .15 / .30


def test_recovery_is_undefined_where_training_on_the_target_may_have_given_nothing() -> None:
    score = recovery(INITIAL, AFTER_EASY, AFTER_HARD, "hard", Interval(-0.02, 0.6))
    assert score.value is None
    assert score.reason == "the gain of training on hard itself is not distinguishable from 0"
    assert recovery(INITIAL, AFTER_EASY, INITIAL, "hard").value is None


def test_a_missing_difficulty_is_named() -> None:
    score = recovery(INITIAL, AFTER_EASY, {"easy": 0.6}, "hard")
    assert score.reason == "the policy trained there was not evaluated on hard"
    assert difficulty_transfer({}, AFTER_EASY, "hard").reason == "hard was not evaluated before training"


def test_the_slope_is_paired_over_environments() -> None:
    rates = {
        "Sokoban": {"easy": 0.9, "medium": 0.5, "hard": 0.1},
        "WebShop": {"easy": 0.7, "medium": 0.6, "hard": 0.5},
        "SciWorld": {"easy": 0.1, "medium": 0.1},  # no hard: would pull easy down alone
    }
    levels, drop = difficulty_slope(rates)
    assert [score.value for score in levels.values()] == pytest.approx([0.8, 0.55, 0.3])
    assert drop.value == pytest.approx(0.5)  # ((.9 - .1) + (.7 - .5)) / 2
    assert drop.left_out == ("SciWorld: not evaluated on every difficulty",)


def test_the_slope_is_undefined_where_no_environment_has_every_difficulty() -> None:
    levels, drop = difficulty_slope({"Sokoban": {"easy": 0.9}})
    assert drop.reason == "no environment was evaluated on all of easy, medium, hard"
    assert {score.value for score in levels.values()} == {None}
