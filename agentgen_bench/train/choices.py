"""From what a user writes (names, weights, knobs, a preset) to the sources and settings of a run."""

import re
import types
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import MISSING, fields
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Union, get_args, get_origin, get_type_hints

from agentgen_bench import families
from agentgen_bench.errors import SpecError
from agentgen_bench.make import make
from agentgen_bench.spec import TaskSpec
from agentgen_bench.train.settings import Source, env_id, refuse_held_out_levels

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

SPEC_FIELDS = ("richness", "difficulty", "split", "distractors", "interface", "lifecycle", "faults")


class Option(NamedTuple):
    """A field of a Config that holds a plain value: its name, type, choices, default (MISSING: required)."""

    name: str
    type: type
    choices: tuple[str, ...] | None
    is_optional: bool
    default: Any


def options(config: "type[DataclassInstance]") -> list[Option]:
    """Return the fields of a Config that hold plain values; collections are left out.

    What has no default comes first, then the Config's own fields, then those it shares with others.
    """
    hints = get_type_hints(config)
    found = []
    for field in sorted(
        fields(config), key=lambda one: (one.default is not MISSING, one.name not in config.__annotations__)
    ):
        kind, optional = hints[field.name], False
        if get_origin(kind) in (types.UnionType, Union):
            optional = True
            (kind,) = [item for item in get_args(kind) if item is not type(None)]
        choices = tuple(map(str, get_args(kind))) if get_origin(kind) is Literal else None
        if choices:
            kind = str
        if kind in (str, int, float, bool):
            found.append(Option(field.name, kind, choices, optional, field.default))
    return found


def checked(config: "type[DataclassInstance]", values: Mapping[str, Any], origin: str) -> dict[str, Any]:
    """Return the values as fields of a Config: known names, right types; whole numbers pass as floats.

    Raises:
        SpecError: an unknown name, or a value of another type or outside the choices; `origin` says where it stands.
    """
    known = {option.name: option for option in options(config)}
    result = {}
    for name, value in values.items():
        option = known.get(name)
        if option is None:
            raise SpecError(f"{origin}: unknown setting {name!r}; settings are: {', '.join(known)}")
        result[name] = _checked_value(option, value, origin)
    return result


def _checked_value(option: Option, value: Any, origin: str) -> Any:
    if value is None and option.is_optional:
        return None
    if option.type is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    wrong_type = not isinstance(value, option.type) or (isinstance(value, bool) and option.type is not bool)
    if wrong_type or (option.choices and value not in option.choices):
        right = " or ".join(option.choices) if option.choices else option.type.__name__
        raise SpecError(f"{origin}: {option.name} is {value!r}; it takes {right}{_yaml_hint(option, value)}")
    return value


def _yaml_hint(option: Option, value: Any) -> str:
    """Return how to write a number that YAML reads as text: 1e-4 has no dot."""
    if option.type is float and isinstance(value, str) and re.fullmatch(r"[+-]?[0-9]+[eE][+-]?[0-9]+", value):
        return f"; YAML reads {value} as text, write {value.lower().replace('e', '.0e')} without quotes"
    return ""


def required(option: Option) -> bool:
    """Return whether a Config has no default for the option."""
    return option.default is MISSING


def sources(
    names: Iterable[tuple[str, float]],
    changes: Mapping[str, Any],
    knobs: Sequence[tuple[str, Any]] = (),
    presets: Mapping[str, Mapping[str, Any]] | None = None,
    purpose: str = "training",
) -> tuple[Source, ...]:
    """Return the sources that the names mean, each checked by making its environment once; none of the test split.

    Args:
        names: families or ids, with weights.
        changes: spec fields given for all of them, None where not given.
        knobs: name and value; `sokoban.size` is for that family alone.
        presets: a preset's `environments`.
        purpose: what they are for, as the refusal of a held-out one names it.
    """
    found = tuple(Source(_spec(name, changes, knobs, presets or {}), weight) for name, weight in names)
    known = [family.lower() for family in families.names()]
    for knob, _ in knobs:
        family, dot, _ = knob.partition(".")
        if dot and family.lower() not in known:
            raise SpecError(f"the knob {knob!r} is for no family that there is; choose one of: {', '.join(known)}")
    refuse_held_out_levels((source.spec for source in found), purpose)
    return found


def _spec(
    name: str, changes: Mapping[str, Any], knobs: Sequence[tuple[str, Any]], presets: Mapping[str, Mapping[str, Any]]
) -> TaskSpec:
    spec = TaskSpec.from_env_id(env_id(name))
    preset = dict(presets.get(spec.family, {}))
    own_knobs = dict(preset.pop("knobs", {}))
    for knob, value in knobs:
        family, dot, plain = knob.partition(".")
        if not dot or family.lower() == spec.family.lower():
            own_knobs[plain if dot else knob] = value
    given = {field: value for field, value in changes.items() if value is not None}
    if "/" in name:
        preset.pop("richness", None)  # the id says it
    spec = spec.with_(**{**preset, **given, "knobs": tuple(own_knobs.items())})
    make(spec).close()
    return spec
