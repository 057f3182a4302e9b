"""Entries are made from complete, unedited runs only, whole or not at all."""

import gzip
import json
import shutil
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from agentgen_bench.cli import main
from agentgen_bench.episodes import from_line
from agentgen_bench.errors import EntryError
from agentgen_bench.evaluation.folder import read_run, write_json
from agentgen_bench.evaluation.plan import limited, single_plan, suite_plan
from agentgen_bench.evaluation.run import evaluate
from agentgen_bench.evaluation.sessions import made
from agentgen_bench.leaderboard import submit as submit_module
from agentgen_bench.leaderboard.entry import least_repeats, slug
from agentgen_bench.leaderboard.submit import submit
from agentgen_bench.leaderboard.verify import json_text, verify
from agentgen_bench.policies.scripted import RandomPolicy
from agentgen_bench.prompts import PromptConfig
from agentgen_bench.scores.success import results
from agentgen_bench.spec import TaskSpec
from agentgen_bench.suites import Cell, Suite, from_text, load_suite, to_text
from tests.processes import run_to_the_end

CLAIMS = {"org": "Some Lab", "model": "m", "date": "2026-01-31"}


@pytest.fixture
def run(run_path: Path, tmp_path: Path) -> Path:
    """A copy of the run to edit."""
    return Path(shutil.copytree(run_path, tmp_path / "run"))


def refused(run: Path, suite: Suite, tmp_path: Path) -> str:
    board = tmp_path / "board"
    with pytest.raises(EntryError) as error:
        submit(run, **CLAIMS, leaderboards=board, suite=suite, workers=1)
    assert not [path for path in board.rglob("*") if path.is_file()]
    return str(error.value)


def edited(run: Path, edit: Callable[[list[str]], list[str]]) -> None:
    path = run / "episodes.jsonl"
    path.write_text("".join(edit(path.read_text().splitlines(keepends=True))))


@pytest.mark.parametrize(
    ("claim", "value", "problem"),
    [
        ("org", "some-lab", "the org 'some-lab' looks like 'Some Lab', which is on the board; write it so"),
        ("model", "1ab/random-3", "the model '1ab/random-3' looks like 'lab/random-3', which is on the board"),
        ("date", "2131-01-01", "its date is 2131-01-01; tiny-v1 is of"),
        ("date", "31.01.2026", "the entry: date is '31.01.2026', not a day as YYYY-MM-DD"),
    ],
)
def test_names_and_days_are_refused_as_a_pull_request_would_be(
    claim: str, value: str, problem: str, made: Path, run: Path, suite: Suite, tmp_path: Path
) -> None:
    board = tmp_path / "board"
    shutil.copytree(made, board / "tiny-v1" / made.name)
    before = sorted(board.rglob("*"))
    with pytest.raises(EntryError) as error:
        submit(run, **CLAIMS | {claim: value}, leaderboards=board, suite=suite, workers=1)
    assert problem in str(error.value)
    assert sorted(board.rglob("*")) == before


def test_an_entry_holds_four_files_under_its_date_org_and_model(made: Path) -> None:
    assert made.name == "20260131_Some-Lab__lab-random-3"
    assert sorted(path.name for path in made.iterdir()) == [
        "README.md",
        "episodes.jsonl.gz",
        "metadata.yaml",
        "results.json",
    ]


def test_an_entry_verifies(made: Path, suite: Suite) -> None:
    assert verify(made, suite=suite, workers=1).holds


def test_the_same_run_makes_the_same_bytes(run: Path, suite: Suite, tmp_path: Path) -> None:
    paths = [submit(run, **CLAIMS, leaderboards=tmp_path / name, suite=suite, workers=1) for name in ("a", "b")]
    for name in ("metadata.yaml", "results.json", "episodes.jsonl.gz"):
        assert (paths[0] / name).read_bytes() == (paths[1] / name).read_bytes()


def test_the_submitters_paths_and_servers_stay_private(run: Path, suite: Suite, tmp_path: Path) -> None:
    manifest = json.loads((run / "manifest.json").read_text())
    manifest["policy"] |= {"path": "/home/me/secret", "base_url": "http://10.0.0.7:8000"}
    (run / "manifest.json").write_text(json.dumps(manifest))
    path = submit(run, **CLAIMS, leaderboards=tmp_path / "board", suite=suite, workers=1)
    assert "secret" not in (path / "metadata.yaml").read_text()
    assert "10.0.0.7" not in (path / "metadata.yaml").read_text()


def test_an_entry_keeps_the_last_link_of_the_hash_chain_whole_and_of_the_others_the_beginning(
    made: Path, run_path: Path
) -> None:
    recorded = {e.key: e for e in read_run(run_path).episodes}
    with gzip.open(made / "episodes.jsonl.gz", "rt") as file:
        episodes = [from_line(line) for line in file]
    for episode in episodes:
        whole = [step.observation_hash for step in recorded[episode.key].steps]
        assert [step.observation_hash for step in episode.steps] == [*(link[:4] for link in whole[:-1]), whole[-1]]


@pytest.mark.parametrize("stop", [EntryError("an action has another reward"), KeyboardInterrupt()])
def test_a_submission_that_stops_leaves_no_folder_behind(
    stop: BaseException, run: Path, suite: Suite, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stops(*arguments: object, **options: object) -> None:
        raise stop

    monkeypatch.setattr(submit_module, "verify", stops)
    (tmp_path / "board").mkdir()
    for place in ("board", "new/board"):
        with pytest.raises(type(stop)):
            submit(run, **CLAIMS, leaderboards=tmp_path / place, suite=suite, workers=1)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["board", "run"]
    assert list((tmp_path / "board").iterdir()) == []


def test_an_incomplete_run_is_refused_with_what_is_missing(run: Path, suite: Suite, tmp_path: Path) -> None:
    edited(run, lambda lines: lines[:-3])
    assert "3 episodes are missing; go on with evaluate --resume" in refused(run, suite, tmp_path)


def test_a_run_of_a_part_of_the_suite_is_refused(suite: Suite, tmp_path: Path) -> None:
    evaluate(limited(suite_plan(suite), 2), RandomPolicy(), PromptConfig(), tmp_path / "run")
    assert "evaluate without --limit and without other knobs" in refused(tmp_path / "run", suite, tmp_path)


def test_a_run_of_an_older_suite_is_refused(run: Path, suite: Suite, tmp_path: Path) -> None:
    manifest = json.loads((run / "manifest.json").read_text())
    manifest["plan"]["suite"]["hash"] = "beef"
    (run / "manifest.json").write_text(json.dumps(manifest))
    assert "another version of tiny-v1 (hash beef)" in refused(run, suite, tmp_path)


def test_a_run_without_results_is_refused(run: Path, suite: Suite, tmp_path: Path) -> None:
    (run / "results.json").unlink()
    assert "it has no results.json; finish it with evaluate --resume" in refused(run, suite, tmp_path)


def test_edited_results_are_refused(run: Path, suite: Suite, tmp_path: Path) -> None:
    text = (run / "results.json").read_text()
    (run / "results.json").write_text(text.replace('"n": 16', '"n": 18', 1))
    assert "overall.success.n is 18, recomputed 16" in refused(run, suite, tmp_path)


def test_edited_episodes_are_refused_though_the_results_fit_them(run: Path, suite: Suite, tmp_path: Path) -> None:
    edited(run, lambda lines: [lines[0].replace('"success": false', '"success": true'), *lines[1:]])
    write_json(run / "results.json", results(read_run(run).episodes))
    assert "success is recorded as True, the replay gives False" in refused(run, suite, tmp_path)


def test_a_run_with_a_crash_is_refused_and_the_episode_named(run: Path, suite: Suite, tmp_path: Path) -> None:
    edited(run, lambda lines: [lines[0].replace('"ending": "truncated"', '"ending": "error"'), *lines[1:]])
    assert "episodes ended in an error: AgentGen/Sokoban-lean-v0 easy seed 0 repeat 0" in refused(run, suite, tmp_path)


def test_an_entry_is_never_overwritten(run: Path, suite: Suite, tmp_path: Path) -> None:
    submit(run, **CLAIMS, leaderboards=tmp_path, suite=suite, workers=1)
    with pytest.raises(EntryError, match="exists; entries are never overwritten"):
        submit(run, **CLAIMS, leaderboards=tmp_path, suite=suite, workers=1)


def test_an_entry_that_another_process_makes_meanwhile_is_left_alone(run: Path, suite: Suite, tmp_path: Path) -> None:
    target = tmp_path / "tiny-v1" / "20260131_Some-Lab__m"

    def take(_: object) -> None:
        target.mkdir(exist_ok=True)
        (target / "README.md").write_text("theirs")

    with pytest.raises(EntryError, match="exists by now; entries are never overwritten"):
        submit(run, **CLAIMS, leaderboards=tmp_path, suite=suite, workers=1, on_replayed=take)
    assert [file.name for file in target.iterdir()] == ["README.md"]


@pytest.mark.parametrize(("name", "safe"), [("Qwen/Qwen3-4B", "Qwen-Qwen3-4B"), ("../../etc", "etc"), ("a b", "a-b")])
def test_names_cannot_leave_their_folder(name: str, safe: str) -> None:
    assert slug(name) == safe


def test_a_name_without_a_letter_is_refused() -> None:
    for name in ("../..", "日本研究所"):
        with pytest.raises(EntryError, match=f"'{name}' holds none of a to z and 0 to 9, which the entry's folder"):
            slug(name)


def test_the_verbs_make_verify_and_show_an_entry(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    own = ["--env", "AgentGen/Sokoban-lean-v0", "--episodes", "2", "--quiet", "--output", "own"]
    assert main(["evaluate", *own]) == 0
    assert main(["submit", "own", "--org", "o", "--model", "m"]) == 1
    assert "own is not a run of a frozen suite; evaluate with --suite NAME" in capsys.readouterr().err
    assert main(["verify", "own", "--workers", "1"]) == 2
    assert "own: this is a run, not an entry of a leaderboard; to replay it" in capsys.readouterr().err


def test_verifying_a_board_says_how_its_entries_are_named(made: Path, capsys: pytest.CaptureFixture[str]) -> None:
    board = made.parent.parent
    assert main(["verify", str(board)]) == 2
    assert f"this is a folder of entries; name them: agentgen-bench verify {board}/*/*" in capsys.readouterr().err
    assert main(["verify", str(made.parent)]) == 2
    assert f"name them: agentgen-bench verify {made.parent}/*\n" in capsys.readouterr().err


def test_verifying_nothing_says_what_to_name(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", "/no/such/entry"]) == 1
    assert "/no/such/entry is not a folder; name one like leaderboards/core-v1/" in capsys.readouterr().err


@pytest.mark.parametrize("ended", ["SIGINT", "SIGKILL"])
def test_the_workers_of_a_verification_end_with_it_and_without_a_trace(ended: str, tmp_path: Path) -> None:
    program = (
        "import os, signal, sys\n"
        "from pathlib import Path\n"
        "from agentgen_bench.leaderboard.replay import replay_all\n"
        "from agentgen_bench.evaluation.folder import read_run\n"
        "def forever(episodes):\n"
        "    while True:\n"
        "        yield from episodes\n"
        "def run(argv):\n"
        "    seen = 0\n"
        "    for chunk in replay_all(forever(read_run(Path(sys.argv[1])).episodes), 2):\n"
        "        seen += 1\n"
        "        if seen == 3:\n"
        "            os.killpg(0, signal.SIGINT) if sys.argv[2] == 'SIGINT' else os.kill(os.getpid(), signal.SIGKILL)\n"
        "if __name__ == '__main__':\n"
        "    signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "    try:\n"
        "        run(sys.argv)\n"
        "    except KeyboardInterrupt:\n"
        "        sys.exit(130)\n"
    )
    script, path = tmp_path / "script.py", tmp_path / "run"
    script.write_text(program)
    evaluate(single_plan([TaskSpec("Sokoban", richness="lean")], 4), RandomPolicy(), PromptConfig(), path)
    done = run_to_the_end(script, path, ended)
    assert done.returncode == {"SIGINT": 130, "SIGKILL": -signal.SIGKILL}[ended]
    assert "Traceback" not in done.stderr
    assert done.stderr == "" or ended == "SIGKILL"  # Python notes what a killed process has not given back


def test_an_entry_says_when_how_long_and_on_what_it_was_played(run: Path, suite: Suite, tmp_path: Path) -> None:
    path = submit(run, **CLAIMS, leaderboards=tmp_path / "board", suite=suite, workers=1)
    assert yaml.safe_load((path / "metadata.yaml").read_text())["made"] == made(read_run(run).manifest["sessions"])


def test_a_run_of_before_makes_an_entry_that_says_nothing_of_it(run: Path, suite: Suite, tmp_path: Path) -> None:
    manifest = json.loads((run / "manifest.json").read_text())
    del manifest["sessions"]
    (run / "manifest.json").write_text(json.dumps(manifest))
    (run / "results.json").write_text(json_text(results(read_run(run).episodes)))
    path = submit(run, **CLAIMS, leaderboards=tmp_path / "board", suite=suite, workers=1)
    assert "made" not in yaml.safe_load((path / "metadata.yaml").read_text())


def nested(suite: Suite, n_levels: int) -> Suite:
    cells = tuple(Cell(cell.spec, cell.seeds[:n_levels], cell.level_ids[:n_levels]) for cell in suite.cells)
    return from_text("tiny-mini", to_text("part of tiny-v1", cells))


def test_a_run_gives_the_row_of_a_nested_suite_too(
    suite: Suite, run_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mini = nested(suite, 2)
    monkeypatch.setattr(submit_module, "load_suite", {"tiny-v1": suite, "tiny-mini": mini}.__getitem__)
    path = submit(run_path, **CLAIMS, leaderboards=tmp_path, suite=mini, within="tiny-mini", workers=1)
    assert path.parent.name == "tiny-mini"
    assert verify(path, suite=mini, workers=1).episodes == 2 * 2 * 2  # cells, levels, repeats
    own = tmp_path / "own"
    evaluate(suite_plan(mini, repeats=2), RandomPolicy(3), PromptConfig(), own)
    alone = submit(own, **CLAIMS, leaderboards=tmp_path / "alone", suite=mini, workers=1)
    for name in ("episodes.jsonl.gz", "results.json"):
        assert (path / name).read_bytes() == (alone / name).read_bytes()


def test_a_suite_that_is_not_nested_is_refused(
    suite: Suite, run_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(submit_module, "load_suite", lambda name: suite)
    with pytest.raises(EntryError, match="plays tiny-v1, in which smoke is not nested"):
        submit(run_path, **CLAIMS, leaderboards=tmp_path, suite=load_suite("smoke"), within="smoke", workers=1)


@pytest.mark.parametrize(
    ("policy", "least"),
    [
        ({"kind": "oracle"}, 1),
        ({"kind": "model", "sampling": {"temperature": 0}}, 1),
        ({"kind": "model", "sampling": {"temperature": 0.4}}, 3),
        ({"kind": "agent"}, 3),
    ],
)
def test_what_samples_plays_core_mini_three_times(policy: dict[str, object], least: int) -> None:
    assert least_repeats("core-mini-v1", policy) == least
    assert least_repeats("core-v1", policy) == 1
