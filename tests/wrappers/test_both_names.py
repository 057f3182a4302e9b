"""An interface that accepts both names of each action: what is shown, what is an action, what is counted."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentgen_bench import TaskSpec, make
from agentgen_bench.answers import tools_for
from agentgen_bench.cli import main
from agentgen_bench.contract import text_task
from agentgen_bench.errors import SpecError
from agentgen_bench.evaluation.freeze import frozen_cell
from agentgen_bench.evaluation.plan import suite_plan
from agentgen_bench.evaluation.run import evaluate
from agentgen_bench.leaderboard.submit import submit
from agentgen_bench.leaderboard.verify import verify
from agentgen_bench.policies.base import Decision
from agentgen_bench.policies.scripted import OraclePolicy
from agentgen_bench.prompts import History, PromptConfig
from agentgen_bench.rollout import Job, play
from agentgen_bench.scores.run_scores import run_scores
from agentgen_bench.spec import InterfaceSpec
from agentgen_bench.suites import from_text, to_text
from agentgen_bench.wrappers.aliases import either_reader, naming
from agentgen_bench.wrappers.interface import Interface
from tests.wrappers.playing import EACH_FAMILY, env_of, expert_plan, played, richnesses, seeds
from tests.wrappers.test_distractors import proof

BOTH = st.builds(InterfaceSpec, st.sampled_from(["synonym", "opaque"]), st.integers(0, 9), st.just("both"))


def wrapped(family, chosen, richness="base"):
    """Return an environment with the interface; the bare one inside is shared, so play one after the other."""
    return Interface(env_of(TaskSpec(family, richness=richness)), chosen.aliases, chosen.seed, chosen.accepts)


def in_words(env, action, alias):
    """Return an original action under its alias, or as it is."""
    return (env._translators.to_alias(action) or action) if alias else action


@pytest.mark.parametrize("family", EACH_FAMILY)
@proof
@given(richnesses, seeds, BOTH)
def test_a_plan_does_the_same_under_either_name(family, richness, seed, chosen):
    bare = expert_plan(env_of(TaskSpec(family, richness=richness)), seed)
    told = played(env_of(TaskSpec(family, richness=richness)), seed, bare).dynamics
    for alias in (False, True):
        env = wrapped(family, chosen, richness)
        env.reset(seed=seed)
        for action in bare:
            _, reward, _, _, info = env.step(in_words(env, action, alias))
            assert info["is_action_valid"]
        assert (reward, info["score"], info["success"]) == (told[-1].reward, told[-1].score, told[-1].success)
        counts = env.analysis()
        assert (counts["named_original"], counts["named_alias"]) == ((0, len(bare)) if alias else (len(bare), 0))


@pytest.mark.parametrize("family", EACH_FAMILY)
@proof
@given(seeds, BOTH)
def test_the_text_is_that_of_the_names_shown(family, seed, chosen):
    env = wrapped(family, chosen)
    observation, info = env.reset(seed=seed)
    shown = env.analysis()["shown_names"]
    plain = InterfaceSpec(chosen.aliases, chosen.seed)
    alone = wrapped(family, plain) if shown == "alias" else env_of(TaskSpec(family))
    expected, expected_info = alone.reset(seed=seed)
    assert (observation, info["task"]) == (expected, expected_info["task"])
    assert info["admissible_commands"] == expected_info["admissible_commands"]


@pytest.mark.parametrize("family", EACH_FAMILY)
def test_both_names_are_listed_those_shown_first(family):
    originals = text_task(env_of(TaskSpec(family))).action_templates
    seen = set()
    for seed in range(12):
        env = wrapped(family, InterfaceSpec("synonym", 0, "both"))
        env.reset(seed=seed)
        shown = env.analysis()["shown_names"]
        seen.add(shown)
        half = len(originals)
        assert env.action_templates[half if shown == "alias" else 0 :][:half] == originals
        assert len(env.action_templates) == 2 * half
        env.step(env.expert_action())
        assert env.analysis()["named_alias" if shown == "alias" else "named_original"] == 1
    assert seen == {"original", "alias"}


def test_which_names_are_shown_is_the_levels_and_is_drawn_evenly():
    env = wrapped("Sokoban", InterfaceSpec("synonym", 0, "both"))
    shown = []
    for _ in range(2):
        for seed in range(200):
            env.reset(seed=seed)
            shown.append(env.analysis()["shown_names"])
    assert shown[:200] == shown[200:]
    assert 80 <= shown[:200].count("alias") <= 120


@pytest.mark.parametrize("chosen", ["synonym", "opaque"])
def test_a_button_may_have_either_label_beside_either_word(chosen):
    names = naming("WebShop", chosen, 3)
    read = either_reader("WebShop", names)
    click, label = names.words["click"], names.buttons["Buy Now"]
    assert read("click[Buy Now]") == ("click[Buy Now]", False)
    assert read(f"click[{label}]") == ("click[buy now]", False)
    assert read(f"{click}[{label}]") == ("click[buy now]", True)
    assert read(f"{click}[Buy Now]") == ("click[Buy Now]", True)
    assert read(f"search[{label}]") == (f"search[{label}]", False)  # a query, not a button
    assert read("fly[x]") == ("fly[x]", None)


def test_shorthands_are_originals_and_what_names_nothing_is_not_counted():
    env = wrapped("Sokoban", InterfaceSpec("opaque", 1, "both"))
    env.reset(seed=0)
    for action in ("u", "up", "dance", ""):
        env.step(action)
    assert (env.analysis()["named_original"], env.analysis()["named_alias"]) == (2, 0)


def test_the_functions_of_both_names_take_the_same_parameters():
    env = wrapped("WebShop", InterfaceSpec("synonym", 0, "both"))
    env.reset(seed=0)
    history = History((), "WebShop", "t", 1, 9, "o", (), (), env.action_templates)
    tools = [(tool.name, tool.parameter) for tool in tools_for(history)]
    assert len(tools) == 4
    assert [parameter for _, parameter in tools] == ["query", "element"] * 2


def test_the_setting_has_a_name_and_a_place_in_records():
    spec = TaskSpec("Sokoban", interface="synonym-both")
    assert spec.interface_spec == InterfaceSpec("synonym", 0, "both")
    own = TaskSpec("Sokoban", interface=InterfaceSpec("opaque", 3, "both"))
    assert own.to_json()["interface"] == {"aliases": "opaque", "seed": 3, "accepts": "both"}
    assert TaskSpec.from_json(own.to_json()) == own
    before = TaskSpec("Sokoban", interface=InterfaceSpec("opaque", 3))
    assert before.to_json()["interface"] == {"aliases": "opaque", "seed": 3}  # as records always were
    with pytest.raises(SpecError, match="accepts 'none'"):
        make(TaskSpec("Sokoban", interface=InterfaceSpec("opaque", 3, "none")))
    with pytest.raises(SpecError, match="leaves nothing to learn"):
        TaskSpec("Sokoban", interface="synonym-both", lifecycle="pack-4")


class Stubborn:
    """Knows the oracle's plan by heart and says it in the original words, whatever it reads."""

    name = "stubborn"

    def __init__(self, inner):
        self.inner = inner

    def act_on(self, tasks):
        actions = [task.original(task.expert_action()) for task in tasks]
        return [Decision(action, action) for action in actions]

    def describe(self):
        return {"kind": "oracle", "name": "oracle"}


@pytest.mark.parametrize(("family", "levels"), [("Sokoban", 12), ("ALFWorld", 12)])
def test_an_agent_that_follows_the_text_relies_on_nothing_and_one_that_does_not_on_all(family, levels):
    spec = TaskSpec(family, split="test", interface="synonym-both")
    for policy, expected in ((OraclePolicy(), 0.0), (Stubborn(OraclePolicy()), 1.0)):
        episodes = list(play((Job(spec, seed) for seed in range(levels)), policy))
        assert all(episode.success for episode in episodes)
        (found,) = [one for one in run_scores(episodes) if one.section == "interface"]
        reliance = found.scores[0]
        assert (reliance.name, reliance.value) == ("interface_reliance", expected)
        assert reliance.low is not None
        assert reliance.low <= expected <= reliance.high


def test_an_entry_verifies_and_a_changed_count_is_found(tmp_path: Path):
    spec = TaskSpec("Sokoban", split="test", interface="opaque-both")
    suite = from_text("tiny-v1", to_text("for tests", (frozen_cell(spec, 6),)))
    run = tmp_path / "run"
    evaluate(suite_plan(suite), OraclePolicy(), PromptConfig(), run)
    entry = submit(
        run, org="Lab", model="mine", date="2026-01-31", leaderboards=tmp_path / "board", suite=suite, workers=1
    )
    assert verify(entry, suite=suite, workers=1).holds
    import gzip

    path = entry / "episodes.jsonl.gz"
    lines = [json.loads(line) for line in gzip.decompress(path.read_bytes()).decode().splitlines()]
    lines[0]["analysis"]["named_original"] += 1
    path.write_bytes(gzip.compress("".join(json.dumps(line) + "\n" for line in lines).encode()))
    assert not verify(entry, suite=suite, workers=1).holds


def test_evaluate_plays_it_and_score_shows_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    command = ["evaluate", "--policy", "oracle", "--env", "AgentGen/Sokoban-lean-v0", "--episodes", "8"]
    assert main([*command, "--interface", "synonym-both", "--quiet", "--output", str(tmp_path / "run")]) == 0
    capsys.readouterr()
    assert main(["score", str(tmp_path / "run")]) == 0
    assert "interface_reliance" in capsys.readouterr().out
