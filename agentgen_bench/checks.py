"""Checks of what a user hands in, each written once: a choice, a flag, an action, a seed."""

from collections.abc import Iterable
from typing import TypeVar

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


def checked_action(action: object) -> str:
    """Return the action; raises ActionError where it is no string. Any string is an action, a useless one too."""
    if not isinstance(action, str):
        raise ActionError(f"an action is a string, got {action!r} of type {type(action).__name__}")
    return action


def checked_seed(seed: object, name: str = "seed") -> int:
    """Return a seed as int, NumPy's integers too; raises SpecError for anything else and below 0."""
    if isinstance(seed, bool) or not isinstance(seed, (int, np.integer)) or seed < 0:
        raise SpecError(f"{name} {seed!r} is out of range; choose an integer from 0")
    return int(seed)
