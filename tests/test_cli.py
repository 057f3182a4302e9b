import json
import os
import pty
import re
import signal
import subprocess
import sys
import termios
import time
from functools import partial
from pathlib import Path

import pytest

from agentgen_bench.cli import VERBS, build_parser, main
from agentgen_bench.evaluation.folder import read_run

QUICK = ["evaluate", "--env", "AgentGen/Sokoban-lean-v0", "--episodes", "3", "--quiet"]


def outcome(capsys, *argv):
    """Return exit code, stdout and stderr of a command line."""
    try:
        code = main(argv)
    except SystemExit as exit_:
        code = exit_.code
    return code, *capsys.readouterr()


def test_evaluate_without_options_plays_the_smoke_suite_at_random(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, out, err = outcome(capsys, "evaluate", "--limit", "1", "--quiet")
    assert code == 0
    assert out.startswith("environment")
    assert "policy random, into runs/smoke_random" in err
    assert read_run(Path("runs/smoke_random")).is_complete


def test_json_goes_to_stdout_alone(capsys, tmp_path):
    code, out, _ = outcome(capsys, *QUICK, "--json", "--output", str(tmp_path / "run"))
    assert code == 0
    assert json.loads(out) == json.loads((tmp_path / "run" / "results.json").read_text())


def test_a_dry_run_says_what_would_run_and_writes_nothing(capsys, tmp_path):
    code, out, _ = outcome(capsys, *QUICK, "--repeats", "2", "--dry-run", "--output", str(tmp_path / "run"))
    assert code == 0
    assert re.search(r"^ +6 episodes of at most about \d+ steps  Sokoban-lean easy test$", out, re.MULTILINE)
    assert re.search(r"6 episodes, about \d+ prompts at most, model random; nothing was run", out)
    assert list(tmp_path.iterdir()) == []


def test_richness_is_crossed_over_the_same_levels(capsys, tmp_path):
    outcome(capsys, *QUICK, "--richness", "lean,rich", "--output", str(tmp_path / "run"))
    levels: dict[str, list[str]] = {}
    for episode in sorted(read_run(tmp_path / "run").episodes, key=lambda episode: episode.seed):
        levels.setdefault(episode.spec["env_id"], []).append(episode.level_id)
    assert set(levels) == {"AgentGen/Sokoban-lean-v0", "AgentGen/Sokoban-rich-v0"}
    assert levels["AgentGen/Sokoban-lean-v0"] == levels["AgentGen/Sokoban-rich-v0"]


@pytest.mark.parametrize(
    ("argv", "code", "message"),
    [
        (["--env", "Sokoban"], 2, "unknown environment id 'Sokoban'; ids look like 'AgentGen/Sokoban-rich-v0'"),
        (["--env", "AgentGen/Sokoban-huge-v0"], 2, "unknown richness 'huge'; choose one of: lean, base, rich"),
        (["--env", "AgentGen/Sokoban-v0", "--difficulty", "mild"], 2, "unknown difficulty 'mild'; choose one of: easy"),
        (["--env", "AgentGen/Sokoban-v0", "--set", "colour=red"], 2, "Sokoban has no knob 'colour'; its knobs are: "),
        (["--env", "AgentGen/Sokoban-v0", "--set", "size=99"], 2, "size=99 is out of range; choose an integer from 6"),
        (["--env", "AgentGen/Sokoban-v0", "--set", "version=1"], 2, "'version' is a field of the setting and no knob"),
        (["--env", "AgentGen/Sokoban-v0", "--set", "env_id=1"], 2, "Sokoban has no knob 'env_id'; its knobs are: "),
        (["--env", "AgentGen/Sokoban-v0", "--set", "difficulty=[1]"], 2, "difficulty is [1]; give a name"),
        (["--suite", "all"], 2, "unknown suite 'all'; choose one of: "),
        (["--suite", "smoke", "--env", "AgentGen/Sokoban-v0"], 2, "--suite and --env exclude each other"),
        (
            ["--suite", "smoke", "--difficulty", "hard"],
            2,
            "--difficulty goes with --env; a suite's settings are frozen",
        ),
        (
            ["--suite", "smoke", "--episodes", "20"],
            2,
            "--episodes goes with --env; a suite's levels are frozen, --limit",
        ),
        (["--episodes", "2"], 2, "--episodes goes with --env; a suite's levels are frozen, --limit plays"),
        (
            ["--env", "AgentGen/Sokoban-v0", "--difficulty", "easy", "--set", "difficulty=hard"],
            2,
            "difficulty is given twice, by --difficulty and by --set; leave one out",
        ),
        (
            ["--env", "AgentGen/Sokoban-lean-v0", "--set", "richness=rich"],
            2,
            "AgentGen/Sokoban-lean-v0 names its richness, got richness='rich' too; leave one out",
        ),
        (["--model", ""], 2, "argument --model: its value is empty; give one, or leave the option out"),
        (["--agent", ""], 2, "argument --agent: its value is empty"),
        (["--base-url", " ", "--model", "m"], 2, "argument --base-url: its value is empty"),
        (["--suite", ""], 2, "argument --suite: its value is empty"),
        (["--fresh", ""], 2, "argument --fresh: its value is empty"),
        (["--richness", ","], 2, "argument --richness: ',' names nothing; give a list such as a,b"),
        (["--model", "~nobody-here/m"], 2, "~nobody-here/m is in the home of a user that is not here"),
        (["--examples", "~nobody-here/x"], 2, "argument --examples: ~nobody-here/x is in the home of a user"),
        (["--system-prompt", "@~nobody-here/x"], 1, "~nobody-here/x is in the home of a user that is not here"),
        (["--env", "AgentGen/Sokoban-v0", "--set", "levels=~nobody-here/x"], 1, "~nobody-here/x is in the home of a"),
        (["--env", "AgentGen/ALFWorld-v0", "--set", "data=~nobody-here/x"], 1, "~nobody-here/x is in the home of a"),
        (["--policy", "oracle", "--model", "somewhere"], 2, "--policy and --model exclude each other"),
        (["--base-url", "http://localhost:1/v1"], 2, "--base-url needs --model NAME"),
        (["--limit", "0"], 2, "argument --limit: 0 is below 1"),
        (["--policy", "psychic"], 2, "argument --policy: invalid choice: 'psychic'"),
        (["--history-length", "x"], 2, "argument --history-length: 'x' is not an integer"),
        (["--set", "size"], 2, "argument --set: 'size' is not NAME=VALUE"),
    ],
)
def test_a_mistake_is_one_clear_line_and_nothing_is_written(capsys, tmp_path, argv, code, message):
    output = tmp_path / "run"
    found, out, err = outcome(capsys, "evaluate", *argv, "--output", str(output))
    assert (found, out) == (code, "")
    said, *more = [line for line in err.splitlines() if "agentgen-bench: error" in line or "evaluate: error" in line]
    assert (message in said, more) == (True, [])
    assert err.splitlines()[-1] in (said, "see: agentgen-bench evaluate --help")
    assert "Traceback" not in err
    assert not (output / "episodes.jsonl").exists() or (output / "episodes.jsonl").stat().st_size == 0


def test_a_home_that_the_shell_left_alone_is_no_folder_of_that_name(capsys, tmp_path, monkeypatch):
    home, here = tmp_path / "home", tmp_path / "here"
    home.mkdir()
    here.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.chdir(here)
    code, _, _ = outcome(capsys, *QUICK, "--output=~/run")
    assert code == 0
    assert (home / "run" / "manifest.json").is_file()
    assert list(here.iterdir()) == []


def test_a_dry_run_of_an_unknown_family_fails_as_the_run_would(capsys):
    code, out, err = outcome(capsys, "evaluate", "--env", "AgentGen/Sokban-v0", "--dry-run", "--json")
    assert code == 2
    assert err.startswith(
        "agentgen-bench: error: Sokban-base easy test: unknown family 'Sokban'; choose one of: Sokoban,"
    )
    assert json.loads(out)["environments"][0]["max_steps"] is None


def test_an_empty_folder_is_not_the_working_directory(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, _, err = outcome(capsys, *QUICK, "--output", "")
    assert code == 2
    assert "argument --output: its value is empty; give one, or leave the option out" in err
    assert list(tmp_path.iterdir()) == []


def test_a_second_run_into_the_same_folder_is_refused(capsys, tmp_path):
    argv = [*QUICK, "--output", str(tmp_path / "run")]
    assert outcome(capsys, *argv)[0] == 0
    code, _, err = outcome(capsys, *argv)
    assert code == 1
    assert "already holds a run; add --resume to go on with it, or choose another --output" in err
    assert outcome(capsys, *argv, "--resume")[0] == 0


def command(*argv):
    return [sys.executable, "-m", "agentgen_bench", *argv]


@pytest.mark.parametrize("signal_", [signal.SIGINT, signal.SIGKILL], ids=["ctrl-c", "kill"])
def test_a_stopped_run_goes_on_to_the_same_results(tmp_path, signal_):
    argv = command(
        *QUICK[:3],
        "--episodes",
        "1000",
        "--policy",
        "noop",
        "--workers",
        "4",
        "--quiet",
        "--output",
        str(tmp_path / "cut"),
    )
    # A test runner started in the background ignores SIGINT, and so would its children.
    heed = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
    process = subprocess.Popen(argv, stderr=subprocess.PIPE, text=True, preexec_fn=heed)
    episodes = tmp_path / "cut" / "episodes.jsonl"
    while not episodes.exists() or episodes.stat().st_size < 20_000:
        time.sleep(0.01)
        assert process.poll() is None
    process.send_signal(signal_)
    _, err = process.communicate()
    if signal_ == signal.SIGINT:
        assert process.returncode == 130
        assert "--resume" in err
        assert "Traceback" not in err
    assert not (tmp_path / "cut" / "results.json").exists()
    subprocess.run([*argv, "--resume"], check=True, capture_output=True)
    subprocess.run([*argv[:-1], str(tmp_path / "whole")], check=True, capture_output=True)
    cut, whole = (json.loads((tmp_path / name / "results.json").read_bytes()) for name in ("cut", "whole"))
    assert (cut.pop("made")["sessions"], whole.pop("made")["sessions"]) == (2, 1)
    assert cut == whole


def test_the_progress_bar_shows_episodes_success_steps_and_time_left(tmp_path):
    controller, terminal = pty.openpty()
    termios.tcsetwinsize(terminal, (24, 120))
    argv = command(*QUICK[:-1], "--policy", "oracle", "--output", str(tmp_path / "run"))
    process = subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=terminal)
    process.wait()
    os.close(terminal)
    shown = os.read(controller, 100_000).decode()
    assert re.search(r"3/3 \[00:0\d<00:00.*success 100.0%, \d+ steps", shown)


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_help_with_examples(capsys, verb):
    code, out, _ = outcome(capsys, verb, "--help")
    assert code == 0
    assert "examples:" in out
    assert f"agentgen-bench {verb}" in out


def test_every_option_of_every_verb_is_explained():
    (verbs,) = (action.choices for action in build_parser()._subparsers._group_actions)
    for verb in verbs.values():
        assert all(action.help for action in verb._actions)


def test_envs_lists_ids_and_prints_a_manual_page(capsys):
    _, out, _ = outcome(capsys, "envs")
    assert "AgentGen/Sokoban-rich-v0" in out.splitlines()
    _, out, _ = outcome(capsys, "envs", "AgentGen/Sokoban-rich-v0")
    assert "Description" in out
    assert "  size = " in out


def test_an_unknown_id_is_refused_by_envs(capsys):
    code, _, err = outcome(capsys, "envs", "AgentGen/Chess-v0")
    assert code == 2
    assert "unknown environment id 'AgentGen/Chess-v0'" in err


def test_suites_lists_shows_and_checks(capsys):
    assert "smoke" in outcome(capsys, "suites")[1]
    assert "sha256" in outcome(capsys, "suites", "smoke")[1]
    code, out, err = outcome(capsys, "suites", "smoke", "--check", "--families", "Sokoban")
    assert (code, out) == (0, "")
    assert err.endswith(" levels checked, 0 changed\n")


def test_a_suites_families_are_checked_by_name_in_any_case(capsys):
    by_name = outcome(capsys, "suites", "smoke", "--check", "--families", "Sokoban")
    assert outcome(capsys, "suites", "smoke", "--check", "--families", "sokoban") == by_name
    assert not by_name[2].startswith("smoke: 0 levels")


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["--check"], "--check regenerates the levels of one suite; name it"),
        (["smoke", "--families", "Sokoban"], "--families goes with --check"),
        (["smoke", "--check", "--families", "sokoban,chess"], "unknown family of smoke 'chess'; choose one of: "),
    ],
)
def test_a_check_of_nothing_is_wrong_usage(capsys, argv, message):
    code, out, err = outcome(capsys, "suites", *argv)
    assert (code, out) == (2, "")
    assert message in err


def test_play_lets_a_person_play(tmp_path):
    lines = "?\nfly\n" + "!\n" * 200
    output = subprocess.run(
        command("play", "AgentGen/Sokoban-lean-v0", "--seed", "3"),
        input=lines,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert "[reward -0.1, invalid action]" in output
    assert "Solved. Score 1.00." in output


def test_play_ends_with_the_input():
    output = subprocess.run(
        command("play", "AgentGen/Sokoban-lean-v0"), input="", capture_output=True, text=True, check=True
    )
    assert output.stderr == ""
