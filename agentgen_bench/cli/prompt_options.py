"""The options that decide how an episode becomes model input; `evaluate`, `collect` and `profile` share them."""

import argparse
import json
from io import StringIO
from pathlib import Path
from typing import Any

from agentgen_bench.cli.options import given_path, integer
from agentgen_bench.errors import DataError
from agentgen_bench.homes import expanded
from agentgen_bench.parsing import ACTION_FORMATS
from agentgen_bench.prompts import ACTION_HINTS, PROTOCOLS, REPEAT_HINTS, PromptConfig

DEFAULT_PROMPT = PromptConfig()


def add_prompt_options(parser: argparse.ArgumentParser, defaults: PromptConfig = DEFAULT_PROMPT) -> None:
    """Add the options, with these defaults."""
    group = parser.add_argument_group("prompt")
    group.add_argument(
        "--protocol",
        choices=PROTOCOLS,
        default=defaults.protocol,
        help="each step as a prompt of its own, a growing chat, or a chat that answers by function calls "
        f"(default: {defaults.protocol})",
    )
    group.add_argument(
        "--history-length",
        type=integer(0),
        default=defaults.history_length,
        help=f"past steps shown in each prompt of the protocol window (default: {defaults.history_length})",
    )
    group.add_argument(
        "--action-hints",
        choices=ACTION_HINTS,
        default=defaults.action_hints,
        help=f"show no actions, what they look like, or all admissible ones (default: {defaults.action_hints})",
    )
    group.add_argument(
        "--repeat-hints",
        choices=REPEAT_HINTS,
        default=defaults.repeat_hints,
        help="in a chat with full hints: all of them in each turn, or what changed since the turn before "
        f"(default: {defaults.repeat_hints})",
    )
    group.add_argument(
        "--thinking",
        action=argparse.BooleanOptionalAction,
        default=defaults.thinking,
        help="ask for reasoning before the action (default: on)",
    )
    group.add_argument(
        "--action-format",
        choices=ACTION_FORMATS,
        default=defaults.action_format,
        help=f"how the answer marks its action; choice numbers the hints (default: {defaults.action_format})",
    )
    group.add_argument(
        "--system-prompt", metavar="TEXT", default="", help="a system message before all else; @FILE reads it"
    )
    group.add_argument(
        "--examples",
        metavar="FILE",
        type=given_path,
        help='few-shot: JSON lines {"role": "user" or "assistant", "content": ...} that stand before the task',
    )


def prompt_from_args(args: argparse.Namespace) -> PromptConfig:
    """Return the prompt settings of the options; raises DataError for a file that cannot be read."""
    return PromptConfig(
        history_length=args.history_length,
        action_hints=args.action_hints,
        thinking=args.thinking,
        action_format=args.action_format,
        protocol=args.protocol,
        repeat_hints=args.repeat_hints,
        system_prompt=system_prompt(args.system_prompt),
        examples=_examples(args.examples),
    )


def system_prompt(value: str) -> str:
    """Return the text that an option gives, or that of the file it names as @FILE; raises DataError as above."""
    return _read(Path(value[1:])) if value.startswith("@") else value


def _examples(path: Path | None) -> tuple[Any, ...]:
    if path is None:
        return ()
    messages = []
    for number, line in enumerate(StringIO(_read(path)), 1):  # at line ends alone: a JSON text may hold U+2028
        try:
            messages.append(json.loads(line))
        except (ValueError, RecursionError) as error:
            raise DataError(f"{path}, line {number} is not JSON: {error}") from None
    return tuple(messages)


def _read(path: Path) -> str:
    try:
        return expanded(path, DataError).read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"cannot read {path}: {error}") from None
