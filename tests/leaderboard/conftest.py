"""A tiny frozen suite, a run of it and an entry made from the run; a tiny protocol and a study of it."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from agentgen_bench.evaluation.freeze import frozen_cell
from agentgen_bench.evaluation.plan import suite_plan
from agentgen_bench.evaluation.protocol import Protocol
from agentgen_bench.evaluation.run import evaluate
from agentgen_bench.export import source
from agentgen_bench.leaderboard import study_amend, study_folder, study_likelihood, study_unpack, study_verify
from agentgen_bench.leaderboard.submit import submit
from agentgen_bench.policies.scripted import RandomPolicy
from agentgen_bench.prompts import PromptConfig
from agentgen_bench.spec import TaskSpec
from agentgen_bench.suites import Suite, from_text, to_text
from tests.leaderboard.studies import small_protocol, write_study

SPECS = [TaskSpec("Sokoban", richness=richness, split="test") for richness in ("lean", "base")]


@pytest.fixture(scope="session")
def suite() -> Suite:
    return from_text("tiny-v1", to_text("for tests", tuple(frozen_cell(spec, 4) for spec in SPECS)))


@pytest.fixture(scope="session")
def run_path(suite: Suite, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("run") / "random"
    evaluate(suite_plan(suite, repeats=2), RandomPolicy(3), PromptConfig(), path)
    return path


@pytest.fixture(scope="session")
def made(suite: Suite, run_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The entry as made; tests that change one take `entry`."""
    board = tmp_path_factory.mktemp("board")
    return submit(
        run_path, org="Some Lab", model="lab/random-3", date="2026-01-31", leaderboards=board, suite=suite, workers=1
    )


@pytest.fixture
def entry(made: Path, tmp_path: Path) -> Path:
    """A copy of the entry to tamper with."""
    target = tmp_path / "tiny-v1" / made.name
    shutil.copytree(made, target)
    return target


@pytest.fixture(scope="session")
def protocol() -> Protocol:
    return small_protocol()


@pytest.fixture
def small_protocol_shipped(protocol: Protocol, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the small protocol stand for the shipped one of its name."""
    for module in (study_amend, study_folder, study_likelihood, study_verify, study_unpack, source):
        monkeypatch.setattr(module, "load_protocol", lambda name: protocol)


@pytest.fixture(scope="session")
def made_study(protocol: Protocol, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study's folder; tests that change one copy it."""
    return write_study(tmp_path_factory.mktemp("study"), protocol)


Tamper = Callable[[Path], None]
