"""Token samples as tensors, and the log-probabilities a model gives to their completions."""

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np
import torch


class Tokens(Protocol):
    """Anything with the token ids of a prompt and of the completion that followed it."""

    @property
    def prompt_ids(self) -> tuple[int, ...]:
        """Token ids of the prompt."""
        ...

    @property
    def completion_ids(self) -> tuple[int, ...]:
        """Token ids of the completion, its end-of-turn token included."""
        ...


class Padded(NamedTuple):
    """Samples as one rectangle: prompts padded on the left, completions on the right, so that both meet at column P."""

    input_ids: torch.Tensor  # (B, P + C)
    attention_mask: torch.Tensor  # (B, P + C), 1 for tokens, 0 for padding
    position_ids: torch.Tensor  # (B, P + C)
    completion_ids: torch.Tensor  # (B, C)
    completion_mask: torch.Tensor  # (B, C), bool


class Packed(NamedTuple):
    """Samples one after another in a single row, each seeing only itself."""

    input_ids: torch.Tensor  # (1, T)
    attention_mask: torch.Tensor  # (1, 1, T, T), bool, block-diagonal and causal
    position_ids: torch.Tensor  # (1, T), starting at 0 in each sample
    predicts: torch.Tensor  # (M,), the positions whose next token is a completion token
    targets: torch.Tensor  # (M,), those next tokens


def n_tokens(sample: Tokens) -> int:
    """Return the number of tokens of prompt and completion."""
    return len(sample.prompt_ids) + len(sample.completion_ids)


def padded(samples: Sequence[Tokens], device: Any = "cpu", pad_id: int = 0) -> Padded:
    """Return the samples as one padded batch."""
    prompt_width = max(len(sample.prompt_ids) for sample in samples)
    width = max(len(sample.completion_ids) for sample in samples)
    ids = np.full((len(samples), prompt_width + width), pad_id, dtype=np.int64)
    mask = np.zeros_like(ids)
    for row, sample in enumerate(samples):
        start, end = prompt_width - len(sample.prompt_ids), prompt_width + len(sample.completion_ids)
        ids[row, start:prompt_width] = sample.prompt_ids
        ids[row, prompt_width:end] = sample.completion_ids
        mask[row, start:end] = 1
    input_ids, attention_mask = torch.from_numpy(ids).to(device), torch.from_numpy(mask).to(device)
    return Padded(
        input_ids=input_ids,
        attention_mask=attention_mask,
        position_ids=(attention_mask.cumsum(-1) - 1).clamp(min=0),
        completion_ids=input_ids[:, prompt_width:],
        completion_mask=attention_mask[:, prompt_width:].bool(),
    )


def packed(samples: Sequence[Tokens], device: Any = "cpu") -> Packed:
    """Return the samples as one row."""
    ids = np.concatenate([(*sample.prompt_ids, *sample.completion_ids) for sample in samples])
    lengths = [n_tokens(sample) for sample in samples]
    owner = torch.from_numpy(np.repeat(np.arange(len(samples)), lengths))
    causal = torch.ones(len(ids), len(ids), dtype=torch.bool).tril()
    ends = np.cumsum(lengths)
    predicts = np.concatenate(
        [np.arange(end - len(sample.completion_ids), end) - 1 for sample, end in zip(samples, ends, strict=True)]
    )
    return Packed(
        input_ids=torch.from_numpy(ids)[None].to(device),
        attention_mask=(causal & (owner[:, None] == owner[None, :]))[None, None].to(device),
        position_ids=torch.from_numpy(np.concatenate([np.arange(length) for length in lengths]))[None].to(device),
        predicts=torch.from_numpy(predicts).to(device),
        targets=torch.from_numpy(ids[predicts + 1]).to(device),
    )


def padded_logprobs(model: Any, batch: Padded, temperature: float = 1.0) -> torch.Tensor:
    """Return the log-probability of each completion token, (B, C); what stands on padding is meaningless.

    Logits are computed for the completion alone: for a vocabulary of 150,000 those of a long prompt would take more
    memory than the model.
    """
    width = batch.completion_ids.shape[1]
    logits = model(
        input_ids=batch.input_ids,
        attention_mask=batch.attention_mask,
        position_ids=batch.position_ids,
        logits_to_keep=width + 1,
        use_cache=False,
    ).logits  # (B, C + 1, V)
    return chosen_logprobs(logits[:, :-1], batch.completion_ids, temperature)


def packed_logprobs(model: Any, batch: Packed) -> torch.Tensor:
    """Return the log-probability of each completion token of the row, (M,)."""
    logits = model(
        input_ids=batch.input_ids,
        attention_mask=batch.attention_mask,
        position_ids=batch.position_ids,
        logits_to_keep=batch.predicts,
        use_cache=False,
    ).logits  # (1, M, V)
    return chosen_logprobs(logits[0], batch.targets)


def chosen_logprobs(logits: torch.Tensor, ids: torch.Tensor, temperature: float = 1.0) -> torch.Tensor:
    """Return log softmax(logits / temperature) at `ids`, in float32; (..., V) and (...) give (...)."""
    scaled = logits.float() / temperature
    return scaled.gather(-1, ids[..., None])[..., 0] - scaled.logsumexp(-1)


def distinct(samples: Sequence[Tokens]) -> tuple[list[int], list[int]]:
    """Return the index of the first of each run of equal samples, and each sample's place among these.

    Episodes of one level often stand in the same state and do the same: one forward pass will do for all of them.

    Examples:
        >>> from types import SimpleNamespace as Sample
        >>> up, down = (Sample(prompt_ids=(1, 2), completion_ids=(n,)) for n in (3, 4))
        >>> distinct([up, down, up])
        ([0, 1], [0, 1, 0])
    """
    places: dict[tuple[tuple[int, ...], tuple[int, ...]], int] = {}
    firsts, own = [], []
    for index, sample in enumerate(samples):
        key = (sample.prompt_ids, sample.completion_ids)
        if key not in places:
            places[key] = len(places)
            firsts.append(index)
        own.append(places[key])
    return firsts, own


def micro_batches(samples: Sequence[Tokens], budget_tokens: int) -> list[list[int]]:
    """Return indices of samples in batches of at most `budget_tokens`, padding included; like lengths share one.

    Equal prompts stand side by side, so that most of their repetitions share a batch (see `distinct`). A sample longer
    than the budget is a batch of its own.
    """
    batches: list[list[int]] = []
    prompt_width = completion_width = 0
    order = sorted(range(len(samples)), key=lambda i: (n_tokens(samples[i]), samples[i].prompt_ids, i))
    for index in order:
        own = (len(samples[index].prompt_ids), len(samples[index].completion_ids))
        prompt_width, completion_width = max(prompt_width, own[0]), max(completion_width, own[1])
        if batches and (prompt_width + completion_width) * (len(batches[-1]) + 1) <= budget_tokens:
            batches[-1].append(index)
        else:
            batches.append([index])
            prompt_width, completion_width = own
    return batches


def packs(samples: Sequence[Tokens], budget_tokens: int) -> list[list[int]]:
    """Return indices of samples in rows of at most `budget_tokens`: longest first, each into the first row it fits."""
    rows: list[list[int]] = []
    free: list[int] = []
    for index in sorted(range(len(samples)), key=lambda i: (-n_tokens(samples[i]), i)):
        needed = n_tokens(samples[index])
        place = next((row for row, space in enumerate(free) if space >= needed), None)
        if place is None:
            rows.append([index])
            free.append(budget_tokens - needed)
        else:
            rows[place].append(index)
            free[place] -= needed
    return rows
