"""Mean and variance of success between harnesses, against numbers worked out by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentgen_bench.scores.harness import ALL, harness_difference, harness_scores, harness_variance
from tests.scores.build import episode


def played(solved: dict[str, list[int]], family: str = "Sokoban"):
    """Return the runs of harnesses on levels 0, 1, 2, ...; `solved` lists which levels each harness solves."""
    return {
        name: [episode(i in won, seed=i, level_id=f"{family}:{i}", family=family) for i in range(8)]
        for name, won in solved.items()
    }


def test_the_variance_is_that_between_rates_less_what_chance_adds():
    # Rates .25, .5, .75: S2 = (.0625 + 0 + .0625) / 2 = .0625.
    # Redraws (columns) less their mean over harnesses: (-.2, 0, .2), (-.3, 0, .3): each harness moves by +-.05 about
    # its own mean, so Var = .005, 0, .005 and N = .01 / 2 = .005. S2 - N = .0575.
    draws = np.array([[0.3, 0.1], [0.5, 0.4], [0.7, 0.7]])
    score = harness_variance([0.25, 0.5, 0.75], draws, 8)
    assert score.value == pytest.approx(0.0575)
    # Redrawn S2: .08 / 2 = .04 and .18 / 2 = .09; less 2 N: .03 and .08.
    assert (score.low, score.high) == (pytest.approx(0.03), pytest.approx(0.08))
    assert score.n == 8


def test_a_variance_below_nothing_counts_as_none():
    score = harness_variance([0.5, 0.5], np.array([[0.4, 0.6], [0.6, 0.4]]), 8)
    assert score.value == 0.0


def test_one_harness_has_no_variance():
    score = harness_variance([0.5], np.array([[0.4, 0.6]]), 8)
    assert (score.value, score.reason) == (None, "a variance needs two harnesses")


def test_harnesses_that_solve_the_same_levels_differ_in_nothing():
    (one,) = harness_scores(played({"window": [0, 1, 2, 3], "chat": [0, 1, 2, 3]}))
    mean, variance = one.scores
    assert (mean.name, mean.value, variance.name, variance.value) == ("harness_mean", 0.5, "harness_variance", 0.0)
    assert (variance.low, variance.high) == (None, None)  # every redraw agrees: that is no certainty


def test_a_grid_says_what_each_harness_reaches_and_how_far_they_lie_apart():
    # 6, 4 and 2 of 8 levels, each set inside the one before: S2 = .0625. Per level, the outcomes less their mean over
    # the harnesses are 0, 0 (levels 0, 1), (1/3, 1/3, -2/3) twice, (2/3, -1/3, -1/3) twice, 0, 0: over levels their
    # variance (divisor 8) is 2/3 / 8 ... harness 1: (1/9 * 2 + 4/9 * 2) / 8 - (1/4)^2 = .0763889, harness 2:
    # (1/9 * 4) / 8 - 0 = .0555556, harness 3 as 1; N = (2 * .0763889 + .0555556) / 8 / 2 = .0130208.
    (one,) = harness_scores(played({"a": [0, 1, 2, 3, 4, 5], "b": [0, 1, 2, 3], "c": [0, 1]}))
    assert one.subject == "Sokoban"
    assert one.rates == {"a": 0.75, "b": 0.5, "c": 0.25}
    mean, variance = one.scores
    assert mean.value == 0.5
    assert variance.value == pytest.approx(0.0625 - 0.0130208, abs=0.0008)  # N is by 2,000 redraws: within 5 %
    assert variance.low is not None
    assert variance.high is not None
    assert variance.low <= variance.value <= variance.high


def test_over_several_families_stands_the_mean_of_their_rates():
    sokoban, shop = played({"a": [0], "b": [0, 1]}), played({"a": [0, 1, 2], "b": [0, 1, 2, 3]}, "WebShop")
    found = harness_scores({name: [*sokoban[name], *shop[name]] for name in sokoban})
    assert [one.subject for one in found] == ["Sokoban", "WebShop", ALL]
    assert found[2].rates == {"a": 0.25, "b": 0.375}


@given(st.lists(st.lists(st.integers(0, 7), max_size=8), min_size=2, max_size=4), st.randoms())
def test_the_order_of_harnesses_and_episodes_does_not_matter(won, random):
    runs = played({f"h{i}": levels for i, levels in enumerate(won)})
    shuffled = {name: random.sample(episodes, len(episodes)) for name, episodes in reversed(runs.items())}
    (one,), (other,) = harness_scores(runs), harness_scores(shuffled)
    assert one.scores == other.scores
    assert one.scores[1].value is not None
    assert 0 <= one.scores[1].value <= 0.5


def test_two_grids_differ_by_the_mean_over_harnesses():
    # A: 2 and 4 of 8, B: 4 and 8 of 8: the mean difference is (.25 + .5) / 2.
    a, b = played({"x": [0, 1], "y": [0, 1, 2, 3]}), played({"x": [0, 1, 2, 3], "y": list(range(8))})
    difference = harness_difference(a, b)
    assert difference.value == 0.375
    assert difference.low is not None
    assert 0 < difference.low < 0.375
    assert harness_difference(b, a).value == -0.375
    assert harness_difference(a, a).low is None


def test_two_grids_whose_runs_share_no_family_differ_by_nothing_that_is_known():
    grid = {"x": played({"x": [0]})["x"], "y": played({"y": [0]}, "WebShop")["y"]}
    difference = harness_difference(grid, grid)
    assert difference.value is None
    assert difference.reason == "there is no family of which all runs of both grids have played the same level"
