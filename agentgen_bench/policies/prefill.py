"""What a model says of completions that are given: one pass over a chat, nothing is sampled."""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

from agentgen_bench.policies.decoding import kept_logits
from agentgen_bench.policies.sampling import Sampling
from agentgen_bench.policies.transformers import TransformersPolicy

# Where the tokens of a distribution lie, the likeliest first, each as wide as it is likely: the intervals that are told
# apart end here. The likeliest quarter, two more, and then finer, where what nobody would draw lies.
INTERVAL_ENDS = (0.25, 0.5, 0.75, 0.9, 0.99, 1.0)
_ROWS = 64  # distributions looked at together, each of V numbers and several times


class TokenEvidence(NamedTuple):
    """A completion token under the model, in the distribution that it is said to be drawn from.

    `logprob`, `entropy` and `variance` are in nats (the variance of the log-probability, in nats squared), after
    temperature, top_k and top_p; `logprob` is minus infinity where these leave the token out. `gap` is how far its
    logit lies below the largest, before temperature: 0 for the token that greedy decoding takes.

    `blind` and `kept` are about the distribution alone: how far log-probability lies above minus the entropy on average
    of a token that is drawn blindly, each of those left by top_k and top_p as likely (0 where the distribution is
    uniform, else below), and the share of the vocabulary that they leave, in (0, 1].

    Lay the tokens of the distribution side by side, the likeliest first, each as wide as it is likely: `overlaps` says
    which share of the token lies in each interval of `INTERVAL_ENDS`. Of a token that was drawn each has the interval's
    width as expectation; `overlap_variances` are the variances. Both are empty where the token is left out.
    """

    logprob: float
    entropy: float
    variance: float
    gap: float
    blind: float
    kept: float
    overlaps: tuple[float, ...] = ()
    overlap_variances: tuple[float, ...] = ()


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
            [
                token
                for k in range(start, start + length, _ROWS)
                for token in _evidence(
                    logits[k - 1 : min(k + _ROWS, start + length) - 1].float(),
                    ids[0, k : min(k + _ROWS, start + length)],
                    sampling,
                )
            ]
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
    tokens = [TokenEvidence(*row) for row in zip(*[column.tolist() for column in columns], strict=True)]
    if sampling.greedy:  # asks about the likeliest token alone
        return tokens
    overlaps, variances = (column.tolist() for column in _overlaps(chances.double(), chosen))
    return [
        token._replace(overlaps=tuple(shares), overlap_variances=tuple(spread))
        if math.isfinite(token.logprob)
        else token
        for token, shares, spread in zip(tokens, overlaps, variances, strict=True)
    ]


def _overlaps(chances: Any, chosen: Any) -> tuple[Any, Any]:
    """Return `TokenEvidence.overlaps` and their variances, (completion, intervals) each, of chances (completion, V)."""
    import torch

    sorted_chances, order = chances.sort(dim=-1, descending=True, stable=True)
    ends = sorted_chances.cumsum(dim=-1)
    ends = ends / ends[:, -1:]
    begins = torch.nn.functional.pad(ends[:, :-1], (1, 0))
    widths = ends - begins  # 0 where the sum does not feel so small a chance
    place = (order == chosen[:, None]).int().argmax(dim=-1, keepdim=True)
    overlaps, variances, low = [], [], 0.0
    for high in INTERVAL_ENDS:
        common = (ends.clamp(max=high) - begins.clamp(min=low)).clamp(min=0)  # (completion, V)
        at = (begins >= low) & (begins < high) if high < 1 else begins >= low
        share = torch.where(widths > 0, common / widths, at.to(common.dtype))
        overlaps.append(share.gather(-1, place)[:, 0])
        variances.append(((common * share).sum(dim=-1) - (high - low) ** 2).clamp(min=0))
        low = high
    return torch.stack(overlaps, dim=-1), torch.stack(variances, dim=-1)
