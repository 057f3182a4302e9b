"""The model in examples/models is the one that its card tells of: its weights, what it learned from, how it plays."""

import json
from pathlib import Path

import pytest

from agentgen_bench.cli import main
from agentgen_bench.policies.weights import weights_hash

pytest.importorskip("torch")
pytest.importorskip("transformers")

MODEL = Path(__file__).parents[2] / "examples" / "models" / "base-cpu-1.4m"
CELL = ["--env", "AgentGen/Sokoban-lean-v0", "--set", "size=6", "--set", "boxes=1", "--set", "pushes=[1, 3]"]
PROMPT = ["--protocol", "chat", "--action-hints", "none", "--max-tokens", "80", "--temperature", "0"]


def test_weights_are_those_that_its_training_ended_with() -> None:
    training = json.loads((MODEL / "training.json").read_text())
    assert weights_hash(MODEL) == training["weights"]
    assert f"`{training['weights'][:8]}…`" in (MODEL / "README.md").read_text()
    assert {source["split"] for source in training["sources"]} == {"train"}
    assert training["settings"]["steps"] == training["step"] == 2000


def test_it_solves_most_levels_of_a_cell_that_it_learned_and_never_saw(tmp_path: Path) -> None:
    """Of 40 test levels a model that solves 60 % or more solves fewer than 12 once in 30,000 times."""
    run = tmp_path / "run"
    where = ["--episodes", "40", "--backend", "transformers", "--output", str(run), "--quiet"]
    assert main(["evaluate", "--model", str(MODEL), *CELL, *PROMPT, *where]) == 0
    assert json.loads((run / "results.json").read_text())["overall"]["success"]["value"] >= 12 / 40
