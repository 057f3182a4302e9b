"""Model folders: what is refused, and what the content hash covers."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from agentgen_bench.errors import PolicyError
from agentgen_bench.policies.checkpoint import content_hash, stop_token_ids, tensor_names
from agentgen_bench.policies.loading import load_policy
from agentgen_bench.policies.opening import open_checkpoint
from agentgen_bench.policies.sampling import Sampling
from agentgen_bench.prompts import PromptConfig

MakeCopy = Callable[[], Path]


def refusal(model: str | Path) -> str:
    with pytest.raises(PolicyError) as caught:
        open_checkpoint(model)
    return str(caught.value)


def test_a_whole_folder_is_taken(tiny_model: Path) -> None:
    checkpoint = open_checkpoint(tiny_model)
    assert (checkpoint.name, checkpoint.context_tokens, len(checkpoint.weights)) == ("tiny", 2048, 1)


def test_a_path_that_is_not_there_is_named(tmp_path: Path) -> None:
    assert refusal(tmp_path / "nowhere") == (
        f"no model folder at {tmp_path / 'nowhere'}; give a Hugging Face model folder or a hub name (owner/name)"
    )


def test_a_name_that_no_file_can_have_is_one_line(tmp_path: Path) -> None:
    assert f"cannot look for a model at '{'m' * 100}': File name too long; give a" in refusal("m" * 5000)
    with pytest.raises(PolicyError, match="File name too long"):
        load_policy("m" * 5000, PromptConfig(), Sampling(), backend="transformers")


def test_the_home_of_a_user_that_is_not_here_is_named() -> None:
    with pytest.raises(PolicyError, match="~nobody-here/m is in the home of a user that is not here"):
        open_checkpoint("~nobody-here/m")


def test_a_file_is_no_model_folder(tiny_model: Path) -> None:
    assert "is a file; give a .gguf, or the folder" in refusal(tiny_model / "config.json")


def test_an_empty_folder_lacks_a_config(tmp_path: Path) -> None:
    assert refusal(tmp_path) == f"no config.json in {tmp_path}; a Hugging Face model folder has one"


def test_a_folder_without_tokenizer_is_refused(copy_of_tiny_model: MakeCopy) -> None:
    folder = copy_of_tiny_model()
    (folder / "tokenizer.json").unlink()
    assert refusal(folder).startswith(f"no tokenizer in {folder}; save it there")


def test_a_folder_without_weights_is_refused(copy_of_tiny_model: MakeCopy) -> None:
    folder = copy_of_tiny_model()
    (folder / "model.safetensors").unlink()
    assert refusal(folder).startswith(f"no weights in {folder}; expected model.safetensors")


@pytest.mark.parametrize("keep", [0, 5, 100, -1000, -1])
def test_truncated_weights_are_refused(copy_of_tiny_model: MakeCopy, keep: int) -> None:
    file = copy_of_tiny_model() / "model.safetensors"
    file.write_bytes(file.read_bytes()[:keep])
    assert refusal(file.parent).endswith("copy or download it again")


def test_weights_with_a_tail_are_refused(copy_of_tiny_model: MakeCopy) -> None:
    file = copy_of_tiny_model() / "model.safetensors"
    size = file.stat().st_size
    file.write_bytes(file.read_bytes() + b"\0")
    assert refusal(file.parent) == (
        f"{file} has {size + 1:,} bytes, its header says {size:,}; copy or download it again"
    )


def test_a_cut_off_pytorch_archive_is_refused(copy_of_tiny_model: MakeCopy) -> None:
    folder = copy_of_tiny_model()
    (folder / "model.safetensors").unlink()
    (folder / "pytorch_model.bin").write_bytes(b"PK\x03\x04 the beginning of an archive")
    assert "is no PyTorch archive or is cut off" in refusal(folder)


def test_a_shard_that_the_index_lists_must_be_there(copy_of_tiny_model: MakeCopy) -> None:
    folder = copy_of_tiny_model()
    index = {"weight_map": {"a": "model.safetensors", "b": "model-00002.safetensors"}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    assert "lists model-00002.safetensors, which is not there" in refusal(folder)


@pytest.mark.parametrize(("text", "said"), [("{", "cannot be read as JSON"), ("[]", "holds a list, not a JSON object")])
def test_a_config_that_is_no_json_object_is_refused(copy_of_tiny_model: MakeCopy, text: str, said: str) -> None:
    folder = copy_of_tiny_model()
    (folder / "config.json").write_text(text)
    assert said in refusal(folder)


@pytest.mark.parametrize("name", ["tokenizer.json", "chat_template.jinja", "config.json", "generation_config.json"])
def test_the_content_hash_covers_what_stands_beside_the_weights(copy_of_tiny_model: MakeCopy, name: str) -> None:
    folder = copy_of_tiny_model()
    before = content_hash(open_checkpoint(folder))
    (folder / name).write_bytes((folder / name).read_bytes() + b" ")
    assert content_hash(open_checkpoint(folder)) != before


def test_the_content_hash_covers_the_last_bit_of_the_weights(copy_of_tiny_model: MakeCopy) -> None:
    folder = copy_of_tiny_model()
    before = content_hash(open_checkpoint(folder))
    weights = bytearray((folder / "model.safetensors").read_bytes())
    weights[-1] ^= 1
    (folder / "model.safetensors").write_bytes(weights)
    assert content_hash(open_checkpoint(folder)) != before


def test_the_content_hash_is_that_of_the_content_alone(tiny_model: Path, copy_of_tiny_model: MakeCopy) -> None:
    folder = copy_of_tiny_model()
    (folder / "README.md").write_text("a note")
    assert content_hash(open_checkpoint(folder)) == content_hash(open_checkpoint(tiny_model))


def test_completions_end_at_any_of_the_stated_ends(copy_of_tiny_model: MakeCopy) -> None:
    folder = copy_of_tiny_model()
    (folder / "generation_config.json").write_text('{"eos_token_id": [5, 3]}')
    assert stop_token_ids(open_checkpoint(folder), tokenizer_eos=9) == (3, 5, 9)


def test_without_a_generation_config_the_config_states_the_end(copy_of_tiny_model: MakeCopy) -> None:
    folder = copy_of_tiny_model()
    (folder / "generation_config.json").unlink()
    own = json.loads((folder / "config.json").read_text())["eos_token_id"]
    assert stop_token_ids(open_checkpoint(folder), tokenizer_eos=None) == (own,)


def test_the_parameters_of_a_folder_are_known_without_loading_it(tiny_model: Path) -> None:
    names = tensor_names(open_checkpoint(tiny_model))
    assert names is not None
    assert {"model.embed_tokens.weight", "model.norm.weight"} <= names
