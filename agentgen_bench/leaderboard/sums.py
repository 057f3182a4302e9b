"""The sums of an entry's episodes: what its row, and its comparison with other rows, are computed from.

An entry of 6,000 episodes is some hundred megabytes of JSON; its sums are a thousandth of that. They are read off the
episodes alone, unverified, and can be kept (`kept`) beside the digest of the file that they come from.
"""

import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, TypedDict

from agentgen_bench.episodes import canonical_json, from_json
from agentgen_bench.errors import DataError, EntryError
from agentgen_bench.leaderboard.courses import Course, Played, course_of
from agentgen_bench.leaderboard.entry import EPISODES
from agentgen_bench.leaderboard.records import MAX_PROMPT
from agentgen_bench.leaderboard.safe import parse_json, read_gzip_lines
from agentgen_bench.scores.base import family, level_key
from agentgen_bench.scores.sampling import Outcomes
from agentgen_bench.scores.success import succeeded

COUNTS = ("solved", "played", "steps", "prompt_tokens", "completion_tokens")


@dataclass(frozen=True, slots=True)
class SettingSums:
    """One setting of an entry: its levels, sorted, and what of each is counted over its repeats."""

    spec: Mapping[str, Any]
    levels: tuple[str, ...]
    solved: tuple[int, ...]
    played: tuple[int, ...]
    steps: tuple[int, ...]
    prompt_tokens: tuple[int, ...]
    completion_tokens: tuple[int, ...]


Sums = Mapping[str, SettingSums]  # by the spec as canonical JSON, sorted


class Reading(NamedTuple):
    """What one reading of an entry's episodes gives."""

    sums: Sums
    played: Sequence[Played]


def read_sums(path: Path) -> Reading:
    """Return the sums and the courses of the entry in a folder, unverified.

    Raises:
        EntryError: a line is no episode, or an episode is there twice.
    """
    return read_lines(read_gzip_lines(path / EPISODES), str(path / EPISODES))


def read_lines(lines: Iterable[bytes], where: str) -> Reading:
    """Return what the lines of an entry's episodes give; `where` names them in errors."""
    played: list[Played] = []
    specs: dict[str, Mapping[str, Any]] = {}
    counts: dict[str, dict[str, list[int]]] = {}
    seen: set[tuple[str, int, int]] = set()
    for number, line in enumerate(lines, 1):
        data = parse_json(line, f"{where}, line {number}")
        try:
            episode = from_json(data | {"steps": []} if isinstance(data, dict) else data)
            steps = data["steps"]
            course = course_of(steps, episode.first_admissible, episode.success, episode.expert_length)
            spent = [len(steps), _total(steps, "prompt_tokens"), _total(steps, "completion_tokens")]
            key = canonical_json(episode.spec)
            place = key, episode.seed, episode.repeat
            played.append(Played(family(episode.spec), (key, episode.seed), course))
        except (DataError, KeyError, TypeError, AttributeError) as error:
            raise EntryError(f"{where}, line {number}: {error}") from None
        if place in seen:
            raise EntryError(f"{where}, line {number}: seed {episode.seed}, repeat {episode.repeat} is there twice")
        seen.add(place)
        specs.setdefault(key, episode.spec)
        known = counts.setdefault(key, {}).setdefault(level_key(episode), [0] * len(COUNTS))
        for i, more in enumerate([int(succeeded(episode)), 1, *spent]):
            known[i] += more
    return Reading({key: _setting(specs[key], counts[key]) for key in sorted(counts)}, played)


def _total(steps: Iterable[Mapping[str, Any]], name: str) -> int:
    found = [step[name] for step in steps]
    if any(type(count) is not int or not 0 <= count <= MAX_PROMPT for count in found):
        raise TypeError(f"{name} of a step is no count of at most {MAX_PROMPT}")
    return sum(found)


def _setting(spec: Mapping[str, Any], counts: Mapping[str, Sequence[int]]) -> SettingSums:
    levels = tuple(sorted(counts))
    return SettingSums(spec, levels, *zip(*(counts[level] for level in levels), strict=True))


def outcomes(sums: Sums) -> Outcomes:
    """Return who solved what, as `scores.sampling` takes it."""
    return {
        key: (one.spec, dict(zip(one.levels, zip(map(float, one.solved), one.played, strict=True), strict=True)))
        for key, one in sums.items()
    }


class SettingSumsJson(TypedDict):
    """A `SettingSums` as plain values."""

    spec: Mapping[str, Any]
    levels: Sequence[str]
    solved: Sequence[int]
    played: Sequence[int]
    steps: Sequence[int]
    prompt_tokens: Sequence[int]
    completion_tokens: Sequence[int]


def sums_json(sums: Sums) -> list[SettingSumsJson]:
    """Return plain values."""
    return [
        {
            "spec": one.spec,
            "levels": one.levels,
            "solved": one.solved,
            "played": one.played,
            "steps": one.steps,
            "prompt_tokens": one.prompt_tokens,
            "completion_tokens": one.completion_tokens,
        }
        for one in sums.values()
    ]


def sums_from_json(data: Any) -> Sums:
    """Return the sums as `sums_json` wrote them; raises ValueError, KeyError or TypeError where it is anything else."""
    found: dict[str, SettingSums] = {}
    for one in data:
        columns = [tuple(one[name]) for name in ("levels", *COUNTS)]
        if len(set(map(len, columns))) != 1 or any(type(n) is not int for column in columns[1:] for n in column):
            raise ValueError("sums of unequal length, or no whole numbers")
        found[canonical_json(one["spec"])] = SettingSums(one["spec"], *columns)
    return found


class PlayedJson(TypedDict):
    """Who played what as plain values: a row holds an entry, a spec's number, a seed, and the course's kind and words.

    Words and specs stand once, and rows name them by their number.
    """

    words: list[str]
    specs: list[str]
    rows: list[list[Any]]


def played_json(played: Sequence[Played]) -> PlayedJson:
    """Return plain values: each action is written once."""
    words: dict[str, int] = {}
    specs: dict[str, int] = {}
    rows: list[list[Any]] = []
    for name, (spec, seed), course in played:
        place = [name, specs.setdefault(spec, len(specs)), seed]
        if course is not None:
            place += [course.kind, *(words.setdefault(action, len(words)) for action in course.actions)]
        rows.append(place)
    return {"words": list(words), "specs": list(specs), "rows": rows}


def played_from_json(data: Any) -> list[Played]:
    """Return the episodes as `played_json` wrote them; raises ValueError, KeyError or TypeError otherwise."""
    words, specs = [sys.intern(word) for word in data["words"]], data["specs"]
    found = []
    for name, spec, seed, *rest in data["rows"]:
        course = Course(rest[0], tuple([words[i] for i in rest[1:]])) if rest else None
        found.append(Played(name, (specs[spec], seed), course))
    return found
