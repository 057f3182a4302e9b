"""Whose actions are these? Whether an entry's completions were drawn from named weights, as it says.

Replay rebuilds each prompt; one pass of the weights over prompt and completion tells how likely each token was
(/docs/likelihood.md has the derivation, what was measured, and what the check does not show).
"""

import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from agentgen_bench.episodes import Episode, Step, canonical_json
from agentgen_bench.errors import EntryError, PolicyError
from agentgen_bench.leaderboard.entry import EPISODES, FRESH_EPISODES, Metadata, digests, read_metadata
from agentgen_bench.leaderboard.fresh import read_fresh_episodes
from agentgen_bench.leaderboard.records import prompt_of, read_entry_episodes
from agentgen_bench.leaderboard.replay import RecordedPolicy
from agentgen_bench.policies.base import Decision, Description, TokenSample
from agentgen_bench.policies.prefill import INTERVAL_ENDS, TokenEvidence, evidences
from agentgen_bench.policies.sampling import Sampling
from agentgen_bench.policies.transformers import TransformersPolicy
from agentgen_bench.prompts import History, PromptConfig
from agentgen_bench.rollout import Job, play
from agentgen_bench.seeding import key_digest
from agentgen_bench.spec import TaskSpec
from agentgen_bench.suites import Suite, load_suite

# Room for what kernels differ by: a step of bfloat16 between logits of 32 to 64 is 0.25, and logits rounded to such
# steps move the mean by about 0.25^2 / 12 = 0.005 nats, here doubled. A small model on a CPU stays far inside with
# transformers in float32 and bfloat16 and with vLLM in float32 (benchmarks/likelihood_kernels.py); large models and
# GPUs have not been compared.
GREEDY_GAP = 0.25  # a logit this far below the best may be the best in another kernel
GREEDY_SHARE = 0.002  # of tokens may lie further below
SAMPLED_BIAS = 0.01  # nats a token that the mean may be off
RANK_BIAS = 0.01  # of the tokens may lie elsewhere among the likelier ones than sampling puts them
OUTSIDE_SHARE = 0.002  # of tokens may lie outside top_k and top_p
Z = 3.29  # two-sided normal quantile of a false alarm in a thousand
RANK_Z = 4.0  # of one in 2,600, in any of the intervals
MIN_TOKENS = 200  # fewer say nothing either way

# Where the check could not tell, it says nothing: an entry must not pass by making it blind.
MAX_LEFT_OUT = 0.1  # of the completions; runs of ours leave out 1.5 %
MAX_TEMPERATURE = 2.0  # hosted models take no higher one; the higher, the more alike all texts are
MIN_BLIND = 0.1  # nats a token that blindly drawn ones are off at least; 0 where all are as likely
MAX_KEPT = 0.1  # of the vocabulary left by top_k and top_p: with less, being outside tells


class Model(Protocol):
    """The weights to compare with, and how they turn a history into a prompt."""

    max_model_len: int
    stop_ids: tuple[int, ...]
    chat: Any


class Drawn(NamedTuple):
    """A completion of the record with its rebuilt prompt, as token ids; the token that ended it where it is known.

    Text tells that a completion ended, not by which of several stop tokens; a model that has several is not asked.
    """

    prompt: tuple[int, ...]
    completion: tuple[int, ...]


class Likelihood(NamedTuple):
    """The outcome: `holds` says that nothing speaks against the claim; the rest says what was looked at."""

    holds: bool
    statistic: float  # share of tokens beyond the gap, or mean log-probability above its expectation, in nats
    threshold: float
    rank_statistic: float  # sampled: share of the tokens too many in the interval that is closest to its limit
    rank_threshold: float
    outside: float  # sampled: share of tokens that top_k and top_p leave out
    mode: str  # greedy or sampled
    tokens: int
    completions: int
    left_out: int  # completions whose tokens or prompt could not be rebuilt
    episodes: int

    @property
    def text(self) -> str:
        """The outcome in a line."""
        verdict = "these weights" if self.holds else "NOT these weights, or not as recorded"
        what = "of greedy tokens are others" if self.mode == "greedy" else "nats a token off what sampling gives"
        ranks = (
            f"{self.rank_statistic:.4f} of the tokens elsewhere among the likelier ones ({self.rank_threshold:.4f}), "
            if self.mode == "sampled"
            else ""
        )
        return (
            f"{verdict}: {self.statistic:.4f} {what} (limit {self.threshold:.4f}), {ranks}{self.outside:.4f} outside "
            f"top-p and top-k; {self.tokens} tokens of {self.completions} completions in {self.episodes} episodes, "
            f"{self.left_out} left out"
        )


def likelihood(
    path: Path, policy: TransformersPolicy, *, n_episodes: int, beacon: str, suite: Suite | None = None
) -> Likelihood:
    """Return whether the completions of an entry look drawn from a policy's weights, under the recorded sampling.

    Args:
        path: the entry's folder; the folder above it names the suite.
        policy: the weights that the entry names.
        n_episodes: how many episodes are looked at.
        beacon: a string that was published after the entry, which decides which ones.
        suite: the suite (default: the shipped one of that name).

    Raises:
        EntryError: the entry's completions were not drawn by a model whose settings are on record, or too few can be
            rebuilt.
    """
    path = path.absolute()
    suite = load_suite(path.parent.name) if suite is None else suite
    metadata = read_metadata(path, suite)
    played = list(read_entry_episodes(path, metadata, suite, parsed=False))
    played += read_fresh_episodes(path, metadata, suite, parsed=False)
    files = digests(path)
    own = "".join(files[name] for name in (EPISODES, FRESH_EPISODES) if name in files)
    return compared(metadata, chosen_episodes(played, n_episodes, own, beacon), policy)


def compared(metadata: Metadata, episodes: Sequence[Episode], policy: TransformersPolicy) -> Likelihood:
    """Return whether the completions of these episodes look drawn from a policy's weights, as the metadata says.

    Raises:
        EntryError: as `likelihood` does.
    """
    sampling, config, context = _claimed(metadata)
    drawn, left_out = drawn_completions(episodes, policy, config, sampling.max_tokens, context)
    tokens = evidences(policy, drawn, sampling)
    return judged(tokens, sampling, n_episodes=len(episodes), left_out=left_out)


def _claimed(metadata: Metadata) -> tuple[Sampling, PromptConfig, int]:
    """Return how an entry's completions are said to have been drawn: sampling, prompt, and tokens of context.

    Raises:
        EntryError: no sampling of a model is on record, or one under which any text looks drawn.
    """
    config, policy = prompt_of(metadata), metadata.policy
    try:
        sampling, context = Sampling(**policy["sampling"]), int(policy["max_model_len"])
    except (KeyError, TypeError, ValueError, PolicyError) as error:
        raise EntryError(
            f"nothing to compare with weights: the entry's policy, of kind {policy.get('kind')!r}, records no sampling "
            f"of a model in one process ({type(error).__name__}: {str(error)[:100]})"
        ) from None
    if config is None:
        raise EntryError("nothing to compare with weights: a scripted policy has none")
    if sampling.temperature > MAX_TEMPERATURE:
        raise EntryError(
            f"weights say nothing at temperature {sampling.temperature:g}, where any text is about as likely as "
            f"another; at most {MAX_TEMPERATURE:g} can be checked"
        )
    return sampling, config, context


def chosen_episodes(episodes: Sequence[Episode], n_episodes: int, entry: str, beacon: str) -> list[Episode]:
    """Return `n_episodes` of the episodes, drawn from a string that was published after the entry's files were.

    Args:
        episodes: of the entry.
        n_episodes: how many; all where there are fewer.
        entry: the digest of the entry's episodes.
        beacon: any public string, such as a day's block hash or lottery numbers.
    """

    def place(episode: Episode) -> bytes:
        setting, seed, repeat = episode.key
        return key_digest("likelihood", entry, beacon, setting, seed, repeat)

    return sorted(episodes, key=place)[:n_episodes]


def drawn_completions(
    episodes: Sequence[Episode], model: Model, config: PromptConfig, max_tokens: int, max_model_len: int
) -> tuple[list[Drawn], int]:
    """Return the completions of replayed episodes with their prompts, and how many had to be left out.

    A completion is left out where its text gives another number of tokens than were recorded (the sampler wrote it in
    other tokens), or its prompt does, or where no prompt fits what is recorded of the context.

    Raises:
        EntryError: a record does not replay.
    """
    settings: dict[str, list[Episode]] = {}
    for episode in episodes:
        settings.setdefault(canonical_json(episode.spec), []).append(episode)
    found: list[Drawn] = []
    left_out = 0
    for group in settings.values():
        policy = _Rebuilding(group, model, config, max_model_len - max_tokens)
        spec = TaskSpec.from_json(group[0].spec)
        jobs = [Job(spec, episode.seed, episode.repeat, episode.level_id) for episode in group]
        for again in play(jobs, policy, workers=1, record_text=False):
            if again.ending == "error":
                raise EntryError(f"seed {again.seed} of {spec.label} does not replay: {again.error}")
        found += policy.drawn
        left_out += policy.left_out
    return found, left_out


def judged(
    tokens: Iterable[Sequence[TokenEvidence]], sampling: Sampling, *, n_episodes: int, left_out: int
) -> Likelihood:
    """Return whether the completions look drawn from the weights that gave this evidence.

    Greedy: the share of tokens whose logit lies more than `GREEDY_GAP` below the best one is at most `GREEDY_SHARE`,
    up to chance. Sampled: with s the log-probability of a token, H the entropy and V the variance at its place, s + H
    has mean 0 and variance V whatever came before (a martingale difference), so |mean(s + H)| is at most
    `SAMPLED_BIAS` + Z sqrt(sum V) / n; tokens that truncation leaves out are counted apart. So with the share of a
    token that lies in each of `INTERVAL_ENDS`, whose mean is the interval's width: a temperature that was chosen to
    bring the mean of s + H to 0 leaves too many tokens among the likeliest and among those that nobody would draw.

    Raises:
        EntryError: this says nothing: too few tokens, too many completions left out, or blindly drawn tokens would look
            drawn from the weights too.
    """
    completions = list(tokens)
    flat = [token for completion in completions for token in completion]
    n = len(flat)
    if n < MIN_TOKENS:
        raise EntryError(f"{n} tokens could be rebuilt, {MIN_TOKENS} are needed; check more episodes")
    if left_out > MAX_LEFT_OUT * (n_completions := len(completions) + left_out):
        raise EntryError(
            f"{left_out} of {n_completions} completions could not be rebuilt from the text, its token counts and the "
            f"settings on record; weights say nothing where that is more than {100 * MAX_LEFT_OUT:g} %"
        )
    outcome = _greedy(flat) if sampling.greedy else _sampled(flat)
    if outcome.holds:
        _check_telling(flat, MIN_BLIND if sampling.greedy else max(MIN_BLIND, outcome.threshold))
    mode = "greedy" if sampling.greedy else "sampled"
    return Likelihood(*outcome, mode, n, len(completions), left_out, n_episodes)


class _Outcome(NamedTuple):
    """What the tokens say; the fields are those of `Likelihood`."""

    holds: bool
    statistic: float
    threshold: float
    rank_statistic: float
    rank_threshold: float
    outside: float


def _greedy(tokens: Sequence[TokenEvidence]) -> _Outcome:
    n = len(tokens)
    statistic = sum(token.gap > GREEDY_GAP for token in tokens) / n
    threshold = GREEDY_SHARE + Z * math.sqrt(GREEDY_SHARE * (1 - GREEDY_SHARE) / n)
    return _Outcome(statistic <= threshold, statistic, threshold, 0.0, 0.0, 0.0)


def _sampled(tokens: Sequence[TokenEvidence]) -> _Outcome:
    inside = [token for token in tokens if math.isfinite(token.logprob)]
    n = max(1, len(inside))
    statistic = math.fsum(token.logprob + token.entropy for token in inside) / n
    threshold = SAMPLED_BIAS + Z * math.sqrt(math.fsum(token.variance for token in inside)) / n
    rank_statistic, rank_threshold = _ranks(inside)
    outside = 1 - len(inside) / len(tokens)
    holds = (
        abs(statistic) <= threshold
        and abs(rank_statistic) <= rank_threshold
        and outside <= OUTSIDE_SHARE + Z * math.sqrt(OUTSIDE_SHARE / len(tokens))
    )
    return _Outcome(holds, statistic, threshold, rank_statistic, rank_threshold, outside)


def _ranks(tokens: Sequence[TokenEvidence]) -> tuple[float, float]:
    """Return how many of the tokens are too many in an interval of `INTERVAL_ENDS`, as a share, and the limit.

    Of the intervals it is the one that comes closest to its limit, or goes farthest beyond.
    """
    n, low, found = max(1, len(tokens)), 0.0, []
    for k, high in enumerate(INTERVAL_ENDS):
        off = math.fsum(token.overlaps[k] for token in tokens) / n - (high - low)
        spread = math.sqrt(math.fsum(token.overlap_variances[k] for token in tokens)) / n
        found.append((off, RANK_BIAS + RANK_Z * spread))
        low = high
    return max(found, key=lambda interval: abs(interval[0]) / interval[1])


def _check_telling(tokens: Sequence[TokenEvidence], least: float) -> None:
    """Raise EntryError where tokens drawn blindly would be less than `least` nats off: any text would pass."""
    blind = -math.fsum(token.blind for token in tokens) / len(tokens)
    kept = math.fsum(token.kept for token in tokens) / len(tokens)
    if blind < least and kept > MAX_KEPT:
        raise EntryError(
            f"these weights say nothing: they make all tokens about as likely. Blindly drawn ones would be {blind:.4f} "
            f"nats off what sampling gives; {least:.4f} are needed to tell texts apart"
        )


class _Rebuilding:
    """Plays the recorded decisions and keeps each completion with the prompt that the model would have read."""

    def __init__(self, episodes: Sequence[Episode], model: Model, config: PromptConfig, budget: int) -> None:
        self.name = episodes[0].policy
        self.drawn: list[Drawn] = []
        self.left_out = 0
        self._model, self._config, self._budget = model, config, budget
        self._recorded = RecordedPolicy(self.name, episodes, config)
        own = model.chat.tokenizer.eos_token_id
        self._end = own if own in model.stop_ids else model.stop_ids[0]
        self._steps = {(episode.seed, episode.repeat): episode.steps for episode in episodes}

    def act(self, histories: Sequence[History]) -> list[Decision]:
        """Return the recorded decisions."""
        return [
            self._kept(history, decision)
            for history, decision in zip(histories, self._recorded.act(histories), strict=True)
        ]

    def describe(self) -> Description:
        """Return the kind."""
        return {"kind": "recorded"}

    def _kept(self, history: History, decision: Decision) -> Decision:
        _, seed, repeat, number = history.key
        steps = self._steps[int(seed), int(repeat)]
        if int(number) > len(steps):
            return decision
        step = steps[int(number) - 1]
        prompt = self._model.chat.prompt(history, self._config, self._budget)
        if prompt is None:  # as recorded where the model was not asked; else the recorded context is not the true one
            self.left_out += bool(step.completion or step.completion_tokens)
            return decision
        ids = self._ids(step, prompt.opening)
        if ids is None or len(prompt.ids) != step.prompt_tokens:
            self.left_out += 1
            return decision
        ended = len(ids) - (step.finish_reason == "stop" and len(self._model.stop_ids) > 1)
        if ended:
            self.drawn.append(Drawn(prompt.ids, ids[:ended]))
        return decision._replace(sample=TokenSample(prompt.ids, ids, ()))

    def _ids(self, step: Step, opening: str) -> tuple[int, ...] | None:
        """Return the completion's token ids, the stop token included; None where the record says another number."""
        text = step.completion.removeprefix(opening)
        ids = tuple(self._model.chat.tokenizer(text, add_special_tokens=False)["input_ids"])
        if step.finish_reason == "stop" and len(ids) + 1 == step.completion_tokens:
            ids = (*ids, self._end)
        return ids if ids and len(ids) == step.completion_tokens else None
