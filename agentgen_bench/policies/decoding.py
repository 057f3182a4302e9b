"""The rows of a batch under way: what each reads next, its own random numbers, and the drawing of its next tokens."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from agentgen_bench.policies.prefixes import Prefix
from agentgen_bench.policies.sampling import Sampling
from agentgen_bench.seeding import stream

Layers = tuple[tuple[Any, Any], ...]
FEWEST_AT_WORK = 0.95  # of the rows of a pass: rows that are finished stay until then, as leaving moves others


class Rows:
    """The unfinished rows of a batch, and the keys and values of what they have read.

    Equal prompts, which episodes of one level share, are read once: until `took` the tensors have a row for each
    distinct prompt (D), then one for each completion (B). What is known of a prompt's beginning is not read again.
    Prompts are padded on the left; `attention_mask` covers what was read and what is read next, and hides padding and
    wrong guesses. Some rows may be finished: `indices` holds the completions at work, and what is said of a "place" is
    said of the row of the one at that place.
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
        self.indices: list[int] = list(range(len(prompts)))  # (P,), the prompt of each completion at work
        self._rows = list(range(len(prompts)))  # (P,), the row of each in the tensors of B
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
        self.cache: Any = None
        if before:
            from agentgen_bench.policies.growing import with_prefixes

            self.cache = with_prefixes(prefixes, before, width)
        self.counts: torch.Tensor = torch.zeros(len(prompts), dtype=torch.long, device=device)  # tokens drawn, (B,)
        self.drafts: Sequence[Sequence[int]] = [[] for _ in prompts]  # guesses read in this pass, of each row
        self._read: torch.Tensor | None = None  # 1 where this pass reads a token or a guess, (B, W); None: the prompts

    @property
    def width(self) -> int:
        """The tokens after which this pass gives logits: the last of the prompts, then all that it reads."""
        return 1 if self._read is None else self._read.shape[-1]

    @property
    def can_take_back(self) -> bool:
        """Whether what was read of wrong guesses can be hidden: not where a layer keeps a state or drops tokens."""
        return all(type(layer).__name__ == "GrowingLayer" for layer in self.cache.layers)

    def took(self, cache: Any) -> bool:
        """Take over the cache after a pass; True where it was the one over the prompts, whose rows are then shared."""
        self.cache = cache
        if self._read is not None:
            return False
        from agentgen_bench.policies.growing import grow_in_place

        grow_in_place(self.cache)
        if len(self.attention_mask) != len(self.owners):
            self.cache.batch_select_indices(self.owners)
            self.attention_mask = self.attention_mask[self.owners]
            self.position_ids = self.position_ids[self.owners]
        return True

    def layers_of(self, place: int) -> Layers | None:
        """Return what the row at `place` has read, without padding; None where the cache does not keep all of it."""
        row = self._rows[place]
        columns = self.attention_mask[row].bool()
        if not self.can_take_back:
            return None
        return tuple((layer.keys[row][:, columns], layer.values[row][:, columns]) for layer in self.cache.layers)

    def at_work(self, tensor: Any) -> Any:
        """Return the rows of a tensor of all, (B, ...), that are not finished, (P, ...), place by place."""
        return tensor if self._rows == list(range(len(tensor))) else tensor[self._rows]

    def draws(self) -> Any:
        """Return the random numbers of the tokens that this pass may draw, (P, W)."""
        import torch

        places = self.at_work(self.counts)[:, None] + torch.arange(self.width, device=self.counts.device)
        return self.at_work(self.uniforms).gather(-1, places.clamp(max=self.uniforms.shape[-1] - 1))

    def settle(self, taken: Any) -> None:
        """Note how many tokens were drawn at each place in this pass, (P,), and hide what was read of wrong guesses."""
        self.counts[self._rows] += taken
        if self._read is not None:
            read = self.at_work(self._read)
            self.attention_mask[self._rows, -self.width :] = read & (read.cumsum(-1) <= taken[:, None])

    def go_on(self, keep: Sequence[int], tokens: Sequence[int], drafts: Sequence[Sequence[int]]) -> None:
        """Keep those at these places; each reads its last token next, then guesses."""
        import torch

        self.indices = [self.indices[place] for place in keep]
        self._rows = [self._rows[place] for place in keep]
        if not keep:
            return
        device = self.input_ids.device
        if len(keep) < FEWEST_AT_WORK * len(self.counts):
            self._close_up()
        width = 1 + max(map(len, drafts), default=0)
        reads: list[list[int]] = [[] for _ in range(len(self.counts))]
        for row, token, draft in zip(self._rows, tokens, drafts, strict=True):
            reads[row] = [token, *draft]
        self.input_ids = torch.tensor([read + [0] * (width - len(read)) for read in reads], device=device)  # (B, W)
        lengths = torch.tensor(list(map(len, reads)), device=device)
        self._read = (torch.arange(width, device=device) < lengths[:, None]).long()
        before = self.attention_mask.sum(-1, keepdim=True)
        self.position_ids = (before + torch.arange(width, device=device)) * self._read  # none beyond the context
        self.attention_mask = torch.cat([self.attention_mask, self._read], dim=-1)
        self.drafts = drafts

    def _close_up(self) -> None:
        """Drop the rows that are finished: the last ones at work take their places."""
        import torch

        n = len(self._rows)
        last, free = sorted(row for row in self._rows if row >= n), sorted(set(range(n)) - set(self._rows))
        new = dict(zip(last, free, strict=True))  # where a row at work goes
        order = list(range(n))
        for row, place in new.items():
            order[place] = row
        kept = torch.tensor(order, device=self.input_ids.device)
        for name in ("attention_mask", "uniforms", "counts"):
            setattr(self, name, getattr(self, name)[kept])
        self.cache.batch_select_indices(kept)
        self._rows = [new.get(row, row) for row in self._rows]


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
