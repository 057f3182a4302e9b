"""Rows of tokens as tensors, and the log-probabilities a model gives to their completions.

A row is what one forward pass reads in one go: a prompt and its completion, or a whole chat with the completions of
many steps. `spans` say which of its tokens the model wrote.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np
import torch
from torch.nn.utils.rnn import pad_sequence

from agentgen_bench.train.packing import Packing, dense_mask, no_mask, packing_of, takes_packs


class Span(NamedTuple):
    """Tokens `start` to `end` - 1 of a row: one completion, its end-of-turn token included."""

    start: int
    end: int


class Tokens(Protocol):
    """Anything with the tokens of a row and the spans of its completions, in order; the first starts after token 0."""

    @property
    def ids(self) -> tuple[int, ...]:
        """Token ids of the whole row."""
        ...

    @property
    def spans(self) -> tuple[Span, ...]:
        """Where the completions are."""
        ...


class Sample(Protocol):
    """Anything with the tokens of a prompt and of the completion that followed it."""

    @property
    def prompt_ids(self) -> tuple[int, ...]:
        """Token ids of the prompt."""
        ...

    @property
    def completion_ids(self) -> tuple[int, ...]:
        """Token ids of the completion, its end-of-turn token included."""
        ...


class TokenRow(NamedTuple):
    """Tokens and the spans of the completions among them."""

    ids: tuple[int, ...]
    spans: tuple[Span, ...]


class Joined(NamedTuple):
    """A row made of samples, and the place of each among those it was made of."""

    row: TokenRow
    places: tuple[int, ...]


class Batch(NamedTuple):
    """Rows as one rectangle, shifted so that all first completions start in one column.

    Logits are needed in `columns` (K,) alone: those before the tokens that count. `targets` (B, K) are the tokens that
    follow each, `completions` (B, K) says which of them belong to a completion of their row, `prompts` (B, K) which
    to the rest of it (nowhere, unless asked for).
    """

    input_ids: torch.Tensor  # (B, T)
    attention_mask: torch.Tensor  # (B, T), 1 for tokens; beside a packing, none
    position_ids: torch.Tensor  # (B, T)
    columns: torch.Tensor  # (K,)
    targets: torch.Tensor  # (B, K)
    completions: torch.Tensor  # (B, K), bool
    prompts: torch.Tensor  # (B, K), bool
    packing: Packing | None = None


def joined(samples: Sequence[Sample | None]) -> list[Joined]:
    """Return the samples of one episode as rows: a sample whose prompt goes on from the one before joins its row.

    That is so in a growing chat. A prompt that was rendered anew (a window; a template that drops thoughts; turns
    dropped to fit) starts a row of its own; None and samples without a completion are in none.

    Examples:
        >>> from types import SimpleNamespace as Sample
        >>> first = Sample(prompt_ids=(1, 2), completion_ids=(3,))
        >>> second = Sample(prompt_ids=(1, 2, 3, 4), completion_ids=(5, 6))
        >>> [(joint.row.ids, [tuple(span) for span in joint.row.spans]) for joint in joined([first, second])]
        [((1, 2, 3, 4, 5, 6), [(2, 3), (4, 6)])]
    """
    rows: list[Joined] = []
    for place, sample in enumerate(samples):
        if sample is None or not sample.completion_ids:
            continue
        start = len(sample.prompt_ids)
        ids = (*sample.prompt_ids, *sample.completion_ids)
        span = Span(start, len(ids))
        last = rows[-1] if rows else None
        if last is not None and sample.prompt_ids[: len(last.row.ids)] == last.row.ids:
            rows[-1] = Joined(TokenRow(ids, (*last.row.spans, span)), (*last.places, place))
        else:
            rows.append(Joined(TokenRow(ids, (span,)), (place,)))
    return rows


def n_targets(row: Tokens) -> int:
    """Return the number of completion tokens of a row."""
    return sum(span.end - span.start for span in row.spans)


def row_lists(row: Tokens) -> dict[str, list[Any]]:
    """Return tokens and spans as lists, for a file that is read without this package."""
    return {"ids": list(row.ids), "spans": [list(span) for span in row.spans]}


def padded(rows: Sequence[Tokens], device: Any = "cpu", pad_id: int = 0, *, with_prompts: bool = False) -> Batch:
    """Return the rows as one padded batch; `with_prompts` makes every token but the first count."""
    before = max(row.spans[0].start for row in rows)
    shifts = [before - row.spans[0].start for row in rows]
    width = max(shift + len(row.ids) for shift, row in zip(shifts, rows, strict=True))
    ids = np.full((len(rows), width), pad_id, dtype=np.int64)
    mask = np.zeros_like(ids)
    is_completion, is_prompt = np.zeros(ids.shape, dtype=bool), np.zeros(ids.shape, dtype=bool)
    for i, (row, shift) in enumerate(zip(rows, shifts, strict=True)):
        end = shift + len(row.ids)
        ids[i, shift:end] = row.ids
        mask[i, shift:end] = 1
        for span in row.spans:
            is_completion[i, shift + span.start : shift + span.end] = True
        if with_prompts:
            is_prompt[i, shift + 1 : end] = ~is_completion[i, shift + 1 : end]
    counted = np.flatnonzero((is_completion | is_prompt).any(axis=0))  # tokens; each is predicted one column before
    attention_mask = torch.from_numpy(mask).to(device)
    return Batch(
        input_ids=torch.from_numpy(ids).to(device),
        attention_mask=attention_mask,
        position_ids=(attention_mask.cumsum(-1) - 1).clamp(min=0),
        columns=torch.from_numpy(counted - 1).to(device),
        targets=torch.from_numpy(ids[:, counted]).to(device),
        completions=torch.from_numpy(is_completion[:, counted]).to(device),
        prompts=torch.from_numpy(is_prompt[:, counted]).to(device),
    )


def packed(rows: Sequence[Tokens], device: Any = "cpu", *, with_prompts: bool = False) -> Batch:
    """Return the rows one after another as a single one, each seeing only itself."""
    ids = np.concatenate([row.ids for row in rows])
    lengths = [len(row.ids) for row in rows]
    starts = np.cumsum([0, *lengths[:-1]])
    is_completion = np.zeros(len(ids), dtype=bool)
    for row, start in zip(rows, starts, strict=True):
        for span in row.spans:
            is_completion[start + span.start : start + span.end] = True
    is_prompt = ~is_completion if with_prompts else np.zeros_like(is_completion)
    is_prompt[starts] = False  # nothing stands before a row's first token to predict it
    counted = np.flatnonzero(is_completion | is_prompt)
    return Batch(
        input_ids=torch.from_numpy(ids)[None].to(device),
        attention_mask=no_mask(device),
        position_ids=torch.from_numpy(np.concatenate([np.arange(length) for length in lengths]))[None].to(device),
        columns=torch.from_numpy(counted - 1).to(device),
        targets=torch.from_numpy(ids[counted])[None].to(device),
        completions=torch.from_numpy(is_completion[counted])[None].to(device),
        prompts=torch.from_numpy(is_prompt[counted])[None].to(device),
        packing=packing_of(lengths, device),
    )


def target_logprobs(model: Any, batch: Batch, temperature: float = 1.0) -> torch.Tensor:
    """Return the log-probability of each target, (B, K); where neither mask is on it is meaningless.

    Logits are computed in the columns that count alone: for a vocabulary of 150,000 those of a long prompt would take
    more memory than the model.
    """
    mask, options = batch.attention_mask, {}
    if batch.packing is not None and takes_packs(model):
        options = {"packing": batch.packing}
    elif batch.packing is not None:
        mask = dense_mask(batch.packing)
    logits = model(
        input_ids=batch.input_ids,
        attention_mask=mask,
        position_ids=batch.position_ids,
        logits_to_keep=batch.columns,
        use_cache=False,
        **options,
    ).logits  # (B, K, V)
    return chosen_logprobs(logits, batch.targets, temperature)


class Completions(NamedTuple):
    """The log-probabilities of the completions of B rows, (B, K), and where they are, (B, K); elsewhere 0."""

    logprobs: torch.Tensor
    mask: torch.Tensor


def completion_logprobs(model: Any, rows: Sequence[Tokens], device: Any, temperature: float = 1.0) -> Completions:
    """Return the model's log-probabilities of the rows' completion tokens, from one forward pass.

    The rows are read one after another where the model takes packs, else padded to a rectangle.
    """
    batch = (packed if takes_packs(model) else padded)(rows, device)
    logprobs = target_logprobs(model, batch, temperature)
    if batch.packing is None:
        return Completions(logprobs.masked_fill(~batch.completions, 0.0), batch.completions)
    counts = [n_targets(row) for row in rows]
    rectangle = pad_sequence(list(logprobs[0].split(counts)), batch_first=True)
    mask = torch.arange(rectangle.shape[1], device=device) < torch.tensor(counts, device=device)[:, None]
    return Completions(rectangle, mask)


def chosen_logprobs(logits: torch.Tensor, ids: torch.Tensor, temperature: float = 1.0) -> torch.Tensor:
    """Return log softmax(logits / temperature) at `ids`, in float32; (..., V) and (...) give (...)."""
    scaled = logits.float() if temperature == 1 else logits.float() / temperature
    # One fused kernel each way: 12 ms instead of 26 on a CPU where all of 2,048 tokens count, of 2,290 words.
    return -torch.nn.functional.cross_entropy(scaled.flatten(0, -2), ids.flatten(), reduction="none").view(ids.shape)


def scattered(values: Sequence[Any], mask: torch.Tensor) -> torch.Tensor:
    """Return (B, K) with each row's values, in order, where its mask is on, and zeros elsewhere."""
    result = torch.zeros(mask.shape, device=mask.device)
    for row, own in enumerate(values):
        numbers = own if isinstance(own, torch.Tensor) else torch.tensor(own, dtype=torch.float64)
        result[row, mask[row]] = numbers.to(result)
    return result


def by_span(values: Sequence[float], row: Tokens) -> list[float]:
    """Return each span's value for each of its tokens."""
    return [value for value, span in zip(values, row.spans, strict=True) for _ in range(span.start, span.end)]


def distinct(rows: Sequence[Tokens]) -> tuple[list[int], list[int]]:
    """Return the index of the first of each run of equal rows, and each row's place among these.

    Episodes of one level often stand in the same state and do the same: one forward pass will do for all of them.

    Examples:
        >>> up, down = (TokenRow((1, 2, n), (Span(2, 3),)) for n in (3, 4))
        >>> distinct([up, down, up])
        ([0, 1], [0, 1, 0])
    """
    places: dict[tuple[tuple[int, ...], tuple[Span, ...]], int] = {}
    firsts, own = [], []
    for index, row in enumerate(rows):
        key = (row.ids, row.spans)
        if key not in places:
            places[key] = len(places)
            firsts.append(index)
        own.append(places[key])
    return firsts, own


def micro_batches(rows: Sequence[Tokens], budget_tokens: int) -> list[list[int]]:
    """Return indices of rows in batches of at most `budget_tokens`, padding included; like lengths share one.

    Equal rows stand side by side, so that most of their repetitions share a batch (see `distinct`). A row longer than
    the budget is a batch of its own.
    """
    batches: list[list[int]] = []
    before = after = 0
    order = sorted(range(len(rows)), key=lambda i: (len(rows[i].ids), rows[i].ids, i))
    for index in order:
        start = rows[index].spans[0].start
        before, after = max(before, start), max(after, len(rows[index].ids) - start)
        if batches and (before + after) * (len(batches[-1]) + 1) <= budget_tokens:
            batches[-1].append(index)
        else:
            batches.append([index])
            before, after = start, len(rows[index].ids) - start
    return batches


def passes(model: Any, rows: Sequence[Tokens], budget_tokens: int) -> list[list[int]]:
    """Return indices of rows by forward pass, each of at most `budget_tokens`, padding included where there is any."""
    return (packs if takes_packs(model) else micro_batches)(rows, budget_tokens)


def packs(rows: Sequence[Tokens], budget_tokens: int) -> list[list[int]]:
    """Return indices in packs of at most `budget_tokens`: longest first, each into the first pack it fits."""
    filled: list[list[int]] = []
    free: list[int] = []
    for index in sorted(range(len(rows)), key=lambda i: (-len(rows[i].ids), i)):
        needed = len(rows[index].ids)
        place = next((pack for pack, space in enumerate(free) if space >= needed), None)
        if place is None:
            filled.append([index])
            free.append(budget_tokens - needed)
        else:
            filled[place].append(index)
            free[place] -= needed
    return filled


def dealt(rows: Sequence[Tokens], n_hands: int) -> list[list[int]]:
    """Return indices in hands of about as many tokens: longest first, to the last hand and back, each hand in order."""
    hands: list[list[int]] = [[] for _ in range(n_hands)]
    for place, index in enumerate(sorted(range(len(rows)), key=lambda i: (-len(rows[i].ids), i))):
        turn = place % (2 * n_hands)
        hands[min(turn, 2 * n_hands - 1 - turn)].append(index)
    return [sorted(hand) for hand in hands]
