"""Runs of agents of the submitters' own: they are entries like others, and their rows say so."""

import gzip
import json
from pathlib import Path

import pytest

from agentgen_bench import PromptConfig, load_agent
from agentgen_bench.evaluation.plan import suite_plan
from agentgen_bench.evaluation.run import evaluate
from agentgen_bench.leaderboard.columns import board_json
from agentgen_bench.leaderboard.markdown import markdown
from agentgen_bench.leaderboard.page import page
from agentgen_bench.leaderboard.submit import submit
from agentgen_bench.leaderboard.table import read_boards
from agentgen_bench.leaderboard.verify import verify
from agentgen_bench.suites import Suite

FULL = PromptConfig(action_hints="full")


def agent_entry(name: str, suite: Suite, tmp_path: Path) -> Path:
    run = tmp_path / "run"
    evaluate(suite_plan(suite), load_agent(f"tests.policies.some_agents:{name}", FULL), FULL, run)
    return submit(
        run, org="Lab", model="mine", date="2026-01-31", leaderboards=tmp_path / "board", suite=suite, workers=1
    )


@pytest.mark.parametrize("name", ["first", "Awaits"])
def test_an_agents_run_is_submitted_and_verifies(name: str, suite: Suite, tmp_path: Path) -> None:
    entry = agent_entry(name, suite, tmp_path)
    assert verify(entry, suite=suite, workers=1).holds


def test_a_row_of_an_agent_says_so(suite: Suite, tmp_path: Path) -> None:
    agent_entry("first", suite, tmp_path)
    boards = read_boards(tmp_path / "board")
    assert board_json(boards[0])["rows"][0]["kind"] == "agent"
    assert "(agent)" in markdown(boards)
    assert "</a> <small>agent</small>" in page(boards)


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("completion", "something else", "is not what the completion holds"),
        ("cost_usd", -1.0, "cost_usd is -1.0; 0 to 1000000 are accepted"),
    ],
)
def test_an_agents_entry_that_says_otherwise_than_it_did_is_refused(
    field: str, value: object, message: str, suite: Suite, tmp_path: Path
) -> None:
    entry = agent_entry("first", suite, tmp_path)
    path = entry / "episodes.jsonl.gz"
    lines = gzip.decompress(path.read_bytes()).decode().splitlines()
    episode = json.loads(lines[0])
    episode["steps"][0][field] = value
    path.write_bytes(gzip.compress("\n".join([json.dumps(episode), *lines[1:], ""]).encode()))
    verified = verify(entry, suite=suite, workers=1)
    assert not verified.holds
    assert message in "; ".join(verified.problems)
