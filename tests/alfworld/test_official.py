"""The engine against the official stack, step by step; needs the extra `alfworld`.

`AGENTGEN_ALFWORLD_STEPS` sets how many steps are compared (default 2,000; nightly 20,000 or more).
"""

import os
import pickle
from collections import Counter

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from agentgen_bench.envs.alfworld.engine import Engine
from agentgen_bench.envs.alfworld.env import ALFWorldEnv
from agentgen_bench.envs.alfworld.gamefile import Dialect, game_json
from agentgen_bench.envs.alfworld.generator import generate_level
from agentgen_bench.envs.alfworld.official import OfficialGame, OfficialStackError, official_python
from agentgen_bench.envs.alfworld.planner import shortest_plan
from agentgen_bench.envs.alfworld.scene import build_scene
from agentgen_bench.envs.alfworld.settings import LevelSettings
from agentgen_bench.envs.alfworld.tasks import OFFICIAL_TASK_TYPES
from agentgen_bench.errors import MissingDependencyError
from tests.alfworld.differential import drawn_command, drawn_game
from tests.alfworld.games import recorded_episodes, recorded_game
from tests.conftest import reference_json

STEPS = int(os.environ.get("AGENTGEN_ALFWORLD_STEPS", "2000"))
STEPS_PER_GAME = 100


def _missing() -> str:
    try:
        official_python()
    except MissingDependencyError as error:
        return str(error)
    return ""


pytestmark = [pytest.mark.alfworld, pytest.mark.skipif(bool(_missing()), reason=_missing() or "the stack is there")]


@pytest.fixture(scope="module")
def official():
    game = OfficialGame()
    yield game
    game.close()


def compare(engine, official, command):
    """Play one command in both and require the same answer."""
    mine, theirs = engine.step(command), official.step(command)
    assert (command, mine) == (command, theirs)
    assert (command, engine.admissible_commands()) == (command, official.admissible_commands())
    assert (command, engine.won) == (command, official.won)


@settings(
    max_examples=max(1, STEPS // STEPS_PER_GAME),
    database=None,
    derandomize=True,
    phases=[Phase.generate],  # shrinking by games that take seconds to load is not worth its time
    suppress_health_check=list(HealthCheck),
)
@given(
    seed=st.integers(0, 10**6),
    twists=st.lists(st.integers(0, 999), max_size=5).map(tuple),
    dialect=st.sampled_from(Dialect),
    numbers=st.lists(st.integers(0, 2**31), min_size=STEPS_PER_GAME, max_size=STEPS_PER_GAME + 10),
)
def compare_games(official, counts, seed, twists, dialect, numbers):
    """Play a drawn game in both, from its start through drawn commands."""
    game = drawn_game(seed, twists, dialect)
    engine = Engine(build_scene(game))
    assert engine.reset() == official.load(game_json(game))
    assert engine.admissible_commands() == official.admissible_commands()
    for number in numbers:
        compare(engine, official, drawn_command(engine, number))
    counts.update(games=1, steps=len(numbers), won=engine.won)


def test_engine_and_official_stack_answer_alike(official, capsys):
    counts = Counter()
    compare_games(official, counts)
    with capsys.disabled():
        print(f"\ncompared {counts['steps']} steps of {counts['games']} games, {counts['won']} won")
    assert counts["steps"] >= STEPS


@pytest.mark.data
def test_the_stack_without_speed_ups_answers_the_same():
    episode = min(recorded_episodes(), key=lambda episode: len(episode["steps"]))
    official = OfficialGame(stock=True)
    game = reference_json(f"alfworld/games/{episode['game']}")
    assert official.load(game) == episode["intro"]
    for step in episode["steps"]:
        assert official.step(step["command"]).feedback == step["feedback"]
        assert list(official.admissible_commands()) == step["admissible"]
    assert official.won
    official.close()


def test_both_backends_give_the_same_episode():
    ours, theirs = (ALFWorldEnv(richness="rich", backend=backend) for backend in ("engine", "textworld"))
    assert ours.reset(seed=5) == theirs.reset(seed=5)
    for command in ["look", "nonsense", "inventory"]:
        assert ours.step(command) == theirs.step(command)
    while not ours.success:
        command = ours.expert_action()
        assert theirs.expert_action() == command
        assert ours.step(command) == theirs.step(command)
    theirs.close()


def test_a_pickled_episode_on_the_official_stack_goes_on():
    env = ALFWorldEnv(backend="textworld")
    env.reset(seed=5)
    env.step(env.expert_action())
    copy = pickle.loads(pickle.dumps(env))
    command = env.expert_action()
    assert copy.step(command) == env.step(command)
    env.close()
    copy.close()


@pytest.mark.data
def test_the_official_stack_plays_rules_that_the_engine_does_not_know(official):
    game = reference_json("alfworld/games/real_heat_potato_sinkbasin.tw-pddl.gz")
    changed = {**game, "grammar": game["grammar"].replace("You arrive at", "You now stand at")}
    official.load(changed)
    assert official.step("go to fridge 1").feedback == "You now stand at fridge 1. The fridge 1 is closed."
    for command in official.plan():
        official.step(command)
    assert official.won


def test_the_official_planner_answers_in_game_after_game(official):
    for seed in (0, 1):
        level = generate_level(LevelSettings(task_types=("look_at_obj_in_light",)), seed)
        official.load(game_json(level.game))
        assert len(official.plan()) == len(level.plan)
        official.step(level.plan[0])
        assert len(official.plan()) == len(level.plan) - 1


def test_what_the_stack_cannot_load_is_an_error(official):
    with pytest.raises(OfficialStackError, match="could not load"):
        official.load({"pddl_domain": "", "grammar": "", "pddl_problem": ""})


@pytest.mark.slow
@pytest.mark.parametrize("task_type", OFFICIAL_TASK_TYPES)
def test_our_plans_are_no_longer_than_fast_downwards(official, task_type):
    for seed in range(200):  # mostly easy: on full rooms the official planner can search for minutes
        level = generate_level(LevelSettings("medium" if seed % 5 == 4 else "easy", task_types=(task_type,)), seed)
        official.load(game_json(level.game))
        assert len(level.plan) <= len(official.plan())


@pytest.mark.data
def test_the_real_game_is_planned_no_longer_than_by_fast_downward(official):
    game = recorded_game("real_heat_potato_sinkbasin.tw-pddl.gz")
    official.load(reference_json("alfworld/games/real_heat_potato_sinkbasin.tw-pddl.gz"))
    assert len(shortest_plan(Engine(build_scene(game)))) <= len(official.plan())
