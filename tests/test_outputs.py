"""An output that cannot be written is one line before anything is played; two runs never share a default folder."""

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from agentgen_bench.cli import build_parser, main
from agentgen_bench.cli.evaluate import default_folder, plan_from_args
from agentgen_bench.cli.outputs import check_file, check_folder, flat_name
from agentgen_bench.errors import RunError
from agentgen_bench.evaluation.folder import write_text

QUICK = ("evaluate", "--env", "AgentGen/Sokoban-lean-v0", "--episodes", "1", "--quiet")


def shell(tmp_path: Path, line: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a line of shell in which $AB is our command; the run's folder is `run`."""
    return subprocess.run(
        ["sh", "-c", line],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={**os.environ, "AB": f"{sys.executable} -m agentgen_bench", "RUN": " ".join(QUICK), **environment},
    )


def one_line(done: subprocess.CompletedProcess[str]) -> str:
    """What was said, which must be one line and a failure."""
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    return line


@pytest.mark.parametrize("line", ["$AB suites >/dev/full", "$AB $RUN --output run >/dev/full", "$AB --help >/dev/full"])
def test_a_full_stdout_is_one_line_and_nothing_is_played(tmp_path, line):
    assert one_line(shell(tmp_path, line)) == (
        "agentgen-bench: error: cannot print results to stdout: No space left on device"
    )
    assert not (tmp_path / "run").exists()


def test_a_closed_stdout_is_one_line_and_nothing_is_played(tmp_path):
    assert "stdout is closed" in one_line(shell(tmp_path, "$AB $RUN --output run >&-"))
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("silenced", ["2>&-", "2>/dev/full", "<&- 2>&-"])
def test_a_run_needs_no_stderr(tmp_path, silenced):
    done = shell(tmp_path, f"$AB $RUN --output run {silenced}")
    assert done.returncode == 0
    assert "Sokoban" in done.stdout
    assert len((tmp_path / "run" / "episodes.jsonl").read_text().splitlines()) == 1


def test_a_terminal_without_unicode_gets_bars_and_tables_in_ascii(tmp_path):
    done = shell(tmp_path, "$AB ${RUN% --quiet} --output run", LC_ALL="C", PYTHONIOENCODING="ascii")
    assert done.returncode == 0
    assert (done.stdout + done.stderr).isascii()
    assert "\\u" not in done.stderr


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("/dev/full", "cannot write /dev/full: No space left on device"),
        ("/proc/page.html", "cannot write /proc/page.html: "),
        ("file/page.html", "is a file; choose another place"),
        (".", "Is a directory; name a file in it"),
    ],
)
def test_a_file_that_cannot_be_written_is_found_out_first(tmp_path, monkeypatch, path, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError) as error:
        check_file(Path(path))
    assert message in str(error.value)
    assert [place.name for place in tmp_path.iterdir()] == ["file"]


def test_a_folder_that_can_be_written_is_left_as_it_is(tmp_path):
    check_folder(tmp_path / "a" / "b")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_without_permission_is_found_out_first(tmp_path, monkeypatch):
    def refuse(**_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("tempfile.TemporaryFile", refuse)  # root, who runs tests in containers, may write everywhere
    with pytest.raises(RunError, match=r"cannot write to .*: Permission denied"):
        check_folder(tmp_path / "run")


def test_a_device_or_a_pipe_is_written_into_and_not_replaced(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    reader = subprocess.Popen(["cat", str(tmp_path / "pipe")], stdout=subprocess.PIPE, text=True)
    write_text(tmp_path / "pipe", "text")
    assert reader.communicate()[0] == "text"
    assert not (tmp_path / "pipe").is_file()


def folder_of(tmp_path: Path, capsys: pytest.CaptureFixture[str], *options: str) -> str:
    """The default folder of a run with these options."""
    before = {path.name for path in (tmp_path / "runs").glob("*")}
    assert main([*QUICK, "--seed", "0", *options]) == 0
    capsys.readouterr()
    (new,) = {path.name for path in (tmp_path / "runs").glob("*")} - before
    return new


def test_different_runs_have_different_default_folders(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    choices = ["", "--episodes 2", "--seed 1", "--richness rich", "--policy noop", "--compact"]
    for options in choices:
        folder_of(tmp_path, capsys, *options.split())
    names = [path.name for path in (tmp_path / "runs").iterdir()]
    assert len(names) == len(choices)
    assert all(name == flat_name(*name.split("_")) for name in names)


def test_the_same_run_again_is_refused_where_it_lies_and_resumed_there(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    name = folder_of(tmp_path, capsys)
    assert main([*QUICK]) == 1
    assert f"runs/{name} already holds a run; add --resume" in capsys.readouterr().err
    assert main([*QUICK, "--resume"]) == 0
    assert [path.name for path in (tmp_path / "runs").iterdir()] == [name]


def started(tmp_path: Path, *options: str) -> Path:
    """The default folder for these options, made as a run with them would make it."""
    args = build_parser().parse_args(["evaluate", *options])
    folder = default_folder(args)
    folder.mkdir(parents=True, exist_ok=True)
    manifest = {"plan": plan_from_args(args).to_json(), "policy": {"name": ""}, "prompt": {}, "versions": {}}
    command = shlex.join(["agentgen-bench", "evaluate", *options])
    (folder / "manifest.json").write_text(json.dumps({**manifest, "command": command}))
    return folder


def test_models_of_the_same_name_have_different_flat_folders(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for place in ("a", "b"):
        (tmp_path / place / "checkpoint-100").mkdir(parents=True)
    models = ("a/checkpoint-100", "b/checkpoint-100", "org/name", "../../etc/passwd", "org-name/")
    folders = [started(tmp_path, "--model", model) for model in models]
    assert len(set(folders)) == len(models)
    assert all(len(folder.parts) == 2 and folder.parts[0] == "runs" for folder in folders)
    assert str(folders[0]) == "runs/smoke_checkpoint-100"
    assert [started(tmp_path, "--model", model) for model in models] == folders


def test_a_moved_server_and_options_in_another_order_are_the_same_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    first = started(tmp_path, "--model", "org/name", "--base-url", "http://a/v1", "--temperature", "0.4")
    assert started(tmp_path, "--temperature", "0.4", "--base-url", "http://b:1/v1", "--model", "org/name") == first
    assert started(tmp_path, "--temperature", "0.5", "--base-url", "http://b:1/v1", "--model", "org/name") != first


def test_a_run_folder_given_to_verify_says_what_to_do(tmp_path, capsys):
    assert main([*QUICK, "--output", str(tmp_path / "run")]) == 0
    capsys.readouterr()
    assert main(["verify", str(tmp_path / "run")]) == 2
    said = capsys.readouterr().err
    assert "this is a run, not an entry of a leaderboard" in said
    assert f"agentgen-bench submit {tmp_path / 'run'} --org YOUR-LAB --model NAME" in said


def test_what_is_printed_as_json_stays_json(tmp_path):
    done = shell(tmp_path, "$AB $RUN --json --output run")
    assert json.loads(done.stdout)["episodes"] == 1
