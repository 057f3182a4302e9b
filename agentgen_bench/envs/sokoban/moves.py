"""Fewest moves, and a plan of that length, by breadth-first search from both ends.

Forward from the start by steps and pushes, backward from every solved state by steps and pulls, always the side with
the smaller frontier. Both advance one whole move at a time, so the first meeting is at the optimum.
"""

from collections import defaultdict
from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from agentgen_bench.envs.sokoban import bitboards as bb
from agentgen_bench.envs.sokoban.bitboards import Boards
from agentgen_bench.envs.sokoban.rules import cells_of, neighbour
from agentgen_bench.envs.sokoban.solver import Indices, Layer, Merger, Rooms, batch_of, joined, pulls, pushes, taken

UNSOLVABLE = -1

State: TypeAlias = tuple[int, int]  # boxes, player
Neighbours: TypeAlias = Callable[[int, int, int], list[State]]


class Starts(NamedTuple):
    """A batch of levels with the same number of boxes; arrays of shape (levels,), `player` one cell each."""

    floor: Boards
    goals: Boards
    boxes: Boards
    player: Boards


class _Side:
    """One of the two searches: its frontier, what it has seen, and its depth in moves."""

    def __init__(self, rooms: Rooms, first: Layer, forward: bool) -> None:
        self.rooms, self.forward = rooms, forward
        self.merger = Merger(rooms)
        self.layer, self.number = self.merger.merge(first)
        self.merger.see(self.layer, self.number)
        self.layers = [self.layer]

    def advance(self) -> None:
        layer, floor = self.layer, self.rooms.floor
        walked = layer._replace(players=bb.dilated(layer.players, floor[layer.level] & ~layer.boxes))
        carried = pushes(layer, floor, self.rooms.live) if self.forward else pulls(layer, floor)
        both = joined(walked, carried)
        self.layer, self.number = self.merger.merge(both)
        self.merger.see(self.layer, self.number)
        self.layers.append(self.layer)

    def keep(self, levels: npt.NDArray[np.bool_]) -> None:
        kept = np.flatnonzero(levels[self.layer.level])
        self.layer, self.number = taken(self.layer, kept), self.number[kept]

    def levels(self, count: int) -> npt.NDArray[np.bool_]:
        present = np.zeros(count, dtype=np.bool_)
        present[self.layer.level] = True
        return present


class _Meeting(NamedTuple):
    """The two searches of a batch after they met or died out, with the optimum of each level."""

    optima: Indices
    forward: _Side
    backward: _Side


def fewest_moves(starts: Starts, n_boxes: int) -> Indices:
    """Return each level's optimal number of moves, shape (levels,); UNSOLVABLE where there is no solution."""
    return _search(starts, n_boxes).optima


@lru_cache(maxsize=4096)  # episodes of one level often end in the same state
def shortest_plan(floor: int, goals: int, boxes: int, player: int) -> tuple[int, ...] | None:
    """Return the directions of one move-optimal solution from a state; None where the state is dead.

    Among equally short plans the choice is arbitrary but always the same.
    """
    row = (np.array([cells], dtype=np.uint64) for cells in (floor, goals, boxes, player))
    optima, forward, backward = _search(Starts(*row), boxes.bit_count())
    if optima[0] == UNSOLVABLE:
        return None
    if optima[0] == 0:
        return ()
    meeting = _meeting_state(forward, backward)
    return (*_traced_back(forward.layers, *meeting), *_traced_on(backward.layers, *meeting))


def count_shortest_plans(floor: int, goals: int, boxes: int, player: int) -> int:
    """Return how many move-optimal solutions a state has; 0 where it is dead.

    Each passes through one state that lies in the last layers of both searches: the ways to it times the ways on.
    """
    row = (np.array([cells], dtype=np.uint64) for cells in (floor, goals, boxes, player))
    optima, forward, backward = _search(Starts(*row), boxes.bit_count())
    if optima[0] <= 0:
        return int(optima[0] == 0)
    meeting = _common_states(forward.layers[-1], backward.layers[-1])
    ways_to, ways_on = _ways(meeting, forward.layers, _before), _ways(meeting, backward.layers, _after)
    return sum(ways_to[state] * ways_on[state] for state in meeting)


def _ways(states: list[State], layers: list[Layer], neighbours: Neighbours) -> dict[State, int]:
    """Return for each state of the last layer by how many ways the first is reached through the layers between."""
    links: list[list[tuple[State, State]]] = []
    for layer in reversed(layers[:-1]):
        held = dict(zip(layer.boxes.tolist(), layer.players.tolist(), strict=True))
        pairs = [
            (state, other)
            for state in states
            for direction in range(4)
            for other in neighbours(*state, direction)
            if held.get(other[0], 0) & other[1]
        ]
        links.append(pairs)
        states = list(dict.fromkeys(other for _, other in pairs))
    ways: dict[State, int] = dict.fromkeys(states, 1)
    for pairs in reversed(links):
        before, ways = ways, defaultdict(int)
        for state, other in pairs:
            ways[state] += before[other]
    return ways


def _search(starts: Starts, n_boxes: int) -> _Meeting:
    count = len(starts.floor)
    rooms = batch_of(starts.floor, starts.goals, n_boxes)
    optima = np.full(count, UNSOLVABLE, dtype=np.int64)
    possible = np.flatnonzero((starts.boxes & ~rooms.live) == 0)
    everyone = np.arange(count)
    forward = _Side(rooms, Layer(possible, starts.boxes[possible], starts.player[possible]), forward=True)
    backward = _Side(rooms, Layer(everyone, starts.goals, starts.floor & ~starts.goals), forward=False)
    last, other, depth = forward, backward, 0
    while True:
        met = (other.merger.seen[last.number] & last.layer.players) != 0
        optima[last.layer.level[met]] = depth
        open_levels = forward.levels(count) & backward.levels(count) & (optima == UNSOLVABLE)
        if not open_levels.any():
            return _Meeting(optima, forward, backward)
        if not open_levels.all():
            forward.keep(open_levels)
            backward.keep(open_levels)
        last, other = (forward, backward) if len(forward.number) <= len(backward.number) else (backward, forward)
        last.advance()
        depth += 1


def _common_states(front: Layer, back: Layer) -> list[State]:
    """Return all states (boxes, player) that lie in both layers."""
    players = dict(zip(back.boxes.tolist(), back.players.tolist(), strict=True))
    both = zip(front.boxes.tolist(), front.players.tolist(), strict=True)
    return [(boxes, cell) for boxes, cells in both for cell in cells_of(cells & players.get(boxes, 0))]


def _meeting_state(forward: _Side, backward: _Side) -> State:
    """Return the first state (boxes, player) that lies in the last layers of both sides."""
    front, back = forward.layers[-1], backward.layers[-1]
    players = dict(zip(back.boxes.tolist(), back.players.tolist(), strict=True))
    for boxes, cells in zip(front.boxes.tolist(), front.players.tolist(), strict=True):
        common = cells & players.get(boxes, 0)
        if common:
            return boxes, common & -common
    raise RuntimeError("the two searches have not met; this is a defect of the solver")


def _traced_back(layers: list[Layer], boxes: int, player: int) -> list[int]:
    """Return the directions from the start to a state of the last layer."""
    directions = []
    for layer in reversed(layers[:-1]):
        boxes, player, direction = next(
            (*before, d) for d in range(4) for before in _before(boxes, player, d) if _holds(layer, *before)
        )
        directions.append(direction)
    return directions[::-1]


def _traced_on(layers: list[Layer], boxes: int, player: int) -> list[int]:
    """Return the directions from a state of the last layer to a solved state."""
    directions = []
    for layer in reversed(layers[:-1]):
        boxes, player, direction = next(
            (*after, d) for d in range(4) for after in _after(boxes, player, d) if _holds(layer, *after)
        )
        directions.append(direction)
    return directions


def _before(boxes: int, player: int, direction: int) -> list[tuple[int, int]]:
    """Return the states from which a move in a direction may have led here: by a step, or by a push."""
    origin, ahead = neighbour(player, bb.OPPOSITE[direction]), neighbour(player, direction)
    return [(boxes, origin), (boxes ^ ahead | player, origin)] if boxes & ahead else [(boxes, origin)]


def _after(boxes: int, player: int, direction: int) -> list[tuple[int, int]]:
    """Return the state that a move in a direction leads to, not yet checked against walls and other boxes."""
    ahead = neighbour(player, direction)
    return [(boxes ^ ahead | neighbour(ahead, direction), ahead) if boxes & ahead else (boxes, ahead)]


def _holds(layer: Layer, boxes: int, player: int) -> bool:
    """Return whether the state is in the layer; one whose player stands on no cell (0) is in none."""
    return bool(((layer.boxes == np.uint64(boxes)) & ((layer.players & np.uint64(player)) != 0)).any())
