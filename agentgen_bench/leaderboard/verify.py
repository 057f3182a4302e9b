"""Verification of an entry: its files, every episode replayed, every score recomputed.

It shows that the recorded actions earn the claimed scores on the frozen levels. It does not show which model chose
the actions, nor that the token counts are right.
"""

import json
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from agentgen_bench.episodes import Episode
from agentgen_bench.errors import EntryError
from agentgen_bench.leaderboard.entry import (
    RESULTS,
    Metadata,
    digests,
    first_difference,
    read_entry_episodes,
    read_metadata,
)
from agentgen_bench.leaderboard.replay import Replayed, replay_all
from agentgen_bench.leaderboard.safe import parse_json, read_json
from agentgen_bench.scores.success import results
from agentgen_bench.suites import Suite, load_suite

MAX_PROBLEMS = 20  # further ones are counted only


@dataclass(frozen=True, slots=True)
class Verification:
    """What a verification found: no problem means that the entry holds."""

    path: Path
    metadata: Metadata | None
    episodes: int
    steps: int
    problems: tuple[str, ...]
    digests: dict[str, str]

    @property
    def holds(self) -> bool:
        """Whether the entry is what it claims to be."""
        return not self.problems

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        return {
            "entry": str(self.path),
            "holds": self.holds,
            "episodes": self.episodes,
            "steps": self.steps,
            "problems": list(self.problems),
            "digests": self.digests,
        }


def verify(
    path: Path,
    *,
    suite: Suite | None = None,
    workers: int | None = None,
    on_replayed: Callable[[Replayed], None] | None = None,
) -> Verification:
    """Return what is wrong with the entry in a folder.

    Args:
        path: the entry's folder; the folder above it names the suite.
        suite: the suite to verify against (default: the shipped one of that name).
        workers: processes (default: all cores).
        on_replayed: told of each chunk of episodes.

    Raises:
        EntryError: there is no such folder.
        SpecError: there is no suite of the name of the folder above.
    """
    path = path.absolute()
    if not path.is_dir():
        raise EntryError(f"{path} is not a folder; name one like leaderboards/core-v1/20260131_My-Lab__my-model-4b")
    suite = load_suite(path.parent.name) if suite is None else suite
    found = _Found()
    try:
        metadata = found.metadata = read_metadata(path, suite)
        claimed = read_json(path / RESULTS)
        kept: list[Episode] = []
        episodes = _keeping(read_entry_episodes(path, metadata, suite), kept)
        for chunk in replay_all(episodes, workers):
            found.add(chunk)
            if on_replayed is not None:
                on_replayed(chunk)
        if not found.problems:
            found.problems += _score_problems(claimed, kept)
        found.digests = digests(path)
    except BrokenProcessPool:
        found.problems.append("a replaying process was ended from outside; is there memory enough? Try fewer workers")
    except EntryError as error:
        found.problems.append(str(error))
    return found.verification(path)


class _Found:
    """What a verification has found so far."""

    def __init__(self) -> None:
        self.metadata: Metadata | None = None
        self.episodes = self.steps = self.unlisted = 0
        self.problems: list[str] = []
        self.digests: dict[str, str] = {}

    def add(self, chunk: Replayed) -> None:
        self.episodes += chunk.episodes
        self.steps += chunk.steps
        room = max(0, MAX_PROBLEMS - len(self.problems))
        self.problems += chunk.differences[:room]
        self.unlisted += len(chunk.differences[room:])

    def verification(self, path: Path) -> Verification:
        more = (f"and {self.unlisted} more episodes differ",) if self.unlisted else ()
        problems = (*self.problems, *more)
        return Verification(path, self.metadata, self.episodes, self.steps, problems, self.digests)


def _keeping(episodes: Iterable[Episode], kept: list[Episode]) -> Iterator[Episode]:
    """Yield the episodes, keeping of each what scores are computed from: completions and hashes are long."""
    for episode in episodes:
        steps = tuple(replace(step, completion="", observation_hash="", observation_chars={}) for step in episode.steps)
        kept.append(replace(episode, steps=steps, analysis={}, task=""))
        yield episode


def _score_problems(claimed: Any, episodes: list[Episode]) -> list[str]:
    computed = parse_json(json_text(results(episodes)), RESULTS)
    found = first_difference(claimed, computed)
    return [] if found is None else [f"{RESULTS}: {found}"]


def json_text(value: Any) -> str:
    """Return a value as the JSON text of a file."""
    return json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
