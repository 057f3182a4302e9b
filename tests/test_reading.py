"""Actions are read alike in all families: without regard to case, runs of white space, a full stop at the end."""

import gymnasium as gym
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentgen_bench.envs.base import read_action
from agentgen_bench.families import BUILT_IN, EVALUATION_ONLY


def shouted(action):
    return action.upper()


def spaced(action):
    return "  " + action.replace(" ", " \t ") + "\n"


def stopped(action):
    return action + "."


def all_at_once(action):
    return f"\u00a0{spaced(action.title())}. "


@pytest.mark.parametrize("change", [shouted, spaced, stopped, all_at_once])
@pytest.mark.parametrize("family", [*BUILT_IN, *EVALUATION_ONLY])
def test_a_changed_spelling_is_the_same_action(family, change):
    plain, changed = (gym.make(f"AgentGen/{family}-rich-v0") for _ in range(2))
    plain.reset(seed=1)
    changed.reset(seed=1)
    for _ in range(4):
        action = plain.unwrapped.expert_action()
        expected = plain.step(action)
        assert expected[4]["is_action_valid"]
        assert changed.step(change(action)) == expected
        assert changed.unwrapped.expert_action() == plain.unwrapped.expert_action()
    plain.close()
    changed.close()


@pytest.mark.parametrize("family", [*BUILT_IN, *EVALUATION_ONLY])
def test_what_is_no_action_stays_none(family):
    env = gym.make(f"AgentGen/{family}-base-v0")
    env.reset(seed=1)
    for action in ("", " ", ".", " . ", "\n", "..", "go", "up down", "search", "\ud83d"):
        assert not env.step(action)[4]["is_action_valid"], action
    env.close()


@given(st.text())
def test_reading_twice_is_reading_once_but_for_full_stops(action):
    read = read_action(action)
    assert read == " ".join(read.split())
    assert read_action(read.rstrip(". ")) == read.rstrip(". ")
    assert read_action(f" {read}  ") == read_action(read)
