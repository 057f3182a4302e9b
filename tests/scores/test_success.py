"""results.json: what is counted, over what, and that nothing is dropped."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentgen_bench.episodes import Episode
from agentgen_bench.errors import ScoreError
from agentgen_bench.scores import success
from agentgen_bench.scores.base import Score, by_setting
from agentgen_bench.scores.bootstrap import wilson
from agentgen_bench.scores.success import SettingSummary, results
from tests.scores.build import cell, episode, is_inside, runs, step


def summaries(episodes: list[Episode]) -> list[SettingSummary]:
    return [success.summary(group) for group in by_setting(episodes).values()]


def scores(episodes: list[Episode]) -> dict[str, Score]:
    (summary,) = summaries(episodes)
    return {score.name: score for score in summary.scores}


def test_success_is_the_share_of_solved_episodes_with_its_wilson_interval() -> None:
    rate = scores(cell(3, 10))["success"]
    assert (rate.value, rate.n) == (0.3, 10)
    assert (rate.low, rate.high) == wilson(3, 10)


def test_a_crashed_episode_is_a_failure_and_stays_in_the_denominator() -> None:
    crash = episode(True, seed=9, ending="error", error="RuntimeError: JVM: gone", score=0.7)
    (summary,) = summaries([*cell(1, 1), crash])
    assert summary.score("success").value == 0.5
    assert summary.score("score").value == 0.5
    assert summary.errors == {"RuntimeError": 1}
    assert summary.crashed == ((9, 0, "RuntimeError: JVM: gone"),)
    assert summary.endings == {"terminated": 1, "truncated": 0, "error": 1}


def test_steps_tokens_and_invalid_actions_are_counted() -> None:
    first = [step(prompt_tokens=100, completion_tokens=10), step(None, valid=False, parse_reason="empty")]
    second = [step("fly", valid=False, prompt_tokens=50, completion_tokens=5), step(reward=0.5)]
    got = scores([episode(seed=0, steps=first), episode(seed=1, steps=[*second, step(reward=0.25)])])
    assert got["steps"].value == 2.5
    assert got["episode_return"].value == 0.375
    assert got["prompt_tokens_per_step"].value == 30.0  # 150 tokens over 5 steps
    assert got["completion_tokens_per_step"].value == 3.0
    assert got["invalid_action_rate"].value == 0.4  # the unparsed one and "fly"
    assert got["unparsed_rate"].value == 0.2
    assert got["unparsed_rate"].n == 5


def test_parse_reasons_are_counted_by_name() -> None:
    bad = [step(None, parse_reason="empty"), step(None, parse_reason="bad_json"), step(None, parse_reason="empty")]
    (summary,) = summaries([episode(steps=bad)])
    assert summary.parse_reasons == {"bad_json": 1, "empty": 2}


def test_without_a_step_the_rates_per_step_are_undefined_not_zero() -> None:
    got = scores([episode(steps=[])])
    assert got["invalid_action_rate"].value is None
    assert got["invalid_action_rate"].reason == "no episode has a step"


def test_no_episodes_are_no_score() -> None:
    got = results([])
    assert got["settings"] == []
    assert got["overall"]["success"]["value"] is None
    assert got["overall"]["success"]["reason"] == "there are no episodes"


def test_every_setting_weighs_the_same_overall() -> None:
    easy, hard = cell(9, 10, difficulty="easy"), cell(0, 100, difficulty="hard")
    assert results(easy + hard)["overall"]["success"]["value"] == 0.45


def test_all_solved_everywhere_still_leaves_doubt() -> None:
    got = results(cell(10, 10, difficulty="easy") + cell(10, 10, difficulty="hard"))["overall"]["success"]
    assert (got["low"], got["high"]) == wilson(20, 20)


def test_views_of_levels_that_are_all_solved_count_each_level_once() -> None:
    views = [e for richness in ("lean", "base", "rich") for e in cell(10, 10, richness=richness)]
    got = results(views)["overall"]["success"]
    assert (got["low"], got["high"]) == wilson(10, 10)  # not of 30


def test_repeats_of_a_level_are_clustered() -> None:
    alike = [episode(seed < 5, seed=seed, repeat=repeat) for seed in range(20) for repeat in range(4)]
    rate = scores(alike)["success"]
    low, high = wilson(5, 20)
    assert rate.low is not None
    assert rate.high is not None
    assert rate.high - rate.low > 0.8 * (high - low)  # Wilson over the 80 episodes would be half as wide


def test_two_seeds_with_one_level_are_one_cluster() -> None:
    got = [episode(seed % 2 == 0, seed=seed, level_id=f"level {seed // 2}") for seed in range(8)]
    (summary,) = summaries(got)
    assert (summary.episodes, summary.levels) == (8, 4)


def test_an_episode_counted_twice_is_refused() -> None:
    with pytest.raises(ScoreError, match="occurs twice: Sokoban-base easy train, seed 1, repeat 0"):
        results([*cell(1, 3), episode(seed=1)])


def test_several_policies_are_refused() -> None:
    with pytest.raises(ScoreError, match=r"2 policies \(A, B\)"):
        results([episode(policy="B"), episode(policy="A", seed=1)])


@settings(max_examples=30)
@given(runs(max_size=12), st.randoms(use_true_random=False))
def test_the_order_of_episodes_does_not_change_a_byte(episodes: list[Episode], random: Any) -> None:
    shuffled = random.sample(episodes, len(episodes))
    assert json.dumps(results(shuffled)) == json.dumps(results(episodes))


@settings(max_examples=30)
@given(runs(min_size=1))
def test_scores_stay_in_range_and_inside_their_interval(episodes: list[Episode]) -> None:
    for summary in summaries(episodes):
        for name in ("success", "score"):
            score = summary.score(name)
            assert score.value is not None
            assert score.low is not None
            assert score.high is not None
            assert 0 <= score.low <= score.high <= 1
            assert 0 <= score.value <= 1
            assert is_inside(score)
    assert all(is_inside(score) for summary in summaries(episodes) for score in summary.scores)
    assert all(is_inside(score) for score in success.overall(by_setting(episodes)))


@settings(max_examples=30)
@given(runs(min_size=1))
def test_no_episode_is_dropped(episodes: list[Episode]) -> None:
    found = summaries(episodes)
    assert sum(summary.episodes for summary in found) == len(episodes)
    assert sum(sum(summary.endings.values()) for summary in found) == len(episodes)


@settings(max_examples=30)
@given(runs())
def test_results_are_plain_json(episodes: list[Episode]) -> None:
    got = results(episodes)
    assert json.loads(json.dumps(got, allow_nan=False)) == got


def test_a_score_that_is_not_a_number_is_refused() -> None:
    with pytest.raises(ScoreError, match="value of the score 'success' is nan"):
        Score("success", float("nan"))


def test_a_score_without_value_needs_a_reason() -> None:
    with pytest.raises(ScoreError, match="needs either a value or a reason"):
        Score("success", None)


def test_views_of_the_same_levels_do_not_count_as_more_levels() -> None:
    views = [e for richness in ("lean", "base", "rich") for e in cell(10, 40, richness=richness)]
    one = results(cell(10, 40))["overall"]["success"]
    three = results(views)["overall"]["success"]
    assert three["value"] == one["value"] == 0.25
    assert three["high"] - three["low"] > 0.9 * (one["high"] - one["low"])  # independent settings: 0.58 of it
