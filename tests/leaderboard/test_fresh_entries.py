"""An entry may carry a run on fresh levels: what its text draws is replayed, and the row shows the change."""

import gzip
import json
import shutil
from pathlib import Path

import pytest
import yaml

from agentgen_bench.errors import EntryError
from agentgen_bench.evaluation.fresh import fresh_suite
from agentgen_bench.evaluation.plan import suite_plan
from agentgen_bench.evaluation.run import evaluate
from agentgen_bench.export.boards import boards_csv
from agentgen_bench.leaderboard.amend import remove, rescore
from agentgen_bench.leaderboard.audit import Record, append, entry_name, read_audit
from agentgen_bench.leaderboard.columns import board_json
from agentgen_bench.leaderboard.entry import digests
from agentgen_bench.leaderboard.markdown import markdown
from agentgen_bench.leaderboard.page import page
from agentgen_bench.leaderboard.submit import submit
from agentgen_bench.leaderboard.table import read_boards
from agentgen_bench.leaderboard.verify import verify
from agentgen_bench.policies.scripted import RandomPolicy
from agentgen_bench.prompts import PromptConfig
from agentgen_bench.suites import Suite

TEXT = "drand 4812345"
CLAIMS = {"org": "Some Lab", "model": "lab/random-3", "date": "2026-01-31"}


@pytest.fixture(scope="module")
def fresh_run(suite: Suite, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("run") / "fresh"
    evaluate(suite_plan(fresh_suite(suite, TEXT), repeats=2), RandomPolicy(3), PromptConfig(), path)
    return path


@pytest.fixture(scope="module")
def fresh_made(suite: Suite, run_path: Path, fresh_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    board = tmp_path_factory.mktemp("board")
    return submit(run_path, **CLAIMS, leaderboards=board, suite=suite, fresh=fresh_run, workers=1)


@pytest.fixture
def fresh_entry(fresh_made: Path, tmp_path: Path) -> Path:
    """A copy of the entry to tamper with, on record."""
    path = Path(shutil.copytree(fresh_made, tmp_path / "tiny-v1" / fresh_made.name))
    append(tmp_path, Record("2026-02-01", "added", entry_name(path), "", digests(path)))
    return path


def problems(path: Path, suite: Suite) -> str:
    return "; ".join(verify(path, suite=suite, workers=1).problems)


def change_metadata(path: Path, **changes: str) -> None:
    data = yaml.safe_load((path / "metadata.yaml").read_text())
    data["fresh"] |= changes
    (path / "metadata.yaml").write_text(yaml.safe_dump(data, sort_keys=False))


def test_an_entry_holds_both_runs_and_both_are_replayed(fresh_made, suite):
    assert sorted(path.name for path in fresh_made.iterdir()) == [
        "README.md",
        "episodes.jsonl.gz",
        "fresh.json",
        "fresh.jsonl.gz",
        "metadata.yaml",
        "results.json",
    ]
    found = verify(fresh_made, suite=suite, workers=1)
    assert (found.problems, found.episodes) == ((), 32)
    assert set(found.digests) >= {"fresh.json", "fresh.jsonl.gz"}
    assert yaml.safe_load((fresh_made / "metadata.yaml").read_text())["fresh"]["text"] == TEXT
    assert f"fresh levels drawn from `{TEXT}`" in (fresh_made / "README.md").read_text()


def test_the_frozen_part_is_what_it_is_without_fresh_levels(fresh_made, made):
    for name in ("results.json", "episodes.jsonl.gz"):
        assert (fresh_made / name).read_bytes() == (made / name).read_bytes()


def test_levels_of_another_text_are_refused(fresh_entry, suite):
    change_metadata(fresh_entry, text="a text that draws levels we like")
    assert "the suite that its text draws has the hash" in problems(fresh_entry, suite)
    other = fresh_suite(suite, "a text that draws levels we like")
    change_metadata(fresh_entry, suite_hash=other.hash)
    assert "is not in the suite" in problems(fresh_entry, suite)


def test_a_text_that_is_none_is_refused(fresh_entry, suite):
    change_metadata(fresh_entry, text="two\nlines")
    assert "it must be one line of 1 to 200 printable characters" in problems(fresh_entry, suite)


def test_an_edited_fresh_episode_is_found_by_replay(fresh_entry, suite):
    file = fresh_entry / "fresh.jsonl.gz"
    lines = gzip.decompress(file.read_bytes()).decode().replace('"success": false', '"success": true', 1)
    file.write_bytes(gzip.compress(lines.encode(), mtime=0))
    assert "success is recorded as True, the replay gives False" in problems(fresh_entry, suite)


def test_an_edited_change_is_found(fresh_entry, suite):
    data = json.loads((fresh_entry / "fresh.json").read_text())
    data["change"]["value"] = 0.25
    (fresh_entry / "fresh.json").write_text(json.dumps(data))
    assert "fresh.json: change.value is 0.25, recomputed" in problems(fresh_entry, suite)


def test_fresh_files_that_the_metadata_does_not_tell_of_are_refused(fresh_made, made, suite, tmp_path):
    entry = Path(shutil.copytree(made, tmp_path / "tiny-v1" / made.name))
    shutil.copy(fresh_made / "fresh.json", entry)
    assert "holds 'fresh.json', but its metadata tells of no fresh levels" in problems(entry, suite)


def test_a_missing_fresh_file_is_named(fresh_entry, suite):
    (fresh_entry / "fresh.jsonl.gz").unlink()
    assert "fresh.jsonl.gz" in problems(fresh_entry, suite)


@pytest.mark.parametrize("fresh", [{}, {"text": 3, "suite_hash": "x"}, {"text": "a", "suite_hash": "b", "more": 1}])
def test_what_the_metadata_says_of_fresh_levels_has_one_form(fresh, fresh_entry, suite):
    data = yaml.safe_load((fresh_entry / "metadata.yaml").read_text()) | {"fresh": fresh}
    (fresh_entry / "metadata.yaml").write_text(yaml.safe_dump(data))
    assert "not a text and a suite_hash" in problems(fresh_entry, suite)


@pytest.mark.parametrize(
    ("policy", "repeats", "message"),
    [
        (RandomPolicy(4), 2, "policy.seed: the run has 3, now 4"),
        (RandomPolicy(3), 1, "it plays each level 1 times, the other run 2 times"),
    ],
)
def test_another_policy_or_protocol_on_the_fresh_levels_is_refused(policy, repeats, message, run_path, suite, tmp_path):
    other = tmp_path / "other"
    evaluate(suite_plan(fresh_suite(suite, TEXT), repeats), policy, PromptConfig(), other)
    with pytest.raises(EntryError, match=message):
        submit(run_path, **CLAIMS, leaderboards=tmp_path / "board", suite=suite, fresh=other, workers=1)
    assert not (tmp_path / "board").exists()


def test_a_frozen_run_is_no_fresh_one(run_path, suite, tmp_path):
    with pytest.raises(EntryError, match="it plays tiny-v1; evaluate with --suite tiny-v1 --fresh TEXT"):
        submit(run_path, **CLAIMS, leaderboards=tmp_path, suite=suite, fresh=run_path, workers=1)


def test_the_row_shows_the_change_and_boards_without_fresh_levels_have_no_such_column(fresh_entry, made, tmp_path):
    (board,) = read_boards(tmp_path)
    change = json.loads((fresh_entry / "fresh.json").read_text())["change"]
    assert board.rows[0].fresh.value == change["value"]
    number = f"{100 * change['value']:+.1f} ({100 * change['low']:+.1f} to {100 * change['high']:+.1f})"
    assert "| fresh levels |" in markdown([board])
    assert number in markdown([board])
    assert "fresh levels" in page([board])
    assert board_json(board)["rows"][0]["fresh"] == {"text": TEXT, "change": change}
    assert "fresh,fresh_low,fresh_high" in boards_csv([board])
    shutil.copytree(made, tmp_path / "other" / "tiny-v1" / made.name)
    (without,) = read_boards(tmp_path / "other")
    assert "fresh" not in markdown([without]) + boards_csv([without]) + json.dumps(board_json(without))


def test_an_entry_with_fresh_levels_is_scored_again_and_removed(fresh_entry, suite, tmp_path):
    data = json.loads((fresh_entry / "fresh.json").read_text())
    data["change"]["low"] = -1.0
    (fresh_entry / "fresh.json").write_text(json.dumps(data))
    assert "change.low is -1.0, recomputed" in rescore(fresh_entry, "mended", "2026-02-02", suite)
    assert verify(fresh_entry, suite=suite, workers=1).holds
    remove(fresh_entry, "asked for", "2026-02-03")
    assert not fresh_entry.exists()
    assert [record.event for record in read_audit(tmp_path)] == ["added", "rescored", "removed"]
