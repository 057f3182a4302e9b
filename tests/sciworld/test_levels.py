from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentgen_bench.envs.sciworld.backend import Simulator
from agentgen_bench.envs.sciworld.env import SciWorldEnv
from agentgen_bench.envs.sciworld.levels import UNSOLVED, Level, level_order, variations
from agentgen_bench.envs.sciworld.settings import PRESETS, TASKS, simplifications, task_named
from agentgen_bench.errors import SpecError

SPLITS = ("train", "valid", "test")
settings = st.tuples(st.sampled_from(sorted(PRESETS)), st.sampled_from(SPLITS))


def test_splits_have_the_published_sizes():
    assert [sum(len(variations(task, split)) for task in TASKS) for split in SPLITS] == [3592, 1796, 1819]


def test_splits_are_the_simulators_own():
    simulator = Simulator(Level("boil", 0, ""))
    interface = simulator.seat.cell.new("scienceworld.runtime.pythonapi.PythonInterface")
    for task in TASKS:
        getattr(interface, "taskStr_$eq")(task.name)
        theirs = interface.getVariationsTrain(), interface.getVariationsDev(), interface.getVariationsTest()
        for split, indices in zip(SPLITS, theirs, strict=True):
            ours = variations(task, split)
            assert (len(indices), indices[0], indices[-1]) == (len(ours), ours[0], ours[-1])
    simulator.close()


@given(settings)
def test_every_level_of_a_setting_comes_once_before_any_comes_twice(setting):
    difficulty, split = setting
    tasks = [task for task in TASKS if task.group in PRESETS[difficulty]]
    wanted = {(task.name, i) for task in tasks for i in variations(task, split)} - UNSOLVED
    order = level_order(difficulty, split, None)
    assert len(order) == len(wanted)
    assert set(order) == wanted


@given(settings, st.integers(1, 400))
def test_tasks_are_balanced_until_their_variations_are_used_up(setting, n):
    difficulty, split = setting
    counts = Counter(name for name, _ in level_order(difficulty, split, None)[:n])
    most = max(counts.values())
    for task in TASKS:
        if task.group in PRESETS[difficulty]:
            size = sum((task.name, i) not in UNSOLVED for i in variations(task, split))
            assert counts[task.name] >= min(size, most - 1)


def test_no_split_shares_a_level_with_another():
    orders = [set(level_order("paper", split, None)) for split in SPLITS]
    assert sum(map(len, orders)) == len(set.union(*orders))


def test_a_level_the_simulator_cannot_solve_itself_comes_only_when_asked_for():
    assert ("freeze", 11) not in level_order("hard", "train", "freeze")
    env = SciWorldEnv(difficulty="hard", task="freeze", variation=11)
    assert env.level(7) == Level("freeze", 11, "")


def test_seeds_go_round_after_the_last_level():
    env = SciWorldEnv(difficulty="easy", split="test", task="8-2")
    assert [env.level(seed) for seed in range(4)] == [env.level(seed) for seed in range(4, 8)]


@pytest.mark.parametrize(
    ("task", "difficulty", "chosen", "expected"),
    [
        ("4-2", "easy", None, "noElectricalAction,openDoors,selfWateringFlowerPots,teleportAction"),
        ("3-3", "easy", None, "openDoors,selfWateringFlowerPots,teleportAction"),
        ("3-1", "medium", "easy", "openDoors,selfWateringFlowerPots,teleportAction"),
        ("4-2", "medium", None, ""),
        ("4-2", "easy", "", ""),
        ("4-2", "hard", "teleportAction, openContainers", "openContainers,teleportAction"),
    ],
)
def test_simplifications_are_named_in_one_normal_form(task, difficulty, chosen, expected):
    assert simplifications(task_named(task), difficulty, chosen) == expected


def test_a_task_goes_by_its_id_or_its_name():
    assert task_named("10-2") is task_named("mendelian-genetics-unknown-plant")
    with pytest.raises(SpecError, match="unknown SciWorld task '11-1'; choose a name or an id of: 1-1 boil, "):
        task_named("11-1")
