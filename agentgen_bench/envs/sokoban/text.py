"""Everything the agent reads in Sokoban: the board in its vocabularies, and the prose around it.

Coordinates are (row, column) on the whole board, from (0, 0) at the top left. The text says what is where and what each
action would do now. It says nothing about what can be reached, what is lost, or how good an action is.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from agentgen_bench.envs.paraphrasing import paraphrased
from agentgen_bench.envs.sokoban.bitboards import DIRECTIONS, interior
from agentgen_bench.envs.sokoban.paraphrases import FORMS
from agentgen_bench.envs.sokoban.rules import USUAL, Level, cells_of, position
from agentgen_bench.text import Command, Listing, Richness, Section, Spans, plain_section

# What a cell holds; a box adds BOX - FLOOR to floor or target, the player PLAYER - FLOOR.
WALL, FLOOR, TARGET, BOX, BOX_ON_TARGET, PLAYER, PLAYER_ON_TARGET = range(7)

ACTIONS_HEADING = "Actions: "
GRID_HEADING = "\nThe board with row numbers on the left and column numbers on top:"
EFFECTS_HEADING = "\nWhat each action would do now:"
UNSAID = "Boxes do not move as usual here: what walking into one does is for you to find out."
MAX_REMEMBERED = 512  # places of the boxes of a level
_LEAN, _BASE, _RICH = Richness.LEAN, Richness.BASE, Richness.RICH
_COMMANDS = tuple([Command(name) for name in DIRECTIONS])


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """How a board is written: one character per kind of cell, or (None) a line per thing; and the word for a target."""

    symbols: str | None
    target: str


VOCABULARIES = {
    "symbols": Vocabulary("#_OX√PS", "target"),
    "xsb": Vocabulary("# .$*@+", "target"),
    "coords": Vocabulary(None, "goal"),
}


def task(n_boxes: int, target: str) -> str:
    """Return the goal in words; `target` is the board's word for a target."""
    if n_boxes == 1:
        return f"Push the box onto the {target}."
    return f"Push the {n_boxes} boxes onto the {n_boxes} {target}s."


@lru_cache(maxsize=16)
def _names(size: int) -> tuple[str, ...]:
    """Return `(row, column)` for every cell of the board, row by row."""
    return tuple(f"({r}, {c})" for r in range(size) for c in range(size))


@lru_cache(maxsize=16)
def _indices(size: int) -> dict[int, int]:
    """Return each interior cell's place on the board, row by row."""
    return {cell: r * size + c for cell in cells_of(interior(size)) for r, c in [position(cell)]}


class Placed(NamedTuple):
    """What the places of the boxes decide, wherever the player stands."""

    board: str  # drawn without the player; "" in `coords`
    n_placed: int  # boxes on targets
    score: float
    success: bool
    counted: Section


class _Spot(NamedTuple):
    """What the player's place decides: where it is drawn, as what, and which cells are seen from there."""

    at: int  # on the board, row by row
    start: int  # of its symbol in the drawn board
    end: int
    symbol: str
    sight: int


class _Boxes(NamedTuple):
    """What the places of the boxes decide of a rich text, wherever the player stands."""

    indices: list[int]
    kinds: list[int]
    grid: str
    by_box: list[str]
    by_target: list[str]
    offsets: str


class _View(NamedTuple):
    """What the player's place and the boxes in sight of it decide of a rich text."""

    surroundings: str
    effects: Section


class LevelText:
    """Writes the positions of one level in one vocabulary at one richness.

    What never changes is made once, and what the boxes alone decide once for their places: most steps move the player
    only, and little is written anew.
    """

    def __init__(self, level: Level, board: str, richness: Richness, paraphrase: int = 0) -> None:
        """Prepare the level's constant text; `board` names a vocabulary, `paraphrase` the words of the task."""
        self.words: Vocabulary = VOCABULARIES[board]
        self.richness = richness
        self.size: int = level.size
        self.n_boxes: int = level.boxes.bit_count()
        self.goals: int = level.goals
        self.rule: str = level.rule
        self._names = _names(level.size)
        self._steps = (-level.size, level.size, -1, 1)
        self._empty = [WALL] * level.size**2
        self._index = _indices(level.size)
        for cell in cells_of(level.floor):
            self._empty[self._index[cell]] = TARGET if cell & level.goals else FLOOR
        target = self.words.target
        self._kind_words = ("wall", "floor", target, "box", f"box on {target}", "you", f"you on {target}")
        self._targets = [self._index[cell] for cell in cells_of(level.goals)]
        self.task: str = paraphrased(FORMS, task(self.n_boxes, target), paraphrase, "sokoban", level.level_id)
        self._heading = Section(f"{self.task} {self._how_to_move()}\n\n", Richness.BASE, "task")
        legend = (f"\n\n{self._legend_text()}\n{ACTIONS_HEADING}", Listing(_COMMANDS), ".\n")
        self._legend = Section(legend, Richness.BASE, "task")
        self._rules = Section(self._rules_text(), Richness.RICH, "task")
        self._counts = [
            Section(f"Boxes on {target}s: {placed} of {self.n_boxes}.", Richness.BASE, "state")
            for placed in range(self.n_boxes + 1)
        ]
        self.placed: dict[int, Placed] = {}  # by the places of the boxes, as far as they were asked for
        self._boxes: dict[int, _Boxes] = {}
        self._lines: dict[tuple[int, ...], str] = {}  # what is next to a box or target, by what that is
        self._views: dict[tuple[int, int], _View] = {}  # by the player and the boxes in sight
        self._drawn = self._drawing()
        self._box, self._player = (self._symbols(occupant) for occupant in (BOX, PLAYER))
        self._spots = {cell: self._spot(self._index[cell]) for cell in cells_of(level.floor)}
        self._target_word = target.capitalize()
        columns = " ".join(map(str, range(level.size)))
        self._grid_heading = f"{GRID_HEADING}\n    {columns}\n"
        self._grid_start = len(self._grid_heading)

    def sections(self, boxes: int, player: int, placed: Placed) -> tuple[Section, ...]:
        """Return the observation of a position: the sections shown at this richness; `placed` is that of the boxes."""
        at, place, after, symbol, sight = self._spots[player]
        board = placed[0]
        text = f"{board[:place]}{symbol}{board[after:]}" if board else self._things_on_board(boxes, at)
        section = plain_section((text, _LEAN, "state"))
        if self.richness is _LEAN:
            return (section,)
        if self.richness is _BASE:
            return self._heading, section, self._legend, placed.counted
        described = self._boxes.get(boxes) or self._describe_boxes(boxes)
        key = player, boxes & sight
        view = self._views.get(key) or self._view(key, described.kinds, at)
        state = plain_section((self._described(described, at, view.surroundings), _RICH, "state"))
        return self._heading, section, self._legend, placed.counted, self._rules, state, view.effects

    def place(self, boxes: int) -> Placed:
        """Return what these places of the boxes decide, and remember it in `placed`."""
        if len(self.placed) >= MAX_REMEMBERED:
            self.placed.clear()
        n = (boxes & self.goals).bit_count()
        found = Placed(self._board(boxes), n, n / self.n_boxes, boxes == self.goals, self._counts[n])
        self.placed[boxes] = found
        return found

    def _view(self, key: tuple[int, int], kinds: list[int], at: int) -> "_View":
        """Return what the boxes in sight decide, and remember it."""
        if len(self._views) >= MAX_REMEMBERED:
            self._views.clear()
        effects = Section(self._effects(kinds, at), _RICH, "hint")
        view = self._views[key] = _View(self._surroundings(kinds, at), effects)
        return view

    def _spot(self, at: int) -> _Spot:
        """Return what a place of the board decides of the text when the player stands there."""
        place = at + at // self.size  # every row but the last ends in a line break
        symbol = self._player[at] if self._drawn else ""
        return _Spot(at, place, place + 1, symbol, self._in_sight(at) if self.richness is _RICH else 0)

    def _in_sight(self, at: int) -> int:
        """Return the cells that are seen from a place of the board: in each direction, those before the first wall."""
        cells = {i: cell for cell, i in self._index.items()}
        found = 0
        for step in self._steps:
            i = at + step
            while self._empty[i] != WALL:
                found |= cells[i]
                i += step
        return found

    def _board(self, boxes: int) -> str:
        """Return the drawn board without the player; "" where it is not drawn."""
        board = self._drawn
        for cell in cells_of(boxes) if board else ():
            at = self._index[cell]
            place = at + at // self.size
            board = f"{board[:place]}{self._box[at]}{board[place + 1 :]}"
        return board

    def _describe_boxes(self, boxes: int) -> _Boxes:
        """Return what these places of the boxes decide of a rich text, and remember it."""
        if len(self._boxes) >= MAX_REMEMBERED:
            self._boxes.clear()
            self._lines.clear()
        kinds, indices = self._empty.copy(), [self._index[cell] for cell in cells_of(boxes)]
        for i in indices:
            kinds[i] += BOX - FLOOR
        by_box = [self._box_line(i, kinds) for i in indices]
        by_target = [self._target_line(i, kinds) for i in self._targets]
        found = _Boxes(indices, kinds, self._grid(kinds), by_box, by_target, self._offsets(indices))
        self._boxes[boxes] = found
        return found

    def _described(self, boxes: _Boxes, at: int, surroundings: str) -> str:
        """Return all that rich text says of a position, but for what the actions would do."""
        indices, kinds, grid, by_box, by_target, offsets = boxes
        size, targets = self.size, self._targets
        if grid:
            place = self._grid_start + at // size * (2 * size + 4) + 4 + at % size * 2
            grid = f"{grid[:place]}{self._player[at]}{grid[place + 1 :]}"
        changed = [i for i in (at - size, at + size, at - 1, at + 1) if kinds[i] > FLOOR]
        if kinds[at] == TARGET:
            changed.append(at)
        if changed:  # the player is seen from there
            with_player, by_box, by_target = kinds.copy(), by_box.copy(), by_target.copy()
            with_player[at] += PLAYER - FLOOR
            for i in changed:
                kind = kinds[i]
                if kind != TARGET:
                    by_box[indices.index(i)] = self._box_line(i, with_player)
                if kind != BOX:
                    by_target[targets.index(i)] = self._target_line(i, with_player)
        boxes_text, targets_text = "\n".join(by_box), "\n".join(by_target)
        return (
            f"{grid}{surroundings}\nBoxes and what is next to them:\n{boxes_text}\n"
            f"\n{self._target_word}s and what is next to them:\n{targets_text}\n{offsets}"
        )

    def _how_to_move(self) -> str:
        if self.rule != USUAL:
            return UNSAID
        return "Walk into a box to push it one cell on, if the cell behind it is free; a box cannot be pulled."

    def _legend_text(self) -> str:
        target, symbols = self.words.target, self.words.symbols
        if symbols is None:
            return (
                "Cells are (row, column), from (0, 0) at the top left; cells not listed are free. "
                f"A box on a {target} is listed as both."
            )
        named = zip(symbols, self._kind_words, strict=True)
        return ", ".join(f"{'space' if symbol == ' ' else symbol} {name}" for symbol, name in named)

    def _symbols(self, occupant: int) -> list[str]:
        """Return by place what is drawn there for a box or the player (BOX, PLAYER)."""
        symbols = self.words.symbols
        if symbols is None:
            return []
        by_kind = {kind: symbols[kind + occupant - FLOOR] for kind in (FLOOR, TARGET)} | {WALL: ""}
        return [by_kind[kind] for kind in self._empty]

    def _drawing(self) -> str:
        """Return the board without boxes and player, where it is drawn; every row but the last ends in a line break."""
        symbols, size = self.words.symbols, self.size
        if symbols is None:
            return ""
        drawn = "".join([symbols[kind] for kind in self._empty])
        return "\n".join([drawn[i : i + size] for i in range(0, size * size, size)])

    def _things_on_board(self, boxes: int, at: int) -> str:
        """Return the board in `coords`: a line per thing, row by row."""
        kinds = self._empty.copy()
        for cell in cells_of(boxes):
            kinds[self._index[cell]] += BOX - FLOOR
        kinds[at] += PLAYER - FLOOR
        goal, names = self._target_word, self._names
        things = (("Wall",), (), (goal,), ("Box",), (goal, "Box"), ("Player",), (goal, "Player"))
        return "\n".join([f"{thing} at {names[i]}" for i, kind in enumerate(kinds) for thing in things[kind]])

    def _rules_text(self) -> str:
        blocked = "- Nothing changes when a wall is in the way, or a box with a wall or another box behind it.\n"
        return (
            "\n\nRules:\n"
            "- Each action moves you one cell up, down, left or right, or changes nothing.\n"
            f"{blocked if self.rule == USUAL else ''}"
            "- Every action uses up a step, also one that changes nothing.\n"
            f"- The puzzle is solved when every box stands on a {self.words.target}; any box may go on any "
            f"{self.words.target}.\n"
        )

    def _grid(self, kinds: list[int]) -> str:
        symbols, size = self.words.symbols, self.size
        if symbols is None:
            return ""
        drawn = [symbols[kind] for kind in kinds]
        lines = [f"{r:>2}  {' '.join(drawn[r * size : (r + 1) * size])}" for r in range(size)]
        return self._grid_heading + "\n".join(lines) + "\n"

    def _surroundings(self, kinds: list[int], at: int) -> str:
        names, size = self._kind_words, self.size
        on_target = f", on a {self.words.target}" if kinds[at] == TARGET else ""
        text = f"\nYou are at {self._names[at]}{on_target}. From there, up to the first wall:\n"
        up, down, left, right = (
            kinds[at - size :: -size],
            kinds[at + size :: size],
            kinds[at - 1 :: -1],
            kinds[at + 1 :],
        )
        for direction, cells in zip(DIRECTIONS, (up, down, left, right), strict=True):
            seen = ", ".join([names[kind] for kind in cells[: cells.index(WALL) + 1]])
            text += f"- {direction}: {seen}\n"
        return text

    def _on_target(self, kind: int) -> str:
        return f", on a {self.words.target}" if kind in (BOX_ON_TARGET, PLAYER_ON_TARGET) else ""

    def _around(self, kinds: list[int], at: int) -> str:
        names, size = self._kind_words, self.size
        up, down, left, right = kinds[at - size], kinds[at + size], kinds[at - 1], kinds[at + 1]
        return f"up {names[up]}, down {names[down]}, left {names[left]}, right {names[right]}"

    def _box_line(self, i: int, kinds: list[int]) -> str:
        size = self.size
        key = (i, kinds[i], kinds[i - size], kinds[i + size], kinds[i - 1], kinds[i + 1])
        line = self._lines.get(key)
        if line is None:
            line = f"- {self._names[i]}{self._on_target(kinds[i])}: {self._around(kinds, i)}"
            self._lines[key] = line
        return line

    def _target_line(self, i: int, kinds: list[int]) -> str:
        size = self.size
        key = (-i, kinds[i], kinds[i - size], kinds[i + size], kinds[i - 1], kinds[i + 1])
        line = self._lines.get(key)
        if line is None:
            holds = {TARGET: "empty", BOX_ON_TARGET: "holds a box", PLAYER_ON_TARGET: "you stand on it"}[kinds[i]]
            line = self._lines[key] = f"- {self._names[i]}, {holds}: {self._around(kinds, i)}"
        return line

    def _offsets(self, boxes: list[int]) -> str:
        lines = [f"\nFrom each box to each {self.words.target}, counted in cells, whatever lies between:"]
        for box in boxes:
            offsets = [_offset(box, goal, self.size) for goal in self._targets]
            lines.append(f"- box at {self._names[box]}: {'; '.join(offsets)}")
        return "\n".join(lines) + "\n"

    def _effects(self, kinds: list[int], at: int) -> Spans:
        spans = [EFFECTS_HEADING]
        for command, step in zip(_COMMANDS, self._steps, strict=True):
            spans += ["\n- ", command, f": {self._effect(kinds, at + step, at + 2 * step)}"]
        return tuple(spans)

    def _effect(self, kinds: list[int], ahead: int, beyond: int) -> str:
        target, names = self.words.target, self._names
        if kinds[ahead] == WALL:
            return f"nothing, there is a wall at {names[ahead]}"
        if kinds[ahead] in (FLOOR, TARGET):
            return f"you walk to {names[ahead]}" + (f", a {target}" if kinds[ahead] == TARGET else "")
        if self.rule != USUAL:
            return f"you walk into the box at {names[ahead]}"
        if kinds[beyond] not in (FLOOR, TARGET):
            behind = "a wall" if kinds[beyond] == WALL else "another box"
            return f"nothing, behind the box at {names[ahead]} is {behind}"
        leaves = f" off its {target}" if kinds[ahead] == BOX_ON_TARGET else ""
        enters = f", onto a {target}" if kinds[beyond] == TARGET else ""
        return f"you push the box at {names[ahead]}{leaves} to {names[beyond]}{enters}"


@lru_cache(maxsize=64)
def level_text(level: Level, board: str, richness: Richness, paraphrase: int) -> LevelText:
    """Return the writer of a level's positions; all who play the level share it and what it remembers."""
    return LevelText(level, board, richness, paraphrase)


@lru_cache(maxsize=20_000)
def _offset(origin: int, end: int, size: int) -> str:
    if origin == end:
        return f"already at {_names(size)[end]}"
    (r0, c0), (r1, c1) = divmod(origin, size), divmod(end, size)
    vertical = [f"{abs(r1 - r0)} {'down' if r1 > r0 else 'up'}"] if r1 != r0 else []
    horizontal = [f"{abs(c1 - c0)} {'right' if c1 > c0 else 'left'}"] if c1 != c0 else []
    return f"{' and '.join(vertical + horizontal)} to {_names(size)[end]}"
