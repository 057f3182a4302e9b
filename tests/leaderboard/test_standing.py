"""Where a run would stand, told before anything is submitted and without touching the board."""

import json
import shutil
from pathlib import Path

import pytest

from agentgen_bench.cli import main
from agentgen_bench.errors import EntryError
from agentgen_bench.evaluation.plan import suite_plan
from agentgen_bench.evaluation.run import evaluate
from agentgen_bench.leaderboard.audit import Record, append, entry_name
from agentgen_bench.leaderboard.entry import Named, digests
from agentgen_bench.leaderboard.standing import standing
from agentgen_bench.leaderboard.study_standing import study_standing
from agentgen_bench.leaderboard.study_submit import submit_study
from agentgen_bench.policies.names import scripted_policy
from agentgen_bench.prompts import PromptConfig


@pytest.fixture
def board(made: Path, tmp_path: Path) -> Path:
    """Leaderboards with one entry, a random policy."""
    path = Path(shutil.copytree(made, tmp_path / "board" / "tiny-v1" / made.name))
    append(tmp_path / "board", Record("2026-02-01", "added", entry_name(path), "", digests(path)))
    return tmp_path / "board"


@pytest.fixture(scope="module")
def oracle_run(suite, tmp_path_factory):
    path = tmp_path_factory.mktemp("run") / "oracle"
    evaluate(suite_plan(suite), scripted_policy("oracle"), PromptConfig(), path)
    return path


def files(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_run_stands_where_its_entry_would_and_nothing_is_written(board, oracle_run, suite):
    before = files(board), files(oracle_run)
    found = standing(oracle_run, board, suite)
    assert (files(board), files(oracle_run)) == before
    assert [row.metadata.model for row in found.board.rows] == ["(this run)", "lab/random-3"]
    assert found.row.success.value == 1.0
    assert found.text.startswith("tiny-v1: rank 1 of 2")
    assert "below it: lab/random-3, " in found.text


def test_a_run_that_could_not_be_submitted_stands_nowhere(board, oracle_run, suite, tmp_path):
    run = Path(shutil.copytree(oracle_run, tmp_path / "run"))
    (run / "results.json").unlink()
    with pytest.raises(EntryError, match=r"it has no results.json; finish it with evaluate --resume"):
        standing(run, board, suite)


def test_a_board_without_entries_has_the_run_alone(oracle_run, suite, tmp_path):
    found = standing(oracle_run, tmp_path / "none", suite)
    (line,) = found.text.splitlines()
    assert line.startswith("tiny-v1: rank 1 of 1 (1 to 1 in 95 % of redraws of the levels), 100.0 % success; ")
    assert not (tmp_path / "none").exists()


def test_the_verb_shows_the_board_with_the_run_on_it(board, oracle_run, suite, capsys, monkeypatch):
    monkeypatch.setattr("agentgen_bench.leaderboard.submit.load_suite", lambda name: suite)
    own = ["leaderboard", "--leaderboards", str(board), "--mine", str(oracle_run)]
    assert main(own) == 0
    said = capsys.readouterr()
    own_row, other_row = [line for line in said.out.splitlines() if "100.0" in line or "random" in line]
    assert own_row.startswith("| 1 | 1 | \\(this run\\) | you | 100.0")
    assert own_row.endswith("| - | - |")  # neither trust nor day: nothing was submitted
    assert other_row.endswith("| claimed | 2026-01-31 |")
    assert "tiny-v1: rank 1 of 2" in said.err
    assert main([*own, "--json"]) == 0
    data = json.loads(capsys.readouterr().out)
    assert data["mine"] == data["rows"][0]["entry"] == "tiny-v1/99991231_you__this-run"
    assert [(row["trust"], row["date"]) for row in data["rows"]] == [(None, None), ("claimed", "2026-01-31")]


def test_it_goes_with_nothing_that_writes(capsys):
    assert main(["leaderboard", "--mine", "x", "--update"]) == 2
    assert "--mine writes nothing; leave out --update, --html, --site and --csv" in capsys.readouterr().err


# --- studies


@pytest.mark.usefixtures("small_protocol_shipped")
def test_a_study_stands_where_its_entry_would_and_nothing_is_written(made_study, tmp_path):
    board = tmp_path / "board"
    submit_study(made_study, Named("Lab", "tiny", "2026-11-28"), board, workers=1)
    before = files(board), files(made_study)
    found = study_standing(made_study, board)
    assert (files(board), files(made_study)) == before
    assert [row.study.metadata.model for row in found.table.rows].count("(this run)") == len(found.rows) == 3
    assert len(found.table.rows) == 6
    # The same study as the one that is there: equal rows, of which the later one stands below.
    first, *_ = found.text.splitlines()[1:]
    assert (
        first == "trained on Sokoban, distractors no: row 4 of 6, overall +0.0 (-56.1 to +56.1)"
    )  # Wilson: 0 of 3 levels


@pytest.mark.usefixtures("small_protocol_shipped")
def test_the_verb_shows_the_table_with_the_study_in_it(made_study, tmp_path, capsys):
    own = ["leaderboard", "--leaderboards", str(tmp_path / "none"), "--mine", str(made_study)]
    assert main(own) == 0
    said = capsys.readouterr()
    assert said.out.startswith("### transfer-smoke: what training on one family gave and cost")
    assert {line.rpartition("| - | -")[2] for line in said.out.splitlines() if "this run" in line} == {" |"}
    assert "transfer-smoke: not replayed, nothing was written\ntrained on" in said.err
    assert main([*own, "--json"]) == 0
    data = json.loads(capsys.readouterr().out)
    assert data["mine"] == data["rows"][0]["entry"] == "transfer-smoke/99991231_you__this-run"
    assert {(row["trust"], row["date"]) for row in data["rows"]} == {(None, None)}
    assert not (tmp_path / "none").exists()


@pytest.mark.usefixtures("small_protocol_shipped")
def test_a_study_that_could_not_be_submitted_stands_nowhere(made_study, tmp_path):
    study = Path(shutil.copytree(made_study, tmp_path / "study"))
    (study / "runs" / "initial" / "results.json").unlink()
    with pytest.raises(EntryError, match=r"(?s)cannot be submitted:.*initial: it has no results.json"):
        study_standing(study, tmp_path)
