"""What a pack puts around the tasks, read from a history: the task alone, what is known, whether a note is asked for.

A scripted policy of one family plays packs with this, those with notes and those of solve and update episodes: it sees
each task as it would alone, and what it has of the earlier ones beside it. The wording is that of wrappers/lifecycle.py
and wrappers/cycles.py.
"""

import re
from dataclasses import replace
from typing import NamedTuple

from agentgen_bench.contract import NOTHING_KEPT
from agentgen_bench.parsing.context import written_context
from agentgen_bench.policies.base import Decision
from agentgen_bench.policies.demonstrators import answer
from agentgen_bench.prompts import History, Turn
from agentgen_bench.spaces import MAX_ACTION_CHARS
from agentgen_bench.wrappers.lifecycle import FACT, NOTE

MAX_NOTE_CHARS = MAX_ACTION_CHARS - len(NOTE) - 1
THOUGHT = "This is what I found out."
_HEADING = re.compile(r"Task (\d+) of (\d+): (.*)\Z", re.DOTALL)
_NOTE = "\nYour note: "
_END = "\n\n"
_PLAYED = re.compile(r"The task was: (.*?)\n\nObservation:\n(.*)\n\n(The task is over: .*)\Z", re.DOTALL)
_STEP = re.compile(r"\n\nAction: ([^\n]*)\nObservation:\n")
_GAP = re.compile(r"\n\n\(steps left out here: \d+\)\Z")


class Frame(NamedTuple):
    """One step within a pack: `alone` is the history of the task as if there were no pack."""

    known: str  # the note or context, or what is told; "" where there is neither
    is_writing: bool  # whether a note or context is asked for
    max_chars: int  # of it
    alone: History

    def written(self, text: str) -> Decision:
        """Return the decision that keeps a text, cut where it is too long; an empty one keeps nothing."""
        kept = text[: self.max_chars]
        if not self.alone.asks_context:
            return answer(THOUGHT, f"{NOTE} {kept}")
        context = kept.strip() or NOTHING_KEPT
        return Decision(written_context(f"<think>{THOUGHT}</think>", context), context)


def frame_of(history: History) -> Frame:
    """Return what the pack puts around the step; outside a pack, the history itself with nothing known."""
    if history.context_chars is not None:
        return Frame(history.context, True, history.context_chars, _played(history))
    heading, rest = _split(history.observation)
    match = _HEADING.match(heading)
    if match is None:
        return Frame(history.context.removeprefix(FACT), False, MAX_NOTE_CHARS, history)
    told = f"\n{FACT}"
    task, _, known = match[3].partition(told if told in match[3] else _NOTE)
    turns = tuple([turn._replace(observation=_split(turn.observation)[1]) for turn in history.turns])
    alone = replace(history, task=task, observation=rest, turns=turns)
    return Frame("" if known == NOTHING_KEPT else known, history.admissible_commands == (NOTE,), MAX_NOTE_CHARS, alone)


def _split(observation: str) -> tuple[str, str]:
    """Return the heading of an observation and what follows it; no heading, and all of it follows."""
    if not observation.startswith("Task "):
        return "", observation
    heading, _, rest = observation.partition(_END)
    return heading, rest


def _played(history: History) -> History:
    """Return the history of the task that an update episode shows; where steps are left out, a step without action."""
    match = _PLAYED.match(history.observation)
    if match is None:
        return history
    task, trajectory, over = match.groups()
    first, *pairs = _STEP.split(trajectory)
    observations, actions = [first, *pairs[1::2]], pairs[0::2]
    turns = []
    for observation, action in zip(observations, actions, strict=False):
        shown = _GAP.sub("", observation)
        turns.append(Turn(shown, action if shown == observation else None))
    return replace(history, task=task, observation=f"{observations[-1]}{_END}{over}", turns=tuple(turns))
