"""Houses: whatever the task, things are where they usually are."""

import pytest

from agentgen_bench.envs.alfworld.engine import Engine
from agentgen_bench.envs.alfworld.house import house_level, house_of
from agentgen_bench.envs.alfworld.levels import level_in_house
from agentgen_bench.envs.alfworld.places import places_text, read_places, room_label
from agentgen_bench.envs.alfworld.settings import PRESETS, SPLITS, LevelSettings

HARD = LevelSettings("hard", "test")


@pytest.mark.parametrize("split", SPLITS)
def test_every_object_of_every_level_lies_in_its_usual_place(split):
    settings = LevelSettings("medium", split)
    if split == "ood_task":
        settings = LevelSettings("medium", split, task_types=("pick_and_place_simple_slice",))
    usual = read_places(house_of(settings, 2).text)
    for seed in range(1 if split == "ood_task" else 2):
        scene = house_level(settings, 2, seed).scene
        places = next(places for room, places in usual.items() if _is_room(room, places, scene))
        for receptacle, contents in enumerate(scene.start.contents):
            for item in contents:
                assert places[scene.object_types[item]] == scene.receptacle_names[receptacle]


def _is_room(room, places, scene):
    n_places = len(scene.receptacle_names)
    return room.endswith(f"of {n_places} places") and set(places.values()) <= set(scene.receptacle_names)


def test_a_house_text_is_read_back_as_it_was_written():
    house = house_of(HARD, 5)
    places = {room_label(at.room.kind, len(at.receptacles)): at.places for at in house.rooms}
    assert len(places) == 2
    assert read_places(places_text(places)) == places


def test_levels_of_a_house_can_be_solved_and_mostly_search_as_long_as_the_difficulty_says():
    levels = [house_level(HARD, house, seed) for house in range(6) for seed in range(2)]
    preset = PRESETS["hard"]
    within = [preset.low <= level.search_steps <= preset.high for level in levels]
    assert sum(within) >= 9
    for level in levels:
        engine = Engine(level.scene)
        for command in level.plan:
            engine.step(command)
        assert engine.won


def test_houses_of_train_and_test_share_no_level():
    ids = {
        split: {level_in_house(LevelSettings("easy", split), 1, seed).digest for seed in range(6)}
        for split in SPLITS[:4]
    }
    assert len(set.union(*ids.values())) == sum(map(len, ids.values()))
