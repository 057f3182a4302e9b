import random

import pytest

from agentgen_bench.envs.sciworld.env import SciWorldEnv
from agentgen_bench.envs.sciworld.gold import save, shipped, step_limit
from agentgen_bench.envs.sciworld.levels import Level, level_order
from agentgen_bench.envs.sciworld.oracle import IDLE, Executed, Plan, position, without_answers
from agentgen_bench.envs.sciworld.settings import TASKS, simplifications, task_named
from agentgen_bench.envs.sciworld.ship_gold import table
from agentgen_bench.families import DIFFICULTIES
from agentgen_bench.suites import load_suite

SUITE_SEEDS = range(500)


def suite_levels(difficulty):
    """Return the levels of the frozen suites: seeds 0 to 499 of the test split."""
    order = level_order(difficulty, "test", None)
    chosen = [order[seed % len(order)] for seed in SUITE_SEEDS]
    return [Level(name, i, simplifications(task_named(name), difficulty, None)) for name, i in chosen]


def solve(env, seed):
    """Let the oracle play to the end; return the number of steps and the last info."""
    env.reset(seed=seed)
    return finish(env)


def finish(env):
    steps, ended = 0, False
    while not ended:
        _, _, terminated, truncated, info = env.step(env.expert_action())
        steps, ended = steps + 1, terminated or truncated
    return steps, info


@pytest.mark.parametrize("difficulty", DIFFICULTIES)
def test_a_gold_path_to_100_is_shipped_for_the_levels_of_the_frozen_suites(difficulty):
    gold = shipped()
    assert [level for level in suite_levels(difficulty) if level not in gold or gold[level].score != 100] == []


def test_every_task_has_shipped_gold_and_all_of_it_reaches_100():
    assert {level.task for level in shipped()} == {task.name for task in TASKS}
    assert [level for level, path in shipped().items() if path.score != 100] == []


# One task of each topic but genetics, which is long; the slow test plays all, test_transcripts their recorded gold.
@pytest.mark.parametrize("task", ["1-4", "2-1", "3-1", "4-2", "5-1", "6-2", "7-1", "8-2", "9-1"])
def test_the_oracle_solves_a_level_of_each_topic_in_the_length_it_says(task):
    difficulty = "easy" if task_named(task).group == "short" else "medium"
    env = SciWorldEnv(richness="lean", task=task, split="test", difficulty=difficulty, admissible="none")
    steps, info = solve(env, seed=0)
    assert (info["score"], steps) == (1.0, env.expert_length)
    env.close()


@pytest.mark.slow
@pytest.mark.parametrize("difficulty", DIFFICULTIES)
def test_the_oracle_solves_every_level_of_the_frozen_suites(difficulty):
    env = SciWorldEnv(richness="lean", difficulty=difficulty, split="test", admissible="none")
    assert [env.level(seed) for seed in SUITE_SEEDS if not solve(env, seed)[1]["success"]] == []
    env.close()


@pytest.mark.slow
def test_the_oracle_solves_every_level_of_the_suite_paper_given_time_for_it():
    """The suite's limit of 50 steps is the paper's, and shorter than many gold paths."""
    seeds = [cell.seeds for cell in load_suite("paper-v1").cells if cell.spec.family == "SciWorld"]
    env = SciWorldEnv(richness="lean", difficulty="paper", split="test", admissible="none", max_steps=1_000)
    assert [env.level(seed) for seed in seeds[0] if not solve(env, seed)[1]["success"]] == []
    env.close()


@pytest.mark.parametrize("seed", range(2))
def test_the_oracle_finds_its_way_back_from_where_the_agent_strayed(seed):
    env = SciWorldEnv(richness="lean", difficulty="easy", split="test", task="4-4")
    _, info = env.reset(seed=seed)
    for _ in range(3):
        harmless = [c for c in info["admissible_commands"] if not c.startswith(("focus", "eat"))]
        *_, info = env.step(random.Random(seed).choice(harmless))
    assert finish(env)[1]["success"]
    env.close()


def test_where_no_gold_is_shipped_the_oracle_asks_the_simulator():
    env = SciWorldEnv(richness="lean", difficulty="easy", split="train", task="4-2", admissible="none")
    env.reset(seed=0)
    assert env.expert_length is None
    env.expert_action()
    length = env.expert_length
    steps, info = finish(env)
    assert (info["success"], steps) == (True, length)
    env.close()


def test_a_plan_counts_what_was_done_of_it_and_what_costs_no_time():
    plan = Plan(("open door", "look around", "go to hall"), start=1)
    done = [Executed("wait", True), Executed("Open  door.", True), Executed("Inventory ", True)]
    assert position(plan, done) == 1
    assert position(plan, [*done, Executed("look around", True), Executed("zzz", False)]) == 2
    assert position(plan, [*done, Executed("wait", True)]) is None


def test_answers_of_a_path_are_left_out_where_they_are_given_within_the_step():
    assert without_answers(("move seed to pot", "0", "look around")) == ("move seed to pot", "look around")
    answers = {a for path in shipped().values() for a in path.actions if a.isdigit()}
    assert answers <= {"0"}


def test_the_oracle_idles_where_no_plan_is_left():
    env = SciWorldEnv(richness="lean", task="4-2", split="test", difficulty="medium", admissible="none")
    env.reset(seed=0)
    env.step("focus on air")  # fails the task: nothing can be planned that would take it back
    assert isinstance(env.expert_action(), str)
    env._plan = Plan((), len(env._executed))
    assert env.expert_action() == IDLE
    env.close()


def test_step_limits_are_half_again_as_long_as_the_gold_path_and_at_least_thirty():
    gold = shipped()
    level = max(gold, key=lambda one: len(gold[one].actions))
    n = len(gold[level].actions)
    assert step_limit(level) == -(-3 * n // 2)
    assert step_limit(Level("find-plant", 225, "")) == 30
    longest = max(len(path.actions) for one, path in gold.items() if one.task == "boil")
    assert step_limit(Level("boil", 0, "")) == -(-3 * longest // 2)  # not shipped: by the longest of its task


def test_the_data_file_survives_being_written_again(tmp_path):
    gold = {level: path for level, path in shipped().items() if level.task == "find-plant"}
    save(gold, tmp_path / "gold.json.gz")
    assert shipped(tmp_path / "gold.json.gz") == gold
    assert table(gold).splitlines()[1].split()[:5] == ["4-3", "find-plant", "no", "75", "11.6"]
