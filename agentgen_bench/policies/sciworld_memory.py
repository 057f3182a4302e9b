"""What a reader of SciWorld remembers: where it is, what it saw in which room, what it holds, what it focused on.

The rooms and their doors are the same in every level; that they are known here is the one thing that no observation
says at once.
"""

import re
from dataclasses import dataclass, field

from agentgen_bench.prompts import History

_VIEW = re.compile(
    r"This (?:room|outside location) is called the ([a-z ]+)\. (?:In it|Here), you see: ?\n((?:\t.*\n?)*)"
    r"|This outside location is called the (outside)\. Here you see: ?\n((?:\t.*\n?)*)"
)
_MOVED = re.compile(r"^You (?:move|teleport) to the ([a-z ]+)\.")
_TAKEN = re.compile(r"^You move the (.+) to the inventory\.")
_PUT = re.compile(r"^You move the (.+) to the (?!inventory)([a-z ]+)\.")
_FOCUSED = re.compile(r"^You focus on the (.+)\.")


@dataclass
class Memory:
    """What the observations of an episode have told so far."""

    room: str = ""
    views: dict[str, list[str]] = field(default_factory=dict)  # room -> its things as last listed
    first_views: dict[str, list[str]] = field(default_factory=dict)  # as listed when the room was first seen
    age: dict[str, int] = field(default_factory=dict)  # room -> steps since they were listed
    holding: list[str] = field(default_factory=list)
    focused: list[str] = field(default_factory=list)
    actions: list[str] = field(default_factory=list)
    answers: list[str] = field(default_factory=list)  # the first line of what followed each action

    @property
    def here(self) -> list[str]:
        """The things of this room, as last listed."""
        return self.views.get(self.room, [])

    def did(self, action: str) -> bool:
        """Return whether the action has been given in this episode."""
        return action in self.actions


def remembered(history: History) -> Memory:
    """Return the memory of an episode from what its prompt shows."""
    memory = Memory()
    observations = [*(turn.observation for turn in history.turns), history.observation]
    _read(memory, observations[0])
    for turn, observation in zip(history.turns, observations[1:], strict=True):
        for room in memory.age:
            memory.age[room] += 1
        answer = observation.split("\n", 1)[0]
        memory.actions.append(turn.action or "")
        memory.answers.append(answer)
        _heard(memory, answer)
        _read(memory, observation)
    return memory


def _heard(memory: Memory, answer: str) -> None:
    if match := _MOVED.match(answer):
        memory.room = match[1]
    elif match := _TAKEN.match(answer):
        memory.holding.append(match[1])
    elif match := _PUT.match(answer):
        memory.holding = [thing for thing in memory.holding if thing != match[1]]
    elif match := _FOCUSED.match(answer):
        memory.focused.append(match[1])


def _read(memory: Memory, observation: str) -> None:
    for match in _VIEW.finditer(observation):
        memory.room = match[1] or match[3]
        lines = (match[2] or match[4] or "").split("\n")
        memory.views[memory.room] = [line.strip() for line in lines if line.strip()]
        memory.first_views.setdefault(memory.room, memory.views[memory.room])
        memory.age[memory.room] = 0
