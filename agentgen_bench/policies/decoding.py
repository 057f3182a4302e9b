"""The rows of a batch under way: what each reads next, its own random numbers, and the drawing of its next token."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from agentgen_bench.policies.prefixes import Prefix
from agentgen_bench.policies.sampling import Sampling
from agentgen_bench.seeding import stream

Layers = tuple[tuple[Any, Any], ...]


class Rows:
    """The unfinished rows of a batch, and the keys and values of what they have read.

    Equal prompts, which episodes of one level share, are read once: until `share` the tensors have a row for each
    distinct prompt (D), then one for each completion (B). What is known of a prompt's beginning is not read again.
    Everything is padded on the left: `attention_mask` covers what was read and what is read next.
    """

    def __init__(
        self,
        prompts: Sequence[Sequence[int]],
        seeds: Sequence[int],
        sampling: Sampling,
        device: Any,
        known: Sequence[Prefix | None] = (),
    ) -> None:
        """Prepare the prompts; `known` holds the longest known prefix of each, or is empty."""
        import torch

        places: dict[tuple[int, ...], int] = {}
        owners = [places.setdefault(tuple(prompt), len(places)) for prompt in prompts]
        prefixes: list[Prefix | None] = [None] * len(places)
        for owner, prefix in zip(owners, known, strict=False):
            prefixes[owner] = prefix
        read = [0 if prefix is None else len(prefix.ids) for prefix in prefixes]
        new = [prompt[n:] for prompt, n in zip(places, read, strict=True)]
        width, before = max(map(len, new)), max(read)
        self.indices: list[int] = list(range(len(prompts)))
        self.owners = torch.tensor(owners, device=device)  # (B,), which distinct prompt is each completion's
        self.input_ids = torch.tensor([[0] * (width - len(ids)) + list(ids) for ids in new], device=device)  # (D, T)
        self.attention_mask: torch.Tensor = torch.tensor(
            [
                [0] * (before - n) + [1] * n + [0] * (width - len(ids)) + [1] * len(ids)
                for n, ids in zip(read, new, strict=True)
            ],
            device=device,
        )  # (D, read + T)
        self.position_ids: torch.Tensor = (self.attention_mask.cumsum(-1) - 1).clamp(min=0)[:, before:]  # (D, T)
        draws = np.stack([stream("completion", seed).random(sampling.max_tokens) for seed in seeds])
        self.uniforms: torch.Tensor = torch.from_numpy(draws).to(device)  # (B, max_tokens), in [0, 1)
        self.cache: Any = _cache(prefixes, before) if before else None
        self._has_read_prompts = False

    def took(self, cache: Any) -> bool:
        """Take over the cache after a pass; True where it was the one over the prompts, whose rows are then shared."""
        self.cache = cache
        if self._has_read_prompts:
            return False
        self._has_read_prompts = True
        from agentgen_bench.policies.growing import grow_in_place

        grow_in_place(self.cache)
        if len(self.attention_mask) != len(self.owners):
            self.cache.batch_select_indices(self.owners)
            self.attention_mask = self.attention_mask[self.owners]
            self.position_ids = self.position_ids[self.owners]
        return True

    def layers_of(self, place: int) -> Layers | None:
        """Return what the row at `place` has read, without padding; None where the cache does not keep all of it."""
        columns = self.attention_mask[place].bool()
        if not all(type(layer).__name__ == "GrowingLayer" for layer in self.cache.layers):
            return None
        return tuple((layer.keys[place][:, columns], layer.values[place][:, columns]) for layer in self.cache.layers)

    def advance(self, tokens: Any, going_on: Any) -> None:
        """Append the tokens and drop the rows that are finished, cache included."""
        import torch

        self.attention_mask = torch.cat([self.attention_mask, torch.ones_like(tokens)[:, None]], dim=-1)
        self.position_ids = self.position_ids[:, -1:] + 1
        self.input_ids = tokens[:, None]
        if bool(going_on.all()):
            return
        keep = going_on.nonzero()[:, 0]
        self.indices = [self.indices[i] for i in keep.tolist()]
        for name in ("attention_mask", "position_ids", "input_ids", "uniforms"):
            setattr(self, name, getattr(self, name)[keep])
        if self.indices:
            self.cache.batch_select_indices(keep)


def _cache(prefixes: Sequence[Prefix | None], width: int) -> Any:
    """Return the prefixes as one cache of `width` columns, padded on the left."""
    import torch
    from transformers import DynamicCache

    some = next(prefix for prefix in prefixes if prefix is not None)
    cache = DynamicCache()
    for number, (keys, values) in enumerate(some.layers):
        stacked = [torch.zeros(len(prefixes), t.shape[0], width, t.shape[2]).to(t) for t in (keys, values)]
        for row, prefix in enumerate(prefixes):
            if prefix is not None:
                for whole, own in zip(stacked, prefix.layers[number], strict=True):
                    whole[row, :, width - own.shape[1] :] = own
        cache.update(stacked[0], stacked[1], number)
    return cache


def next_tokens(logits: Any, uniforms: Any, sampling: Sampling) -> tuple[Any, Any]:
    """Return each row's next token and its log-probability under the distribution it was drawn from.

    Args:
        logits: float tensor, (B, V).
        uniforms: one number in [0, 1) per row, which inverts the row's cumulative distribution; (B,).
        sampling: temperature, top_k and top_p, applied in this order, as vLLM does.
    """
    import torch

    if sampling.greedy:
        tokens = logits.argmax(dim=-1)
    else:
        logits = kept_logits(logits, sampling)
        cumulative = logits.softmax(dim=-1).double().cumsum(dim=-1)  # (B, V)
        total = cumulative[:, -1]
        target = torch.minimum(uniforms * total, torch.nextafter(total, torch.zeros_like(total)))
        tokens = torch.searchsorted(cumulative, target[:, None], right=True)[:, 0]
    return tokens, logits.log_softmax(dim=-1).gather(-1, tokens[:, None])[:, 0]


def kept_logits(logits: Any, sampling: Sampling) -> Any:
    """Return the logits over the temperature, those outside top_k and top_p at minus infinity; border ties stay in."""
    logits = logits / sampling.temperature
    if sampling.top_k is not None and sampling.top_k < logits.shape[-1]:
        border = logits.topk(sampling.top_k, dim=-1).values[:, -1:]
        logits = logits.masked_fill(logits < border, -float("inf"))
    if sampling.top_p < 1:
        ordered, order = logits.sort(dim=-1, descending=True)
        probabilities = ordered.softmax(dim=-1)
        outside = probabilities.cumsum(dim=-1) - probabilities >= sampling.top_p  # the mass before it suffices
        logits = logits.masked_fill(outside.scatter(-1, order, outside), -float("inf"))
    return logits
