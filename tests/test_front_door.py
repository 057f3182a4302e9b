"""`gym.make` and `gym.make_vec` with the knobs of wrappers, and answers that are the same in all families."""

import inspect
import re
from dataclasses import is_dataclass
from pathlib import Path

import gymnasium as gym
import numpy as np
import pytest

import agentgen_bench
from agentgen_bench import DistractorSpec, TaskSpec, make
from agentgen_bench.cli import main
from agentgen_bench.contract import text_task
from agentgen_bench.envs.base import MAX_READ_CHARS, NO_ACTION
from agentgen_bench.errors import ActionError, DataError, PolicyError, SpecError
from agentgen_bench.families import BUILT_IN
from agentgen_bench.policies.sampling import Sampling
from agentgen_bench.spaces import MAX_ACTION_CHARS
from tests.counting import CountingEnv

KNOBS = {"distractors": "paper-v1", "interface": "opaque"}


def ids(family):
    return f"AgentGen/{family}-base-v0"


@pytest.mark.parametrize("family", BUILT_IN)
def test_gym_make_gives_what_make_gives(family):
    first, second = gym.make(ids(family), **KNOBS), make(TaskSpec(family, **KNOBS))
    third = gym.make(first.spec)
    assert str(first) == str(second) == str(third)
    assert first.reset(seed=3) == second.reset(seed=3) == third.reset(seed=3)
    for env in (first, second, third):
        env.close()


def test_settings_of_wrappers_in_full_survive_the_spec():
    env = gym.make(
        ids("Sokoban"), distractors=DistractorSpec(volume=30, seed=7), lifecycle="pack-4", interface="opaque"
    )
    again = gym.make(env.spec)
    assert env.reset(seed=1) == again.reset(seed=1)
    assert "distractors" in make(TaskSpec("Sokoban", distractors=DistractorSpec(seed=2))).spec.to_json()


@pytest.mark.parametrize("family", BUILT_IN)
def test_make_vec_takes_the_knobs_of_wrappers(family):
    single = gym.make(ids(family), **KNOBS)
    for mode in (None, "sync"):
        envs = gym.make_vec(ids(family), num_envs=2, vectorization_mode=mode, **KNOBS)
        observations, infos = envs.reset(seed=[5, 6])
        assert list(observations) == [single.reset(seed=seed)[0] for seed in (5, 6)]
        assert infos["task"][1] == single.reset(seed=6)[1]["task"]
        envs.close()
    single.close()


@pytest.mark.parametrize("door", [gym.make, make, lambda env_id, **knobs: gym.make_vec(env_id, num_envs=2, **knobs)])
@pytest.mark.parametrize(
    ("knobs", "message"),
    [
        ({"colour": "red"}, "Sokoban has no knob 'colour'; its knobs are: board, boxes, difficulty"),
        ({"distractors": "loud"}, "unknown distractors 'loud'; choose one of: none, paper-v1"),
        ({"distractors": {"kind": "rude"}}, "unknown distractor kind 'rude'; choose one of: contextual, cross_env"),
        ({"distractors": {"colour": 1}}, "not a DistractorSpec"),
        ({"interface": "klingon"}, "unknown interface 'klingon'; choose one of: original, synonym, opaque"),
        ({"lifecycle": "pack-5", "interface": "opaque"}, "unknown lifecycle 'pack-5'; choose one of: none, pack-4"),
        ({"lifecycle": "pack-4"}, "choose the interface synonym or opaque"),
        ({"render_mode": "human"}, "unknown render_mode 'human'; choose one of: ansi, None"),
        ({"difficulty": "impossible"}, "unknown difficulty 'impossible'; choose one of: easy, "),
    ],
)
def test_every_door_gives_the_same_clear_error(door, knobs, message):
    with pytest.raises(SpecError, match=message):
        door(ids("Sokoban"), **knobs)


@pytest.mark.parametrize("knobs", [{}, KNOBS, {"interface": "opaque", "lifecycle": "pack-4"}])
def test_make_takes_a_render_mode(knobs):
    env = make(ids("Sokoban"), render_mode="ansi", **knobs)
    observation, _ = env.reset(seed=0)
    assert env.render() == observation
    assert make(ids("Sokoban"), **knobs).render_mode is None


def doors(family):
    """Yield an environment, one in all its wrappers, and vectors of both."""
    for knobs in ({}, KNOBS):
        yield gym.make(ids(family), **knobs)
        yield gym.make_vec(ids(family), num_envs=2, **knobs)
    yield gym.make(ids(family), interface="synonym", lifecycle="pack-4")


def sent(env, action):
    return [action] * env.num_envs if isinstance(env, gym.vector.VectorEnv) else action


@pytest.mark.parametrize("family", BUILT_IN)
def test_a_step_before_reset_is_refused_everywhere(family):
    for env in doors(family):
        with pytest.raises(gym.error.ResetNeeded, match="no level is being played; call reset first"):
            env.step(sent(env, "look"))


@pytest.mark.parametrize(
    "knobs",
    [{}, {"faults": "mixed-v1", **KNOBS}, {"interface": "opaque", "lifecycle": "pack-4"}],
    ids=["bare", "wrapped", "pack"],
)
@pytest.mark.parametrize("question", ["level_id", "score", "success", "max_steps"])
def test_what_is_asked_of_a_level_before_reset_needs_one(question, knobs):
    env = gym.make(ids("Sokoban"), **knobs)
    with pytest.raises(gym.error.ResetNeeded, match="no level is being played; call reset first"):
        getattr(text_task(env), question)
    env.reset(seed=0)
    assert getattr(text_task(env), question) is not None


def test_a_level_that_could_not_be_started_is_not_played():
    env = CountingEnv(crash_seed=3)
    env.reset(seed=1)
    with pytest.raises(RuntimeError, match="level 3 is broken"):
        env.reset(seed=3)
    with pytest.raises(gym.error.ResetNeeded, match="no level is being played; call reset first"):
        env.step("1")


@pytest.mark.parametrize("family", BUILT_IN)
@pytest.mark.parametrize("action", [5, None, b"up", ["up"]])
def test_an_action_that_is_no_string_is_refused_everywhere(family, action):
    for env in doors(family):
        env.reset(seed=1)
        with pytest.raises(ActionError, match=r"an action is a string, got .* of type (int|NoneType|bytes|list)"):
            env.step(sent(env, action))
        env.close()


UNREADABLE = ["search[shirt\ud800]", f"search[{'x' * MAX_READ_CHARS}]"]  # half a surrogate pair, and too long


@pytest.mark.parametrize("family", BUILT_IN)
@pytest.mark.parametrize("action", UNREADABLE, ids=["encoding", "length"])
def test_what_nobody_can_read_is_no_action(family, action):
    env, twin = (gym.make(f"AgentGen/{family}-rich-v0") for _ in range(2))
    for each in (env, twin):
        each.reset(seed=1)
    assert env.step(action) == twin.step(NO_ACTION)
    assert env.step(action)[4]["is_action_valid"] is False
    env.close()
    twin.close()


def test_the_longest_action_that_a_model_can_send_is_read_under_an_interface_too():
    env = gym.make("AgentGen/WebShop-rich-v0", interface="opaque")
    env.reset(seed=1)
    word = text_task(env).aliased("search[x]").partition("[")[0]
    action = f"{word}[{'y' * (MAX_ACTION_CHARS - len(word) - 2)}]"
    assert len(action) == MAX_ACTION_CHARS
    assert env.step(action)[4]["is_action_valid"]


@pytest.mark.parametrize("family", BUILT_IN)
def test_numpys_integers_are_seeds_everywhere(family):
    for env in doors(family):
        assert list(env.reset(seed=np.int64(4))[0]) == list(env.reset(seed=4)[0])
        with pytest.raises(SpecError, match="seed -1 is out of range; choose an integer from 0"):
            env.reset(seed=-1)
        env.close()


@pytest.mark.parametrize("interface", ["original", "opaque"])
@pytest.mark.parametrize(
    ("actions", "message"),
    [
        (["left"], "got 1 actions for 2 environments; give one for each"),
        (["left"] * 3, "got 3 actions for 2 environments"),
        ("ud", "expected an action for each of 2 environments, got 'ud'; give a list"),
        (5, "expected an action for each of 2 environments, got 5"),
    ],
)
def test_a_vector_takes_one_action_for_each_environment(interface, actions, message):
    envs = gym.make_vec(ids("Sokoban"), num_envs=2, interface=interface)
    envs.reset(seed=0)
    with pytest.raises(ActionError, match=message):
        envs.step(actions)
    envs.close()


@pytest.mark.parametrize("family", BUILT_IN)
@pytest.mark.parametrize("options", ["x", {1: 2, "a": 3}])
def test_options_that_are_no_names_with_values_are_refused_everywhere(family, options):
    for env in doors(family):
        with pytest.raises(SpecError, match=r"options .* is no mapping from names to values; give a dictionary"):
            env.reset(seed=0, options=options)
        env.close()


def test_envs_lists_every_knob(capsys):
    assert main(["envs", "AgentGen/Sokoban-rich-v0"]) == 0
    out = capsys.readouterr().out
    assert "Description" in out
    for line in (
        "  richness = 'rich'",
        "  size = None",
        "  render_mode = None",
        "  distractors = 'none': none, paper-v1, paper-v2, cross-env-v1, or a DistractorSpec",
        "  interface = 'original': original, synonym, opaque, synonym-both, opaque-both, or an InterfaceSpec",
        "  lifecycle = 'none': none, pack-4, pack-8, pack-16, cod-4, cod-8, cod-16, ralph-full-4, ralph-full-8, "
        "ralph-full-16, ralph-sample-4, ralph-sample-8, ralph-sample-16, each also (but ralph) with -irrelevant or "
        "-changing and then -wiped or -told, or a LifecycleSpec",
    ):
        assert line in out.splitlines()


def test_every_exported_name_is_there_and_documented():
    for name in agentgen_bench.__all__:
        assert getattr(agentgen_bench, name).__doc__, name
    assert set(agentgen_bench.__all__) <= set(dir(agentgen_bench))


def exported_functions():
    """Yield each exported function, and each public method of an exported class but those of its record, by name."""
    for name in agentgen_bench.__all__:
        value = getattr(agentgen_bench, name)
        if inspect.isfunction(value):
            yield name, value
        for method, function in inspect.getmembers(value, inspect.isfunction) if inspect.isclass(value) else ():
            if not method.startswith("_") or (method == "__init__" and not is_dataclass(value)):
                yield f"{name}.{method}", function


def test_who_takes_a_path_takes_a_string_too():
    takers = {
        (name, parameter.name): str(parameter.annotation)
        for name, function in exported_functions()
        for parameter in inspect.signature(function).parameters.values()
        if "Path" in str(parameter.annotation)
    }
    assert takers == dict.fromkeys(
        [("evaluate", "path"), ("load_policy", "model"), ("read_run", "path")], "str | os.PathLike[str]"
    )


@pytest.mark.parametrize("kind", [str, Path])
def test_a_run_is_written_and_read_under_a_path_of_either_kind(kind, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    plan = agentgen_bench.single_plan([TaskSpec("Sokoban")], 1)
    policy = agentgen_bench.scripted_policy("noop")
    agentgen_bench.evaluate(plan, policy, agentgen_bench.PromptConfig(), kind("runs/one"))
    run = agentgen_bench.read_run(kind("runs/one"))
    assert (run.path, len(run.episodes)) == (Path("runs/one"), 1)


@pytest.mark.parametrize("kind", [str, Path])
def test_a_model_folder_may_be_a_path(kind, tmp_path):
    with pytest.raises(PolicyError, match=re.escape(str(tmp_path))):
        agentgen_bench.load_policy(
            kind(tmp_path), agentgen_bench.PromptConfig(), Sampling(), backend="transformers", say=lambda line: None
        )


@pytest.mark.parametrize("door", [gym.make, make, lambda env_id, **knobs: gym.make_vec(env_id, num_envs=2, **knobs)])
def test_a_knob_may_be_a_path(door, tmp_path):
    with pytest.raises(DataError, match=re.escape(str(tmp_path))):
        door(ids("WebShop"), difficulty="paper", data=tmp_path)
    with pytest.raises(SpecError, match="plain values only, got b'/x'"):
        door(ids("WebShop"), difficulty="paper", data=b"/x")
