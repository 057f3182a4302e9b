"""Houses: rooms of the catalogue in which every kind of object keeps its usual place, whatever the task.

A house is decided by a seed of its own; any number of levels play in it. What differs from level to level is the task,
in which of the rooms it plays, and how many of each object there are.
"""

from collections.abc import Mapping
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from agentgen_bench.envs.alfworld import catalogue, tasks
from agentgen_bench.envs.alfworld.generator import (
    SEARCH_LIMIT,
    Choice,
    Draft,
    GeneratedLevel,
    candidates_of,
    content_class,
    fixture_types,
    identifiers_of,
    labelled,
    needed_tools,
    pick,
    stands_of,
    target_place,
)
from agentgen_bench.envs.alfworld.places import Places, places_text, room_label
from agentgen_bench.envs.alfworld.scene import entity_names
from agentgen_bench.envs.alfworld.settings import PRESETS, SPLITS, LevelSettings, Preset
from agentgen_bench.errors import SpecError
from agentgen_bench.seeding import stream

ROOMS = 2  # of a house, of two kinds: each is met again within four tasks, and which one it is has to be told apart
HOUSE_DRAWS = 40
# What a room keeps when it is thinned: the tools of the tasks, and what shows which kind of room it is.
_KEPT = ("SinkBasin", "Microwave", "Fridge", "Bed", "Toilet", "Sofa")


class HouseRoom(NamedTuple):
    """A room of a house: its receptacles, and by object type which of them is its usual place."""

    room: catalogue.Room
    receptacles: tuple[str, ...]
    stands: tuple[int, ...]
    usual: Mapping[str, int]

    @property
    def places(self) -> dict[str, str]:
        """The usual places in the words of the text: kind of object -> receptacle."""
        identifiers = identifiers_of(self.receptacles)
        names = entity_names(set(identifiers))
        return {kind.lower(): names[identifiers[place]] for kind, place in self.usual.items()}


class House(NamedTuple):
    """A house: its rooms, and by task type in which of them it can be played, with what."""

    rooms: tuple[HouseRoom, ...]
    choices: Mapping[str, tuple[tuple[HouseRoom, Choice], ...]]

    @property
    def text(self) -> str:
        """Where things are, in words."""
        places: Places = {room_label(at.room.kind, len(at.receptacles)): at.places for at in self.rooms}
        return places_text(places)


@lru_cache(maxsize=256)
def house_of(settings: LevelSettings, seed: int) -> House:
    """Return house `seed` of these settings; it holds at least one task."""
    rng = stream("alfworld", "house", *settings.key(), seed)
    rooms_by_kind: dict[str, set[int]] = {}
    for choices in candidates_of(settings).values():
        for choice in choices:
            rooms_by_kind.setdefault(choice.room.kind, set()).add(choice.room.number)
    kinds = sorted(rooms_by_kind)
    while True:
        drawn = [kinds[i] for i in rng.permutation(len(kinds))[:ROOMS].tolist()]
        rooms = [catalogue.room(kind, pick(rng, sorted(rooms_by_kind[kind]))) for kind in drawn]
        furnished = tuple([_furnished(rng, settings, room) for room in rooms])
        choices_here = _choices(furnished, settings)
        if choices_here:
            return House(furnished, choices_here)


def house_level(settings: LevelSettings, house_seed: int, seed: int) -> GeneratedLevel:
    """Return level `seed` in house `house_seed`.

    Its expected search lies in the difficulty's preset where one of HOUSE_DRAWS tasks of the house has such a search,
    else it is the task nearest to that.

    Raises:
        SpecError: no task of the house can be solved.
    """
    house, preset = house_of(settings, house_seed), PRESETS[settings.difficulty]
    rng = stream("alfworld", "house level", *settings.key(), house_seed, seed)
    nearest: tuple[float, GeneratedLevel] | None = None
    for _ in range(HOUSE_DRAWS):
        task_type = pick(rng, sorted(house.choices))
        at, choice = pick(rng, house.choices[task_type])
        level = labelled(_draft(rng, settings, preset, at, choice, task_type), 0.0, SEARCH_LIMIT)
        if level is None:
            continue
        off = max(preset.low - level.search_steps, level.search_steps - preset.high, 0.0)
        if off == 0.0:
            return level
        if nearest is None or off < nearest[0]:
            nearest = off, level
    if nearest is None:
        raise SpecError(f"no task in house {house_seed} of {settings}; choose other task types")
    return nearest[1]


def _furnished(rng: np.random.Generator, settings: LevelSettings, room: catalogue.Room) -> HouseRoom:
    """Return the room with its receptacles thinned as the difficulty wants, and a usual place for every object type."""
    preset, available = PRESETS[settings.difficulty], list(room.receptacles)
    fewest, most = (min(bound, len(available)) for bound in preset.receptacles)
    wanted = settings.n_receptacles or int(rng.integers(fewest, most + 1))
    keep = [available.index(name) for name in _KEPT if name in available]
    rest = [i for i in rng.permutation(len(available)).tolist() if i not in keep]
    receptacles = tuple([available[i] for i in sorted([*keep, *rest[: max(0, wanted - len(keep))]])])
    kind, usual = catalogue.KINDS[room.kind], {}
    for object_type in (*kind.usual, *kind.sometimes, catalogue.LAMP):
        place = _usual_place(rng, settings, preset, receptacles, object_type)
        if place is not None:
            usual[object_type] = place
    return HouseRoom(room, receptacles, stands_of(rng, receptacles, settings.colocated), usual)


def _usual_place(
    rng: np.random.Generator, settings: LevelSettings, preset: Preset, receptacles: tuple[str, ...], object_type: str
) -> int | None:
    fits = catalogue.OBJECTS[object_type].fits
    p_hidden = preset.p_hidden if settings.p_hidden is None else settings.p_hidden
    hidden = rng.random() < p_hidden
    places = [i for i, name in enumerate(receptacles) if name in fits]
    of_kind = [i for i in places if (receptacles[i] in catalogue.OPENABLE) == hidden]
    return target_place(rng, preset, object_type, receptacles, of_kind or places) if places else None


def _choices(rooms: tuple[HouseRoom, ...], settings: LevelSettings) -> dict[str, tuple[tuple[HouseRoom, Choice], ...]]:
    """Return by task type what can be asked for in these rooms."""
    found = {}
    for task_type, choices in candidates_of(settings).items():
        fitting = [(at, choice) for at in rooms for choice in choices if _is_possible(at, choice, task_type)]
        if fitting:
            found[task_type] = tuple(fitting)
    return found


def _is_possible(at: HouseRoom, choice: Choice, task_type: str) -> bool:
    if choice.room != at.room or choice.object_type not in at.usual:
        return False
    if any(kind not in at.usual for kind in fixture_types(task_type)):
        return False
    needed = [*needed_tools(task_type), *([] if task_type == tasks.LOOK else [choice.destination])]
    source = at.receptacles[at.usual[choice.object_type]]
    return source != choice.destination and all(name in at.receptacles for name in needed)


def _draft(
    rng: np.random.Generator,
    settings: LevelSettings,
    preset: Preset,
    at: HouseRoom,
    choice: Choice,
    task_type: str,
) -> Draft:
    """Return a level in the split's content class: everything in its usual place, other counts until the class fits."""
    n_targets = tasks.TASK_TYPES[task_type].n_targets
    n_instances = settings.n_instances or n_targets + int(rng.integers(0, preset.spare + 1))
    fixed = [choice.object_type] * n_instances + list(fixture_types(task_type))
    kind, wording = catalogue.KINDS[at.room.kind], int(rng.integers(2))
    others = [name for name in (*kind.usual, *kind.sometimes) if name in at.usual and name not in fixed]
    while True:
        counts = rng.integers(1, 3, len(others)) * (rng.random(len(others)) < 0.8)
        present = [*fixed, *(name for name, n in zip(others, counts.tolist(), strict=True) for _ in range(n))]
        placed = tuple(sorted([(name, at.usual[name]) for name in present]))
        draft = Draft(
            at.room,
            task_type,
            choice.object_type,
            choice.destination,
            wording,
            at.receptacles,
            at.stands,
            placed,
        )
        if SPLITS[content_class(draft)] == settings.split:
            return draft
