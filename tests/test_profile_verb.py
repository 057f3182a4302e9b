"""Profiles of environment settings, and the verb that measures them."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from agentgen_bench import TaskSpec, families
from agentgen_bench.cli import build_parser, main
from agentgen_bench.cli.evaluate import plan_of_ids
from agentgen_bench.evaluation.freeze import paper_settings
from agentgen_bench.evaluation.histories import histories
from agentgen_bench.evaluation.plan import single_plan
from agentgen_bench.evaluation.profile import PAPER_PROMPT, SAMPLE_LEVELS, measured, profile_plan
from agentgen_bench.evaluation.profile_page import POLICIES, documented_settings, page_text
from agentgen_bench.families import BUILT_IN
from agentgen_bench.policies.names import scripted_policy
from agentgen_bench.prompts import PromptConfig, messages
from agentgen_bench.rollout import Job, play
from tests.counting import CountingEnv

SOKOBAN = TaskSpec("Sokoban", split="test")


def counted(seed, **options):
    jobs = [Job(SOKOBAN, seed)]
    return next(play(jobs, scripted_policy("oracle"), make_env=lambda _: CountingEnv(**options)))


def test_a_prompt_is_measured_as_a_model_would_have_read_it():
    class Reader:
        name = "reader"
        read: list = []

        def act(self, batch):
            self.read += [messages(history, PAPER_PROMPT)[0].content for history in batch]
            return scripted_policy("random").act(batch)

        def describe(self):
            return {}

    policy = Reader()
    (episode,) = play([Job(SOKOBAN, 3)], policy)
    sizes = [step.prompt_chars for step in measured(episode, PAPER_PROMPT).steps]
    assert sizes == [len(prompt) for prompt in policy.read]


def test_tokens_are_counted_where_a_tokenizer_is_given():
    episode = measured(counted(2), PAPER_PROMPT, lambda chat: len(chat[0].content.split()))
    words = [len(messages(history, PAPER_PROMPT)[0].content.split()) for history in histories(counted(2))]
    assert [step.prompt_tokens for step in episode.steps] == words


def test_a_record_that_does_not_say_where_its_tasks_begin_is_left_unmeasured():
    episode = replace(counted(1), tasks=())  # as a crashed pack of the first version of records
    assert measured(episode, PAPER_PROMPT) == episode.compact()


def test_a_measured_record_is_compact():
    episode = measured(counted(1), PAPER_PROMPT)
    assert episode.first_sections is None
    assert all(step.sections is None for step in episode.steps)


def test_more_history_makes_longer_prompts():
    few, many = (
        sum(step.prompt_chars for step in measured(counted(5), PromptConfig(history_length=k)).steps) for k in (0, 3)
    )
    assert few < many


def test_a_profile_is_the_same_when_it_is_made_again():
    def profile():
        plan = single_plan([SOKOBAN], 4)
        return profile_plan(plan, scripted_policy("random"), PAPER_PROMPT, min_episodes=4)

    assert profile() == profile()


def test_the_fingerprint_changes_with_the_text():
    def fingerprint(spec):
        profile = profile_plan(single_plan([spec], 1), scripted_policy("oracle"), PAPER_PROMPT, min_episodes=1)
        return profile["settings"][0]["fingerprint"]

    assert fingerprint(SOKOBAN) != fingerprint(SOKOBAN.with_(distractors="paper-v1"))


def test_distractor_characters_are_profiled_beside_the_bare_ones(capsys):
    argv = ["profile", "--env", "AgentGen/Sokoban-v0", "--distractors", "none,paper-v1", "--policy", "oracle"]
    assert main([*argv, "--quiet", "--json"]) == 0
    bare, distracted = [setting["scores"] for setting in json.loads(capsys.readouterr().out)["settings"]]
    assert bare["distractor_chars"]["value"] == 0
    added = distracted["obs_chars"]["value"] - bare["obs_chars"]["value"]
    assert distracted["distractor_chars"]["value"] == pytest.approx(added)
    assert distracted["goal_reachability"]["value"] == bare["goal_reachability"]["value"] == 1.0


def test_the_table_prints_the_papers_values_with_ours(capsys):
    assert main(["profile", "--env", "AgentGen/Sokoban-lean-v0", "--quiet"]) == 0
    heading, header, ours, paper = capsys.readouterr().out.splitlines()
    assert heading == "policy random; prompts show 2 past steps and full action hints; intervals range over levels only"
    assert header.split()[:4] == ["setting", "episodes", "prompt", "chars"]
    assert ours.startswith("Sokoban-lean easy test")
    assert paper.split() == ["arXiv", "2601.18217,", "Sokoban", "3114", "44.0"]


def test_too_few_episodes_say_so(capsys):
    assert main(["profile", "--env", "AgentGen/Sokoban-lean-v0", "--episodes", "3", "--quiet"]) == 0
    assert "needs at least 128 episodes, got 3" in capsys.readouterr().out


def test_a_recorded_run_is_profiled_as_if_it_were_played(capsys, tmp_path):
    options = ["--env", "AgentGen/Sokoban-lean-v0", "--quiet", "--episodes", "128"]
    assert main(["evaluate", *options, "--action-hints", "full", "--output", str(tmp_path / "run")]) == 0
    capsys.readouterr()
    assert main(["profile", "--run", str(tmp_path / "run"), "--json"]) == 0
    recorded = json.loads(capsys.readouterr().out)
    assert main(["profile", *options, "--json"]) == 0
    assert recorded == json.loads(capsys.readouterr().out)


def test_crashed_episodes_are_told_and_fail_the_command(capsys):
    one_task = ["--set", "n_receptacles=5", "--set", "task_type=pick_and_place_simple"]  # no search of it is long
    argv = ["profile", "--env", "AgentGen/ALFWorld-v0", "--difficulty", "hard", *one_task, "--episodes", "2", "--quiet"]
    assert main(argv) == 1
    assert "failed: 2 episodes of ALFWorld-base hard test n_receptacles=5" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("choice", "message"),
    [
        (["--lifecycle", "pack-4"], "choose the interface synonym or opaque"),
        (["--richness", "loud"], "unknown richness 'loud'"),
        (["--distractors", "loud"], "unknown distractors 'loud'"),
        (["--interface", "loud"], "unknown interface 'loud'"),
        (["--set", "loud=8"], "has no knob 'loud'"),
    ],
)
def test_the_knobs_of_cells_go_for_every_registered_id(choice, message, capsys):
    assert main(["profile", *choice, "--episodes", "1", "--quiet"]) == 2
    assert message in capsys.readouterr().err


def test_difficulty_split_and_limit_go_for_every_registered_id():
    options = ["--difficulty", "hard", "--split", "train", "--limit", "2", "--repeats", "3"]
    args = build_parser("profile").parse_args(["profile", *options])
    plan = plan_of_ids(args, ["AgentGen/Sokoban-lean-v0", "AgentGen/Sokoban-rich-v0"], 128)
    assert [(cell.spec.difficulty, cell.spec.split, cell.seeds) for cell in plan.cells] == [
        ("hard", "train", (0, 1))
    ] * 2
    assert plan.n_episodes == 12


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("--run RUN --policy oracle", "--policy does not go with --run: the run was played, and is measured as it is"),
        ("--run RUN --env AgentGen/Sokoban-v0", "--env does not go with --run"),
        ("--run RUN --protocol chat", "--protocol does not go with --run"),
        (
            "--page PAGE --policy oracle",
            "--policy does not go with --page: the page has settings, prompts and policies",
        ),
        ("--families Sokoban", "--families goes with --page; name environments with --env"),
        ("--suite smoke --episodes 3", "--episodes goes with --env"),
    ],
)
def test_options_that_decide_nothing_are_refused(options, message, capsys, tmp_path):
    words = options.replace("RUN", str(tmp_path)).replace("PAGE", str(tmp_path / "page.md")).split()
    assert main(["profile", *words, "--quiet"]) == 2
    assert message in capsys.readouterr().err


def test_the_paper_settings_and_values_cover_every_family():
    assert sorted(spec.family for spec in paper_settings()) == sorted(BUILT_IN)


@pytest.mark.parametrize("family", ["Sokoban", "WebShop", "ALFWorld"])
def test_the_paper_setting_is_within_15_percent_of_the_papers_prompts(family):
    spec = next(spec for spec in paper_settings() if spec.family == family)
    profile = profile_plan(single_plan([spec], 48), scripted_policy("random"), PAPER_PROMPT, min_episodes=48)
    assert profile["settings"][0]["crashed"] == []
    ours = profile["settings"][0]["scores"]["prompt_chars"]["value"]
    assert abs(ours / families.family(family).paper.prompt_chars - 1) < 0.15


PAGE = Path(__file__).parents[1] / "docs" / "profile.md"
DOCUMENT = json.loads(PAGE.with_suffix(".json").read_text(encoding="utf-8"))


def test_the_documentation_page_is_what_its_data_says():
    assert PAGE.read_text(encoding="utf-8") == page_text(DOCUMENT)


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("family", ["Sokoban", "WebShop", "ALFWorld", pytest.param("SciWorld", marks=pytest.mark.slow)])
def test_the_documented_profile_is_current(family, policy):
    """Replays the first level of each documented setting: its text, course and prompt sizes have one fingerprint."""
    documented = DOCUMENT[policy]
    specs = [spec for spec in documented_settings(family) if family != "SciWorld" or spec.label in documented]
    plan = single_plan(specs, SAMPLE_LEVELS)
    profile = profile_plan(plan, scripted_policy(policy), PAPER_PROMPT, min_episodes=SAMPLE_LEVELS)
    now = {TaskSpec.from_json(setting["spec"]).label: setting["fingerprint"] for setting in profile["settings"]}
    stored = {spec.label: documented[spec.label]["fingerprint"] for spec in specs}
    assert stored == now, "run: agentgen-bench profile --page docs/profile.md --families " + family
