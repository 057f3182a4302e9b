import numpy as np
import pytest
from hypothesis import example, given, settings

from agentgen_bench.envs.sokoban.levels import generate
from agentgen_bench.envs.sokoban.moves import UNSOLVABLE, Starts, count_shortest_plans, fewest_moves, shortest_plan
from agentgen_bench.envs.sokoban.rules import moved, neighbours, open_directions
from agentgen_bench.envs.sokoban.settings import PRESETS
from agentgen_bench.envs.sokoban.solver import Layer, Merger, batch_of, push_distances, push_layers
from tests.conftest import reference_json
from tests.sokoban.boards import small_boards, start
from tests.sokoban.plain_solver import count_fewest, fewest

# A step off the left or right edge of the 8 x 8 interior, taken as a plain shift, would end in the next row.
OFF_THE_LEFT = ["##########", "######.$ #", "#@########", *["##########"] * 7]
OFF_THE_RIGHT = ["##########", "########@#", "# $.######", *["##########"] * 7]


def batch(starts):
    return Starts(*(np.array([s[i] for s in starts], dtype=np.uint64) for i in range(1, 5)))


def moves_of(position):
    return fewest_moves(batch([position]), position.boxes.bit_count())[0]


def replayed(position, plan):
    boxes, player = position.boxes, position.player
    for direction in plan:
        boxes, player, _ = moved(position.floor, boxes, player, direction)
    return boxes


def test_what_was_seen_stays_seen():
    rooms = batch_of(*(np.array([bits], np.uint64) for bits in (0b1111, 0b1)), 1)
    merger = Merger(rooms)
    at = {"level": np.array([0]), "boxes": np.array([0b1], np.uint64)}
    for players in (0b10, 0b100):
        layer, number = merger.merge(Layer(players=np.array([players], np.uint64), **at))
        merger.see(layer, number)
    again, _ = merger.merge(Layer(players=np.array([0b1110], np.uint64), **at))
    assert again.players.tolist() == [0b1000]


@settings(max_examples=150)
@given(small_boards())
@example(["####", "#@.#", "# $#", "####"])
def test_fewest_pushes_agree_with_a_plain_search(rows):
    position = start(rows)
    (pushes,) = push_distances(position.floor, position.goals, [(position.boxes, position.player)])
    assert pushes == fewest(rows, count_pushes=True)


@settings(max_examples=150)
@given(small_boards())
@example(["####", "#@.#", "# $#", "####"])
def test_fewest_moves_agree_with_a_plain_search(rows):
    moves = moves_of(start(rows))
    assert (None if moves == UNSOLVABLE else moves) == fewest(rows, count_pushes=False)


@settings(max_examples=150)
@given(small_boards())
def test_a_plan_solves_the_board_in_the_fewest_moves(rows):
    position = start(rows)
    plan = shortest_plan(*position[1:5])
    assert plan is None or replayed(position, plan) == position.goals
    assert (UNSOLVABLE if plan is None else len(plan)) == moves_of(position)


@settings(max_examples=150)
@given(small_boards())
@example(["#####", "#@  #", "# $ #", "#  .#", "#####"])
@example(["####", "#@.#", "# $#", "####"])
def test_shortest_plans_are_counted_as_a_plain_search_counts_them(rows):
    assert count_shortest_plans(*start(rows)[1:5]) == count_fewest(rows)


@pytest.mark.parametrize("difficulty", ["easy", "medium", "paper"])
def test_a_state_lies_in_one_layer_only(difficulty):
    level = generate(PRESETS[difficulty], "train", [0])[0]
    seen: dict[int, int] = {}
    layers = push_layers(
        np.array([level.floor], np.uint64), np.array([level.goals], np.uint64), level.boxes.bit_count()
    )
    for _, boxes, players in (entry for layer in layers for entry in zip(*(a.tolist() for a in layer), strict=True)):
        assert not seen.get(boxes, 0) & players
        seen[boxes] = seen.get(boxes, 0) | players


@pytest.mark.parametrize("rows", [OFF_THE_LEFT, OFF_THE_RIGHT])
def test_nothing_steps_across_the_edge_of_the_board(rows):
    position = start(rows)
    assert shortest_plan(*position[1:5]) is None
    assert push_distances(position.floor, position.goals, [(position.boxes, position.player)]) == [None]
    assert open_directions(neighbours(position.floor), position.boxes, position.player) == 0


@pytest.mark.data
def test_levels_are_solved_the_same_alone_and_in_a_batch():
    levels = [start(level["rows"]) for level in reference_json("boxoban/optima.json.gz")[:20]]
    assert fewest_moves(batch(levels), 4).tolist() == [moves_of(level) for level in levels]


@pytest.mark.data
def test_every_boxoban_level_gets_its_published_fewest_moves():
    levels = reference_json("boxoban/optima.json.gz")
    found = fewest_moves(batch([start(level["rows"]) for level in levels]), 4)
    assert found.tolist() == [level["optimal_moves"] for level in levels]


@pytest.mark.data
def test_every_boxoban_level_gets_its_published_fewest_pushes():
    levels = reference_json("boxoban/optima.json.gz")
    starts = batch([start(level["rows"]) for level in levels])
    found = [None] * len(levels)
    for depth, layer in enumerate(push_layers(starts.floor, starts.goals, 4)):
        is_start = (layer.boxes == starts.boxes[layer.level]) & ((layer.players & starts.player[layer.level]) != 0)
        for level in layer.level[is_start]:
            found[level] = depth
    assert found == [level["optimal_pushes"] for level in levels]


@pytest.mark.data
def test_every_boxoban_plan_is_made_of_legal_moves_and_solves():
    levels = [start(level["rows"]) for level in reference_json("boxoban/optima.json.gz")[::10]]
    plans = [shortest_plan(*level[1:5]) for level in levels]
    assert [replayed(level, plan) for level, plan in zip(levels, plans, strict=True)] == [x.goals for x in levels]
