"""The environment: text at each richness, what rich may tell, oracle, pickling, threads."""

import pickle
import re
from concurrent.futures import ThreadPoolExecutor

import gymnasium as gym
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import agentgen_bench  # noqa: F401
from agentgen_bench.envs.alfworld.env import ALFWorldEnv
from agentgen_bench.errors import SpecError
from agentgen_bench.text import Richness, render

ENV_ID = "AgentGen/ALFWorld-{}-v0"
RICHNESS = ("lean", "base", "rich")


def transcript(env, seed, actions):
    """Return an episode as text: each action after a prompt sign, then what was seen."""
    observation, _ = env.reset(seed=seed)
    lines = [observation]
    for action in actions:
        observation, reward, terminated, _, info = env.step(action)
        lines += [f"> {action}", f"{observation}\n[reward {reward:g}, score {info['score']:g}, done {terminated}]"]
    return "\n".join(lines) + "\n"


def expert_commands(env, seed):
    env.reset(seed=seed)
    commands, ended = [], False
    while not ended:
        commands.append(env.expert_action())
        _, _, terminated, truncated, _ = env.step(commands[-1])
        ended = terminated or truncated
    return commands


@pytest.mark.parametrize("richness", RICHNESS)
def test_golden_transcript(richness, golden):
    env = ALFWorldEnv(richness=richness, difficulty="medium")
    plan = expert_commands(env, 3)
    golden(f"alfworld-{richness}.txt", transcript(env, 3, ["look", "dance", *plan[:2], "inventory", *plan[2:]]))


def walked(choices, seed, **knobs):
    """Yield the environments of one level at each richness, walked side by side through admissible commands."""
    envs = [ALFWorldEnv(richness=richness, difficulty="medium", **knobs) for richness in RICHNESS]
    results = [env.reset(seed=seed) for env in envs]
    yield envs, [observation for observation, _ in results]
    for choice in choices:
        commands = results[0][1]["admissible_commands"]
        steps = [env.step(commands[choice % len(commands)]) for env in envs]
        results = [(step[0], step[4]) for step in steps]
        yield envs, [observation for observation, _ in results]


walks = st.lists(st.integers(0, 10_000), max_size=25)


@settings(max_examples=40)
@given(walks, st.integers(0, 30))
def test_richer_text_only_adds(choices, seed):
    for _, (lean, base, rich) in walked(choices, seed):
        assert lean in base
        assert base in rich


@settings(max_examples=40)
@given(walks, st.integers(0, 30), st.booleans())
def test_rich_text_never_names_an_object_the_agent_has_not_seen(choices, seed, colocated):
    seen = set()
    for envs, (_, base, rich) in walked(choices, seed, colocated=colocated):
        scene = envs[0]._engine.scene
        names = set(re.findall(r"[a-z]+ \d+", base)) & set(scene.object_names)
        seen |= names
        assert set(re.findall(r"[a-z]+ \d+", rich)) & set(scene.object_names) <= seen


@settings(max_examples=30)
@given(walks, st.integers(0, 30))
def test_remembered_contents_are_true(choices, seed):
    for envs, _ in walked(choices, seed):
        rich = envs[2]
        scene, engine = rich._engine.scene, rich._engine
        for receptacle, contents in rich._memory.contents.items():
            inside = engine.contents[scene.receptacle_names.index(receptacle)]
            assert sorted(contents) == sorted(scene.object_names[item] for item in inside)


def test_the_three_levels_of_text_are_one_level():
    infos = [ALFWorldEnv(richness=richness).reset(seed=1)[1] for richness in RICHNESS]
    assert len({info["level_id"] for info in infos}) == 1
    assert re.fullmatch("alfworld:[0-9a-f]{16}", infos[0]["level_id"])


def test_the_observation_is_its_sections():
    observation, info = ALFWorldEnv(richness="rich").reset(seed=1)
    assert observation == render(info["sections"])
    assert render(info["sections"], Richness.BASE) == ALFWorldEnv(richness="base").reset(seed=1)[0]


@settings(max_examples=60)
@given(walks, st.integers(0, 60), st.sampled_from(["train", "test", "ood_task"]))
def test_the_oracle_wins_from_any_reachable_state(choices, seed, split):
    env = ALFWorldEnv(difficulty="medium", split=split, max_steps=200)
    _, info = env.reset(seed=seed)
    for choice in choices:
        _, _, terminated, _, info = env.step(info["admissible_commands"][choice % len(info["admissible_commands"])])
        if terminated:
            return
    for _ in range(25):
        _, reward, terminated, _, info = env.step(env.expert_action())
        if terminated:
            break
    assert terminated
    assert reward == info["score"] == 1.0


@pytest.mark.parametrize("difficulty", ["easy", "medium", "hard"])
def test_the_oracle_wins_within_the_optimal_length(difficulty):
    env = ALFWorldEnv(difficulty=difficulty)
    for seed in range(15):
        assert len(expert_commands(env, seed)) == env.expert_length
        assert env.success


def test_doing_nothing_never_wins():
    env = ALFWorldEnv()
    env.reset(seed=0)
    for _ in range(50):
        _, reward, terminated, truncated, info = env.step("")
        assert (reward, terminated, info["is_action_valid"]) == (0.0, False, False)
    assert truncated


@settings(max_examples=20)
@given(walks, st.sampled_from(RICHNESS))
def test_a_pickled_episode_goes_on_identically(choices, richness):
    env = ALFWorldEnv(richness=richness)
    _, info = env.reset(seed=2)
    half = len(choices) // 2
    for choice in choices[:half]:
        *_, info = env.step(info["admissible_commands"][choice % len(info["admissible_commands"])])
    copy = pickle.loads(pickle.dumps(env))
    for choice in choices[half:]:
        command = info["admissible_commands"][choice % len(info["admissible_commands"])]
        result = env.step(command)
        assert copy.step(command) == result
        info = result[4]
    assert copy.expert_action() == env.expert_action()


def test_eight_threads_give_the_transcripts_of_one():
    def play(seed):
        env = gym.make(ENV_ID.format("rich"), difficulty="medium").unwrapped
        return transcript(env, seed, expert_commands(env, seed))

    alone = [play(seed % 3) for seed in range(24)]
    with ThreadPoolExecutor(8) as threads:
        assert list(threads.map(play, [seed % 3 for seed in range(24)])) == alone


def test_friendly_mode_takes_both_verbs_and_says_why():
    env = ALFWorldEnv(friendly=True)
    env.reset(seed=0)
    command = next(action for action in expert_commands(env, 0) if action.startswith("take"))
    item, place = re.match(r"take (.*) from (.*)", command).groups()
    env.reset(seed=0)
    assert env.step(f"put {item} in/on {place}")[0] == f"Nothing happens. You are not carrying the {item}."
    assert env.step(command)[0] == f"Nothing happens. You are not at the {place}."
    assert env.step("fly")[0].startswith("Nothing happens. That is not a command")


def test_friendly_mode_leaves_valid_commands_alone():
    plain, friendly = ALFWorldEnv(), ALFWorldEnv(friendly=True)
    commands = expert_commands(plain, 4)
    assert transcript(plain, 4, commands) == transcript(friendly, 4, commands)


@pytest.mark.parametrize(
    ("knobs", "message"),
    [
        ({"task_type": "juggle"}, "unknown task_type 'juggle'"),
        ({"task_type": 5}, "unknown task_type 5; choose 'all' or some of: pick_and_place_simple"),
        ({"task_type": [["juggle"]]}, "unknown task_type"),
        (
            {"task_type": "pick_heat_then_place_in_recep_slice"},
            "task_type 'pick_heat_then_place_in_recep_slice' is not in the split 'train': .* some of: pick_and_place",
        ),
        (
            {"split": "ood_task", "task_type": ["pick_and_place_simple_slice", "pick_and_place_simple"]},
            "task_type 'pick_and_place_simple' is not in the split 'ood_task'.* some of: pick_and_place_simple_slice",
        ),
        ({"data": 5}, "data=5 is no text; give a folder, a game file, or a list of game files"),
        ({"data": [5]}, "data=5 is no text"),
        ({"n_receptacles": 2}, "n_receptacles=2 is out of range; choose an integer from 5 to 34"),
        ({"n_receptacles": 35}, "n_receptacles=35 is out of range; choose an integer from 5 to 34"),
        ({"n_receptacles": 30, "task_type": "look_at_obj_in_light"}, "no task of look_at_obj_in_light has .*=30 in"),
        (
            {"task_type": "pick_three_obj_and_place"},
            "pick_three_obj_and_place takes 12 steps or more, and difficulty 'easy' is up to 8; choose another",
        ),
        ({"p_hidden": 2}, "p_hidden=2 is out of range; choose a number from 0 to 1"),
        ({"n_targets": 4}, "n_targets=4 is out of range"),
        ({"n_instances": 0}, "n_instances=0 is out of range"),
        ({"friendly": "False"}, "friendly='False' is no flag; choose True or False .--set friendly=true or false"),
        ({"colocated": 1}, "colocated=1 is no flag; choose True or False"),
        ({"split": "dev"}, "unknown split 'dev'"),
        ({"difficulty": "absurd"}, "unknown difficulty 'absurd'"),
    ],
)
def test_wrong_settings_are_named(knobs, message):
    with pytest.raises(SpecError, match=message):
        ALFWorldEnv(**knobs)
