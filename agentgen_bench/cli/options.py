"""Options that several verbs share: which environments, and how a list or a knob is written."""

import argparse
import json
from collections.abc import Callable, Collection, Iterable
from pathlib import Path
from typing import Any, NoReturn

from agentgen_bench.errors import SpecError
from agentgen_bench.homes import expanded

AddParser = Callable[["argparse._SubParsersAction[argparse.ArgumentParser]"], None]


class Parser(argparse.ArgumentParser):
    """A parser whose errors say what is wrong and where help is, without pages of usage around it."""

    def parse_known_args(self, args: Iterable[str] | None = None, namespace: Any = None) -> tuple[Any, list[str]]:
        """Return the options, and nothing unknown: that ends here, with the help of the verb that lacks it.

        argparse hands it up to the parser of all verbs, whose help lists no verb's options.
        """
        found, unknown = super().parse_known_args(args, namespace)
        if unknown:
            self.error(f"unrecognized arguments: {' '.join(unknown)}")
        return found, unknown

    def error(self, message: str) -> NoReturn:
        """Print the message and end with exit code 2."""
        self.exit(2, f"{self.prog}: error: {message}\nsee: {self.prog} --help\n")


def given_text(text: str) -> str:
    """Return a value that is not empty: with a shell's variable that is not set, another model would play, or none."""
    if not text.strip():
        raise argparse.ArgumentTypeError("its value is empty; give one, or leave the option out")
    return text


def given_path(text: str) -> Path:
    """Return a path that is not empty, which would be the working directory, with the home that it begins with.

    A shell leaves `~` alone within a word: `--output=~/runs/mine` would make a folder of that name.
    """
    try:
        return expanded(given_text(text))
    except SpecError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def listed(text: str) -> list[str]:
    """Return the items of a comma-separated list, one at least: `lean,base` gives two."""
    items = [item.strip() for item in text.split(",") if item.strip()]
    if not items:
        raise argparse.ArgumentTypeError(f"{text!r} names nothing; give a list such as a,b, or leave the option out")
    return items


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


def refuse_others(
    add_parser: AddParser, args: argparse.Namespace, option: str, taken: Collection[str], why: str
) -> None:
    """Raise SpecError where an option is given that means nothing beside `option`.

    Args:
        add_parser: adds the command's parser, which knows what the options are where they are not given.
        args: the command's options.
        option: such as `--from`.
        taken: those that mean something beside it, by their names in `args`.
        why: what the others would decide, and why nothing does.
    """
    commands = argparse.ArgumentParser().add_subparsers()
    add_parser(commands)
    (command,) = commands.choices.values()
    usual = vars(command.parse_args([]))
    given = [name for name, value in vars(args).items() if name in usual.keys() - taken and value != usual[name]]
    if given:
        raise SpecError(f"--{given[0].replace('_', '-')} does not go with {option}: {why}")


def require_one_source(suite: str | None, envs: list[str]) -> None:
    """Raise SpecError where both a suite and environments are named."""
    if suite and envs:
        raise SpecError("--suite and --env exclude each other; name a suite or environments")
