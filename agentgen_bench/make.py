"""make(spec) -> the environment with its wrappers."""

import inspect
from dataclasses import asdict
from typing import Any

import gymnasium as gym
from gymnasium.envs.registration import load_env_creator

from agentgen_bench.errors import SpecError
from agentgen_bench.spec import TaskSpec
from agentgen_bench.wrappers.distractors import Distractors
from agentgen_bench.wrappers.interface import Interface
from agentgen_bench.wrappers.lifecycle import Lifecycle


def make(spec: TaskSpec | str, **knobs: Any) -> gym.Env[str, str]:
    """Return the environment of a spec, or of a registered id and keyword arguments, inside its wrappers.

    Raises:
        SpecError: a setting that the family does not have, or a value it does not take.
    """
    spec = TaskSpec.from_env_id(spec, **knobs) if isinstance(spec, str) else spec.with_(**knobs)
    _check_knobs(spec)
    kwargs: dict[str, Any] = dict(spec.kwargs)
    env: gym.Env[str, str] = gym.make(spec.env_id, **kwargs)
    if spec.distractor_spec is not None:
        env = Distractors(env, **asdict(spec.distractor_spec))
    if spec.interface_spec is not None:
        env = Interface(env, **asdict(spec.interface_spec))
    if spec.lifecycle_spec is not None:
        env = Lifecycle(env, **asdict(spec.lifecycle_spec))
    return env


def _check_knobs(spec: TaskSpec) -> None:
    constructor = load_env_creator(str(gym.spec(spec.env_id).entry_point))
    known = sorted(set(inspect.signature(constructor).parameters) - {"richness", "render_mode"})
    unknown = sorted(set(spec.kwargs) - set(known))
    if unknown:
        raise SpecError(f"{spec.family} has no knob {unknown[0]!r}; its knobs are: {', '.join(known)}")
