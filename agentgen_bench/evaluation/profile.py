"""Profiles: play settings with a named policy and measure their text, their commands and how hard they are."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TypedDict

from agentgen_bench.episodes import Episode
from agentgen_bench.evaluation.histories import histories
from agentgen_bench.evaluation.plan import Plan
from agentgen_bench.families import is_known
from agentgen_bench.make import check_settings
from agentgen_bench.policies.base import Player
from agentgen_bench.prompts import Message, PromptConfig, PromptJson, messages
from agentgen_bench.rollout import DEFAULT_WORKERS, play
from agentgen_bench.scores.base import by_setting, family, is_crash, setting_label
from agentgen_bench.scores.profile import MIN_EPISODES, SettingProfileJson, profiles_json
from agentgen_bench.seeding import key_digest

CountTokens = Callable[[Sequence[Message]], int]
SAMPLE_LEVELS = 1  # levels per setting that `fingerprints` covers: enough to notice a change of text, cheap to replay


class MeasuredSettingJson(SettingProfileJson):
    """The profile of a setting, the episodes of it that crashed, and what tells whether it is current."""

    crashed: list[str]
    fingerprint: str


class ProfileJson(TypedDict):
    """What `profile` gives: settings as one policy met them under one prompt."""

    policy: str | None
    prompt: PromptJson
    settings: list[MeasuredSettingJson]


PAPER_PROMPT = PromptConfig(history_length=2, action_hints="full")  # its protocol: two past steps, all commands


def measured(episode: Episode, prompt: PromptConfig, count_tokens: CountTokens | None = None) -> Episode:
    """Return the compact record, with the size of the prompt a model would have read at each step.

    A record of a policy that built its own prompts keeps their sizes; a compact record has no text to measure, and of a
    family that is not here no prompt can be built.
    """
    is_measured = any(step.prompt_chars for step in episode.steps)
    seen = [] if is_measured or not is_known(family(episode.spec)) else list(histories(episode))
    if not seen:
        return episode.compact()
    steps = []
    for step, history in zip(episode.steps, seen, strict=True):
        chat = messages(history, prompt)
        chars = sum(len(message.content) for message in chat)
        steps.append(replace(step, prompt_chars=chars, prompt_tokens=count_tokens(chat) if count_tokens else 0))
    return replace(episode, steps=tuple(steps)).compact()


def profile_plan(
    plan: Plan,
    policy: Player,
    prompt: PromptConfig,
    *,
    workers: int = DEFAULT_WORKERS,
    count_tokens: CountTokens | None = None,
    min_episodes: int = MIN_EPISODES,
    on_episode: Callable[[Episode], None] | None = None,
) -> ProfileJson:
    """Play the plan and return its profile as plain JSON, with prompt settings and fingerprints of its text."""
    for cell in plan.cells:
        check_settings(cell.spec)
    episodes = []
    for episode in play(plan.jobs(), policy, workers=workers):
        episodes.append(measured(episode, prompt, count_tokens))
        if on_episode is not None:
            on_episode(episodes[-1])
    return profile_episodes(episodes, prompt, min_episodes=min_episodes)


def profile_episodes(
    episodes: Sequence[Episode], prompt: PromptConfig, *, min_episodes: int = MIN_EPISODES
) -> ProfileJson:
    """Return the profile of measured episodes of one policy as plain JSON."""
    profiles = profiles_json(episodes, min_episodes=min_episodes)
    groups, prints = _by_label(episodes), fingerprints(episodes)
    settings: list[MeasuredSettingJson] = [
        {
            **setting,
            "crashed": [f"seed {e.seed}: {e.error}" for e in groups[setting["setting"]] if is_crash(e)],
            "fingerprint": prints[setting["setting"]],
        }
        for setting in profiles["settings"]
    ]
    return {"policy": profiles["policy"], "prompt": prompt.to_json(), "settings": settings}


def fingerprints(episodes: Sequence[Episode]) -> dict[str, str]:
    """Return a hash per setting over the first levels' observations and prompt sizes, 16 hex digits.

    It changes with any change of what those episodes say or do, and so tells whether a stored profile is current.
    """
    return {
        setting: key_digest(
            *(
                part
                for episode in group[:SAMPLE_LEVELS]
                for part in (episode.first_hash, *(f"{s.observation_hash} {s.prompt_chars}" for s in episode.steps))
            )
        ).hex()[:16]
        for setting, group in _by_label(episodes).items()
    }


def _by_label(episodes: Sequence[Episode]) -> dict[str, list[Episode]]:
    return {setting_label(group[0].spec): group for group in by_setting(episodes).values()}
