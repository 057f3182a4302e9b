"""An endless stream of groups, each turned into rows of training as its last episode ends: for asynchronous trainers.

Environments, prompts, parsing, the rollout loop and the advantages are those of `grpo.py`; what differs is that nobody
waits for the slowest episode of a step. Each row says which weights drew it.
"""

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

import gymnasium as gym

from agentgen_bench.episodes import Episode
from agentgen_bench.make import make
from agentgen_bench.policies.asking import Watched
from agentgen_bench.policies.base import Decision, Policy, TokenSample
from agentgen_bench.prompts import History
from agentgen_bench.rollout import Job, job_key, play
from agentgen_bench.spec import TaskSpec
from agentgen_bench.train.grpo import Rollout, advantages, anchors_of, step_rewards
from agentgen_bench.train.grpo_config import Config
from agentgen_bench.train.settings import training_jobs

MakeEnv = Callable[[TaskSpec], gym.Env[str, str]]


class Sample(NamedTuple):
    """A step as the trainer takes it: its tokens, its advantage, its group, and the weights that drew it."""

    tokens: TokenSample
    advantage: float
    group: int
    version: int


class Played(NamedTuple):
    """A finished group: its level, its rows, and sums over it for the log, as (numerator, denominator)."""

    level_id: str
    samples: list[Sample]
    numbers: dict[str, tuple[float, float]]


class _Seen(NamedTuple):
    sample: TokenSample | None
    version: int


class _Recorder:
    """Keeps what each step drew, and with which weights."""

    def __init__(self, version: Callable[[], int]) -> None:
        self._version = version
        self._asked: dict[tuple[str | int, ...], int] = {}
        self._seen: dict[tuple[str | int, ...], list[_Seen]] = {}

    def asked(self, history: History) -> None:
        # Before drawing: weights that arrive meanwhile only make the row younger than it says.
        self._asked[history.key[:3]] = self._version()

    def decided(self, history: History, decision: Decision) -> None:
        key = history.key[:3]
        self._seen.setdefault(key, []).append(_Seen(decision.sample, self._asked.pop(key)))

    def take(self, episode: Episode) -> list[_Seen]:
        """Return what was kept of an episode, and forget it."""
        return self._seen.pop((episode.level_id, episode.seed, episode.repeat), [])


def endless_groups(config: Config, stream_seed: int, part: int, parts: int) -> Iterator[tuple[int, list[Job]]]:
    """Yield numbered groups for ever: of all groups that `stream_seed` decides, every `parts`-th from `part` on."""
    number = itertools.count()
    for step in itertools.count(1):
        for jobs in training_jobs(config.sources, stream_seed, step, config.levels_per_step, config.group_size):
            if (n := next(number)) % parts == part:
                yield n, jobs


def played_groups(
    groups: Iterable[tuple[int, list[Job]]],
    policy: Policy,
    config: Config,
    version: Callable[[], int] = lambda: 0,
    make_env: MakeEnv = make,
    on_decisions: Callable[[Sequence[Decision]], None] | None = None,
) -> Iterator[Played]:
    """Yield each group as its last episode ends; the rollout loop is never empty between them."""
    recorder = _Recorder(version)
    under_way: dict[tuple[str, int, int], int] = {}
    finished: dict[int, list[tuple[Episode, list[_Seen]]]] = {}

    def jobs() -> Iterator[Job]:
        for number, group in groups:
            under_way.update((job_key(job), number) for job in group)
            yield from group

    stream = play(
        jobs(),
        Watched(policy, recorder.decided, recorder.asked),
        workers=config.workers,
        record_text=config.step_credit_weight > 0,
        make_env=make_env,
        on_decisions=on_decisions,
    )
    for episode in stream:
        number = under_way.pop(episode.key)
        finished.setdefault(number, []).append((episode, recorder.take(episode)))
        if len(finished[number]) == config.group_size:
            yield _played(number, finished.pop(number), config)


def _played(number: int, group: Sequence[tuple[Episode, list[_Seen]]], config: Config) -> Played:
    """Return a group's rows with their advantages; crashed episodes are left out and counted."""
    whole = [(episode, seen) for episode, seen in group if episode.ending != "error"]
    rollouts = [
        Rollout(number, episode, anchors_of(episode), tuple(step.sample for step in seen)) for episode, seen in whole
    ]
    steps = [step for _, seen in whole for step in seen]
    samples = [
        Sample(step.sample, float(advantage), number, step.version)
        for step, advantage in zip(steps, advantages(rollouts, config) if rollouts else (), strict=True)
        if step.sample is not None and step.sample.completion_ids
    ]
    returns = [sum(step_rewards(episode, config)) for episode, _ in whole]
    played = [step for episode, _ in whole for step in episode.steps]
    invalid = sum(not step.is_action_valid for step in played)
    drawn = sum(len(sample.tokens.completion_ids) for sample in samples)
    return Played(
        next((episode.level_id for episode, _ in group if episode.level_id), ""),
        samples,
        {
            "reward/mean": (sum(returns), len(whole)),
            "success/mean": (sum(episode.success for episode, _ in whole), len(whole)),
            "episode/steps": (len(steps), len(whole)),
            "episode/crashed": (len(group) - len(whole), len(group)),
            "action/invalid": (invalid, len(steps)),
            "action/unparsed": (sum(step.action is None for step in played), len(steps)),
            "completion/cut_off": (sum(step.finish_reason == "length" for step in played), len(steps)),
            "groups/without_variance": (float(len(set(returns)) <= 1), 1.0),
            "tokens/prompt": (sum(len(sample.tokens.prompt_ids) for sample in samples), len(samples)),
            "tokens/completion": (drawn, len(samples)),
        },
    )
