"""A Sokoban player that reads the board from its observation and plans on it: the whole board is there to be seen."""

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

from agentgen_bench.envs.sokoban.bitboards import DIRECTIONS
from agentgen_bench.envs.sokoban.boxoban import Start, start_of
from agentgen_bench.envs.sokoban.moves import shortest_plan
from agentgen_bench.envs.sokoban.rules import moved, neighbour, position
from agentgen_bench.errors import DataError
from agentgen_bench.policies.base import Decision, Description
from agentgen_bench.policies.demonstrators import NO_ANSWER, answer
from agentgen_bench.prompts import History

_SYMBOLS = re.compile(r"^[#_OX√PS]{3,}$")
_XSB_LINE = re.compile(r"^#[# .$*@+]*#$")
_TO_XSB = str.maketrans("#_OX√PS", "# .$*@+")
_THING = re.compile(r"^(Wall|Goal|Box|Player) at \((\d+), (\d+)\)$", re.MULTILINE)
_OPPOSITE = ("below", "above", "right of", "left of")  # where one stands to push up, down, left, right


class SokobanPlanner:
    """Plays a shortest solution of the board that it sees; where there is none, it gives no action."""

    name = "sokoban-planner"

    def act(self, histories: Sequence[History]) -> list[Decision]:
        """Return one decision per history, from its current observation alone."""
        return [_decide(history) for history in histories]

    def describe(self) -> Description:
        """Return the kind."""
        return {"kind": self.name}


class Push(NamedTuple):
    """The first push of a plan: the box, the direction, where the box ends up in the end; cells as (row, column)."""

    box: tuple[int, int]
    direction: int
    target: tuple[int, int]
    walk: int  # moves before it


def _decide(history: History) -> Decision:
    if history.family != "Sokoban":
        return NO_ANSWER
    start = board_of(history.observation)
    plan = None if start is None else _plan(start)
    if start is None or not plan:
        return NO_ANSWER
    return answer(thought(start, plan), DIRECTIONS[plan[0]])


def board_of(observation: str) -> Start | None:
    """Return the position that an observation shows, in any of the three ways to write a board; None without one."""
    lines = observation.split("\n")
    drawn = [line.translate(_TO_XSB) for line in _block(lines, _SYMBOLS, "PS")]
    try:
        return start_of(drawn or _block(lines, _XSB_LINE, "@+") or _listed(observation), "the board in the observation")
    except DataError:
        return None


def _block(lines: Sequence[str], pattern: re.Pattern[str], player: str) -> list[str]:
    """Return the first run of lines of one width that look like a board and hold the player."""
    runs: list[list[str]] = [[]]
    for line in lines:
        if not pattern.match(line):
            runs.append([])
        elif runs[-1] and len(line) != len(runs[-1][0]):
            runs.append([line])
        else:
            runs[-1].append(line)
    return next((run for run in runs if any(char in player for line in run for char in line)), [])


def _listed(observation: str) -> list[str]:
    """Return the board of a list of things, row by row; what is not listed is free."""
    things: dict[tuple[int, int], set[str]] = {}
    for kind, row, column in _THING.findall(observation):
        things.setdefault((int(row), int(column)), set()).add(kind)
    ink = {("Goal",): ".", ("Box",): "$", ("Box", "Goal"): "*", ("Player",): "@", ("Goal", "Player"): "+"}
    size = 1 + max((max(cell) for cell in things), default=0)
    drawn = {cell: ink.get(tuple(sorted(kinds)), "#") for cell, kinds in things.items()}
    return ["".join([drawn.get((r, c), " ") for c in range(size)]) for r in range(size)]


@lru_cache(maxsize=65_536)
def _plan(start: Start) -> tuple[int, ...] | None:
    """Return the directions of a shortest solution; None where there is none."""
    plan = shortest_plan(start.floor, start.goals, start.boxes, start.player)
    return None if plan is None else tuple(plan)


def _first_push(start: Start, plan: Sequence[int]) -> Push | None:
    """Return the plan's first push and follow its box to the end of the plan."""
    boxes, player = start.boxes, start.player
    first: tuple[int, int, int] | None = None  # box, direction, moves before
    followed = 0
    for number, direction in enumerate(plan):
        ahead = neighbour(player, direction)
        move = moved(start.floor, boxes, player, direction)
        if move is None:
            return None
        if move.pushed_to and first is None:
            first, followed = (ahead, direction, number), ahead
        if move.pushed_to and ahead == followed:
            followed = move.pushed_to
        boxes, player = move.boxes, move.player
    if first is None:
        return None
    return Push(position(first[0]), first[1], position(followed), first[2])


def thought(start: Start, plan: Sequence[int]) -> str:
    """Return where I am, which box goes where, and what this move is for."""
    push = _first_push(start, plan)
    if push is None:
        return ""
    direction = DIRECTIONS[push.direction]
    goal = f"The box at {push.box} must end on the target at {push.target}: push it {direction}."
    here = f"I am at {position(start.player)}. {goal}"
    if push.walk == 0:
        return f"{here} It is next to me."
    away = "1 move" if push.walk == 1 else f"{push.walk} moves"
    return f"{here} I walk to the cell {_OPPOSITE[push.direction]} it, {away} away."
