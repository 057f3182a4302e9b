"""Our advantages and loss against TRL's GRPOTrainer on random inputs."""

from importlib.util import find_spec
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from agentgen_bench.train.grpo import group_advantages, reduced, token_loss
from agentgen_bench.train.models import load_model, load_tokenizer
from agentgen_bench.train.tokens import joined, padded, target_logprobs

pytestmark = [
    pytest.mark.trl,
    pytest.mark.skipif(find_spec("trl") is None, reason="needs the extra trl"),
]

SAMPLES = [
    SimpleNamespace(prompt_ids=(5, 6, 7, 8), completion_ids=(9, 10, 11)),
    SimpleNamespace(prompt_ids=(12, 13), completion_ids=(14,)),
    SimpleNamespace(prompt_ids=(20, 21, 22), completion_ids=(23, 24, 25, 26, 27)),
    SimpleNamespace(prompt_ids=(30,), completion_ids=(31, 32)),
]


def trainer(model, folder, reward=lambda completions, **_: [0.0] * len(completions), **options):
    import trl
    from datasets import Dataset

    tokenizer = load_tokenizer(model)
    arguments = trl.GRPOConfig(
        output_dir=str(folder), report_to=[], use_cpu=True, bf16=False, num_generations=4, beta=0.3, epsilon=0.1,
        epsilon_high=0.25, temperature=1.0, per_device_train_batch_size=4, gradient_accumulation_steps=1,
        max_completion_length=8,
        use_bias_correction_kl=False,  # the paper's penalty is not weighted by the ratio; TRL's default weights it
        **options,
    )  # fmt: skip
    data = Dataset.from_dict({"prompt": ["count"] * 8})
    built = trl.GRPOTrainer(
        model=load_model(model), reward_funcs=reward, args=arguments, train_dataset=data, processing_class=tokenizer
    )
    built.current_gradient_accumulation_steps = 1
    return built


@pytest.mark.parametrize(("theirs", "ours"), [("bnpo", "tokens"), ("grpo", "samples")])
def test_the_loss_is_trls_on_random_inputs(cloned_model, tmp_path, theirs, ours):
    generator = torch.Generator().manual_seed(3)
    built = trainer(cloned_model, tmp_path, loss_type=theirs)
    batch = padded([joined([sample])[0].row for sample in SAMPLES])
    model = built.model.eval()
    with torch.no_grad():
        logprobs = target_logprobs(model, batch)
    noise = [0.2 * torch.randn(logprobs.shape, generator=generator) for _ in range(3)]
    old, reference, weights = logprobs + noise[0], logprobs + noise[1], torch.exp(noise[2])
    advantages = torch.randn(len(SAMPLES), generator=generator)
    width = batch.targets.shape[1]
    inputs = {
        "prompt_ids": batch.input_ids[:, :-width],
        "prompt_mask": batch.attention_mask[:, :-width],
        "completion_ids": batch.targets,
        "completion_mask": batch.completions.long(),
        "advantages": advantages,
        "old_per_token_logps": old,
        "ref_per_token_logps": reference,
        "importance_sampling_ratio": weights,
        "num_items_in_batch": batch.completions.sum(),
    }
    built.use_vllm, built.vllm_importance_sampling_correction = True, True  # makes it read the ratio; no vLLM is run
    expected = built._compute_loss(model, inputs)
    parts = token_loss(
        target_logprobs(model, batch), old, advantages[:, None], clip_low=0.1, clip_high=0.25, weights=weights,
        reference_logprobs=reference, kl_coef=0.3,
    )  # fmt: skip
    mask = batch.completions
    lengths = mask.sum(-1, keepdim=True).expand(mask.shape).float()
    result = reduced(parts.loss, mask, lengths, ours, float(mask.sum()), len(SAMPLES))
    assert result.item() == pytest.approx(expected.item(), rel=1e-5)


@pytest.mark.parametrize(("theirs", "divide_by_std"), [("group", True), ("none", False)])
def test_the_advantages_are_trls_on_random_rewards(cloned_model, tmp_path, theirs, divide_by_std):
    rewards = np.random.default_rng(5).normal(size=8).round(3)
    built = trainer(
        cloned_model, tmp_path, lambda completions, **_: rewards[: len(completions)].tolist(), scale_rewards=theirs
    )
    inputs = [{"prompt": "count"}] * 4 + [{"prompt": "count"}] * 4
    expected = built._generate_and_score_completions(inputs)["advantages"]
    ours = group_advantages(rewards, np.repeat([0, 1], 4), divide_by_std)
    # TRL adds 1e-4 to the deviation where we add 1e-6.
    assert ours == pytest.approx(expected.numpy(), rel=1e-3)
