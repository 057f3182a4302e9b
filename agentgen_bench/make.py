"""make(spec) -> the environment with its wrappers; `gym.make` with a registered id gives the same."""

import inspect
from functools import cache
from typing import Any

import gymnasium as gym

from agentgen_bench import families
from agentgen_bench.checks import chosen
from agentgen_bench.errors import SpecError
from agentgen_bench.knobs import CONTEXTS, STRATEGIES, STREAMS
from agentgen_bench.spec import ACCEPTS, ALIASES, FAULTS, INTERFACES, UPDATES, TaskSpec

SHARED = ("richness", "render_mode")  # arguments of every constructor that are no knobs of `TaskSpec.knobs`


def make(spec: TaskSpec | str, *, render_mode: str | None = None, **knobs: Any) -> gym.Env[str, str]:
    """Return the environment of a spec, or of a registered id and keyword arguments, inside its wrappers.

    Args:
        spec: the setting, or an id such as `AgentGen/Sokoban-rich-v0`.
        render_mode: "ansi", and `render` returns the observation; None, and it returns None.
        knobs: any field of TaskSpec, or a knob of the family: `make("AgentGen/Sokoban-v0", size=8)`. Another richness
            than the id names is refused; in `gym.make` a keyword wins over the id, as everywhere in Gymnasium.

    Raises:
        UnavailableError: a version or family that is not here; the message names the release that can make it.
        SpecError: a setting that the family does not have, or a value it does not take.
    """
    spec = TaskSpec.from_env_id(spec, **knobs) if isinstance(spec, str) else spec.with_(**knobs)
    check_settings(spec)
    return gym.make(spec.env_id, render_mode=render_mode, **spec.kwargs)


def check_available(spec: TaskSpec) -> None:
    """Raise UnavailableError where the spec's version or family is not here; costs no environment."""
    families.family(spec.family).version(spec.version)


def check_settings(spec: TaskSpec) -> None:
    """Raise SpecError as `make` does for what shows without making the environment; ranges of knobs do not."""
    check_available(spec)
    if isinstance(spec.interface, str):
        chosen("interface", spec.interface, INTERFACES)
    if spec.interface_spec is not None:
        chosen("aliases", spec.interface_spec.aliases, ALIASES)
        chosen("accepts", spec.interface_spec.accepts, ACCEPTS)
    if spec.distractor_spec is not None:
        from agentgen_bench.wrappers.distractors import KINDS  # here, so that the package's import loads no wrapper

        chosen("distractor kind", spec.distractor_spec.kind, KINDS)
    if spec.lifecycle_spec is not None:
        chosen("context", spec.lifecycle_spec.context, CONTEXTS)
        chosen("stream", spec.lifecycle_spec.stream, STREAMS)
        chosen("update", spec.lifecycle_spec.update, UPDATES)
        chosen("strategy", spec.lifecycle_spec.strategy, STRATEGIES)
    if spec.fault_spec is not None:
        chosen("fault kind", spec.fault_spec.kind, FAULTS)
    known = knobs_of(spec)
    unknown = sorted(set(dict(spec.knobs)) - set(known))
    if unknown:
        raise SpecError(f"{spec.family} has no knob {unknown[0]!r}; its knobs are: {', '.join(sorted(known))}")


def knobs_of(spec: TaskSpec) -> dict[str, Any]:
    """Return the knobs of a spec's family with their defaults, difficulty and split first."""
    return dict(_knobs(families.family(spec.family).version(spec.version).entry_point))


@cache  # reading a signature costs half a millisecond, and each environment asks
def _knobs(entry_point: str) -> tuple[tuple[str, Any], ...]:
    parameters = inspect.signature(families.load(entry_point)).parameters
    return tuple([(name, parameter.default) for name, parameter in parameters.items() if name not in SHARED])
