"""The course of an episode: what an agent did, apart from how it said it, for comparisons between entries.

Two kinds of course tell something about where actions came from. *Mistakes* tell whether two entries are one: good
solutions are few and found by many, long detours are not repeated by chance. *Direct* courses, solved in about the
expert's number of steps, tell whether the expert itself was asked. Everything else (loops, a few first steps) tells
nothing and is dropped.
"""

import math
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal, NamedTuple

from rapidfuzz.distance import LCSseq

from agentgen_bench.envs.base import read_action

TELLING_BITS = 12.0  # a blind guess among the listed commands hits such a course once in 4,096 tries
MIN_DISTINCT = 3
MAX_PERIOD = 4  # repetitions of up to so many actions are one
LONG = 10  # actions from which on a course may differ in one of ten

Kind = Literal["mistakes", "direct"]


class Course(NamedTuple):
    """A course that tells something, and its kind."""

    kind: Kind
    actions: tuple[str, ...]


class Played(NamedTuple):
    """One episode's place and its course; None where that tells nothing."""

    family: str
    level: tuple[str, int]  # the spec as canonical JSON, the seed
    course: Course | None


def course_of(
    steps: Iterable[Mapping[str, Any]], first_admissible: int, success: bool, expert_length: int | None
) -> Course | None:
    """Return the course of an episode's steps as they are recorded, or None where it tells nothing.

    Only valid actions count, read as environments read them, so that other completions, useless steps that are
    refused, capitals and full stops change nothing.
    """
    actions: list[str] = []
    choices = []
    count, listed = 0, first_admissible
    for step in steps:
        count += 1
        if step["is_action_valid"] and step["action"] is not None:
            actions.append(sys.intern(read_action(step["action"])))
            choices.append(listed)
        listed = step["n_admissible"]
    if success and expert_length is not None and count <= expert_length + surplus(expert_length):
        return Course("direct", tuple(actions))
    kept = folded(actions)
    bits = sum(math.log2(max(2, choices[i])) for i in kept)
    course = tuple(actions[i] for i in kept)
    is_telling = bits >= TELLING_BITS and len(set(course)) >= MIN_DISTINCT
    return Course("mistakes", course) if is_telling else None


def folded(actions: Sequence[str]) -> list[int]:
    """Return the places of the actions that are left where what is done again at once is done once.

    Examples:
        >>> folded("uurdldldlu")
        [0, 2, 3, 4, 9]
    """
    kept: list[int] = []
    done: list[str] = []  # the actions at those places
    for i, action in enumerate(actions):
        kept.append(i)
        done.append(action)
        for period in range(1, min(MAX_PERIOD, len(done) // 2) + 1):
            if done[-1 - period] == action and done[-2 * period : -period] == done[-period:]:
                del kept[-period:], done[-period:]
                break
    return kept


def surplus(length: int) -> int:
    """Return how many actions may be added to a course of this length that stays the same one."""
    return max(1, length // 4)


def agree(one: Course, other: Course) -> bool:
    """Return whether two courses are one: equal, one within the other with a few more, or nine in ten in order."""
    a, b = one.actions, other.actions
    if one.kind != other.kind:
        return False
    if a == b:
        return True
    short, long = sorted((len(a), len(b)))
    if long - short > surplus(short):
        return False
    common = LCSseq.similarity(a, b)
    return common == short or (long >= LONG and common >= 0.9 * long)
