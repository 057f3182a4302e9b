"""What the registered ids name as their entry points: `agentgen_bench.entries:Sokoban_v0` and `..._vector`.

An id of Gymnasium's registry has one class behind it; ours have a class inside the wrappers that were asked for. Names
of entry points, unlike functions, survive `EnvSpec.to_json`, so the names here are made on demand for every version of
every family.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import gymnasium as gym
import numpy as np

from agentgen_bench import families
from agentgen_bench.checks import checked_actions, checked_seed
from agentgen_bench.families import Version
from agentgen_bench.knobs import WRAPPER_DEFAULTS
from agentgen_bench.make import check_settings, make
from agentgen_bench.spec import TaskSpec
from agentgen_bench.wrappers.cycles import Cycles
from agentgen_bench.wrappers.distractors import Distractors
from agentgen_bench.wrappers.faults import Faults
from agentgen_bench.wrappers.interface import Interface
from agentgen_bench.wrappers.lifecycle import Lifecycle

VECTOR = "_vector"


def __getattr__(name: str) -> "Entry | VectorEntry":
    family, separator, number = name.removesuffix(VECTOR).rpartition("_v")
    if not separator or not number.isdecimal() or not families.is_known(family):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return (VectorEntry if name.endswith(VECTOR) else Entry)(family, int(number))


@dataclass(frozen=True, slots=True)
class Entry:
    """Makes environments of one version of a family."""

    family: str
    version: int

    def __call__(self, render_mode: str | None = None, **settings: Any) -> gym.Env[str, str]:
        """Return the environment of these settings, any field of TaskSpec or a knob of the family, in its wrappers."""
        spec = TaskSpec.of(self.family, self.version, **settings)
        check_settings(spec)
        constructor = families.load(_version(spec).entry_point)
        env: gym.Env[str, str] = constructor(render_mode=render_mode, **_own(spec))
        if (faults := spec.fault_spec) is not None:
            env = Faults(env, faults.kind, faults.rate, faults.seed)
        if (distractors := spec.distractor_spec) is not None:
            env = Distractors(env, distractors.kind, distractors.volume, distractors.probability, distractors.seed)
        if (interface := spec.interface_spec) is not None:
            env = Interface(env, interface.aliases, interface.seed, interface.accepts)
        if (lifecycle := spec.lifecycle_spec) is not None:
            args = (lifecycle.tasks, lifecycle.context, lifecycle.stream, lifecycle.strategy)
            if lifecycle.update == "episode":
                env = Cycles(env, *args, lifecycle.context_chars, lifecycle.trajectory_chars)
            else:
                env = Lifecycle(env, *args)
        return env


@dataclass(frozen=True, slots=True)
class VectorEntry:
    """Makes vectors of environments of one version of a family."""

    family: str
    version: int

    def __call__(
        self, num_envs: int, render_mode: str | None = None, **settings: Any
    ) -> gym.vector.VectorEnv[Any, Any, Any]:
        """Return the family's own vector of bare environments where it has one, else single ones in step."""
        spec = TaskSpec.of(self.family, self.version, **settings)
        check_settings(spec)
        own = _version(spec).vector_entry_point
        if own is not None and all(getattr(spec, name) == default for name, default in WRAPPER_DEFAULTS.items()):
            vector: gym.vector.VectorEnv[Any, Any, Any] = families.load(own)(
                num_envs=num_envs, render_mode=render_mode, **_own(spec)
            )
            return vector
        return TextVectorEnv([partial(make, spec, render_mode=render_mode)] * num_envs)


class TextVectorEnv(gym.vector.SyncVectorEnv):
    """Gymnasium's environments in step; NumPy's integers are seeds, as in the environments, and actions are checked."""

    def reset(
        self, *, seed: int | Sequence[int | None] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Start a level everywhere: seed + i in environment i, the i-th of several seeds, or (None) its next one."""
        if isinstance(seed, (int, np.integer)):
            return super().reset(seed=checked_seed(seed), options=options)
        return super().reset(seed=None if seed is None else list(seed), options=options)

    def step(self, actions: Any) -> tuple[Any, Any, Any, Any, dict[str, Any]]:
        """Execute one action everywhere; raises ActionError where there are fewer or more, or one is no string."""
        return super().step(checked_actions(actions, self.num_envs))


def _version(spec: TaskSpec) -> Version:
    return families.family(spec.family).version(spec.version)


def _own(spec: TaskSpec) -> dict[str, Any]:
    """Return the keyword arguments of the family's constructor."""
    knobs = {name: value for name, value in spec.kwargs.items() if name not in WRAPPER_DEFAULTS}
    return {"richness": spec.richness.label, **knobs}
