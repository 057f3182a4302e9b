from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentgen_bench.contract import Part, TaskRecord
from agentgen_bench.episodes import Episode, Step
from agentgen_bench.errors import SpecError
from agentgen_bench.spec import LifecycleSpec, TaskSpec
from agentgen_bench.train.grpo import Config, Rollout, advantages, discounted_returns, group_advantages, step_rewards
from agentgen_bench.train.reweighting import reweighted, temperature_for, weighted_sum
from agentgen_bench.train.settings import Source

SOURCES = (Source(TaskSpec("Sokoban")),)


def config(**changes):
    return Config(**{"model": "m", "output": "o", "sources": SOURCES, **changes})


def step(valid=True, reward=0.0):
    return Step("up", "up", None, reward, 0.0, valid, "", {}, 1, 0, 0, 0, 0)


def rollout(group, observations, *, success=False, invalid=(), rewards=()):
    steps = tuple(step(i not in invalid, rewards[i] if rewards else 0.0) for i in range(len(observations)))
    episode = Episode(
        spec={}, seed=0, repeat=0, policy="p", level_id="l", task="t", max_steps=9, first_hash="", first_chars={},
        first_admissible=1, steps=steps, ending="terminated", success=success, score=1.0 if success else 0.5,
        expert_length=None, analysis={},
    )  # fmt: skip
    return Rollout(group, episode, tuple(observations), (None,) * len(observations))


def test_advantages_are_deviations_from_the_mean_of_the_group():
    # Group 0: 10, 0, 0, 2 with mean 3. Group 1: 4, 8 with mean 6.
    result = group_advantages(np.array([10.0, 0, 4, 0, 2, 8]), np.array([0, 0, 1, 0, 0, 1]), divide_by_std=False)
    assert result.tolist() == [7, -3, -2, -3, -1, 2]


def test_dividing_by_the_deviation_uses_n_minus_one():
    # 10, 0: mean 5, variance (25 + 25) / 1, deviation 7.0711.
    result = group_advantages(np.array([10.0, 0.0]), np.array([0, 0]), divide_by_std=True)
    assert result == pytest.approx([0.7071067, -0.7071067], abs=1e-6)


@pytest.mark.parametrize("divide_by_std", [True, False])
def test_a_group_of_one_has_no_advantage(divide_by_std):
    assert group_advantages(np.array([5.0, 1.0, 1.0]), np.array([7, 3, 3]), divide_by_std).tolist() == [0, 0, 0]


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(-20, 20)), min_size=1, max_size=20), st.integers(-50, 50))
def test_advantages_sum_to_zero_in_each_group_and_ignore_a_constant(pairs, constant):
    groups = np.array([group for group, _ in pairs])
    returns = np.array([float(value) for _, value in pairs])
    result = group_advantages(returns, groups, divide_by_std=False)
    assert np.bincount(groups, result) == pytest.approx(0, abs=1e-9)
    assert result == pytest.approx(group_advantages(returns + constant, groups, divide_by_std=False), abs=1e-9)


def test_discounted_returns_look_ahead():
    # .5 * .5 * 8 - .5 * 2 = 1; .5 * 8 - 2 = 2; 8.
    assert discounted_returns([0.0, -2.0, 8.0], 0.5).tolist() == [1.0, 2.0, 8.0]


def test_the_paper_reward_is_ten_for_success_less_a_tenth_for_each_invalid_action():
    played = rollout(0, "abc", success=True, invalid={1}).episode
    assert step_rewards(played, config()) == pytest.approx([0.0, -0.1, 10.0])


def test_reward_by_score_scales_with_progress_and_reward_by_return_is_the_environments():
    assert step_rewards(rollout(0, "ab").episode, config(reward="score")) == pytest.approx([0.0, 5.0])
    own = rollout(0, "ab", rewards=(1.0, -2.0)).episode
    assert step_rewards(own, config(reward="return")) == pytest.approx([1.0, -2.0])


def test_all_steps_of_an_episode_share_its_advantage():
    # Returns 10 and 0 in one group: +-5, for one and for three steps.
    result = advantages([rollout(0, "a", success=True), rollout(0, "abc")], config(divide_by_std=False))
    assert result.tolist() == [5, -5, -5, -5]


def test_advantages_below_zero_have_a_weight_of_their_own():
    rollouts = [rollout(0, "a", success=True), rollout(0, "abc")]
    for weight in (0.0, 0.5):
        result = advantages(rollouts, config(divide_by_std=False, negative_weight=weight))
        assert result.tolist() == [5, -5 * weight, -5 * weight, -5 * weight]


def test_statistics_over_rows_weigh_long_episodes_more():
    # Rows 10, 0, 0, 0: mean 2.5.
    result = advantages(
        [rollout(0, "a", success=True), rollout(0, "abc")], config(divide_by_std=False, statistics="rows")
    )
    assert result.tolist() == [7.5, -2.5, -2.5, -2.5]


def test_step_credit_compares_steps_that_saw_the_same_observation():
    # Discount .5. First episode solves: step returns 5, 10. Second fails: 0, 0.
    # Anchor a: 5 (first), 0, 0 (second, twice): mean 5/3. Anchor b: 10 alone: 0. Episode level: +-5.
    rollouts = [rollout(0, "ab", success=True), rollout(0, "aa")]
    result = advantages(rollouts, config(divide_by_std=False, step_credit_weight=1.0, step_discount=0.5))
    assert result == pytest.approx([5 + 10 / 3, 5, -5 - 5 / 3, -5 - 5 / 3])


@pytest.mark.parametrize("divide_by_std", [True, False])
@pytest.mark.parametrize("size", range(2, 12))
@pytest.mark.parametrize("value", [0.0, 0.1, 1.0, 9.7, 10.0, -0.3, 1e-3, 1 / 3, -7.1, 123456.7])
def test_a_group_of_equal_returns_has_no_advantage_at_all(value, size, divide_by_std):
    assert not group_advantages(np.full(size, value), np.zeros(size, dtype=int), divide_by_std).any()


def test_returns_that_differ_by_the_order_of_their_penalties_are_equal():
    one, other = (rollout(0, "abcdefg", success=True, invalid=at) for at in ({0, 1, 2}, {4, 5, 6}))
    sums = [sum(step_rewards(played.episode, config())) for played in (one, other)]
    assert sums[0] != sums[1]  # 9.7 twice, but for the last digit
    assert not advantages([one, other], config()).any()


def test_verl_agents_penalty_falls_on_the_invalid_row_alone():
    # Scores of rows: 10, 9.9 | 0, 0: mean 4.975. Ours: returns 9.9 and 0, mean over rows 4.95.
    rollouts = [rollout(0, "ab", success=True, invalid={1}), rollout(0, "ab")]
    theirs = config(divide_by_std=False, statistics="rows", invalid_penalty_on="row")
    assert advantages(rollouts, theirs) == pytest.approx([5.025, 4.925, -4.975, -4.975])
    ours = config(divide_by_std=False, statistics="rows")
    assert advantages(rollouts, ours) == pytest.approx([4.95, 4.95, -4.95, -4.95])


def test_verl_agents_penalty_divided_by_the_deviation_of_the_rows():
    # Rows 0, -.1, 0, 0: mean -.025, variance 3 (.025^2 + .075^2 / 3) / 3 = .0025, deviation .05.
    rollouts = [rollout(0, "ab", invalid={1}), rollout(0, "ab")]
    theirs = config(statistics="rows", invalid_penalty_on="row")
    assert advantages(rollouts, theirs) == pytest.approx([0.5, -1.5, 0.5, 0.5], abs=1e-4)


def test_a_penalty_on_rows_with_statistics_over_episodes_weighs_each_episode_the_same():
    # Row scores 10, 9.9 with weight 1/2 each, 0 with weight 1: mean (9.95 + 0) / 2.
    rollouts = [rollout(0, "ab", success=True, invalid={1}), rollout(0, "c")]
    result = advantages(rollouts, config(divide_by_std=False, invalid_penalty_on="row"))
    assert result == pytest.approx([5.025, 4.925, -4.975])


def test_a_penalty_on_rows_leaves_the_discounted_returns_of_earlier_steps_alone():
    # Discount .5, second step invalid: returns 0, 0 - .1 by row; -.05, -.1 by episode. Anchors a and b: other: 0, 0.
    rollouts = [rollout(0, "ab", invalid={1}), rollout(0, "ab")]
    settings = config(divide_by_std=False, step_credit_weight=1.0, step_discount=0.5)
    on_row = advantages(rollouts, replace(settings, invalid_penalty_on="row"))
    whole = advantages(rollouts, replace(settings, step_credit_weight=0.0, invalid_penalty_on="row"))
    assert on_row - whole == pytest.approx([0, -0.05, 0, 0.05])
    on_episode = advantages(rollouts, settings) - advantages(rollouts, replace(settings, step_credit_weight=0.0))
    assert on_episode == pytest.approx([-0.025, -0.05, 0.025, 0.05])


def test_a_penalty_on_rows_has_no_meaning_for_credit_by_task():
    with pytest.raises(SpecError, match="invalid_penalty_on='row' is out of range; choose episode where credit is cod"):
        config(sources=PACKS, credit="cod", invalid_penalty_on="row")


def test_packs_of_equal_rewards_have_no_advantage_at_all():
    group = [pack((0.1, 0.7, 1 / 3), (True, False)) for _ in range(3)]
    assert not advantages(group, config(sources=PACKS, credit="cod", success_reward=9.7, reward="score")).any()


def test_step_credit_never_compares_across_levels():
    rollouts = [rollout(0, "a", success=True), rollout(0, "b"), rollout(1, "a"), rollout(1, "b", success=True)]
    with_credit = advantages(rollouts, config(divide_by_std=False, step_credit_weight=1.0))
    assert with_credit.tolist() == advantages(rollouts, config(divide_by_std=False)).tolist()


PACKS = (Source(TaskSpec("Sokoban", interface="opaque", lifecycle=LifecycleSpec(3, "kept"))),)


def pack(scores, notes_valid, steps_per_task=(2, 1, 1)):
    """Three tasks with a note after each but the last; the steps of the tasks are all valid."""
    steps, starts = [], []
    for k, n_steps in enumerate(steps_per_task):
        starts.append(len(steps))
        steps += [step()] * n_steps + ([step(notes_valid[k])] if k < 2 else [])
    tasks = tuple(TaskRecord(start, score, score == 1.0) for start, score in zip(starts, scores, strict=True))
    plain = rollout(0, "abcdefg"[: len(steps)])
    return plain._replace(episode=replace(plain.episode, steps=tuple(steps), tasks=tasks))


def test_notes_are_credited_with_the_tasks_after_them():
    # SCORES.md: x = [[0,1,1],[0,0,1]], z = [[0,-.1],[0,0]] gives
    # Ax = [[1/6,1/4,0],[-1/6,-1/4,0]], Az = [[1/6,-.025],[-1/6,.025]].
    group = [pack((0.5, 1.0, 1.0), (True, False)), pack((0.0, 0.9, 1.0), (True, True), (1, 1, 2))]
    settings = config(sources=PACKS, credit="cod", success_reward=1.0)
    result = advantages(group, settings)
    first = [1 / 6, 1 / 6, 1 / 6, 1 / 4, -0.025, 0]  # task, task, note, task, note, task
    second = [-1 / 6, -1 / 6, -1 / 4, 0.025, 0, 0]
    assert result == pytest.approx(first + second)


def test_update_episodes_are_credited_as_notes_are_and_lose_for_a_context_that_cannot_be_read():
    group = [pack((0.5, 1.0, 1.0), (True, False)), pack((0.0, 0.9, 1.0), (True, True), (1, 1, 2))]
    by_note = advantages(group, config(sources=PACKS, credit="cod", success_reward=1.0, invalid_penalty=0.3))
    of_parts = [
        one._replace(episode=replace(one.episode, parts=tuple(Part(i, "", 1, "", 9) for i in updates)))
        for one, updates in zip(group, ((2, 4), (1, 3)), strict=True)
    ]
    settings = config(sources=PACKS, credit="cod", success_reward=1.0, invalid_penalty=7.0, unread_penalty=0.3)
    assert advantages(of_parts, settings).tolist() == by_note.tolist()


@pytest.mark.parametrize("tokens", [(3, 1), (2, 2)])
def test_a_sum_that_is_not_negative_needs_no_weights(tokens):
    assert temperature_for(lambda temperature: weighted_sum([1.0, -1.0], tokens, temperature)) is None


def test_the_weights_lift_a_negative_sum_to_zero_and_not_above():
    # e^(1/T) - 3 e^(-1/T) = 0 at T = 2 / ln 3 = 1.8205.
    temperature = temperature_for(lambda temperature: weighted_sum([1.0, -1.0], [1, 3], temperature))
    assert temperature == pytest.approx(1.8205 - 0.025, abs=0.025)
    assert weighted_sum([1.0, -1.0], [1, 3], temperature) >= 0
    assert reweighted([1.0, -1.0], 1.0).tolist() == pytest.approx([2.71828183, -0.36787944])


def test_the_temperature_has_a_lowest_value():
    assert temperature_for(lambda temperature: weighted_sum([1.0, -1.0], [1, 1000], temperature)) == 0.8


def test_a_note_that_no_episode_of_the_group_varies_after_has_no_advantage():
    group = [pack((0.0, 1.0, 1.0), (True, True)), pack((1.0, 1.0, 1.0), (True, True))]
    settings = config(sources=PACKS, credit="cod", success_reward=1.0)
    assert advantages(group, settings)[2:6] == pytest.approx([0, 0, 0, 0])


@pytest.mark.parametrize("spec", [TaskSpec("Sokoban"), PACKS[0].spec.with_(lifecycle="pack-4-wiped")])
def test_credit_for_notes_needs_packs_with_notes(spec):
    with pytest.raises(
        SpecError, match="credit='cod' is out of range; choose episode, or lifecycle pack-4 or cod-4 for all"
    ):
        Config(model="m", output="o", sources=(Source(spec),), credit="cod")
