"""LoRA adapters: a folder that peft saved is a model, the sum of its base and itself."""

import importlib.util
import json
from pathlib import Path
from typing import Any

import pytest

from agentgen_bench.caches import CACHE_VARIABLE
from agentgen_bench.cli import main
from agentgen_bench.errors import MissingDependencyError, PolicyError
from agentgen_bench.policies.adapter import NEEDED
from agentgen_bench.policies.opening import open_checkpoint
from agentgen_bench.policies.weights import weights_hash

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")
peft = pytest.importorskip("peft")

IDS = [[5, 40, 41, 42, 7, 30]]


def saved(base: Path, folder: Path, *, dtype: Any = None, **changes: Any) -> Any:
    """Save an adapter with random numbers for `base`, with changes to its config; return the model with it."""
    torch.manual_seed(0)
    model = transformers.AutoModelForCausalLM.from_pretrained(base, dtype=dtype or "auto").eval()
    config = peft.LoraConfig(r=4, lora_alpha=64, target_modules="all-linear", init_lora_weights=False)
    adapted = peft.get_peft_model(model, config)
    adapted.save_pretrained(folder)
    if changes:
        file = folder / "adapter_config.json"
        file.write_text(json.dumps(json.loads(file.read_text()) | changes))
    return adapted


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path / "cache"))
    return tmp_path / "cache"


def logits(model: Any) -> Any:
    with torch.no_grad():
        return model(torch.tensor(IDS)).logits


def test_the_model_is_that_of_peft(tiny_model: Path, tmp_path: Path) -> None:
    adapted = saved(tiny_model, tmp_path / "tuned")
    checkpoint = open_checkpoint(tmp_path / "tuned")
    assert checkpoint.name == "tuned"
    found = logits(transformers.AutoModelForCausalLM.from_pretrained(checkpoint.path).eval())
    base = logits(transformers.AutoModelForCausalLM.from_pretrained(tiny_model).eval())
    assert (found - base).abs().max() > 0.1
    torch.testing.assert_close(found, logits(adapted))
    assert (checkpoint.path / "tokenizer.json").read_bytes() == (tiny_model / "tokenizer.json").read_bytes()


def test_it_keeps_the_precision_of_its_base(copy_of_tiny_model: Any, tmp_path: Path) -> None:
    base = copy_of_tiny_model()
    transformers.AutoModelForCausalLM.from_pretrained(base, dtype=torch.bfloat16).save_pretrained(base)
    saved(base, tmp_path / "tuned")
    assert open_checkpoint(tmp_path / "tuned").config["dtype"] == "bfloat16"


def test_the_base_is_found_from_where_the_adapter_lies(copy_of_tiny_model: Any, tmp_path: Path) -> None:
    base = copy_of_tiny_model()
    saved(base, tmp_path / "tuned", base_model_name_or_path=f"../{base.name}")
    assert open_checkpoint(tmp_path / "tuned").path.is_dir()


def test_a_tokenizer_of_its_own_goes_before_that_of_the_base(tiny_model: Path, tmp_path: Path) -> None:
    saved(tiny_model, tmp_path / "tuned")
    tokenizer = transformers.AutoTokenizer.from_pretrained(tiny_model)
    tokenizer.chat_template = "{{ messages[0]['content'] }}"
    tokenizer.save_pretrained(tmp_path / "tuned")
    found = transformers.AutoTokenizer.from_pretrained(open_checkpoint(tmp_path / "tuned").path)
    assert found.chat_template == tokenizer.chat_template


def test_a_training_record_goes_along_where_it_is_of_these_weights(tiny_model: Path, tmp_path: Path) -> None:
    saved(tiny_model, tmp_path / "tuned")
    weights = weights_hash(open_checkpoint(tmp_path / "tuned").path)
    for of, found in ((weights, True), ("0" * 64, False)):
        (tmp_path / "tuned" / "training.json").write_text(json.dumps({"weights": of}))
        assert (open_checkpoint(tmp_path / "tuned").path / "training.json").exists() == found


def test_it_is_merged_once_and_anew_where_it_or_its_base_changed(copy_of_tiny_model: Any, tmp_path: Path) -> None:
    base = copy_of_tiny_model()
    saved(base, tmp_path / "tuned")
    first = open_checkpoint(tmp_path / "tuned").path
    (first / "mark").touch()
    assert (open_checkpoint(tmp_path / "tuned").path / "mark").exists()
    saved(base, tmp_path / "tuned", lora_alpha=8)
    second = open_checkpoint(tmp_path / "tuned").path
    model = transformers.AutoModelForCausalLM.from_pretrained(base)
    with torch.no_grad():
        model.model.norm.weight += 1
    model.save_pretrained(base)
    assert len({first, second, open_checkpoint(tmp_path / "tuned").path}) == 3


def test_it_plays(tiny_model: Path, tmp_path: Path) -> None:
    saved(tiny_model, tmp_path / "tuned")
    run = tmp_path / "run"
    options = "--env AgentGen/Sokoban-lean-v0 --episodes 2 --set max_steps=2 --max-tokens 4 --protocol chat --quiet"
    model = ["--model", str(tmp_path / "tuned"), "--backend", "transformers"]
    assert main(["evaluate", *model, *options.split(), "--output", str(run)]) == 0
    assert json.loads((run / "manifest.json").read_text())["policy"]["model"] == "tuned"


@pytest.mark.parametrize(
    ("named", "why"),
    [
        ("/nowhere/base", r"the base of the adapter .*tuned cannot be used: no model folder at /nowhere/base"),
        (None, r"names no base_model_name_or_path"),
        (".", r"is an adapter too; merge it first"),
    ],
)
def test_a_base_that_cannot_be_used_is_named(tiny_model: Path, tmp_path: Path, named: str | None, why: str) -> None:
    saved(tiny_model, tmp_path / "tuned", base_model_name_or_path=named)
    with pytest.raises(PolicyError, match=why):
        open_checkpoint(tmp_path / "tuned")


def test_what_does_not_fit_its_base_is_refused_and_leaves_nothing(
    tiny_model: Path, tmp_path: Path, cache: Path
) -> None:
    from agentgen_bench.train.init_model import ModelShape, init_model

    other = init_model(
        tmp_path / "other", ["up down"], ModelShape(layers=1, hidden_size=32, vocab_size=300), seed=0
    ).path
    saved(tiny_model, tmp_path / "tuned", base_model_name_or_path=str(other))
    with pytest.raises(PolicyError, match=r"the adapter .*tuned cannot be merged into .*other"):
        open_checkpoint(tmp_path / "tuned")
    assert not [path for path in cache.rglob("*") if path.is_file()]


@pytest.mark.parametrize("damage", ["gone", "cut off"])
def test_weights_that_are_not_whole_are_named(tiny_model: Path, tmp_path: Path, damage: str) -> None:
    saved(tiny_model, tmp_path / "tuned")
    file = tmp_path / "tuned" / "adapter_model.safetensors"
    file.write_bytes(file.read_bytes()[:-8])
    if damage == "gone":
        file.unlink()
    with pytest.raises(PolicyError, match=r"adapter_model\.safetensors"):
        open_checkpoint(tmp_path / "tuned")


@pytest.mark.parametrize("missing", NEEDED)
def test_a_package_that_is_missing_is_named(
    tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, missing: str
) -> None:
    saved(tiny_model, tmp_path / "tuned")
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == missing else find(name))
    with pytest.raises(MissingDependencyError, match=rf"merging a LoRA adapter needs .*{missing}.*pip install"):
        open_checkpoint(tmp_path / "tuned")
