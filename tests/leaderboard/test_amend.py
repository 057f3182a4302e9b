"""Rescoring and removal: what is recorded, what is refused, and what happens to trust."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from agentgen_bench.cli import main
from agentgen_bench.errors import EntryError, RunError
from agentgen_bench.leaderboard.amend import remove, rescore
from agentgen_bench.leaderboard.audit import Record, append, audit_problems, entry_name, read_audit, trust
from agentgen_bench.leaderboard.entry import digests
from agentgen_bench.leaderboard.verify import verify
from agentgen_bench.suites import Suite
from tests.full_disk import files_of_at_most

DAY = "2026-02-01"


@pytest.fixture
def recorded(entry: Path) -> Path:
    """An entry on record, added and verified."""
    for event in ("added", "verified"):
        append(entry.parent.parent, Record("2026-01-31", event, entry_name(entry), "", digests(entry)))  # type: ignore[arg-type]
    return entry


def edit_results(path: Path) -> None:
    """Write results as an earlier version might have computed them."""
    results = json.loads((path / "results.json").read_text())
    results["overall"]["success"]["high"] = 0.5
    (path / "results.json").write_text(json.dumps(results))


def test_rescoring_brings_back_what_the_episodes_give_and_records_why(recorded: Path, suite: Suite) -> None:
    before = (recorded / "results.json").read_bytes()
    edit_results(recorded)
    changed = rescore(recorded, "intervals of version 0.2", DAY, suite)
    assert changed.startswith("overall.success.high is 0.5, recomputed ")
    assert (recorded / "results.json").read_bytes() == before
    last = read_audit(recorded.parent.parent)[-1]
    assert last == Record(DAY, "rescored", entry_name(recorded), "intervals of version 0.2", digests(recorded))
    assert audit_problems(recorded.parent.parent) == []
    assert verify(recorded, suite=suite, workers=1).holds


def test_a_change_of_the_metadata_is_recorded_too_and_takes_the_trust_away(recorded: Path, suite: Suite) -> None:
    board = recorded.parent.parent
    assert trust(recorded, read_audit(board)) == "replayed"
    with (recorded / "metadata.yaml").open("a") as file:
        file.write("# a comment\n")
    assert rescore(recorded, "a comment", DAY, suite) == "the scores are the same; another file had changed"
    assert trust(recorded, read_audit(board)) == "claimed"


def test_there_is_nothing_to_rescore_where_nothing_changed(recorded: Path, suite: Suite) -> None:
    with pytest.raises(EntryError, match="nothing to record"):
        rescore(recorded, "no reason", DAY, suite)
    assert len(read_audit(recorded.parent.parent)) == 2


def test_a_broken_entry_is_not_rescored(recorded: Path, suite: Suite) -> None:
    (recorded / "episodes.jsonl.gz").write_bytes(b"")
    with pytest.raises(EntryError):
        rescore(recorded, "reason", DAY, suite)
    assert len(read_audit(recorded.parent.parent)) == 2


def test_a_removal_deletes_the_folder_and_keeps_reason_and_digests(recorded: Path) -> None:
    board, files = recorded.parent.parent, digests(recorded)
    remove(recorded, "trained on test levels", DAY)
    assert not recorded.exists()
    assert read_audit(board)[-1] == Record(DAY, "removed", entry_name(recorded), "trained on test levels", files)
    assert audit_problems(board) == []


def test_a_removed_entry_that_comes_back_is_claimed_anew(recorded: Path, tmp_path: Path) -> None:
    board, kept = recorded.parent.parent, Path(shutil.copytree(recorded, tmp_path / "kept"))
    append(board, Record(DAY, "rerun", entry_name(recorded), "", digests(recorded)))
    remove(recorded, "trained on test levels", DAY)
    shutil.copytree(kept, recorded)
    append(board, Record(DAY, "added", entry_name(recorded), "", digests(recorded)))
    assert trust(recorded, read_audit(board)) == "claimed"


def test_a_folder_that_is_gone_already_can_still_be_recorded(recorded: Path) -> None:
    board = recorded.parent.parent
    for file in recorded.iterdir():
        file.unlink()
    recorded.rmdir()
    assert len(audit_problems(board)) == 1
    remove(recorded, "withdrawn", DAY)
    assert audit_problems(board) == []


def test_a_removal_that_was_cut_off_can_be_asked_for_again(recorded: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(path: Path) -> None:
        (path / "README.md").unlink()
        raise PermissionError(13, "Permission denied", str(path))

    with monkeypatch.context() as patch:
        patch.setattr("shutil.rmtree", fails)
        with pytest.raises(EntryError, match=r"cannot delete .*: Permission denied; mend that and remove again"):
            remove(recorded, "trained on test levels", DAY)
    remove(recorded, "trained on test levels", DAY)
    assert not recorded.exists()
    assert [record.event for record in read_audit(recorded.parent.parent)] == ["added", "verified", "removed"]


def test_a_record_gets_a_line_of_its_own_after_one_without_a_newline(recorded: Path) -> None:
    trail = recorded.parent.parent / "audit.jsonl"
    trail.write_bytes(trail.read_bytes().rstrip(b"\n"))
    append(recorded.parent.parent, Record(DAY, "rerun", entry_name(recorded), "", digests(recorded)))
    assert [record.event for record in read_audit(recorded.parent.parent)] == ["added", "verified", "rerun"]


def test_an_entry_is_removed_once(recorded: Path) -> None:
    remove(recorded, "withdrawn", DAY)
    with pytest.raises(EntryError, match="was removed on 2026-02-01: withdrawn"):
        remove(recorded, "again", DAY)


def test_a_folder_with_anything_else_is_not_deleted(recorded: Path) -> None:
    (recorded / "notes.txt").write_text("mine")
    with pytest.raises(EntryError, match=r"holds 'notes.txt', which is no part of an entry"):
        remove(recorded, "reason", DAY)
    assert (recorded / "notes.txt").exists()


def test_a_link_to_somewhere_else_is_not_followed(recorded: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    recorded.rename(elsewhere)
    recorded.symlink_to(elsewhere)
    with pytest.raises(EntryError, match="is not an entry's folder"):
        remove(recorded, "reason", DAY)
    assert (elsewhere / "results.json").exists()


@pytest.mark.parametrize("reason", ["", "  ", "two\nlines", "x" * 501])
@pytest.mark.parametrize("action", [remove, rescore])
def test_the_reason_is_one_line(action: Callable[[Path, str, str], object], reason: str, recorded: Path) -> None:
    with pytest.raises(EntryError, match="the reason must be one line"):
        action(recorded, reason, DAY)


def test_an_entry_that_is_not_on_record_is_left_alone(entry: Path) -> None:
    with pytest.raises(EntryError, match="knows no entry"):
        remove(entry, "reason", DAY)
    assert entry.exists()


def test_the_verb_checks_and_removes(recorded: Path, capsys: pytest.CaptureFixture[str]) -> None:
    board = recorded.parent.parent
    assert main(["audit", "check", "--leaderboards", str(board)]) == 0
    assert "2 records, all in keeping" in capsys.readouterr().out
    assert main(["audit", "remove", str(recorded), "--reason", "withdrawn"]) == 0
    assert main(["audit", "check", "--leaderboards", str(board)]) == 0
    edited = (board / "audit.jsonl").read_text().splitlines()[:2]
    (board / "audit.jsonl").write_text("\n".join(edited) + "\n")
    assert main(["audit", "check", "--leaderboards", str(board)]) == 1
    assert "is gone, but the audit trail does not say that it was removed" in capsys.readouterr().out
    assert main(["audit", "rescore", str(recorded), "--reason", "x"]) == 2  # the suite is not a shipped one


@pytest.mark.parametrize("room", [50, 150])  # a part of the first record; the first, and a part of the second
def test_a_disk_that_fills_leaves_the_trail_as_it_was(recorded: Path, room: int) -> None:
    board = recorded.parent.parent
    before = (board / "audit.jsonl").read_bytes()
    records = [Record(DAY, event, "core-v1/new") for event in ("added", "verified")][: 1 if room == 50 else 2]
    with files_of_at_most(len(before) + room), pytest.raises(RunError, match=r"audit.jsonl: .*; nothing was recorded"):
        append(board, *records)
    assert (board / "audit.jsonl").read_bytes() == before
    append(board, *records)
    assert read_audit(board)[2:] == records
