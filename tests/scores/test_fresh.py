"""Frozen against fresh levels: paired by setting, with an interval over the levels of both."""

import pytest

from agentgen_bench.errors import ScoreError
from agentgen_bench.scores.base import Score
from agentgen_bench.scores.bootstrap import wilson
from agentgen_bench.scores.fresh import Term, fresh_comparison, weighted_interval
from tests.scores.build import episode


def levels(solved, n, first=0, *, repeats=1, **setting):
    return [
        episode(seed - first < solved, seed=seed, repeat=repeat, **setting)
        for seed in range(first, first + n)
        for repeat in range(repeats)
    ]


def test_one_setting_is_newcombes_method_10():
    # Newcombe 1998 (Statistics in Medicine 17:873), table II, (a): 56/70 - 48/80 has 0.0524 to 0.3339
    change = fresh_comparison(levels(48, 80), levels(56, 70, 100)).change
    assert change.value == pytest.approx(0.2)
    assert (round(change.low, 4), round(change.high, 4)) == (0.0524, 0.3339)


def test_every_setting_weighs_the_same_and_pairs_with_itself():
    frozen = [*levels(8, 10), *levels(1, 10, family="WebShop")]
    fresh = [*levels(6, 10, 100), *levels(2, 20, 100, family="WebShop")]
    found = fresh_comparison(frozen, fresh)
    # Sokoban .8 -> .6, WebShop .1 -> .1: the mean change is -.1
    assert [score.value for score in found.scores] == pytest.approx([0.45, 0.35, -0.1])
    assert [(label, scores[-1].value) for label, scores in found.settings] == [
        ("Sokoban-base easy train", pytest.approx(-0.2)),
        ("WebShop-base easy train", 0.0),
    ]
    low = [(0.8, wilson(8, 10).high), (0.1, wilson(1, 10).high)]
    new = [(0.6, wilson(6, 10).low), (0.1, wilson(2, 20).low)]
    squares = [(a - b) ** 2 for a, b in [*low, *new]]
    assert found.change.low == pytest.approx(-0.1 - sum(squares) ** 0.5 / 2)


def test_settings_without_fresh_levels_are_named_and_left_out():
    frozen = [*levels(8, 10), *levels(10, 10, family="SciWorld")]
    found = fresh_comparison(frozen, levels(8, 10, 100))
    assert found.left_out == ("SciWorld-base easy train",)
    assert found.change.value == 0.0


def test_levels_all_failed_before_and_after_still_have_a_width():
    change = fresh_comparison(levels(0, 50), levels(0, 50, 100)).change
    end = wilson(0, 50).high
    assert (change.low, change.high) == (pytest.approx(-end), pytest.approx(end))


def test_repeats_of_a_level_narrow_nothing_that_other_levels_would_move():
    once = fresh_comparison(levels(50, 100), levels(50, 100, 200)).change
    often = fresh_comparison(levels(50, 100, repeats=4), levels(50, 100, 200, repeats=4)).change
    assert often.high - often.low == pytest.approx(once.high - once.low, rel=0.1)


def test_views_of_a_setting_are_one_rate():
    views = [{"richness": "lean"}, {"richness": "rich"}]
    frozen, fresh = ([e for view in views for e in levels(20, 40, first, **view)] for first in (0, 100))
    both = fresh_comparison(frozen, fresh).change
    alone = fresh_comparison(levels(20, 40), levels(20, 40, 100)).change
    assert both.high - both.low == pytest.approx(alone.high - alone.low, rel=0.15)


def test_a_fresh_level_that_is_frozen_is_refused():
    with pytest.raises(ScoreError, match="is not fresh, it is frozen too"):
        fresh_comparison(levels(1, 3), levels(1, 3, 2))


def test_runs_of_other_settings_are_refused():
    with pytest.raises(ScoreError, match="share no setting"):
        fresh_comparison(levels(1, 3), levels(1, 3, 9, family="WebShop"))


def test_a_negative_weight_turns_an_interval_round():
    found = weighted_interval([Term(-2.0, Score("x", 0.5, 0.4, 0.7))])
    assert found == (pytest.approx(-1.4), pytest.approx(-0.8))
