"""The one loop where environments and policies meet: evaluation, collection and training all use it."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import count
from typing import Protocol

import gymnasium as gym

from agentgen_bench.episodes import Episode, canonical_json
from agentgen_bench.errors import SpecError
from agentgen_bench.make import make
from agentgen_bench.policies.asking import Asking, Request, Rounds, asking
from agentgen_bench.policies.base import Decision, EpisodicPolicy, Player, PrivilegedPolicy
from agentgen_bench.running import Decided, Job, Running, close_env, failed_start, resume
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
    """Yield an episode per job, as each ends; at most `workers` environments run at once.

    Each asks for its next decision as soon as it has its observation; where the policy only decides in batches, all
    running episodes share each. In which order decisions come changes no episode.

    An exception of an environment ends its own episode with ending "error" and the exception as text; `on_crash` is
    told of it before that episode is yielded, and may end the loop. An exception of the policy ends the loop, because
    no other episode would fare better; episodes yielded before it are safe.

    What `journal` holds of an episode is executed first, and each decision goes into it before its environment does.
    An `EpisodicPolicy` remembers more than its decisions, so its episodes begin anew.

    Raises:
        SpecError: fewer than one worker, which would play nothing and look like a whole run.
    """
    if workers < 1:
        raise SpecError(f"workers={workers!r} is out of range; choose an integer from 1")
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
            loop.go_on()
            yield from loop.ended()
    finally:
        loop.close()


class _Loop:
    """The episodes under way of one call of `play`, and environments that wait for their next."""

    def __init__(
        self,
        policy: Player,
        record_text: bool,
        make_env: Callable[[TaskSpec], gym.Env[str, str]],
        on_decisions: Callable[[Sequence[Decision]], None],
        on_crash: Callable[[Exception], None],
        journal: Journal | None,
    ) -> None:
        self.running: dict[int, Running] = {}  # by number, in the order of their jobs
        self._unasked: list[Running] = []  # those of them that wait to be asked about
        self._idle: list[tuple[TaskSpec, gym.Env[str, str]]] = []
        self._policy, self._journal = policy, journal
        self._record_text, self._make_env = record_text, make_env
        self._on_decisions, self._on_crash = on_decisions, on_crash
        if isinstance(policy, PrivilegedPolicy):
            act_on = policy.act_on
            self._asking: Asking = Rounds(policy.name, lambda asked: act_on([self.running[n].task for n, _ in asked]))
        else:
            self._asking = asking(policy)

    def start(self, job: Job, number: int) -> Episode | None:
        """Begin the job's episode; return its record where that fails."""
        past = () if self._journal is None else self._journal.past(job)
        env = None
        try:
            env = _take_idle(self._idle, job.spec) or self._make_env(job.spec)
            episode = resume(job, env, self._policy.name, self._record_text, number, past)
        except Exception as error:  # noqa: BLE001 - whatever an environment raises is that episode's failure, recorded
            if env is not None:
                close_env(env)
            self._on_crash(error)
            return failed_start(job, self._policy.name, error)
        self.running[number] = episode
        self._unasked.append(episode)
        return None

    def go_on(self) -> None:
        """Ask about the episodes that wait for it, and execute what is decided by then."""
        if any(episode.ending is not None for episode in self._unasked):
            return  # what the journal held was the whole episode: it is to be recorded first
        self._asking.submit([Request(episode.number, episode.history()) for episode in self._unasked])
        self._unasked.clear()
        answered = [(self.running[number], decision) for number, decision in self._asking.poll()]
        if self._journal is not None:
            self._journal.write([_decided(*pair) for pair in answered])
        self._on_decisions([decision for _, decision in answered])
        for episode, decision in answered:
            episode.advance(decision)
        self._unasked = [episode for episode, _ in answered]

    def ended(self) -> Iterator[Episode]:
        """Yield the records of the episodes that have ended, and forget those."""
        ended = [episode for episode in self._unasked if episode.ending is not None]
        self._unasked = [episode for episode in self._unasked if episode.ending is None]
        for episode in ended:
            recorded = _finish(episode, self._idle)
            del self.running[episode.number]
            _forget(self._policy, episode)
            if episode.crash is not None:
                self._on_crash(episode.crash)
            yield recorded

    def close(self) -> None:
        """Give up what is asked for and close what is left, also of episodes that did not end."""
        self._asking.close()
        for episode in self.running.values():
            _forget(self._policy, episode)
        for env in [*(episode.env for episode in self.running.values()), *(env for _, env in self._idle)]:
            close_env(env)


def _ignore(_: object) -> None:
    """Take a report that nobody wants."""


def _decided(episode: Running, decision: Decision) -> tuple[Job, int, Decided]:
    return episode.job, len(episode.steps) + 1, Decided(episode.link, decision)


def _forget(policy: Player, episode: Running) -> None:
    if isinstance(policy, EpisodicPolicy):
        policy.end(episode.number)


def _take_idle(idle: list[tuple[TaskSpec, gym.Env[str, str]]], spec: TaskSpec) -> gym.Env[str, str] | None:
    """Return an idle environment of the setting; idle ones of other settings are closed, their jobs are done."""
    chosen = None
    for entry in list(idle):
        if entry[0] == spec and chosen is None:
            chosen = entry[1]
            idle.remove(entry)
        elif entry[0] != spec:
            close_env(entry[1])
            idle.remove(entry)
    return chosen


def _finish(episode: Running, idle: list[tuple[TaskSpec, gym.Env[str, str]]]) -> Episode:
    """Return the record of an ended episode; its environment becomes idle, or is closed where it crashed."""
    recorded = episode.finish()
    if episode.ending == "error":
        close_env(episode.env)
    else:
        idle.append((episode.job.spec, episode.env))
    return recorded


def job_key(job: Job) -> tuple[str, int, int]:
    """Return what names the job's episode within a run, equal to `Episode.key`."""
    return (canonical_json(job.spec.to_json()), job.seed, job.repeat)
