"""A SciWorld player for packs of unknown substances: which of them conduct electricity goes into its note.

In a task of unknown substances it never measures (there is no time to): it puts the substance into the box that its
note says, into that for conductive ones where the note says nothing, and learns from whether the task was solved. In
every other task it is the reader. With the fact told it reads that instead of the note.
"""

import re
from collections.abc import Mapping, Sequence

from agentgen_bench.envs.paraphrasing import original_of
from agentgen_bench.envs.sciworld.paraphrases import FORMS
from agentgen_bench.envs.sciworld.rooms import way
from agentgen_bench.envs.sciworld.substances import ROOM, Asked, asked, read_substances, substances_text
from agentgen_bench.policies.base import Decision, Description
from agentgen_bench.policies.demonstrators import NO_ANSWER, answer
from agentgen_bench.policies.pack_frames import frame_of
from agentgen_bench.policies.sciworld_memory import remembered
from agentgen_bench.policies.sciworld_reader import Step, decided
from agentgen_bench.prompts import History

GUESS = True  # of a substance that nothing is known of: as often right as wrong
_SOLVED = "is over: it was solved"
_OPEN = re.compile(r"A door to the [a-z ]+ \(that is open\)")


class SciWorldAssayer:
    """Puts unknown substances where its note says that they belong, and guesses otherwise."""

    name = "sciworld-assayer"

    def act(self, histories: Sequence[History]) -> list[Decision]:
        """Return one decision per history, from its observations alone."""
        return [_decide(history) for history in histories]

    def describe(self) -> Description:
        """Return the kind."""
        return {"kind": self.name}


def _decide(history: History) -> Decision:
    if history.family != "SciWorld":
        return NO_ANSWER
    frame = frame_of(history)
    known = read_substances(frame.known)
    task = asked(original_of(FORMS, frame.alone.task) or frame.alone.task)
    if frame.is_writing:
        return frame.written(substances_text(_updated(known, task, frame.alone)))
    if task is None:
        return decided(frame.alone)
    step = _step(task, known.get(task.substance), frame.alone)
    return answer(step.why, step.action)


def _step(task: Asked, conducts: bool | None, alone: History) -> Step:
    memory = remembered(alone)
    if not memory.room:
        return Step("I do not know where I am.", "look around")
    if memory.room != ROOM:
        following = way(memory.room, ROOM)[0]
        opening = f"open door to {following}"
        if not memory.actions and _OPEN.search(alone.observation):  # where doors stand open, one may teleport too
            return Step(f"The substance is in the {ROOM}.", f"teleport to {ROOM}")
        is_open = f"door to the {following} (that is open)" in alone.observation
        if is_open or (memory.actions and memory.actions[-1] == opening):
            return Step(f"The way to the {ROOM} leads to the {following}.", f"go to {following}")
        return Step(f"The way to the {ROOM} leads to the {following}, whose door is closed.", opening)
    if not memory.did(task.focus):
        return Step(f"Here is unknown substance {task.substance}.", task.focus)
    if conducts is None:
        return Step("I do not know whether it conducts electricity and guess.", task.put_away(GUESS))
    return Step(f"I know that it {'conducts' if conducts else 'does not conduct'}.", task.put_away(conducts))


def _updated(known: Mapping[str, bool], task: Asked | None, alone: History) -> dict[str, bool]:
    """Return what is known after a task: the box that it went into was the right one if that solved the task."""
    last = alone.turns[-1].action if alone.turns else None
    if task is None or last not in (task.put_away(True), task.put_away(False)):
        return dict(known)
    was_right = _SOLVED in alone.observation
    return {**known, task.substance: (last == task.put_away(True)) == was_right}
