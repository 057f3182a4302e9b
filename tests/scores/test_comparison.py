"""Paired comparison of two runs, and aggregates over seeds."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentgen_bench.episodes import Episode
from agentgen_bench.errors import ScoreError
from agentgen_bench.scores.aggregate import interquartile_mean, iqm
from agentgen_bench.scores.base import Score
from agentgen_bench.scores.bootstrap import wilson, won_and_lost
from agentgen_bench.scores.comparison import compare
from tests.scores.build import cell, episode, is_inside, lists_of, runs


def only(a: list[Episode], b: list[Episode], *across: str) -> dict[str, Score]:
    (comparison,) = compare(a, b, across).settings
    return {score.name: score for score in comparison.scores}


def test_the_difference_is_paired_over_levels() -> None:
    a = [episode(seed < 4, seed=seed) for seed in range(10)]  # solves 0 to 3
    b = [episode(3 <= seed < 8, seed=seed) for seed in range(10)]  # solves 3 to 7
    got = only(a, b)
    assert (got["success_a"].value, got["success_b"].value) == (0.4, 0.5)
    assert got["difference"].value == pytest.approx(0.1)
    assert (got["won"].value, got["lost"].value) == (0.4, 0.3)
    assert (got["won"].low, got["won"].high) == wilson(4, 10)


def test_pairing_narrows_the_interval_where_policies_solve_the_same_levels() -> None:
    a = [episode(seed < 50, seed=seed) for seed in range(100)]
    alike = [episode(seed < 60, seed=seed) for seed in range(100)]
    unlike = [episode(seed >= 40, seed=seed) for seed in range(100)]
    close, wide = only(a, alike)["difference"], only(a, unlike)["difference"]
    assert close.value == pytest.approx(0.1)
    assert wide.value == pytest.approx(0.1)
    assert (close.high or 0) - (close.low or 0) < 0.5 * ((wide.high or 0) - (wide.low or 0))


def test_only_levels_that_both_played_count() -> None:
    (comparison,) = compare(cell(5, 10), cell(3, 5)).settings
    assert (comparison.levels, comparison.only_a, comparison.only_b) == (5, 5, 0)
    assert comparison.scores[0].value == 1.0


def test_levels_are_matched_by_content_not_by_seed() -> None:
    a = [episode(True, seed=0, level_id="x"), episode(seed=1, level_id="y")]
    b = [episode(seed=0, level_id="y"), episode(True, seed=1, level_id="x")]
    assert only(a, b)["difference"].value == 0


def test_runs_without_a_common_level_are_not_compared() -> None:
    with pytest.raises(ScoreError, match="share no level"):
        compare(cell(1, 2), cell(1, 2, difficulty="hard"))


def test_three_ties_do_not_show_that_two_policies_are_the_same() -> None:
    got = only(cell(3, 3), cell(3, 3))["difference"]
    assert got.value == 0
    assert got.low is not None
    assert got.high is not None
    assert got.low < -0.5
    assert got.high > 0.5


def test_lean_and_rich_text_of_the_same_levels_can_be_paired() -> None:
    got = only(cell(3, 10, richness="lean"), cell(7, 10, richness="rich"), "richness")
    assert got["difference"].value == pytest.approx(0.4)


def test_a_knob_that_changes_the_level_cannot_be_paired_across() -> None:
    with pytest.raises(ScoreError, match="cannot pair across 'difficulty'; choose among: richness"):
        compare(cell(1, 2), cell(1, 2), ["difficulty"])


def test_a_run_that_holds_both_views_is_ambiguous() -> None:
    both = cell(3, 10, richness="lean") + cell(7, 10, richness="rich")
    with pytest.raises(ScoreError, match="one run holds both"):
        compare(both, both, ["richness"])


def test_settings_weigh_the_same_in_the_mean_difference() -> None:
    a = cell(0, 10) + cell(0, 90, difficulty="hard")
    b = cell(10, 10) + cell(0, 90, difficulty="hard")
    found = compare(a, b).difference
    assert found.value == 0.5
    assert (found.low, found.high) == won_and_lost(50, 0, 100)  # every redraw gives 0.5


def test_a_level_of_which_half_the_repeats_were_won_is_half_a_level_won() -> None:
    a = [episode(seed=seed, repeat=repeat) for seed in range(24) for repeat in (0, 1)]
    b = [episode(repeat == 0, seed=seed, repeat=repeat) for seed in range(24) for repeat in (0, 1)]
    got = only(a, b)
    assert (got["difference"].low, got["difference"].high) == won_and_lost(12, 0, 24)
    assert (got["success_b"].low, got["success_b"].high) == wilson(12, 24)
    assert (got["won"].value, got["lost"].value) == (1.0, 0.0)  # shares of levels, by whatever much


@st.composite
def two_runs(draw: st.DrawFn) -> tuple[list[Episode], list[Episode]]:
    """Two runs on the same levels of settings of any size; in some settings all levels end alike."""
    found: tuple[list[Episode], list[Episode]] = ([], [])
    for difficulty in draw(st.sampled_from([("easy",), ("easy", "hard")])):
        repeats = draw(st.integers(1, 4))
        level = st.tuples(*[st.lists(st.booleans(), min_size=repeats, max_size=repeats)] * 2)
        for seed, both in enumerate(draw(lists_of(level))):
            for episodes, solved in zip(found, both, strict=True):
                episodes += [episode(ok, seed=seed, repeat=k, difficulty=difficulty) for k, ok in enumerate(solved)]
    return found


@settings(max_examples=60)
@given(two_runs())
def test_every_score_of_a_comparison_is_inside_its_interval(both: tuple[list[Episode], list[Episode]]) -> None:
    found = compare(*both)
    scores = [found.difference, *(score for one in found.settings for score in one.scores)]
    assert all(map(is_inside, scores))


@settings(max_examples=25)
@given(runs(min_size=1, max_size=10))
def test_a_run_never_differs_from_itself(episodes: list[Episode]) -> None:
    got = compare(episodes, episodes)
    assert got.difference.value == 0
    assert all(score.value == 0 for one in got.settings for score in one.scores if score.name in ("won", "lost"))


@settings(max_examples=25)
@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=12))
def test_swapping_the_runs_turns_the_sign(outcomes: list[tuple[bool, bool]]) -> None:
    a = [episode(before, seed=seed) for seed, (before, _) in enumerate(outcomes)]
    b = [episode(after, seed=seed) for seed, (_, after) in enumerate(outcomes)]
    there, back = only(a, b), only(b, a)
    assert there["difference"].value == -(back["difference"].value or 0)
    assert there["won"].value == back["lost"].value


def test_the_interquartile_mean_cuts_a_quarter_at_each_end() -> None:
    # Agarwal et al. 2021: scipy.stats.trim_mean(values, 0.25)
    assert interquartile_mean([0.9, 0.1, 0.4, 0.3]) == pytest.approx(0.35)
    assert interquartile_mean([0.5, 0.1, 0.3]) == pytest.approx(0.3)  # three values: nothing to cut


def test_the_iqm_of_rates_is_not_that_of_raw_outcomes() -> None:
    # 2 of 10 solved in each of four cells: the middle half of the forty 0/1 outcomes would be all 0
    cells = [{"A": 0.2, "B": 0.2}, {"A": 0.2, "B": 0.2}]
    assert iqm(cells).value == pytest.approx(0.2)
    assert interquartile_mean([1.0] * 8 + [0.0] * 32) == 0.0


def test_one_seed_gives_a_value_without_an_interval() -> None:
    got = iqm([{"A": 0.1, "B": 0.3}])
    assert (got.value, got.low, got.high) == (0.2, None, None)


def test_a_missing_cell_leaves_the_iqm_undefined() -> None:
    assert iqm([{"A": 0.1, "B": 0.3}, {"A": 0.2}]).reason == "not evaluated: seed 1 on B"


@settings(max_examples=25)
@given(st.lists(st.fixed_dictionaries({"A": st.floats(0, 1), "B": st.floats(0, 1)}), min_size=2, max_size=5))
def test_the_iqm_lies_among_its_cells(seeds: list[dict[str, float]]) -> None:
    got = iqm(seeds)
    values = [rate for seed in seeds for rate in seed.values()]
    assert got.value is not None
    assert got.low is None  # whatever the number of seeds
    assert min(values) - 1e-12 <= got.value <= max(values) + 1e-12
