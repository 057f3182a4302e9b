"""GRPO for agents that act in many steps: one file, to be read from top to bottom.

The method is Group Relative Policy Optimization (DeepSeekMath, arXiv 2402.03300): play the same level `group_size`
times, compare the returns within the group, and make the tokens of better episodes more likely. Everything is here
but plumbing: settings, advantages, loss, rollouts, update, loop. Environments, prompts, parsing and the rollout loop
are those of evaluation; the sampler is one of its policies.

Departures from the papers, and options that follow them:

- Step-wise samples. In the protocol `window` each step is a row of its own: a prompt with a bounded history, and its
  completion, as in arXiv 2601.18217 and verl-agent. In a growing chat (`chat`, `tools`) each step's prompt goes on
  from the one before, so the steps of an episode share a row, every token of which is read once. All steps of an
  episode share its advantage.
- Statistics of a group are taken over episodes. verl-agent takes them over step rows, so long episodes weigh more;
  `statistics="rows"` does the same. A group of one has advantage 0 (verl: its reward), and so has a group of equal
  returns, exactly.
- An invalid action costs its episode `invalid_penalty`, which all the episode's steps share. In verl-agent it costs
  the invalid step alone: its row's score is the episode's return less the penalty; `invalid_penalty_on="row"` does the
  same. GiGPO's discounted returns are then taken without the penalty, which comes off the invalid step's own
  afterwards. With statistics over episodes, verl-agent takes an episode's first row for it; here all its rows count,
  each 1 / length.
- Rollouts of a level differ in their distractors, each with a draw of its own, and whether there are any.
- Division by the group's standard deviation (n - 1 in the denominator, plus 1e-6, as verl does) is an option, because
  it favours levels that are nearly always or nearly never solved (Dr. GRPO, arXiv 2503.20783).
- `step_credit_weight` adds GiGPO's step-level advantage (arXiv 2505.10978): steps of one group that saw the same
  observation form a group of their own, compared by their discounted return. Anchors are equal observations without
  their distractors, not equal hidden states.
- In packs of tasks (`--lifecycle`), `credit="cod"` credits a note, or the update episode that writes the context, with
  what the tasks after it earn (arXiv 2606.20002). Solve and update episodes of a pack are rows of one batch.
- `clip="one_side"` and `reweight_negative` are that paper's: no ratio in the gradient, and none from tokens that went
  too far already; advantages weighted where their sum over the tokens of a step is negative (`reweighting.py`).
- `negative_weight` is a factor on advantages below 0. With 0 nothing is learned from what went worse (positive sample
  reinforcement, arXiv 2506.01347); a small model, all but sure of most tokens, unlearns by being pushed off them.
- Clipping has a lower and an upper bound (`clip_high` above `clip_low` is DAPO's clip-higher, arXiv 2503.14476).
- The KL penalty against the initial policy is the estimator k3 (http://joschu.net/blog/kl-approx.html), in the loss,
  as in the GRPO paper; not in the reward, and not weighted by the ratio (TRL's default since DeepSeek-V3.2).
- The loss is a mean over tokens (DAPO) or over samples of their token means (GRPO). A sample is a step, not an
  episode. The denominator counts the whole mini-batch over all processes, so the gradient does not depend on how
  it is cut into micro-batches.
- Sampler and trainer compute slightly different log-probabilities (other kernels, other precision). The ratio is
  taken against the trainer's own values, and each token is weighted by min(trainer / sampler, `importance_cap`)
  (truncated importance sampling, https://fengyao.notion.site/off-policy-rl). `importance_cap=None` puts the sampler's
  values into the ratio instead.
- Samples without advantage are left out of the forward pass where there is no KL penalty: their gradient is 0. Equal
  samples, of episodes that do the same in the same state, share one. A mini-batch in which nothing has an advantage
  makes no optimizer step; elsewhere Adam would go on by its momentum.
- Episodes that crashed are left out of their group; a prompt that does not fit has no tokens to train on, but its
  step counts for the return.
- Parameters are kept in float32; `bf16` computes in bfloat16 around them, except on a CPU without instructions for
  it. The initial policy of the KL penalty is computed in the same way and split over the same processes, so the
  penalty is exactly 0 until the first update. The optimizer is AdamW, betas .9 and .999.
"""

import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import gymnasium as gym
import numpy as np
import numpy.typing as npt
import torch

from agentgen_bench.episodes import Episode
from agentgen_bench.errors import RunError
from agentgen_bench.evaluation.training import PlayedLevels
from agentgen_bench.make import make
from agentgen_bench.policies.asking import Watched
from agentgen_bench.policies.backends import Resources, Wanted, back_end
from agentgen_bench.policies.backends import trainable as trainable_policy
from agentgen_bench.policies.base import Decision, Policy, TokenSample, TrainablePolicy
from agentgen_bench.policies.sampling import Sampling
from agentgen_bench.prompts import History
from agentgen_bench.rollout import Job, job_key, play
from agentgen_bench.scores.packs import task_scores
from agentgen_bench.seeding import seed_from, stream
from agentgen_bench.spec import TaskSpec
from agentgen_bench.text import render
from agentgen_bench.train.checkpoints import (
    checkpoint_path,
    last_checkpoint,
    load_state,
    refuse_fewer_steps,
    remove_unfinished,
    save_state,
    write_checkpoint,
)
from agentgen_bench.train.grpo_config import Config as Config
from agentgen_bench.train.health import cross_input
from agentgen_bench.train.logs import Logs, SilentLogs
from agentgen_bench.train.models import (
    ADAPTER_FOLDER,
    load_model,
    load_tokenizer,
    merged_tensors,
    save_model,
    trainable,
)
from agentgen_bench.train.norms import use_fused_norms
from agentgen_bench.train.optimizing import (
    accelerator_for,
    learning_rate,
    out_of_memory_explained,
    set_learning_rate,
    stop_unless_finite,
    tokens_per_pass,
)
from agentgen_bench.train.pack_credit import ROUNDING, pack_advantages, pack_rewards
from agentgen_bench.train.packing import attention_kernel, set_attention
from agentgen_bench.train.provenance import of_sources, played_before, record_training
from agentgen_bench.train.reweighting import reweighted, temperature_for, weighted_sum
from agentgen_bench.train.settings import open_training, to_json, training_jobs
from agentgen_bench.train.sharding import (
    clip_gradients,
    equal_passes,
    frozen,
    gathered_texts,
    gathered_weights,
    gradients_meet,
    is_split,
    load_optimizer_state,
    optimizer_state,
    prepared,
)
from agentgen_bench.train.tokens import (
    Span,
    by_span,
    completion_logprobs,
    distinct,
    joined,
    n_targets,
    passes,
    row_lists,
    scattered,
)

Array = npt.NDArray[np.float64]
SHOWN = ("reward/mean", "success/mean", "kl", "clip_frac", "tokens/per_s")
CROSS_INPUTS = 8  # completions that are scored after each other's prompts, per process
# Largest difference in a log-probability between trainer and sampler that a sync may leave, by precision.
PROBE_TOLERANCE = {"float32": 1e-3, "bfloat16": 0.1}


# --------------------------------------------------------------------------------------------------------------------
# Advantages: from the rewards of a group to one number per step
# --------------------------------------------------------------------------------------------------------------------


def group_advantages(
    returns: Array, groups: npt.NDArray[np.int64], divide_by_std: bool, weights: Array | None = None
) -> Array:
    """Return each return minus the mean of its group, over its standard deviation where asked; groups of one get 0.

    arXiv 2402.03300, section 4.1.2. The deviation has n - 1 in its denominator and 1e-6 added to it. A group whose
    returns are equal but for rounding gets exactly 0: no gradient, so no step of the optimizer by its momentum alone.

    Args:
        returns: one number per episode (or step), (N,).
        groups: the group of each, (N,).
        divide_by_std: whether to divide.
        weights: how much each counts in mean, deviation and n, (N,); None: 1.
    """
    weights = np.ones(len(returns)) if weights is None else weights
    _, index = np.unique(groups, return_inverse=True)
    sizes = np.bincount(index, weights)
    centred = returns - (np.bincount(index, weights * returns) / sizes)[index]
    highest, lowest = np.full(len(sizes), -np.inf), np.full(len(sizes), np.inf)
    np.maximum.at(highest, index, returns)
    np.minimum.at(lowest, index, returns)
    varies = highest - lowest > ROUNDING * np.maximum(np.abs(highest), np.abs(lowest))
    has_others = sizes > 1 + ROUNDING
    if divide_by_std:
        variance = np.bincount(index, weights * centred**2) / np.where(has_others, sizes - 1, 1)
        centred = centred / (np.sqrt(variance) + 1e-6)[index]
    return np.where((varies & has_others)[index], centred, 0.0)


def discounted_returns(rewards: Sequence[float], discount: float) -> Array:
    """Return, for each step, the sum of the rewards from it on, each discounted by its distance.

    Examples:
        >>> discounted_returns([0.0, 0.0, 1.0], 0.5).tolist()
        [0.25, 0.5, 1.0]
    """
    returns = np.zeros(len(rewards))
    later = 0.0
    for step in reversed(range(len(rewards))):
        later = rewards[step] + discount * later
        returns[step] = later
    return returns


def step_rewards(episode: Episode, config: Config) -> list[float]:
    """Return the reward of each step as the trainer counts it, penalties included."""
    return [earned - lost for earned, lost in zip(earnings(episode, config), penalties(episode, config), strict=True)]


def penalties(episode: Episode, config: Config) -> list[float]:
    """Return what each step loses for an invalid action; the one of an update episode, for no context to be read."""
    updates = {part.start for part in episode.parts if part.context_chars is not None}
    lost = [config.unread_penalty if i in updates else config.invalid_penalty for i in range(len(episode.steps))]
    return [0.0 if step.is_action_valid else loss for step, loss in zip(episode.steps, lost, strict=True)]


def earnings(episode: Episode, config: Config) -> list[float]:
    """Return the reward of each step without penalties: the environment's, and the episode's worth at its last step."""
    last = len(episode.steps) - 1
    final = {"success": float(episode.success), "score": episode.score, "return": 0.0}[config.reward]
    own = [step.reward if config.reward == "return" else 0.0 for step in episode.steps]
    return [reward + (config.success_reward * final if i == last else 0.0) for i, reward in enumerate(own)]


class Rollout(NamedTuple):
    """An episode with what each of its decisions sampled; a sample is None where the prompt did not fit.

    `anchors` holds what each decision saw, without distractors; it is empty where no step-level credit asks for it.
    """

    group: int
    episode: Episode
    anchors: tuple[str, ...]
    samples: tuple[TokenSample | None, ...]


def advantages(rollouts: Sequence[Rollout], config: Config) -> Array:
    """Return the advantage of every step of every rollout, in order, (all steps,), those below 0 by their weight."""
    by_step = (_cod_advantages if config.credit == "cod" else _episode_advantages)(rollouts, config)
    if config.step_credit_weight > 0:
        by_step = by_step + config.step_credit_weight * _step_advantages(rollouts, config)
    return np.where(by_step < 0, config.negative_weight * by_step, by_step)


def _episode_advantages(rollouts: Sequence[Rollout], config: Config) -> Array:
    """Return the advantage of every step from its episode's return; all steps share it, but for penalties on rows."""
    lengths = np.array([len(rollout.episode.steps) for rollout in rollouts])
    groups = np.array([rollout.group for rollout in rollouts], dtype=np.int64)
    on_row = config.invalid_penalty_on == "row"
    returns = np.array([sum((earnings if on_row else step_rewards)(one.episode, config)) for one in rollouts])
    if config.statistics == "episodes" and not on_row:
        return np.repeat(group_advantages(returns, groups, config.divide_by_std), lengths)
    scores = np.repeat(returns, lengths)
    if on_row:
        scores = scores - np.concatenate([penalties(rollout.episode, config) for rollout in rollouts])
    weights = None if config.statistics == "rows" else 1 / np.repeat(lengths, lengths)
    return group_advantages(scores, np.repeat(groups, lengths), config.divide_by_std, weights)


def _cod_advantages(rollouts: Sequence[Rollout], config: Config) -> Array:
    """Return the advantages of packs by task and note (arXiv 2606.20002); never over a standard deviation."""
    packs = []
    for rollout in rollouts:
        scores = task_scores(rollout.episode)
        worth = {"success": [float(score == 1.0) for score in scores], "score": scores, "return": [0.0] * len(scores)}
        ends = [config.success_reward * value for value in worth[config.reward]]
        unsolved = replace(rollout.episode, success=False, score=0.0)
        packs.append(pack_rewards(rollout.episode, step_rewards(unsolved, config), ends))
    by_rollout: dict[int, Array] = {}
    for group in dict.fromkeys(rollout.group for rollout in rollouts):
        members = [i for i, rollout in enumerate(rollouts) if rollout.group == group]
        by_rollout.update(zip(members, pack_advantages([packs[i] for i in members]), strict=True))
    return np.concatenate([by_rollout[i] for i in range(len(rollouts))])


def _step_advantages(rollouts: Sequence[Rollout], config: Config) -> Array:
    """Return GiGPO's step-level advantages (arXiv 2505.10978, section 4.2): groups of equal observations of a level."""
    on_row = config.invalid_penalty_on == "row"
    anchors: dict[tuple[int, str], int] = {}
    groups = [
        anchors.setdefault((rollout.group, observation), len(anchors))
        for rollout in rollouts
        for observation in rollout.anchors
    ]
    rewards = [(earnings if on_row else step_rewards)(rollout.episode, config) for rollout in rollouts]
    returns = np.concatenate([discounted_returns(steps, config.step_discount) for steps in rewards])
    if on_row:
        returns = returns - np.concatenate([penalties(rollout.episode, config) for rollout in rollouts])
    return group_advantages(returns, np.array(groups, dtype=np.int64), config.divide_by_std)


# --------------------------------------------------------------------------------------------------------------------
# Loss
# --------------------------------------------------------------------------------------------------------------------


class TokenLoss(NamedTuple):
    """What each token costs, and what the log tells about it; all (B, K)."""

    loss: torch.Tensor
    kl: torch.Tensor
    clipped: torch.Tensor


def token_loss(
    logprobs: torch.Tensor,
    old_logprobs: torch.Tensor,
    advantages: torch.Tensor,
    *,
    clip_low: float,
    clip_high: float,
    clip: str = "ppo",
    weights: torch.Tensor | None = None,
    reference_logprobs: torch.Tensor | None = None,
    kl_coef: float = 0.0,
) -> TokenLoss:
    """Return the clipped policy-gradient loss of each token plus its KL penalty (arXiv 2402.03300, equation 3).

    Args:
        logprobs: of the policy under training, (B, K).
        old_logprobs: of the policy before this step's updates, (B, K).
        advantages: of each token, (B, K), or of each row, (B, 1).
        clip_low: the ratio is clipped at 1 - clip_low.
        clip_high: the ratio is clipped at 1 + clip_high.
        clip: "ppo" as there; "one_side": -A log p, whose gradient holds no ratio, and is 0 for tokens whose ratio is
            beyond the bound on the side that the advantage pushes to (arXiv 2606.20002's trainer).
        weights: importance of each token between trainer and sampler, (B, K); None: 1.
        reference_logprobs: of the initial policy, (B, K); None: no penalty.
        kl_coef: weight of the penalty.
    """
    ratio = torch.exp(logprobs - old_logprobs)
    clipped = ((ratio < 1 - clip_low) & (advantages < 0)) | ((ratio > 1 + clip_high) & (advantages > 0))
    if clip == "one_side":
        loss = -advantages * logprobs * ~clipped
    else:
        bounded = ratio.clamp(1 - clip_low, 1 + clip_high)
        loss = -torch.minimum(ratio * advantages, bounded * advantages)
    if weights is not None:
        loss = loss * weights
    kl = torch.zeros_like(loss)
    if reference_logprobs is not None:
        difference = reference_logprobs - logprobs
        kl = torch.exp(difference) - difference - 1  # k3: unbiased, never negative
        loss = loss + kl_coef * kl
    return TokenLoss(loss, kl.detach(), clipped.float())


def reduced(
    values: torch.Tensor, mask: torch.Tensor, lengths: torch.Tensor, mean: str, n_tokens: float, n_samples: float
) -> torch.Tensor:
    """Return the share of this micro-batch in the mean over a mini-batch of `n_tokens` tokens in `n_samples` samples.

    Args:
        values: of each token, (B, K).
        mask: which of them are tokens, (B, K).
        lengths: the number of tokens in each token's sample, (B, K).
        mean: "tokens": every token weighs the same; "samples": every sample does.
        n_tokens: completion tokens of the whole mini-batch.
        n_samples: samples of the whole mini-batch.
    """
    counted = values * mask
    if mean == "tokens":
        return counted.sum() / n_tokens
    return (counted / lengths.clamp(min=1)).sum() / n_samples


def importance_weights(trainer_logprobs: torch.Tensor, sampler_logprobs: torch.Tensor, cap: float) -> torch.Tensor:
    """Return min(trainer / sampler, cap) of each token's probability; no gradient flows through it."""
    return torch.exp(trainer_logprobs.detach() - sampler_logprobs).clamp(max=cap)


# --------------------------------------------------------------------------------------------------------------------
# Rollouts
# --------------------------------------------------------------------------------------------------------------------


class Row(NamedTuple):
    """Steps as trained on: their tokens, the sampler's log-probability of each completion token, their advantages."""

    ids: tuple[int, ...]
    spans: tuple[Span, ...]
    logprobs: tuple[float, ...]  # of all completion tokens, in order
    advantages: tuple[float, ...]  # of each span


# Stands in where a process has no row of its own but must make a pass; it never counts.
FILLER = Row((0, 0), (Span(1, 2),), (0.0,), (0.0,))


def play_groups(
    groups: Sequence[Sequence[Job]],
    policy: Policy,
    workers: int,
    make_env: Callable[[TaskSpec], gym.Env[str, str]] = make,
    *,
    with_anchors: bool = False,
) -> tuple[list[Rollout], list[Episode]]:
    """Return the rollouts of the groups in their order, and the episodes that crashed, which are not among them.

    `with_anchors` keeps what each decision saw, which step-level credit needs.
    """
    kept: dict[tuple[str | int, ...], list[TokenSample | None]] = {}

    def keep(history: History, decision: Decision) -> None:
        kept.setdefault(history.key[:3], []).append(decision.sample)

    jobs = [job for group in groups for job in group]
    played = play(jobs, Watched(policy, keep), workers=workers, record_text=with_anchors, make_env=make_env)
    by_key = {episode.key: episode for episode in played}
    rollouts, crashed = [], []
    for number, group in enumerate(groups):
        for job in group:
            episode = by_key[job_key(job)]
            if episode.ending == "error":
                crashed.append(episode)
                continue
            samples = kept[episode.level_id, job.seed, job.repeat]
            rollouts.append(Rollout(number, episode, anchors_of(episode), tuple(samples)))
    return rollouts, crashed


def anchors_of(episode: Episode) -> tuple[str, ...]:
    """Return what each decision of the episode saw, without distractors; nothing of a record without texts."""
    seen = [episode.first_sections, *(step.sections for step in episode.steps[:-1])]
    return tuple(
        render([section for section in sections if section.source != "distractor"])
        for sections in seen
        if sections is not None
    )


def training_rows(rollouts: Sequence[Rollout], config: Config) -> list[Row]:
    """Return the steps that have tokens as rows: a row each, or one for all steps that a growing chat holds."""
    credits = iter(advantages(rollouts, config).tolist() if rollouts else ())
    rows = []
    for rollout in rollouts:
        own = [next(credits) for _ in rollout.samples]
        for (ids, spans), places in joined(rollout.samples):
            drawn = [sample for place in places if (sample := rollout.samples[place]) is not None]
            logprobs = tuple(logprob for sample in drawn for logprob in sample.logprobs)
            rows.append(Row(ids, spans, logprobs, tuple(own[place] for place in places)))
    return rows


def with_weights(rows: Sequence[Row], total: Callable[[float], float]) -> tuple[list[Row], float]:
    """Return the rows with weighted advantages where their sum over tokens is negative, and the temperature, else 0.

    `total` sums a number over all processes.
    """
    advantages = [advantage for row in rows for advantage in row.advantages]
    tokens = [span.end - span.start for row in rows for span in row.spans]
    temperature = temperature_for(lambda temperature: total(weighted_sum(advantages, tokens, temperature)))
    if temperature is None:
        return list(rows), 0.0
    return [
        row._replace(advantages=tuple(reweighted(row.advantages, temperature).tolist())) for row in rows
    ], temperature


# --------------------------------------------------------------------------------------------------------------------
# Update
# --------------------------------------------------------------------------------------------------------------------


@dataclass
class Learner:
    """What changes during training: the model (as accelerate wraps it) and the optimizer; and what it is held to."""

    accelerator: Any
    model: Any
    optimizer: Any
    reference: Any  # the initial policy; None without a KL penalty or with adapters, which can be turned off

    @property
    def plain_model(self) -> Any:
        """The model without accelerate's wrapping."""
        return self.accelerator.unwrap_model(self.model)

    def total(self, *numbers: float) -> list[float]:
        """Return the sums of the numbers over all processes."""
        summed = self.accelerator.reduce(torch.tensor(numbers, device=self.accelerator.device, dtype=torch.float64))
        return [float(number) for number in summed]


def logprobs_of(model: Any, rows: Sequence[Row], config: Config, accelerator: Any) -> list[torch.Tensor]:
    """Return the model's log-probabilities of the completion tokens of each row, in order, without gradients.

    Rows that no gradient will come from get an empty tensor.
    """
    device = accelerator.device
    used = [i for i, row in enumerate(rows) if _has_gradient(row, config)]
    firsts, places = distinct([rows[i] for i in used])
    samples = [rows[used[first]] for first in firsts]
    values: dict[int, torch.Tensor] = {}
    batches = passes(model, samples, tokens_per_pass(config.micro_batch_tokens, device))
    with torch.no_grad():
        if is_split(model):
            for _ in range(equal_passes(accelerator, len(batches)) - len(batches)):
                completion_logprobs(model, [FILLER], device)
        for indices in batches:
            read = completion_logprobs(model, [samples[i] for i in indices], device, config.temperature)
            for i, own, mask in zip(indices, read.logprobs, read.mask, strict=True):
                values[i] = own[mask]
    results = [torch.zeros(0, device=device)] * len(rows)
    for i, place in zip(used, places, strict=True):
        results[i] = values[place]
    return results


def _has_gradient(row: Row, config: Config) -> bool:
    return any(row.advantages) or config.kl_coef > 0


def update(learner: Learner, rows: Sequence[Row], config: Config, step: int) -> dict[str, float]:
    """Make one step's optimizer steps and return what the log tells about them."""
    reference = _reference_logprobs(learner, rows, config)
    n_samples = learner.total(sum(len(row.spans) for row in rows))[0]
    n_mini = max(1, -(-int(n_samples) // config.mini_batch))
    old = None
    if config.importance_cap is not None and n_mini * config.epochs > 1:
        old = logprobs_of(learner.plain_model, rows, config, learner.accelerator)
    sums: dict[str, float] = {}
    for epoch in range(config.epochs):
        rng = stream("mini-batches", config.seed, step, epoch, learner.accelerator.process_index)
        order = rng.permutation(len(rows))
        for part in np.array_split(order, n_mini):
            for name, value in _optimizer_step(learner, part.tolist(), rows, old, reference, config, step).items():
                sums[name] = sums.get(name, 0.0) + value
    tokens = max(1.0, sums["tokens"])
    updates = max(1.0, sums["updates"])
    return {
        "loss": sums["loss"] / updates,
        "kl": sums["kl"] / tokens,
        "clip_frac": sums["clipped"] / tokens,
        "logprob_gap": sums["gap"] / tokens,  # mean |trainer - sampler| of a sampled token's log-probability
        "entropy": sums["surprise"] / tokens,  # estimated by the mean of -log p over the sampled tokens
        "gradient_norm": sums["gradient_norm"] / updates,
        "updates": sums["updates"],
    }


def _reference_logprobs(learner: Learner, rows: Sequence[Row], config: Config) -> list[torch.Tensor] | None:
    if config.kl_coef == 0:
        return None
    if learner.reference is not None:
        return logprobs_of(learner.reference, rows, config, learner.accelerator)
    with learner.plain_model.disable_adapter():
        return logprobs_of(learner.plain_model, rows, config, learner.accelerator)


def _optimizer_step(
    learner: Learner,
    indices: list[int],
    rows: Sequence[Row],
    old: list[torch.Tensor] | None,
    reference: list[torch.Tensor] | None,
    config: Config,
    step: int,
) -> dict[str, float]:
    """Make one optimizer step from one mini-batch: micro-batches, accumulated gradients, clipping, a check."""
    accelerator = learner.accelerator
    n_tokens, n_samples = learner.total(
        sum(n_targets(rows[i]) for i in indices), sum(len(rows[i].spans) for i in indices)
    )
    active = [i for i in indices if _has_gradient(rows[i], config)]
    parts = _parts(learner, rows, active, config)
    n_parts = equal_passes(accelerator, len(parts))
    sums = {"loss": 0.0, "kl": 0.0, "clipped": 0.0, "gap": 0.0, "surprise": 0.0, "tokens": 0.0}
    if n_parts == 0:
        return {**sums, "gradient_norm": 0.0, "updates": 0.0}
    for number in range(n_parts):
        is_last = number == n_parts - 1
        # Every process makes as many passes as the busiest; one without samples left passes one that counts nothing.
        part, counts = (parts[number], 1.0) if number < len(parts) else ([], 0.0)
        with gradients_meet(accelerator, learner.model, is_last):
            loss, numbers = _micro_batch(learner, part, rows, old, reference, config, n_tokens, n_samples)
            # The wrapper averages gradients over processes; we want their sum.
            accelerator.backward(loss * counts * accelerator.num_processes)
        for name, value in numbers.items():
            sums[name] += counts * value
    norm = clip_gradients(accelerator, learner.model, config.max_gradient_norm)
    totals = dict(zip(sums, learner.total(*sums.values()), strict=True))
    bad_batch = {"rows": [row_lists(rows[i]) for i in indices], "step": step}
    stop_unless_finite(totals["loss"], norm, bad_batch, Path(config.output), step, accelerator.process_index)
    learner.optimizer.step()
    learner.optimizer.zero_grad()
    return {**totals, "gradient_norm": norm, "updates": 1.0}


def _parts(learner: Learner, rows: Sequence[Row], active: Sequence[int], config: Config) -> list[list[int]]:
    """Return the rows of each forward pass; equal rows share one, and count once for its size."""
    firsts, places = distinct([rows[i] for i in active])
    budget = tokens_per_pass(config.micro_batch_tokens, learner.accelerator.device)
    parts = passes(learner.model, [rows[active[first]] for first in firsts], budget)
    own: list[list[int]] = [[] for _ in firsts]
    for i, place in zip(active, places, strict=True):
        own[place].append(i)
    return [[i for place in part for i in own[place]] for part in parts]


def _micro_batch(
    learner: Learner,
    part: Sequence[int],
    rows: Sequence[Row],
    old: list[torch.Tensor] | None,
    reference: list[torch.Tensor] | None,
    config: Config,
    n_tokens: float,
    n_samples: float,
) -> tuple[torch.Tensor, dict[str, float]]:
    """Return the loss of one forward pass and sums for the log."""
    device = learner.accelerator.device
    chosen = [rows[i] for i in part] or [FILLER]
    firsts, places = distinct(chosen)
    read = completion_logprobs(learner.model, [chosen[i] for i in firsts], device, config.temperature)
    logprobs, mask = read.logprobs[places], read.mask[places]  # (B, K) both
    sampled = scattered([row.logprobs for row in chosen], mask)
    trainers = logprobs.detach() if old is None else scattered([old[i] for i in part], mask)
    parts = token_loss(
        logprobs,
        sampled if config.importance_cap is None else trainers,
        scattered([by_span(row.advantages, row) for row in chosen], mask),
        clip_low=config.clip_low,
        clip_high=config.clip_high,
        clip=config.clip,
        weights=None if config.importance_cap is None else importance_weights(trainers, sampled, config.importance_cap),
        reference_logprobs=None if reference is None or not part else scattered([reference[i] for i in part], mask),
        kl_coef=config.kl_coef,
    )
    lengths = scattered([by_span([span.end - span.start for span in row.spans], row) for row in chosen], mask)
    loss = reduced(parts.loss, mask, lengths, config.loss_mean, n_tokens, n_samples)
    numbers = {
        "loss": float(loss.detach()),
        "kl": float((parts.kl * mask).sum()),
        "clipped": float((parts.clipped * mask).sum()),
        "gap": float(((trainers - sampled).abs() * mask).sum()),
        "surprise": float(-(logprobs.detach() * mask).sum()),
        "tokens": float(mask.sum()),
    }
    return loss, numbers


# --------------------------------------------------------------------------------------------------------------------
# The sampler
# --------------------------------------------------------------------------------------------------------------------


def make_sampler(config: Config, path: Path | str) -> TrainablePolicy:
    """Return the policy that draws the completions, with the weights in `path`."""
    sampling = Sampling(config.temperature, max_tokens=config.max_tokens, seed=config.seed)
    resources = Resources(
        dtype="float32" if config.sampler == "transformers" else "auto",
        batch_size=config.sampler_batch,
        max_model_len=None if config.max_prompt_tokens is None else config.max_prompt_tokens + config.max_tokens,
        gpu_memory_utilization=config.vllm_memory,
        in_process=True,
    )
    wanted = Wanted(str(path), config.prompt, sampling, resources, with_logprobs=True)
    return trainable_policy(back_end(config.sampler).load(wanted), config.sampler)


def synchronise(sampler: TrainablePolicy, learner: Learner, probe: Row, config: Config) -> float:
    """Give the sampler the trained weights and return how far the two are apart on the probe; raises if too far.

    vLLM repacks weights for its kernels, and a repacked copy that silently stays old would go unnoticed: training
    would look like training with a growing lag.
    """
    sampler.load_weights(list(merged_tensors(learner.plain_model)))
    with torch.no_grad():
        ours = completion_logprobs(learner.plain_model, [probe], learner.accelerator.device).logprobs[0].tolist()
    (start, end) = probe.spans[0]
    theirs = sampler.token_logprobs([probe.ids[:start]], [probe.ids[start:end]])[0]
    gap = max((abs(a - b) for a, b in zip(ours, theirs, strict=False)), default=0.0)
    tolerance = PROBE_TOLERANCE["bfloat16" if config.bf16 else "float32"]
    if gap > tolerance:
        raise RunError(
            f"after the sync, sampler and trainer differ by {gap:.3g} in a log-probability (at most {tolerance}); "
            "the sampler did not take the new weights. Use --sampler transformers, or another vLLM release"
        )
    return gap


# --------------------------------------------------------------------------------------------------------------------
# The loop
# --------------------------------------------------------------------------------------------------------------------


def train(config: Config, *, resume: bool = False, make_env: Callable[[TaskSpec], gym.Env[str, str]] = make) -> Path:
    """Train and return the last checkpoint, a Hugging Face folder.

    A run goes on from its newest checkpoint with `resume`. Levels, sampling seeds and the order of samples are
    functions of (seed, step), so that the state of a run is its parameters, its optimizer and its step.

    Raises:
        RunError: the folder cannot be used, more steps are done than asked for, the disk or the memory is full, or the
            loss is not a number.
    """
    run = Path(config.output)
    free = ("output", "tracker", "save_every", "keep", *(("steps",) if config.schedule == "constant" else ()))
    accelerator = accelerator_for(config.bf16)
    held = ExitStack()
    if accelerator.is_main_process:
        if resume:
            refuse_fewer_steps(last_checkpoint(run), config.steps)
        held = open_training(run, to_json(config), resume, may_change=free)
        remove_unfinished(run)
    accelerator.wait_for_everyone()
    start = last_checkpoint(run)
    budget = tokens_per_pass(config.micro_batch_tokens, accelerator.device)
    with held, out_of_memory_explained(budget, config.gradient_checkpointing):
        learner, sampler, done = _loaded(config, accelerator, start)
        logs: Logs | SilentLogs = SilentLogs()
        if accelerator.is_main_process:
            logs = Logs(run, done, config.tracker, SHOWN, config.steps)
        levels = played_before(start)
        try:
            for step in range(done + 1, config.steps + 1):
                logs.write(step, _step(learner, sampler, config, step, make_env, levels))
                if step % config.save_every == 0 or step == config.steps:
                    _save(learner, config, step, levels)
        finally:
            logs.close()
    return checkpoint_path(run, config.steps)


def _step(
    learner: Learner,
    sampler: TrainablePolicy,
    config: Config,
    step: int,
    make_env: Callable[[TaskSpec], gym.Env[str, str]],
    levels: PlayedLevels,
) -> dict[str, float]:
    """Play, learn, hand the weights on; returns the step's numbers and adds to the levels played."""
    accelerator = learner.accelerator
    began = time.perf_counter()
    groups = training_jobs(config.sources, config.seed, step, config.levels_per_step, config.group_size)
    mine = groups[accelerator.process_index :: accelerator.num_processes]  # whole groups stay together
    sampler.sampling = replace(sampler.sampling, seed=seed_from("grpo", config.seed, step))
    learner.model.eval()  # nothing here has dropout; eval keeps it so for models that do
    rollouts, crashed = play_groups(mine, sampler, config.workers, make_env, with_anchors=config.step_credit_weight > 0)
    levels.add(_played_everywhere(learner, [*(one.episode for one in rollouts), *crashed]))
    rows, temperature = training_rows(rollouts, config), 0.0
    if config.reweight_negative:
        rows, temperature = with_weights(rows, lambda number: learner.total(number)[0])
    played = time.perf_counter()
    lr = learning_rate(step, config.steps, config.learning_rate, config.warmup_steps, config.schedule)
    set_learning_rate(learner.optimizer, lr)
    if config.gradient_checkpointing:
        learner.model.train()  # transformers checkpoints activations in training mode only
    numbers = update(learner, rows, config, step)
    updated = time.perf_counter()
    if not config.shares_weights:
        learner.model.eval()
        numbers["sync/probe_gap"] = synchronise(sampler, learner, rows[0] if rows else FILLER, config)
    ended = time.perf_counter()
    if config.cross_input_every and (step - 1) % config.cross_input_every == 0:
        numbers |= _cross_input_numbers(learner, sampler, rows, config, step)
    numbers |= _rollout_numbers(learner, rollouts, crashed, rows, config)
    numbers |= _pack_numbers(learner, rollouts, config)
    if config.reweight_negative:
        numbers["weights/temperature"] = temperature
    return {
        **numbers,
        "learning_rate": lr,
        "time/rollout_s": played - began,
        "time/update_s": updated - played,
        "time/sync_s": ended - updated,
        "tokens/per_s": numbers["tokens/step"] / (ended - began),
    }


def _played_everywhere(learner: Learner, episodes: Sequence[Episode]) -> list[str]:
    """Return the ids of the levels of a step, those of all processes, in the order of the processes."""
    return gathered_texts(learner.accelerator, list(dict.fromkeys(episode.level_id for episode in episodes)))


def _rollout_numbers(
    learner: Learner, rollouts: Sequence[Rollout], crashed: Sequence[Episode], rows: Sequence[Row], config: Config
) -> dict[str, float]:
    """Return means over all processes' rollouts."""
    returns = np.array([sum(step_rewards(rollout.episode, config)) for rollout in rollouts])
    numbers = np.array([rollout.group for rollout in rollouts], dtype=np.int64)
    flat = [
        group
        for group in set(numbers.tolist())
        if not group_advantages(returns, numbers, False)[numbers == group].any()
    ]
    steps = [step for rollout in rollouts for step in rollout.episode.steps]
    totals = learner.total(
        len(rollouts),
        returns.sum() if rollouts else 0.0,
        sum(rollout.episode.success for rollout in rollouts),
        len(steps),
        sum(not step.is_action_valid for step in steps),
        sum(step.action is None for step in steps),
        sum(step.finish_reason == "length" for step in steps),
        sum(len(row.ids) - n_targets(row) for row in rows),
        sum(n_targets(row) for row in rows),
        len(rows),
        len(flat),
        len(set(numbers.tolist())),
        len(crashed),
    )
    (
        episodes,
        reward,
        success,
        n_steps,
        invalid,
        unparsed,
        cut,
        prompt,
        completion,
        n_rows,
        n_flat,
        n_groups,
        n_failed,
    ) = totals
    return {
        "reward/mean": reward / max(1.0, episodes),
        "success/mean": success / max(1.0, episodes),
        "episode/steps": n_steps / max(1.0, episodes),
        "episode/crashed": n_failed,
        "action/invalid": invalid / max(1.0, n_steps),
        "action/unparsed": unparsed / max(1.0, n_steps),
        "completion/cut_off": cut / max(1.0, n_steps),
        "groups/without_variance": n_flat / max(1.0, n_groups),
        "tokens/prompt": prompt / max(1.0, n_rows),
        "tokens/completion": completion / max(1.0, n_rows),
        "tokens/step": prompt + completion,
    }


def _pack_numbers(learner: Learner, rollouts: Sequence[Rollout], config: Config) -> dict[str, float]:
    """Return the mean score at each position of the packs, and how many updates held no context; {} without packs."""
    sizes = [pack.tasks for source in config.sources if (pack := source.spec.lifecycle_spec) is not None]
    by_position = [
        [scores[k] for rollout in rollouts if len(scores := task_scores(rollout.episode)) > k]
        for k in range(max(sizes, default=0))
    ]
    if not by_position:
        return {}
    read = [
        rollout.episode.steps[part.start].is_action_valid
        for rollout in rollouts
        for part in rollout.episode.parts
        if part.context_chars is not None and part.start < len(rollout.episode.steps)
    ]
    sums = learner.total(*map(sum, by_position), *map(len, by_position), len(read), len(read) - sum(read))
    n = len(by_position)
    numbers = {f"pack/position_{k + 1}": sums[k] / max(1.0, sums[n + k]) for k in range(n)}
    return numbers | ({"pack/unread_contexts": sums[-1] / sums[-2]} if sums[-2] else {})


def _cross_input_numbers(
    learner: Learner, sampler: TrainablePolicy, rows: Sequence[Row], config: Config, step: int
) -> dict[str, float]:
    """Return how far the completions of a few rows depend on their prompts, see health.py; nothing from fewer than 2.

    The sampler scores them, with the weights after the update; every process has rows of its own.
    """
    by_prompt = {row.ids[: row.spans[0].start]: row for row in rows}
    prompts = list(by_prompt)
    chosen = stream("cross-input", config.seed, step, learner.accelerator.process_index).permutation(len(prompts))
    picked = [prompts[i] for i in chosen[:CROSS_INPUTS].tolist()]
    answers = [by_prompt[prompt].ids[slice(*by_prompt[prompt].spans[0])] for prompt in picked]
    measured, information, retrieval = 0.0, 0.0, 0.0
    if len(picked) > 1:
        pairs = [(prompt, answer) for answer in answers for prompt in picked]
        scores = sampler.token_logprobs([prompt for prompt, _ in pairs], [answer for _, answer in pairs])
        table = np.array([sum(tokens) for tokens in scores]).reshape(len(answers), len(picked))
        measured, (information, retrieval) = 1.0, cross_input(table, [len(answer) for answer in answers])
    measured, information, retrieval = learner.total(measured, information, retrieval)
    if not measured:
        return {}
    return {"cross_input/information": information / measured, "cross_input/retrieval": retrieval / measured}


def _loaded(config: Config, accelerator: Any, start: Path | None) -> tuple[Learner, TrainablePolicy, int]:
    """Return learner, sampler and the step to go on from, of the checkpoint `start` or of the initial policy."""
    path = config.model if start is None or config.lora else start
    sampler = make_sampler(config, config.model if start is None else start)
    shares = config.shares_weights and not (config.lora and start)
    model = sampler.model if shares else load_model(path)  # type: ignore[attr-defined]
    kernel = attention_kernel(config.attention, accelerator)
    set_attention(model, kernel, config.packing)
    use_fused_norms(model, accelerator)
    adapter = start / ADAPTER_FOLDER if start is not None else None
    model = trainable(model, config.lora, adapter, seed_from("lora", config.seed), config.gradient_checkpointing)
    learner_model, optimizer = prepared(accelerator, model, config.weight_decay, config.shard)
    if config.shares_weights:  # sampler and trainer are one model: nothing to synchronise
        sampler.model = model.get_base_model() if config.lora else model  # type: ignore[attr-defined]
    reference = None
    if config.kl_coef > 0 and not config.lora:
        reference = load_model(config.model)
        set_attention(reference, kernel, config.packing)
        use_fused_norms(reference, accelerator)
        reference = frozen(accelerator, reference, config.shard)
    done = 0
    if start is not None:
        state = load_state(start)
        load_optimizer_state(learner_model, optimizer, state["optimizer"])
        done = int(state["step"])
    return Learner(accelerator, learner_model, optimizer, reference), sampler, done


def _save(learner: Learner, config: Config, step: int, levels: PlayedLevels) -> None:
    accelerator = learner.accelerator
    weights = gathered_weights(accelerator, learner.model)
    state = {"step": step, "optimizer": optimizer_state(learner.model, learner.optimizer)}
    if accelerator.is_main_process:
        tokenizer = load_tokenizer(config.model)

        def write(folder: Path) -> None:
            save_model(learner.plain_model, tokenizer, folder, weights)
            save_state(folder, state)
            record_training(
                folder,
                "grpo",
                parent=config.model,
                run=Path(config.output),
                step=step,
                settings=to_json(config),
                sources=of_sources(config.sources),
                levels=levels,
            )

        write_checkpoint(Path(config.output), step, write, config.keep)
    accelerator.wait_for_everyone()
