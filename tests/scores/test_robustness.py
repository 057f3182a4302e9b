"""The robustness ratio: numbers worked by hand, pairing by level, what makes it undefined."""

import pytest

from agentgen_bench.scores.base import Score
from agentgen_bench.scores.robustness import robustness
from agentgen_bench.scores.run_scores import run_scores
from agentgen_bench.scores.units import in_units
from agentgen_bench.seeding import stream
from tests.scores.build import episode


def group(outcomes: str, faults: str = "none", first: int = 0) -> list:
    """Return an episode per character: 1 solved, 0 not; the levels are numbered from `first`."""
    return [episode(one == "1", seed=first + k, faults=faults) for k, one in enumerate(outcomes)]


def scored(clean: list, faulty: list) -> tuple[Score, Score]:
    return robustness(clean, faulty, stream("t"))


def test_the_ratio_is_success_with_faults_over_success_without() -> None:
    ratio, change = scored(group("11110000"), group("11010000", "mixed-v1"))
    assert ratio.value == pytest.approx(3 / 4)
    assert change.value == pytest.approx(-1 / 8)
    assert (ratio.n, change.n) == (8, 8)


def test_repeats_of_a_level_weigh_like_one_level() -> None:
    clean = group("11")
    faulty = [episode(k == 0, seed=0, repeat=k, faults="mixed-v1") for k in range(4)] + group("1", "mixed-v1", 1)
    assert scored(clean, faulty)[0].value == pytest.approx((1 / 4 + 1) / 2)


def test_only_levels_that_both_have_played_count() -> None:
    ratio, _ = scored(group("1100"), group("0111", "mixed-v1", 1))  # levels 1, 2, 3: 1 0 0 and 0 1 1
    assert (ratio.value, ratio.n) == (2.0, 3)
    assert scored(group("1"), group("1", "mixed-v1", 1))[0].reason == "no level was played both with faults and without"


def test_where_nothing_is_solved_without_faults_there_is_no_share_of_it() -> None:
    ratio, change = scored(group("0000"), group("1000", "mixed-v1"))
    assert ratio.reason == "nothing is solved without faults: there is no share of nothing"
    assert change.value == 0.25


def test_levels_are_redrawn_in_pairs() -> None:
    # With faults the same levels are solved: whatever is redrawn, the ratio is 1 and no interval could say more.
    clean, faulty = group("1100" * 10), group("1100" * 10, "mixed-v1")
    assert (scored(clean, faulty)[0].value, scored(clean, faulty)[0].low) == (1.0, None)
    ratio, _ = scored(group("1100" * 10), group("1000" * 10, "mixed-v1"))
    assert ratio.low is not None
    assert ratio.high is not None
    assert ratio.low < 0.5 < ratio.high < 1


def test_a_run_with_both_settings_has_it_and_one_without_has_not() -> None:
    both = [*group("1100"), *group("1000", "mixed-v1")]
    (one,) = run_scores(both)
    assert (one.section, one.setting) == ("robustness", 'Sokoban-base easy train faults="mixed-v1"')
    assert [in_units(score.name, score.value) for score in one.scores] == ["50.0 %", "-25.0 pp"]
    assert run_scores(group("1000", "mixed-v1")) == []
