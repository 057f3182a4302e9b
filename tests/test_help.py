"""What --help says of an option is what happens; an error is said without pages of usage around it."""

import argparse
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

import agentgen_bench
from agentgen_bench.cli import build_parser, main
from agentgen_bench.train import grpo_config, sft_config, trl_config

CONFIGS = {"sft": (sft_config.Config,), "grpo": (grpo_config.Config,), "trl": (grpo_config.Config, trl_config.Engine)}
SAID = re.compile(r"\(default: (.*?)\)$", re.DOTALL)


def verbs(parser: argparse.ArgumentParser) -> Iterator[argparse.ArgumentParser]:
    """Every parser below one, itself included."""
    yield parser
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for below in action.choices.values():
                yield from verbs(below)


def options() -> Iterator[tuple[str, argparse.Action]]:
    for parser in verbs(build_parser()):
        for action in parser._actions:
            if action.option_strings and not isinstance(action, (argparse._HelpAction, argparse._VersionAction)):
                yield f"{parser.prog.partition(' ')[2]} {action.option_strings[0]}", action


def in_force(name: str, action: argparse.Action) -> object:
    """The default of an option; of a trainer's setting, that of its Config."""
    if action.default is not argparse.SUPPRESS:
        return action.default
    fields = [config.__dataclass_fields__ for config in CONFIGS[name.split()[1]]]
    return next(own[action.dest].default for own in fields if action.dest in own)


def same(said: str, default: object) -> bool:
    if isinstance(default, bool):
        return said in (str(default), "on" if default else "off")
    if isinstance(default, (int, float)):
        try:
            return float(said) == float(default)
        except ValueError:
            return False
    if isinstance(default, Path):
        return said in (str(default), f"{said.partition(', else ')[0]}, else {default}")
    if isinstance(default, (list, tuple)):
        return said.startswith("all") or said == ",".join(map(str, default))
    return said == ("none" if default is None else str(default))


OPTIONS = list(options())


@pytest.mark.parametrize(("name", "action"), OPTIONS, ids=[name for name, _ in OPTIONS])
def test_the_default_that_help_says_is_in_force(name, action):
    default = in_force(name, action)
    text = (action.help or "") % {**vars(action), "prog": ""}
    said = SAID.search(text)
    assert text, f"{name} has no help"
    if said is None:
        assert action.required or default in (None, False, "", [], ()), f"{name} does not say its default {default!r}"
    elif default not in (None, [], ()) or action.default is argparse.SUPPRESS:
        assert same(said[1], default), f"{name} says {said[1]!r}, in force is {default!r}"


def test_every_option_is_read_somewhere() -> None:
    package = Path(agentgen_bench.__file__).parent
    text = "\n".join(path.read_text(encoding="utf-8") for path in package.rglob("*.py"))
    read = set(re.findall(r"\.([a-z]\w*)", text)) | set(re.findall(r'"([a-z]\w*)"', text))
    assert {action.dest for _, action in options()} - read == set()


def examples() -> Iterator[str]:
    for parser in verbs(build_parser()):
        text = (parser.epilog or "").replace("\\\n", " ")
        for line in text.splitlines():
            if line.strip().startswith("agentgen-bench "):
                yield line.strip()


@pytest.mark.parametrize("line", sorted(set(examples())))
def test_every_example_of_help_is_understood(line):
    line = re.sub(r"(?<=/)\*|\.\.\.", "x", line)
    build_parser().parse_args(shlex.split(line)[1:])


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("evaluate --episodes none", "agentgen-bench evaluate: error: argument --episodes: 'none' is not an integer"),
        ("train grpo --stepz 3", "agentgen-bench train grpo: error: the following arguments are required"),
        ("nonsense", "agentgen-bench: error: argument COMMAND: invalid choice: 'nonsense'"),
        ("evaluate --modle m", "agentgen-bench evaluate: error: unrecognized arguments: --modle m"),
        ("train grpo --model m --output o --stepz 3", "agentgen-bench train grpo: error: unrecognized arguments: --st"),
        ("--colour envs", "agentgen-bench: error: unrecognized arguments: --colour"),
    ],
)
def test_a_wrong_option_is_told_in_two_lines(line, message, capsys):
    with pytest.raises(SystemExit) as ended:
        main(line.split())
    said = capsys.readouterr().err.splitlines()
    assert ended.value.code == 2
    assert said[0].startswith(message)
    assert said[1:] == [f"see: {said[0].partition(':')[0]} --help"]


def test_the_key_of_a_server_is_named_where_the_server_is():
    texts = [action.help for name, action in OPTIONS if name == "evaluate --base-url"]
    assert "OPENAI_API_KEY" in texts[0]
