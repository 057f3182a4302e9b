import json
import shutil
from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file

from agentgen_bench.errors import DataError, RunError
from agentgen_bench.prompts import Message
from agentgen_bench.train.demonstrations import write_demonstrations
from agentgen_bench.train.logs import read_log
from agentgen_bench.train.models import load_model, load_tokenizer
from agentgen_bench.train.sft import Config, batches, load_data, negative_logprobs, train
from agentgen_bench.train.tokens import Span, TokenRow
from tests.train.tiny import counting_demonstrations


def config(model, data, output, **changes):
    return Config(model=model, output=str(output), data=(data,), **{"steps": 4, "batch": 8, "save_every": 2, **changes})


def test_the_loss_falls(tiny_model, counting_data, tmp_path):
    train(config(tiny_model, counting_data, tmp_path / "run", steps=15, learning_rate=5e-3))
    losses = [line["loss"] for line in read_log(tmp_path / "run")]
    assert losses[-1] < losses[0] - 1


def row(prompt, completion):
    return TokenRow((*prompt, *completion), (Span(len(prompt), len(prompt) + len(completion)),))


def test_packing_computes_the_same_loss_as_padding(tiny_model):
    model = load_model(tiny_model)
    samples = [row((5, 6, 7), (8, 9)), row((10,), (11, 12, 13)), row((3,) * 9, (4,))]
    padded, packed = (negative_logprobs(model, samples, packing, "cpu").item() for packing in (False, True))
    alone = sum(negative_logprobs(model, [sample], False, "cpu").item() for sample in samples)
    assert packed == pytest.approx(alone, rel=1e-5)
    assert padded == pytest.approx(alone, rel=1e-5)


def test_only_the_completion_is_learned(tiny_model):
    model = load_model(tiny_model)
    logits = model(torch.tensor([[5, 6, 7, 8]])).logits[0].log_softmax(-1)
    expected = -(logits[1, 7] + logits[2, 8]).item()
    assert negative_logprobs(model, [row((5, 6), (7, 8))], False, "cpu").item() == pytest.approx(expected, rel=1e-5)


def test_a_sample_ends_with_the_end_of_the_turn(tiny_model, counting_data, tmp_path):
    tokenizer = load_tokenizer(tiny_model)
    samples = load_data(config(tiny_model, counting_data, tmp_path), tokenizer).samples["sokoban"]
    assert {sample.ids[-1] for sample in samples} == {tokenizer.eos_token_id}
    assert tokenizer.decode(samples[0].ids[samples[0].spans[0].start : -1]) == "<action>1</action>"
    assert tokenizer.decode(samples[0].ids[: samples[0].spans[0].start]).endswith("<|im_start|>assistant\n")


def test_an_interrupted_run_goes_on_to_the_same_parameters(tiny_model, counting_data, tmp_path, monkeypatch):
    settings = config(tiny_model, counting_data, tmp_path / "whole")
    whole = train(settings)
    cut = replace(settings, output=str(tmp_path / "cut"))
    from agentgen_bench.train import sft

    def interrupted(*args):
        if args[-1] == 4:
            raise KeyboardInterrupt
        return step(*args)

    step = sft._step
    monkeypatch.setattr(sft, "_step", interrupted)
    with pytest.raises(KeyboardInterrupt):
        train(cut)
    monkeypatch.undo()
    first, second = (load_file(path / "model.safetensors") for path in (whole, train(cut, resume=True)))
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_a_model_with_dropout_goes_on_to_the_same_parameters(tiny_model, counting_data, tmp_path):
    model = tmp_path / "model"
    shutil.copytree(tiny_model, model)
    settings = json.loads((model / "config.json").read_text())
    (model / "config.json").write_text(json.dumps({**settings, "attention_dropout": 0.5}))
    first, second = (
        config(str(model), counting_data, tmp_path / name, packing=False, keep=2) for name in ("one", "two")
    )
    whole = load_file(train(first) / "model.safetensors")
    shutil.copytree(tmp_path / "one", tmp_path / "two", ignore=shutil.ignore_patterns("checkpoint-000004"))
    again = load_file(train(second, resume=True) / "model.safetensors")
    assert all(torch.equal(whole[name], again[name]) for name in whole)


def test_the_mix_follows_the_weights_and_uses_all_before_any_twice():
    settings = Config(model="m", output="o", data=("d",), mix=(("a", 19.0), ("b", 3.0)), steps=100, batch=20)
    drawn = [use for batch in batches({"a": 500, "b": 40}, settings) for use in batch]
    share = sum(name == "a" for name, _ in drawn) / len(drawn)
    assert 0.83 < share < 0.90  # 19 / 22 = .864
    of_b = [index for name, index in drawn if name == "b"]
    assert sorted(of_b[:40]) == list(range(40))


def test_the_order_of_a_longer_run_need_not_agree_but_the_same_run_does():
    settings = Config(model="m", output="o", data=("d",), steps=5)
    assert batches({"a": 9}, settings) == batches({"a": 9}, settings)
    assert batches({"a": 9}, settings) != batches({"a": 9}, replace(settings, seed=1))


def test_cloning_that_goes_on_keeps_its_number_of_steps_which_decides_its_order(tiny_model, counting_data, tmp_path):
    train(config(tiny_model, counting_data, tmp_path / "run", steps=2))
    with pytest.raises(RunError, match="cannot resume with other settings:\n  steps: 2 in the folder, 1 now"):
        train(config(tiny_model, counting_data, tmp_path / "run", steps=1), resume=True)


def test_a_mix_of_what_is_not_there_is_refused(tiny_model, counting_data, tmp_path):
    settings = config(tiny_model, counting_data, tmp_path, mix=(("webshop", 1.0),))
    with pytest.raises(DataError, match="the mix names 'webshop', the demonstrations hold: sokoban"):
        load_data(settings, load_tokenizer(tiny_model))


def test_cloning_with_a_wrong_mix_leaves_the_folder_to_the_right_one(tiny_model, counting_data, tmp_path):
    settings = config(tiny_model, counting_data, tmp_path / "run", mix=(("webshop", 1.0),), steps=1)
    with pytest.raises(DataError, match="the mix names 'webshop'"):
        train(settings)
    assert train(replace(settings, mix=(("sokoban", 1.0),))).exists()


def test_cloning_that_finds_no_demonstrations_lets_go_of_its_folder(tiny_model, counting_data, tmp_path):
    settings = config(tiny_model, counting_data, tmp_path / "run", mix=(("webshop", 1.0),))
    for resume in (False, True):
        with pytest.raises(DataError, match="the mix names 'webshop'"):
            train(settings, resume=resume)


def test_long_demonstrations_are_left_out_and_counted(tiny_model, counting_data, tmp_path):
    tokenizer = load_tokenizer(tiny_model)
    whole = load_data(config(tiny_model, counting_data, tmp_path), tokenizer)
    assert whole.left_out == 0
    with pytest.raises(DataError, match=r"no demonstration of sokoban has at most 10 tokens in .*; raise max_sample_"):
        load_data(config(tiny_model, counting_data, tmp_path, max_sample_tokens=10), tokenizer)


def test_a_mix_of_which_every_demonstration_is_too_long_is_refused(tiny_model, tmp_path):
    (item,) = counting_demonstrations(1)
    long = item._replace(environment="webshop", prompt=(Message("user", "a long page " * 99),))
    write_demonstrations(tmp_path / "samples.jsonl", [item, long])
    settings = config(tiny_model, str(tmp_path), tmp_path / "run", mix=(("webshop", 1.0),), max_sample_tokens=100)
    with pytest.raises(DataError, match="no demonstration of webshop has at most 100 tokens in"):
        load_data(settings, load_tokenizer(tiny_model))
