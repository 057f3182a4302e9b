"""The package as a type checker sees it: complete, and user code that relies on it is clean."""

import json
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.typing_user_code import by_hand, by_the_loop

USER_CODE = Path(__file__).with_name("typing_user_code.py")
LEAST_COMPLETE = 0.99
needs_pyright = pytest.mark.skipif(find_spec("pyright") is None, reason="pyright is not installed")


def checked(*command):
    """Return the output of a type checker, which must find nothing."""
    done = subprocess.run([sys.executable, "-m", *command], capture_output=True, text=True, cwd=USER_CODE.parents[1])
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_user_code_runs(tmp_path):
    assert by_hand() > 1
    assert [len(episode.tasks) for episode in by_the_loop(tmp_path / "run")] == [1] * 4


@pytest.mark.slow
def test_user_code_is_clean_under_mypy_strict():
    assert "no issues found" in checked("mypy", "--strict", "--config-file=", str(USER_CODE))


@pytest.mark.slow
@needs_pyright
def test_user_code_is_clean_under_pyright():
    assert "0 errors" in checked("pyright", "--level", "warning", str(USER_CODE))


@pytest.mark.slow
@needs_pyright
def test_the_types_are_complete():
    command = [sys.executable, "-m", "pyright", "--verifytypes", "agentgen_bench", "--ignoreexternal", "--outputjson"]
    report = json.loads(subprocess.run(command, capture_output=True, text=True).stdout)
    # The adapters' types are those of other tools' packages, which are not installed here.
    symbols = [symbol for symbol in report["typeCompleteness"]["symbols"] if symbol["isExported"]]
    ours = [symbol for symbol in symbols if not symbol["name"].startswith("agentgen_bench.adapters.")]
    known = [symbol for symbol in ours if symbol["isTypeKnown"] and not symbol["isTypeAmbiguous"]]
    assert len(known) / len(ours) >= LEAST_COMPLETE
