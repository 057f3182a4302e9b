"""One model under several harnesses: which there are, how they are played and gone on with, what is read of them."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from agentgen_bench.cli import main
from agentgen_bench.errors import RunError, SpecError
from agentgen_bench.evaluation.grid import grid_of, grid_runs, harness_grid, open_grid
from agentgen_bench.evaluation.plan import single_plan
from agentgen_bench.evaluation.run import evaluate as play
from agentgen_bench.policies.scripted import RandomPolicy
from agentgen_bench.prompts import PromptConfig
from agentgen_bench.spec import TaskSpec
from tests.policies.stub_server import StubServer, completion, refusal

SPLIT = ("AgentGen/Sokoban-lean-v0", "AgentGen/Sokoban-base-v0")


@pytest.fixture
def server() -> Iterator[StubServer]:
    stub = StubServer()
    yield stub
    stub.close()


def evaluate(server: StubServer, output: Path, *more: str, axes: tuple[str, ...] = ("protocol=window,chat",)) -> int:
    command = ["evaluate", "--base-url", server.url, "--model", "tiny", "--env", SPLIT[0], "--episodes", "2"]
    return main([*command, "--quiet", "--retries", "0", "--output", str(output), *more, "--harness-grid", *axes])


def test_a_grid_holds_every_combination_that_there_can_be():
    axes = [("protocol", ("window", "tools")), ("action_format", ("tagged", "json")), ("thinking", (True, False))]
    grid = harness_grid(PromptConfig(), axes)
    assert list(grid.harnesses) == [
        "window-tagged-thinking",
        "window-tagged-direct",
        "window-json-thinking",
        "window-json-direct",
        "tools-tagged-thinking",
        "tools-tagged-direct",
    ]
    assert grid.harnesses["window-json-direct"] == PromptConfig(action_format="json", thinking=False)
    assert [line.partition(":")[0] for line in grid.left_out] == ["tools-json-thinking", "tools-json-direct"]


def test_a_harness_whose_input_is_another_ones_is_left_out():
    grid = harness_grid(PromptConfig(), [("protocol", ("window", "chat")), ("history_length", (0, 2))])
    assert list(grid.harnesses) == ["window-history0", "window-history2", "chat-history0"]
    assert grid.left_out == ("chat-history2: gives the same input as chat-history0",)


@pytest.mark.parametrize(
    ("axes", "message"),
    [
        ([("colour", ("red",))], "harness axis 'colour' is unknown or named twice; choose among: protocol"),
        ([("protocol", ("chat",)), ("protocol", ("window",))], "harness axis 'protocol' is unknown or named twice"),
        ([("action_format", ("tagged", "tags"))], "unknown action_format 'tags'; choose among: tagged, react"),
        ([("protocol", ("chat",))], "the grid holds 1 harnesses, it needs two"),
        ([("action_format", ("tagged", "choice"))], "it needs two; left out: choice: action_format 'choice' numbers"),
    ],
)
def test_a_grid_that_is_none_is_refused(axes, message):
    with pytest.raises(SpecError, match=message):
        harness_grid(PromptConfig(), axes)


@pytest.mark.parametrize("axis", ["protocol", "protocol=", "colour=red", "thinking=maybe", "history-length=many"])
def test_an_axis_that_is_none_is_wrong_usage(axis: str, server: StubServer, tmp_path: Path):
    with pytest.raises(SystemExit, match="2"):
        evaluate(server, tmp_path / "grid", axes=(axis,))


def test_a_scripted_policy_has_no_grid(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert main(["evaluate", "--policy", "random", "--harness-grid", "protocol=window,chat"]) == 2
    assert "a scripted policy reads no prompt" in capsys.readouterr().err


def test_each_harness_has_a_run_of_its_own_on_the_same_levels(
    server: StubServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    path = tmp_path / "grid"
    assert evaluate(server, path, axes=("protocol=window,chat", "action-hints=templates,full")) == 0
    runs = grid_runs(path)
    assert list(runs) == ["window-templates", "window-full", "chat-templates", "chat-full"]
    manifests = [json.loads((run / "manifest.json").read_text()) for run in runs.values()]
    assert [(m["prompt"].get("protocol", "window"), m["prompt"]["action_hints"]) for m in manifests] == [
        ("window", "templates"),
        ("window", "full"),
        ("chat", "templates"),
        ("chat", "full"),
    ]
    assert all(manifest["plan"] == manifests[0]["plan"] for manifest in manifests)
    shown = capsys.readouterr().out
    assert "harness_variance" in shown
    results = json.loads((path / "results.json").read_text())
    assert list(results["scores"][0]["success"]) == list(runs)
    assert grid_of(runs["chat-full"]) == path
    assert grid_of(path) is None


def test_a_grid_that_was_broken_off_goes_on_to_the_same_bytes(server: StubServer, tmp_path: Path):
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    assert evaluate(server, whole) == 0
    n = len(server.payloads)
    server.answer = lambda payload, k: completion("<action>up</action>") if k < 1.7 * n else refusal(401, "enough")
    assert evaluate(server, broken) == 1
    assert evaluate(server, broken) == 1  # it is not begun anew unasked
    server.answer = lambda payload, k: completion("<action>up</action>")
    asked = len(server.payloads)
    assert evaluate(server, broken, "--resume") == 0
    assert len(server.payloads) - asked < n
    for name in grid_runs(whole):
        files = [sorted((path / name / "episodes.jsonl").read_text().splitlines()) for path in (whole, broken)]
        assert files[0] == files[1]


def test_other_harnesses_are_not_gone_on_with(server: StubServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert evaluate(server, tmp_path / "grid") == 0
    assert evaluate(server, tmp_path / "grid", "--resume", axes=("protocol=window,tools",)) != 0
    assert "cannot resume with other harnesses" in capsys.readouterr().err


def test_a_grid_of_which_nothing_was_played_is_begun_again(
    server: StubServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    server.answer = lambda payload, n: refusal(401, "no such key")
    assert evaluate(server, tmp_path / "grid") == 1
    assert "nothing was played yet; begin again with:\n  agentgen-bench " in capsys.readouterr().err
    server.answer = lambda payload, n: completion("<action>up</action>")
    assert evaluate(server, tmp_path / "grid", axes=("protocol=window,chat", "thinking=on,off")) == 0


def test_a_grid_and_a_run_do_not_share_a_folder(server: StubServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    plain = ["evaluate", "--env", SPLIT[0], "--episodes", "2", "--quiet", "--output"]
    assert main([*plain, str(tmp_path / "run")]) == 0
    assert evaluate(server, tmp_path / "run") == 1
    assert (
        "run holds a run, and a grid's folder holds runs in folders; choose another --output" in capsys.readouterr().err
    )
    assert server.payloads == []
    assert evaluate(server, tmp_path / "grid") == 0
    for more in ([], ["--resume"]):
        assert main([*plain, str(tmp_path / "grid"), *more]) == 1
        assert "grid holds a grid of harnesses; choose another --output" in capsys.readouterr().err
    assert not (tmp_path / "grid" / "manifest.json").exists()


def test_a_grid_is_not_written_over_a_run_nor_a_run_over_a_grid_from_python(tmp_path: Path):
    grid = harness_grid(PromptConfig(), [("protocol", ("window", "chat"))])
    plan = single_plan([TaskSpec("Sokoban")], 1)
    open_grid(tmp_path / "grid", grid, resume=False)
    with pytest.raises(RunError, match="grid holds a grid of harnesses"):
        play(plan, RandomPolicy(), PromptConfig(), tmp_path / "grid")
    play(plan, RandomPolicy(), PromptConfig(), tmp_path / "run")
    with pytest.raises(RunError, match="run holds a run, and a grid's folder holds runs in folders"):
        open_grid(tmp_path / "run", grid, resume=True)


def test_a_dry_run_counts_all_harnesses(server: StubServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert evaluate(server, tmp_path / "grid", "--dry-run", "--json") == 0
    assert json.loads(capsys.readouterr().out)["episodes"] == 4
    assert not (tmp_path / "grid").exists()


def test_score_reads_a_grid(server: StubServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert evaluate(server, tmp_path / "grid") == 0
    capsys.readouterr()
    assert main(["score", str(tmp_path / "grid"), "--json"]) == 0
    lines = json.loads(capsys.readouterr().out)["scores"]
    found = [(line["subject"], line["name"], line["value"]) for line in lines if line["section"] == "harness"]
    assert found == [
        (f"{tmp_path / 'grid'}: Sokoban", "harness_mean", 0.0),
        (f"{tmp_path / 'grid'}: Sokoban", "harness_variance", 0.0),
    ]


@pytest.fixture
def grids(server: StubServer, tmp_path: Path) -> tuple[Path, Path]:
    """Two grids of two harnesses; in the second one, chats find the way and windows do not."""
    assert evaluate(server, tmp_path / "a", axes=("protocol=window,chat",)) == 0
    server.answer = lambda payload, n: completion(
        f"<action>{'left' if len(payload['messages']) > 1 else 'up'}</action>"
    )
    assert evaluate(server, tmp_path / "b", axes=("protocol=chat,window",)) == 0
    return tmp_path / "a", tmp_path / "b"


def test_two_grids_are_compared_harness_by_harness(grids: tuple[Path, Path], capsys: pytest.CaptureFixture[str]):
    a, b = map(str, grids)
    capsys.readouterr()
    assert main(["compare", a, b]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines[:4]] == ["harness", "window", "chat", "mean"]
    assert "B is ahead under 0 of 2 harnesses, behind under 0" in lines
    assert sum("harness_variance" in line for line in lines) == 2
    assert main(["compare", a, b, "--json"]) == 0
    data = json.loads(capsys.readouterr().out)
    assert (list(data["harnesses"]), data["difference"]["value"]) == (["window", "chat"], 0.0)
    assert main(["compare", a, str(grids[1] / "chat")]) == 2
    assert "compare two runs, or two grids" in capsys.readouterr().err


def test_a_report_shows_a_grid(grids: tuple[Path, Path], tmp_path: Path):
    assert main(["report", str(grids[0]), "--output", str(tmp_path / "page.html")]) == 0
    text = (tmp_path / "page.html").read_text()
    assert "Harnesses of a: success, %" in text
    assert "harness_variance" in text
    assert main(["report", str(grids[0] / "chat"), "--output", str(tmp_path / "page.html")]) == 0
    assert "Harnesses of" not in (tmp_path / "page.html").read_text()


def test_a_grid_is_exported_run_by_run_with_its_scores(grids: tuple[Path, Path], tmp_path: Path):
    assert main(["export", str(grids[0]), "--format", "csv", "--output", str(tmp_path / "csv")]) == 0
    files = sorted(str(path.relative_to(tmp_path / "csv")) for path in (tmp_path / "csv").rglob("*.csv"))
    assert files == [
        "chat/episodes.csv",
        "chat/scores.csv",
        "harness_scores.csv",
        "window/episodes.csv",
        "window/scores.csv",
    ]
    header, *rows = (tmp_path / "csv" / "harness_scores.csv").read_text().splitlines()
    assert header.startswith("grid,model,harness,subject,score,value,low,high")
    assert [row.split(",")[2:5] for row in rows] == [
        ["window", "Sokoban", "success"],
        ["chat", "Sokoban", "success"],
        ["", "Sokoban", "harness_mean"],
        ["", "Sokoban", "harness_variance"],
    ]
