"""Generated levels: solvable, labelled, decided by their key, and shared by no two splits."""

import json
from itertools import pairwise

import pytest

from agentgen_bench.envs.alfworld import catalogue, tasks
from agentgen_bench.envs.alfworld.engine import Engine
from agentgen_bench.envs.alfworld.gamefile import game_json, parse_game, read_json
from agentgen_bench.envs.alfworld.generator import expected_search_steps, generate_level, is_held_out
from agentgen_bench.envs.alfworld.goals import LookGoal, parse_goal
from agentgen_bench.envs.alfworld.pddl import parse_problem
from agentgen_bench.envs.alfworld.scene import build_scene
from agentgen_bench.envs.alfworld.settings import PRESETS, SPLITS, LevelSettings
from agentgen_bench.errors import SpecError

SEEDS = range(12)


def task_types(split):
    return tasks.SLICE_TASK_TYPES if split == "ood_task" else tasks.OFFICIAL_TASK_TYPES


@pytest.mark.parametrize("split", SPLITS)
def test_the_stored_plan_wins_in_as_many_steps_as_it_has(split):
    for seed in SEEDS:
        level = generate_level(LevelSettings("medium", split, task_types(split)), seed)
        engine = Engine(level.scene)
        for number, command in enumerate(level.plan, start=1):
            assert not engine.won
            assert engine.step(command).is_valid
            assert engine.won == (number == len(level.plan))


@pytest.mark.parametrize("difficulty", PRESETS)
def test_the_reference_searcher_needs_as_long_as_the_band_says(difficulty):
    band = PRESETS[difficulty]
    for seed in SEEDS:
        level = generate_level(LevelSettings(difficulty), seed)
        assert band.low <= level.search_steps <= band.high
        assert level.search_steps == expected_search_steps(level.scene)


def test_bands_do_not_overlap():
    bounds = [bound for band in PRESETS.values() for bound in (band.low, band.high)]
    assert all(low < high for low, high in pairwise(bounds))


def test_no_two_splits_share_a_level():
    digests = {
        split: {
            generate_level(LevelSettings(difficulty, split, task_types(split)), seed).scene.digest
            for difficulty in PRESETS
            for seed in SEEDS
        }
        for split in SPLITS
    }
    assert (
        sum(map(len, digests.values()))
        == len(set().union(*digests.values()))
        == len(SPLITS) * len(PRESETS) * len(SEEDS)
    )


def test_equal_keys_give_equal_levels_and_other_seeds_others():
    assert generate_level(LevelSettings(), 5).game == generate_level(LevelSettings(), 5).game
    assert generate_level(LevelSettings(), 5).game != generate_level(LevelSettings(), 6).game


def test_test_rooms_are_unseen():
    rooms = {
        split: {generate_level(LevelSettings(split=split), seed).room for seed in range(60)}
        for split in ("train", "test")
    }
    numbers = {split: {int(name.split()[1]) for name in names} for split, names in rooms.items()}
    assert max(numbers["train"]) < catalogue.TRAIN_ROOMS <= min(numbers["test"])


def test_no_two_rooms_of_a_kind_have_the_same_receptacles():
    for kind in catalogue.KINDS:
        rooms = {catalogue.room(kind, number).receptacles for number in range(catalogue.ROOMS_PER_KIND)}
        assert len(rooms) == catalogue.ROOMS_PER_KIND


@pytest.mark.parametrize("split", SPLITS)
def test_held_out_pairs_occur_in_their_split_only(split):
    held_out = {
        is_held_out(_spelled(goal.object_type), _spelled(_destination(goal)))
        for goal in (generate_level(LevelSettings(split=split), seed).game.goal for seed in SEEDS)
    }
    assert held_out == {split == "ood_pairs"}


def _destination(goal):
    return goal.lamp_type if isinstance(goal, LookGoal) else goal.receptacle_type


def _spelled(lower):
    names = {*catalogue.OBJECTS, *(name for kind in catalogue.KINDS.values() for name in kind.receptacles)}
    return next(name for name in names if name.lower() == lower)


@pytest.mark.parametrize("task_type", tasks.TASK_TYPES)
def test_every_task_type_can_be_asked_for(task_type):
    level = generate_level(LevelSettings("medium", "train", (task_type,)), 0)
    assert level.task_type == task_type
    assert tasks.read_task(level.game.task) == level.game.goal


def test_the_number_of_receptacles_is_kept():
    for number in (6, 9, 14):
        knobs = LevelSettings("medium", n_receptacles=number, task_types=("pick_and_place_simple",))
        assert {len(generate_level(knobs, seed).scene.receptacle_names) for seed in range(4)} <= set(
            range(3, number + 1)
        )


def test_targets_are_as_many_as_asked_for():
    level = generate_level(LevelSettings("medium", n_instances=4, n_targets=2), 0)
    assert level.task_type == "pick_two_obj_and_place"
    assert len(level.scene.target_objects) == 4


def test_hidden_targets_lie_in_what_can_be_closed():
    def share_hidden(p_hidden):
        knobs = LevelSettings("medium", task_types=("pick_heat_then_place_in_recep",), p_hidden=p_hidden)
        scenes = [generate_level(knobs, seed).scene for seed in SEEDS]
        holders = [
            scene.openable[r]
            for scene in scenes
            for r, inside in enumerate(scene.start.contents)
            if set(inside) & set(scene.target_objects)
        ]
        return sum(holders) / len(holders)

    assert share_hidden(0.0) == 0.0
    assert share_hidden(1.0) > 0.9


def test_colocated_rooms_share_stand_points():
    shared = [generate_level(LevelSettings("medium", colocated=True), seed).scene for seed in SEEDS]
    apart = [generate_level(LevelSettings("medium"), seed).scene for seed in SEEDS]
    assert any(len(set(scene.receptacle_location)) < len(scene.receptacle_location) for scene in shared)
    assert all(len(set(scene.receptacle_location)) == len(scene.receptacle_location) for scene in apart)


def test_knobs_that_no_level_satisfies_are_refused():
    with pytest.raises(SpecError, match="n_targets=2"):
        generate_level(LevelSettings(task_types=("pick_and_place_simple",), n_targets=2), 0)
    with pytest.raises(SpecError, match="no level found in 400 draws"):
        generate_level(LevelSettings("hard", n_receptacles=5, task_types=("pick_and_place_simple",)), 0)


def test_a_level_written_as_a_game_file_is_the_same_scene(tmp_path):
    level = generate_level(LevelSettings("hard", colocated=True), 1)
    path = tmp_path / "game.tw-pddl"
    path.write_text(json.dumps(game_json(level.game, level.plan)), encoding="utf-8")
    assert build_scene(parse_game(read_json(path))) == level.scene


@pytest.mark.parametrize("task_type", tasks.TASK_TYPES)
def test_every_goal_is_stated_in_pddl_that_reads_back(task_type):
    game = generate_level(LevelSettings("medium", "train", (task_type,)), 1).game
    assert parse_goal(parse_problem(game_json(game)["pddl_problem"]).goal) == game.goal
    assert parse_game(game_json(game)).goal == game.goal
