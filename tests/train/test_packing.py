"""Packed rows get the log-probabilities that they get alone, on models of several kinds."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from transformers import AutoModelForCausalLM, Gemma2Config, GptOssConfig, LlamaConfig, MistralConfig, Qwen2Config

from agentgen_bench.train.packing import dense_mask, packing_of, set_attention, takes_packs
from agentgen_bench.train.tokens import Span, TokenRow, completion_logprobs, dealt

SIZE = {
    "vocab_size": 50, "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4,
    "num_key_value_heads": 2, "head_dim": 8,
}  # fmt: skip
ROWS = [
    TokenRow(tuple((7 * i + k) % 50 for k in range(length)), (Span(1, 3), Span(length - 2, length)))
    for i, length in enumerate((9, 30, 8, 11, 5, 31, 9))
]


def model_of(config):
    torch.manual_seed(0)
    return AutoModelForCausalLM.from_config(config).eval()


@pytest.mark.parametrize("kernel", ["sdpa", "eager", "blocks"])
@pytest.mark.parametrize("kind", [LlamaConfig, Qwen2Config], ids=["llama", "qwen2"])
def test_packed_rows_get_what_they_get_alone(kind, kernel):
    model = model_of(kind(**SIZE))
    set_attention(model, kernel, packing=True)
    assert takes_packs(model)
    packed = completion_logprobs(model, ROWS, "cpu")
    set_attention(model, kernel, packing=False)
    assert not takes_packs(model)
    for number, row in enumerate(ROWS):
        alone = completion_logprobs(model, [row], "cpu").logprobs[0]
        assert packed.logprobs[number][packed.mask[number]].tolist() == pytest.approx(alone.tolist(), abs=1e-5)


@pytest.mark.parametrize("kernel", ["sdpa", "blocks"])
def test_packed_rows_have_the_gradients_that_they_have_alone(kernel):
    model = model_of(LlamaConfig(**SIZE))
    gradients = []
    for packing in (True, False):
        set_attention(model, kernel, packing)
        model.zero_grad()
        completion_logprobs(model, ROWS, "cpu").logprobs.sum().backward()
        gradients.append([parameter.grad.clone() for parameter in model.parameters()])
    for packed, padded in zip(*gradients, strict=True):
        torch.testing.assert_close(packed, padded, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    "config",
    [
        Gemma2Config(**SIZE, sliding_window=2, attn_logit_softcapping=0.1, query_pre_attn_scalar=8),
        MistralConfig(**SIZE, sliding_window=4096),
        GptOssConfig(**SIZE, sliding_window=2, num_local_experts=2, num_experts_per_tok=1),
    ],
    ids=["gemma2", "mistral", "gpt-oss"],
)
def test_a_model_that_attends_in_its_own_way_keeps_padded_rows(config, capsys):
    model = model_of(config)
    set_attention(model, "eager", packing=True)
    assert not takes_packs(model)
    assert "attends in a way of its own: rows are padded, not packed" in capsys.readouterr().err
    read = completion_logprobs(model, ROWS, "cpu")
    alone = completion_logprobs(model, ROWS[1:2], "cpu").logprobs[0]
    assert read.logprobs[1][read.mask[1]].tolist() == pytest.approx(alone.tolist(), abs=1e-4)


lengths_of_rows = st.lists(st.integers(1, 40), min_size=1, max_size=12)


@given(lengths_of_rows)
def test_stacks_hold_every_token_once_and_little_padding(lengths):
    packing = packing_of(lengths)
    flat = torch.cat([stack.flatten() for stack in packing.stacks])
    assert flat[packing.places].tolist() == list(range(sum(lengths)))
    assert len(flat) <= 1.05 * sum(lengths)


@given(lengths_of_rows)
def test_the_dense_mask_is_causal_within_rows_and_closed_between_them(lengths):
    mask = dense_mask(packing_of(lengths))[0, 0]
    assert int(mask.sum()) == sum(length * (length + 1) // 2 for length in lengths)


@given(st.lists(st.integers(3, 500), max_size=40), st.integers(1, 8))
def test_processes_are_dealt_all_rows_and_their_tokens_differ_by_less_than_a_row(lengths, n_processes):
    rows = [TokenRow(tuple(range(length)), (Span(1, 2),)) for length in lengths]
    hands = dealt(rows, n_processes)
    assert len(hands) == n_processes
    assert sorted(i for hand in hands for i in hand) == list(range(len(rows)))
    tokens = [sum(lengths[i] for i in hand) for hand in hands]
    assert max(tokens) - min(tokens) <= max(lengths, default=0)
    assert all(hand == sorted(hand) for hand in hands)
