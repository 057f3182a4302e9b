"""How the wrapper tests play: every registered family, the same actions in two environments."""

import functools
from typing import NamedTuple

import gymnasium as gym
import pytest
from hypothesis import strategies as st

from agentgen_bench import Richness, TaskSpec, make
from agentgen_bench.contract import text_task
from agentgen_bench.families import family

FAMILIES = sorted({TaskSpec.from_env_id(env_id).family for env_id in gym.registry if env_id.startswith("AgentGen/")})
STYLED = [name for name in FAMILIES if family(name).contextual is not None]  # that can have distractors of their own
N_LEVELS = 6

# A step of the science simulator costs a thousand times a Sokoban step: its many examples are for the slow run.
EACH_FAMILY = [pytest.param(name, marks=pytest.mark.slow if name == "SciWorld" else ()) for name in FAMILIES]
EACH_STYLED = [each for each in EACH_FAMILY if each.values[0] in STYLED]

richnesses = st.sampled_from([level.label for level in Richness])
seeds = st.integers(0, N_LEVELS - 1)
# A number chooses among the admissible commands of the moment; a text is sent as it is.
scripts = st.lists(st.integers(0, 10**6) | st.sampled_from(["", "no such action", "go", "123 456"]), max_size=8)


class Seen(NamedTuple):
    """What the dynamics of one step are, whatever the text says."""

    reward: float
    terminated: bool
    truncated: bool
    admissible_commands: tuple[str, ...]
    level_id: str
    task: str
    is_action_valid: bool
    score: float
    success: bool


class Played(NamedTuple):
    actions: list[str]
    dynamics: list[Seen]
    observations: list[str]
    sections: list[tuple]


@functools.cache
def env_of(spec):
    """Return the one environment of a spec that the tests of a process share."""
    return make(spec)


def played(env, seed, script):
    """Play a script and return what happened; the record starts with what reset returned."""
    observation, info = env.reset(seed=seed)
    record = Played([], [seen(0.0, False, False, info)], [observation], [info["sections"]])
    for entry in script:
        commands = info["admissible_commands"]
        action = entry if isinstance(entry, str) else commands[entry % len(commands)] if commands else ""
        observation, reward, terminated, truncated, info = env.step(action)
        record.actions.append(action)
        record.dynamics.append(seen(reward, terminated, truncated, info))
        record.observations.append(observation)
        record.sections.append(info["sections"])
        if terminated or truncated:
            break
    return record


def seen(reward, terminated, truncated, info):
    return Seen(
        float(reward),
        terminated,
        truncated,
        tuple(info["admissible_commands"]),
        info["level_id"],
        info["task"],
        info["is_action_valid"],
        info["score"],
        info["success"],
    )


def expert_plan(env, seed, limit=12):
    """Return the first actions of the expert."""
    env.reset(seed=seed)
    actions = []
    for _ in range(limit):
        actions.append(text_task(env).expert_action())
        if any(env.step(actions[-1])[2:4]):
            break
    return actions
