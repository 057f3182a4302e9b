"""Boards as rows of XSB text, to and from what the package works with."""

import gymnasium as gym
from hypothesis import strategies as st

import agentgen_bench  # noqa: F401
from agentgen_bench.envs.sokoban.boxoban import solved_level, start_of
from agentgen_bench.envs.sokoban.text import LevelText
from agentgen_bench.text import Richness


def start(rows):
    return start_of(list(rows), "a test's board")


def level(rows):
    return solved_level(start(rows))


def rows_of(level):
    text = LevelText(level, "xsb", Richness.LEAN)
    (board,) = text.sections(level.boxes, level.player, text.place(level.boxes))
    return board.text.split("\n")


def make(**knobs):
    return gym.make(f"AgentGen/Sokoban-{knobs.pop('richness', 'lean')}-v0", **knobs).unwrapped


@st.composite
def small_boards(draw):
    """Connected or not, solvable or not: any closed board of interior up to 4 x 4 with one or two boxes."""
    inner = draw(st.integers(2, 4))
    cells = [(r, c) for r in range(1, inner + 1) for c in range(1, inner + 1)]
    walls = draw(st.sets(st.sampled_from(cells), max_size=len(cells) // 3))
    floor = sorted(set(cells) - walls)
    n_boxes = draw(st.integers(1, min(2, len(floor) - 1)))
    places = draw(st.permutations(floor))
    boxes, player = set(places[:n_boxes]), places[n_boxes]
    goals = set(draw(st.permutations(floor))[:n_boxes])
    board = [["#"] * (inner + 2) for _ in range(inner + 2)]
    for cell in floor:
        symbols = " ." if cell not in boxes | {player} else ("$*" if cell in boxes else "@+")
        board[cell[0]][cell[1]] = symbols[cell in goals]
    return ["".join(row) for row in board]
