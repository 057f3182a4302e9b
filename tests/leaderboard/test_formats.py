"""Entries of the choice format, of native calls and of policies that are none of ours: their completions count."""

import re
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from agentgen_bench.answers import read_answer, written_answer
from agentgen_bench.evaluation.plan import suite_plan
from agentgen_bench.evaluation.run import evaluate
from agentgen_bench.leaderboard.submit import submit
from agentgen_bench.leaderboard.verify import verify
from agentgen_bench.parsing import ParseReason
from agentgen_bench.policies.base import Decision
from agentgen_bench.prompts import History, PromptConfig
from agentgen_bench.seeding import stream
from agentgen_bench.suites import Suite
from tests.leaderboard.test_tamper import change, problem, read_lines

CHOICE = PromptConfig(action_format="choice", action_hints="full")
TOOLS = PromptConfig(protocol="tools")
KIND = "somebodys-back-end"  # a third party's, over the entry point group


class Speaks:
    """Says a random command as the prompt asks for it, and now and then something that holds no action."""

    name = "speaks"

    def __init__(self, config: PromptConfig, odd: Sequence[str]) -> None:
        self.config, self.odd = config, odd

    def act(self, histories: Sequence[History]) -> list[Decision]:
        return [self._decide(history) for history in histories]

    def describe(self) -> dict[str, Any]:
        return {"kind": KIND, "name": self.name}

    def _decide(self, history: History) -> Decision:
        draws = stream("speaks", *history.key)
        command = history.admissible_commands[draws.integers(len(history.admissible_commands))]
        said = written_answer("hm", command, history, self.config) or ""
        if draws.random() < 0.3:
            said = self.odd[draws.integers(len(self.odd))]
        reading = read_answer(said, history, self.config)
        return Decision(said, reading.action, reading.reason, marks=reading.marks, finish_reason="stop")


ODD = {
    "choice": ["<action>99</action>", "<action>`1`</action>", "I take the first", "", "<action>0</action>"],
    "tools": [
        "I go up",
        "",
        '<tool_call>{"name": "fly", "arguments": {}}</tool_call>',
        '<tool_call>{"name": "move", "arguments": {"direction": "up"}}</tool_call>'
        '<tool_call>{"name": "move", "arguments": {"direction": "down"}}</tool_call>',
        "<tool_call>{</tool_call>",
    ],
}
CONFIGS = {"choice": CHOICE, "tools": TOOLS}


@pytest.fixture(scope="module", params=["choice", "tools"])
def format_made(
    request: pytest.FixtureRequest, suite: Suite, tmp_path_factory: pytest.TempPathFactory
) -> tuple[str, Path]:
    config = CONFIGS[request.param]
    folder = tmp_path_factory.mktemp(request.param)
    evaluate(suite_plan(suite), Speaks(config, ODD[request.param]), config, folder / "run", record_text=False)
    entry = submit(
        folder / "run",
        org="Lab",
        model="speaks",
        date="2026-01-31",
        leaderboards=folder / "board",
        suite=suite,
        workers=1,
    )
    return request.param, entry


@pytest.fixture
def spoken(format_made: tuple[str, Path], tmp_path: Path) -> tuple[str, Path]:
    name, made = format_made
    return name, Path(shutil.copytree(made, tmp_path / made.parent.name / made.name))


def steps_of(entry: Path) -> list[dict[str, Any]]:
    return [step for line in read_lines(entry) for step in line["steps"]]


def test_an_entry_as_made_holds_and_has_answers_of_every_kind(spoken: tuple[str, Path], suite: Suite) -> None:
    name, entry = spoken
    assert verify(entry, suite=suite, workers=1).problems == ()
    reasons = {step["parse_reason"] for step in steps_of(entry)} - {None}
    wanted = {
        "choice": {ParseReason.NOT_LISTED, ParseReason.NO_ACTION, ParseReason.EMPTY},
        "tools": {ParseReason.NO_CALL, ParseReason.UNKNOWN_TOOL, ParseReason.SEVERAL_CALLS, ParseReason.EMPTY},
    }
    assert {str(reason) for reason in wanted[name]} <= reasons


def first(lines: list[dict[str, Any]], wanted: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    return next(step for line in lines for step in line["steps"] if wanted(step))


def acted(step: dict[str, Any]) -> bool:
    return step["action"] is not None and not step["marks"]


def failed(step: dict[str, Any]) -> bool:
    return step["action"] is None and step["completion"] != ""


OTHER = {"up": "down", "down": "up", "left": "right", "right": "left"}
NUMBER = re.compile(r"<action>(\d+)</action>")


def other_number(step: dict[str, Any]) -> None:
    step["completion"] = NUMBER.sub(lambda found: f"<action>{int(found[1]) % 2 + 1}</action>", step["completion"])


def other_call(step: dict[str, Any]) -> None:
    step["completion"] = re.sub(
        '"(up|down|left|right)"', lambda found: f'"{OTHER[found[1]]}"', step["completion"], count=1
    )


# What is done to a step, of which kind of step, in which format, and what verification must say.
TAMPERS: dict[str, tuple[str, Callable[[dict[str, Any]], bool], Callable[[dict[str, Any]], Any], str]] = {
    "another number": ("choice", acted, other_number, "action is recorded as|the replay gives"),
    "another action": (
        "choice",
        acted,
        lambda step: step.update(action=OTHER[step["action"]]),
        "action is recorded as|the replay gives",
    ),
    "an action for a number that is not listed": (
        "choice",
        lambda step: step["parse_reason"] == "not_listed",
        lambda step: step.update(action="up", parse_reason=None),
        "is recorded as up, the replay gives None",
    ),
    "a reason for an action that is listed": (
        "choice",
        acted,
        lambda step: step.update(action=None, parse_reason="not_listed"),
        "action is recorded as None, the replay gives",
    ),
    "an action for prose": (
        "choice",
        lambda step: step["completion"] == "I take the first",
        lambda step: step.update(action="up", parse_reason=None),
        "the action 'up' is not what the completion holds",
    ),
    "marks that are not there": (
        "choice",
        acted,
        lambda step: step.update(marks=["bold"]),
        "is not what the completion holds",
    ),
    "another call": ("tools", acted, other_call, "is not what the completion holds"),
    "another action than called": (
        "tools",
        acted,
        lambda step: step.update(action=OTHER[step["action"]]),
        "is not what the completion holds",
    ),
    "an action for two calls": (
        "tools",
        lambda step: step["parse_reason"] == "several_calls",
        lambda step: step.update(action="up", parse_reason=None),
        "the action 'up' is not what the completion holds",
    ),
    "an action for an unknown tool": (
        "tools",
        lambda step: step["parse_reason"] == "unknown_tool",
        lambda step: step.update(action="up", parse_reason=None),
        "the action 'up' is not what the completion holds",
    ),
    "another reason": (
        "tools",
        lambda step: step["parse_reason"] == "unknown_tool",
        lambda step: step.update(parse_reason="no_call"),
        "is not what the completion holds",
    ),
    "marks around a call": (
        "tools",
        acted,
        lambda step: step.update(marks=["bold"]),
        "is not what the completion holds",
    ),
    "no completion": ("tools", acted, lambda step: step.update(completion=""), "is not what the completion holds"),
    "a call that was cut off": (
        "tools",
        acted,
        lambda step: step.update(finish_reason="length", completion=step["completion"][:-15]),
        "is not what the completion holds",
    ),
}


@pytest.mark.parametrize("name", TAMPERS)
def test_a_changed_answer_is_found(name: str, spoken: tuple[str, Path], suite: Suite) -> None:
    of, wanted, edit, said = TAMPERS[name]
    if of != spoken[0]:
        pytest.skip(f"a matter of {of}")
    change(lambda lines: edit(first(lines, wanted)))(spoken[1])
    assert re.search(said, problem(spoken[1], suite))


def test_answers_of_another_format_are_not_taken(spoken: tuple[str, Path], suite: Suite) -> None:
    _, entry = spoken
    path = entry / "metadata.yaml"
    text = path.read_text()
    text = text.replace("action_format: choice", "action_format: tagged").replace("protocol: tools", "protocol: chat")
    path.write_text(text)
    assert "is not what the completion holds" in problem(entry, suite)


def test_a_kind_that_is_none_of_ours_is_checked_as_a_model(spoken: tuple[str, Path], suite: Suite) -> None:
    _, entry = spoken
    assert f"kind: {KIND}" in (entry / "metadata.yaml").read_text()

    def as_scripted(lines: list[dict[str, Any]]) -> None:
        for line in lines:
            for step in line["steps"]:
                step["completion"] = step["action"] or ""

    change(as_scripted)(entry)
    assert "is not what the completion holds" in problem(entry, suite)
