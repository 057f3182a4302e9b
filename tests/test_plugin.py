"""The example plug-in: installed as a package of its own, played, trained on, submitted, verified, and gone again."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ENV_ID = "AgentGen/Hanoi-base-v0"


# Verbs one after the other in one process, which has found its plug-ins before the first: most of a verb is its start.
SERVE = """
import contextlib, io, json, sys
from agentgen_bench.cli import main
for line in sys.stdin:
    said, failed = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(failed):
        try:
            code = main(json.loads(line))
        except SystemExit as ended:
            code = ended.code
    print(json.dumps([code, said.getvalue(), failed.getvalue()]), flush=True)
"""


class Place:
    """A working folder, a folder that the plug-in is installed into, and processes with it and without."""

    def __init__(self, folder: Path, site: Path) -> None:
        self.folder, self.site = folder, site
        self._serving: dict[bool, subprocess.Popen[str]] = {}

    def python(self, *argv: str) -> None:
        """Run Python with the plug-in."""
        done = subprocess.run(
            [sys.executable, *argv],
            cwd=self.folder,
            env=self._environment(True),
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert done.returncode == 0, done.stderr

    def bench(self, *argv: str, has_plugin: bool = True, code: int = 0) -> str:
        """Run a verb and return what it printed to stdout, stderr where it failed."""
        if has_plugin not in self._serving:
            self._serving[has_plugin] = subprocess.Popen(
                [sys.executable, "-c", SERVE],
                cwd=self.folder,
                env=self._environment(has_plugin),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
        process = self._serving[has_plugin]
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(json.dumps(argv) + "\n")
        process.stdin.flush()
        found, said, failed = json.loads(process.stdout.readline())
        assert found == code, failed
        return str(failed if code else said)

    def close(self) -> None:
        """End the processes."""
        for process in self._serving.values():
            process.communicate(timeout=60)

    def _environment(self, has_plugin: bool) -> dict[str, str]:
        paths = [str(ROOT), *([str(self.site)] if has_plugin else [])]
        return {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "OMP_NUM_THREADS": "1"}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    site, folder = tmp_path_factory.mktemp("site"), tmp_path_factory.mktemp("work")
    source = tmp_path_factory.mktemp("source") / "hanoi"  # building leaves files beside the sources, and takes old ones
    shutil.copytree(ROOT / "examples" / "hanoi", source, ignore=shutil.ignore_patterns("build", "*.egg-info"))
    pip = ["-m", "pip", "install", "--no-index", "--no-deps", "--no-build-isolation", "--target", str(site)]
    subprocess.run([sys.executable, *pip, str(source)], check=True, capture_output=True)
    place = Place(folder, site)
    yield place
    place.close()


def test_it_keeps_the_contract(place: Place) -> None:
    place.python("-c", f"from agentgen_bench.testing import check_family; check_family({ENV_ID!r})")


def test_its_modules_may_be_imported_before_the_benchmark(place: Place) -> None:
    for module in ("agentgen_hanoi.env", "agentgen_hanoi.family", "agentgen_hanoi.distractors"):
        program = f"import {module}, agentgen_bench, gymnasium; gymnasium.make({ENV_ID!r}).reset(seed=0)"
        place.python("-W", "error", "-c", program)


def test_its_ids_and_its_suite_are_listed(place: Place) -> None:
    assert ENV_ID in place.bench("envs").split()
    assert "Tower of Hanoi between any two arrangements." in place.bench("envs", ENV_ID)
    assert "hanoi-v1" in place.bench("suites")
    place.bench("suites", "hanoi-v1", "--check")


def test_a_model_plays_it_and_learns_from_it(place: Place) -> None:
    pytest.importorskip("transformers")
    shape = ["--layers", "1", "--hidden-size", "32", "--vocab-size", "400", "--context-tokens", "1024"]
    place.bench("init-model", "tiny", "--envs", "hanoi", *shape)
    short = ["--set", "max_steps=3", "--max-tokens", "8", "--no-thinking"]
    model = ["--model", "tiny", "--backend", "transformers"]
    out = place.bench(
        "evaluate", *model, "--env", ENV_ID, "--episodes", "2", *short, "--output", "runs/tiny", "--quiet"
    )
    assert "Hanoi-base easy test" in out
    size = ["--steps", "1", "--levels-per-step", "1", "--group-size", "2", "--workers", "2"]
    place.bench("train", "grpo", "--model", "tiny", "--envs", "hanoi", *size, *short, "--output", "runs/trained")
    assert (place.folder / "runs" / "trained").is_dir()
    assert "Hanoi-base easy test" in place.bench("score", "runs/tiny")


def test_a_run_of_its_suite_becomes_an_entry_that_holds(place: Place) -> None:
    place.bench("evaluate", "--suite", "hanoi-v1", "--policy", "oracle", "--output", "runs/oracle", "--quiet")
    submission = ["--org", "Lab", "--model", "oracle", "--date", "2026-01-31", "--leaderboards", "board"]
    place.bench("submit", "runs/oracle", *submission, "--workers", "1")
    assert "holds; 90 episodes" in place.bench("verify", "board/hanoi-v1/20260131_Lab__oracle", "--workers", "1")
    assert "hanoi-v1" in place.bench("leaderboard", "--leaderboards", "board")


def test_its_text_is_measured(place: Place) -> None:
    knobs = ["--richness", "lean,rich", "--distractors", "none,paper-v1", "--episodes", "2"]
    out = place.bench("profile", "--env", ENV_ID, *knobs, "--quiet")
    assert 'Hanoi-rich easy test distractors="paper-v1"' in out


def test_what_it_left_is_read_without_it(place: Place) -> None:
    place.bench("evaluate", "--env", ENV_ID, "--episodes", "2", "--output", "runs/left", "--quiet")
    assert "Hanoi-base easy test" in place.bench("score", "runs/left", has_plugin=False)
    place.bench("report", "runs/left", has_plugin=False)
    assert "unknown family 'Hanoi'" in place.bench("evaluate", "--env", ENV_ID, has_plugin=False, code=2)
