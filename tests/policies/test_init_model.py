"""init-model: an ordinary model folder, one token per grid symbol, the same bytes for the same arguments."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("transformers")

from agentgen_bench.errors import AgentGenError, RunError
from agentgen_bench.policies.chat import load_chat_format
from agentgen_bench.policies.opening import open_checkpoint
from agentgen_bench.train import init_model as making
from agentgen_bench.train.init_model import ModelShape, init_model, train_tokenizer
from tests.full_disk import files_of_at_most

SMALL = ModelShape(layers=1, hidden_size=32, vocab_size=300, context_tokens=128)
SCRIPT = """
import sys
from agentgen_bench.train.init_model import ModelShape, init_model
init_model(sys.argv[1], ["Push the box.", "# _ O √"] * 20, ModelShape(1, 32, 300, 128), seed=3)
"""


@pytest.fixture(scope="module")
def tokenizer(tiny_model: Path) -> object:
    return load_chat_format(open_checkpoint(tiny_model)).tokenizer


@given(grid=st.text(alphabet="#_O√XPS\n", min_size=1, max_size=120))
def test_a_grid_has_one_token_per_symbol(tokenizer: object, grid: str) -> None:
    assert len(tokenizer(grid)["input_ids"]) == len(grid)  # type: ignore[operator]


@given(grid=st.text(alphabet="#@+$*. \n", min_size=1, max_size=120))
def test_the_xsb_symbols_too_are_single_tokens(tokenizer: object, grid: str) -> None:
    assert len(tokenizer(grid)["input_ids"]) == len(grid)  # type: ignore[operator]


@given(text=st.text())
@settings(max_examples=200)
def test_any_text_comes_back_from_its_tokens(tokenizer: object, text: str) -> None:
    ids = tokenizer(text)["input_ids"]  # type: ignore[operator]
    assert tokenizer.decode(ids) == text  # type: ignore[attr-defined]


def test_an_answer_is_a_handful_of_tokens(tokenizer: object) -> None:
    assert len(tokenizer("<think></think><action>up</action>")["input_ids"]) == 5  # type: ignore[operator]


def test_the_folder_is_an_ordinary_model(tiny_model: Path) -> None:
    checkpoint = open_checkpoint(tiny_model)
    assert checkpoint.config["architectures"] == ["Qwen3ForCausalLM"]
    assert load_chat_format(checkpoint).has_template


def test_the_default_has_about_a_million_parameters(tmp_path: Path) -> None:
    made = init_model(tmp_path / "model", ["Push the box onto the target."] * 3)
    assert 0.8e6 < made.parameters < 1.2e6


def test_equal_arguments_give_equal_bytes_in_every_process(tmp_path: Path) -> None:
    init_model(tmp_path / "here", ["Push the box.", "# _ O √"] * 20, SMALL, seed=3)
    environment = {**os.environ, "PYTHONHASHSEED": "7"}
    subprocess.run([sys.executable, "-c", SCRIPT, str(tmp_path / "there")], check=True, env=environment)
    here, there = (
        {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in sorted((tmp_path / name).iterdir())}
        for name in ("here", "there")
    )
    assert here == there


def test_another_seed_gives_other_weights_and_the_same_tokenizer(tmp_path: Path) -> None:
    folders = [init_model(tmp_path / str(seed), ["Push."], SMALL, seed).path for seed in (0, 1)]
    weights, tokenizers = (
        {(folder / name).read_bytes() for folder in folders} for name in ("model.safetensors", "tokenizer.json")
    )
    assert (len(weights), len(tokenizers)) == (2, 1)


def test_an_existing_model_is_not_overwritten(tiny_model: Path) -> None:
    with pytest.raises(RunError, match="exists and is not empty; choose another folder"):
        init_model(tiny_model, ["Push."], SMALL)


def test_a_full_disk_is_named_and_leaves_nothing(tmp_path: Path) -> None:
    with files_of_at_most(20_000), pytest.raises(RunError, match=r"cannot write the model to .*: .*[Ff]ile too large"):
        init_model(tmp_path / "model", ["Push the box."], SMALL)
    assert list(tmp_path.iterdir()) == []


def test_until_it_is_whole_nothing_has_the_models_name_and_a_killed_start_is_no_hindrance(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: object, **__: object) -> None:
        raise KeyboardInterrupt  # what follows the weights; a kill leaves the same files

    with monkeypatch.context() as patched:
        patched.setattr(making, "record_training", killed)
        with pytest.raises(KeyboardInterrupt):
            init_model(tmp_path / "model", ["Push."], SMALL)
    assert not (tmp_path / "model").exists()
    (tmp_path / "model.tmp").mkdir()
    (tmp_path / "model.tmp" / "notes").write_text("a user's")
    init_model(tmp_path / "model", ["Push."], SMALL)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model", "model.tmp"]
    assert (tmp_path / "model.tmp" / "notes").read_text() == "a user's"
    assert (tmp_path / "model" / "training.json").is_file()


def test_the_vocabulary_keeps_to_its_bound() -> None:
    corpus = [f"word{chr(97 + i % 26)}{chr(97 + i // 26)} " * 3 for i in range(600)]
    assert len(train_tokenizer(corpus, ModelShape(vocab_size=300))) == 300
    assert len(train_tokenizer(corpus, ModelShape(vocab_size=268, tokenizer="words"))) == 268


@pytest.mark.parametrize(
    ("shape", "said"),
    [
        ({"hidden_size": 100}, "hidden_size=100 is out of range; choose a multiple of 32"),
        ({"vocab_size": 100}, "vocab_size=100 is out of range; choose 264 or more"),
        ({"vocab_size": 267, "tokenizer": "words"}, "vocab_size=267 is out of range; choose 268 or more"),
        ({"layers": 0}, "layers=0 is out of range; choose 1 or more"),
    ],
)
def test_impossible_shapes_are_refused(shape: dict[str, int | str], said: str) -> None:
    with pytest.raises(AgentGenError) as caught:
        ModelShape(**shape)  # type: ignore[arg-type]
    assert str(caught.value).startswith(said)


@pytest.fixture(scope="module")
def words() -> object:
    texts = ["go to drawer 3", "You open the drawer 3. On it you see a mug 1.", "<action>go to mug</action>"]
    return train_tokenizer([*texts, "a [SEP] b"] * 3, ModelShape(vocab_size=300, tokenizer="words"))


def test_with_words_every_known_name_and_every_digit_is_one_token(words: object) -> None:
    pieces = words.convert_ids_to_tokens(words("go to drawer 31 mug")["input_ids"])  # type: ignore[operator, attr-defined]
    assert [piece.replace("Ġ", " ") for piece in pieces] == ["go", " to", " drawer", " 3", "1", " mug"]


def test_with_words_roles_and_labels_in_brackets_are_one_token(words: object) -> None:
    pieces = words.convert_ids_to_tokens(words("assistant [SEP] B0")["input_ids"])  # type: ignore[operator, attr-defined]
    assert [piece.replace("Ġ", " ") for piece in pieces] == ["assistant", " [SEP]", " ", "B", "0"]


@given(text=st.text())
def test_with_words_any_text_comes_back_too(words: object, text: str) -> None:
    assert words.decode(words(text)["input_ids"]) == text  # type: ignore[operator, attr-defined]


@given(grid=st.text(alphabet="#_O√XPS\n", min_size=1, max_size=60))
def test_with_words_a_grid_has_one_token_per_symbol_too(words: object, grid: str) -> None:
    assert len(words(grid)["input_ids"]) == len(grid)  # type: ignore[operator]
