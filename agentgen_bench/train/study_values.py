"""Values of a study's file, checked for what they are: YAML gives whatever stands there, and `on` is a boolean."""

from collections.abc import Mapping
from typing import Any

from agentgen_bench.errors import SpecError


def or_empty(value: Any) -> Any:
    """Return what was given of keys and values; where nothing was (`grpo:` alone, or null), none of them."""
    return {} if value is None else value


def as_mapping(entry: Any, where: str) -> Mapping[str, Any]:
    """Return keys and values; raises SpecError for anything else, `where` says whose."""
    if not isinstance(entry, Mapping):
        raise SpecError(f"{where} is {entry!r}; it takes keys and values")
    return entry


def as_list(entry: Any, where: str, right: str) -> list[Any]:
    """Return a list; raises SpecError for anything else, which says that it takes one of `right`."""
    if not isinstance(entry, list):
        raise SpecError(f"{where} is {entry!r}; it takes a list of {right}")
    return entry


def as_name(value: Any, where: str) -> str:
    """Return a name; whole numbers pass for one, but not what YAML reads as something else: on, no, null, a date."""
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if not isinstance(value, str) or not value or not value.isprintable():
        raise SpecError(f"{where} is {value!r}; give a name, in quotes where YAML would read something else")
    return value


def only_keys(entry: Any, keys: tuple[str, ...], where: str) -> dict[str, Any]:
    """Return a copy of keys and values; raises SpecError where they are none, or one of the keys is not known."""
    if not isinstance(entry, Mapping):
        raise SpecError(f"{where} is {entry!r}; it takes keys and values: {', '.join(keys)}")
    unknown = [key for key in entry if key not in keys]
    if unknown:
        raise SpecError(f"{where}: unknown key {unknown[0]!r}; keys are: {', '.join(keys)}")
    return dict(entry)
