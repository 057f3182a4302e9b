"""Options that several verbs share: which environments, and how a list or a knob is written."""

import argparse
import json
from collections.abc import Callable
from typing import Any, NoReturn

from agentgen_bench.errors import SpecError


class Parser(argparse.ArgumentParser):
    """A parser whose errors say what is wrong and where help is, without pages of usage around it."""

    def error(self, message: str) -> NoReturn:
        """Print the message and end with exit code 2."""
        self.exit(2, f"{self.prog}: error: {message}\nsee: {self.prog} --help\n")


def listed(text: str) -> list[str]:
    """Return the items of a comma-separated list: `lean,base` gives two."""
    return [item.strip() for item in text.split(",") if item.strip()]


def knob(text: str) -> tuple[str, Any]:
    """Return name and value of NAME=VALUE; the value is read as JSON where it is JSON, else as a string."""
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=VALUE")
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value


def integer(low: int) -> Callable[[str], int]:
    """Return a reader of integers of at least `low`."""

    def read(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            raise argparse.ArgumentTypeError(f"{text!r} is not an integer") from None
        if value < low:
            raise argparse.ArgumentTypeError(f"{value} is below {low}")
        return value

    return read


def require_one_source(suite: str | None, envs: list[str]) -> None:
    """Raise SpecError where both a suite and environments are named."""
    if suite and envs:
        raise SpecError("--suite and --env exclude each other; name a suite or environments")
