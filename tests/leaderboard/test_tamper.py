"""Whatever is changed in an entry, verification refuses it with one clear line, in bounded memory."""

import gzip
import json
import os
import re
import resource
import subprocess
import sys
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from agentgen_bench.leaderboard import safe
from agentgen_bench.leaderboard.verify import verify
from agentgen_bench.suites import Suite

Lines = list[dict[str, Any]]


def read_lines(entry: Path) -> Lines:
    with gzip.open(entry / "episodes.jsonl.gz", "rt") as file:
        return [json.loads(line) for line in file]


def write_lines(entry: Path, lines: list[str]) -> None:
    with gzip.open(entry / "episodes.jsonl.gz", "wt") as file:
        file.writelines(line + "\n" for line in lines)


def change(edit: Callable[[Lines], Any]) -> Callable[[Path], None]:
    """Return a tampering that edits the parsed episodes."""

    def tamper(entry: Path) -> None:
        lines = read_lines(entry)
        edit(lines)
        write_lines(entry, [json.dumps(line) for line in lines])

    return tamper


def problem(entry: Path, suite: Suite) -> str:
    """Return the one line that verification says."""
    found = verify(entry, suite=suite, workers=1)
    assert not found.holds
    (line,) = found.problems
    assert "\n" not in line
    assert len(line) < 700
    return line


def set_(*path: Any, to: Any) -> Callable[[Lines], None]:
    def edit(lines: Lines) -> None:
        target: Any = lines
        for key in path[:-1]:
            target = target[key]
        target[path[-1]] = to

    return edit


def other_action(lines: Lines) -> None:
    step = lines[0]["steps"][0]
    step["action"] = step["completion"] = "left" if step["action"] != "left" else "right"


def unknown_action(lines: Lines) -> None:
    lines[0]["steps"][0].update(action="fly", completion="fly")


def solved_for_free(lines: Lines) -> None:
    lines[0].update(success=True, score=1.0)


def cut_short(lines: Lines) -> None:
    lines[0]["steps"] = lines[0]["steps"][:-1]


def drawn_out(lines: Lines) -> None:
    lines[0]["steps"].append(lines[0]["steps"][-1])


def dropped_failure(lines: Lines) -> None:
    del lines[2]


def swapped_levels(lines: Lines) -> None:
    lines[0]["seed"], lines[2]["seed"] = lines[2]["seed"], lines[0]["seed"]


def another_setting(lines: Lines) -> None:
    lines[0]["spec"]["difficulty"] = "medium"


def replaced_by_a_copy(lines: Lines) -> None:
    lines[2] = lines[0]


EDITS = [
    (other_action, "step 1: .* is recorded as .*, the replay gives"),
    (set_(0, "steps", 0, "action", to="fly"), "step 1: the completion of a scripted policy is its action, this one is"),
    (unknown_action, "step 1: is_action_valid is recorded as True, the replay gives False"),
    (set_(0, "steps", 0, "action", to=None), "step 1: either an action or a known parse reason"),
    (set_(0, "steps", 0, "parse_reason", to="because"), "step 1: either an action or a known parse reason"),
    (set_(0, "steps", 3, "reward", to=1.0), "step 4: reward is recorded as 1.0, the replay gives -0.1"),
    (set_(0, "steps", 3, "score", to=1.0), "step 4: score is recorded as 1.0"),
    (set_(0, "steps", 3, "observation_hash", to="0" * 32), "step 4: observation_hash is recorded as 0000"),
    (set_(0, "steps", -1, "observation_hash", to="0" * 32), "observation_hash is recorded as 0000"),
    (set_(0, "steps", 3, "n_admissible", to=99), "step 4: n_admissible is recorded as 99"),
    (set_(0, "steps", 3, "is_action_valid", to=False), "step 4: is_action_valid is recorded as False"),
    (solved_for_free, "success is recorded as True, the replay gives False"),
    (set_(0, "ending", to="terminated"), "ending is recorded as terminated, the replay gives truncated"),
    (set_(0, "ending", to="error"), "ended in an error; an entry holds only whole episodes"),
    (set_(0, "expert_length", to=1), "expert_length is recorded as 1, the replay gives"),
    (set_(0, "analysis", to={}), "analysis is recorded as {}"),
    (set_(0, "first_hash", to="0" * 32), "first_hash is recorded as 0000"),
    (set_(0, "task", to="Win."), "task is recorded as Win., the replay gives"),
    (cut_short, "steps are recorded, the episode has more"),
    (drawn_out, r"has (\d+) steps of at most|steps are recorded, the episode has fewer"),
    (dropped_failure, "1 episodes of the suite are missing, such as seed"),
    (replaced_by_a_copy, "line 3: AgentGen/Sokoban-.* is there twice"),
    (swapped_levels, "line 1: .* has level 'sokoban:.*', the suite says 'sokoban:"),
    (set_(0, "level_id", to="sokoban:0"), "line 1: .* has level 'sokoban:0', the suite says"),
    (another_setting, "line 1: seed 0, repeat 0 of .* is not in the suite"),
    (set_(0, "repeat", to=7), "line 1: seed 0, repeat 7 of .* is not in the suite"),
    (set_(0, "policy", to="gpt"), "line 1: .* was played by 'gpt', not by 'random'"),
    (set_(0, "schema_version", to="1"), "line 1: not an episode: no schema version"),
    (set_(0, "tasks", to=[[0, 1.0, True, None]]), r"tasks is recorded as \(TaskRecord"),
    (set_(0, "steps", 0, "reward", to="1"), "line 1: step field 'reward' holds a str"),
    (
        set_(0, "first_sections", to=[["A fake.", 0, "state"]]),
        "holds texts of observations; an entry holds their hashes",
    ),
    (set_(0, "steps", 3, "sections", to=[["A fake.", 0, "state"]]), "holds texts of observations"),
    (set_(0, "note", to="hello"), "line 1: not episode fields: missing or unknown"),
    (set_(0, "steps", 0, "reward", to=float("nan")), "line 1 is not JSON as we accept it: NaN is not a number"),
    (set_(0, "steps", 0, "reward", to=float("inf")), "line 1 is not JSON as we accept it: Infinity is not a number"),
    (set_(0, "steps", 0, "reward", to=10**400), "line 1: the number 1000000.* is longer than those of an entry"),
    (set_(0, "steps", 3, "score", to=-0.0), "step 4: score is recorded as -0.0, the replay gives 0.0"),
    (set_(0, "score", to=-0.0), "score is recorded as -0.0, the replay gives 0.0"),
    (set_(0, "steps", 3, "score", to=0), "step 4: score is recorded as 0, the replay gives 0.0"),
]


@pytest.mark.parametrize(("edit", "line"), EDITS, ids=lambda value: getattr(value, "__name__", str(value)[:40]))
def test_a_changed_episode_is_found(edit: Callable[[Lines], Any], line: str, entry: Path, suite: Suite) -> None:
    change(edit)(entry)

    assert re.search(line, problem(entry, suite))


def test_the_untouched_entry_holds(entry: Path, suite: Suite) -> None:
    found = verify(entry, suite=suite, workers=1)
    assert found.problems == ()
    assert (found.episodes, found.holds) == (16, True)


def edit_text(name: str, old: str, new: str) -> Callable[[Path], None]:
    def tamper(entry: Path) -> None:
        text = (entry / name).read_text()
        assert old in text
        (entry / name).write_text(text.replace(old, new, 1))

    return tamper


def rename(entry: Path) -> Path:
    return entry.rename(entry.with_name("20260131_Some-Lab__better"))


FILES = [
    (edit_text("results.json", '"n": 16', '"n": 17'), "results.json: overall.success.n is 17, recomputed 16"),
    (edit_text("results.json", '"episodes": 16', '"episodes": NaN'), "results.json is not JSON as we accept it: NaN"),
    (edit_text("metadata.yaml", "suite_hash: ", "suite_hash: beef"), "was made with suite hash beef"),
    (edit_text("metadata.yaml", "suite: tiny-v1", "suite: core-v1"), "says suite 'core-v1', but lies among entries"),
    (edit_text("metadata.yaml", "repeats: 2", "repeats: 1"), "repeat 1 of .* is not in the suite"),
    (edit_text("metadata.yaml", "repeats: 2", "repeats: 3"), "8 episodes of the suite are missing"),
    (edit_text("metadata.yaml", "repeats: 2", "repeats: 1000000000"), "repeats is 1000000000; 1 to 64"),
    (edit_text("metadata.yaml", "repeats: 2", "repeats: two"), "repeats is 'two', not of type int"),
    (edit_text("metadata.yaml", "model: lab/random-3", "model: gpt-9"), "should be named 20260131_Some-Lab__gpt-9"),
    (edit_text("metadata.yaml", "model: lab/random-3", 'model: "../../x"'), "should be named 20260131_Some-Lab__x"),
    (edit_text("metadata.yaml", "org: Some Lab", 'org: "a\\e[31m"'), "org must be one line of at most 100 printable"),
    (edit_text("metadata.yaml", "'2026-01-31'", "'2026-13-31'"), "date is '2026-13-31', not a day"),
    (edit_text("metadata.yaml", "org:", "org: &a x\nx: *a\ny:"), "uses YAML anchors"),
    (
        edit_text("metadata.yaml", "org:", "org: !!python/object/apply:os.system [true]\ny:"),
        "os.system' is no plain value; quote it",
    ),
    (edit_text("metadata.yaml", "org:", "orgs:"), "missing or unknown"),
]


@pytest.mark.parametrize(("tamper", "line"), FILES, ids=[line[:40] for _, line in FILES])
def test_a_changed_file_is_found(tamper: Callable[[Path], None], line: str, entry: Path, suite: Suite) -> None:
    tamper(entry)

    assert re.search(line, problem(entry, suite))


def test_a_truncated_archive_is_found(entry: Path, suite: Suite) -> None:
    path = entry / "episodes.jsonl.gz"
    path.write_bytes(path.read_bytes()[:-30])
    assert "was cut off: the compressed data ends before its end mark" in problem(entry, suite)


def test_a_flipped_bit_in_the_archive_is_found(entry: Path, suite: Suite) -> None:
    path = entry / "episodes.jsonl.gz"
    data = bytearray(path.read_bytes())
    data[-6] ^= 1  # in the checksum
    path.write_bytes(bytes(data))
    assert "is not a sound gzip file" in problem(entry, suite)


def test_another_kind_of_archive_is_refused(entry: Path, suite: Suite) -> None:
    (entry / "episodes.jsonl.gz").write_bytes(b"PK\x03\x04" + bytes(100))
    assert "is not a sound gzip file" in problem(entry, suite)


def test_a_last_line_without_end_is_refused(entry: Path, suite: Suite) -> None:
    with gzip.open(entry / "episodes.jsonl.gz", "rb") as file:
        data = file.read()
    with gzip.open(entry / "episodes.jsonl.gz", "wb") as file:
        file.write(data[:-1])
    assert "line 16 has no end: the file was cut off" in problem(entry, suite)


@pytest.mark.parametrize("name", ["episodes.jsonl.gz", "results.json", "metadata.yaml", "README.md"])
def test_a_missing_file_is_named(name: str, entry: Path, suite: Suite) -> None:
    (entry / name).unlink()
    assert problem(entry, suite).endswith(f"{name} is missing: No such file or directory")


@pytest.mark.parametrize("name", ["episodes.jsonl.gz", "results.json", "metadata.yaml", "README.md"])
def test_a_link_is_not_followed(name: str, entry: Path, suite: Suite) -> None:
    (entry / name).rename(entry.parent.parent / name)
    (entry / name).symlink_to(entry.parent.parent / name)
    assert f"{name} is not a plain file; links" in problem(entry, suite)


def test_a_pipe_does_not_hang_the_verification(entry: Path, suite: Suite) -> None:
    (entry / "README.md").unlink()
    os.mkfifo(entry / "README.md")
    assert "README.md is not a plain file" in problem(entry, suite)


def test_a_link_to_a_folder_is_not_an_entry(entry: Path, suite: Suite) -> None:
    link = entry.with_name("link")
    link.symlink_to(entry)
    assert "is not a folder" in problem(link, suite)


def test_a_further_file_is_refused(entry: Path, suite: Suite) -> None:
    (entry / "setup.py").write_text("print('hello')")
    assert "holds 'setup.py', which is no part of an entry" in problem(entry, suite)


def test_another_folder_name_is_refused(entry: Path, suite: Suite) -> None:
    assert "should be named 20260131_Some-Lab__lab-random-3" in problem(rename(entry), suite)


def test_json_ten_thousand_levels_deep_is_refused(entry: Path, suite: Suite) -> None:
    write_lines(entry, ["[" * 10_000 + "]" * 10_000])
    assert "line 1 is not JSON as we accept it: open brackets, or more than 16 levels" in problem(entry, suite)
    (entry / "results.json").write_text('{"a":' * 10_000 + "1" + "}" * 10_000)
    assert "results.json is not JSON as we accept it: open brackets, or more than 16 levels" in problem(entry, suite)
    (entry / "metadata.yaml").write_text("[" * 10_000 + "]" * 10_000)
    assert "metadata.yaml is nested more than 10 levels deep" in problem(entry, suite)


def test_a_number_too_large_for_a_float_is_refused(entry: Path, suite: Suite) -> None:
    lines = [json.dumps(line).replace('"reward": -0.1', '"reward": 1e999', 1) for line in read_lines(entry)]
    write_lines(entry, lines)
    assert "line 1 is not JSON as we accept it: 1e999 is not a finite number" in problem(entry, suite)


def test_a_result_file_too_large_is_refused_unread(entry: Path, suite: Suite) -> None:
    with (entry / "results.json").open("wb") as file:
        file.truncate(safe.MAX_JSON_BYTES + 1)
    assert f"at most {safe.MAX_JSON_BYTES} are accepted" in problem(entry, suite)


def bomb(path: Path, megabytes: int) -> None:
    """Write a gzip file that unpacks to this many megabytes of one line (its checksum is never reached)."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    with path.open("wb") as file:
        file.write(packer.compress(b"a") + packer.flush(zlib.Z_FULL_FLUSH))
        block = packer.compress(b"a" * 2**20) + packer.flush(zlib.Z_FULL_FLUSH)
        file.write(block * megabytes)


def test_a_line_of_two_gigabytes_is_refused_in_bounded_memory(entry: Path, suite: Suite) -> None:
    bomb(entry / "episodes.jsonl.gz", 2048)
    assert (entry / "episodes.jsonl.gz").stat().st_size < 4_000_000
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    line = problem(entry, suite)
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert f"line 1 is longer than {safe.MAX_LINE_BYTES} bytes" in line
    assert grown < 200 * 1024  # kilobytes


def test_a_bomb_of_many_lines_ends_at_the_first(entry: Path, suite: Suite) -> None:
    with gzip.open(entry / "episodes.jsonl.gz", "wt", compresslevel=1) as file:
        for _ in range(1000):
            file.write("{}\n" * 1000)
    assert "line 1: not an episode: no schema version" in problem(entry, suite)


def test_an_archive_that_unpacks_to_too_much_is_refused(
    entry: Path, suite: Suite, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(safe, "MAX_UNPACKED_BYTES", 30_000)
    assert "unpacks to more than 30000 bytes" in problem(entry, suite)


def test_verification_writes_nothing(entry: Path, suite: Suite) -> None:
    before = {path: path.read_bytes() for path in entry.rglob("*")}
    change(other_action)(entry)
    tampered = {path: path.read_bytes() for path in entry.rglob("*")}
    problem(entry, suite)
    assert {path: path.read_bytes() for path in entry.parent.parent.rglob("*") if path.is_file()} == tampered
    assert before.keys() == tampered.keys()


def test_a_model_that_answers_otherwise_than_its_completions_is_found(entry: Path, suite: Suite) -> None:
    edit_text("metadata.yaml", "kind: random", "kind: model")(entry)
    lines = read_lines(entry)
    for line in lines:
        for step in line["steps"]:
            step["completion"] = f"<think>hm</think><action>{step['action']}</action>"
    write_lines(entry, [json.dumps(line) for line in lines])
    assert verify(entry, suite=suite, workers=1).problems == ()
    lines[1]["steps"][2]["completion"] = "<think>hm</think><action>sit</action>"
    write_lines(entry, [json.dumps(line) for line in lines])
    assert "line 2: AgentGen/Sokoban" in problem(entry, suite)
    assert "step 3: the action '" in problem(entry, suite)


def in_processes(entry: Path, before: str = "") -> str:
    """Return what a verification over two processes prints, in a process of its own.

    Spawned workers import the main module, which for pytest is pytest.
    """
    script = (
        "import sys; from pathlib import Path; from tests.leaderboard.conftest import SPECS\n"
        "from agentgen_bench.evaluation.freeze import frozen_cell\n"
        "from agentgen_bench.suites import from_text, to_text\n"
        "from agentgen_bench.leaderboard import replay\n"
        "from agentgen_bench.leaderboard.verify import verify\n"
        "if __name__ == '__main__':\n"
        f"    {before}\n"
        "    suite = from_text('tiny-v1', to_text('for tests', tuple(frozen_cell(spec, 4) for spec in SPECS)))\n"
        "    print(verify(Path(sys.argv[1]), suite=suite, workers=2).problems)\n"
    )
    path = entry.parent / "script.py"
    path.write_text(script)
    env = {**os.environ, "PYTHONPATH": os.getcwd()}
    return subprocess.run([sys.executable, path, entry], capture_output=True, text=True, check=True, env=env).stdout


def test_several_processes_find_the_same(entry: Path) -> None:
    change(set_(0, "steps", 3, "reward", to=1.0))(entry)
    assert "step 4: reward is recorded as 1.0, the replay gives -0.1" in in_processes(entry)


def test_a_replay_that_hangs_ends_with_a_verdict(entry: Path) -> None:
    said = in_processes(entry, "replay.CHUNK_LIMIT_S = 0.001")
    assert "a replaying process was ended: by the limit of" in said
