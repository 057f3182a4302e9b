"""What a resume checks of the episodes that a run has recorded: that they are of its plan, and as they were played.

A line that the journal has sealed must be that line. Of any other the texts must give its hash chain, and played again
it must give the same record.
"""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import fields
from pathlib import Path
from typing import NamedTuple

import gymnasium as gym

from agentgen_bench.episodes import Episode, Step, chain, from_line
from agentgen_bench.errors import DataError, RunError
from agentgen_bench.evaluation.journal import Key, StepJournal
from agentgen_bench.parsing import ParseReason
from agentgen_bench.policies.base import Decision
from agentgen_bench.running import Job, begin
from agentgen_bench.text import render


class Line(NamedTuple):
    """A recorded episode (compact), and the SHA-256 of its line."""

    episode: Episode
    digest: str


def digest(line: bytes) -> str:
    """Return the SHA-256 of a line without its line break, 64 hex digits."""
    return hashlib.sha256(line).hexdigest()


def recorded_lines(path: Path, jobs: Mapping[Key, Job], policy_name: str, journal: StepJournal) -> Iterator[Line]:
    """Yield the episodes of a file of whole lines.

    Raises:
        DataError: a line is not an episode.
        RunError: an episode is not of the plan, there twice, or not as it was recorded.
    """
    seen: set[Key] = set()
    with path.open("rb") as file:
        for number, raw in enumerate(file, 1):
            where = f"{path}, line {number}"
            try:
                episode = from_line(raw.decode())
            except (DataError, UnicodeDecodeError) as error:
                raise DataError(f"{where}: {error}") from None
            line = Line(episode.compact(), digest(raw.rstrip(b"\n")))
            if problem := _problem(episode, line.digest, jobs, policy_name, journal, seen):
                raise RunError(f"{where}: {_named(episode)} {problem}; {_ADVICE}")
            seen.add(episode.key)
            yield line


def check_played(episode: Episode, job: Job, env: gym.Env[str, str]) -> None:
    """Play a recorded (compact) episode again; raises RunError where the record is not what comes out."""
    if not episode.first_hash:  # its environment could not be made or reset
        return
    try:
        running = begin(job, env, episode.policy, record_text=False)
        for step in episode.steps:
            running.advance(_decision(step))
    except Exception as error:  # noqa: BLE001 - whatever an environment raises
        raise RunError(f"{_named(episode)} cannot be played again: {type(error).__name__}: {error}") from None
    if episode.ending == "error":
        running.ending, running.error = "error", episode.error
    again = running.finish()
    for field in fields(Episode):
        recorded, played = getattr(episode, field.name), getattr(again, field.name)
        if recorded != played:
            what = f"{field.name} is {_short(recorded)}, played again it is {_short(played)}"
            if field.name == "steps":
                what = _first_difference(episode.steps, again.steps)
            raise RunError(f"{_named(episode)} is not as it was played: {what}; {_ADVICE}")


_ADVICE = "restore the file, or take the line out and the episode is played again"


def _problem(
    episode: Episode, line_digest: str, jobs: Mapping[Key, Job], policy_name: str, journal: StepJournal, seen: set[Key]
) -> str | None:
    """Return what is wrong with a recorded episode; None where nothing is."""
    job = jobs.get(episode.key)
    if job is None:
        return "is not of this run's plan"
    if episode.key in seen:
        return "is there twice"
    if episode.policy != policy_name:
        return f"was played by {episode.policy!r}, the run by {policy_name!r}"
    if episode.level_id and job.level_id not in (None, episode.level_id):
        return f"is of level {episode.level_id}, the suite has {job.level_id}"
    sealed = journal.seal_of(episode.key)
    if sealed is not None:
        return None if sealed == line_digest else "is not as it was recorded"
    return _broken_text(episode)


def _broken_text(episode: Episode) -> str | None:
    """Return which observation's text is not the one of the hash chain, where there are texts."""
    link, first = "", episode.first_sections
    if first is None or not episode.first_hash:
        return None
    after = [(step.sections, step.observation_hash) for step in episode.steps]
    for number, (sections, recorded) in enumerate([(first, episode.first_hash), *after]):
        link = chain(link, render(sections or ()))
        if link != recorded:
            return f"has another text after step {number} than its hash chain says"
    return None


def _decision(step: Step) -> Decision:
    return Decision(
        completion=step.completion,
        action=step.action,
        reason=None if step.parse_reason is None else ParseReason(step.parse_reason),
        prompt_chars=step.prompt_chars,
        prompt_tokens=step.prompt_tokens,
        completion_tokens=step.completion_tokens,
        dropped_turns=step.dropped_turns,
        finish_reason=step.finish_reason,
        marks=step.marks,
        cost_usd=step.cost_usd,
    )


def _first_difference(recorded: tuple[Step, ...], played: tuple[Step, ...]) -> str:
    if len(recorded) != len(played):
        return f"it has {len(recorded)} steps, played again {len(played)}"
    for number, (old, new) in enumerate(zip(recorded, played, strict=True), 1):
        for field in fields(Step):
            a, b = getattr(old, field.name), getattr(new, field.name)
            if a != b:
                return f"step {number}, {field.name} is {_short(a)}, played again it is {_short(b)}"
    return "its steps differ"


def _named(episode: Episode) -> str:
    repeat = f", repeat {episode.repeat}" if episode.repeat else ""
    return f"the episode of seed {episode.seed}{repeat} of {episode.spec.get('env_id')}"


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
