"""Levels of our own: a room of the catalogue, objects in it, a task. Decided by a key alone, solvable by construction.

A level is drawn, planned and tried by the reference searcher; it counts only where its expected search length lies in
the difficulty's preset and its content hashes into the split's class, so no two splits can share a level.
"""

from collections.abc import Sequence
from functools import cache
from statistics import mean
from typing import NamedTuple, TypeVar

import numpy as np

from agentgen_bench.envs.alfworld import catalogue, tasks, text
from agentgen_bench.envs.alfworld.engine import Engine
from agentgen_bench.envs.alfworld.gamefile import Dialect, Game
from agentgen_bench.envs.alfworld.pddl import Fact
from agentgen_bench.envs.alfworld.planner import shortest_plan
from agentgen_bench.envs.alfworld.scene import Scene, build_scene
from agentgen_bench.envs.alfworld.searcher import Searcher
from agentgen_bench.envs.alfworld.settings import (
    PRESETS,
    SPLITS,
    LevelSettings,
    Preset,
)
from agentgen_bench.errors import SpecError
from agentgen_bench.seeding import key_digest, stream

T = TypeVar("T")

SEARCH_ORDERS = 4  # tie-breaks over which the reference searcher's length is averaged
SEARCH_LIMIT = 60  # steps after which a search counts as this long
MAX_DRAWS = 400
STEPS_PER_TARGET = 4  # go to it, take it, go where it belongs, move it there: none is spared where no stands are shared
HELD_OUT_SHARE = 6  # one object-receptacle pair in this many is kept for ood_pairs


class GeneratedLevel(NamedTuple):
    """A level with its labels."""

    game: Game
    scene: Scene
    plan: tuple[str, ...]  # a shortest solution
    search_steps: float  # mean length of the reference searcher
    task_type: str
    room: str  # kind and number


class Draft(NamedTuple):
    """A level on paper: types and places, before it becomes facts."""

    room: catalogue.Room
    task_type: str
    object_type: str
    destination: str
    wording: int
    receptacles: tuple[str, ...]
    stands: tuple[int, ...]  # by receptacle: its location
    placed: tuple[tuple[str, int], ...]  # object type, index of its receptacle


def generate_level(settings: LevelSettings, seed: int) -> GeneratedLevel:
    """Return level `seed` of these settings; raises SpecError where no level can satisfy them."""
    rng = stream("alfworld", "level", *settings.key(), seed)
    preset = PRESETS[settings.difficulty]
    candidates = candidates_of(settings)
    for _ in range(MAX_DRAWS):
        task_type = pick(rng, sorted(candidates))
        draft = _draft(rng, settings, preset, pick(rng, candidates[task_type]), task_type)
        level = labelled(draft, preset.low, preset.high) if draft is not None else None
        if level is not None:
            return level
    raise SpecError(
        f"no level found in {MAX_DRAWS} draws for {settings}; difficulty {settings.difficulty!r} asks for "
        f"{preset.low:g} to {preset.high:g} expected search steps: "
        "loosen n_receptacles, p_hidden, n_instances or n_targets"
    )


def check_possible(settings: LevelSettings) -> None:
    """Raise SpecError for settings of which no level can be drawn, as far as that shows without drawing any."""
    candidates, most = candidates_of(settings), PRESETS[settings.difficulty].high
    fewest = min([STEPS_PER_TARGET * tasks.TASK_TYPES[name].n_targets for name in candidates])
    if fewest > most and not settings.colocated:
        raise SpecError(
            f"{', '.join(sorted(candidates))} takes {fewest} steps or more, and difficulty {settings.difficulty!r} is "
            f"up to {most:g}; choose another difficulty or task_type"
        )


def expected_search_steps(scene: Scene, at_most: float = SEARCH_LIMIT) -> float:
    """Return the mean length of the reference searcher over SEARCH_ORDERS tie-breaks; gives up above `at_most`."""
    lengths: list[int] = []
    for order_seed in range(SEARCH_ORDERS):
        lengths.append(_search_length(scene, order_seed))
        if sum(lengths) > at_most * SEARCH_ORDERS:
            break
    return mean(lengths) if len(lengths) == SEARCH_ORDERS else float(SEARCH_LIMIT)


def is_held_out(object_type: str, destination: str) -> bool:
    """Return whether a pair of object and destination occurs in the split ood_pairs only."""
    return key_digest("alfworld", "pair", object_type, destination)[0] % HELD_OUT_SHARE == 0


def _search_length(scene: Scene, order_seed: int) -> int:
    engine = Engine(scene)
    searcher = Searcher(scene.task, order_seed)
    searcher.begin(engine.intro())
    for steps in range(SEARCH_LIMIT):
        if engine.won:
            return steps
        command = searcher.act()
        searcher.observe(command, engine.step(command).feedback)
    return SEARCH_LIMIT


def labelled(draft: Draft, low: float, high: float) -> GeneratedLevel | None:
    """Return the level of a draft; None where its search takes less than `low` or more than `high`, or has no plan."""
    game = _game(draft)
    scene = build_scene(game)
    search_steps = expected_search_steps(scene, high)
    if not low <= search_steps <= high:
        return None
    plan = shortest_plan(Engine(scene))
    if not plan:
        return None
    return GeneratedLevel(game, scene, plan, search_steps, draft.task_type, f"{draft.room.kind} {draft.room.number}")


# --- what can be drawn


class Choice(NamedTuple):
    """What a task may be about: a room, the object to bring, where it goes."""

    room: catalogue.Room
    object_type: str
    destination: str


@cache
def candidates_of(settings: LevelSettings) -> dict[str, tuple[Choice, ...]]:
    """Return by task type the rooms, objects and destinations that the split allows."""
    chosen: dict[str, tuple[Choice, ...]] = {}
    for name in settings.task_types:
        if settings.n_targets in (None, tasks.TASK_TYPES[name].n_targets):
            choices = tuple(
                choice for room in _rooms(settings.split, name) for choice in _choices(room, name, settings)
            )
            if choices:
                chosen[name] = choices
    if not chosen:
        raise SpecError(
            f"no task of {', '.join(settings.task_types)} has n_targets={settings.n_targets}, "
            f"n_instances={settings.n_instances} and n_receptacles={settings.n_receptacles} in split {settings.split!r}"
        )
    return chosen


def _rooms(split: str, task_type: str) -> list[catalogue.Room]:
    seen = range(catalogue.TRAIN_ROOMS)
    numbers = range(catalogue.TRAIN_ROOMS, catalogue.ROOMS_PER_KIND) if split == "test" else seen
    return [catalogue.room(kind, number) for kind in tasks.TASK_TYPES[task_type].rooms for number in numbers]


def _choices(room: catalogue.Room, task_type: str, settings: LevelSettings) -> list[Choice]:
    kind, goal = catalogue.KINDS[room.kind], tasks.TASK_TYPES[task_type]
    if (settings.n_instances or goal.n_targets) < goal.n_targets or (settings.n_receptacles or 0) > len(
        room.receptacles
    ):
        return []
    choices = []
    for object_type in (*kind.usual, *kind.sometimes):
        item = catalogue.OBJECTS[object_type]
        if not all(_AFFORDANCE[state] in item.affordances for state in goal.states):
            continue
        fits = [name for name in item.fits if name in room.receptacles]
        ends = [catalogue.LAMP] if task_type == tasks.LOOK else fits
        for destination in ends:
            sources = [name for name in fits if name != destination]
            held_out = is_held_out(object_type, destination)
            if sources and held_out == (settings.split == "ood_pairs"):
                choices.append(Choice(room, object_type, destination))
    return choices


_AFFORDANCE = {"clean": "cleanable", "hot": "heatable", "cool": "coolable", "sliced": "sliceable"}
_TOOL_TYPES = {"clean": "SinkBasin", "hot": "Microwave", "cool": "Fridge"}
_BLADE = "Knife"


# --- drawing


def _draft(
    rng: np.random.Generator, settings: LevelSettings, preset: Preset, choice: Choice, task_type: str
) -> Draft | None:
    """Return a drawn level in the split's content class, or None where this room cannot hold it."""
    goal, item = tasks.TASK_TYPES[task_type], catalogue.OBJECTS[choice.object_type]
    receptacles = _receptacles(rng, settings, preset, choice, task_type)
    sources = [i for i, name in enumerate(receptacles) if name in item.fits and name != choice.destination]
    if not sources:
        return None
    p_hidden = preset.p_hidden if settings.p_hidden is None else settings.p_hidden
    n_instances = settings.n_instances or goal.n_targets + int(rng.integers(0, preset.spare + 1))
    targets = []
    for _ in range(n_instances):
        hidden = rng.random() < p_hidden
        of_kind = [i for i in sources if (receptacles[i] in catalogue.OPENABLE) == hidden]
        targets.append(
            (choice.object_type, target_place(rng, preset, choice.object_type, receptacles, of_kind or sources))
        )
    fixed = [*targets, *_fixtures(rng, receptacles, task_type)]
    if len(fixed) != len(targets) + len(fixture_types(task_type)):
        return None
    stands = stands_of(rng, receptacles, settings.colocated)
    wording = int(rng.integers(2))
    while True:  # redraw the other objects until the content is of this split's class
        others = _others(rng, receptacles, choice, task_type, p_hidden)
        placed = tuple(sorted([*fixed, *others]))
        draft = Draft(
            choice.room, task_type, choice.object_type, choice.destination, wording, receptacles, stands, placed
        )
        if SPLITS[content_class(draft)] == settings.split:
            return draft


def content_class(draft: Draft) -> int:
    """Return the class of a level's content, an index into SPLITS; equal levels have equal classes."""
    content = repr((draft.task_type, draft.object_type, draft.destination, draft.wording, *draft[5:]))
    return key_digest("alfworld", "content", content)[0] % len(SPLITS)


def _receptacles(
    rng: np.random.Generator, settings: LevelSettings, preset: Preset, choice: Choice, task_type: str
) -> tuple[str, ...]:
    """Return the room's receptacles, thinned to the wanted number; what the task needs stays."""
    available = list(choice.room.receptacles)
    fewest, most = preset.receptacles
    wanted = settings.n_receptacles or int(rng.integers(min(fewest, len(available)), min(most, len(available)) + 1))
    needed = _needed_types(choice, task_type)
    keep = [available.index(name) for name in needed if name in available]
    rest = [i for i in rng.permutation(len(available)).tolist() if i not in keep]
    return tuple(available[i] for i in sorted([*keep, *rest[: max(0, wanted - len(keep))]]))


def _needed_types(choice: Choice, task_type: str) -> list[str]:
    fits = catalogue.OBJECTS[choice.object_type].fits
    present = set(choice.room.receptacles)
    source = next(name for name in fits if name in present and name != choice.destination)
    needed = [source, *needed_tools(task_type)]
    needed += [
        next((name for name in catalogue.OBJECTS[kind].fits if name in present), source)
        for kind in fixture_types(task_type)
    ]
    return sorted({*needed, choice.destination} - {catalogue.LAMP})


def needed_tools(task_type: str) -> list[str]:
    """Return the receptacles that give the states that the task asks for."""
    return [_TOOL_TYPES[state] for state in tasks.TASK_TYPES[task_type].states if state in _TOOL_TYPES]


def target_place(
    rng: np.random.Generator, preset: Preset, object_type: str, receptacles: tuple[str, ...], sources: list[int]
) -> int:
    """Return where a target lies: early or late in the searcher's order, as the difficulty wants."""
    fits = catalogue.OBJECTS[object_type].fits
    ordered = sorted(sources, key=lambda i: (fits.index(receptacles[i]), i))
    if preset.lateness == 0.0:
        ordered = ordered[: max(1, len(ordered) // 3)]
    elif preset.lateness == 1.0:
        ordered = ordered[len(ordered) // 2 :]
    return pick(rng, ordered)


def fixture_types(task_type: str) -> tuple[str, ...]:
    """Return the lamp or knife that a task needs."""
    if task_type == tasks.LOOK:
        return (catalogue.LAMP,)
    return (_BLADE,) if "sliced" in tasks.TASK_TYPES[task_type].states else ()


def _fixtures(rng: np.random.Generator, receptacles: tuple[str, ...], task_type: str) -> list[tuple[str, int]]:
    """Return the lamp or knife that the task needs; empty where no receptacle holds one."""
    placed = []
    for kind in fixture_types(task_type):
        places = [i for i, name in enumerate(receptacles) if name in catalogue.OBJECTS[kind].fits]
        if places:
            placed.append((kind, pick(rng, places)))
    return placed


def _others(
    rng: np.random.Generator, receptacles: tuple[str, ...], choice: Choice, task_type: str, p_hidden: float
) -> list[tuple[str, int]]:
    """Return the objects that the task does not need, with their places."""
    kind = catalogue.KINDS[choice.room.kind]
    fixtures = fixture_types(task_type)
    draws = iter(rng.random(8 * (len(kind.usual) + len(kind.sometimes))).tolist())
    placed = []
    for object_type in (*kind.usual, *kind.sometimes):
        if object_type == choice.object_type or object_type in fixtures:
            continue
        open_places, hidden_places = _places(receptacles, object_type)
        copies = 1 + int(next(draws) * 3) if object_type in kind.usual or next(draws) < 0.5 else 0
        for _ in range(copies):
            hidden = next(draws) < p_hidden
            places = (hidden_places or open_places) if hidden else (open_places or hidden_places)
            if places:
                placed.append((object_type, places[int(next(draws) * len(places))]))
    return placed


@cache
def _places(receptacles: tuple[str, ...], object_type: str) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return the open and the closed receptacles that hold a type, likelier types counted more often."""
    fits = catalogue.OBJECTS[object_type].fits
    open_places: list[int] = []
    hidden_places: list[int] = []
    for i, name in enumerate(receptacles):
        if name in fits:
            weight = 3 if fits.index(name) == 0 else 2 if fits.index(name) < 3 else 1
            (hidden_places if name in catalogue.OPENABLE else open_places).extend([i] * weight)
    return tuple(open_places), tuple(hidden_places)


def stands_of(rng: np.random.Generator, receptacles: tuple[str, ...], colocated: bool) -> tuple[int, ...]:
    """Return each receptacle's location; with `colocated`, one in seven shares its neighbour's."""
    stands: list[int] = []
    for i in range(len(receptacles)):
        shares = colocated and i > 0 and rng.random() < 1 / 7
        stands.append(stands[-1] if shares else i)
    return tuple(stands)


def pick(rng: np.random.Generator, options: Sequence[T]) -> T:
    """Return one of the options."""
    return options[int(rng.random() * len(options))]


# --- facts


def _game(draft: Draft) -> Game:
    receptacle_ids = identifiers_of(draft.receptacles)
    object_ids = _identifiers([name for name, _ in draft.placed], {})
    facts: list[Fact] = [("atlocation", "agent1", "loc_bar_00")]
    for identifier, name, stand in zip(receptacle_ids, draft.receptacles, draft.stands, strict=True):
        facts += [("receptacletype", identifier, f"{name.lower()}type")]
        facts += [("receptacleatlocation", identifier, f"loc_bar_{stand + 1:02d}")]
        if name in catalogue.OPENABLE:
            facts.append(("openable", identifier))
    for identifier, (name, place) in zip(object_ids, draft.placed, strict=True):
        facts += _object_facts(name, identifier)
        facts.append(("inreceptacle", identifier, receptacle_ids[place]))
        facts.append(("objectatlocation", identifier, f"loc_bar_{draft.stands[place] + 1:02d}"))
    present = {name for name, _ in draft.placed}
    for name in sorted(set(draft.receptacles)):
        facts += _containment(name, frozenset(present))
    goal = tasks.task_goal(draft.task_type, draft.object_type, draft.destination)
    sentence = text.task(draft.task_type, draft.object_type, draft.destination, draft.wording)
    return Game(Dialect.V04, tuple(facts), goal, sentence)


def identifiers_of(receptacles: Sequence[str]) -> list[str]:
    """Return one identifier per receptacle of a room."""
    return _identifiers(receptacles, {"SinkBasin": "sink", "BathtubBasin": "bathtub"})


def _identifiers(names: Sequence[str], prefixes: dict[str, str]) -> list[str]:
    """Return one identifier per name, such as `mug_bar_01`, or `sink_bar_01_bar_sinkbasin` for a part of another."""
    counts: dict[str, int] = {}
    identifiers = []
    for name in names:
        counts[name] = counts.get(name, 0) + 1
        whole = f"{prefixes.get(name, name.lower())}_bar_{counts[name]:02d}"
        identifiers.append(f"{whole}_bar_{name.lower()}" if name in prefixes else whole)
    return identifiers


def _object_facts(name: str, identifier: str) -> list[Fact]:
    facts: list[Fact] = [("objecttype", identifier, f"{name.lower()}type")]
    facts += [(affordance, identifier) for affordance in catalogue.OBJECTS[name].affordances]
    if name != catalogue.LAMP:
        facts.append(("pickupable", identifier))
    if name in catalogue.MOVABLE:
        facts.append(("isreceptacleobject", identifier))
    return facts


@cache
def _containment(receptacle: str, present: frozenset[str]) -> tuple[Fact, ...]:
    return tuple(
        ("cancontain", f"{receptacle.lower()}type", f"{name.lower()}type")
        for name in sorted(present)
        if receptacle in catalogue.OBJECTS[name].fits
    )
