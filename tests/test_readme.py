"""The README is executed: every command and every example of it."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"^```(sh|python)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
# The two set-up blocks are executed by .ci/run itself, in a fresh virtual environment.
SETUP = re.compile(r"<!-- (install-and-run|run-tests) -->\n```sh\n.*?^```$", re.DOTALL | re.MULTILINE)
PRELUDE = f'set -eu\nagentgen-bench() {{ {sys.executable} -m agentgen_bench "$@"; }}\n'


def blocks(language):
    return [body for name, body in BLOCK.findall(SETUP.sub("", README)) if name == language]


@pytest.mark.parametrize("program", blocks("python"))
def test_an_example_runs(program, tmp_path):
    subprocess.run([sys.executable, "-c", program], cwd=tmp_path, check=True, capture_output=True)


def test_the_commands_run_one_after_the_other(tmp_path):
    script = PRELUDE + "\n".join(blocks("sh"))
    done = subprocess.run(["bash", "-c", script], cwd=tmp_path, env=os.environ, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_the_two_set_up_commands_are_there():
    assert SETUP.findall(README) == ["install-and-run", "run-tests"]


def test_the_first_screen_shows_what_the_main_job_prints(tmp_path):
    (printed,) = re.findall(r"half a minute prints\n\n```\n(.*?\n)```", README, re.DOTALL)
    command = [sys.executable, "-m", "agentgen_bench", "evaluate", "--quiet"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout == printed
