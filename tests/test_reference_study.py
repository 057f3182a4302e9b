"""The script of the reference study, with commands that only say what they were asked: order, stops, failures."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[1] / "examples" / "reference_study.sh"
COMMAND = f"""#!{sys.executable}
import os, sys, time
name, words = os.path.basename(sys.argv[0]), " ".join(sys.argv[1:])
with open("asked", "a") as asked:
    asked.write(f"{{os.getpid()}} {{name}} {{words}}\\n")
if os.environ.get("FAILS", "never") in words:
    sys.exit("the disk is full")
if os.environ.get("LASTS", "never") in words:
    time.sleep(60)
if name == "agentgen-bench" and words.startswith("evaluate"):
    os.makedirs(sys.argv[sys.argv.index("--output") + 1], exist_ok=True)
if words.startswith("submit"):
    model, day = (sys.argv[sys.argv.index(option) + 1] for option in ("--model", "--date"))
    board = "transfer-mini-v2" if "study" in sys.argv[2] else "core-mini-v1"
    os.makedirs(f"leaderboards/{{board}}/{{day.replace('-', '')}}_agentgen-bench__{{model}}")
"""


@pytest.fixture
def place(tmp_path: Path) -> Path:
    (tmp_path / "bin").mkdir()
    for name in ("agentgen-bench", "python"):
        (tmp_path / "bin" / name).write_text(COMMAND)
        (tmp_path / "bin" / name).chmod(0o755)
    shutil.copy(SCRIPT, tmp_path / "reference_study.sh")
    return tmp_path


def start(place: Path, *form: str, **variables: str) -> "subprocess.Popen[str]":
    """Start the script in a session of its own, as a terminal does."""
    environment = {**os.environ, **variables, "PATH": f"{place / 'bin'}{os.pathsep}{os.environ['PATH']}"}
    return subprocess.Popen(
        [str(place / "reference_study.sh"), *form],
        cwd=place, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True,
    )  # fmt: skip


def asked(place: Path) -> list[str]:
    """Return the commands so far, without their processes' numbers."""
    lines = (place / "asked").read_text().splitlines() if (place / "asked").exists() else []
    return [line.split(" ", 1)[1] for line in lines]


def is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_whatever_stops_it_nothing_goes_on_behind_it(place: Path, sent: signal.Signals) -> None:
    script = start(place, LASTS="--only on-")
    while sum("--only" in line for line in asked(place)) < 2 and script.poll() is None:
        time.sleep(0.02)
    if sent == signal.SIGINT:
        os.killpg(script.pid, sent)  # Ctrl-C: to all of the terminal's
    else:
        script.send_signal(sent)
    assert script.wait(30) == 128 + sent
    started = [int(line.split()[0]) for line in (place / "asked").read_text().splitlines()]
    assert not [process for process in started if is_alive(process)]


def test_a_piece_that_fails_is_told_with_its_last_words_and_ends_the_others(place: Path) -> None:
    script = start(place, FAILS="--only on-sciworld-seed-0", LASTS="never")
    said = script.communicate(timeout=60)[0]
    assert script.returncode == 1
    assert "a piece failed; when it is mended, the same command goes on" in said
    assert "sciworld-0.log\nthe disk is full\n" in said
    assert not [line for line in asked(place) if "seed-1" in line]


def test_it_asks_for_every_run_and_submits_each_once_also_after_midnight(place: Path) -> None:
    for _ in range(2):
        script = start(place)
        said = script.communicate(timeout=120)[0]
        assert script.returncode == 0, said
        (place / "runs" / "reference" / "day").write_text("2026-11-29\n")  # when the second round began is no matter
        for entry in place.glob("leaderboards/*/*"):
            entry.rename(entry.with_name("20261129" + entry.name[8:]))
    played = {line.split("--play ")[1] for line in asked(place) if "--play" in line}
    assert played == {"", "alfworld", "webshop", "sciworld", "sokoban"}
    submitted = [line.split("--model ")[1].split()[0] for line in asked(place) if " submit " in line]
    rows = [f"base-cpu-1.4m-{name}-{seed}" for name in ("grpo-alfworld", "grpo-sciworld") for seed in range(3)]
    assert sorted(submitted) == sorted(["base-cpu-1.4m", "base-cpu-1.4m-base", *rows])
    pieces = {line.split("--only ")[1] for line in asked(place) if "--only" in line}
    trained = {f"on-{family}-seed-{seed}" for family in ("alfworld", "sciworld") for seed in range(3)}
    on_a_task = {"initial", *(f"on-longest-seed-{seed}" for seed in range(3))}
    assert pieces == {"initial,on-alfworld-seed-0", *trained, *on_a_task} - {"on-alfworld-seed-0"}


def test_a_study_of_another_base_is_called_by_its_name(place: Path) -> None:
    script = start(place, STUDY_NAME="mine")
    said = script.communicate(timeout=60)[0]
    assert script.returncode == 0, said
    entries = {entry.name.split("__")[1] for entry in place.glob("leaderboards/*/*")}
    assert entries == {"mine", "mine-base", *(f"mine-grpo-{w}-{s}" for w in ("alfworld", "sciworld") for s in range(3))}


def test_a_form_that_there_is_not_starts_nothing(place: Path) -> None:
    script = start(place, "smal")
    assert script.communicate(timeout=30)[0].startswith("usage: ")
    assert script.returncode == 2
    assert asked(place) == []
