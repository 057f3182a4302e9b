"""The reference searcher: a scripted agent that sees only observations. Its expected length labels difficulty.

It reads the task sentence and the list of receptacles, looks for the objects where common sense expects them first
(`catalogue.likelihood_rank`; ties in an order drawn from `order_seed`), remembers what it has seen, and does the
rest without detours. It is no planner: it takes the first object it finds that fits.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache

from agentgen_bench.envs.alfworld.catalogue import likelihood_rank
from agentgen_bench.envs.alfworld.goals import LookGoal
from agentgen_bench.envs.alfworld.paraphrases import FORMS
from agentgen_bench.envs.alfworld.scene import BLADES, TOOLS
from agentgen_bench.envs.alfworld.tasks import read_task
from agentgen_bench.envs.alfworld.wording import NOTHING_HAPPENS
from agentgen_bench.envs.paraphrasing import original_of
from agentgen_bench.seeding import stream

_ROOM = re.compile(r"Looking quickly around you, you see (a [a-z]+ \d+(?:,(?: and)? a [a-z]+ \d+)*)\.")
_CONTENTS = re.compile(r"(?:On the ([a-z]+ \d+)|The ([a-z]+ \d+) is open\.(?: .*?)? In it), you see ([^.]*)\.")
_CLOSED = re.compile(r"The ([a-z]+ \d+) is closed\.")
_NAME = re.compile(r"[a-z]+ \d+")
_VERBS = {"clean": "clean", "hot": "heat", "cool": "cool"}
IDLE = "look"  # what it does when it knows no way on
NAMED_PLACES = 6  # of those looked into, the last ones, in a reason


@dataclass
class Searcher:
    """An agent for one episode: call `act` for the next command, then `observe` with what came back."""

    task: str
    order_seed: int | None = 0  # None: the order in which the room lists them
    put: str = "move {item} to {receptacle}"  # as worded by the dialect
    usual: Mapping[str, str] = field(default_factory=dict)  # kind of object -> receptacle to look into first
    first_seen: dict[str, list[str]] = field(default_factory=dict)  # receptacle -> what lay there before it was touched
    _here: str = ""
    _unseen: list[str] = field(default_factory=list)  # receptacles not looked into, next one first
    _contents: dict[str, list[str]] = field(default_factory=dict)  # receptacle -> objects, as last seen
    _closed: set[str] = field(default_factory=set)
    _held: str = ""
    _states: dict[str, set[str]] = field(default_factory=dict)  # object -> what was done to it
    _placed: dict[str, str] = field(default_factory=dict)  # object -> destination it was brought to
    _refused: set[tuple[str, str]] = field(default_factory=set)  # (object, receptacle): did not go in
    _same_spot: str = ""  # a receptacle that shares the stand point
    _sought: str = ""  # kind of object that the last command was a step of the search for; else empty
    _aim: str = ""  # the command that the last one was a step towards

    def __post_init__(self) -> None:
        """Read the task, paraphrased or not; free wording leaves the searcher idle."""
        self._goal = read_task(original_of(FORMS, self.task) or self.task)

    def begin(self, observation: str) -> None:
        """Read the first observation, which lists the receptacles."""
        match = _ROOM.search(observation)
        names = _NAME.findall(match[1]) if match else []
        self._unseen = self._in_search_order(names)

    @property
    def places(self) -> tuple[str, ...]:
        """The receptacles that the room lists."""
        return self._all

    def act(self) -> str:
        """Return the next command."""
        self._sought = self._aim = ""
        if self._goal is None:
            return IDLE
        if self._same_spot:
            return f"examine {self._same_spot}"
        return self._look_act() if isinstance(self._goal, LookGoal) else self._place_act()

    def observe(self, command: str, observation: str) -> None:
        """Take in what came back for a command."""
        self._same_spot = ""
        verb, _, rest = command.partition(" ")
        if observation.startswith(NOTHING_HAPPENS):
            self._fail(verb, rest)
            return
        self._read(observation)
        names = _NAME.findall(rest)
        if verb == "go":
            self._here = names[0]
        elif verb == "take":
            self._held = names[0]
            self._contents[names[1]] = [item for item in self._contents.get(names[1], []) if item != names[0]]
        elif verb in ("move", "put"):
            self._held = ""
            self._contents.setdefault(names[1], []).append(names[0])
            if self._is_finished(names[0]):
                self._placed[names[0]] = names[1]
        elif verb in ("clean", "heat", "cool", "slice", "use"):
            self._mark(verb, names[0])

    def reason(self, command: str) -> str:
        """Return why `act` gave the command: what is sought, where it has looked, what is known; nothing made up."""
        if self._goal is None:
            return "I cannot tell what the task asks for."
        if self._same_spot:
            return f"Nothing happened: {self._same_spot} must be right here."
        if command == IDLE:
            return "I know no way on."
        if self._sought:
            return self._search_reason(command)
        verb, _, rest = self._aim.partition(" ")
        names = _NAME.findall(rest)
        on_the_way = f" {names[-1]} is closed." if command.startswith("open ") else ""
        if verb == "take":
            where = "here" if self._here == names[1] else f"at {names[1]}"
            return f"I need a {_kind(names[0])}: {names[0]} is {where}.{on_the_way}"
        if verb == "slice":
            return f"I hold {self._held}, to slice {names[0]} with."
        return f"I hold {self._held}. {self._held_reason(verb, names)}{on_the_way}"

    def _search_reason(self, command: str) -> str:
        brought = set(self._placed.values())
        looked = [name for name in self._contents if name not in self._closed and name not in brought]
        place = _NAME.findall(command)[0]
        carrying = f"I hold {self._held}. " if self._held else ""
        without = f" Not in {', '.join(looked[-NAMED_PLACES:])}." if looked else ""
        ahead = f"{place} is closed" if command.startswith("open ") else f"{place} is not looked into yet"
        article = "another" if brought else "a"
        return f"{carrying}I look for {article} {self._sought}.{without} {ahead}."

    def _held_reason(self, verb: str, names: list[str]) -> str:
        if verb in _VERBS.values():
            state = next(state for state, own in _VERBS.items() if own == verb)
            return f"It must be {state}: {names[1]} is for that."
        if verb == "use":
            return f"I look at it by the light of {names[0]}."
        if not self._is_finished(self._held):
            return "I do not need it now."
        done = sorted(self._states.get(self._held, ()))
        return f"It is {' and '.join(done)}. It goes to {names[1]}." if done else f"It goes to {names[1]}."

    # --- what to do next

    def _place_act(self) -> str:
        goal = self._goal
        if goal is None or isinstance(goal, LookGoal):
            return IDLE
        if self._held and (_kind(self._held) != goal.object_type or self._lacks(self._held, "sliced")):
            if _kind(self._held) not in BLADES:
                return self._drop()
            target = self._known(goal.object_type, unsliced=True)
            if target is None and (self._known(goal.object_type) or "sliced" not in goal.states):
                return self._drop()
            return self._reach(target[1], f"slice {target[0]} with {self._held}") if target else self._search()
        if self._held:
            return self._finish(self._held)
        if "sliced" in goal.states and self._known(goal.object_type, sliced=True) is None:
            blade = self._known(*BLADES)
            return self._fetch(blade) if blade else self._search(BLADES[0])
        item = self._known(goal.object_type, sliced="sliced" in goal.states)
        return self._fetch(item) if item else self._search()

    def _look_act(self) -> str:
        goal = self._goal
        if not isinstance(goal, LookGoal):
            return IDLE
        if not self._held:
            item = self._known(goal.object_type)
            return self._fetch(item) if item else self._search()
        lamp = self._known(goal.lamp_type)
        return self._reach(lamp[1], f"use {lamp[0]}") if lamp else self._search(goal.lamp_type)

    def _finish(self, item: str) -> str:
        """Return the next command with the right object in hand: give it its states, then bring it."""
        goal = self._goal
        if goal is None or isinstance(goal, LookGoal):
            return IDLE
        for state, verb in _VERBS.items():
            if self._lacks(item, state):
                tools = self._receptacles(TOOLS[verb])
                return self._reach(tools[0], f"{verb} {item} with {tools[0]}", inside=False) if tools else IDLE
        brought = sorted(self._placed.values())
        for receptacle in brought[:1] or self._receptacles(goal.receptacle_type):
            if (item, receptacle) not in self._refused:
                return self._reach(receptacle, self.put.format(item=item, receptacle=receptacle))
        return IDLE

    def _fetch(self, item: tuple[str, str]) -> str:
        return self._reach(item[1], f"take {item[0]} from {item[1]}")

    def _reach(self, receptacle: str, command: str, inside: bool = True) -> str:
        """Return `command` where it can be given, else the step towards that."""
        self._aim = command
        if self._here != receptacle:
            return f"go to {receptacle}"
        return f"open {receptacle}" if inside and receptacle in self._closed else command

    def _search(self, kind: str = "") -> str:
        """Return the next step of the search, for an object of `kind` or of the goal's type."""
        wanted = self._sought = kind or (self._goal.object_type if self._goal else "")
        if self._here in self._closed and self._here in self._unseen:
            return f"open {self._here}"
        told = self.usual.get(wanted)
        ahead = sorted(self._unseen, key=lambda name: (name != told, likelihood_rank(wanted, _kind(name))))
        return f"go to {ahead[0]}" if ahead else IDLE

    def _drop(self) -> str:
        """Return the next step of putting down what is held, here if it goes in, else at the likeliest place."""
        options = [name for name in [self._here, *self._receptacles_by_rank(_kind(self._held))] if name]
        for receptacle in options:
            if (self._held, receptacle) not in self._refused and (
                receptacle == self._here or receptacle not in self._closed
            ):
                return self._reach(receptacle, self.put.format(item=self._held, receptacle=receptacle))
        return IDLE

    # --- what it knows

    def _known(self, *kinds: str, sliced: bool = False, unsliced: bool = False) -> tuple[str, str] | None:
        """Return an object of one of the kinds and where it was seen, not among those already brought."""
        for receptacle in sorted(self._contents, key=lambda name: name != self._here):
            for item in self._contents[receptacle]:
                if _kind(item) in kinds and item not in self._placed:
                    is_sliced = "sliced" in self._states.get(item, ())
                    if not (sliced and not is_sliced) and not (unsliced and is_sliced):
                        return item, receptacle
        return None

    def _lacks(self, item: str, state: str) -> bool:
        wanted = () if self._goal is None or isinstance(self._goal, LookGoal) else self._goal.states
        return state in wanted and state not in self._states.get(item, ())

    def _is_finished(self, item: str) -> bool:
        if self._goal is None or isinstance(self._goal, LookGoal) or _kind(item) != self._goal.object_type:
            return False
        return not any(self._lacks(item, state) for state in self._goal.states)

    def _receptacles(self, kind: str) -> list[str]:
        names = [name for name in {**dict.fromkeys(self._contents), **dict.fromkeys(self._all)} if _kind(name) == kind]
        return sorted(names, key=lambda name: (name != self._here, name in self._closed, name not in self._contents))

    def _receptacles_by_rank(self, kind: str) -> list[str]:
        return sorted(self._contents, key=lambda name: likelihood_rank(kind, _kind(name)))

    # --- reading

    def _read(self, observation: str) -> None:
        for on, opened, listed in _CONTENTS.findall(observation):
            receptacle = on or opened
            self._contents[receptacle] = _NAME.findall(listed)
            self.first_seen.setdefault(receptacle, self._contents[receptacle])
            self._closed.discard(receptacle)
            if receptacle in self._unseen:
                self._unseen.remove(receptacle)
        for receptacle in _CLOSED.findall(observation):
            self._closed.add(receptacle)

    def _fail(self, verb: str, rest: str) -> None:
        names = _NAME.findall(rest)
        if verb == "go":  # two receptacles share a stand point: what is there can be used from here
            self._same_spot = self._here = names[0]
        elif verb in ("move", "put"):
            self._refused.add((names[0], names[1]))
        elif verb == "take":  # it is not there after all
            self._contents[names[1]] = [item for item in self._contents.get(names[1], []) if item != names[0]]
        elif names and names[0] in self._unseen:
            self._unseen.remove(names[0])

    def _mark(self, verb: str, item: str) -> None:
        states = self._states.setdefault(item, set())
        states.add({"clean": "clean", "heat": "hot", "cool": "cool", "slice": "sliced", "use": "on"}[verb])
        if verb in ("heat", "cool"):
            states.discard("cool" if verb == "heat" else "hot")

    def _in_search_order(self, names: list[str]) -> list[str]:
        self._all: tuple[str, ...] = tuple(names)
        if self.order_seed is None:
            return names
        return [names[i] for i in _order(self.order_seed, len(names))]


@lru_cache(maxsize=4096)
def _order(order_seed: int, length: int) -> tuple[int, ...]:
    return tuple(int(i) for i in stream("alfworld", "searcher", order_seed, length).permutation(length))


def _kind(name: str) -> str:
    return name.partition(" ")[0]
