"""What a model says of completions that are given: one pass over a chat, nothing is sampled."""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

from agentgen_bench.policies.decoding import kept_logits
from agentgen_bench.policies.sampling import Sampling
from agentgen_bench.policies.transformers import TransformersPolicy


class TokenEvidence(NamedTuple):
    """A completion token under the model, in the distribution that it is said to be drawn from.

    `logprob`, `entropy` and `variance` are in nats (the variance of the log-probability, in nats squared), after
    temperature, top_k and top_p; `logprob` is minus infinity where these leave the token out. `gap` is how far its
    logit lies below the largest, before temperature: 0 for the token that greedy decoding takes.

    `blind` and `kept` are about the distribution alone: how far log-probability lies above minus the entropy on average
    of a token that is drawn blindly, each of those left by top_k and top_p as likely (0 where the distribution is
    uniform, else below), and the share of the vocabulary that they leave, in (0, 1].
    """

    logprob: float
    entropy: float
    variance: float
    gap: float
    blind: float
    kept: float


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
    return evidences(policy, [(prompt, completion)], sampling)[0]


def evidences(
    policy: TransformersPolicy, samples: Sequence[tuple[Sequence[int], Sequence[int]]], sampling: Sampling
) -> list[list[TokenEvidence]]:
    """Return the evidence on completions with their prompts, in their order.

    A prompt that goes on from the prompt and completion before it, as in a growing chat, is read in one pass with them.
    """
    return [
        found
        for chat in _chats(samples)
        for found in _read(policy, [*chat[-1][0], *chat[-1][1]], [(len(p), len(c)) for p, c in chat], sampling)
    ]


def _chats(samples: Sequence[tuple[Sequence[int], Sequence[int]]]) -> list[list[tuple[Sequence[int], Sequence[int]]]]:
    """Return the samples in groups of which each goes on from the one before."""
    chats: list[list[tuple[Sequence[int], Sequence[int]]]] = []
    read: tuple[int, ...] = ()
    for prompt, completion in samples:
        if not chats or tuple(prompt[: len(read)]) != read:
            chats.append([])
        chats[-1].append((prompt, completion))
        read = (*prompt, *completion)
    return chats


def _read(
    policy: TransformersPolicy, tokens: Sequence[int], places: Sequence[tuple[int, int]], sampling: Sampling
) -> list[list[TokenEvidence]]:
    """Return the evidence on the completions that begin at these places of the tokens and are so long."""
    import torch

    ids = torch.tensor([tokens], device=policy.device)  # (1, T)
    with torch.inference_mode():
        logits = policy.model(input_ids=ids).logits[0]  # (T, V)
        return [
            _evidence(logits[start - 1 : start - 1 + length].float(), ids[0, start : start + length], sampling)
            for start, length in places
        ]


def _evidence(logits: Any, chosen: Any, sampling: Sampling) -> list[TokenEvidence]:
    """Return the evidence that logits of shape (completion, V) give on the tokens that were chosen there."""
    import torch

    kept = logits if sampling.greedy else kept_logits(logits, sampling)
    logprobs = kept.log_softmax(dim=-1)
    chances = logprobs.exp()
    surprise = torch.where(chances > 0, logprobs, torch.zeros_like(logprobs))
    entropy = -(chances * surprise).sum(dim=-1)
    variance = (chances * surprise**2).sum(dim=-1) - entropy**2
    own = logprobs.gather(-1, chosen[:, None])[:, 0]
    gap = logits.max(dim=-1).values - logits.gather(-1, chosen[:, None])[:, 0]
    left = logprobs > -math.inf
    n_left = left.sum(dim=-1)
    blind = logprobs.where(left, torch.zeros_like(logprobs)).sum(dim=-1) / n_left + entropy
    columns = (own, entropy, variance.clamp(min=0), gap, blind, n_left / logits.shape[-1])
    return [TokenEvidence(*row) for row in zip(*[column.tolist() for column in columns], strict=True)]
