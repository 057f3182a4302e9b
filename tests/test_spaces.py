import gymnasium as gym
import pytest
from gymnasium.vector import AsyncVectorEnv
from gymnasium.vector.utils import create_shared_memory, read_from_shared_memory, write_to_shared_memory
from hypothesis import given
from hypothesis import strategies as st

from agentgen_bench.spaces import TextSpace

MAX_LENGTH = 50


class Echo(gym.Env):
    """Observes the last action."""

    def __init__(self, space):
        self.observation_space = self.action_space = space

    def reset(self, *, seed=None, options=None):
        return f"√ é {seed}", {}

    def step(self, action):
        return action, 0.0, False, False, {}


def reset_observations(space):
    envs = AsyncVectorEnv([lambda: Echo(space)] * 2, shared_memory=True)
    try:
        return tuple(envs.reset(seed=[7, 8])[0])
    finally:
        envs.close()


def test_text_arrives_whole_through_shared_memory():
    assert reset_observations(TextSpace(MAX_LENGTH)) == ("√ é 7", "√ é 8")


def test_the_plain_text_space_fails_where_ours_does_not():
    plain = gym.spaces.Text(MAX_LENGTH, charset="√ é0123456789")
    assert reset_observations(plain) != ("√ é 7", "√ é 8")


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=MAX_LENGTH), min_size=1, max_size=4))
def test_what_is_written_to_shared_memory_is_read_back(values):
    space = TextSpace(MAX_LENGTH)
    memory = create_shared_memory(space, len(values))
    for i, value in enumerate(values):
        write_to_shared_memory(space, i, value, memory)
    assert read_from_shared_memory(space, memory, len(values)) == tuple(values)


def test_a_text_that_does_not_fit_its_slot_is_refused():
    space = TextSpace(3)
    memory = create_shared_memory(space, 1)
    with pytest.raises(ValueError, match="observation of 4 characters does not fit"):
        write_to_shared_memory(space, 0, "four", memory)


@given(st.text())
def test_the_space_holds_exactly_what_fits_and_can_be_encoded(value):
    encodable = not any("\ud800" <= char <= "\udfff" for char in value)
    assert TextSpace(5).contains(value) == (len(value) <= 5 and encodable)


def test_samples_are_members():
    space = TextSpace(20, seed=0)
    assert all(space.contains(space.sample()) for _ in range(20))


@pytest.mark.parametrize("value", [b"bytes", 3, None])
def test_only_strings_are_members(value):
    assert not TextSpace(5).contains(value)
