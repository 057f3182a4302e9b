"""init-model --grow: more words in the vocabulary, everything else as it was."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("transformers")

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from agentgen_bench.cli import main
from agentgen_bench.errors import AgentGenError, RunError
from agentgen_bench.evaluation.training import TrainingRecord, read_training
from agentgen_bench.train.demonstrations import read_demonstrations
from agentgen_bench.train.grow_model import TOKENIZER, copied_words, grow_model
from agentgen_bench.train.init_model import ModelShape, init_model

TEXTS = ["<action>up</action> Push the box to 31, # _ √."] * 3
NEW = ["say blick twice: <action>blick</action>, zorp √ \N{SNOWMAN}", "blick"]


@pytest.fixture(scope="module")
def start(tmp_path_factory: pytest.TempPathFactory) -> Path:
    shape = ModelShape(layers=1, hidden_size=32, vocab_size=320, context_tokens=128, init_std=0.2, tokenizer="words")
    return init_model(tmp_path_factory.mktemp("grow") / "start", TEXTS, shape).path


@pytest.fixture(scope="module")
def grown(start: Path) -> Path:
    return grow_model(start.parent / "grown", start, NEW).path


def record_of(folder: Path) -> TrainingRecord:
    record = read_training(folder)
    assert record is not None
    return record


def pieces(folder: Path, text: str) -> list[str]:
    tokenizer = AutoTokenizer.from_pretrained(folder)
    return list(tokenizer.convert_ids_to_tokens(tokenizer(text)["input_ids"]))


def test_a_new_word_is_one_token_and_symbols_stay_what_they_are(start: Path, grown: Path) -> None:
    assert pieces(start, "<action>blick</action>") == ["<action>", *"blick", "</action>"]
    assert pieces(grown, "<action>blick</action> zorp √ 31") == [
        *["<action>", "blick", "</action>", "Ġzorp", "Ġ", "√", "Ġ3", "1"]
    ]


def test_any_text_comes_back(grown: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(grown)
    text = "blick √\n# zorp \N{SNOWMAN}<action>31"
    assert tokenizer.decode(tokenizer(text)["input_ids"]) == text


def test_text_without_new_words_means_the_same_to_the_model(start: Path, grown: Path) -> None:
    logits = []
    for folder in (start, grown):
        ids = AutoTokenizer.from_pretrained(folder)(TEXTS[0], return_tensors="pt")["input_ids"]
        logits.append(AutoModelForCausalLM.from_pretrained(folder)(ids).logits[0].detach())
    old, new = logits
    n_words, n_new = old.shape[1] - 5, new.shape[1] - old.shape[1]  # five added tokens stand behind the words
    assert n_new == len(record_of(grown).settings["words"]) > 0
    torch.testing.assert_close(torch.cat([new[:, :n_words], new[:, n_words + n_new :]], dim=1), old)


def test_words_with_and_without_the_space_start_close_to_each_other(grown: Path) -> None:
    tokenizer, model = AutoTokenizer.from_pretrained(grown), AutoModelForCausalLM.from_pretrained(grown)
    rows = model.get_input_embeddings().weight[tokenizer.convert_tokens_to_ids(["blick", "Ġblick", "Ġzorp"])].detach()
    rows = rows - model.get_input_embeddings().weight.detach().mean(0)
    near, far = (torch.cosine_similarity(rows[0], rows[i], dim=0).item() for i in (1, 2))
    assert near > 0.7 > far


COPIED = [("the box may hold 31", "say box"), ("the target", "say target"), ("nothing", "say it"), ("go", "say it")]


@pytest.fixture
def copying(tmp_path: Path) -> Path:
    rows = [
        {
            **{"environment": "alfworld", "level_id": "x", "split": "train", "step": 1, "thinking": False},
            "prompt": [{"role": "user", "content": f"in {shown}"}],
            "completion": [{"role": "assistant", "content": f"in <action>{answered}</action>"}],
        }
        for shown, answered in [*COPIED, COPIED[0]]
    ]
    (tmp_path / "samples.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return tmp_path


def test_copied_words_are_those_that_a_prompt_has_of_its_own(start: Path, copying: Path) -> None:
    known = json.loads((start / TOKENIZER).read_text())
    known["model"]["vocab"] = {word: i for i, word in enumerate(["Ġbox", "Ġtarget", "Ġsay", "Ġmay", "Ġit", "in"])}
    assert copied_words(json.dumps(known), list(read_demonstrations(copying))) == ["Ġbox", "Ġtarget"]


def test_new_words_can_begin_near_words_that_are_copied(start: Path, copying: Path, tmp_path: Path) -> None:
    made = grow_model(tmp_path / "near", start, NEW, like=[copying]).path
    tokenizer, model = AutoTokenizer.from_pretrained(made), AutoModelForCausalLM.from_pretrained(made)
    rows = model.get_input_embeddings().weight.detach()
    box, *new = rows[tokenizer.convert_tokens_to_ids(["Ġbox", "blick", "Ġblick", "Ġzorp"])] - rows.mean(0)
    assert all(torch.cosine_similarity(row, box, dim=0).item() > 0.8 for row in new)
    assert not torch.equal(new[0], new[1])


def test_demonstrations_that_copy_nothing_are_refused(start: Path, copying: Path, tmp_path: Path) -> None:
    lines = (copying / "samples.jsonl").read_text().splitlines(keepends=True)
    (copying / "samples.jsonl").write_text(lines[2])
    with pytest.raises(AgentGenError, match="copy no word that the model to grow has"):
        grow_model(tmp_path / "near", start, NEW, like=[copying])


def test_the_most_frequent_words_come_first_where_room_is_short(start: Path, tmp_path: Path) -> None:
    size = len(AutoTokenizer.from_pretrained(start)) + 1
    made = grow_model(tmp_path / "one", start, NEW, vocab_size=size)
    assert (made.vocab_size, record_of(made.path).settings["words"]) == (size, ["blick"])


def test_equal_arguments_give_equal_bytes(start: Path, grown: Path, tmp_path: Path) -> None:
    again = grow_model(tmp_path / "again", start, NEW).path
    for name in ("model.safetensors", "tokenizer.json"):
        assert (again / name).read_bytes() == (grown / name).read_bytes()


def test_the_record_names_the_model_that_it_grew_from(start: Path, grown: Path) -> None:
    record, before = record_of(grown), record_of(start)
    assert (record.parent, record.before[0].weights) == (before.weights, before.weights)
    assert record.levels == before.levels


def test_pieces_cannot_grow(tmp_path: Path) -> None:
    start = init_model(tmp_path / "start", TEXTS, ModelShape(layers=1, hidden_size=32, vocab_size=300)).path
    with pytest.raises(AgentGenError, match="only tokenizers of whole words can grow"):
        grow_model(tmp_path / "grown", start, NEW)


def test_a_tokenizer_is_read_in_any_locale(start: Path) -> None:
    program = (
        "import sys; from agentgen_bench.train.grow_model import _tokenizer_text as read, Path; read(Path(sys.argv[1]))"
    )
    plain = {**os.environ, "LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}
    subprocess.run([sys.executable, "-c", program, start], env=plain, check=True)


def test_nothing_is_written_over(start: Path) -> None:
    with pytest.raises(RunError, match="exists and is not empty"):
        grow_model(start, start, NEW)


def test_the_command_line_grows_a_model_by_demonstrations(
    start: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    spec = ["--env", "AgentGen/Sokoban-lean-v0", "--set", "boxes=1", "--set", "pushes=[1,2]", "--interface", "opaque"]
    played = ["--levels", "1", "--policy", "oracle", "--output", str(tmp_path / "data"), "--quiet"]
    assert main(["collect", *spec, *played]) == 0
    assert main(["init-model", str(tmp_path / "grown"), "--grow", str(start), "--data", str(tmp_path / "data")]) == 0
    assert "tokens in the vocabulary" in capsys.readouterr().out
    word = json.loads((tmp_path / "data" / "samples.jsonl").read_text().splitlines()[0])["completion"][0]["content"]
    assert len(pieces(tmp_path / "grown", word)) == 5  # <think></think><action>word</action>


def test_a_shape_cannot_be_chosen_for_a_model_that_is_there(
    start: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["init-model", str(tmp_path / "grown"), "--grow", str(start), "--layers", "2"]) == 2
    assert "--layers is that of the model that grows" in capsys.readouterr().err


def test_words_begin_like_others_only_where_a_model_grows(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["init-model", str(tmp_path / "made"), "--envs", "sokoban", "--like", str(tmp_path)]) == 2
    assert "name a model to grow" in capsys.readouterr().err
