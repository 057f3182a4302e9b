"""Unknown substances with properties that stay: the table of variations, the levels under a fact, their limits."""

import re

import pytest

from agentgen_bench import LifecycleSpec, TaskSpec, scripted_policy
from agentgen_bench.contract import NO_FACT
from agentgen_bench.envs.sciworld.backend import Simulator
from agentgen_bench.envs.sciworld.env import SciWorldEnv
from agentgen_bench.envs.sciworld.levels import Level, variations
from agentgen_bench.envs.sciworld.settings import task_named
from agentgen_bench.envs.sciworld.substances import (
    N_SUBSTANCES,
    SPARE_STEPS,
    TASK,
    asked,
    read_substances,
    substances_of,
    substances_text,
    variation_under,
)
from agentgen_bench.errors import SpecError
from agentgen_bench.rollout import Job, play

CIRCUIT = (
    "connect battery cathode to unknown substance {} terminal 1",
    "connect unknown substance {} terminal 2 to anode in {}",
    "connect cathode in {} to battery anode",
)


def started(difficulty="medium", split="test", seed=0, fact_seed=7, **settings):
    env = SciWorldEnv(difficulty=difficulty, split=split, fact="substances", **settings)
    env.reset(seed=seed, options={"fact_seed": fact_seed})
    return env


def conducts(variation, simulator):
    """Play a variation without measuring: the substance goes into the box for conductive ones."""
    simulator.start(Level(TASK, variation, "openDoors,teleportAction"))
    task = asked(simulator.description())
    for action in ("teleport to workshop", task.focus, task.put_away(True)):
        answer = simulator.step(action)
    assert answer.score in (100, -100)
    return task.substance, answer.score == 100


def tabled(variation, substance, wanted):
    """Whether the table says of a variation that it has this substance, and that it conducts as wanted."""
    split = next(split for split in ("train", "valid", "test") if variation in variations(task_named(TASK), split))
    played = {variation_under({substance: wanted}, split, 0, seed) for seed in range(25)}
    others = {variation_under({substance: not wanted}, split, 0, seed) for seed in range(25)}
    return variation in played - others


@pytest.mark.parametrize("shown", [(3, 455), pytest.param(range(600), marks=pytest.mark.slow)])
def test_the_table_says_which_substances_conduct_as_playing_finds(shown):
    simulator = Simulator(Level(TASK, 0, ""))
    wrong = [variation for variation in shown if not tabled(variation, *conducts(variation, simulator))]
    simulator.close()
    assert wrong == []


@pytest.mark.parametrize("difficulty", ["easy", "medium", "hard"])
@pytest.mark.parametrize("seed", [0, 1])
def test_the_oracle_needs_the_fewest_steps_and_a_circuit_takes_more_than_the_limit_spares(difficulty, seed):
    env = started(difficulty, seed=seed)
    assert env.max_steps == env.expert_length + SPARE_STEPS < env.expert_length + len(CIRCUIT)
    for step in range(1, env.expert_length + 1):
        _, _, terminated, _, info = env.step(env.expert_action())
        assert terminated == (step == env.expert_length)
    assert info["success"]


def test_the_quickest_circuit_shows_what_the_fact_says():
    env = started("easy", fact_seed=3, max_steps=30)
    (letter,) = {asked(env.task).substance}
    env.step("teleport to workshop")
    bulb = next(thing for thing in sorted(env.names()) if thing.endswith("light bulb"))
    for action in CIRCUIT:
        observation, *_ = env.step(
            action.format(
                *([letter, bulb] if "{} terminal 2 to anode" in action else [letter if "substance" in action else bulb])
            )
        )
    assert (f"{bulb}, which is on" in observation) == read_substances(env.fact_value())[letter]


def test_the_oracle_finds_back_from_elsewhere():
    env = started(seed=2, max_steps=60)
    for action in ("open door to hallway", "go to hallway", "open door to bedroom", "go to bedroom"):
        env.step(action)
    info = {"success": False}
    for _ in range(12):
        if not info["success"]:
            _, _, _, _, info = env.step(env.expert_action())
    assert info["success"]


def test_levels_of_a_fact_have_its_substances_and_follow_one_another_without_repeats():
    for split in ("train", "valid", "test"):
        for difficulty, n in N_SUBSTANCES.items():
            known = substances_of(11, difficulty, split)
            assert len(known) == n
            played = [variation_under(known, split, 11, seed) for seed in range(40, 48)]
            assert len(set(played)) == 8
            assert set(played) <= set(variations(task_named(TASK), split))


def test_facts_are_fair():
    drawn = [value for seed in range(300) for value in substances_of(seed, "hard", "train").values()]
    assert 0.45 < sum(drawn) / len(drawn) < 0.55


def test_a_wrong_box_ends_the_level_unsolved():
    env = started("easy", seed=1)
    task, known = asked(env.task), read_substances(env.fact_value())
    for action in ("teleport to workshop", task.focus, task.put_away(not known[task.substance])):
        _, _, terminated, _, info = env.step(action)
    assert terminated
    assert not info["success"]


def test_without_its_fact_a_level_is_the_one_of_a_family_without_facts():
    plain, env = SciWorldEnv(split="test"), SciWorldEnv(split="test", fact="substances")
    assert env.reset(seed=4, options={"fact_seed": None}) == plain.reset(seed=4)
    assert (env.max_steps, env.expert_length) == (plain.max_steps, plain.expert_length)
    assert (env.facts(), plain.facts()) == ((NO_FACT,), ())
    assert env.expert_action() == plain.expert_action()


@pytest.mark.parametrize("update", ["note", "episode"])
def test_who_writes_it_down_is_right_from_the_second_time_and_begins_as_who_never_learns(update):
    packs = {}
    for context in ("told", "kept", "wiped"):
        knobs, lifecycle = (("fact", "substances"),), LifecycleSpec(4, context, update=update)
        spec = TaskSpec("SciWorld", difficulty="easy", split="test", knobs=knobs, lifecycle=lifecycle)
        (packs[context],) = play([Job(spec, 1)], scripted_policy("sciworld-assayer"), record_text=True)
    met = [re.search(r"focus on unknown substance (.)", _actions(packs["kept"], number))[1] for number in range(4)]
    told, kept, wiped = ([task.success for task in packs[context].tasks] for context in packs)
    assert told == [True] * 4
    assert all(kept[number] for number in range(4) if met[number] in met[:number])
    assert kept[0] == wiped[0]
    assert sum(kept) > sum(wiped)


def _actions(pack, number):
    starts = [*[task.start for task in pack.tasks], len(pack.steps)]
    return "\n".join(step.action or "" for step in pack.steps[starts[number] : starts[number + 1]])


def test_what_is_said_of_substances_is_read_again():
    known = {"B": True, "Z": False}
    assert read_substances(substances_text(known)) == known
    assert read_substances("nothing is known") == {}
    assert asked("Your task is to boil water.") is None


@pytest.mark.parametrize("settings", [{"task": "4-2"}, {"difficulty": "paper"}])
def test_a_fact_chooses_its_own_task(settings):
    with pytest.raises(SpecError, match="chooses its own task at difficulty easy, medium or hard"):
        SciWorldEnv(fact="substances", **settings)
