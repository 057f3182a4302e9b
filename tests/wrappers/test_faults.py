"""Faults strike by (level, step), hide or swallow what happens, and leave every level solvable."""

import pickle

import gymnasium as gym
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentgen_bench import FaultSpec, TaskSpec, make, render
from agentgen_bench.contract import text_task
from agentgen_bench.envs.base import NO_ACTION
from agentgen_bench.errors import SpecError
from agentgen_bench.policies.names import scripted_policy
from agentgen_bench.rollout import Job, play
from agentgen_bench.spec import FAULTS
from agentgen_bench.wrappers.faults import BETWEEN, NOTHING, Faults
from tests.counting import CountingEnv
from tests.wrappers.playing import EACH_FAMILY, FAMILIES, env_of, expert_plan, played, richnesses, scripts, seeds
from tests.wrappers.test_distractors import proof

kinds = st.builds(FaultSpec, st.sampled_from(FAULTS), st.sampled_from([0.1, 0.3, 0.5]), st.integers(0, 9))


def wrapped(family: str, richness: str, chosen: FaultSpec) -> Faults:
    """Return an environment with faults; the bare one inside is shared, so play one after the other."""
    return Faults(env_of(TaskSpec(family, richness=richness)), chosen.kind, chosen.rate, chosen.seed)


def struck(env: Faults, n_steps: int) -> list[str | None]:
    """Return what the level at hand has in store."""
    return [env._schedule.fault(step) for step in range(n_steps)]


@pytest.mark.parametrize("family", EACH_FAMILY)
@proof
@given(richnesses, seeds, scripts, kinds)
def test_without_the_swallowed_actions_the_dynamics_are_those_of_the_bare_environment(
    family, richness, seed, script, chosen
):
    env = wrapped(family, richness, chosen)
    faulty = played(env, seed, script)
    executed = [
        action for action, fault in zip(faulty.actions, struck(env, len(faulty.actions)), strict=True)
        if fault != "action"
    ]  # fmt: skip
    bare = played(env_of(TaskSpec(family, richness=richness)), seed, executed)
    after = [
        step for step, fault in zip(faulty.dynamics[1:], struck(env, len(faulty.actions)), strict=True)
        if fault != "action"
    ]  # fmt: skip
    plain = [step._replace(admissible_commands=()) for step in bare.dynamics[1:]]
    assert [step._replace(admissible_commands=()) for step in after] == plain


@pytest.mark.parametrize("family", EACH_FAMILY)
@proof
@given(richnesses, seeds, scripts, kinds)
def test_the_observation_is_its_sections_and_fits_the_space(family, richness, seed, script, chosen):
    env = wrapped(family, richness, chosen)
    record = played(env, seed, script)
    assert record.observations == [render(sections) for sections in record.sections]
    assert all(observation in env.observation_space for observation in record.observations)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("kind", FAULTS)
def test_the_expert_solves_every_level_in_as_many_steps_as_announced(family, kind):
    spec = TaskSpec(family, richness="lean", faults=FaultSpec(kind, 0.4, seed=3))
    env = make(spec)
    for seed in range(1 if family == "SciWorld" else 3):
        env.reset(seed=seed)
        task = text_task(env)
        steps, terminated = 0, False
        while not terminated and steps < task.max_steps:
            *_, terminated, _, info = env.step(task.expert_action())
            steps += 1
        assert info["success"]
        assert task.expert_length in (steps, None)  # SciWorld knows no length
    env.close()


def test_an_action_fault_executes_nothing_and_says_so():
    env = make("AgentGen/Sokoban-base-v0", faults="action:0.5")
    before, info = env.reset(seed=0)
    schedule = text_task(env)._schedule
    for step in range(12):
        commands = info["admissible_commands"]
        after, reward, *_, info = env.step(commands[0])
        if schedule.fault(step) == "action":
            assert after == NOTHING.text + before
            assert (reward, info["admissible_commands"], info["is_action_valid"]) == (0.0, commands, True)
        else:
            before = after
    assert text_task(env).analysis()["failed_actions"] == sum(schedule.fault(k) == "action" for k in range(12)) > 0


def test_a_swallowed_answer_without_action_is_still_invalid():
    env = make("AgentGen/Sokoban-base-v0", faults="action:0.5")
    env.reset(seed=0)
    schedule = text_task(env)._schedule
    valid = {schedule.fault(step): env.step(NO_ACTION)[-1]["is_action_valid"] for step in range(12)}
    assert valid == {None: False, "action": False}


@pytest.mark.parametrize("seed", [3, -1])
def test_after_a_reset_that_failed_nothing_answers_from_the_level_before(seed):
    env = Faults(CountingEnv(crash_seed=3), "action", 0.5)
    env.reset(seed=1)
    env._schedule._faults[:2] = ["action", "action"]
    env.step("1")
    with pytest.raises((RuntimeError, SpecError)):
        env.reset(seed=seed)
    with pytest.raises(gym.error.ResetNeeded, match="no level is being played; call reset first"):
        env.step("1")
    assert env.reset(seed=1)[0] == "0 of 2"


def episode_of(kind, faults_at, n_steps=6):
    """Return (observations of a bare ALFWorld walk, those under faults at these steps)."""
    bare, env = (make("AgentGen/ALFWorld-base-v0", faults=faults) for faults in ("none", f"{kind}:0.5"))
    plan = expert_plan(bare, 1, n_steps)
    texts = [bare.reset(seed=1)[0], *[bare.step(action)[0] for action in plan]]
    seen = [env.reset(seed=1)[0]]
    text_task(env)._schedule._faults[:n_steps] = [kind if k in faults_at else None for k in range(n_steps)]
    return texts, [*seen, *[env.step(action)[0] for action in plan]]


def test_a_late_observation_comes_with_the_next_one():
    texts, seen = episode_of("late", {1})
    assert seen[:3] == [texts[0], texts[1], texts[1]]
    assert seen[3] == texts[2] + BETWEEN.text + texts[3]
    assert seen[4] == texts[4]


def test_while_one_is_late_no_other_is():
    texts, seen = episode_of("late", {0, 1})
    assert seen[:3] == [texts[0], texts[0], texts[1] + BETWEEN.text + texts[2]]


def test_an_observation_that_is_late_when_the_episode_ends_is_lost():
    n_steps = len(expert_plan(make("AgentGen/ALFWorld-base-v0"), 1, 50))
    texts, seen = episode_of("late", {n_steps - 2}, n_steps)
    assert seen[-2:] == [texts[-3], texts[-1]]


def test_a_repeated_observation_hides_one_for_good():
    texts, seen = episode_of("repeated", {1, 2})
    assert seen[:5] == [texts[0], texts[1], texts[1], texts[1], texts[4]]


def test_lower_rates_strike_among_the_steps_of_higher_ones():
    low, high = (make("AgentGen/Sokoban-base-v0", faults=f"mixed:{rate}") for rate in (0.1, 0.4))
    few, many = ({k for k, fault in enumerate(faults) if fault} for faults in (
        [env.reset(seed=5), struck(text_task(env), 600)][1] for env in (low, high)
    ))  # fmt: skip
    assert few < many
    assert 0.06 < len(few) / 600 < 0.14
    assert 0.34 < len(many) / 600 < 0.46


def test_a_level_is_struck_alike_however_it_is_reached():
    spec = TaskSpec("Sokoban", faults="mixed:0.4")
    env, other = make(spec), make(spec.with_(richness="rich", interface="opaque"))
    env.reset(seed=4)
    first = struck(text_task(env), 50)
    other.reset(seed=0)
    other.reset(seed=4)
    assert struck(text_task(other).inner, 50) == first
    env.reset(seed=5)
    assert struck(text_task(env), 50) != first


def test_records_replay_and_a_pickled_environment_goes_on_alike():
    env = make("AgentGen/ALFWorld-base-v0", faults="mixed:0.5")
    env.reset(seed=2)
    for _ in range(3):
        env.step("look")
    copy = pickle.loads(pickle.dumps(env))
    assert [copy.step("look") for _ in range(8)] == [env.step("look") for _ in range(8)]


def test_doing_nothing_is_cut_off_at_the_announced_step():
    job = Job(TaskSpec("Sokoban", faults="mixed:0.3"), seed=3)
    (episode,) = play([job], scripted_policy("noop"))
    assert (episode.ending, len(episode.steps)) == ("truncated", episode.max_steps)
    assert episode.analysis["failed_actions"] > 0


def test_off_is_no_wrapper_and_leaves_the_spec_as_it_was():
    for faults in ("none", FaultSpec(rate=0.0)):
        assert not isinstance(make("AgentGen/Sokoban-base-v0", faults=faults), Faults)
    assert "faults" not in TaskSpec("Sokoban").to_json()
    spec = TaskSpec("Sokoban", faults=FaultSpec("late", 0.2, 1))
    assert TaskSpec.from_json(spec.to_json()) == spec
    assert TaskSpec.from_json(TaskSpec("Sokoban", faults="late:0.2").to_json()).fault_spec == FaultSpec("late", 0.2)


@pytest.mark.parametrize(
    ("faults", "message"),
    [
        ("loud", "unknown faults 'loud'; choose one of: none, actions-v1, observations-v1, mixed-v1"),
        ("action:much", "fault rate 'much' is no number; write kind:rate, such as action:0.2"),
        ("action:0.9", r"fault rate 0.9 is out of range; choose a number in \[0, 0.5\]"),
        ("loud:0.1", "unknown fault kind 'loud'; choose one of: action, late, repeated, observation, mixed"),
        (FaultSpec("loud"), "unknown fault kind 'loud'"),
    ],
)
def test_wrong_settings_are_named_at_make(faults, message):
    with pytest.raises(SpecError, match=message):
        gym.make("AgentGen/Sokoban-base-v0", faults=faults)
