import math

import pytest
import torch

from agentgen_bench.train.grpo import importance_weights, reduced, token_loss


def losses(ratios, advantage, **options):
    logprobs = torch.log(torch.tensor([ratios]))
    settings = {"clip_low": 0.2, "clip_high": 0.3, **options}
    return token_loss(logprobs, torch.zeros_like(logprobs), torch.tensor([[advantage]]), **settings)


def test_a_good_action_is_rewarded_up_to_the_upper_clip():
    # min(r, clip(r, .8, 1.3)) * 2 for r = .5, 1, 1.5: .5, 1, 1.3.
    result = losses([0.5, 1.0, 1.5], 2.0)
    assert result.loss[0].tolist() == pytest.approx([-1.0, -2.0, -2.6])
    assert result.clipped[0].tolist() == [0, 0, 1]


def test_a_bad_action_is_punished_down_to_the_lower_clip():
    # min(r * -2, clip(r) * -2): r = .5 is held at .8, r = 1.5 is not held.
    result = losses([0.5, 1.0, 1.5], -2.0)
    assert result.loss[0].tolist() == pytest.approx([1.6, 2.0, 3.0])
    assert result.clipped[0].tolist() == [1, 0, 0]


def test_a_clipped_token_has_no_gradient():
    logprobs = torch.log(torch.tensor([[1.5, 1.1]])).requires_grad_()
    token_loss(logprobs, torch.zeros(1, 2), torch.tensor([[1.0]]), clip_low=0.2, clip_high=0.3).loss.sum().backward()
    assert logprobs.grad[0].tolist() == pytest.approx([0.0, -1.1])


def test_on_one_side_the_gradient_holds_no_ratio_and_ends_at_the_bound():
    # d(-A log p)/d log p = -A, whatever the ratio; 1.5 is beyond 1.3 for a good action, .5 beyond .8 for a bad one.
    logprobs = torch.log(torch.tensor([[0.5, 1.1, 1.5], [0.5, 1.1, 1.5]])).requires_grad_()
    advantages = torch.tensor([[2.0], [-2.0]])
    result = token_loss(logprobs, torch.zeros(2, 3), advantages, clip_low=0.2, clip_high=0.3, clip="one_side")
    result.loss.sum().backward()
    assert logprobs.grad.tolist() == [[-2.0, -2.0, 0.0], [0.0, 2.0, 2.0]]
    assert result.clipped.tolist() == [[0, 0, 1], [1, 0, 0]]


def test_the_penalty_is_k3():
    # Reference twice as probable: 2 - ln 2 - 1 = .3069, half of it added.
    logprobs = torch.zeros(1, 1)
    result = token_loss(
        logprobs, logprobs, torch.tensor([[0.0]]), clip_low=0.2, clip_high=0.2,
        reference_logprobs=torch.full((1, 1), math.log(2)), kl_coef=0.5,
    )  # fmt: skip
    assert result.kl.item() == pytest.approx(1 - math.log(2))
    assert result.loss.item() == pytest.approx((1 - math.log(2)) / 2)


def test_the_mean_over_tokens_weighs_tokens_and_the_mean_over_samples_weighs_samples():
    values = torch.tensor([[1.0, 2.0, 3.0], [10.0, 99.0, 99.0]])
    mask = torch.tensor([[True, True, True], [True, False, False]])
    lengths = torch.tensor([[3.0, 3.0, 3.0], [1.0, 0.0, 0.0]])
    assert reduced(values, mask, lengths, "tokens", 4, 2).item() == 4.0  # (1 + 2 + 3 + 10) / 4
    assert reduced(values, mask, lengths, "samples", 4, 2).item() == 6.0  # (2 + 10) / 2


def test_a_row_of_two_samples_weighs_as_two_rows():
    values, mask = torch.tensor([[1.0, 2.0, 3.0, 10.0]]), torch.ones(1, 4, dtype=torch.bool)
    lengths = torch.tensor([[3.0, 3.0, 3.0, 1.0]])
    assert reduced(values, mask, lengths, "samples", 4, 2).item() == 6.0


def test_importance_is_the_ratio_of_trainer_to_sampler_up_to_the_cap():
    trainer, sampler = torch.log(torch.tensor([[0.2, 0.9]])), torch.log(torch.tensor([[0.4, 0.3]]))
    assert importance_weights(trainer, sampler, 2.0)[0].tolist() == pytest.approx([0.5, 2.0])


def test_importance_scales_the_policy_loss_and_not_the_penalty():
    logprobs = torch.zeros(1, 1)
    options = {"clip_low": 0.2, "clip_high": 0.2, "reference_logprobs": torch.full((1, 1), math.log(2)), "kl_coef": 1.0}
    result = token_loss(logprobs, logprobs, torch.tensor([[4.0]]), weights=torch.full((1, 1), 0.5), **options)
    assert result.loss.item() == pytest.approx(-2 + 1 - math.log(2))
