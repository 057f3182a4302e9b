"""What the courses of a board's entries say about each other: copies, and actions that are the oracle's.

Copies: an entry of another name that makes the same mistakes. Of the levels on which courses tell something
(`courses`), at least `COPY_SHARE` of one family and `COPY_LEVELS` in number are played just as the earlier entry played
them. Scripted policies of ours are deterministic, and parts of them are the same policy; they are not compared with
each other, but with everything else.

The oracle's actions: within a family, a share of episodes played as the oracle plays them that is at least
`ORACLE_SHARE`, and `ORACLE_FACTOR` times that of every competitor below it which is not itself noted (or, where that
cannot be, half way from there to all of them); scripted policies are competitors, and never noted. Where a family
can count the equally good solutions of a level, the share must also be more than a player would reach who finds
solutions as short and chooses among them blindly. It is a statement, not a verdict: a model that learned from the
oracle on training levels chooses as it does.
"""

import json
import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from agentgen_bench.errors import UnavailableError
from agentgen_bench.leaderboard.courses import Course, Played, agree
from agentgen_bench.leaderboard.records import SCRIPTED_KINDS
from agentgen_bench.make import make
from agentgen_bench.spec import TaskSpec

COPY_SHARE = 0.3
COPY_LEVELS = 20
ORACLE = "oracle"
ORACLE_SHARE = 0.2
ORACLE_FACTOR = 2.0
SIGMAS = 5.0  # above what blind choice among equally good solutions gives
MAX_COUNTED = 200  # levels whose solutions are counted

Level = tuple[str, int]


@dataclass(frozen=True)
class Contestant:
    """An entry as it is compared: its name on the board, who it says it is, its policy's kind, and its episodes.

    The episodes are asked for when they are first needed: two entries that were compared before need none. `digest`
    names them where what is found is kept.
    """

    entry: str
    label: tuple[str, str]  # org and model
    kind: str
    episodes: Callable[[], Iterable[Played]]
    digest: str = ""

    @property
    def is_scripted(self) -> bool:
        """Whether a scripted policy of ours played, as it says itself."""
        return self.kind in SCRIPTED_KINDS

    @cached_property
    def played(self) -> Mapping[str, Mapping[Level, Sequence[Course | None]]]:
        """The courses by family, then level."""
        played: defaultdict[str, defaultdict[Level, list[Course | None]]] = defaultdict(lambda: defaultdict(list))
        for family, level, course in self.episodes():
            played[family][level].append(course)
        return played

    @cached_property
    def mistakes(self) -> Mapping[str, Mapping[Level, Sequence[Course]]]:
        """The courses that tell something about copies, by family, then level."""
        return {family: _mistakes(levels) for family, levels in self.played.items()}


def contestant(entry: str, label: tuple[str, str], kind: str, episodes: Iterable[Played]) -> Contestant:
    """Return an entry whose episodes are at hand."""
    listed = list(episodes)
    return Contestant(entry, label, kind, lambda: listed)


# --- copies


class Alike(NamedTuple):
    """On how many levels of a family two entries play the same course.

    `telling` counts the levels where a course tells something, for the entry that has fewer: what is copied in part
    is found beside whatever fills the rest.
    """

    family: str
    telling: int
    same: int

    @property
    def is_copy(self) -> bool:
        """Whether that is a copy, by the rule of this module."""
        return self.same >= COPY_LEVELS and self.same >= COPY_SHARE * self.telling


def alike(one: Contestant, other: Contestant) -> list[Alike]:
    """Return how far the mistakes of one entry are those of another, by family; repeats in any order."""
    found = []
    for family, mine in sorted(one.mistakes.items()):
        others = other.mistakes.get(family, {})
        same = sum(
            any(agree(course, candidate) for course in courses for candidate in others.get(level, ()))
            for level, courses in mine.items()
        )
        found.append(Alike(family, min(len(mine), len(others)), same))
    return found


def _mistakes(levels: Mapping[Level, Sequence[Course | None]]) -> dict[Level, list[Course]]:
    """Return the courses of one family's levels that tell something about copies."""
    kept = {
        level: [course for course in courses if course is not None and course.kind == "mistakes"]
        for level, courses in levels.items()
    }
    return {level: courses for level, courses in kept.items() if courses}


def copy_note(
    one: Contestant,
    earlier: Sequence[Contestant],
    compared: Callable[[Contestant, Contestant], Sequence[Alike]] = alike,
) -> str | None:
    """Return what is to be said of an entry that is a copy of an earlier one of another name; None where it is none.

    Args:
        one: the entry.
        earlier: those that were on the board before it.
        compared: what `alike` finds, or found before.
    """
    for other in earlier:
        if one.label == other.label or (one.is_scripted and other.is_scripted):
            continue
        copies = [each for each in compared(one, other) if each.is_copy]
        if copies:
            counts = ", ".join(f"{each.same} of {each.telling} in {each.family}" for each in copies)
            what = "a copy, the same model, or one that learned from the same demonstrations"
            return f"makes the same mistakes as {other.entry} ({counts}): {what}"
    return None


# --- the oracle


class AsOracle(NamedTuple):
    """How many of an entry's episodes of a family are played as the oracle plays them.

    `is_expected` says whether blind choice among equally good solutions explains it; it is asked only of a share that
    would be noted otherwise, and False for every other.
    """

    family: str
    same: int
    episodes: int
    is_expected: bool

    @property
    def share(self) -> float:
        """The share of the episodes."""
        return self.same / max(1, self.episodes)


def as_oracle(one: Contestant, oracle: Contestant) -> list[AsOracle]:
    """Return how far an entry plays as the oracle, for each family that both have."""
    found = []
    for family in sorted(one.played.keys() & oracle.played.keys()):
        direct, total = oracle_levels(one, oracle, family)
        each = AsOracle(family, sum(same for same, _ in direct.values()), total, is_expected=False)
        is_asked = each.share >= ORACLE_SHARE and not one.is_scripted
        found.append(each._replace(is_expected=is_asked and _is_expected(direct)))
    return found


def oracle_notes(
    contestants: Sequence[Contestant],
    compared: Callable[[Contestant, Contestant], Sequence[AsOracle]] = as_oracle,
) -> dict[str, list[str]]:
    """Return by entry a note for each family in which its actions are the oracle's beyond what can be expected.

    A board without an entry of the oracle has none to compare with.

    Args:
        contestants: all entries of the board, in the order in which they came to it: the first that says to be the
            oracle's is taken for it, whatever day a later one says to be of.
        compared: what `as_oracle` finds, or found before.
    """
    oracle = next((each for each in contestants if each.kind == ORACLE), None)
    if oracle is None:
        return {}
    notes: defaultdict[str, list[str]] = defaultdict(list)
    found = [(one, each) for one in contestants if one.kind != ORACLE for each in compared(one, oracle)]
    for family in sorted({each.family for _, each in found}):
        best = 0.0  # of the competitors so far that need no note
        own = [(one, each) for one, each in found if each.family == family]
        # Those of scripted policies first: what they are is known, so they are only compared with.
        for one, each in sorted(own, key=lambda pair: (not pair[0].is_scripted, pair[1].share)):
            if one.is_scripted or each.share < _far_beyond(best) or each.is_expected:
                best = max(best, each.share)
                continue
            notes[one.entry].append(
                f"plays as the oracle in {100 * each.share:.0f} % of the episodes in {family}; competitors in at most "
                f"{100 * best:.0f} %"
            )
    return notes


def oracle_levels(one: Contestant, oracle: Contestant | None, family: str) -> tuple[dict[Level, tuple[int, int]], int]:
    """Return the levels that an entry solved as directly as the oracle, and the number of its episodes of the family.

    Beside each level stand how many of its direct courses are the oracle's, and how many there are.
    """
    direct: dict[Level, tuple[int, int]] = {}
    total = 0
    for level, courses in one.played.get(family, {}).items():
        total += len(courses)
        theirs = [course for course in oracle.played[family].get(level, ()) if course] if oracle is not None else []
        mine = [course for course in courses if course is not None and course.kind == "direct"]
        if mine and theirs:
            direct[level] = sum(any(agree(course, known) for known in theirs) for course in mine), len(mine)
    return direct, total


def _far_beyond(best: float) -> float:
    """Return the share from which on it is far beyond the best of the competitors."""
    return max(ORACLE_SHARE, min(ORACLE_FACTOR * best, (1 + best) / 2))


def _is_expected(direct: Mapping[Level, tuple[int, int]]) -> bool:
    """Return whether blind choice among equally good solutions explains it; False where they cannot be counted.

    Levels are taken evenly over the sorted ones, at most `MAX_COUNTED`. A level with one best solution says nothing.
    """
    levels = sorted(direct)[:: max(1, math.ceil(len(direct) / MAX_COUNTED))]
    same = mean = variance = 0.0
    for spec, seed in levels:
        if (count := best_solutions(spec, seed)) is None:
            return False
        hits, tries = direct[spec, seed]
        same += hits
        mean += tries / count
        variance += tries * (1 - 1 / count) / count
    return same - mean <= SIGMAS * math.sqrt(variance)


def best_solutions(spec: str, seed: int) -> int | None:
    """Return how many solutions of a level are as short as the shortest; None where its family does not count them."""
    setting = TaskSpec.from_json(json.loads(spec))
    if setting.lifecycle_spec is not None:  # several levels in one episode
        return None
    try:
        env = make(setting)
    except UnavailableError:
        return None
    try:
        count = getattr(env.unwrapped, "count_best_solutions", None)
        if count is None:
            return None
        env.reset(seed=seed)
        return int(count())
    finally:
        env.close()
