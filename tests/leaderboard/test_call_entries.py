"""Runs answered by function calls: their entries verify, and a changed call is found."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from agentgen_bench.evaluation.plan import suite_plan
from agentgen_bench.evaluation.run import evaluate
from agentgen_bench.leaderboard.submit import submit
from agentgen_bench.leaderboard.verify import verify
from agentgen_bench.prompts import PromptConfig
from agentgen_bench.suites import Suite
from tests.leaderboard.test_tamper import problem, read_lines, set_, write_lines
from tests.policies.stub_server import Reply, StubServer, completion, policy

TOOLS = PromptConfig(protocol="tools")
MOVES = ("up", "down", "left", "right")


def answer(payload: dict[str, int], number: int) -> Reply:
    function = {"name": "move", "arguments": json.dumps({"direction": MOVES[payload["seed"] % 4]})}
    return completion(None, "tool_calls", tool_calls=[{"id": "x", "type": "function", "function": function}])


@pytest.fixture
def server() -> Iterator[StubServer]:
    stub = StubServer()
    stub.answer = answer
    yield stub
    stub.close()


def test_a_run_by_calls_verifies_and_a_changed_call_is_found(server: StubServer, suite: Suite, tmp_path: Path) -> None:
    run = tmp_path / "run"
    evaluate(suite_plan(suite), policy(server, prompt=TOOLS), TOOLS, run)
    entry = submit(
        run, org="Lab", model="mine", date="2026-01-31", leaderboards=tmp_path / "board", suite=suite, workers=1
    )
    assert verify(entry, suite=suite, workers=1).holds
    lines = read_lines(entry)
    first = lines[0]["steps"][0]
    other = "up" if first["action"] != "up" else "down"
    set_(0, "steps", 0, "completion", to=first["completion"].replace(first["action"], other))(lines)
    write_lines(entry, [json.dumps(line) for line in lines])
    assert "is not what the completion holds" in problem(entry, suite)
    set_(0, "steps", 0, "action", to=other)(lines)
    write_lines(entry, [json.dumps(line) for line in lines])
    assert "is not what the completion holds" not in problem(entry, suite)  # the replay finds the lie
