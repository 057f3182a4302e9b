"""Richness and planning complexity of an environment setting, as a named reference policy meets it (2601.18217)."""

from collections.abc import Mapping, Sequence
from typing import Any, TypedDict

import numpy as np

from agentgen_bench.episodes import Episode
from agentgen_bench.scores.base import Score, ScoreJson, by_setting, one_policy, scores_json, setting_label, undefined
from agentgen_bench.scores.success import per_episode, per_step, rate, succeeded
from agentgen_bench.seeding import stream

MIN_EPISODES = 128
NAMES = (
    "prompt_chars",
    "obs_chars",
    "distractor_chars",
    "planning_complexity",
    "goal_reachability",
    "admissible",
    "expert_length",
)
STEP_LIMIT = 50  # the paper's, for ALFWorld and SciWorld; its planning complexity counts a failure as this long


def profile(
    episodes: Sequence[Episode],
    rng: np.random.Generator,
    *,
    step_limit: int = STEP_LIMIT,
    min_episodes: int = MIN_EPISODES,
) -> tuple[Score, ...]:
    """Return the profile of one setting from episodes of one policy; undefined below `min_episodes`.

    Characters are means per step (prompt_chars: the whole prompt; obs_chars: the observation before the step;
    distractor_chars: the part of it that distractors wrote). planning_complexity is the mean number of steps, a
    failure or an episode longer than `step_limit` counting as `step_limit`; packs of tasks have none.
    goal_reachability is the success rate. admissible is the mean number of admissible commands per step,
    expert_length that of the expert's actions.
    """
    if len(episodes) < min_episodes:
        reason = f"needs at least {min_episodes} episodes, got {len(episodes)}"
        return tuple(undefined(name, reason, n=len(episodes)) for name in NAMES)
    obs_chars = [sum(sum(chars.values()) for chars in _before_steps(episode)) for episode in episodes]
    distractor_chars = [sum(chars.get("distractor", 0) for chars in _before_steps(episode)) for episode in episodes]
    return (
        _prompt_chars(episodes, rng),
        *_prompt_tokens(episodes, rng),
        per_step("obs_chars", episodes, obs_chars, rng),
        per_step("distractor_chars", episodes, distractor_chars, rng),
        _planning_complexity(episodes, step_limit, rng),
        rate("goal_reachability", episodes, [succeeded(episode) for episode in episodes], rng),
        per_step("admissible", episodes, [_admissible(episode) for episode in episodes], rng),
        _expert_length(episodes, rng),
    )


class SettingProfileJson(TypedDict):
    """The profile of one setting."""

    setting: str
    spec: Mapping[str, Any]
    episodes: int
    scores: dict[str, ScoreJson]


class ProfilesJson(TypedDict):
    """The profiles of settings, as one policy met them."""

    policy: str | None
    settings: list[SettingProfileJson]


def profiles_json(episodes: Sequence[Episode], *, min_episodes: int = MIN_EPISODES) -> ProfilesJson:
    """Return the profile of every setting as plain JSON, under the name of the policy that made it."""
    return {
        "policy": one_policy(episodes),
        "settings": [
            {
                "setting": setting_label(group[0].spec),
                "spec": dict(group[0].spec),
                "episodes": len(group),
                "scores": scores_json(profile(group, stream("scores", "profile", key), min_episodes=min_episodes)),
            }
            for key, group in by_setting(episodes).items()
        ],
    }


def _prompt_chars(episodes: Sequence[Episode], rng: np.random.Generator) -> Score:
    """Return the mean prompt length; a policy that reads no prompt (the oracle) has none."""
    totals = [sum(step.prompt_chars for step in episode.steps) for episode in episodes]
    if sum(totals) == 0:
        return undefined("prompt_chars", "this policy reads no prompt", n=len(episodes))
    return per_step("prompt_chars", episodes, totals, rng)


def _prompt_tokens(episodes: Sequence[Episode], rng: np.random.Generator) -> tuple[Score, ...]:
    """Return the mean prompt length in tokens where they were counted, else nothing."""
    totals = [sum(step.prompt_tokens for step in episode.steps) for episode in episodes]
    return (per_step("prompt_tokens", episodes, totals, rng),) if sum(totals) else ()


def _planning_complexity(episodes: Sequence[Episode], step_limit: int, rng: np.random.Generator) -> Score:
    if "lifecycle" in episodes[0].spec:
        return undefined("planning_complexity", "it is defined for one task, not for a pack of them", n=len(episodes))
    lengths = [_length(episode, step_limit) for episode in episodes]
    return per_episode("planning_complexity", episodes, lengths, rng)


def _expert_length(episodes: Sequence[Episode], rng: np.random.Generator) -> Score:
    planned = [(episode, episode.expert_length) for episode in episodes if episode.expert_length is not None]
    if not planned:
        return undefined("expert_length", "no record holds the length of the expert's plan")
    return per_episode("expert_length", [episode for episode, _ in planned], [length for _, length in planned], rng)


def _before_steps(episode: Episode) -> list[Mapping[str, int]]:
    """Return the characters by source of each observation that a decision was made on."""
    return [episode.first_chars, *(step.observation_chars for step in episode.steps)][: len(episode.steps)]


def _admissible(episode: Episode) -> int:
    return sum([episode.first_admissible, *(step.n_admissible for step in episode.steps)][: len(episode.steps)])


def _length(episode: Episode, step_limit: int) -> int:
    return min(len(episode.steps), step_limit) if succeeded(episode) else step_limit
