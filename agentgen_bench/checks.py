"""Checks of what a user hands in, each written once: a choice, a flag, a text, a mapping, an action, a seed."""

import os
from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

import numpy as np

from agentgen_bench.errors import ActionError, AgentGenError, SpecError

Choice = TypeVar("Choice")


def chosen(
    name: str, value: object, choices: Iterable[Choice], error: type[AgentGenError] = SpecError, where: str = ""
) -> Choice:
    """Return the one of `choices` that equals `value`.

    Raises:
        AgentGenError: none does; the message names them all, behind `where`, such as `runs/a: `. It is an `error`.

    Examples:
        >>> chosen("split", "test", ("train", "test"))
        'test'
    """
    known = list(choices)
    for choice in known:
        if type(choice) is type(value) and choice == value:
            return choice
    raise error(f"{where}unknown {name} {value!r}; choose one of: {', '.join(map(str, known))}")


def checked_flag(name: str, value: object) -> bool:
    """Return a flag as bool, NumPy's too; raises SpecError for anything else: any text would be true, "no" as well."""
    if not isinstance(value, (bool, np.bool_)):
        raise SpecError(f"{name}={value!r} is no flag; choose True or False (--set {name}=true or false)")
    return bool(value)


def checked_text(name: str, value: object, wanted: str) -> str:
    """Return a text, or a path as its text; raises SpecError for anything else, with what is `wanted`."""
    text = os.fspath(value) if isinstance(value, os.PathLike) else value
    if not isinstance(text, str):
        raise SpecError(f"{name}={value!r} is no text; give {wanted}")
    return text


def checked_mapping(name: str, value: object) -> dict[str, Any]:
    """Return a copy of a mapping from names to values; raises SpecError for anything else."""
    if not isinstance(value, Mapping) or not all(isinstance(key, str) for key in value):
        raise SpecError(f"{name} {value!r:.100} is no mapping from names to values; give a dictionary")
    return dict(value)


def checked_action(action: object) -> str:
    """Return the action; raises ActionError where it is no string. Any string is an action, a useless one too."""
    if not isinstance(action, str):
        raise ActionError(f"an action is a string, got {action!r} of type {type(action).__name__}")
    return action


def checked_actions(actions: object, number: int) -> list[str]:
    """Return an action for each of `number` environments; raises ActionError where there are fewer, more or one text.

    An array of one would go to all of them, and a text letter by letter.
    """
    if isinstance(actions, str) or not isinstance(actions, Iterable):
        raise ActionError(f"expected an action for each of {number} environments, got {actions!r:.100}; give a list")
    found = [checked_action(action) for action in actions]
    if len(found) != number:
        raise ActionError(f"got {len(found)} actions for {number} environments; give one for each")
    return found


def checked_seed(seed: object, name: str = "seed") -> int:
    """Return a seed as int, NumPy's integers too; raises SpecError for anything else and below 0."""
    if isinstance(seed, bool) or not isinstance(seed, (int, np.integer)) or seed < 0:
        raise SpecError(f"{name} {seed!r} is out of range; choose an integer from 0")
    return int(seed)
