"""Entries of kind study: what is refused, what verification finds, and all that entries of runs can do too."""

import gzip
import hashlib
import json
import re
import shutil
import threading
from dataclasses import replace
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pytest
import yaml

from agentgen_bench.cli import main
from agentgen_bench.errors import EntryError
from agentgen_bench.evaluation.plan import limited
from agentgen_bench.evaluation.run import evaluate
from agentgen_bench.evaluation.training import Origin
from agentgen_bench.leaderboard import likeness, pull_request, study_submit
from agentgen_bench.leaderboard.audit import Record, append, audit_problems, read_audit, record_line
from agentgen_bench.leaderboard.entry import Named, digests
from agentgen_bench.leaderboard.markdown import markdown
from agentgen_bench.leaderboard.page import page
from agentgen_bench.leaderboard.pull_request import problems
from agentgen_bench.leaderboard.studies import read_studies
from agentgen_bench.leaderboard.study_amend import rerun_study_note
from agentgen_bench.leaderboard.study_submit import submit_study
from agentgen_bench.leaderboard.study_tables import study_tables
from agentgen_bench.leaderboard.study_unpack import unpack_study
from agentgen_bench.leaderboard.study_verify import verify_study
from agentgen_bench.leaderboard.submit import submit
from agentgen_bench.leaderboard.table import read_boards
from agentgen_bench.policies.scripted import RandomPolicy
from agentgen_bench.prompts import PromptConfig
from agentgen_bench.scores.study import read_study
from tests.full_disk import files_of_at_most
from tests.leaderboard.studies import (
    NAME,
    change_training,
    origins,
    record,
    roles,
    set_origin,
    small_protocol,
    weights,
)

CLAIMS = Named("Lab", "tiny", "2026-11-28")
ENTRY = "20261128_Lab__tiny"


pytestmark = pytest.mark.usefixtures("small_protocol_shipped")


@pytest.fixture
def study(made_study, tmp_path):
    return shutil.copytree(made_study, tmp_path / "study")


@pytest.fixture(scope="module")
def made_entry(made_study, protocol, tmp_path_factory):
    board = tmp_path_factory.mktemp("board")
    return submit_study(made_study, CLAIMS, board, protocol=protocol, workers=1)


@pytest.fixture
def entry(made_entry, tmp_path):
    return shutil.copytree(made_entry, tmp_path / "board" / NAME / ENTRY)


def test_an_entry_holds_and_names_everything(made_entry, protocol):
    found = verify_study(made_entry, workers=1)
    assert found.problems == ()
    assert found.episodes == 7 * 6
    files = {file.name for file in made_entry.iterdir()}
    assert files == {
        "metadata.yaml", "scores.json", "training.jsonl.gz", "README.md",
        *(f"episodes-{run}.jsonl.gz" for run in origins()),
    }  # fmt: skip
    scores = json.loads((made_entry / "scores.json").read_text())
    assert (scores["protocol"], scores["kind"], scores["seeds"], scores["episodes"]) == (NAME, "transfer", 2, 42)
    assert set(scores["policies"][0]["cells"]) == set(protocol.labels)
    readme = (made_entry / "README.md").read_text()
    assert "| trained on Sokoban, augmented |" in readme
    assert "That the trainings happened as recorded" in readme


def test_the_same_study_gives_the_same_bytes(made_entry, study, tmp_path):
    again = submit_study(study, CLAIMS, tmp_path / "other", workers=1)
    for file in made_entry.iterdir():
        assert (again / file.name).read_bytes() == file.read_bytes()


def drop_role(study, run):
    kept = [entry for entry in roles() if not str(entry["run"]).startswith(f"runs/{run}")]
    (study / "scores.yaml").write_text(yaml.safe_dump({"study": "small", "runs": kept}))


def shorten(study, run):
    file = study / "runs" / run / "episodes.jsonl"
    file.write_text("".join(file.read_text().splitlines(keepends=True)[:-2]))


def other_levels(study, run):
    path = study / "runs" / run / "manifest.json"
    manifest = json.loads(path.read_text())
    manifest["plan"]["cells"][0]["seeds"] = [7, 8, 9]
    path.write_text(json.dumps(manifest))


def other_prompt(study, run):
    path = study / "runs" / run / "manifest.json"
    manifest = json.loads(path.read_text())
    manifest["prompt"]["history_length"] = 5
    path.write_text(json.dumps(manifest))


def trained_on_a_test_level(study, run):
    level = small_protocol().suite.cells[0].level_ids[1]
    change_training(study, run, levels={"sokoban": (level.partition(":")[2],)})


def trained_on_the_test_split(study, run):
    source = {"environment": "sokoban", "split": "test"}
    change_training(study, run, sources=(source,))


def a_test_level():
    return small_protocol().suite.cells[1].level_ids[0].partition(":")[2]


def in_two_parts(study, run, family, cloned_from="initial", parent="clone", **changes):
    """Let a training be cloned first, then reinforced."""
    clone = replace(record("clone", cloned_from, family), method="sft", **changes)
    change_training(study, run, parent=weights(parent), before=(clone,))


def test_a_training_in_two_parts_is_one_chain(study, tmp_path):
    for seed in (0, 1):
        in_two_parts(study, f"on-sokoban-seed-{seed}", "Sokoban")
    entry = submit_study(study, CLAIMS, tmp_path / "board", workers=1)
    lines = [json.loads(line) for line in gzip.decompress((entry / "training.jsonl.gz").read_bytes()).splitlines()]
    chains = {line["run"]: [part["method"] for part in line["training"]["before"]] for line in lines}
    assert chains["on-sokoban-seed-0"] == ["sft"]
    assert chains["on-alfworld-seed-0"] == []


def source_of(**changes):
    spec = {**record("x", None, "Sokoban").sources[0]["spec"], **changes}
    return ({"spec": spec, "weight": 1.0},)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda s: drop_role(s, "on-alfworld"), "role: the role 'trained on ALFWorld' is missing"),
        (
            lambda s: drop_role(s, "on-alfworld-seed-1"),
            "role: 'trained on ALFWorld' has 1 training seeds; .* asks for 2",
        ),
        (lambda s: drop_role(s, "initial"), "role: the role 'initial' is missing"),
        (lambda s: shorten(s, "on-sokoban-seed-0"), "on-sokoban-seed-0: 2 episodes are missing"),
        (lambda s: other_levels(s, "on-sokoban-seed-0"), "on-sokoban-seed-0: its plan is not transfer-smoke as it is"),
        (lambda s: other_prompt(s, "on-sokoban-seed-1"), "on-sokoban-seed-1: the prompt is not what it is in initial"),
        (
            lambda s: set_origin(s / "runs" / "on-sokoban-seed-0", None),
            "on-sokoban-seed-0 does not say which weights played",
        ),
        (
            lambda s: set_origin(s / "runs" / "on-sokoban-seed-0", Origin(weights("x"), None)),
            "on-sokoban-seed-0 has no training.json",
        ),
        (
            lambda s: change_training(s, "on-sokoban-seed-0", parent=weights("elsewhere")),
            "on-sokoban-seed-0: the chain is broken, it was trained from",
        ),
        (
            lambda s: change_training(s, "on-sokoban-seed-0", weights=weights("elsewhere")),
            "on-sokoban-seed-0: its training record is of other weights than those that played",
        ),
        (
            lambda s: trained_on_the_test_split(s, "on-sokoban-seed-0"),
            "on-sokoban-seed-0 was trained on the split test; only train and valid are learned from",
        ),
        (
            lambda s: trained_on_a_test_level(s, "on-sokoban-seed-0"),
            "on-sokoban-seed-0 was trained on levels of the suite: sokoban:",
        ),
        (
            lambda s: change_training(s, "on-sokoban-seed-0", sources=source_of(env_id="AgentGen/Blocks-base-v0")),
            "on-sokoban-seed-0 was trained on blocks, which is for evaluation only",
        ),
        (
            lambda s: change_training(s, "on-sokoban-seed-0", sources=source_of(env_id="AgentGen/WebShop-base-v0")),
            "on-sokoban-seed-0 is 'trained on Sokoban', but was trained on webshop, not sokoban",
        ),
        (
            lambda s: change_training(s, "noisy-sokoban-seed-0", sources=source_of()),
            "noisy-sokoban-seed-0 is 'trained on Sokoban, augmented', but its training was without distractors",
        ),
        (
            lambda s: change_training(s, "on-sokoban-seed-1", settings={"steps": 9, "seed": 1}),
            "on-sokoban-seed-0 and on-sokoban-seed-1 were trained with other settings: steps",
        ),
        (
            lambda s: set_origin(s / "runs" / "on-sokoban-seed-1", origins()["on-sokoban-seed-0"]),
            "on-sokoban-seed-0 and on-sokoban-seed-1 are the same weights",
        ),
        (
            lambda s: in_two_parts(s, "on-sokoban-seed-0", "Sokoban", cloned_from="elsewhere"),
            "on-sokoban-seed-0: the chain is broken, it was trained from",
        ),
        (
            lambda s: in_two_parts(s, "on-sokoban-seed-0", "Sokoban", parent="elsewhere"),
            "on-sokoban-seed-0: the chain is broken, grpo started from",
        ),
        (
            lambda s: in_two_parts(s, "on-sokoban-seed-0", "WebShop"),
            "on-sokoban-seed-0 is 'trained on Sokoban', but was trained on sokoban, webshop, not sokoban",
        ),
        (
            lambda s: in_two_parts(s, "on-sokoban-seed-0", "Sokoban", levels={"blocks": (a_test_level(),)}),
            "on-sokoban-seed-0 was trained on levels of the suite: blocks:",
        ),
        (lambda s: change_training(s, "on-sokoban-seed-0", levels={}), "its training record names no level"),
        (lambda s: change_training(s, "on-sokoban-seed-0", method="init-model"), "made from random numbers and never"),
    ],
)
def test_a_study_that_lacks_something_is_refused_with_the_reason(study, tmp_path, spoil, message):
    spoil(study)
    with pytest.raises(EntryError, match=f"(?s)cannot be submitted:.*{message}"):
        submit_study(study, CLAIMS, tmp_path / "board", workers=1)
    assert not (tmp_path / "board").exists()


def test_a_study_whose_name_another_process_takes_meanwhile_leaves_that_entry_alone(study, tmp_path):
    target = tmp_path / "board" / NAME / ENTRY

    def take(_: object) -> None:
        target.mkdir(exist_ok=True)
        (target / "README.md").write_text("theirs")

    with pytest.raises(EntryError, match="exists by now; entries are never overwritten"):
        submit_study(study, CLAIMS, tmp_path / "board", workers=1, on_replayed=take)
    assert [file.name for file in target.iterdir()] == ["README.md"]


def test_a_study_that_does_not_hold_leaves_no_folder_behind(study, tmp_path, monkeypatch):
    def stops(*arguments, **options):
        raise EntryError("an action has another reward")

    monkeypatch.setattr(study_submit, "verify_study", stops)
    with pytest.raises(EntryError, match="an action has another reward"):
        submit_study(study, CLAIMS, tmp_path / "board", workers=1)
    assert not (tmp_path / "board").exists()


def test_a_study_in_another_encoding_is_one_line(study, tmp_path):
    (study / "scores.yaml").write_bytes("study: größer\n".encode("latin-1"))
    with pytest.raises(EntryError, match=r"cannot read the study .*scores\.yaml: 'utf-8' codec can't decode"):
        submit_study(study, CLAIMS, tmp_path / "board", workers=1)


def test_a_single_run_of_a_protocols_suite_is_no_entry(study, protocol, tmp_path):
    with pytest.raises(EntryError, match="transfer-smoke takes whole studies, not one run"):
        submit(
            study / "runs" / "initial",
            org="Lab",
            model="m",
            date="2026-11-28",
            leaderboards=tmp_path,
            suite=protocol.suite,
        )


# --- entries that were tampered with


def edit_json(path, change):
    data = json.loads(path.read_text())
    change(data)
    path.write_text(json.dumps(data, indent=2, ensure_ascii=False) + "\n")


def edit_lines(entry, name, change):
    """Change the parsed lines of a gzip file, and say its new digest in the metadata where it is one of episodes."""
    lines = [json.loads(line) for line in gzip.decompress((entry / name).read_bytes()).splitlines()]
    change(lines)
    data = gzip.compress("".join(json.dumps(line) + "\n" for line in lines).encode(), mtime=0)
    (entry / name).write_bytes(data)
    if name.startswith("episodes-"):
        metadata = yaml.safe_load((entry / "metadata.yaml").read_text())
        run = metadata["runs"][name.removeprefix("episodes-").removesuffix(".jsonl.gz")]
        run.update(sha256=hashlib.sha256(data).hexdigest(), bytes=len(data))
        (entry / "metadata.yaml").write_text(yaml.safe_dump(metadata, sort_keys=False))


def turn_round(lines):
    lines[0].update(success=not lines[0]["success"])


def edit_metadata(entry, change):
    metadata = yaml.safe_load((entry / "metadata.yaml").read_text())
    change(metadata)
    (entry / "metadata.yaml").write_text(yaml.safe_dump(metadata, sort_keys=False))


def set_parent(lines):
    lines[1]["training"]["parent"] = weights("other")


EPISODES = "episodes-on-sokoban-seed-0.jsonl.gz"


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (
            lambda e: edit_json(e / "scores.json", lambda d: d["rows"][0]["overall_gain"].update(value=0.5)),
            r"scores\.json: rows\[0\]\.overall_gain\.value is 0\.5, recomputed",
        ),
        (lambda e: edit_lines(e, EPISODES, turn_round), "on-sokoban-seed-0: .*: success is recorded as"),
        (lambda e: edit_lines(e, EPISODES, lambda lines: lines.pop()), "1 episodes of the suite are missing"),
        (
            lambda e: (e / EPISODES).write_bytes((e / "episodes-initial.jsonl.gz").read_bytes() + b"x"),
            f"{EPISODES} (has .* bytes; at most|is another file than the metadata says)",
        ),
        (lambda e: (e / EPISODES).unlink(), f"{EPISODES} is missing"),
        (lambda e: edit_lines(e, "training.jsonl.gz", set_parent), "on-sokoban-seed-0: the chain is broken"),
        (lambda e: edit_lines(e, "training.jsonl.gz", lambda lines: lines.pop()), "says nothing about noisy-sokoban"),
        (
            lambda e: edit_metadata(e, lambda d: d["runs"]["initial"].update(weights="0" * 64)),
            "initial has other weights than the metadata says",
        ),
        (
            lambda e: edit_metadata(e, lambda d: d["runs"]["initial"]["policy"].update(sampling={"temperature": 0})),
            "run initial: its policy is no table of name, model, content_hash; all else is common to the study's runs",
        ),
        (lambda e: edit_metadata(e, lambda d: d.update(extra=1)), "is not the metadata of a study: missing or unknown"),
        (lambda e: edit_metadata(e, lambda d: d.update(protocol_hash="0" * 64)), "was made with another protocol"),
        (
            lambda e: edit_metadata(e, lambda d: d["study"]["runs"].pop()),
            "the runs with a role are not those with a file",
        ),
        (
            lambda e: edit_metadata(e, lambda d: d["study"]["runs"][1].update(source="ALFWorld", seed=7)),
            "'trained on Sokoban' has 1 training seeds",
        ),
        (lambda e: (e / "notes.txt").write_text("hello"), "holds 'notes.txt', which is no part of a study's entry"),
        (
            lambda e: (e / "episodes-other.jsonl.gz").write_bytes(b"x"),
            "holds 'episodes-other.jsonl.gz', of no run that its metadata names",
        ),
        (lambda e: (e / "README.md").write_text(" "), "README.md is empty"),
        (lambda e: (e / "scores.json").unlink(), "scores.json is missing"),
    ],
)
def test_verification_finds_what_was_changed(entry, spoil, message):
    spoil(entry)
    found = verify_study(entry, workers=1)
    assert not found.holds
    assert re.search(message, "\n".join(found.problems)), found.problems


# --- episodes that lie elsewhere


@pytest.fixture
def server(tmp_path):
    folder = tmp_path / "served"
    folder.mkdir()
    handler = partial(type("Quiet", (SimpleHTTPRequestHandler,), {"log_message": lambda *a: None}), directory=folder)
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield folder, f"http://127.0.0.1:{running.server_port}"
        running.shutdown()


def test_episodes_elsewhere_are_fetched_and_checked(study, server, tmp_path):
    folder, url = server
    entry = submit_study(study, CLAIMS, tmp_path / "board", elsewhere=(url, folder), workers=1)
    assert {file.name for file in entry.iterdir()} == {"metadata.yaml", "scores.json", "training.jsonl.gz", "README.md"}
    assert len(list(folder.iterdir())) == 7
    assert verify_study(entry, workers=1).problems == ()
    kept = tmp_path / "kept"
    assert verify_study(entry, workers=1, elsewhere=kept).holds
    assert len(list(kept.iterdir())) == 7


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda file: file.write_bytes(file.read_bytes()[:-1] + b"x"), "SHA-256"),
        (lambda file: file.write_bytes(file.read_bytes() + b"x" * 10), "sends more than the .* bytes expected"),
        (lambda file: file.unlink(), "the server answered 404"),
    ],
)
def test_other_files_elsewhere_are_refused(study, server, tmp_path, spoil, message):
    folder, url = server
    entry = submit_study(study, CLAIMS, tmp_path / "board", elsewhere=(url, folder), workers=1)
    spoil(folder / EPISODES)
    (problem,) = verify_study(entry, workers=1).problems
    assert problem.startswith("the episodes of on-sokoban-seed-0 could not be fetched: ")
    assert re.search(message, problem), problem


@pytest.mark.parametrize("url", ["file:///etc", "ftp://x/y", "https://user:secret@x/y", "https://x/y?token=1", "x"])
def test_an_address_that_is_none_is_refused(study, tmp_path, url):
    with pytest.raises(EntryError, match="give an https address of a folder"):
        submit_study(study, CLAIMS, tmp_path / "board", elsewhere=(url, tmp_path / "files"), workers=1)


def test_episodes_too_large_for_the_repository_belong_elsewhere(study, tmp_path, monkeypatch):
    monkeypatch.setattr(study_submit, "MAX_ENTRY_BYTES", 1000)
    with pytest.raises(EntryError, match="--episodes-at URL --episodes-in DIR"):
        submit_study(study, CLAIMS, tmp_path / "board", workers=1)


# --- what the board does with them


@pytest.fixture
def board(entry):
    """A board with a recorded study, and its README."""
    leaderboards = entry.parent.parent
    (leaderboards / "README.md").write_text("<!-- table:begin -->\nNo entries yet.\n<!-- table:end -->\n")
    return leaderboards


def add(board, *events):
    for event in events:
        append(board, Record("2026-11-28", event, f"{NAME}/{ENTRY}", "", digests(board / NAME / ENTRY)))


def test_the_board_reads_studies_apart_from_entries_of_runs(board):
    add(board, "added", "verified")
    (study,) = read_studies(board)
    assert (study.entry, study.kind, study.trust, study.metadata.model) == (
        f"{NAME}/{ENTRY}", "transfer", "replayed", "tiny",
    )  # fmt: skip
    assert len(study.scores["rows"]) == 3
    assert read_boards(board) == []
    assert audit_problems(board) == []


def as_a_models(entry, model, suffix):
    """Copy a study's entry under another name, with other weights, as if a model had played."""
    metadata = yaml.safe_load((entry / "metadata.yaml").read_text())
    metadata["model"] = model
    metadata["policy"]["kind"] = "transformers"
    for said in metadata["runs"].values():
        said["weights"] = weights(said["weights"] + suffix)
    target = entry.parent / f"20261128_Lab__{model}"
    shutil.copytree(entry, target)
    (target / "metadata.yaml").write_text(yaml.safe_dump(metadata, sort_keys=False))
    return target


def test_the_board_and_the_check_say_that_a_study_is_a_copy(board, entry, monkeypatch):
    monkeypatch.setattr(likeness, "COPY_LEVELS", 2)
    as_a_models(entry, "first", "a")
    second = as_a_models(entry, "second", "b")
    shutil.rmtree(entry)
    for name in ("first", "second"):
        append(board, Record("2026-11-28", "added", f"{NAME}/20261128_Lab__{name}", "", digests(second)))
    first, copy = read_studies(board)
    assert first.said.copies == ()
    assert copy.notes[0].startswith(f"initial makes the same mistakes as {NAME}/20261128_Lab__first initial (")
    assert "makes the same mistakes" in markdown([], study_tables([first, copy])).replace("\\", "")
    assert "makes the same mistakes" in page([], study_tables([first, copy]))
    assert any("makes the same mistakes" in line for line in pull_request._board_problems(board, {copy.entry}))


def test_a_changed_study_loses_its_trust_and_is_found(board, entry):
    add(board, "added", "verified")
    edit_json(entry / "scores.json", lambda d: d.update(seeds=9))
    assert read_studies(board)[0].trust == "claimed"
    (problem,) = audit_problems(board)
    assert problem.startswith(f"{NAME}/{ENTRY} has other files than the audit trail's last record of it")


def test_a_study_is_rescored_with_a_reason(board, entry, capsys):
    add(board, "added")
    edit_json(entry / "scores.json", lambda d: d.update(seeds=9))
    assert main(["audit", "rescore", str(entry), "--reason", "version 2"]) == 0
    assert "seeds is 9, recomputed 2" in capsys.readouterr().out
    assert read_audit(board)[-1].event == "rescored"
    assert verify_study(entry, workers=1).holds


def test_a_study_is_removed_with_a_reason(board, entry):
    add(board, "added")
    assert main(["audit", "remove", str(entry), "--reason", "trained on test levels"]) == 0
    assert not entry.exists()
    assert read_audit(board)[-1].note == "trained on test levels"
    assert audit_problems(board) == []


def test_a_rerun_compares_run_by_run(entry, study):
    note = rerun_study_note(entry, study)
    assert note.startswith("rerun of 7 of 7 runs with the same actions in 42 of 42 episodes; 7 runs are the same")
    shutil.rmtree(study / "runs" / "initial")
    drop_role(study, "initial")
    assert rerun_study_note(entry, study).startswith("rerun of 6 of 7 runs")


def test_a_rerun_of_some_levels_is_no_rerun_of_a_study(entry, study, protocol):
    run = study / "runs" / "initial"
    shutil.rmtree(run)
    evaluate(limited(protocol.plan_for(()), 1), RandomPolicy(), PromptConfig(), run, record_text=False)
    with pytest.raises(EntryError, match="is not a complete run of transfer-smoke as it is"):
        rerun_study_note(entry, study)


def test_a_pull_request_that_adds_a_study_holds(board, entry, tmp_path):
    base = tmp_path / "base"
    base.mkdir()
    shutil.copy(board / "README.md", base)
    add(board, "added")
    assert "the tables in README.md are not those of the entries" in next(problems(base, board, workers=1))
    assert main(["leaderboard", "--leaderboards", str(board), "--update"]) == 0
    assert "| no | " in (board / "README.md").read_text()
    assert list(problems(base, board, workers=1)) == []
    (entry / "run.sh").write_text("echo")
    assert any("run.sh is no file of an entry" in line for line in problems(base, board, workers=1))


def test_a_pull_request_with_a_study_that_does_not_hold_is_refused(board, entry, tmp_path):
    base = tmp_path / "base"
    base.mkdir()
    shutil.copy(board / "README.md", base)
    edit_json(entry / "scores.json", lambda d: d.update(seeds=9))
    add(board, "added")
    assert list(problems(base, board, workers=1)) == ["scores.json: seeds is 9, recomputed 2"]


def test_the_verbs_make_and_verify_a_study(study, tmp_path, capsys):
    board = tmp_path / "board"
    claims = ["--org", "Lab", "--model", "tiny", "--date", "2026-11-28", "--leaderboards", str(board)]
    assert main(["submit", str(study), *claims, "--workers", "1"]) == 0
    entry = board / NAME / ENTRY
    assert capsys.readouterr().out.strip() == str(entry)
    assert main(["verify", str(entry), "--workers", "1", "--rerun", str(study), "--record"]) == 0
    assert "holds; 42 episodes" in capsys.readouterr().out
    assert [one.event for one in read_audit(board)] == ["added", "rerun"]
    assert main(["submit", str(study), *claims, "--episodes-at", "https://x/y"]) == 2
    assert "--episodes-at and --episodes-in go together" in capsys.readouterr().err


def test_what_the_trail_cannot_take_is_not_submitted_and_can_be_again(study, tmp_path, capsys):
    board = tmp_path / "board"
    board.mkdir()
    before = record_line(Record("2026-11-01", "added", "core-v1/x")) * 10_000  # longer than any file of the entry
    (board / "audit.jsonl").write_bytes(before)
    submission = ["submit", str(study), "--org", "Lab", "--model", "tiny", "--date", "2026-11-28", "--workers", "1"]
    submission += ["--leaderboards", str(board)]
    with files_of_at_most(len(before) + 50):
        assert main(submission) == 1
    assert "nothing was recorded, mend that and repeat the command" in capsys.readouterr().err
    assert not (board / NAME / ENTRY).exists()
    assert (board / "audit.jsonl").read_bytes() == before
    assert main(submission) == 0


# --- other tools


def test_a_study_is_unpacked_into_runs_that_score_as_it_does(entry, study, tmp_path, capsys):
    file = unpack_study(entry, tmp_path / "unpacked")
    assert read_study(file.read_text()).to_json() == yaml.safe_load((entry / "metadata.yaml").read_text())["study"]
    found = json.loads((tmp_path / "unpacked" / "on-sokoban-seed-0" / "manifest.json").read_text())["origin"]
    assert found == origins()["on-sokoban-seed-0"].to_json()
    scores = []
    for named in (file, study / "scores.yaml"):
        assert main(["score", "--study", str(named), "--json"]) == 0
        scores.append(json.loads(capsys.readouterr().out)["scores"])
    assert scores[0] == scores[1]


def test_a_study_is_reported_on_one_page(entry, tmp_path):
    assert main(["report", str(entry), "--output", str(tmp_path / "page.html")]) == 0
    page = (tmp_path / "page.html").read_text()
    assert "Transfer matrix" in page
    assert "trained on Sokoban, augmented" in page


def test_a_study_is_exported_run_by_run(entry, tmp_path):
    assert main(["export", str(entry), "--format", "csv", "--output", str(tmp_path / "csv")]) == 0
    assert {path.name for path in (tmp_path / "csv").iterdir()} == set(origins())
    (episodes,) = (tmp_path / "csv" / "on-sokoban-seed-0").glob("episodes*")
    assert len(episodes.read_text().splitlines()) == 1 + 6
