"""Reliability, cost and horizon: numbers worked by hand, and what makes each undefined."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentgen_bench.scores.base import Score
from agentgen_bench.scores.bootstrap import wilson
from agentgen_bench.scores.cost import budget_curve, success_within, tokens_per_success
from agentgen_bench.scores.horizon import Reach, distance, reach
from agentgen_bench.scores.reliability import consistency, pass_hat_k, repeat_counts
from agentgen_bench.scores.run_scores import run_scores
from agentgen_bench.scores.study import Study, StudyRun
from agentgen_bench.scores.study_scores import score_study
from agentgen_bench.seeding import stream
from tests.scores.build import cell, episode, step

levels = st.lists(st.integers(2, 6).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))), min_size=1, max_size=8)


def test_pass_hat_k_is_the_share_of_subsets_that_are_all_solved() -> None:
    # 3 of 4: C(3,2) / C(4,2) = 3 / 6; 4 of 4: 1; 1 of 4: 0 -> mean .5
    assert pass_hat_k([(3, 4), (4, 4), (1, 4)], 2, stream("t")).value == pytest.approx(0.5)
    assert pass_hat_k([(3, 4), (4, 4), (1, 4)], 4, stream("t")).value == pytest.approx(1 / 3)
    assert pass_hat_k([(3, 4), (4, 4), (1, 4)], 1, stream("t")).value == pytest.approx(8 / 12)


def test_consistency_has_no_bias() -> None:
    # n = 2: both outcomes alike is 1, one of two is 1 - 4 / 2 = -1. At p = .5 half of the levels agree: 0, as it must
    # be (the printed form, divided by n^2, would give .5).
    assert consistency([(0, 2), (1, 2), (2, 2), (1, 2)], stream("t")).value == 0.0
    assert consistency([(1, 4)], stream("t")).value == pytest.approx(1 - 4 * 3 / 12)  # 0
    assert consistency([(4, 4), (0, 4)], stream("t")).value == 1.0


def test_levels_that_all_agree_still_leave_doubt_about_consistency() -> None:
    score = consistency([(2, 2)] * 10, stream("t"))
    low, high = wilson(10, 10)
    assert (score.low, score.high) == pytest.approx((2 * low - 1, 2 * high - 1))


def test_without_repeats_reliability_is_undefined_and_says_what_to_play() -> None:
    why = "a level was played once only; play repeats (evaluate --repeats)"
    assert pass_hat_k([(1, 1), (2, 3)], 2, stream("t")).reason == why
    assert consistency([(1, 1)], stream("t")).reason == why
    assert pass_hat_k([(1, 3)], 4, stream("t")).reason == "a level was played 3 times only; it needs 4 repeats"
    assert repeat_counts([(1, 8), (0, 9)]) == [2, 4, 8]


@given(levels)
def test_all_solved_twice_is_never_likelier_than_once(played: list[tuple[int, int]]) -> None:
    once, twice = (pass_hat_k(played, k, stream("t")).value for k in (1, 2))
    assert once is not None
    assert twice is not None
    assert twice <= once + 1e-12


@given(levels)
def test_consistency_and_pass_hat_2_tell_the_same_story(played: list[tuple[int, int]]) -> None:
    # 1 - 4 c (n - c) / (n (n - 1)) = 1 - 4 (pass^1 - pass^2) for each level
    once, twice = (pass_hat_k(played, k, stream("t")).value or 0.0 for k in (1, 2))
    assert consistency(played, stream("t")).value == pytest.approx(1 - 4 * (once - twice))


PLAYED = [
    episode(True, seed=0, steps=[step(completion_tokens=30), step(completion_tokens=30)]),
    episode(True, seed=1, steps=[step(completion_tokens=100)]),
    episode(False, seed=2, steps=[step(completion_tokens=200)]),
    episode(False, seed=3, steps=[step(completion_tokens=20)]),
]


def test_success_within_a_budget_counts_an_episode_that_needed_more_as_failed() -> None:
    curve = budget_curve(PLAYED, stream("t"))
    assert [score.name for score in curve] == [f"success_within_{b}_tokens" for b in (64, 128, 256)]
    assert [score.value for score in curve] == [0.25, 0.5, 0.5]
    assert (curve[1].low, curve[1].high) == wilson(2, 4)
    assert success_within(PLAYED, 59, stream("t")).value == 0.0
    assert success_within(PLAYED, 60, stream("t")).value == 0.25


def test_tokens_per_success_count_what_failures_cost() -> None:
    assert tokens_per_success(PLAYED, stream("t")).value == 190  # (60 + 100 + 200 + 20) / 2
    assert tokens_per_success(PLAYED[2:], stream("t")).reason == "no episode was solved"


def test_a_policy_without_tokens_has_no_cost() -> None:
    assert budget_curve(cell(1, 3), stream("t")) == []
    assert tokens_per_success(cell(1, 3), stream("t")).reason == "this policy generates no tokens"


def far(*groups: tuple[int, int, int], key: str = "optimal_moves") -> Reach:
    """Levels as (distance, solved, played)."""
    episodes = [
        episode(k < solved, seed=1000 * d + k, analysis={key: d}) for d, solved, played in groups for k in range(played)
    ]
    return reach(episodes, stream("t"))


@pytest.mark.parametrize("key", ["optimal_moves", "plan_steps"])
def test_the_horizon_of_two_distances_by_hand(key: str) -> None:
    # log-odds ln 3 at 2 actions, - ln 3 at 8: zero at 4, and two doublings apart
    horizon, slope = far((2, 30, 40), (8, 10, 40), key=key)
    assert horizon.value == pytest.approx(4.0)
    assert slope.value == pytest.approx(-1.0986, abs=1e-4)
    assert horizon.low is not None
    assert horizon.high is not None
    assert 2 < horizon.low < 4 < horizon.high < 8


def test_the_fit_is_the_one_of_maximum_likelihood() -> None:
    # Three points: sums of errors and of errors times x must vanish; a = .8473, b = -.8473 fit (7, 5, 3) of 10 exactly
    horizon, slope = far((1, 7, 10), (2, 5, 10), (4, 3, 10))
    assert (horizon.value, slope.value) == pytest.approx((2.0, -0.8473), abs=1e-4)


@pytest.mark.parametrize(
    ("groups", "why"),
    [
        ([(4, 1, 2)], "all levels are equally far from the goal; play several difficulties"),
        ([(2, 0, 5), (8, 0, 5)], "no episode was solved: one half lies below the distances played"),
        ([(2, 5, 5), (8, 5, 5)], "all were solved: one half lies beyond 8 actions"),
        ([(2, 1, 9), (8, 4, 9)], "success does not fall with the distance"),
        ([(2, 4, 9), (8, 1, 9)], "success is one half at none of the distances played, 2 to 8 actions"),
        ([(2, 9, 9), (8, 0, 9)], "the distance parts solved and failed levels without overlap; play more levels"),
    ],
)
def test_a_horizon_that_cannot_be_told_says_why(groups: list[tuple[int, int, int]], why: str) -> None:
    assert [score.reason for score in far(*groups)] == [why, why]


def test_an_unknown_distance_is_left_out_and_counted() -> None:
    horizon, _ = reach([episode(seed=1), episode(True, seed=2)], stream("t"))
    assert horizon.reason == "no record holds the exact distance to the goal"
    assert horizon.left_out == ("2 episodes whose distance is not known",)


@pytest.mark.parametrize("length", [0.3, 0, -2, 10**20])
def test_what_is_no_number_of_actions_is_no_distance(length: float) -> None:
    assert distance(episode(analysis={"optimal_moves": length})) is None


def test_a_run_has_what_its_records_allow() -> None:
    assert run_scores(cell(2, 5)) == []
    repeated = [episode(seed == 0, seed=seed, repeat=repeat) for seed in range(4) for repeat in range(2)]
    (one,) = run_scores(repeated)
    assert (one.section, one.setting, one.episodes) == ("reliability", "Sokoban-base easy train", 8)
    assert [score.name for score in one.scores] == ["pass^2", "consistency"]
    assert run_scores([episode(seed=1, repeat=r, interface="opaque", lifecycle="pack-4") for r in (0, 1)]) == []


def test_the_horizon_stands_over_all_difficulties_of_a_family() -> None:
    easy = [episode(k < 3, seed=k, difficulty="easy", analysis={"optimal_moves": 2}) for k in range(4)]
    hard = [episode(k < 1, seed=k, difficulty="hard", analysis={"optimal_moves": 8}) for k in range(4)]
    (one,) = run_scores([*easy, *hard])
    assert (one.section, one.setting, one.scores[0].value) == ("horizon", "Sokoban-base train", pytest.approx(4.0))
    assert one.episodes == 8


def test_a_study_prints_them_for_each_run_but_not_over_checkpoints() -> None:
    def names(run: StudyRun) -> list[Score]:
        scores = score_study(Study("s", (run,)), {"a": PLAYED})
        return [line.score for line in scores.lines if line.section == "cost"]

    assert [score.name for score in names(StudyRun("a"))][-1] == "tokens_per_success"
    assert names(StudyRun("a", "joint", also=("b",))) == []
