"""The rules of the official Alfred domain over a scene: a small mutable state, no globals, no randomness.

Answers as textworld 1.7.0 with alfworld 0.4.2 does, byte for byte; tests/alfworld compares the two. What a careless
reading of the domain gets wrong: going where one already stands does nothing, even to another receptacle there;
only the held object can be examined; heating and cooling need no opening; an object may lie in two receptacles.
"""

from collections.abc import Callable
from typing import NamedTuple

from agentgen_bench.envs.alfworld import wording
from agentgen_bench.envs.alfworld.gamefile import Dialect
from agentgen_bench.envs.alfworld.goals import LookGoal
from agentgen_bench.envs.alfworld.scene import (
    CLEAN,
    COOL,
    HOT,
    NOTHING,
    NOWHERE,
    SLICED,
    STATE_BITS,
    TOGGLED,
    Entity,
    Scene,
)

_ALWAYS = {Dialect.V03: ("inventory", "look"), Dialect.V04: ("help", "inventory", "look")}
_PUT = {Dialect.V03: ("put", " in/on "), Dialect.V04: ("move", " to ")}
_EFFECTS = {"clean": (CLEAN, 0), "heat": (HOT, COOL), "cool": (COOL, HOT)}  # bits set, bits cleared
_SEPARATORS = {"take": " from ", "heat": " with ", "clean": " with ", "cool": " with ", "slice": " with "}
_UNKNOWN = ("", NOTHING, NOTHING)


class Answer(NamedTuple):
    """What a command brought: the official feedback, and whether it did anything (looking counts)."""

    feedback: str
    is_valid: bool


class Engine:
    """One episode's state over a shared scene; copies and pickles are independent."""

    __slots__ = (
        "_takes",
        "at",
        "contents",
        "held",
        "location",
        "opened",
        "progress",
        "removed",
        "scene",
        "states",
        "won",
    )

    def __init__(self, scene: Scene) -> None:
        """Create the engine at the scene's start."""
        self.scene: Scene = scene
        self._begin()

    def reset(self) -> str:
        """Go back to the start and return the official first observation."""
        self._begin()
        return f"{wording.WELCOME}{self.intro()}\n\n{wording.task_text(self.scene.task)}"

    def _begin(self) -> None:
        start = self.scene.start
        self.location: int = start.location
        self.held: int = start.held
        self.opened: list[bool] = list(start.opened)
        self.contents: list[tuple[int, ...]] = list(start.contents)
        self.states: list[int] = list(start.states)
        self.at: set[tuple[int, int]] = set(start.at)
        self.removed: set[tuple[int, int]] = set()  # (object, receptacle) pairs undone by taking, not put back since
        self._takes: dict[int, tuple[str, ...]] = {}
        self._judge()

    def intro(self) -> str:
        """Return the view of the first observation: unlike `look`, it lists all receptacles of the room."""
        if self.scene.receptacles_at[self.location]:
            return self._look(NOTHING, NOTHING)
        return wording.room_text(self._all_receptacles())

    def step(self, command: str) -> Answer:
        """Execute a command; whatever is not admissible changes nothing."""
        verb, first, second = self.parse(command)
        action = _ACTIONS.get(verb)
        feedback = action(self, first, second) if action is not None else None
        return _FAILED if feedback is None else Answer(feedback, True)

    def parse(self, command: str) -> tuple[str, int, int]:
        """Return verb and numbers of a well-formed command, admissible or not; ("", -1, -1) for any other."""
        command = command.strip()
        known = self.scene.commands.get(command)
        if known is None:
            known = _parse(self.scene, command)
            if known is not _UNKNOWN:  # so that the memo stays as small as the scene
                self.scene.commands[command] = known
        return known

    def admissible_commands(self) -> tuple[str, ...]:
        """Return the commands that would do something, sorted as the official stack sorts them."""
        scene, here = self.scene, self.scene.receptacles_at[self.location]
        if self.held != NOTHING:
            return self._commands_holding(here)
        shut = [f"close {scene.receptacle_names[r]}" for r in here if scene.openable[r] and self.opened[r]]
        closed = [f"open {scene.receptacle_names[r]}" for r in here if scene.openable[r] and not self.opened[r]]
        takes = self._takes.get(self.location)
        if takes is None:
            takes = self._takes[self.location] = self._take_commands(here)
        return (
            *sorted(shut),
            *self._visits(),
            *_ALWAYS[scene.dialect],
            *sorted(closed),
            *takes,
            *self._use_commands(here),
        )

    # --- the state as others need it

    def is_accessible(self, receptacle: int) -> bool:
        """Return whether the receptacle's inside can be seen and reached from its stand point."""
        return self.opened[receptacle] or not self.scene.openable[receptacle]

    def __getstate__(self) -> tuple[object, ...]:
        return tuple(getattr(self, name) for name in self.__slots__)

    def __setstate__(self, state: tuple[object, ...]) -> None:
        for name, value in zip(self.__slots__, state, strict=True):
            setattr(self, name, value)

    # --- actions: each returns its feedback, or None where it is not admissible

    def _look(self, _first: int, _second: int) -> str:
        here = self.scene.receptacles_at[self.location]
        if not here:
            return wording.room_text(())
        beside = [
            o
            for o, r in sorted(self.removed)
            if self.scene.receptacle_location[r] == self.location and (o, self.location) in self.at
        ]
        return wording.facing_text(self.scene, here, beside)

    def _inventory(self, _first: int, _second: int) -> str:
        if self.held == NOTHING:
            return "You are not carrying anything."
        return f"You are carrying: a {self.scene.object_names[self.held]}."

    def _help(self, _first: int, _second: int) -> str:
        return wording.HELP

    def _go(self, receptacle: int, _second: int) -> str | None:
        scene, place = self.scene, self.scene.receptacle_location[receptacle]
        if place in (self.location, NOWHERE):
            return None
        self.location = place
        if isinstance(scene.goal, LookGoal):
            self._judge()
        arrived = scene.receptacle_names[receptacle] if scene.dialect is Dialect.V04 else scene.location_names[place]
        return f"You arrive at {arrived}. {self._receptacle_text(receptacle)}"

    def _examine_receptacle(self, receptacle: int, _second: int) -> str | None:
        return self._receptacle_text(receptacle) if self._is_here(receptacle) else None

    def _examine_object(self, item: int, _second: int) -> str | None:
        return wording.object_text(self.scene, item, self.states[item]) if item == self.held else None

    def _open(self, receptacle: int, _second: int) -> str | None:
        if not self._is_here(receptacle) or not self.scene.openable[receptacle] or self.opened[receptacle]:
            return None
        self.opened[receptacle] = True
        self._takes.pop(self.location, None)
        return f"You open the {self.scene.receptacle_names[receptacle]}. {self._receptacle_text(receptacle)}"

    def _close(self, receptacle: int, _second: int) -> str | None:
        if not self._is_here(receptacle) or not self.scene.openable[receptacle] or not self.opened[receptacle]:
            return None
        self.opened[receptacle] = False
        self._takes.pop(self.location, None)
        return f"You close the {self.scene.receptacle_names[receptacle]}."

    def _take(self, item: int, receptacle: int) -> str | None:
        scene = self.scene
        if self.held != NOTHING or not self._is_here(receptacle) or not self.is_accessible(receptacle):
            return None
        inside = self.contents[receptacle]
        if item not in inside or not scene.pickupable[item]:
            return None
        self.contents[receptacle] = tuple([o for o in inside if o != item])
        self.held = item
        self.at.discard((item, self.location))
        self.removed.add((item, receptacle))
        self._takes.pop(self.location, None)
        self._judge()
        return f"You pick up the {scene.object_names[item]} from the {scene.receptacle_names[receptacle]}."

    def _put(self, item: int, receptacle: int) -> str | None:
        scene = self.scene
        if item != self.held or not self._is_here(receptacle) or not self.is_accessible(receptacle):
            return None
        if scene.object_types[item] not in scene.accepts[receptacle]:
            return None
        self.contents[receptacle] = tuple(sorted({*self.contents[receptacle], item}))
        self.held = NOTHING
        self.at.add((item, self.location))
        self.removed.discard((item, receptacle))
        self._takes.pop(self.location, None)
        self._judge()
        item_name, receptacle_name = scene.object_names[item], scene.receptacle_names[receptacle]
        if scene.dialect is Dialect.V04:
            return f"You move the {item_name} to the {receptacle_name}."
        return f"You put the {item_name} in/on the {receptacle_name}."

    def _clean(self, item: int, receptacle: int) -> str | None:
        return self._transform("clean", item, receptacle)

    def _heat(self, item: int, receptacle: int) -> str | None:
        return self._transform("heat", item, receptacle)

    def _cool(self, item: int, receptacle: int) -> str | None:
        return self._transform("cool", item, receptacle)

    def _transform(self, verb: str, item: int, receptacle: int) -> str | None:
        scene = self.scene
        if item != self.held or not self._is_here(receptacle):
            return None
        if not scene.tools[verb][receptacle] or not scene.transforms[verb][item]:
            return None
        gained, lost = _EFFECTS[verb]
        self.states[item] = (self.states[item] | gained) & ~lost
        self._judge()
        return f"You {verb} the {scene.object_names[item]} using the {scene.receptacle_names[receptacle]}."

    def _use(self, item: int, _second: int) -> str | None:
        here = self.scene.receptacles_at[self.location]
        if not self.scene.toggleable[item] or not any(item in self.contents[r] for r in here):
            return None
        self.states[item] |= TOGGLED
        self._judge()
        return f"You turn on the {self.scene.object_names[item]}."

    def _slice(self, item: int, blade: int) -> str | None:
        scene = self.scene
        if (
            blade != self.held
            or not scene.blades[blade]
            or not scene.sliceable[item]
            or (item, self.location) not in self.at
        ):
            return None
        self.states[item] |= SLICED
        self._judge()
        return f"You sliced the {scene.object_names[item]} with the {scene.object_names[blade]}."

    # --- parts

    def _is_here(self, receptacle: int) -> bool:
        return self.scene.receptacle_location[receptacle] == self.location

    def _receptacle_text(self, receptacle: int) -> str:
        return wording.receptacle_text(self.scene, receptacle, self.opened[receptacle], self.contents[receptacle])

    def _all_receptacles(self) -> list[str]:
        places = self.scene.receptacle_location
        return [name for r, name in enumerate(self.scene.receptacle_names) if places[r] != NOWHERE]

    def _visits(self) -> tuple[str, ...]:
        """Return the examine and go-to commands of the current location, which depend on nothing else."""
        visits = self.scene.visits.get(self.location)
        if visits is None:
            scene, places = self.scene, self.scene.receptacle_location
            near = [f"examine {scene.receptacle_names[r]}" for r in scene.receptacles_at[self.location]]
            far = [
                f"go to {name}"
                for r, name in enumerate(scene.receptacle_names)
                if places[r] not in (self.location, NOWHERE)
            ]
            visits = scene.visits[self.location] = (*sorted(near), *sorted(far))
        return visits

    def _take_commands(self, here: tuple[int, ...]) -> tuple[str, ...]:
        scene = self.scene
        return tuple(
            sorted(
                f"take {scene.object_names[o]} from {scene.receptacle_names[r]}"
                for r in here
                if self.is_accessible(r)
                for o in self.contents[r]
                if scene.pickupable[o]
            )
        )

    def _use_commands(self, here: tuple[int, ...]) -> list[str]:
        toggleable = self.scene.toggleable
        usable = {o for r in here for o in self.contents[r] if toggleable[o]}
        return sorted([f"use {self.scene.object_names[o]}" for o in usable]) if usable else []

    def _commands_holding(self, here: tuple[int, ...]) -> tuple[str, ...]:
        scene, item = self.scene, self.held
        held, names = scene.object_names[item], scene.receptacle_names
        verb, separator = _PUT[scene.dialect]
        commands = [*self._visits(), *_ALWAYS[scene.dialect], f"examine {held}", *self._use_commands(here)]
        for r in here:
            if scene.openable[r]:
                commands.append(f"close {names[r]}" if self.opened[r] else f"open {names[r]}")
            if self.is_accessible(r) and scene.object_types[item] in scene.accepts[r]:
                commands.append(f"{verb} {held}{separator}{names[r]}")
            for transform, is_tool in scene.tools.items():
                if is_tool[r] and scene.transforms[transform][item]:
                    commands.append(f"{transform} {held} with {names[r]}")
        if scene.blades[item]:
            near = [o for o, place in self.at if place == self.location and scene.sliceable[o]]
            commands += [f"slice {scene.object_names[o]} with {held}" for o in near]
        return tuple(sorted(commands))

    def _judge(self) -> None:
        """Bring `won` and `progress` up to date."""
        is_look = isinstance(self.scene.goal, LookGoal)
        self.progress: float = self._look_progress() if is_look else self._place_progress()
        self.won: bool = self.progress == 1.0

    def _look_progress(self) -> float:
        here = self.scene.receptacles_at[self.location]
        lit = any(
            self.states[o] & TOGGLED and any(o in self.contents[r] for r in here) for o in self.scene.target_lamps
        )
        return ((self.held in self.scene.target_objects) + lit) / 2

    def _place_progress(self) -> float:
        """Return the share of conditions met by the best choice of receptacle and objects."""
        goal, best = self.scene.goal, 0
        if isinstance(goal, LookGoal):
            return 0.0
        bits, states = [STATE_BITS[state] for state in goal.states], self.states
        met = [(o, len([bit for bit in bits if states[o] & bit])) for o in self.scene.target_objects]
        for r in self.scene.target_receptacles:
            inside = self.contents[r]
            counts = [n + (o in inside) for o, n in met]
            if goal.count > 1:
                counts.sort(reverse=True)
                best = max(best, sum(counts[: goal.count]))
            elif counts:
                best = max(best, max(counts))
        return best / (goal.count * (len(bits) + 1))


_FAILED = Answer(wording.NOTHING_HAPPENS, False)
_ACTIONS: dict[str, Callable[[Engine, int, int], str | None]] = {
    "look": Engine._look,
    "inventory": Engine._inventory,
    "help": Engine._help,
    "go": Engine._go,
    "open": Engine._open,
    "close": Engine._close,
    "take": Engine._take,
    "put": Engine._put,
    "examine": Engine._examine_receptacle,
    "inspect": Engine._examine_object,
    "use": Engine._use,
    "heat": Engine._heat,
    "clean": Engine._clean,
    "cool": Engine._cool,
    "slice": Engine._slice,
}


def _parse(scene: Scene, command: str) -> tuple[str, int, int]:
    """Return the parsed form of a stripped command, matched to the character as the official stack does."""
    if command in _ALWAYS[scene.dialect]:
        return command, NOTHING, NOTHING
    verb, _, rest = command.partition(" ")
    put, put_separator = _PUT[scene.dialect]
    if verb in _SEPARATORS or verb == put:
        first, _, second = rest.partition(put_separator if verb == put else _SEPARATORS[verb])
        return _parse_pair("put" if verb == put else verb, scene.named.get(first), scene.named.get(second))
    if command.startswith("go to "):
        verb, rest = "go", command[len("go to ") :]
    entity = scene.named.get(rest)
    if entity is None or verb not in ("go", "open", "close", "examine", "use"):
        return _UNKNOWN
    if verb == "examine" and not entity.is_receptacle:
        verb = "inspect"
    elif (verb == "use") == entity.is_receptacle:
        return _UNKNOWN
    return verb, entity.number, NOTHING


def _parse_pair(verb: str, first: Entity | None, second: Entity | None) -> tuple[str, int, int]:
    if first is None or second is None or first.is_receptacle or second.is_receptacle == (verb == "slice"):
        return _UNKNOWN
    return verb, first.number, second.number
