import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from agentgen_bench.errors import DataError, PolicyError
from agentgen_bench.evaluation.plan import single_plan
from agentgen_bench.evaluation.run import evaluate
from agentgen_bench.evaluation.training import TRAINING, read_training
from agentgen_bench.policies.sampling import Sampling
from agentgen_bench.policies.transformers import TransformersPolicy
from agentgen_bench.policies.weights import TensorDigest, adapter_hash, hash_of, weights_hash
from agentgen_bench.spec import TaskSpec
from agentgen_bench.train import grpo
from agentgen_bench.train.provenance import log_digest
from agentgen_bench.train.settings import Source, training_jobs
from tests.train.test_grpo import config
from tests.train.tiny import PROMPT, SPEC, make_env


def trained(model, output, **changes):
    return grpo.train(config(model, output, steps=2, save_every=1, keep=2, **changes), make_env=make_env)


@pytest.fixture(scope="module")
def chain(cloned_model, tmp_path_factory):
    """Two stages of reinforcement learning over a cloned model."""
    folder = tmp_path_factory.mktemp("chain")
    first = trained(cloned_model, folder / "first")
    return first, trained(str(first), folder / "second", seed=1)


def test_a_chain_of_parents_leads_back_to_random_numbers(chain, cloned_model, tiny_model):
    records = [read_training(folder) for folder in map(Path, (chain[1], chain[0], cloned_model, tiny_model))]
    assert [record.method for record in records] == ["grpo", "grpo", "sft", "init-model"]
    assert [record.parent for record in records] == [*(record.weights for record in records[1:]), None]
    assert len({record.weights for record in records}) == 4
    assert all(
        weights_hash(folder) == record.weights
        for folder, record in zip((*chain[::-1], cloned_model, tiny_model), records, strict=True)
    )


def test_a_record_holds_those_before_it(chain, cloned_model, tiny_model):
    record = read_training(chain[1])
    assert [part.method for part in record.chain] == ["init-model", "sft", "grpo", "grpo"]
    assert [part.weights for part in record.before] == list(map(weights_hash, (tiny_model, cloned_model, chain[0])))
    assert [part.method for part in record.since(weights_hash(cloned_model)).chain] == ["grpo", "grpo"]
    assert record.since("0" * 64) == record


def test_the_record_names_settings_sources_step_and_the_log(chain, cloned_model):
    record = read_training(chain[0])
    assert (record.settings["steps"], record.settings["seed"]) == (2, 0)
    assert record.settings["model"] == cloned_model.rpartition("/")[2]
    assert "output" not in record.settings
    assert record.sources == ({"spec": SPEC.to_json(), "weight": 1.0},)
    assert (record.splits, record.families) == ({"train"}, {"sokoban"})
    assert record.step == 2
    assert record.log == log_digest(chain[0].parent)
    assert {"python", "torch", "transformers"} <= record.versions.keys()


def test_the_levels_are_those_that_were_played_and_an_earlier_checkpoint_has_the_first_of_them(chain):
    last, before = read_training(chain[0]), read_training(chain[0].parent / "checkpoint-000001")
    drawn = [
        make_env(SPEC).reset(seed=group[0].seed)[1]["level_id"]
        for step in (1, 2)
        for group in training_jobs((Source(SPEC),), 0, step, last.settings["levels_per_step"], 2)
    ]
    (ids,) = last.levels.values()
    assert set(last.level_ids) == set(drawn)
    (first,) = before.levels.values()
    assert ids[: len(first)] == first


def test_demonstrations_count_as_levels_played(cloned_model):
    record = read_training(Path(cloned_model))
    (source,) = record.sources
    assert (source["environment"], source["split"]) == ("sokoban", "train")
    assert TaskSpec.from_json(source["spec"]) == TaskSpec("Sokoban", difficulty="easy", split="train")
    assert len(record.level_ids) == 9


def test_a_resumed_training_ends_with_the_levels_of_a_whole_one(cloned_model, chain, tmp_path):
    short = config(cloned_model, tmp_path / "run", steps=1, save_every=1, keep=2)
    grpo.train(short, make_env=make_env)
    last = grpo.train(replace(short, steps=2), resume=True, make_env=make_env)
    assert read_training(last).levels == read_training(chain[0]).levels


def test_adapters_are_named_beside_the_merged_weights(cloned_model, tmp_path):
    pytest.importorskip("peft")
    folder = trained(cloned_model, tmp_path / "run", lora_rank=2)
    record = read_training(folder)
    assert record.weights == weights_hash(folder)
    assert record.adapter == adapter_hash(folder / "adapter")
    assert record.parent == weights_hash(cloned_model)


def test_evaluate_copies_the_record_and_the_hash_into_the_manifest(chain, tmp_path):
    policy = TransformersPolicy(chain[0], PROMPT, Sampling(max_tokens=4))
    evaluate(single_plan([SPEC.with_(split="test", richness="lean")], 1), policy, PROMPT, tmp_path / "run")
    origin = json.loads((tmp_path / "run" / "manifest.json").read_text())["origin"]
    assert origin["weights"] == weights_hash(chain[0])
    assert origin["training"] == json.loads((chain[0] / TRAINING).read_text())


def test_a_record_of_other_weights_is_refused(chain, tiny_model, tmp_path):
    from shutil import copytree

    folder = copytree(chain[0], tmp_path / "model")
    (folder / "model.safetensors").write_bytes((chain[1] / "model.safetensors").read_bytes())
    policy = TransformersPolicy(folder, PROMPT, Sampling(max_tokens=4))
    with pytest.raises(DataError, match=r"training\.json is of the weights .* take it away from a model that was chan"):
        evaluate(single_plan([SPEC], 1), policy, PROMPT, tmp_path / "run")


def test_a_damaged_record_says_which_key(chain, tmp_path):
    data = json.loads((chain[0] / TRAINING).read_text())
    (tmp_path / TRAINING).write_text(json.dumps({**data, "parent": "none"}))
    with pytest.raises(DataError, match="parent is 'none', not a SHA-256 of 64 hex digits"):
        read_training(tmp_path)


def test_the_hash_is_the_same_however_tensors_are_spread_over_files(tiny_model, tmp_path):
    from shutil import copytree

    folder = copytree(tiny_model, tmp_path / "sharded")
    tensors = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    names = sorted(tensors)
    shards = {"model-1-of-2.safetensors": names[1::2], "model-2-of-2.safetensors": names[::2]}
    for file, own in shards.items():
        save_file({name: tensors[name] for name in own}, folder / file)
    index = {"weight_map": {name: file for file, own in shards.items() for name in own}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    assert weights_hash(folder) == weights_hash(tiny_model)


def test_the_hash_is_the_same_in_pytorchs_own_format(tiny_model, tmp_path):
    from shutil import copytree

    folder = copytree(tiny_model, tmp_path / "bin")
    torch.save(load_file(folder / "model.safetensors"), folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()
    assert weights_hash(folder) == weights_hash(tiny_model)


@pytest.mark.parametrize("change", [{"name": "b"}, {"dtype": "BF16"}, {"shape": (1, 2)}, {"digest": "01"}])
def test_name_type_shape_and_bytes_all_decide_the_hash(change):
    tensor = TensorDigest("a", "F32", (2,), "00")
    assert hash_of([tensor._replace(**change)]) != hash_of([tensor])


def test_a_tensor_that_is_there_twice_is_refused():
    with pytest.raises(PolicyError, match="the tensor 'a' is there twice"):
        hash_of([TensorDigest("a", "F32", (2,), "00")] * 2)
