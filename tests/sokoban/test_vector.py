import gymnasium as gym
import numpy as np
import pytest

from agentgen_bench.errors import SpecError
from agentgen_bench.seeding import stream
from agentgen_bench.text import Richness

WORDS = ["up", "down", "left", "right", "U", " 4 ", "", "jump"]


def vector(mode, num_envs=6, richness="base", **knobs):
    return gym.make_vec(f"AgentGen/Sokoban-{richness}-v0", num_envs, mode, **knobs)


def plain(step):
    """Return what a reset or step gave with arrays as lists, so that it compares by value."""
    *values, infos = step
    listed = [value.tolist() if isinstance(value, np.ndarray) else value for value in values]
    return [*listed, {key: (value.dtype, value.tolist()) for key, value in infos.items()}]


def transcript(envs, seed, steps=80):
    rng = stream("test", "vector", 1)
    yield plain(envs.reset(seed=seed))
    for _ in range(steps):
        yield plain(envs.step([WORDS[i] for i in rng.integers(len(WORDS), size=envs.num_envs)]))
    yield plain(envs.reset())


@pytest.mark.parametrize("richness", ["lean", "base", "rich"])
def test_boards_together_are_what_they_are_one_by_one(richness):
    pair = vector("sync", richness=richness), vector("vector_entry_point", richness=richness)
    one_by_one, together = (list(transcript(envs, seed=5)) for envs in pair)
    assert one_by_one == together


def test_boards_of_several_knobs_and_seeds_are_what_they_are_one_by_one():
    knobs = {"size": 7, "boxes": 1, "pushes": (1, 3), "reward": "sparse", "board": "coords", "max_steps": 7}
    pair = vector("sync", **knobs), vector("vector_entry_point", **knobs)
    one_by_one, together = (list(transcript(envs, seed=[9, 9, 0, 1, 2, 3])) for envs in pair)
    assert one_by_one == together


def test_a_table_too_small_for_the_positions_changes_nothing(monkeypatch):
    monkeypatch.setattr("agentgen_bench.envs.sokoban.vector.POSITIONS_PER_BOARD", dict.fromkeys(Richness, 3))
    pair = vector("sync", max_steps=9), vector("vector_entry_point", max_steps=9)
    one_by_one, together = (list(transcript(envs, seed=2)) for envs in pair)
    assert one_by_one == together


def test_stepping_before_reset_is_refused():
    with pytest.raises(gym.error.ResetNeeded, match="no level is being played; call reset first"):
        vector("vector_entry_point").step(["up"] * 6)


def test_a_board_that_solves_its_level_starts_the_next_one():
    envs, scalar = vector("vector_entry_point", num_envs=1), gym.make("AgentGen/Sokoban-v0")
    envs.reset(seed=3)
    scalar.reset(seed=3)
    ended = False
    while not ended:
        action = scalar.unwrapped.expert_action()
        scalar.step(action)
        _, reward, ended, _, infos = envs.step([action])
    assert (infos["success"].tolist(), reward.tolist()) == ([True], [10.9])
    observation, reward, ended, _, infos = envs.step(["up"])
    assert observation[0] == scalar.reset()[0]
    assert (infos["success"].tolist(), infos["is_action_valid"].tolist(), reward.tolist()) == ([False], [True], [0.0])


def test_a_wrong_number_of_seeds_is_refused():
    with pytest.raises(SpecError, match="got 2 seeds for 6 boards; give one seed, or one for each"):
        vector("vector_entry_point").reset(seed=[1, 2])


def test_a_wrong_knob_is_refused():
    with pytest.raises(SpecError, match="unknown board 'emoji'; choose one of: symbols, xsb, coords"):
        vector("vector_entry_point", board="emoji")
