"""Whole runs against a server, from the command line."""

import gc
import json
import re
import threading
import time
from pathlib import Path

import pytest

from agentgen_bench.cli import main
from agentgen_bench.episodes import read_episodes
from tests.policies.stub_server import Reply, StubServer, completion, policy, refusal

SECRET = "MADEUP-word"
# Up to three answers come at once.
USELESS = r"(1[0-2]) of the first \1 answers hold no action; most often \(\1\) the answer was cut off at"


def evaluate(server: StubServer, output: Path, *more: str, url: str | None = None) -> int:
    command = ["evaluate", "--base-url", url or server.url, "--model", "tiny", "--env", "AgentGen/Sokoban-lean-v0"]
    return main([*command, "--episodes", "3", "--quiet", "--retries", "1", "--output", str(output), *more])


def test_a_run_records_how_it_was_asked_and_how_each_answer_ended(server: StubServer, tmp_path: Path) -> None:
    server.answer = lambda payload, n: completion("<action>`up`</action>", "stop")
    assert evaluate(server, tmp_path / "run", "--temperature", "1") == 0
    policy = json.loads((tmp_path / "run" / "manifest.json").read_text())["policy"]
    assert (policy["sent"], policy["refused"]) == ({"temperature": 1.0, "max_tokens": 512}, [])
    steps = [step for episode in read_episodes(tmp_path / "run" / "episodes.jsonl") for step in episode.steps]
    assert {(step.action, step.finish_reason, step.marks) for step in steps} == {("up", "stop", ("backticks",))}


def test_no_secret_is_in_any_file_or_message_of_a_run(
    server: StubServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    url = server.url.replace("//", f"//me:{SECRET}@") + f"?key={SECRET}"
    monkeypatch.setattr("sys.argv", ["agentgen-bench", "evaluate", "--base-url", url])
    assert evaluate(server, tmp_path / "run", url=url) == 0
    server.answer = lambda payload, n: refusal(400, f"{SECRET} no")
    assert evaluate(server, tmp_path / "other", url=url) == 1
    main(["report", str(tmp_path / "run"), "--output", str(tmp_path / "report.html")])
    main(["export", str(tmp_path / "run"), "--format", "csv", "--output", str(tmp_path / "csv")])
    seen = capsys.readouterr()
    texts = [seen.out, seen.err, *(file.read_text() for file in tmp_path.rglob("*") if file.is_file())]
    assert len(texts) > 5
    assert not [text for text in texts if SECRET in text]


def test_a_run_goes_on_at_another_address(server: StubServer, tmp_path: Path) -> None:
    server.answer = lambda payload, n: completion("<action>up</action>") if n < 100 else refusal(401, "token expired")
    assert evaluate(server, tmp_path / "run", "--workers", "1") == 1
    moved = StubServer()
    try:
        assert evaluate(moved, tmp_path / "run", "--workers", "1", "--resume") == 0
    finally:
        moved.close()
    assert len(list(read_episodes(tmp_path / "run" / "episodes.jsonl"))) == 3


def test_a_run_whose_answers_are_no_use_says_so_at_once(
    server: StubServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    server.answer = lambda payload, n: completion("<think>Let me see", "length") if n < 30 else refusal(400, "enough")
    assert evaluate(server, tmp_path / "run", "--max-tokens", "64") == 1
    said = capsys.readouterr().err
    assert len(re.findall(USELESS, said)) == 1


def test_collecting_from_a_model_whose_answers_are_no_use_says_so_at_once(
    server: StubServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    server.answer = lambda payload, n: completion("<think>Let me see", "length") if n < 30 else refusal(400, "enough")
    command = ["collect", "--base-url", server.url, "--model", "tiny", "--envs", "sokoban", "--levels", "3"]
    assert main([*command, "--max-tokens", "64", "--quiet", "--retries", "1", "--output", str(tmp_path / "run")]) == 1
    said = capsys.readouterr().err
    assert len(re.findall(USELESS, said)) == 1


def test_waiting_is_shown(server: StubServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    busy = Reply(429, {"error": {"message": "slow down"}}, {"Retry-After": "1"})
    server.answer = lambda payload, n: busy if n == 1 else completion("<action>up</action>")
    assert evaluate(server, tmp_path / "run") == 0
    assert f"waiting for {server.url}: 429 slow down; attempt 2 of 2 in 1 s" in capsys.readouterr().err


def test_a_client_that_is_gone_leaves_no_thread(server: StubServer) -> None:
    def running() -> int:
        return [thread.name for thread in threading.enumerate()].count("requests")

    gc.collect()
    before = running()
    asked = policy(server)
    assert running() >= 1
    del asked
    gc.collect()
    until = time.monotonic() + 10
    while running() > before and time.monotonic() < until:
        time.sleep(0.01)
    assert running() <= before
