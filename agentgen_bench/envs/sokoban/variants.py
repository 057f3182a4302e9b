"""Other rules of how boxes move, one of which a pack of levels may share unsaid; every optimum is solved anew.

A room is the usual one; what walking into a box does is not. Searches here go through all
states that can be reached, one by one, and so are for few boxes (MAX_BOXES, MAX_SIZE).
"""

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache, partial
from typing import NamedTuple

from agentgen_bench.envs.sokoban.levels import generate
from agentgen_bench.envs.sokoban.moves import shortest_plan
from agentgen_bench.envs.sokoban.rules import DOWN, LEFT, RIGHT, UP, USUAL, Level, neighbours, step_from
from agentgen_bench.envs.sokoban.settings import LevelSettings
from agentgen_bench.errors import SpecError
from agentgen_bench.seeding import stream

MAX_BOXES, MAX_SIZE = 2, 8  # at most about 60,000 states
BATCH, BATCHES = 8, 40  # levels of the usual rule looked at for one of another

State = tuple[int, int]  # boxes, player
Around = Mapping[int, tuple[int, ...]]
Step = Callable[[Around, int, int, int], State | None]


class Rule(NamedTuple):
    """What a move does, and that in words."""

    step: Step
    text: str


def _swap(around: Around, boxes: int, player: int, direction: int) -> State | None:
    ahead = around[player][direction]
    if not ahead & boxes:
        return (boxes, ahead) if ahead else None
    return boxes ^ ahead | player, ahead


def _leap(around: Around, boxes: int, player: int, direction: int) -> State | None:
    ahead = around[player][direction]
    if not ahead & boxes:
        return (boxes, ahead) if ahead else None
    beyond = around[ahead][direction]
    return (boxes ^ ahead | player, beyond) if beyond and not beyond & boxes else None


def _turn(around: Around, boxes: int, player: int, direction: int, turned: Sequence[int]) -> State | None:
    ahead = around[player][direction]
    if not ahead & boxes:
        return (boxes, ahead) if ahead else None
    beside = around[ahead][turned[direction]]
    return (boxes ^ ahead | beside, ahead) if beside and not beside & boxes else None


_LEFT_OF = (LEFT, RIGHT, DOWN, UP)  # by the direction one walks in
_RIGHT_OF = (RIGHT, LEFT, UP, DOWN)

RULES: dict[str, Rule] = {
    USUAL: Rule(step_from, "a box you walk into moves one cell on"),
    "swap": Rule(_swap, "you change places with a box you walk into"),
    "leap": Rule(_leap, "you leap over a box you walk into, and it takes the place that you leave"),
    "left": Rule(partial(_turn, turned=_LEFT_OF), "a box you walk into moves one cell to the left of your way"),
    "right": Rule(partial(_turn, turned=_RIGHT_OF), "a box you walk into moves one cell to the right of your way"),
}
HIDDEN = tuple(name for name in RULES if name != USUAL)


def rule_of(seed: int) -> str:
    """Return the rule that a fact's seed decides."""
    return HIDDEN[int(stream("sokoban", "rule", seed).integers(len(HIDDEN)))]


class Table(NamedTuple):
    """The fewest moves and the fewest pushes from each state that can still be solved; a push moves a box."""

    moves: Mapping[State, int]
    pushes: Mapping[State, int]


@lru_cache(maxsize=64)
def table_of(rule: str, floor: int, goals: int, boxes: int, player: int) -> Table:
    """Return the optima of all states that can be reached from a start, by breadth-first search back from the solved.

    Solved states end an episode, so nothing leads on from them.
    """
    step, around = RULES[rule].step, neighbours(floor)
    before: dict[State, list[State]] = {(boxes, player): []}
    queue = deque(before)
    while queue:
        state = queue.popleft()
        if state[0] == goals:
            continue
        for direction in range(4):
            after = step(around, *state, direction)
            if after is not None:
                if after not in before:
                    before[after] = []
                    queue.append(after)
                before[after].append(state)
    solved = [state for state in before if state[0] == goals]
    return Table(_fewest(before, solved, all_count=True), _fewest(before, solved, all_count=False))


def _fewest(before: Mapping[State, list[State]], solved: list[State], *, all_count: bool) -> dict[State, int]:
    """Return the least cost to a solved state: a move costs 1, or (not `all_count`) only one that moves a box."""
    found = dict.fromkeys(solved, 0)
    queue = deque(solved)
    while queue:
        state = queue.popleft()
        for earlier in before[state]:
            cost = found[state] + (all_count or earlier[0] != state[0])
            if cost < found.get(earlier, cost + 1):
                found[earlier] = cost
                (queue.append if cost > found[state] else queue.appendleft)(earlier)
    return found


@lru_cache(maxsize=4_096)
def plan_under(rule: str, floor: int, goals: int, boxes: int, player: int) -> tuple[int, ...] | None:
    """Return the directions of a shortest solution under a rule, found forward from the state; None without one."""
    step, around = RULES[rule].step, neighbours(floor)
    start = boxes, player
    came: dict[State, tuple[State, int]] = {start: (start, -1)}
    queue = deque([start])
    while queue:
        state = queue.popleft()
        if state[0] == goals:
            plan = []
            while state != start:
                state, direction = came[state]
                plan.append(direction)
            return tuple(reversed(plan))
        for direction in range(4):
            after = step(around, *state, direction)
            if after is not None and after not in came:
                came[after] = state, direction
                queue.append(after)
    return None


def count_plans(level: Level) -> int:
    """Return how many solutions of a level under its rule are as short as the shortest."""
    step, around = RULES[level.rule].step, neighbours(level.floor)
    left = table_of(level.rule, level.floor, level.goals, level.boxes, level.player).moves
    counts = {(level.boxes, level.player): 1}
    for _ in range(left[level.boxes, level.player]):
        after: dict[State, int] = {}
        for state, count in counts.items():
            nexts = [step(around, *state, direction) for direction in range(4)]
            for there in [s for s in nexts if s is not None and left.get(s, -1) == left[state] - 1]:
                after[there] = after.get(there, 0) + count
        counts = after
    return sum(counts.values())


@lru_cache(maxsize=4_096)
def level_under(rule: str, settings: LevelSettings, split: str, seed: int) -> Level:
    """Return level `seed` of a split under a rule: a start that the rule can solve and the usual solution cannot.

    The settings describe the room and its start under the usual rule; the optima are those under this one.

    Raises:
        SpecError: more boxes or a larger room than MAX_BOXES and MAX_SIZE, or no such level was found.
    """
    check_searchable(settings)
    rng = stream("sokoban", "variant", rule, split, *settings.key, seed)
    for _ in range(BATCHES):
        for usual in generate(settings, split, rng.integers(2**31, size=BATCH).tolist()):
            level = _under(rule, usual)
            if level is not None:
                return level
    raise SpecError(f"no Sokoban level found with {settings.label} under the rule {rule!r}; ask for other pushes")


def check_searchable(settings: LevelSettings) -> None:
    """Raise SpecError for settings whose states are too many to search."""
    if settings.boxes > MAX_BOXES or settings.size > MAX_SIZE:
        raise SpecError(
            f"fact='rule' solves every level anew and takes at most {MAX_BOXES} boxes and size {MAX_SIZE}, "
            f"got {settings.boxes} and {settings.size}; choose difficulty easy, medium or paper"
        )


def _under(rule: str, usual: Level) -> Level | None:
    start = usual.boxes, usual.player
    table = table_of(rule, usual.floor, usual.goals, *start)
    if start not in table.moves or _is_solved_by_usual(rule, usual):
        return None
    return usual._replace(optimal_moves=table.moves[start], optimal_pushes=table.pushes[start], rule=rule)


def _is_solved_by_usual(rule: str, usual: Level) -> bool:
    """Return whether the usual rule's shortest solution, played as it stands, solves the level under the rule too."""
    state, around = (usual.boxes, usual.player), neighbours(usual.floor)
    for direction in shortest_plan(usual.floor, usual.goals, *state) or ():
        state = RULES[rule].step(around, *state, direction) or state
        if state[0] == usual.goals:
            return True
    return False
