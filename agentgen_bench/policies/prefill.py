"""What a model says of completions that are given: one pass over prompt and completion, nothing is sampled."""

from collections.abc import Sequence
from typing import NamedTuple

from agentgen_bench.policies.decoding import kept_logits
from agentgen_bench.policies.sampling import Sampling
from agentgen_bench.policies.transformers import TransformersPolicy


class TokenEvidence(NamedTuple):
    """A completion token under the model, in the distribution that it is said to be drawn from.

    `logprob`, `entropy` and `variance` are in nats (the variance of the log-probability, in nats squared), after
    temperature, top_k and top_p; `logprob` is minus infinity where these leave the token out. `gap` is how far its
    logit lies below the largest, before temperature: 0 for the token that greedy decoding takes.
    """

    logprob: float
    entropy: float
    variance: float
    gap: float


def evidence(
    policy: TransformersPolicy, prompt: Sequence[int], completion: Sequence[int], sampling: Sampling
) -> list[TokenEvidence]:
    """Return what the policy's weights say of each token of a completion that follows a prompt.

    Args:
        policy: the model.
        prompt: token ids.
        completion: token ids, at least one.
        sampling: how the completion is said to have been drawn; at temperature 0 the distribution is the model's own.
    """
    import torch

    ids = torch.tensor([[*prompt, *completion]], device=policy.device)  # (1, T)
    with torch.inference_mode():
        logits = policy.model(input_ids=ids).logits[0, len(prompt) - 1 : -1].float()  # (completion, V)
        kept = logits if sampling.greedy else kept_logits(logits, sampling)
        logprobs = kept.log_softmax(dim=-1)
        chances = logprobs.exp()
        surprise = torch.where(chances > 0, logprobs, torch.zeros_like(logprobs))
        entropy = -(chances * surprise).sum(dim=-1)
        variance = (chances * surprise**2).sum(dim=-1) - entropy**2
        chosen = ids[0, len(prompt) :, None]
        own = logprobs.gather(-1, chosen)[:, 0]
        gap = logits.max(dim=-1).values - logits.gather(-1, chosen)[:, 0]
    columns = (own, entropy, variance.clamp(min=0), gap)
    return [TokenEvidence(*row) for row in zip(*[column.tolist() for column in columns], strict=True)]
