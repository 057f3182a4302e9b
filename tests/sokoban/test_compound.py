import gymnasium as gym
import pytest

from agentgen_bench.envs.sokoban.compound import CompoundActions
from agentgen_bench.errors import ActionError
from tests.sokoban.boards import make


def started(seed=0, **knobs):
    env = CompoundActions(make(**knobs))
    env.reset(seed=seed)
    return env


def test_a_compound_action_is_its_parts_one_after_the_other():
    single, compound = make(), started()
    single.reset(seed=0)
    steps = [single.step(action) for action in ("right", "right", "up")]
    observation, reward, terminated, truncated, info = compound.step("Right || Right || Up")
    assert (observation, terminated, truncated) == (steps[-1][0], steps[-1][2], steps[-1][3])
    assert reward == sum(step[1] for step in steps)
    assert (info["n_executed"], info["score"]) == (3, steps[-1][4]["score"])


@pytest.mark.parametrize("action", ["up || jump", "up || ", "", "up || up || up || up || up || up", "up | up"])
def test_what_is_not_one_to_five_actions_changes_nothing_and_uses_up_one_step(action):
    env = started(max_steps=2)
    before = env.unwrapped._sections()
    _, reward, _, truncated, info = env.step(action)
    assert (reward, truncated, info["is_action_valid"], info["n_executed"]) == (-0.1, False, False, 1)
    assert info["sections"] == before
    assert env.step(action)[3]


@pytest.mark.parametrize("action", [5, None, ["up"]])
def test_what_is_no_string_is_no_action(action):
    with pytest.raises(ActionError, match="an action is a string, got"):
        started().step(action)


def test_a_spec_of_gymnasium_rebuilds_the_wrapped_environment():
    env = CompoundActions(gym.make("AgentGen/Sokoban-lean-v0"))
    again = gym.make(env.spec)
    assert again.reset(seed=2) == env.reset(seed=2)
    assert again.step("up || down") == env.step("up || down")


def test_parts_after_the_end_of_the_episode_are_left_out():
    env = started(max_steps=2)
    assert env.step("up || up || up || up")[4]["n_executed"] == 2


def test_the_last_parts_of_a_plan_can_solve_the_level_in_one_step():
    env = started(size=6, boxes=1, pushes=1, moves=(2, 5))
    plan, twin = [], make(size=6, boxes=1, pushes=1, moves=(2, 5))
    twin.reset(seed=0)
    while not twin.success:
        plan.append(twin.expert_action())
        twin.step(plan[-1])
    _, reward, terminated, _, info = env.step(" || ".join(plan))
    assert (terminated, info["success"], info["is_action_valid"]) == (True, True, True)
    assert reward == pytest.approx(11 - 0.1 * len(plan))
