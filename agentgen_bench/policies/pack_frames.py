"""What a pack puts around the tasks, read from the observation: which task, the note, what is told; and the task alone.

A scripted policy of one family plays packs with this: it sees each task as it would alone, and what it has of the
earlier ones beside it. The wording is that of wrappers/lifecycle.py.
"""

import re
from dataclasses import replace
from typing import NamedTuple

from agentgen_bench.policies.base import Decision
from agentgen_bench.policies.demonstrators import answer
from agentgen_bench.prompts import History
from agentgen_bench.spaces import MAX_ACTION_CHARS
from agentgen_bench.wrappers.lifecycle import FACT, NOTE

MAX_NOTE_CHARS = MAX_ACTION_CHARS - len(NOTE) - 1
_HEADING = re.compile(r"Task (\d+) of (\d+): (.*)\Z", re.DOTALL)
_NOTE = "\nYour note: "
_EMPTY = "(empty)"
_END = "\n\n"


class Frame(NamedTuple):
    """One step within a pack: `alone` is the history of the task as if there were no pack."""

    known: str  # the note, or what is told; "" where there is neither
    is_told: bool
    is_writing: bool  # whether a note is asked for
    alone: History


def frame_of(history: History) -> Frame:
    """Return what the pack puts around the step; outside a pack, the history itself with nothing known."""
    heading, rest = _split(history.observation)
    match = _HEADING.match(heading)
    if match is None:
        return Frame("", False, False, history)
    text, told = match[3], f"\n{FACT}"
    is_told = told in text
    task, _, known = text.partition(told if is_told else _NOTE)
    turns = tuple([turn._replace(observation=_split(turn.observation)[1]) for turn in history.turns])
    alone = replace(history, task=task, observation=rest, turns=turns)
    return Frame("" if known == _EMPTY else known, is_told, history.admissible_commands == (NOTE,), alone)


def note_of(text: str) -> Decision:
    """Return the decision that writes a note; what is longer than an action can be is cut."""
    return answer("This is what I found out.", f"{NOTE} {text[:MAX_NOTE_CHARS]}")


def _split(observation: str) -> tuple[str, str]:
    """Return the heading of an observation and what follows it; no heading, and all of it follows."""
    if not observation.startswith("Task "):
        return "", observation
    heading, _, rest = observation.partition(_END)
    return heading, rest
