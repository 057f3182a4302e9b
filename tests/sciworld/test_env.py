import pickle

import gymnasium as gym
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import agentgen_bench
from agentgen_bench.envs.sciworld.env import SciWorldEnv
from agentgen_bench.errors import SpecError

FIND_PLANT = {"task": "find-plant", "variation": 225, "split": "test", "difficulty": "medium"}
RICHNESS = ("lean", "base", "rich")


@pytest.fixture(scope="module")
def envs():
    """One environment per richness, all on one level."""
    made = {richness: SciWorldEnv(richness=richness, **FIND_PLANT) for richness in RICHNESS}
    yield made
    for env in made.values():
        env.close()


def play(env, actions, seed=0):
    """Return reset's and every step's (observation, reward, terminated, truncated, info)."""
    observation, info = env.reset(seed=seed)
    results = [(observation, 0.0, False, False, info)]
    for action in actions:
        if results[-1][2] or results[-1][3]:
            break
        results.append(env.step(action))
    return results


@pytest.mark.parametrize("richness", RICHNESS)
def test_golden_episode(richness, envs, golden):
    env = envs[richness]
    observation, info = env.reset(seed=0)
    lines = [f"task: {info['task']}\nlevel: {info['level_id']}\nsteps: {env.max_steps}\n\n{observation}"]
    actions = ["open door to hallway", "", "look at the air", "xyzzy"]
    while True:
        action = actions.pop(0) if actions else env.expert_action()
        observation, reward, terminated, truncated, info = env.step(action)
        valid = "" if info["is_action_valid"] else " invalid"
        lines.append(f"> {action}\n[reward {reward:+.2f}, score {info['score']:.2f}{valid}]\n{observation}")
        if terminated or truncated:
            break
    assert info["success"]
    golden(f"sciworld/{richness}.txt", "\n\n".join(lines) + "\n")


ACTIONS = st.sampled_from(
    [
        "open door to hallway",
        "go to hallway",
        "go to kitchen",
        "open door to kitchen",
        "open door to outside",
        "go to outside",
        "pick up apple",
        "pick up cup",
        "pour cup in table",
        "open cupboard",
        "look in cupboard",
        "open fridge",
        "wait",
        "wait1",
        "objects",
        "help",
        "task",
        "Reset the task",
        "",
        "0",
        "connect air to table",
        "connect door to table",
        "eat orange",
        "mix cup",
        "nonsense é√",
    ]
)


@settings(max_examples=6)
@given(actions=st.lists(ACTIONS, min_size=4, max_size=12))
def test_the_same_actions_have_the_same_answers_rewards_and_ends_at_every_richness(envs, actions):
    played = {richness: play(env, actions) for richness, env in envs.items()}
    for lean, base, rich in zip(*(played[richness] for richness in RICHNESS), strict=True):
        assert lean[0] in base[0]
        assert base[0] in rich[0]
        assert lean[1:4] == base[1:4] == rich[1:4]
        for key in ("task", "success", "score", "is_action_valid", "level_id", "ambiguity", "admissible_commands"):
            assert lean[4][key] == base[4][key] == rich[4][key]


@settings(max_examples=3)
@given(actions=st.lists(ACTIONS, min_size=2, max_size=8), cut=st.integers(0, 8))
def test_an_environment_pickled_in_mid_episode_goes_on_as_if_it_had_not_been(envs, actions, cut):
    env = envs["rich"]
    whole = play(env, actions)
    env.reset(seed=0)
    before = [env.step(action) for action in actions[:cut]]
    copy = pickle.loads(pickle.dumps(env))
    after = [copy.step(action) for action in actions[cut : len(whole) - 1]]
    assert [*before[: len(whole) - 1], *after] == whole[1:]
    copy.close()


def test_the_task_is_told_once():
    env = SciWorldEnv(**FIND_PLANT)
    results = play(env, ["look around"])
    assert [results[0][4]["task"] in result[0] for result in results] == [True, False]
    env.close()


def test_no_action_is_invalid_changes_nothing_and_uses_up_a_step():
    env = SciWorldEnv(**FIND_PLANT, max_steps=3)
    results = play(env, ["", " ", ""])
    assert [result[4]["is_action_valid"] for result in results[1:]] == [False, False, False]
    assert [result[2:4] for result in results[1:]] == [(False, False), (False, False), (False, True)]
    assert env._simulator.actions == []
    env.close()


def test_reset_task_is_refused_in_every_spelling_the_simulator_would_take():
    env = SciWorldEnv(**FIND_PLANT)
    for action in ("reset task", "  RESET\tthe  task ", "a reset an task"):
        assert play(env, [action])[1][4]["is_action_valid"] is False
    assert "reset task" not in play(SciWorldEnv(richness="rich", **FIND_PLANT), [])[0][0]
    env.close()


def test_a_wrong_focus_costs_what_was_earned_and_one_more_and_ends_the_episode():
    env = SciWorldEnv(**FIND_PLANT)
    (_, first, *_), (_, reward, terminated, _, info) = play(env, ["open door to hallway", "focus on orange"])[1:]
    assert first >= 0
    assert terminated
    assert reward == pytest.approx(-1.0 - first)
    assert (info["score"], info["success"]) == (0.0, False)
    env.close()


def test_the_rewards_of_a_solved_episode_sum_to_one():
    env = SciWorldEnv(**FIND_PLANT)
    env.reset(seed=0)
    rewards, ended = [], False
    while not ended:
        _, reward, ended, _, info = env.step(env.expert_action())
        rewards.append(reward)
    assert info["success"]
    assert sum(rewards) == pytest.approx(1.0)
    assert len(rewards) == env.expert_length <= env.max_steps
    env.close()


AMBIGUOUS = {"task": "test-conductivity", "variation": 245, "split": "train", "difficulty": "medium"}


TO_THE_WORKSHOP = [
    "pick up glass jar",
    "focus on glass jar",
    "open door to hallway",
    "go to hallway",
    "open door to workshop",
    "go to workshop",
]
TWO_READINGS = "drop glass jar"  # the one in the room and the one in the inventory


def to_the_jar(env):
    """Bring the episode to where TWO_READINGS has them; return what it did."""
    return play(env, [*TO_THE_WORKSHOP, TWO_READINGS])[-1]


def test_an_ambiguous_action_gets_its_first_reading_within_the_step():
    env = SciWorldEnv(**AMBIGUOUS)
    observation, _, _, _, info = to_the_jar(env)
    assert info["ambiguity"] >= 2
    assert "Ambiguous request" not in observation
    assert env.step("look around")[4]["ambiguity"] == 0
    env.close()


def test_the_menu_asks_offers_its_numbers_and_is_closed_by_anything_else():
    env = SciWorldEnv(**AMBIGUOUS, ambiguity="menu")
    observation, _, _, _, info = to_the_jar(env)
    assert "Ambiguous request" in observation
    assert info["admissible_commands"] == tuple(str(i) for i in range(info["ambiguity"]))
    assert env.step("objects")[4]["ambiguity"] == info["ambiguity"]
    for action in ("", "look around", "reset task", "\ud83d"):
        after = env.step(action)[4]
        assert (after["ambiguity"], after["is_action_valid"]) == (0, False)
        assert env.step(TWO_READINGS)[4]["ambiguity"] == info["ambiguity"]
    assert env.step("0")[4]["ambiguity"] == 0
    env.close()


def test_the_signed_score_is_in_the_analysis():
    env = SciWorldEnv(**FIND_PLANT)
    info = play(env, ["focus on air"])[-1][4]
    assert (info["score"], env.analysis()["simulator_score"]) == (0.0, -100)
    env.close()


def test_first_and_menu_lead_to_the_same_place():
    first, menu = SciWorldEnv(**AMBIGUOUS), SciWorldEnv(**AMBIGUOUS, ambiguity="menu")
    to_the_jar(first)
    to_the_jar(menu)
    menu.step("0")
    assert first.step("look around")[0] == menu.step("look around")[0]
    first.close()
    menu.close()


def test_admissible_commands_are_accepted_sorted_and_at_most_a_hundred():
    env = SciWorldEnv(difficulty="medium", split="test", task="power-component", variation=15)
    for seed in range(3):
        commands = play(env, [], seed)[0][4]["admissible_commands"]
        assert 20 < len(commands) <= 100
        assert list(commands) == sorted(set(commands))
    accepted = [play(env, [command])[1][4]["is_action_valid"] for command in commands[::15]]
    assert all(accepted)
    env.close()


def test_all_commands_hold_the_visible_ones_but_not_reset_task():
    every = set(play(SciWorldEnv(**FIND_PLANT, admissible="all"), [])[0][4]["admissible_commands"])
    visible = set(play(SciWorldEnv(**FIND_PLANT), [])[0][4]["admissible_commands"])
    assert "reset task" not in every
    assert len(every) > 5 * len(visible)
    assert play(SciWorldEnv(**FIND_PLANT, admissible="none"), [])[0][4]["admissible_commands"] == ()


@pytest.mark.parametrize(
    ("knobs", "message"),
    [
        ({"task": "boil water"}, "unknown SciWorld task 'boil water'"),
        ({"task": "boil", "variation": 25}, "variation=25 of boil is not in split 'train'; .* test 21 to 29"),
        ({"task": "boil", "variation": 30, "split": "test"}, "variation=30 of boil"),
        ({"variation": 3}, "variation=3 without a task"),
        ({"simplifications": "flight"}, None),
        ({"simplifications": 5}, "simplifications=5 is no text; give 'easy', '' or names joined by commas"),
        ({"task": "3-3", "simplifications": "noElectricalAction"}, "cannot be solved with 'noElectricalAction'"),
        ({"ambiguity": "last"}, "unknown ambiguity 'last'; choose one of: first, menu"),
        ({"admissible": "some"}, "unknown admissible 'some'"),
        ({"max_steps": 0}, "max_steps=0 is out of range"),
        ({"cells": 0}, "cells=0 is out of range"),
        ({"difficulty": "extreme"}, "unknown difficulty 'extreme'"),
    ],
)
def test_a_wrong_setting_is_refused_before_java_starts(knobs, message):
    with pytest.raises(SpecError, match=message or "unknown simplification 'flight'"):
        SciWorldEnv(**knobs)


def test_the_family_is_registered_with_its_knobs():
    env = gym.make("AgentGen/SciWorld-lean-v0", **FIND_PLANT, admissible="none")
    observation, info = env.reset(seed=0)
    assert env.observation_space.contains(observation)
    assert info["level_id"].startswith("sciworld:")
    spec = agentgen_bench.TaskSpec.from_env_id("AgentGen/SciWorld-rich-v0", **FIND_PLANT)
    assert agentgen_bench.make(spec).reset(seed=0)[1]["level_id"] == info["level_id"]
    env.close()
