"""Options that the training verbs share: which environments, and a Config's fields as options."""

import argparse
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from agentgen_bench.cli.options import knob
from agentgen_bench.train.choices import SPEC_FIELDS, Option, options
from agentgen_bench.train.settings import field_docs

if TYPE_CHECKING:
    from _typeshed import DataclassInstance


def add_environment_options(parser: argparse.ArgumentParser, names: str) -> None:
    """Add the options that decide environment settings; `names` is the option that lists them."""
    group = parser.add_argument_group("environments")
    group.add_argument(
        f"--{names}",
        metavar="LIST",
        help="families or ids with weights, such as sciworld=19,alfworld=3,webshop; without a number the weight is 1",
    )
    group.add_argument("--richness", help="lean, base or rich (default: that of the id, base for a family)")
    group.add_argument("--difficulty", help="difficulty of all environments (default: the family's own)")
    group.add_argument("--split", help="split of the levels (default: train)")
    group.add_argument("--distractors", help="preset of distractors: none, paper-v1 ... (default: none)")
    group.add_argument("--interface", help="how actions are called: original, opaque ... (default: original)")
    group.add_argument("--lifecycle", help="episodes as packs of tasks: none, pack-4, pack-4-wiped (default: none)")
    group.add_argument("--faults", help="steps that fail: none, actions-v1, mixed:0.2 ... (default: none)")
    group.add_argument(
        "--set",
        metavar="NAME=VALUE",
        type=knob,
        action="append",
        default=[],
        help="a knob, such as max_steps=15, or sokoban.size=7 for one family; may be repeated",
    )


def spec_changes(args: argparse.Namespace) -> dict[str, Any]:
    """Return the spec fields given on the command line; None where not given."""
    return {name: getattr(args, name) for name in SPEC_FIELDS}


def add_config_options(
    parser: argparse.ArgumentParser,
    config: "type[DataclassInstance]",
    skip: Iterable[str] = (),
    title: str = "training",
) -> None:
    """Add an option per field of a Config, with the field's docstring as help; not given, it is absent from the args.

    So a preset can stand between the command line and the defaults. `title` heads the options in the help.
    """
    docs = field_docs(config)
    group = parser.add_argument_group(title)
    for option in options(config):
        if option.name not in skip:
            _add(group, option, docs[option.name])


def _add(group: Any, option: Option, doc: str) -> None:
    flag = f"--{option.name.replace('_', '-')}"
    default = "none" if option.default is None else option.default
    text = f"{doc.rstrip('.')} (default: {default})".replace("%", "%%")
    if option.type is bool:
        group.add_argument(flag, action=argparse.BooleanOptionalAction, default=argparse.SUPPRESS, help=text)
        return
    reader: Callable[[str], Any] = option.type
    choices: tuple[str | None, ...] | None = option.choices
    metavar = option.type.__name__.upper() if choices is None else f"{{{','.join(map(str, choices))}}}"
    if option.is_optional:
        reader = _or_none(option.type)
        if option.choices is not None:
            choices, metavar = (*option.choices, None), f"{{{','.join(option.choices)},none}}"
    group.add_argument(flag, type=reader, choices=choices, default=argparse.SUPPRESS, metavar=metavar, help=text)


def _or_none(kind: type) -> Callable[[str], Any]:
    def read(text: str) -> Any:
        return None if text.lower() == "none" else kind(text)

    return read


def given(args: argparse.Namespace, config: "type[DataclassInstance]") -> dict[str, Any]:
    """Return the fields of a Config that were given on the command line."""
    return {option.name: getattr(args, option.name) for option in options(config) if hasattr(args, option.name)}
