"""Paths as users write them: `~` and `~name` stand for the home folders of users."""

import os
from pathlib import Path

from agentgen_bench.errors import AgentGenError, SpecError


def expanded(path: str | os.PathLike[str], error: type[AgentGenError] = SpecError) -> Path:
    """Return the path with the home folder that it begins with, if any.

    Raises:
        AgentGenError: it begins with `~name` and there is no such user; it is an `error`.

    Examples:
        >>> expanded("runs/mine") == Path("runs/mine")
        True
    """
    try:
        return Path(path).expanduser()
    except RuntimeError as missing:  # the one that pathlib raises
        raise error(f"{os.fspath(path)} is in the home of a user that is not here: {missing}") from None
