"""The examples for users of models run as they stand; those for agents are in test_agents.py."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from agentgen_bench import TaskSpec, play
from agentgen_bench.episodes import read_episodes
from agentgen_bench.policies.scripted import OraclePolicy
from agentgen_bench.rollout import Job
from tests.policies.stub_server import StubServer, completion

EXAMPLES = Path(__file__).parents[2] / "examples"
ENVIRONMENT = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
QUICK = ["--episodes", "2", "--max-tokens", "4", "--no-thinking", "--quiet"]


@pytest.mark.slow
def test_a_fine_tuned_checkpoint_is_compared_with_its_start(tiny_model, tmp_path):
    command = [str(EXAMPLES / "fine_tuned_checkpoint.sh"), str(tiny_model), str(tiny_model), str(tmp_path), *QUICK]
    command += ["--backend", "transformers"]
    done = subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    runs = [list(read_episodes(tmp_path / role / "episodes.jsonl")) for role in ("base", "checkpoint")]
    assert [len(run) for run in runs] == [4, 4]
    assert [step.completion for episode in runs[0] for step in episode.steps] == [
        step.completion for episode in runs[1] for step in episode.steps
    ]
    assert "Sokoban" in done.stdout


@pytest.mark.slow
def test_a_pretrained_model_plays_as_it_is_and_as_a_clone_and_nothing_is_done_twice(tiny_model, tmp_path):
    command = [str(EXAMPLES / "pretrained_rows.sh"), str(tiny_model), str(tmp_path / "rows"), "small"]
    for _ in range(2):
        done = subprocess.run(command, cwd=tmp_path, env=ENVIRONMENT, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr[-2000:]
    runs = [list(read_episodes(tmp_path / "rows" / "rows" / role / "episodes.jsonl")) for role in ("as-is", "cloned")]
    assert [len(run) for run in runs] == [4, 4]
    assert [path.name for path in (tmp_path / "rows" / "sft").glob("checkpoint-*")] == ["checkpoint-000002"]


@pytest.mark.slow
def test_the_study_of_memory_goes_its_whole_way_in_small_and_does_nothing_twice(tmp_path):
    shutil.copytree(EXAMPLES, tmp_path / "examples")
    command = ["examples/memory_study.sh", "small"]
    said = []
    for _ in range(2):
        done = subprocess.run(command, cwd=tmp_path, env=ENVIRONMENT, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr[-2000:]
        said.append(done.stdout)
    runs = tmp_path / "runs" / "memory-cpu-small" / "study" / "runs"
    assert sorted(path.name for path in runs.iterdir()) == ["initial", "on-packs-seed-0", "on-packs-seed-1"]
    for score in ("held_in_score_change", "held_in_gain_change"):
        assert re.search(rf"trained on Sokoban +{score} .* levels and seeds", said[0])
    assert "parameters" in said[0]
    assert "parameters" not in said[1]


@pytest.fixture
def server():
    stub = StubServer()
    yield stub
    stub.close()


def test_a_tool_calling_model_plays_in_a_loop_of_its_own(server, tmp_path):
    """The oracle's calls by way of a server; the first reply is words, which use up a step and are answered."""
    (oracle,) = play([Job(TaskSpec("Sokoban"), 0)], OraclePolicy())
    directions = [step.action for step in oracle.steps]

    def answer(payload, number):
        if number == 1:
            return completion("I look at the board first.")
        arguments = json.dumps({"direction": directions[number - 2]})
        call = {"id": f"call-{number}", "type": "function", "function": {"name": "move", "arguments": arguments}}
        return completion(None, tool_calls=[call])

    server.answer = answer
    command = [sys.executable, str(EXAMPLES / "tool_calling_model.py"), server.url, "tiny", "--levels", "1"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout == "level 0: success True, score 1.00\n"
    (episode,) = read_episodes(tmp_path / "episodes.jsonl")
    assert [step.action for step in episode.steps] == [None, *directions]
    last = server.payloads[-1]["messages"]
    assert [message["role"] for message in last[:5]] == ["user", "assistant", "user", "assistant", "tool"]
    assert {tool["function"]["name"] for tool in server.payloads[0]["tools"]} == {"move"}
    answered = [message["tool_call_id"] for message in last if message["role"] == "tool"]
    assert answered == [f"call-{number}" for number in range(2, len(directions) + 1)]


def test_the_list_of_examples_names_them_all_and_the_tests_that_run_them():
    text = (EXAMPLES / "README.md").read_text(encoding="utf-8")
    linked = re.findall(r"\]\(([^)]+)\)", text)
    assert [link for link in linked if not (EXAMPLES / link).exists()] == []
    there = {path.name for path in EXAMPLES.iterdir() if path.name not in ("README.md", "__pycache__")}
    assert {Path(link).parts[0] for link in linked} - {".."} == there
    tests = re.findall(r"`(tests/[^`]+|\.ci/[^`]+)`", text)
    assert [test for test in tests if not (EXAMPLES.parent / test).exists()] == []


@pytest.mark.parametrize("page", ["README.md", "docs/adapters/README.md"])
def test_a_page_that_sends_users_on_names_pages_that_are_there(page):
    path = EXAMPLES.parent / page
    linked = re.findall(r"\]\(([^)#]+)\)", path.read_text(encoding="utf-8"))
    assert linked
    assert [link for link in linked if "://" not in link and not (path.parent / link).exists()] == []
