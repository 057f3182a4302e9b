"""The verbs score and compare on recorded runs."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from agentgen_bench.cli import main

Outcome = tuple[int, str, str]


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs")
    for policy in ("random", "oracle"):
        common = ["--env", "AgentGen/Sokoban-lean-v0", "--episodes", "6", "--quiet"]
        main(["evaluate", *common, "--policy", policy, "--output", str(folder / policy)])
    return folder


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str]) -> Callable[..., Outcome]:
    def call(*argv: object) -> Outcome:
        capsys.readouterr()
        try:
            code = main([str(argument) for argument in argv])
        except SystemExit as stop:
            code = int(stop.code or 0)
        return code, *capsys.readouterr()

    return call


def test_score_of_one_run_prints_its_scores_and_what_is_missing(runs: Path, call: Callable[..., Outcome]) -> None:
    code, out, _ = call("score", runs / "oracle")
    assert code == 0
    assert "100.0 %" in out
    assert "not computed, and the run that is missing:" in out
    assert "OOD rank scores: runs with role trained on at least two families" in out


def test_roles_come_from_options(runs: Path, call: Callable[..., Outcome], tmp_path: Path) -> None:
    code, out, _ = call("score", "--initial", runs / "random", "--trained", f"Sokoban={runs / 'oracle'}", "--json")
    assert code == 0
    data = json.loads(out)
    (held_in,) = [score for score in data["scores"] if score["name"] == "delta_held_in"]
    assert held_in["value"] > 0.5
    assert data["failures"][str(runs / "oracle")]["Sokoban-lean easy test"]["failed"] == 0


def test_a_study_file_gives_the_same_as_options(runs: Path, call: Callable[..., Outcome], tmp_path: Path) -> None:
    study = runs / "study.yaml"
    study.write_text(
        "study: s\nruns:\n  - {run: random, role: initial}\n  - {run: oracle, role: trained, source: Sokoban}\n"
    )
    code, _, _ = call("score", "--study", study, "--output", tmp_path / "scores.json")
    assert code == 0
    written = json.loads((tmp_path / "scores.json").read_text())
    _, out, _ = call("score", "--initial", runs / "random", "--trained", f"Sokoban={runs / 'oracle'}", "--json")
    assert written["scores"] == json.loads(out)["scores"]


def test_a_source_that_is_neither_here_nor_in_a_run_is_misspelt(runs: Path, call: Callable[..., Outcome]) -> None:
    code, _, err = call("score", "--trained", f"Sokobam={runs / 'oracle'}")
    assert code == 2
    assert "unknown family 'Sokobam'; choose one of: Sokoban, WebShop" in err


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        ([], "name a run, runs with roles, or a study"),
        (["--trained", "oracle"], "is not FAMILY=RUN or FAMILY:DIFFICULTY=RUN"),
        (["x", "--study", "y"], "--study names the runs and their roles itself"),
    ],
)
def test_wrong_usage_is_one_line_and_exit_code_2(argv: list[str], message: str, call: Callable[..., Outcome]) -> None:
    code, _, err = call("score", *argv)
    assert code == 2
    (said,) = [line for line in err.splitlines() if "error: " in line]
    assert message in said
    assert err.splitlines()[-1] in (said, "see: agentgen-bench score --help")


def test_a_folder_that_is_no_run_is_one_line_and_exit_code_1(call: Callable[..., Outcome], tmp_path: Path) -> None:
    code, _, err = call("score", tmp_path)
    assert code == 1
    assert err == f"agentgen-bench: error: {tmp_path} is not a run folder: it holds no manifest.json\n"


def test_compare_prints_a_row_per_environment(runs: Path, call: Callable[..., Outcome]) -> None:
    code, out, _ = call("compare", runs / "random", runs / "oracle")
    assert code == 0
    assert (
        out.splitlines()[0].split() == "environment levels success A success B B - A 95 %, levels only won lost".split()
    )
    assert out.splitlines()[1].startswith("Sokoban-lean easy test       6")


def test_compare_writes_json(runs: Path, call: Callable[..., Outcome]) -> None:
    _, out, _ = call("compare", runs / "oracle", runs / "oracle", "--json")
    data = json.loads(out)
    assert data["difference"]["value"] == 0
    assert data["settings"][0]["levels"] == 6


def test_compare_refuses_runs_without_a_common_level(runs: Path, call: Callable[..., Outcome], tmp_path: Path) -> None:
    hard = ["--env", "AgentGen/Sokoban-lean-v0", "--difficulty", "medium", "--episodes", "2", "--quiet"]
    call("evaluate", *hard, "--output", tmp_path / "medium")
    code, _, err = call("compare", runs / "oracle", tmp_path / "medium")
    assert code == 1
    assert "the two runs share no level" in err


def test_compare_across_a_knob_that_changes_the_level_is_wrong_usage(runs: Path, call: Callable[..., Outcome]) -> None:
    code, _, err = call("compare", runs / "oracle", runs / "oracle", "--across", "difficulty")
    assert code == 2
    assert "cannot pair across 'difficulty'; choose among: richness, distractors, interface" in err


def test_a_score_without_an_interval_says_why(runs: Path, call: Callable[..., Outcome]) -> None:
    _, out, _ = call("score", "--initial", runs / "random", "--trained", f"Sokoban={runs / 'oracle'}")
    assert "iqm_success: no interval: redraws of three seeds cover 77 %, not 95" in out


def test_a_difficulty_that_no_run_was_evaluated_on_is_pointed_out(runs: Path, call: Callable[..., Outcome]) -> None:
    _, _, err = call("score", "--initial", runs / "random", "--trained", f"Sokoban:eazy={runs / 'oracle'}")
    assert "no run was evaluated on Sokoban 'eazy', only on: easy" in err


def test_runs_under_other_prompt_settings_are_pointed_out(
    runs: Path, call: Callable[..., Outcome], tmp_path: Path
) -> None:
    quick = ["evaluate", "--env", "AgentGen/Sokoban-lean-v0", "--episodes", "6", "--quiet", "--policy", "oracle"]
    call(*quick, "--protocol", "chat", "--action-hints", "full", "--output", tmp_path / "chat")
    _, _, err = call("score", "--initial", runs / "random", "--trained", f"Sokoban={tmp_path / 'chat'}")
    assert (
        f"{tmp_path / 'chat'} was played under other prompt settings than {runs / 'random'} (action_hints, protocol): "
        "what changes between them is not the training's alone" in err
    )
    assert "prompt settings" not in call("score", runs / "random", tmp_path / "chat")[2]
    assert "prompt settings" not in call("score", "--initial", runs / "random", "--joint", runs / "oracle")[2]


def test_a_run_named_twice_is_said_to_be(runs: Path, call: Callable[..., Outcome]) -> None:
    code, _, err = call("score", runs / "random", runs / "random")
    assert code == 1
    assert "is named twice; a run has one role" in err


def test_score_shows_the_first_fatal_push_and_the_regret_with_intervals(
    runs: Path, call: Callable[..., Outcome]
) -> None:
    _, out, _ = call("score", runs / "oracle", "--json")
    found = json.loads(out)["failures"][str(runs / "oracle")]["Sokoban-lean easy test"]["scores"]["regret_moves"]
    _, out, _ = call("score", runs / "oracle")
    (row,) = [line for line in out.splitlines() if line.startswith(f"{runs / 'oracle'}:") and "n 6" in line]
    assert f"{found['value']:.1f} ({found['low']:.1f} - {found['high']:.1f}), n 6" in row
