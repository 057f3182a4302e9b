"""Fused norms change nothing but the time, and a norm that is another one stays."""

import pytest
import torch
from transformers import AutoModelForCausalLM, Gemma2Config, LlamaConfig, Qwen3Config

from agentgen_bench.train.norms import use_fused_norms
from agentgen_bench.train.optimizing import accelerator_for

SIZE = {
    "vocab_size": 50, "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4,
    "num_key_value_heads": 2, "head_dim": 8,
}  # fmt: skip
IDS = torch.arange(24).view(2, 12)


def model_of(config):
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(config).eval()
    for name, parameter in model.named_parameters():
        if "norm" in name:
            torch.nn.init.uniform_(parameter, 0.5, 1.5)
    return model


def logits_and_gradients(model):
    model.zero_grad()
    logits = model(input_ids=IDS).logits
    logits.square().sum().backward()
    return [logits.detach(), *(parameter.grad.clone() for parameter in model.parameters())]


@pytest.mark.parametrize(("kind", "norms"), [(LlamaConfig, 5), (Qwen3Config, 9)], ids=["llama", "qwen3"])
def test_fused_norms_give_what_the_model_gave(kind, norms):
    model = model_of(kind(**SIZE))
    before = logits_and_gradients(model)
    assert use_fused_norms(model, accelerator_for(False)) == norms
    for fused, own in zip(logits_and_gradients(model), before, strict=True):
        torch.testing.assert_close(fused, own, rtol=1e-3, atol=1e-4)


def test_a_norm_that_scales_otherwise_keeps_its_own():
    model = model_of(Gemma2Config(**SIZE))
    before = model(input_ids=IDS).logits
    assert use_fused_norms(model, accelerator_for(False)) == 0
    assert torch.equal(model(input_ids=IDS).logits, before)


class _OffsetRMSNorm(torch.nn.Module):
    """A norm with a plain one's names that scales by 1 + weight."""

    variance_epsilon = 1e-6

    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.full((8,), 0.5))

    def forward(self, states):
        return torch.nn.functional.rms_norm(states, (8,), 1 + self.weight, self.variance_epsilon)


def test_the_trial_tells_norms_apart_that_their_names_do_not():
    assert use_fused_norms(torch.nn.Sequential(_OffsetRMSNorm()), accelerator_for(False)) == 0
