"""Verification of an entry: its files, every episode replayed, every score recomputed.

It shows that the recorded actions earn the claimed scores on the frozen levels. It does not show which model chose
the actions, nor that the token counts are right.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import chain
from pathlib import Path
from sys import intern
from typing import Any, TypedDict

from agentgen_bench.episodes import Episode, Step
from agentgen_bench.errors import EntryError
from agentgen_bench.leaderboard.entry import FRESH_RESULTS, RESULTS, Metadata, digests, read_metadata
from agentgen_bench.leaderboard.equal import first_difference
from agentgen_bench.leaderboard.fresh import fresh_results, read_fresh_episodes
from agentgen_bench.leaderboard.records import for_replay, prompt_of, read_entry_episodes
from agentgen_bench.leaderboard.replay import PROCESS_ENDED, Replayed, replay_all
from agentgen_bench.leaderboard.safe import read_json
from agentgen_bench.make import check_available
from agentgen_bench.scores.packs import writing_places
from agentgen_bench.scores.success import episode_return, results
from agentgen_bench.suites import Suite, load_suite

MAX_PROBLEMS = 20  # with so many the verdict is clear, and replay ends


class VerificationJson(TypedDict):
    """A verification as `verify --json` prints it."""

    entry: str
    holds: bool
    episodes: int
    steps: int
    problems: list[str]
    digests: dict[str, str]


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

    def to_json(self) -> VerificationJson:
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
        UnavailableError: the suite has versions or families that are not here to replay.
    """
    path = path.absolute()
    if not path.is_dir():
        raise EntryError(f"{path} is not a folder; name one like leaderboards/core-v1/20260131_My-Lab__my-model-4b")
    suite = load_suite(path.parent.name) if suite is None else suite
    _check_suite(suite)
    found = Findings()
    try:
        metadata = found.metadata = read_metadata(path, suite)
        claimed = {name: read_json(path / name) for name in metadata.files if name in (RESULTS, FRESH_RESULTS)}
        found.digests = digests(path)
        # Read twice: what is malformed is found before minutes of replay, and nothing is gathered for them but scores.
        kept = [scored(episode) for episode in read_entry_episodes(path, metadata, suite)]
        fresh = [scored(episode) for episode in read_fresh_episodes(path, metadata, suite)]
        config = prompt_of(metadata)
        recorded = chain(
            *(read(path, metadata, suite, parsed=False) for read in (read_entry_episodes, read_fresh_episodes))
        )
        again = (for_replay(episode, config) for episode in recorded)
        for chunk in replay_all(again, workers, config):
            found.add(chunk)
            if on_replayed is not None:
                on_replayed(chunk)
            if found.is_full:
                break
        if not found.problems:
            found.problems += _score_problems(claimed, kept, fresh)
        if digests(path) != found.digests:
            found.problems.append(f"{path} was changed while it was verified")
    except BrokenProcessPool:
        found.problems.append(PROCESS_ENDED)
    except EntryError as error:
        found.problems.append(str(error))
    except Exception as error:  # noqa: BLE001 - a stranger's files: what we did not think of must not hide other findings
        found.problems.append(
            f"{path} cannot be verified: {type(error).__name__}: {' '.join(str(error).split())[:200]}"
        )
    return found.verification(path)


def _check_suite(suite: Suite) -> None:
    for cell in suite.cells:
        check_available(cell.spec)


class Findings:
    """What a verification has found so far."""

    def __init__(self) -> None:
        self.metadata: Metadata | None = None
        self.episodes = self.steps = self.unlisted = 0
        self.problems: list[str] = []
        self.digests: dict[str, str] = {}

    @property
    def is_full(self) -> bool:
        """Whether so much is wrong that replaying the rest would tell nothing new."""
        return len(self.problems) >= MAX_PROBLEMS

    def add(self, chunk: Replayed) -> None:
        """Count a chunk of replayed episodes and keep the first of what differs."""
        self.episodes += chunk.episodes
        self.steps += chunk.steps
        room = max(0, MAX_PROBLEMS - len(self.problems))
        self.problems += chunk.differences[:room]
        self.unlisted += len(chunk.differences[room:])

    def verification(self, path: Path) -> Verification:
        """Return it all."""
        more = (
            (f"and {self.unlisted} more episodes of the {self.episodes} that were replayed",) if self.unlisted else ()
        )
        problems = (*self.problems, *more)
        return Verification(path, self.metadata, self.episodes, self.steps, problems, self.digests)


def scored(episode: Episode) -> Episode:
    """Return the episode with what scores are computed from and nothing else, in a few hundred bytes.

    Steps that say the same are one object. The first step carries the rewards of all, and the tokens of all but those
    that write what is kept of a pack, whose tokens are a score of their own. Texts are gone, whatever they are about.
    """
    steps = [_counted(step.action is None, step.parse_reason, step.is_action_valid) for step in episode.steps]
    own = set(writing_places(episode)) - {0}
    rest = [step for place, step in enumerate(episode.steps) if place not in own]
    if steps:
        steps[0] = replace(_with_tokens(steps[0], rest), reward=episode_return(episode))
    for place in own:
        steps[place] = _with_tokens(steps[place], episode.steps[place : place + 1])
    return replace(
        episode,
        policy=intern(episode.policy),
        task="",
        first_hash="",
        first_chars={},
        steps=tuple(steps),
        analysis={},
        tasks=tuple(task._replace(note=task.note and "") for task in episode.tasks),
        action_templates=(),
        facts=(),
        parts=tuple(part._replace(task="", context="") for part in episode.parts),
    )


def _with_tokens(step: Step, spent: Sequence[Step]) -> Step:
    """Return the step with the tokens of others."""
    prompt_tokens, completion_tokens = sum(s.prompt_tokens for s in spent), sum(s.completion_tokens for s in spent)
    return replace(step, prompt_tokens=prompt_tokens, completion_tokens=completion_tokens)


@lru_cache(maxsize=256)
def _counted(unparsed: bool, reason: str | None, valid: bool) -> Step:
    """Return a step with what is counted of it."""
    return Step(None if unparsed else "", "", reason, 0.0, 0.0, valid, "", {}, 0, 0, 0, 0, 0)


def _score_problems(claimed: Mapping[str, object], episodes: list[Episode], fresh: list[Episode]) -> list[str]:
    """Return where the files of scores are not what the episodes give."""
    computed = {RESULTS: results(episodes)} | ({FRESH_RESULTS: fresh_results(episodes, fresh)} if fresh else {})
    pairs = ((name, json.loads(json_text(value))) for name, value in computed.items())
    found = ((name, first_difference(claimed[name], value)) for name, value in pairs)
    return [f"{name}: {difference}" for name, difference in found if difference is not None]


def json_text(value: Any) -> str:
    """Return a value as the JSON text of a file."""
    return json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
