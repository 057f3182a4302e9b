"""Trajectories, chats and records of Every Eval Ever; where its reader is installed, ATIF is validated by it."""

import json
from dataclasses import replace

import pytest

from agentgen_bench.cli import main
from agentgen_bench.episodes import read_episodes
from agentgen_bench.errors import DataError, RunError, SpecError
from agentgen_bench.evaluation.plan import single_plan
from agentgen_bench.evaluation.run import evaluate
from agentgen_bench.export.atif import atif_files
from agentgen_bench.export.chat import chat_files
from agentgen_bench.export.every_eval_ever import every_eval_ever_files
from agentgen_bench.export.source import read_source
from agentgen_bench.families import BUILT_IN
from agentgen_bench.policies.scripted import OraclePolicy
from agentgen_bench.prompts import PromptConfig
from agentgen_bench.scores.success import results
from agentgen_bench.spec import TaskSpec
from agentgen_bench.text import render

CHAT = PromptConfig(protocol="chat")
TOOLS = PromptConfig(protocol="tools", thinking=False)


@pytest.fixture(scope="module")
def shown(tmp_path_factory):
    """A run of the oracle over all families, on levels that may be trained on."""
    path = tmp_path_factory.mktemp("runs") / "shown"
    specs = [TaskSpec(family, difficulty="easy", split="train") for family in BUILT_IN]
    evaluate(single_plan(specs, 1), OraclePolicy(), CHAT, path)
    return path


@pytest.mark.parametrize("run", ["talk", "shown"])
def test_atifs_own_reader_takes_every_trajectory(run, request):
    atif = pytest.importorskip("atif")
    files = atif_files(read_source(request.getfixturevalue(run)))
    for content in files.values():
        document = json.loads(content)
        assert atif.Trajectory.model_validate(document).to_json_dict(exclude_none=False)["steps"]
        assert document["schema_version"] == "ATIF-v1.7"


def test_a_trajectory_says_what_the_episode_says(talk):
    source = read_source(talk)
    files = atif_files(source)
    episode = next(iter(source.episodes()))
    assert len(files) == 12
    document = json.loads(files[f"sokoban_lean_easy_test/{episode.seed}-{episode.repeat}.json"])
    first, *steps = document["steps"]
    assert [step["step_id"] for step in document["steps"]] == list(range(1, len(episode.steps) + 2))
    assert first["source"] == "user"
    assert render(episode.first_sections) in first["message"]
    assert [step["tool_calls"][0]["function_name"] for step in steps[:2]] == ["move", "move"]
    assert steps[0]["tool_calls"][0]["arguments"] == {"direction": episode.steps[0].action}
    assert [step["observation"]["results"][0]["content"] for step in steps] == [
        render(step.sections) for step in episode.steps
    ]
    assert steps[0]["observation"]["results"][0]["source_call_id"] == steps[0]["tool_calls"][0]["tool_call_id"]
    assert steps[0]["metrics"] == {"prompt_tokens": 7, "completion_tokens": 3, "cost_usd": 0.0}
    assert document["final_metrics"]["total_completion_tokens"] == 3 * len(episode.steps)
    assert document["final_metrics"]["extra"]["score"] == episode.score


def test_a_scripted_policy_made_no_model_call(shown):
    for content in atif_files(read_source(shown)).values():
        for step in json.loads(content)["steps"][1:]:
            assert step["llm_call_count"] == 0
            assert "metrics" not in step


def test_an_entry_without_texts_makes_no_trajectories(made, suite):
    with pytest.raises(RunError, match="recorded without its texts"):
        atif_files(read_source(made, suite))


def test_a_record_that_does_not_say_where_its_tasks_begin_makes_no_trajectory(talk):
    source = read_source(talk)
    old = replace(source, episodes=lambda: (replace(episode, tasks=()) for episode in source.episodes()))
    with pytest.raises(RunError, match="seed 0 is of a record that does not say where its tasks begin"):
        atif_files(old)


def test_a_chat_line_is_an_episode_that_ends_with_the_last_answer(shown):
    lines = [json.loads(line) for line in chat_files(read_source(shown))["chat.jsonl"].splitlines()]
    episodes = list(read_episodes(shown / "episodes.jsonl"))
    by_level = {line["level_id"]: line for line in lines}
    assert {line["environment"] for line in lines} == {family.lower() for family in BUILT_IN}
    for episode in episodes:
        line = by_level[episode.level_id]
        roles = [message["role"] for message in line["messages"]]
        assert roles == ["user", "assistant"] * len(episode.steps)
        assert f"<action>{episode.steps[-1].action}</action>" in line["messages"][-1]["content"]
        assert [message["weight"] for message in line["messages"] if "weight" in message] == [
            0 for step in episode.steps if not step.is_action_valid
        ]


def test_under_the_protocol_tools_a_chat_holds_the_functions(tmp_path):
    plan = single_plan([TaskSpec("Sokoban", difficulty="easy", split="train")], 1)
    evaluate(plan, OraclePolicy(), TOOLS, tmp_path / "run")
    (line,) = [json.loads(line) for line in chat_files(read_source(tmp_path / "run"))["chat.jsonl"].splitlines()]
    assert line["tools"][0]["function"]["name"] == "move"
    calls, answers = line["messages"][1::2], line["messages"][2::2]
    assert {call["function"]["name"] for message in calls for call in message["tool_calls"]} == {"move"}
    ids = [message["tool_calls"][0]["id"] for message in calls]
    assert [message["tool_call_id"] for message in answers] == ids[:-1]


def test_levels_of_the_test_split_make_no_chats(tmp_path):
    evaluate(single_plan([TaskSpec("Sokoban", split="test")], 1), OraclePolicy(), CHAT, tmp_path / "run")
    with pytest.raises(
        SpecError, match="exporting chats, which tools train on, uses Sokoban-base easy test, levels of"
    ):
        chat_files(read_source(tmp_path / "run"))


def test_where_nothing_was_solved_there_is_nothing_to_imitate(talk):
    with pytest.raises(RunError, match="holds no solved episode"):
        chat_files(read_source(talk))


def test_a_record_of_every_eval_ever_holds_the_runs_scores(made, suite, run_path):
    ((path, content),) = every_eval_ever_files(read_source(made, suite)).items()
    record = json.loads(content)
    found = results(read_episodes(run_path / "episodes.jsonl"))
    assert path.startswith("data/agentgen-bench/lab/random_3/")
    assert record["retrieved_timestamp"] == "1769817600"
    assert record["model_info"]["id"] == "lab/random-3"
    assert [item["evaluation_name"] for item in record["evaluation_results"][:4]] == [
        "tiny-v1, success",
        "tiny-v1, score",
        "tiny-v1: Sokoban, success",
        "tiny-v1: Sokoban, score",
    ]
    success = record["evaluation_results"][0]["score_details"]
    assert success["score"] == found["overall"]["success"]["value"]
    interval = success["uncertainty"]["confidence_interval"]
    assert (interval["lower"], interval["upper"]) == (
        found["overall"]["success"]["low"],
        found["overall"]["success"]["high"],
    )
    assert every_eval_ever_files(read_source(made, suite)) == {path: content}


def test_details_of_every_eval_ever_are_strings(talk):
    (content,) = every_eval_ever_files(read_source(talk), "2026-01-31").values()
    record = json.loads(content)
    details = [record["eval_library"]["additional_details"], record["model_info"]["additional_details"]]
    for item in record["evaluation_results"]:
        details += [item["source_data"]["additional_details"], item["generation_config"]["additional_details"]]
    assert {type(value) for values in details for value in values.values()} == {str}
    assert record["evaluation_results"][0]["generation_config"]["generation_args"]["temperature"] == 0.7


def test_a_prompt_or_a_sampling_that_there_cannot_be_is_an_error_that_names_it(talk):
    source = read_source(talk)
    for written in (atif_files, chat_files):
        with pytest.raises(DataError, match=r"the prompt of talk is not that of a run: .*colour"):
            written(replace(source, prompt={**source.prompt, "colour": "red"}))
    with pytest.raises(DataError, match=r"the policy of talk has the sampling \[1\]; it takes an object of numbers"):
        every_eval_ever_files(replace(source, policy={**source.policy, "sampling": [1]}), "2026-01-31")


def test_a_version_that_is_no_utf_8_makes_a_record(talk):
    source = replace(read_source(talk), versions={"x": "\ud800"})
    (content,) = every_eval_ever_files(source, "2026-01-31").values()
    assert json.loads(content)["eval_library"]["additional_details"] == {"x": "\ud800"}


def test_a_model_named_in_other_letters_has_a_folder_of_its_own(talk):
    (name,) = every_eval_ever_files(replace(read_source(talk), model="模型"), "2026-01-31")
    assert name.startswith("data/agentgen-bench/unknown/unnamed/")


def test_without_a_date_there_is_no_record(talk):
    with pytest.raises(SpecError, match="add --date 2026-01-31"):
        every_eval_ever_files(replace(read_source(talk), date=None))


@pytest.mark.parametrize("name", ["atif", "chat", "every-eval-ever"])
def test_the_verb_writes_them(name, shown, tmp_path, capsys):
    assert main(["export", str(shown), "--format", name, "--output", str(tmp_path)]) == 0
    assert len(capsys.readouterr().out.splitlines()) == {"atif": 4, "chat": 1, "every-eval-ever": 1}[name]
