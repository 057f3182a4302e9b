"""Packs of tasks with a hidden fact."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from agentgen_bench.errors import ScoreError
from agentgen_bench.scores.lifecycle import (
    cod_advantages,
    cod_effect,
    mean_change,
    mean_difference,
    position_curve,
    stateful_gain,
)
from agentgen_bench.seeding import stream
from tests.scores.build import is_inside, lists_of

PACKS = [[0.0, 1.0, 1.0], [0.0, 0.0, 1.0], [1.0, 0.0, 1.0]]


def test_the_position_curve_is_the_mean_reward_at_each_position() -> None:
    curve = position_curve(PACKS, stream("t"))
    assert [score.name for score in curve] == ["position_1", "position_2", "position_3"]
    assert [score.value for score in curve] == pytest.approx([1 / 3, 1 / 3, 1.0])


def test_the_cod_effect_is_last_minus_first() -> None:
    assert cod_effect(PACKS, stream("t")).value == pytest.approx(2 / 3)


def test_packs_that_are_all_alike_do_not_claim_certainty() -> None:
    alike = [[0.0, 1.0]] * 2
    first, last = position_curve(alike, stream("t"))
    assert (first.low, round(first.high, 4)) == (0.0, 0.6576)  # Wilson, 0 of 2
    assert (round(last.low, 4), last.high) == (0.3424, 1.0)
    effect = cod_effect(alike, stream("t"))
    assert (round(effect.low, 4), effect.high) == (-0.3152, 1.0)  # won 2 of 2: .3424 - .6576; lost 0 of 2
    same = stateful_gain(alike, alike, stream("t"))
    assert (round(same.low, 4), round(same.high, 4)) == (-0.6576, 0.6576)


def test_a_gain_of_three_quarters_of_every_pack_is_three_quarters_of_the_packs_won() -> None:
    gain = stateful_gain([[0.0, 1.0, 1.0, 1.0]] * 32, [[0.0] * 4] * 32, stream("t"))
    assert (gain.value, round(gain.low, 4), round(gain.high, 4)) == (0.75, 0.4718, 0.8675)  # Wilson, 24 and 0 of 32


@given(lists_of(st.floats(-1, 1)))
def test_a_mean_of_differences_is_inside_its_interval(differences: list[float]) -> None:
    assert is_inside(mean_difference("d", differences, stream("t")))
    assert is_inside(mean_change("c", [2 * d for d in differences], stream("t")))


@given(lists_of(st.tuples(*[st.lists(st.floats(0, 1), min_size=3, max_size=3)] * 2)))
def test_scores_of_packs_are_inside_their_intervals(both: list[tuple[list[float], list[float]]]) -> None:
    kept, wiped = zip(*both, strict=True)
    assert all(map(is_inside, position_curve(kept, stream("t"))))
    assert is_inside(cod_effect(kept, stream("t")))
    assert is_inside(stateful_gain(kept, wiped, stream("t")))


def test_one_task_has_no_cod_effect() -> None:
    assert cod_effect([[1.0]], stream("t")).reason == "needs packs of at least 2 tasks"


def test_stateful_gain_compares_the_same_packs_with_the_context_wiped() -> None:
    wiped = [[0.0, 0.0, 1.0], [0.0, 0.0, 0.0], [1.0, 0.0, 1.0]]
    assert stateful_gain(PACKS, wiped, stream("t")).value == pytest.approx(2 / 9)  # (1/3 + 1/3 + 0) / 3


def test_packs_of_different_tasks_are_not_compared() -> None:
    with pytest.raises(ScoreError, match="do not hold the same tasks"):
        stateful_gain(PACKS, PACKS[:2], stream("t"))
    with pytest.raises(ScoreError, match=r"packs of \[2, 3\] tasks"):
        position_curve([*PACKS, [0.0, 1.0]], stream("t"))


def test_no_packs_are_no_score() -> None:
    assert stateful_gain([], [], stream("t")).reason == "there are no packs"
    assert position_curve([], stream("t")) == []


def test_advantages_agree_with_the_worked_example() -> None:
    x = np.array([[0, 1, 1], [0, 0, 1]])
    z = np.array([[0, -0.1], [0, 0]])
    got = cod_advantages(x, z)
    # Rx = [[2/3, 1, 1], [1/3, 1/2, 1]]; Rz = [[(0+1+1)/3, (-.1+1)/2], [(0+0+1)/3, (0+1)/2]]
    np.testing.assert_allclose(got.solve, [[1 / 6, 1 / 4, 0], [-1 / 6, -1 / 4, 0]], atol=1e-12)
    np.testing.assert_allclose(got.update, [[1 / 6, -0.025], [-1 / 6, 0.025]], atol=1e-12)


@given(hnp.arrays(np.float64, st.tuples(st.integers(1, 5), st.integers(1, 5)), elements=st.floats(-1, 1)))
def test_advantages_at_each_place_cancel_over_the_group(x: np.ndarray) -> None:
    got = cod_advantages(x, np.zeros((x.shape[0], x.shape[1] - 1)))
    np.testing.assert_allclose(got.solve.sum(axis=0), 0, atol=1e-9)
    np.testing.assert_allclose(got.update.sum(axis=0), 0, atol=1e-9)


def test_rewards_of_other_shapes_are_refused() -> None:
    with pytest.raises(ScoreError, match="update rewards of one column less"):
        cod_advantages(np.zeros((2, 3)), np.zeros((2, 3)))
