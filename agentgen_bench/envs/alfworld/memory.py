"""What the agent itself has seen, read off its commands and the feedback they brought; the source of the rich text.

Because it reads nothing but text the agent was shown, rich observations cannot tell more than the agent saw.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache

_NAME = re.compile(r"[a-z]+ \d+")
_LISTED = re.compile(r"you see (a [a-z]+ \d+(?:,(?: and)? a [a-z]+ \d+)*)\.")
_CONTENTS = re.compile(r"(?:On the ([a-z]+ \d+)|The ([a-z]+ \d+) is open\. In it), you see ([^.]*)\.")
_CLOSED = re.compile(r"The ([a-z]+ \d+) is closed\.")
_STATES = {"clean": "clean", "heat": "hot", "cool": "cold", "slice": "sliced"}
_COMMANDS_ON_SEEN = ("take ", "use ", "slice ")  # they name an object that may lie in what was not looked into


@lru_cache(maxsize=8192)
def _names_in(command: str) -> tuple[str, ...]:
    return tuple(_NAME.findall(command))


@dataclass(slots=True)
class Memory:
    """One episode's knowledge."""

    receptacles: list[str] = field(default_factory=list)  # as listed by the first observation
    contents: dict[str, list[str]] = field(default_factory=dict)  # looked into, in order of first look
    closed: set[str] = field(default_factory=set)  # known to be closed now
    visited: set[str] = field(default_factory=set)
    held: str = ""
    states: dict[str, list[str]] = field(default_factory=dict)  # object -> hot, clean, ... as done by the agent
    known: set[str] = field(default_factory=set)  # objects seen or handled

    def begin(self, observation: str) -> None:
        """Read the first observation."""
        listed = _LISTED.search(observation)
        self.receptacles = _NAME.findall(listed[1]) if listed else []

    def observe(self, command: str, feedback: str) -> None:
        """Read the feedback of an admissible command."""
        verb, _, rest = command.strip().partition(" ")
        names = _NAME.findall(rest)
        if verb in ("go", "open", "close", "examine") and names and names[0] in self.receptacles:
            self.visited.add(names[0])
        self._read(feedback)
        if verb == "close":
            self.closed.add(names[0])
        elif verb == "inventory":
            self.held = next(iter(_NAME.findall(feedback)), "")
            self.known |= {self.held} - {""}
        elif verb == "take":
            self._take(names[0], names[1])
        elif verb in ("move", "put"):
            self._put(names[0], names[1])
        elif verb in _STATES:
            self._mark(_STATES[verb], names[0])

    def shown(self, commands: Iterable[str]) -> tuple[str, ...]:
        """Return those of the admissible commands whose objects have been seen: naming them tells nothing new."""
        seen = self.known.union(self.receptacles)
        return tuple(
            [
                command
                for command in commands
                if not command.startswith(_COMMANDS_ON_SEEN) or seen.issuperset(_names_in(command))
            ]
        )

    def _read(self, feedback: str) -> None:
        for on, opened, listed in _CONTENTS.findall(feedback):
            receptacle = on or opened
            self.contents[receptacle] = _NAME.findall(listed)
            self.known.update(self.contents[receptacle])
            self.closed.discard(receptacle)
        self.closed.update(_CLOSED.findall(feedback))

    def _take(self, item: str, receptacle: str) -> None:
        self.held = item
        self.known.add(item)
        if receptacle in self.contents:
            self.contents[receptacle] = [other for other in self.contents[receptacle] if other != item]

    def _put(self, item: str, receptacle: str) -> None:
        self.held = ""
        if receptacle in self.contents and item not in self.contents[receptacle]:
            self.contents[receptacle].append(item)

    def _mark(self, state: str, item: str) -> None:
        opposite = {"hot": "cold", "cold": "hot"}.get(state)
        kept = [other for other in self.states.get(item, []) if other not in (state, opposite)]
        self.states[item] = [*kept, state]
