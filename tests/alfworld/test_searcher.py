"""The reference searcher: sees only text, solves what it labels, and plays as a policy."""

import pytest

from agentgen_bench.envs.alfworld import tasks
from agentgen_bench.envs.alfworld.engine import Engine
from agentgen_bench.envs.alfworld.gamefile import Dialect
from agentgen_bench.envs.alfworld.generator import generate_level
from agentgen_bench.envs.alfworld.scene import build_scene
from agentgen_bench.envs.alfworld.searcher import IDLE, Searcher
from agentgen_bench.envs.alfworld.settings import LevelSettings
from agentgen_bench.policies.names import scripted_policy
from agentgen_bench.rollout import Job, play
from agentgen_bench.spec import TaskSpec


def search(scene, searcher, limit=120):
    """Return how many steps the searcher takes to win."""
    engine = Engine(scene)
    searcher.begin(engine.intro())
    for steps in range(limit):
        if engine.won:
            return steps
        command = searcher.act()
        searcher.observe(command, engine.step(command).feedback)
    return limit


@pytest.mark.parametrize("task_type", tasks.TASK_TYPES)
@pytest.mark.parametrize("colocated", [False, True])
def test_it_solves_every_task_type(task_type, colocated):
    for seed in range(2):
        scene = generate_level(LevelSettings("hard", task_types=(task_type,), colocated=colocated), seed).scene
        assert search(scene, Searcher(scene.task, order_seed=7)) < 120


def test_it_speaks_the_older_dialect():
    game = generate_level(LevelSettings("medium"), 0).game._replace(dialect=Dialect.V03)
    assert search(build_scene(game), Searcher(game.task, put="put {item} in/on {receptacle}")) < 120


def test_it_idles_before_a_task_in_free_words():
    searcher = Searcher("make the kitchen nice.")
    searcher.begin("You are in the middle of a room. Looking quickly around you, you see a shelf 1, and a bed 1.")
    assert searcher.act() == IDLE


def test_it_is_never_faster_than_the_optimum():
    for seed in range(12):
        level = generate_level(LevelSettings("medium"), seed)
        assert search(level.scene, Searcher(level.scene.task)) >= len(level.plan)


@pytest.mark.parametrize("richness", ["lean", "base", "rich"])
def test_as_a_policy_it_takes_the_same_steps_at_every_richness(richness):
    spec = TaskSpec.from_env_id(f"AgentGen/ALFWorld-{richness}-v0", difficulty="medium")
    episodes = sorted(
        play([Job(spec, seed) for seed in range(8)], scripted_policy("alfworld-searcher")), key=lambda e: e.seed
    )
    scenes = [generate_level(LevelSettings("medium"), seed).scene for seed in range(8)]
    assert [len(episode.steps) for episode in episodes] == [search(scene, Searcher(scene.task)) for scene in scenes]
    assert all(episode.success for episode in episodes)
