"""Levels of exactly the asked optimum: the first room of a seed's stream that holds one.

Level n of a split is decided by the settings, the split and n alone. Many seeds may be generated together, which is
much faster per level and gives the same levels.
"""

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from agentgen_bench.envs.sokoban import bitboards as bb
from agentgen_bench.envs.sokoban.bitboards import Boards
from agentgen_bench.envs.sokoban.moves import Starts, fewest_moves
from agentgen_bench.envs.sokoban.rooms import SPARE, Draws, carve, draw, room_splits
from agentgen_bench.envs.sokoban.rules import Level, cells_of
from agentgen_bench.envs.sokoban.settings import PRESETS, LevelSettings
from agentgen_bench.envs.sokoban.solver import Indices, Layer, push_layers
from agentgen_bench.errors import SpecError
from agentgen_bench.seeding import stream

# Work is counted, not timed, so that what is refused is the same on every machine: one unit per search state and
# ROOM_WORK per room looked at. Three million units take about a second.
ROOM_WORK = 200
PROBE_WORK = 2_000_000
LEVEL_WORK = 100_000_000
MAX_TABLE = 2_000_000  # rooms with more box configurations than this are passed over
MAX_TABLES = 8_000_000  # configurations of the rooms searched together; each takes 20 bytes
CANDIDATE_STATES = 8  # states of a room whose optimal moves are looked at where `moves` is asked for
LEVELS_KEPT = 4_096


class _Rooms(NamedTuple):
    """Rooms of one seed that may hold its level, in the order of its stream."""

    floor: Boards
    goals: Boards
    draws: Draws
    table_size: int  # their box configurations


class _Quest:
    """The search for one seed's level."""

    def __init__(self, settings: LevelSettings, split: str, seed: int) -> None:
        self.seed = seed
        self.rng = stream("sokoban", split, *settings.key, seed)
        self.rooms: list[_Rooms] = []
        self.work = 0
        self.rooms_tried = 0


@lru_cache(maxsize=LEVELS_KEPT)
def generated_level(settings: LevelSettings, split: str, seed: int) -> Level:
    """Return level `seed` of the split; the last few thousand levels of the process are remembered.

    Raises:
        SpecError: the settings allow no level, as far as a bounded search can tell.
    """
    return generate(settings, split, [seed])[0]


def generate(settings: LevelSettings, split: str, seeds: Sequence[int], work: int = LEVEL_WORK) -> list[Level]:
    """Return the levels of the given seeds, in order.

    Args:
        settings: what the levels satisfy.
        split: train, valid or test.
        seeds: level numbers; each level is the same alone and in company.
        work: units of search allowed per level.

    Raises:
        SpecError: no level of these settings was found within `work`.
    """
    quests = [_Quest(settings, split, seed) for seed in seeds]
    found: dict[int, Level] = {}
    while pending := [quest for quest in quests if quest.seed not in found]:
        for quest in pending:
            if quest.work > work:
                raise SpecError(
                    f"no Sokoban level found with {settings.label}: none of the {quest.rooms_tried:,} {split} rooms "
                    "searched holds one; ask for fewer pushes, fewer boxes or a larger size"
                )
        _refill(pending, settings, split)
        found.update(_search_next_rooms(pending, settings))
    return [found[seed] for seed in seeds]


@lru_cache(maxsize=256)
def check_possible(settings: LevelSettings, split: str) -> None:
    """Look for one level with little work; the named difficulties are known to be possible.

    Raises:
        SpecError: none was found, which is what impossible settings lead to within about a second.
    """
    if settings not in PRESETS.values():
        generate(settings, split, [0], work=PROBE_WORK)


def _block(settings: LevelSettings) -> int:
    """Return how many rooms are drawn at a time for one seed: few where a room is a long search."""
    return 32 if settings.size * settings.boxes > 20 else 128


def _group(settings: LevelSettings) -> int:
    """Return how many rooms are searched at a time for one seed."""
    return 4 if settings.size * settings.boxes > 20 else 32


def _refill(quests: list[_Quest], settings: LevelSettings, split: str) -> None:
    """Draw rooms for the seeds that have none left, keeping those that belong to the split and could hold a level."""
    empty = [quest for quest in quests if not quest.rooms]
    if not empty:
        return
    count, boxes = _block(settings), settings.boxes
    draws = np.concatenate([draw(quest.rng, count, settings.walk_steps) for quest in empty])
    floor, goals = carve(draws, settings.size, boxes, settings.walk_steps)
    n_live = np.bitwise_count(bb.live_cells(floor, goals))
    table_sizes = bb.BINOMIALS[boxes].take(n_live)
    possible = (goals != 0) & (n_live > boxes) & (table_sizes <= MAX_TABLE)
    kept = np.flatnonzero(possible)
    splits = np.array(room_splits(floor[kept], goals[kept]))
    kept = kept[splits == split]
    for i, quest in enumerate(empty):
        own = kept[(kept >= i * count) & (kept < (i + 1) * count)]
        quest.work += count * ROOM_WORK
        group = _group(settings)
        quest.rooms = [
            _Rooms(floor[part], goals[part], draws[part], int(table_sizes[part].sum())) for part in _parts(own, group)
        ]


def _parts(indices: Indices, length: int) -> list[Indices]:
    return [indices[start : start + length] for start in range(0, len(indices), length)]


def _search_next_rooms(quests: list[_Quest], settings: LevelSettings) -> dict[int, Level]:
    """Search the next group of rooms of every seed together; return the levels found, by seed."""
    asking = _together(quests)
    if not asking:
        return {}
    groups = [quest.rooms.pop(0) for quest in asking]
    rooms = _Rooms(
        np.concatenate([group.floor for group in groups]),
        np.concatenate([group.goals for group in groups]),
        np.concatenate([group.draws for group in groups]),
        sum(group.table_size for group in groups),
    )
    owner = np.repeat(np.arange(len(asking)), [len(group.floor) for group in groups])
    layers, n_states = _layers_in_bounds(rooms, settings)
    for i, quest in enumerate(asking):
        quest.work += int(n_states[owner == i].sum())
        quest.rooms_tried += len(groups[i].floor)
    candidates = _candidates(rooms, layers, owner, settings)
    return {asking[i].seed: level for i, level in _first_in_bounds(rooms, candidates, owner, settings).items()}


def _together(quests: list[_Quest]) -> list[_Quest]:
    """Return as many of the seeds that have rooms as may be searched together; at least one, where there is one."""
    asking: list[_Quest] = []
    room_left = MAX_TABLES
    for quest in quests:
        if quest.rooms:
            room_left -= quest.rooms[0].table_size
            if asking and room_left < 0:
                break
            asking.append(quest)
    return asking


def _layers_in_bounds(rooms: _Rooms, settings: LevelSettings) -> tuple[dict[int, Layer], Indices]:
    """Return the layers at the asked push distances, and how many search states each room took."""
    low, high = settings.pushes
    layers: dict[int, Layer] = {}
    n_states = np.zeros(len(rooms.floor), dtype=np.int64)
    for depth, layer in enumerate(push_layers(rooms.floor, rooms.goals, settings.boxes)):
        n_states += np.bincount(layer.level, minlength=len(n_states))
        if depth >= low:
            layers[depth] = layer
        if depth == high:
            break
    return layers, n_states


class _Candidate(NamedTuple):
    room: int
    boxes: int
    player: int
    pushes: int


def _candidates(rooms: _Rooms, layers: dict[int, Layer], owner: Indices, settings: LevelSettings) -> list[_Candidate]:
    """Return start positions with the asked number of pushes: rooms in order, the draws deciding within a room.

    Where any number of moves will do, that is one position in each seed's first suitable room.
    """
    depths: dict[int, list[int]] = {}
    for depth, layer in layers.items():
        for room in np.unique(layer.level).tolist():
            depths.setdefault(room, []).append(depth)
    candidates: list[_Candidate] = []
    served = set()
    for room in sorted(depths):
        if settings.moves or owner[room] not in served:
            served.add(owner[room])
            candidates += _starts(rooms, room, depths[room], layers, CANDIDATE_STATES if settings.moves else 1)
    return candidates


def _starts(rooms: _Rooms, room: int, depths: list[int], layers: dict[int, Layer], count: int) -> list[_Candidate]:
    """Return up to `count` start positions of one room, at one of the asked push distances it has."""
    depth_draw, configuration_draw, player_draw = rooms.draws[room, 1 - SPARE :].tolist()
    depth = depths[depth_draw % len(depths)]
    layer = layers[depth]
    own = np.flatnonzero(layer.level == room)
    own = own[np.argsort(layer.boxes[own])]
    starts = []
    for i in range(min(count, len(own))):
        entry = own[(configuration_draw + i) % len(own)]
        cells = cells_of(int(layer.players[entry]))
        starts.append(_Candidate(room, int(layer.boxes[entry]), cells[player_draw % len(cells)], depth))
    return starts


def _first_in_bounds(
    rooms: _Rooms, candidates: list[_Candidate], owner: Indices, settings: LevelSettings
) -> dict[int, Level]:
    """Return, for each owner with one, the level of its first candidate whose optimal moves are as asked."""
    if not candidates:
        return {}
    index = np.array([candidate.room for candidate in candidates])
    boxes = np.array([candidate.boxes for candidate in candidates], dtype=np.uint64)
    player = np.array([candidate.player for candidate in candidates], dtype=np.uint64)
    optima = fewest_moves(Starts(rooms.floor[index], rooms.goals[index], boxes, player), settings.boxes)
    low, high = settings.moves or (0, math.inf)
    found: dict[int, Level] = {}
    for candidate, moves in zip(candidates, optima.tolist(), strict=True):
        room = candidate.room
        if low <= moves <= high and owner[room] not in found:
            floor, goals = int(rooms.floor[room]), int(rooms.goals[room])
            found[int(owner[room])] = Level(
                settings.size, floor, goals, candidate.boxes, candidate.player, candidate.pushes, moves
            )
    return found
