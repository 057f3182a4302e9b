"""Failure modes of an episode, found by rules, and how often each occurs.

invalid_action    an action was parsed and the environment refused it
unparsable        a completion held no action
repeated_action   an action was sent again right after it had changed nothing the agent can see
loop              the same action in the same state, three times in one episode
time_out          the step limit ended the episode
crash             an error of ours ended it
unknown_name      an action names a thing that no observation so far, and not the task, has mentioned
fatal_push        Sokoban: a push left a position without a solution (from the tablebase, `Episode.analysis`)

What tells one state from another: the texts of the sections whose source is "state", because the hash chain differs
at every step and distractors are drawn anew. Records without section texts (compact ones; replay brings the texts
back) cannot tell repeated actions, loops and unknown names: sizes alone would take a walk down a corridor for a loop.
"""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from typing import Literal, TypedDict

import numpy as np

from agentgen_bench import families
from agentgen_bench.episodes import Episode, Sections
from agentgen_bench.scores.base import Score, ScoreJson, family, is_crash, scores_json, undefined
from agentgen_bench.scores.success import per_episode, rate

LOOP_VISITS = 3  # the same action in the same state for the third time: the second may be an honest retry
FAULTY = "where steps fail, what is shown is not always the state"
NO_TEXTS = "the record holds no observation texts; record with texts, or replay the run"

_CLICK = re.compile(r"click\[(?P<name>.*)\]", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Failures:
    """What went wrong in one episode; None where the record cannot tell, and `reasons` says why."""

    invalid_action: bool
    unparsable: bool
    time_out: bool
    crash: bool
    repeated_action: bool | None
    loop: bool | None
    unknown_name: bool | None
    fatal_push: bool | None
    first_fatal_push: float | None  # the step, from 1, whose push left no solution; None where there is none
    regret_moves: float | None  # steps beyond the optimum if the rest is played optimally; None after a fatal push
    regret_pushes: float | None
    reasons: tuple[tuple[str, str], ...] = ()


MODES = (
    "invalid_action",
    "unparsable",
    "repeated_action",
    "loop",
    "time_out",
    "crash",
    "unknown_name",
    "fatal_push",
)
ANALYSES = ("first_fatal_push", "regret_moves", "regret_pushes")


def failures(episode: Episode) -> Failures:
    """Return the failure modes of one episode."""
    states = None if _is_faulty(episode) else _states(episode)
    unknown, unknown_reason = _unknown_name(episode)
    analysed = {name: _analysed(episode, name) for name in ANALYSES}
    texts_reason = FAULTY if _is_faulty(episode) else NO_TEXTS if states is None else None
    found = {
        "repeated_action": texts_reason,
        "loop": texts_reason,
        "unknown_name": unknown_reason,
        "fatal_push": analysed["first_fatal_push"][1],
        **{name: reason for name, (_, reason) in analysed.items()},
    }
    return Failures(
        invalid_action=any(step.action is not None and not step.is_action_valid for step in episode.steps),
        unparsable=any(step.action is None for step in episode.steps),
        time_out=episode.ending == "truncated",
        crash=is_crash(episode),
        repeated_action=None if states is None else _repeats_in_vain(episode, states),
        loop=None if states is None else _loops(episode, states),
        unknown_name=unknown,
        fatal_push=None if found["fatal_push"] else analysed["first_fatal_push"][0] is not None,
        first_fatal_push=analysed["first_fatal_push"][0],
        regret_moves=analysed["regret_moves"][0],
        regret_pushes=analysed["regret_pushes"][0],
        reasons=tuple((name, reason) for name, reason in found.items() if reason is not None),
    )


def unknown_names(episode: Episode) -> list[tuple[int, str]] | None:
    """Return (step from 0, name) for each name sent that nothing shown before had mentioned; None without texts."""
    shown = _shown(episode)
    if shown is None:
        return None
    seen, found = [_normal(episode.task)], []
    for i, step in enumerate(episode.steps):
        seen.append(_normal("".join(section.text for section in shown[i])))
        names = _names(step.action or "", family(episode.spec))
        found += [(i, name) for name in names if not any(_mentions(text, name) for text in seen)]
    return found


def failure_scores(episodes: Sequence[Episode], rng: np.random.Generator) -> tuple[Score, ...]:
    """Return, for the episodes of one setting, the share that shows each mode, and Sokoban's push figures.

    A mode that some records cannot tell is counted over the others; where none can tell, it is undefined.
    """
    found = [(episode, failures(episode)) for episode in episodes]
    return (
        *(_mean("rate", mode, found, rng) for mode in MODES),
        *(_mean("per_episode", name, found, rng) for name in ANALYSES),
    )


class FailuresJson(TypedDict):
    """The failure modes of one setting's episodes: shares of all, and how many failed ones show each."""

    scores: dict[str, ScoreJson]
    failed: int
    failed_with: dict[str, int]


def failures_json(episodes: Sequence[Episode], rng: np.random.Generator) -> FailuresJson:
    """Return `failure_scores` as plain JSON, with the number of failed episodes that show each mode."""
    failed = [failures(episode) for episode in episodes if not episode.success]
    counts = {mode: sum(getattr(modes, mode) is True for modes in failed) for mode in MODES}
    return {"scores": scores_json(failure_scores(episodes, rng)), "failed": len(failed), "failed_with": counts}


def _mean(
    kind: Literal["rate", "per_episode"], name: str, found: Sequence[tuple[Episode, Failures]], rng: np.random.Generator
) -> Score:
    """Return the mean of one figure over the episodes that have it."""
    known = [(episode, float(value)) for episode, modes in found if (value := getattr(modes, name)) is not None]
    if not known:
        return undefined(name, _why(name, found))
    mean_of = rate if kind == "rate" else per_episode
    return mean_of(name, [episode for episode, _ in known], [value for _, value in known], rng)


def _why(name: str, found: Sequence[tuple[Episode, Failures]]) -> str:
    reasons = sorted({reason for _, modes in found for mode, reason in modes.reasons if mode == name})
    return "; ".join(reasons) if reasons else "no episode has one"


def _repeats_in_vain(episode: Episode, states: Sequence[str]) -> bool:
    return any(
        earlier.action is not None
        and earlier.action == later.action
        and (not earlier.is_action_valid or states[i] == states[i + 1])
        for i, (earlier, later) in enumerate(pairwise(episode.steps))
    )


def _loops(episode: Episode, states: Sequence[str]) -> bool:
    pairs = zip(episode.steps, states, strict=False)
    moves = Counter((step.action, state) for step, state in pairs if step.action is not None)
    return any(times >= LOOP_VISITS for times in moves.values())


def _states(episode: Episode) -> list[str] | None:
    """Return the text of the state before the first step and after each step, None where texts are not recorded."""
    shown = _shown(episode)
    if shown is None:
        return None
    return ["".join(section.text for section in sections if section.source == "state") for sections in shown]


def _is_faulty(episode: Episode) -> bool:
    return "faults" in episode.spec


def _shown(episode: Episode) -> list[Sections] | None:
    """Return the sections of every observation, the first included, None where texts are not recorded."""
    shown = [episode.first_sections, *(step.sections for step in episode.steps)]
    known = [sections for sections in shown if sections is not None]
    return known if len(known) == len(shown) else None


def _unknown_name(episode: Episode) -> tuple[bool | None, str | None]:
    name = family(episode.spec)
    if not families.is_known(name):
        return None, f"the package of {name}, which tells the words of its actions, is not installed"
    if not families.family(name).actions.names_things:
        return None, f"actions of {name} name nothing"
    if episode.spec.get("interface", "original") != "original":
        return None, "the interface renames the command words"
    if _is_faulty(episode):
        return None, FAULTY
    found = unknown_names(episode)
    return (None, NO_TEXTS) if found is None else (bool(found), None)


def _analysed(episode: Episode, name: str) -> tuple[float | None, str | None]:
    if family(episode.spec) != "Sokoban":
        return None, "only Sokoban has it"
    value = episode.analysis.get(name, "")
    if isinstance(value, str):
        return None, "the record holds no such analysis"
    return value, None


def _names(action: str, family_name: str) -> list[str]:
    """Return what an action names: the button of a click, or what stands between the command words."""
    if not families.family(family_name).actions.names_things:
        return []
    words = _word_pattern(family_name)
    if words is None:
        click = _CLICK.fullmatch(action.strip())
        return [_normal(click["name"])] if click and click["name"].strip() else []
    return [name for part in words.split(_normal(action)) if (name := part.strip())]


@cache
def _word_pattern(family_name: str) -> re.Pattern[str] | None:
    """Return what matches each word of a family's command grammar; what stands between them names things."""
    actions = families.family(family_name).actions
    if actions.form == "brackets":
        return None
    words = {part for word in actions.words for part in word.name.split()} | set(actions.connectives)
    longest_first = sorted(words, key=lambda word: (-len(word), word))
    return re.compile("|".join(rf"(?<!\S){re.escape(word)}(?!\S)" for word in longest_first))


def _mentions(text: str, name: str) -> bool:
    return name in text and re.search(rf"(?<!\w){re.escape(name)}(?!\w)", text) is not None


def _normal(text: str) -> str:
    return " ".join(text.lower().split())
