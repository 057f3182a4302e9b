"""The one loop where environments and policies meet: evaluation, collection and training all use it."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Protocol

import gymnasium as gym

from agentgen_bench.episodes import Episode, canonical_json
from agentgen_bench.errors import PolicyError
from agentgen_bench.make import make
from agentgen_bench.policies.base import Decision, EpisodicPolicy, Player, PrivilegedPolicy
from agentgen_bench.running import Decided, Job, Running, failed_start, resume
from agentgen_bench.spec import TaskSpec

__all__ = ["DEFAULT_WORKERS", "Job", "Journal", "job_key", "play"]

DEFAULT_WORKERS = 32


class Journal(Protocol):
    """Where decisions are kept until their episode is recorded, so that a process that dies does not lose them."""

    def past(self, job: Job) -> Sequence[Decided]:
        """Return what was decided in the job's episode before, in order."""
        ...

    def write(self, decided: Sequence[tuple[Job, int, Decided]]) -> None:
        """Keep decisions, each with its episode's job and its step, 1 for the first."""
        ...


def play(
    jobs: Iterable[Job],
    policy: Player,
    *,
    workers: int = DEFAULT_WORKERS,
    record_text: bool = True,
    make_env: Callable[[TaskSpec], gym.Env[str, str]] = make,
    on_decisions: Callable[[Sequence[Decision]], None] | None = None,
    on_crash: Callable[[Exception], None] | None = None,
    journal: Journal | None = None,
) -> Iterator[Episode]:
    """Yield an episode per job, as each ends; at most `workers` environments run at once and share each batch.

    An exception of an environment ends its own episode with ending "error" and the exception as text; `on_crash` is
    told of it before that episode is yielded, and may end the loop. An exception of the policy ends the loop, because
    no other episode would fare better; episodes yielded before it are safe.

    What `journal` holds of an episode is executed first, and each decision goes into it before its environment does.
    An `EpisodicPolicy` remembers more than its decisions, so its episodes begin anew.
    """
    kept = None if isinstance(policy, EpisodicPolicy) else journal
    loop = _Loop(policy, record_text, make_env, on_decisions or _ignore, on_crash or _ignore, kept)
    queue, numbers = iter(jobs), count()
    try:
        while True:
            while len(loop.running) < workers and (job := next(queue, None)) is not None:
                failed = loop.start(job, next(numbers))
                if failed is not None:
                    yield failed
            if not loop.running:
                return
            loop.decide()
            yield from loop.ended()
    finally:
        loop.close()


@dataclass(slots=True)
class _Loop:
    """The episodes under way of one call of `play`, and environments that wait for their next."""

    policy: Player
    record_text: bool
    make_env: Callable[[TaskSpec], gym.Env[str, str]]
    on_decisions: Callable[[Sequence[Decision]], None]
    on_crash: Callable[[Exception], None]
    journal: Journal | None
    running: list[Running] = field(default_factory=list)
    idle: list[tuple[TaskSpec, gym.Env[str, str]]] = field(default_factory=list)

    def start(self, job: Job, number: int) -> Episode | None:
        """Begin the job's episode; return its record where that fails."""
        past = () if self.journal is None else self.journal.past(job)
        env = None
        try:
            env = _take_idle(self.idle, job.spec) or self.make_env(job.spec)
            self.running.append(resume(job, env, self.policy.name, self.record_text, number, past))
        except Exception as error:  # noqa: BLE001 - whatever an environment raises is that episode's failure, recorded
            if env is not None:
                env.close()
            self.on_crash(error)
            return failed_start(job, self.policy.name, error)
        return None

    def decide(self) -> None:
        """Ask for a decision for each episode that goes on, and execute them."""
        under_way = [episode for episode in self.running if episode.ending is None]
        if not under_way:
            return
        decisions = _decide(self.policy, under_way)
        if self.journal is not None:
            self.journal.write([_decided(*pair) for pair in zip(under_way, decisions, strict=True)])
        self.on_decisions(decisions)
        for episode, decision in zip(under_way, decisions, strict=True):
            episode.advance(decision)

    def ended(self) -> Iterator[Episode]:
        """Yield the records of the episodes that have ended."""
        for episode in [episode for episode in self.running if episode.ending is not None]:
            self.running.remove(episode)
            _forget(self.policy, episode)
            recorded = _finish(episode, self.idle)
            if episode.crash is not None:
                self.on_crash(episode.crash)
            yield recorded

    def close(self) -> None:
        """Close what is left, also of episodes that did not end."""
        for episode in self.running:
            _forget(self.policy, episode)
        for env in [*(episode.env for episode in self.running), *(env for _, env in self.idle)]:
            env.close()


def _ignore(_: object) -> None:
    """Take a report that nobody wants."""


def _decide(policy: Player, running: Sequence[Running]) -> list[Decision]:
    if isinstance(policy, PrivilegedPolicy):
        decisions = policy.act_on([episode.task for episode in running])
    elif isinstance(policy, EpisodicPolicy):
        decisions = policy.act_in([episode.number for episode in running], [episode.history() for episode in running])
    else:
        decisions = policy.act([episode.history() for episode in running])
    _check_decisions(decisions, len(running), policy.name)
    return decisions


def _decided(episode: Running, decision: Decision) -> tuple[Job, int, Decided]:
    return episode.job, len(episode.steps) + 1, Decided(episode.link, decision)


def _forget(policy: Player, episode: Running) -> None:
    if isinstance(policy, EpisodicPolicy):
        policy.end(episode.number)


def _check_decisions(decisions: object, wanted: int, name: str) -> None:
    """Raise PolicyError where a policy, which may be anyone's, did not return a decision for each episode."""
    if not isinstance(decisions, list) or not all(isinstance(decision, Decision) for decision in decisions):
        kinds = sorted({type(item).__name__ for item in decisions}) if isinstance(decisions, list) else None
        got = f"a list of {', '.join(kinds)}" if kinds else f"a {type(decisions).__name__}"
        raise PolicyError(f"the policy {name} returned {got}; act returns a list with one Decision per history")
    if len(decisions) != wanted:
        raise PolicyError(f"the policy {name} returned {len(decisions)} decisions for {wanted} histories")


def _take_idle(idle: list[tuple[TaskSpec, gym.Env[str, str]]], spec: TaskSpec) -> gym.Env[str, str] | None:
    """Return an idle environment of the setting; idle ones of other settings are closed, their jobs are done."""
    chosen = None
    for entry in list(idle):
        if entry[0] == spec and chosen is None:
            chosen = entry[1]
            idle.remove(entry)
        elif entry[0] != spec:
            entry[1].close()
            idle.remove(entry)
    return chosen


def _finish(episode: Running, idle: list[tuple[TaskSpec, gym.Env[str, str]]]) -> Episode:
    """Return the record of an ended episode; its environment becomes idle, or is closed where it crashed."""
    recorded = episode.finish()
    if episode.ending == "error":
        episode.env.close()
    else:
        idle.append((episode.job.spec, episode.env))
    return recorded


def job_key(job: Job) -> tuple[str, int, int]:
    """Return what names the job's episode within a run, equal to `Episode.key`."""
    return (canonical_json(job.spec.to_json()), job.seed, job.repeat)
