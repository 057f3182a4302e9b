"""Distractors add text and touch nothing else."""

import os
import pickle
import subprocess
import sys

import gymnasium as gym
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentgen_bench import Richness, TaskSpec, make, render
from agentgen_bench.contract import text_task
from agentgen_bench.episodes import chain
from agentgen_bench.errors import SpecError
from agentgen_bench.spec import DISTRACTOR_PRESETS, DistractorSpec, InterfaceSpec
from agentgen_bench.wrappers.banks import things
from agentgen_bench.wrappers.contextual import n_adverts, n_alfworld, n_entries, n_lines, n_trivia
from agentgen_bench.wrappers.distractors import Distractors
from agentgen_bench.wrappers.interface import Interface
from tests.wrappers.playing import EACH_STYLED, STYLED, env_of, expert_plan, played, richnesses, scripts, seeds

distractors = st.sampled_from(sorted(DISTRACTOR_PRESETS)) | st.builds(
    DistractorSpec,
    kind=st.sampled_from(["contextual", "cross_env"]),
    volume=st.sampled_from([1, 30, 120, 500]),
    probability=st.sampled_from([0.5, 1.0]),
    seed=st.integers(0, 2),
)
proof = settings(max_examples=12)

PROGRAM = """
import sys
from agentgen_bench import TaskSpec
from tests.wrappers.test_distractors import fingerprint
print(*[fingerprint(family) for family in sys.argv[1:]], sep="\\n")
"""


def without_distractors(sections):
    return "".join(section.text for section in sections if section.source != "distractor")


def distractor_text(sections):
    return "".join(section.text for section in sections if section.source == "distractor")


def invented(sections):
    """Return the names of the things that the distractors of a state invent."""
    words = set(distractor_text(sections).replace(".", " ").replace(",", " ").split())
    return sorted(name for _, name in things() if name in words)


@pytest.mark.parametrize("family", EACH_STYLED)
@proof
@given(richnesses, seeds, scripts, distractors)
def test_distractors_leave_the_task_alone(family, richness, seed, script, chosen):
    spec = TaskSpec(family, richness=richness)
    bare = played(env_of(spec), seed, script)
    distracted = played(env_of(spec.with_(distractors=chosen)), seed, bare.actions)
    assert distracted.dynamics == bare.dynamics


@pytest.mark.parametrize("family", EACH_STYLED)
@proof
@given(richnesses, seeds, scripts, distractors)
def test_without_distractor_sections_the_bare_observation_is_back(family, richness, seed, script, chosen):
    spec = TaskSpec(family, richness=richness)
    bare = played(env_of(spec), seed, script)
    distracted = played(env_of(spec.with_(distractors=chosen)), seed, bare.actions)
    assert [without_distractors(sections) for sections in distracted.sections] == bare.observations


@pytest.mark.parametrize("family", EACH_STYLED)
@proof
@given(richnesses, seeds, scripts, distractors)
def test_the_observation_is_its_sections_and_fits_the_space(family, richness, seed, script, chosen):
    env = env_of(TaskSpec(family, richness=richness, distractors=chosen))
    record = played(env, seed, script)
    assert record.observations == [render(sections) for sections in record.sections]
    assert all(observation in env.observation_space for observation in record.observations)


@pytest.mark.parametrize("family", EACH_STYLED)
@proof
@given(seeds, scripts, distractors)
def test_task_and_hint_sections_stay_whole(family, seed, script, chosen):
    spec = TaskSpec(family, richness="rich")
    bare = played(env_of(spec), seed, script)
    distracted = played(env_of(spec.with_(distractors=chosen)), seed, bare.actions)
    for before, after in zip(bare.sections, distracted.sections, strict=True):
        whole = [section for section in before if section.source in ("task", "hint")]
        assert [section for section in after if section.source in ("task", "hint")] == whole


@pytest.mark.parametrize("family", EACH_STYLED)
@proof
@given(seeds, scripts, st.integers(0, 3))
def test_nothing_invented_is_called_like_anything_in_the_level(family, seed, script, text_seed):
    spec = TaskSpec(family, richness="rich")
    env = env_of(spec.with_(distractors=DistractorSpec(volume=300, seed=text_seed)))
    record = played(env, seed, script)
    names = set(text_task(env).names())
    commands = " ".join(command for step in record.dynamics for command in step.admissible_commands).lower().split()
    for sections in record.sections:
        words = set(without_distractors(sections).lower().replace(".", " ").replace(",", " ").split())
        assert not set(invented(sections)) & (names | words | set(commands))


def test_the_science_simulator_does_not_notice_distractors_or_aliases():
    spec = TaskSpec("SciWorld", richness="rich")
    bare = played(env_of(spec), 0, [3, "no such action", 40, "open door"])
    env = env_of(spec.with_(distractors="paper-v1", interface="opaque"))
    both = played(env, 0, [env.aliased(action) for action in bare.actions])
    assert [step._replace(admissible_commands=(), task="") for step in both.dynamics] == [
        step._replace(admissible_commands=(), task="") for step in bare.dynamics
    ]
    assert all(distractor_text(sections) for sections in both.sections)


@pytest.mark.parametrize("preset", sorted(DISTRACTOR_PRESETS))
@pytest.mark.parametrize("family", EACH_STYLED)
def test_the_experts_plan_is_the_same(family, preset):
    spec = TaskSpec(family)
    assert expert_plan(env_of(spec.with_(distractors=preset)), 1) == expert_plan(env_of(spec), 1)


@pytest.mark.parametrize("family", EACH_STYLED)
@proof
@given(seeds, scripts)
def test_the_same_things_are_invented_at_every_richness(family, seed, script):
    spec = TaskSpec(family, distractors="paper-v1")
    records = [played(env_of(spec.with_(richness=level)), seed, script) for level in Richness]
    lean, base, rich = [[invented(sections) for sections in record.sections] for record in records]
    assert lean == base == rich


@pytest.mark.parametrize("family", EACH_STYLED)
@proof
@given(seeds, scripts, distractors, st.sampled_from(["synonym", "opaque"]))
def test_the_order_of_wrapping_with_an_interface_does_not_matter(family, seed, script, chosen, aliases):
    spec = TaskSpec(family, distractors=chosen)
    names = InterfaceSpec(aliases, 1)
    own = spec.distractor_spec
    inner = played(env_of(spec.with_(interface=names)), seed, script)
    bare = env_of(spec.with_(distractors="none"))
    arguments = (own.kind, own.volume, own.probability, own.seed)
    outer = played(Distractors(Interface(bare, aliases, 1), *arguments), seed, inner.actions)
    assert outer.dynamics == inner.dynamics


@pytest.mark.parametrize("kind", ["contextual", "cross_env"])
@pytest.mark.parametrize("family", EACH_STYLED)
def test_text_does_not_repeat_within_an_episode(family, kind):
    env = env_of(TaskSpec(family, distractors=DistractorSpec(kind=kind, volume=100)))
    script = expert_plan(env, 2, limit=20)
    texts = [
        s.text.strip() for sections in played(env, 2, script).sections for s in sections if s.source == "distractor"
    ]
    assert texts
    assert len(set(texts)) == len(texts)


@pytest.mark.parametrize("family", EACH_STYLED)
def test_the_share_of_episodes_with_distractors_is_the_probability(family):
    env = Distractors(env_of(TaskSpec(family, richness="lean")), probability=0.5)
    on = 0
    for seed in range(40):
        env.reset(seed=seed)
        on += env.is_on
    assert 10 <= on <= 30  # binomial(40, .5): within 3.2 standard deviations


def fingerprint(family):
    """Return a hash over the text of some episodes."""
    link = ""
    for preset in sorted(DISTRACTOR_PRESETS):
        for observation in played(make(TaskSpec(family, distractors=preset)), 3, list(range(5))).observations:
            link = chain(link, observation)
    return link


def test_the_text_is_the_same_in_every_process():
    families = [family for family in STYLED if family != "SciWorld"]  # its wrapper's text has no other source
    command = [sys.executable, "-c", PROGRAM, *families]
    outputs = [
        subprocess.run(
            command, env={**os.environ, "PYTHONHASHSEED": seed}, capture_output=True, text=True, check=True
        ).stdout.split()
        for seed in ("1", "2")
    ]
    assert outputs[0] == outputs[1] == [fingerprint(family) for family in families]


@pytest.mark.parametrize("family", EACH_STYLED)
def test_unseeded_resets_after_a_seeded_one_are_reproducible(family):
    def episodes():
        env = make(TaskSpec(family, distractors="paper-v2"))
        yield env.reset(seed=4)[0]
        for _ in range(3):
            yield env.reset()[0]

    assert list(episodes()) == list(episodes())


def test_a_pickled_environment_goes_on_the_same():
    env = make(TaskSpec("Sokoban", distractors="paper-v1", interface="opaque"))
    _, info = env.reset(seed=5)
    copy = pickle.loads(pickle.dumps(env))
    for k in (0, 1, 0):
        action = info["admissible_commands"][k % len(info["admissible_commands"])]
        returned = env.step(action)
        assert copy.step(action) == returned
        info = returned[4]


def test_a_spec_of_gymnasium_rebuilds_the_wrapped_environment():
    env = make(TaskSpec("Sokoban", distractors="paper-v1", interface="opaque"))
    again = gym.make(env.spec)
    assert again.reset(seed=7) == env.reset(seed=7)


def test_off_means_no_wrapper():
    for chosen in ("none", DistractorSpec(volume=0), DistractorSpec(probability=0.0)):
        assert str(make(TaskSpec("Sokoban", distractors=chosen))) == str(make(TaskSpec("Sokoban")))


def test_ansi_rendering_shows_the_distractors():
    env = Distractors(gym.make("AgentGen/Sokoban-v0", render_mode="ansi"))
    observation, _ = env.reset(seed=0)
    assert env.render() == observation


def test_counts_are_the_papers():
    assert [n_alfworld(volume) for volume in (0, 11, 12, 200, 300)] == [0, 0, 1, 16, 25]
    assert [n_lines(volume) for volume in (1, 80)] == [1, 8]
    assert [n_entries(volume) for volume in (30, 40, 200, 1000)] == [1, 2, 10, 10]
    assert [n_trivia(volume) for volume in (1, 30, 40, 75)] == [1, 1, 1, 3]
    assert [n_adverts(volume) for volume in (1, 30, 40, 75)] == [1, 1, 1, 2]


@pytest.mark.parametrize(
    ("preset", "kind", "volumes"),
    [
        ("paper-v1", "contextual", {"ALFWorld": 300, "WebShop": 30, "Sokoban": 80, "SciWorld": 170}),
        ("paper-v2", "contextual", {"ALFWorld": 200, "WebShop": 40, "Sokoban": 80, "SciWorld": 170}),
        ("cross-env-v1", "cross_env", {"ALFWorld": 100, "WebShop": 100, "Sokoban": 100, "SciWorld": 100}),
    ],
)
def test_every_family_has_every_preset(preset, kind, volumes):
    found = {family: TaskSpec(family, distractors=preset).distractor_spec for family in volumes}
    assert {family: (each.kind, each.volume) for family, each in found.items()} == {
        family: (kind, volume) for family, volume in volumes.items()
    }


@pytest.mark.parametrize(
    ("settings_", "message"),
    [
        ({"kind": "rude"}, "unknown distractor kind 'rude'; choose one of: contextual, cross_env"),
        ({"volume": -1}, "distractor volume -1 is out of range; choose an integer from 0 to 1000"),
        ({"volume": 1001}, "distractor volume 1001 is out of range; choose an integer from 0 to 1000"),
        ({"volume": 2.5}, "distractor volume 2.5 is out of range"),
        ({"probability": 1.5}, r"distractor probability 1.5 is out of range; choose a number in \[0, 1\]"),
        ({"probability": "x"}, "distractor probability 'x' is out of range"),
        ({"seed": -1}, "distractor seed -1 is out of range; choose an integer from 0"),
    ],
)
def test_wrong_settings_are_refused(settings_, message):
    with pytest.raises(SpecError, match=message):
        make(TaskSpec("Sokoban", distractors=DistractorSpec(**settings_)))


@pytest.mark.parametrize("draw", ["abc", None, -1, 2.7, True])
def test_a_draw_that_is_no_integer_from_0_is_refused(draw):
    env = make(TaskSpec("Sokoban", distractors="paper-v1"))
    with pytest.raises(SpecError, match=f"distractor_draw {draw!r} is out of range; choose an integer from 0"):
        env.reset(seed=0, options={"distractor_draw": draw})


def test_an_unknown_preset_is_refused_with_the_choices():
    with pytest.raises(SpecError, match=r"unknown distractors 'loud'; choose one of: none, paper-v1, paper-v2, cross"):
        make(TaskSpec("Sokoban", distractors="loud"))


def test_a_level_that_comes_again_without_a_seed_has_other_distractors(tmp_path):
    (tmp_path / "one.txt").write_text("; 0\n######\n#@ $.#\n######\n")
    spec = TaskSpec("Sokoban", knobs=(("levels", str(tmp_path / "one.txt")),), distractors="paper-v1")
    env = make(spec)
    shown = [env.reset(seed=0), env.reset(), env.reset(), env.reset(seed=0), env.reset()]
    assert len({info["level_id"] for _, info in shown}) == 1
    texts = [distractor_text(info["sections"]) for _, info in shown]
    assert len(set(texts[:3])) == 3
    assert texts[3:] == texts[:2]
