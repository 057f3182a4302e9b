"""Policies of a study on fresh levels: what goes beside the frozen ones, what is replayed, and what the rows show."""

import gzip
import hashlib
import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from agentgen_bench.cli import main
from agentgen_bench.errors import EntryError
from agentgen_bench.evaluation.training import Origin
from agentgen_bench.export.boards import boards_csv
from agentgen_bench.leaderboard.amend import rescore
from agentgen_bench.leaderboard.audit import Record, append, entry_name
from agentgen_bench.leaderboard.entry import Named, digests
from agentgen_bench.leaderboard.markdown import markdown
from agentgen_bench.leaderboard.page import page
from agentgen_bench.leaderboard.pull_request import problems
from agentgen_bench.leaderboard.studies import read_studies
from agentgen_bench.leaderboard.study_submit import submit_study
from agentgen_bench.leaderboard.study_tables import study_table_json, study_tables
from agentgen_bench.leaderboard.study_verify import verify_study
from tests.leaderboard.studies import NAME, origins, record, set_origin, weights, write_fresh

pytestmark = pytest.mark.usefixtures("small_protocol_shipped")

TEXT = "drand 4812345"
CLAIMS = Named("Lab", "tiny", "2026-11-28")
PLAYED = ("initial", "on-sokoban-seed-0", "on-sokoban-seed-1")  # the others have frozen levels only


@pytest.fixture(scope="module")
def made_fresh(protocol, tmp_path_factory):
    return write_fresh(tmp_path_factory.mktemp("fresh"), protocol, TEXT, PLAYED)


@pytest.fixture(scope="module")
def made_entry(made_study, made_fresh, protocol, tmp_path_factory):
    board = tmp_path_factory.mktemp("board")
    return submit_study(made_study, CLAIMS, board, protocol=protocol, fresh=made_fresh, workers=1)


@pytest.fixture
def entry(made_entry, tmp_path):
    """A copy of the entry to tamper with, on record."""
    path = Path(shutil.copytree(made_entry, tmp_path / "board" / NAME / made_entry.name))
    append(tmp_path / "board", Record("2026-11-28", "added", entry_name(path), "", digests(path)))
    return path


@pytest.fixture
def fresh(made_fresh, tmp_path):
    return Path(shutil.copytree(made_fresh, tmp_path / "fresh"))


def test_an_entry_holds_both_parts_and_both_are_replayed(made_entry):
    found = verify_study(made_entry, workers=1)
    assert (found.problems, found.episodes) == ((), 7 * 6 + 3 * 6)
    files = {file.name for file in made_entry.iterdir()}
    assert {"fresh.json", *(f"fresh-{name}.jsonl.gz" for name in PLAYED)} <= files
    assert len(files) == 4 + 7 + 4
    assert "fresh.json" in found.digests
    readme = (made_entry / "README.md").read_text()
    assert f"Drawn from `{TEXT}`." in readme
    assert "| policy | frozen levels | fresh levels | change |" in readme


def test_fresh_json_holds_each_policy_and_the_change_beside_each_row(made_entry):
    found = json.loads((made_entry / "fresh.json").read_text())
    assert [one["policy"] for one in found["policies"]] == ["initial", "trained on Sokoban"]
    assert found["policies"][1]["seeds"] == [0, 1]
    for one in found["policies"]:
        assert one["change"]["value"] == pytest.approx(one["fresh"]["value"] - one["frozen"]["value"])
        assert one["change"]["low"] <= one["change"]["value"] <= one["change"]["high"]
        assert len(one["settings"]) == 2
    rows = json.loads((made_entry / "scores.json").read_text())["rows"]
    assert [row["policy"] for row in rows] == [
        "trained on Sokoban", "trained on ALFWorld", "trained on Sokoban, augmented",
    ]  # fmt: skip
    assert found["rows"] == [found["policies"][1]["change"], None, None]


def test_the_rest_is_what_it_is_without_fresh_levels(made_entry, made_study, protocol, tmp_path):
    without = submit_study(made_study, CLAIMS, tmp_path, protocol=protocol, workers=1)
    for file in without.iterdir():
        if file.name not in ("metadata.yaml", "README.md"):
            assert (made_entry / file.name).read_bytes() == file.read_bytes()
    metadata = yaml.safe_load((made_entry / "metadata.yaml").read_text())
    del metadata["fresh"]
    assert metadata == yaml.safe_load((without / "metadata.yaml").read_text())


# --- what cannot go beside a study


def shorten(fresh):
    file = fresh / "initial" / "episodes.jsonl"
    file.write_text("".join(file.read_text().splitlines(keepends=True)[:-2]))


def rename(fresh):
    (fresh / "initial").rename(fresh / "somebody")


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda f: shutil.rmtree(f / "on-sokoban-seed-1"), "by a part of its runs; on-sokoban-seed-1 lacks"),
        (rename, "'somebody' is no run of the study"),
        (shorten, "initial: 2 episodes are missing"),
        (
            lambda f: set_origin(f / "initial", Origin(weights("x"), record("x", None, "Sokoban"))),
            "initial: origin.training.weights: the run has",
        ),
        (lambda f: set_origin(f / "on-sokoban-seed-0", origins()["initial"]), "on-sokoban-seed-0: origin"),
    ],
)
def test_what_is_not_the_study_on_fresh_levels_is_refused(made_study, fresh, tmp_path, spoil, message):
    spoil(fresh)
    with pytest.raises(EntryError, match=f"(?s)cannot be submitted:.*fresh levels: .*{message}"):
        submit_study(made_study, CLAIMS, tmp_path / "board", fresh=fresh, workers=1)
    assert not (tmp_path / "board").exists()


def test_another_policy_and_levels_of_two_texts_are_refused(made_study, protocol, tmp_path):
    write_fresh(tmp_path, protocol, TEXT, ["initial"], seed=1)
    with pytest.raises(EntryError, match=r"initial: policy\.seed: the run has 0, now 1"):
        submit_study(made_study, CLAIMS, tmp_path / "board", fresh=tmp_path, workers=1)
    shutil.rmtree(tmp_path / "initial")
    write_fresh(tmp_path, protocol, TEXT, ["initial", "on-alfworld-seed-0"])
    write_fresh(tmp_path, protocol, "another text", ["on-alfworld-seed-1"])
    with pytest.raises(EntryError, match="on-alfworld-seed-1: it plays transfer-smoke@another text, other runs play"):
        submit_study(made_study, CLAIMS, tmp_path / "board", fresh=tmp_path, workers=1)


def test_frozen_runs_are_no_fresh_ones(made_study, tmp_path):
    with pytest.raises(EntryError, match="is no run on fresh levels; play them with study --fresh TEXT"):
        submit_study(made_study, CLAIMS, tmp_path, fresh=made_study / "runs", workers=1)
    with pytest.raises(EntryError, match="holds no run in a folder of its own"):
        submit_study(made_study, CLAIMS, tmp_path, fresh=made_study / "runs" / "initial", workers=1)


def test_a_training_on_a_fresh_level_is_refused(made_study, fresh, protocol, tmp_path):
    study = Path(shutil.copytree(made_study, tmp_path / "study"))
    level = protocol.on_fresh_levels(TEXT).suite.cells[0].level_ids[0].partition(":")[2]
    run = "on-sokoban-seed-0"
    origin = origins()[run]
    origin = replace(origin, training=replace(origin.training, levels={"sokoban": (level,)}))
    for path in (study / "runs" / run, fresh / run):
        set_origin(path, origin)
    with pytest.raises(EntryError, match="on-sokoban-seed-0 was trained on levels of the suite: sokoban:"):
        submit_study(study, CLAIMS, tmp_path / "board", fresh=fresh, workers=1)


# --- entries that were tampered with


def edit_json(path, change):
    data = json.loads(path.read_text())
    change(data)
    path.write_text(json.dumps(data, indent=2, ensure_ascii=False) + "\n")


def edit_metadata(entry, change):
    metadata = yaml.safe_load((entry / "metadata.yaml").read_text())
    change(metadata["fresh"])
    (entry / "metadata.yaml").write_text(yaml.safe_dump(metadata, sort_keys=False))


def turn_round(entry):
    file = entry / "fresh-initial.jsonl.gz"
    lines = gzip.decompress(file.read_bytes()).decode().replace('"success": false', '"success": true', 1)
    file.write_bytes(gzip.compress(lines.encode(), mtime=0))
    said = {"sha256": hashlib.sha256(file.read_bytes()).hexdigest(), "bytes": file.stat().st_size}
    edit_metadata(entry, lambda d: d["runs"].update(initial=said))


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (
            lambda e: edit_json(e / "fresh.json", lambda d: d["rows"][0].update(value=0.5)),
            "fresh.json: rows[0].value is 0.5, recomputed",
        ),
        (turn_round, "initial on fresh levels: AgentGen/Sokoban-lean-v"),
        (lambda e: (e / "fresh.json").unlink(), "fresh.json"),
        (lambda e: (e / "fresh-initial.jsonl.gz").unlink(), "fresh-initial.jsonl.gz is missing"),
        (lambda e: edit_metadata(e, lambda d: d.update(text="one we like")), "the suite that its text draws has the"),
        (lambda e: edit_metadata(e, lambda d: d.update(text="two\nlines")), "must be one line of 1 to 200 printable"),
        (
            lambda e: edit_metadata(e, lambda d: d["runs"].pop("on-sokoban-seed-1")),
            "was played on fresh levels by a part of its runs; on-sokoban-seed-1 lacks",
        ),
        (lambda e: edit_metadata(e, lambda d: d.update(runs={})), "runs is no table of runs with a file each"),
        (lambda e: edit_metadata(e, lambda d: d.update(more=1)), "needs the keys text, suite_hash and runs"),
        (
            lambda e: (e / "fresh-on-alfworld-seed-0.jsonl.gz").write_bytes(b"x"),
            "holds 'fresh-on-alfworld-seed-0.jsonl.gz', of no run that its metadata names",
        ),
    ],
)
def test_verification_finds_what_was_changed(entry, spoil, message):
    spoil(entry)
    found = verify_study(entry, workers=1)
    assert message in "\n".join(found.problems)


def test_fresh_files_that_the_metadata_does_not_tell_of_are_refused(entry):
    metadata = yaml.safe_load((entry / "metadata.yaml").read_text())
    del metadata["fresh"]
    (entry / "metadata.yaml").write_text(yaml.safe_dump(metadata, sort_keys=False))
    (problem,) = verify_study(entry, workers=1).problems
    assert "of no run that its metadata names" in problem


# --- what the board does with them


def test_the_row_shows_the_change_where_its_policy_has_one(entry):
    tables = study_tables(read_studies(entry.parent.parent))
    change = json.loads((entry / "fresh.json").read_text())["rows"][0]
    number = f"{100 * change['value']:+.1f} ({100 * change['low']:+.1f} to {100 * change['high']:+.1f})"
    assert "| fresh levels |" in markdown([], tables)
    assert number in markdown([], tables)
    assert "fresh levels" in page([], tables)
    rows = {row["trained_on"] + row["distractors"]: row for row in study_table_json(tables[0])["rows"]}
    assert rows["Sokobanno"]["fresh_change"]["value"] == change["value"]
    assert "fresh_change" not in rows["ALFWorldno"]
    assert "fresh_change,fresh_change_low,fresh_change_high" in boards_csv([], tables)


def test_fresh_scores_that_are_no_rows_are_an_error_that_names_the_entry(entry):
    edit_json(entry / "fresh.json", lambda d: d["rows"].pop())
    with pytest.raises(EntryError, match=f"{NAME}/{entry.name}: its scores lack what a row needs"):
        study_tables(read_studies(entry.parent.parent))


def test_a_study_with_fresh_levels_is_scored_again(entry):
    edit_json(entry / "fresh.json", lambda d: d["rows"][0].update(low=-1.0))
    assert "rows[0].low is -1.0, recomputed" in rescore(entry, "mended", "2026-11-29")
    assert verify_study(entry, workers=1).holds


def test_a_pull_request_with_such_a_study_holds(entry, tmp_path):
    board, base = entry.parent.parent, tmp_path / "base"
    base.mkdir()
    for folder in (board, base):
        (folder / "README.md").write_text("<!-- table:begin -->\nNo entries yet.\n<!-- table:end -->\n")
    assert main(["leaderboard", "--leaderboards", str(board), "--update"]) == 0
    assert list(problems(base, board, workers=1)) == []


def test_episodes_elsewhere_hold_the_fresh_ones_too(made_study, made_fresh, protocol, tmp_path):
    files = tmp_path / "files"
    entry = submit_study(
        made_study, CLAIMS, tmp_path / "board", fresh=made_fresh, elsewhere=("https://x.org/y", files), workers=1
    )
    assert {file.name for file in files.iterdir()} == {
        *(f"episodes-{run}.jsonl.gz" for run in origins()), *(f"fresh-{run}.jsonl.gz" for run in PLAYED),
    }  # fmt: skip
    assert verify_study(entry, workers=1, elsewhere=files).holds


def test_the_verb_takes_the_folder(made_study, made_fresh, tmp_path):
    claims = ["--org", "Lab", "--model", "tiny", "--date", "2026-11-28", "--leaderboards", str(tmp_path)]
    assert main(["submit", str(made_study), "--fresh", str(made_fresh), *claims, "--workers", "1"]) == 0
    assert (tmp_path / NAME / "20261128_Lab__tiny" / "fresh.json").exists()
