"""Intervals."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentgen_bench.errors import ScoreError
from agentgen_bench.scores.base import NO_INTERVAL, Interval
from agentgen_bench.scores.bootstrap import (
    Clusters,
    percentile_interval,
    rate_interval,
    ratio_interval,
    wilson,
)
from agentgen_bench.seeding import stream


def test_wilson_gives_the_textbook_interval() -> None:
    # Newcombe 1998, table I, method 3:
    # 81 of 263 -> .2553 to .3662; 15 of 148 -> .0624 to .1605; 1 of 29 -> .0061 to .1718
    assert wilson(81, 263) == pytest.approx((0.2553, 0.3662), abs=5e-5)
    assert wilson(15, 148) == pytest.approx((0.0624, 0.1605), abs=5e-5)
    assert wilson(1, 29) == pytest.approx((0.0061, 0.1718), abs=5e-5)
    assert wilson(0, 20) == pytest.approx((0.0, 0.1611), abs=5e-5)


def test_wilson_of_nothing_is_no_interval() -> None:
    assert wilson(0, 0) == NO_INTERVAL


def test_more_successes_than_episodes_are_refused() -> None:
    with pytest.raises(ScoreError, match="3 successes of 2"):
        wilson(3, 2)


@given(st.integers(1, 300).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilson_holds_the_rate_and_stays_in_range(cell: tuple[int, int]) -> None:
    successes, n = cell
    low, high = wilson(successes, n)
    assert 0 <= low <= successes / n <= high <= 1
    assert low < high


@given(st.integers(1, 300).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilson_mirrors_when_success_and_failure_swap(cell: tuple[int, int]) -> None:
    successes, n = cell
    low, high = wilson(successes, n)
    assert wilson(n - successes, n) == pytest.approx((1 - high, 1 - low), abs=1e-12)


def test_five_hundred_levels_at_a_fifth_give_half_a_width_of_three_and_a_half_points() -> None:
    low, high = wilson(100, 500)
    assert (high - low) / 2 == pytest.approx(0.035, abs=5e-4)


def test_the_same_generator_state_gives_the_same_interval() -> None:
    sums, counts = [0.0, 1.5, 2.0, 0.25], [2, 3, 2, 1]
    assert ratio_interval(sums, counts, stream("t")) == ratio_interval(sums, counts, stream("t"))
    assert ratio_interval(sums, counts, stream("t")) != ratio_interval([0.0, 3, 1, 0.5], counts, stream("t"))


def test_the_percentile_interval_leaves_two_and_a_half_percent_on_each_side() -> None:
    # 0..2000: 2.5 % of the 2000 gaps is 50.
    assert percentile_interval(np.arange(2001.0)) == Interval(50.0, 1950.0)


def test_a_score_undefined_in_many_resamples_has_no_interval() -> None:
    draws = np.arange(100.0)
    draws[:6] = np.nan
    assert percentile_interval(draws) == NO_INTERVAL
    assert percentile_interval(draws[2:]) != NO_INTERVAL


def test_copies_of_a_level_do_not_narrow_the_interval() -> None:
    twice = rate_interval([2.0] * 20 + [0.0] * 60, [2] * 80, stream("t"))
    ten_times = rate_interval([10.0] * 20 + [0.0] * 60, [10] * 80, stream("t"))
    assert twice == ten_times


def test_the_cluster_bootstrap_agrees_with_wilson_on_many_independent_levels() -> None:
    # Two repeats that always agree carry as much as one episode a level.
    bootstrap = rate_interval([2.0] * 100 + [0.0] * 400, [2] * 500, stream("t"))
    assert bootstrap == pytest.approx(wilson(100, 500), abs=0.006)


def test_levels_that_all_agree_fall_back_to_wilson_over_levels() -> None:
    assert rate_interval([3.0] * 8, [3] * 8, stream("t")) == wilson(8, 8)


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(1, 3)), min_size=1, max_size=12))
def test_a_rate_interval_stays_in_range(levels: list[tuple[int, int]]) -> None:
    sums = [float(min(successes, count)) for successes, count in levels]
    low, high = rate_interval(sums, [count for _, count in levels], stream("t"))
    assert low is not None
    assert high is not None
    assert 0 <= low <= high <= 1


def test_one_level_has_no_interval_for_an_unbounded_mean() -> None:
    assert ratio_interval([17.0], [1], stream("t")) == NO_INTERVAL


def test_sums_that_do_not_fit_into_a_resample_are_refused() -> None:
    # 2**63 / 2**24 / 200 levels = 2.75e9: a redraw of 5e9 a level would come out below 0.
    with pytest.raises(ScoreError, match=r"a level's sum is 5e\+09; redraws of 200 levels are exact below 2.75e\+09"):
        ratio_interval([5e9] * 200, [1] * 200, stream("t"))
    with pytest.raises(ScoreError, match=r"a level's sum is 1e\+12"):
        ratio_interval([1e12, 0.0], [1, 1], stream("t"))
    assert ratio_interval([2.7e9] * 200, [1] * 200, stream("t")) == (2.7e9, 2.7e9)


def test_a_resample_without_a_step_is_undefined() -> None:
    draws = Clusters.of([0.0, 4.0], [0, 2]).draws(np.array([[0, 0], [0, 1]]))
    assert np.isnan(draws[0])
    assert draws[1] == 2.0


def test_intervals_cover_the_truth_about_as_often_as_they_say() -> None:
    # 200 draws of 60 levels x 2 repeats whose success is the level's own (fully clustered): 95 % +- 4 standard errors.
    rng = stream("coverage")
    truth, hits = 0.3, 0
    for _ in range(200):
        sums = (2.0 * (rng.random(60) < truth)).tolist()
        low, high = rate_interval(sums, [2] * 60, rng)
        assert low is not None
        assert high is not None
        hits += low <= truth <= high
    assert 0.89 <= hits / 200 <= 1.0
