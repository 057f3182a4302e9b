import os
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentgen_bench.envs.sokoban import bitboards as bb
from agentgen_bench.envs.sokoban.levels import generate, generated_level
from agentgen_bench.envs.sokoban.rooms import room_splits
from agentgen_bench.envs.sokoban.settings import PRESETS, level_settings
from agentgen_bench.errors import SpecError
from tests.sokoban.boards import make, rows_of
from tests.sokoban.plain_solver import fewest

SPLITS = ("train", "valid", "test")


def with_knobs(size=None, boxes=None, pushes=None, moves=None, walk_steps=None):
    return level_settings("easy", size, boxes, pushes, moves, walk_steps)


def room_class(level):
    """Return the room's floor and goals up to symmetry and translation, worked out cell by cell."""
    floor, goals = ([divmod(i, 8) for i in range(64) if cells >> i & 1] for cells in (level.floor, level.goals))
    forms = []
    for turn in (lambda r, c: (r, c), lambda r, c: (c, r)):
        for y, x in ((1, 1), (1, -1), (-1, 1), (-1, -1)):
            moved = [[(y * turn(*cell)[0], x * turn(*cell)[1]) for cell in cells] for cells in (floor, goals)]
            top, left = min(r for r, _ in moved[0]), min(c for _, c in moved[0])
            forms.append(tuple(tuple(sorted((r - top, c - left) for r, c in cells)) for cells in moved))
    return min(forms)


@pytest.mark.parametrize(
    ("difficulty", "count"),
    [("paper", 40), ("easy", 40), ("medium", 10), pytest.param("hard", 3, marks=pytest.mark.slow)],
)
def test_generated_levels_have_exactly_the_optima_a_plain_search_finds(difficulty, count):
    low, high = PRESETS[difficulty].pushes
    for level in generate(PRESETS[difficulty], "train", range(count)):
        assert low <= level.optimal_pushes <= high
        assert fewest(rows_of(level), count_pushes=True) == level.optimal_pushes
        assert fewest(rows_of(level), count_pushes=False) == level.optimal_moves


@pytest.mark.parametrize("difficulty", PRESETS)
def test_a_difficulty_gives_its_size_its_boxes_and_its_pushes(difficulty):
    settings = PRESETS[difficulty]
    for level in generate(settings, "valid", range(5)):
        assert level.size == settings.size
        assert level.boxes.bit_count() == level.goals.bit_count() == settings.boxes
        assert settings.pushes[0] <= level.optimal_pushes <= settings.pushes[1]
        assert level.player & level.floor & ~level.boxes
        assert level.floor & bb.interior(settings.size) == level.floor


@pytest.mark.parametrize("n_boxes", [1, 2, 3, 4, 5, 6])
def test_any_number_of_boxes_gives_exact_levels(n_boxes):
    (level,) = generate(with_knobs(size=7, boxes=n_boxes, pushes=4), "train", [0])
    assert level.boxes.bit_count() == n_boxes
    assert fewest(rows_of(level), count_pushes=True) == 4


@pytest.mark.parametrize("size", [6, 7, 8, 9, 10])
def test_every_size_gives_exact_levels(size):
    (level,) = generate(with_knobs(size=size, boxes=1, pushes=4), "test", [0])
    assert len(rows_of(level)) == size
    assert fewest(rows_of(level), count_pushes=True) == 4


def test_a_range_of_pushes_gives_every_number_in_it():
    levels = generate(with_knobs(pushes=(2, 4)), "train", range(60))
    assert {level.optimal_pushes for level in levels} == {2, 3, 4}


def test_a_range_of_moves_is_kept():
    levels = generate(with_knobs(pushes=(3, 5), moves=(12, 15)), "train", range(30))
    assert all(3 <= level.optimal_pushes <= 5 and 12 <= level.optimal_moves <= 15 for level in levels)
    assert len({level.optimal_moves for level in levels}) > 1


def test_the_walk_decides_how_much_floor_there_is():
    short, long = (
        sum(level.floor.bit_count() for level in generate(with_knobs(size=10, walk_steps=n), "train", range(20)))
        for n in (20, 60)
    )
    assert short < 0.8 * long


def test_splits_share_no_room_even_mirrored_rotated_or_shifted():
    for settings in (PRESETS["easy"], PRESETS["paper"]):
        rooms = [{room_class(level) for level in generate(settings, split, range(300))} for split in SPLITS]
        assert [rooms[0] & rooms[1], rooms[0] & rooms[2], rooms[1] & rooms[2]] == [set(), set(), set()]
        assert min(len(classes) for classes in rooms) > 50


@given(st.integers(0, 2**64 - 1), st.data())
def test_a_room_and_its_mirror_images_are_in_one_split(cells, data):
    goals = cells & data.draw(st.integers(0, 2**64 - 1))
    grid, goal_grid = (np.array([c >> i & 1 for i in range(64)]).reshape(8, 8) for c in (cells, goals))
    images = [(f(np.rot90(grid, k)), f(np.rot90(goal_grid, k))) for k in range(4) for f in (np.asarray, np.fliplr)]
    floor, targets = (
        np.array([sum(1 << i for i, bit in enumerate(image[j].flat) if bit) for image in images], dtype=np.uint64)
        for j in (0, 1)
    )
    assert len(set(room_splits(floor, targets))) == 1


def test_a_shifted_room_is_in_the_same_split_on_a_larger_board():
    room = np.array([0b0110_0000_0111], dtype=np.uint64)
    shifts = np.arange(0, 5, dtype=np.uint64)
    assert len(set(room_splits(room << shifts, room << shifts))) == 1


def test_levels_are_the_same_alone_and_in_company_and_in_any_order():
    for settings in (PRESETS["easy"], with_knobs(size=8, boxes=3, pushes=(6, 9), moves=(15, 40))):
        together = generate(settings, "test", [7, 3, 5, 3])
        assert together == [generate(settings, "test", [seed])[0] for seed in (7, 3, 5, 3)]


def test_how_many_rooms_fit_into_memory_together_leaves_the_levels_alone(monkeypatch):
    settings = with_knobs(size=8, boxes=3, pushes=7)
    expected = generate(settings, "train", range(12))
    monkeypatch.setattr("agentgen_bench.envs.sokoban.levels.MAX_TABLES", 1_000)
    assert generate(settings, "train", range(12)) == expected


def test_seeds_and_splits_give_different_levels():
    levels = [generated_level(PRESETS["medium"], split, seed) for split in SPLITS for seed in range(50)]
    assert len(set(levels)) > 140


def test_a_level_is_the_same_in_another_process_under_another_hash_seed():
    program = (
        "import gymnasium as gym, agentgen_bench\n"
        "env = gym.make('AgentGen/Sokoban-rich-v0', difficulty='medium', split='valid')\n"
        "print(env.reset(seed=11)); print(env.step(env.unwrapped.expert_action()))"
    )
    outputs = {
        subprocess.run(
            [sys.executable, "-c", program], env={**os.environ, "PYTHONHASHSEED": seed}, capture_output=True, check=True
        ).stdout
        for seed in ("1", "2")
    }
    assert len(outputs) == 1


def test_six_boxes_in_a_small_room_with_forty_pushes_are_refused_by_the_constructor():
    message = (
        r"no Sokoban level found with size=6, boxes=6, pushes=40, walk_steps=20: none of the [\d,]+ train rooms "
        r"searched holds one; ask for fewer pushes, fewer boxes or a larger size"
    )
    with pytest.raises(SpecError, match=message):
        make(size=6, boxes=6, pushes=40)


@pytest.mark.parametrize(
    ("knobs", "message"),
    [
        ({"size": 5}, "size=5 is out of range; choose an integer from 6 to 10"),
        ({"boxes": 7}, "boxes=7 is out of range; choose an integer from 1 to 6"),
        ({"pushes": 0}, "pushes=0 is out of range; choose an integer from 1 to 100"),
        ({"pushes": (4, 2)}, r"pushes=\(4, 2\) is an empty range; the first number must be the lower one"),
        ({"pushes": (1, 2, 3)}, r"pushes=\(1, 2, 3\) is no range; give one integer, or \(low, high\)"),
        ({"moves": (0, 5)}, "moves=0 is out of range; choose an integer from 1 to 400"),
        ({"walk_steps": 201}, "walk_steps=201 is out of range; choose an integer from 1 to 200"),
        ({"max_steps": 0}, "max_steps=0 is out of range; choose an integer from 1 to 10000"),
        ({"size": "8"}, "size='8' is out of range; choose an integer from 6 to 10"),
        ({"reward": "dense"}, "unknown reward 'dense'; choose one of: gym-sokoban, sparse"),
        ({"board": "emoji"}, "unknown board 'emoji'; choose one of: symbols, xsb, coords"),
        ({"difficulty": "brutal"}, "unknown difficulty 'brutal'; choose one of: easy, medium, hard, extreme, paper"),
        ({"split": "dev"}, "unknown split 'dev'; choose one of: train, valid, test"),
    ],
)
def test_a_wrong_knob_is_refused_with_what_would_be_right(knobs, message):
    with pytest.raises(SpecError, match=message):
        make(**knobs)
