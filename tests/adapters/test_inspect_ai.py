"""The contract with Inspect: its `eval` over a suite, its log reader, its clustered standard error."""

import json
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from agentgen_bench import PromptConfig, TaskSpec, evaluate, play, read_run, single_plan
from agentgen_bench.episodes import from_line
from agentgen_bench.leaderboard.records import packed
from agentgen_bench.leaderboard.replay import difference, replay
from agentgen_bench.policies.scripted import OraclePolicy
from agentgen_bench.rollout import Job
from agentgen_bench.suites import load_suite, suite_names
from tests.adapters.playing import answers, hashes

pytestmark = [
    pytest.mark.adapters,
    pytest.mark.skipif(find_spec("inspect_ai") is None, reason="needs pip install 'agentgen-bench[inspect]'"),
]
CELLS = load_suite("smoke").cells  # ALFWorld, SciWorld, three views of Sokoban, WebShop, some order


def model(completions):
    """Return Inspect's mock model, saying these completions one after the other."""
    from inspect_ai.model import ModelUsage, get_model

    def outputs():
        for completion in completions:
            completion.usage = ModelUsage(input_tokens=7, output_tokens=3, total_tokens=10)
            yield completion

    return get_model("mockllm/model", custom_outputs=outputs())


def text(content, stop_reason="stop"):
    from inspect_ai.model import ModelOutput

    return ModelOutput.from_content("mockllm/model", content, stop_reason)


def run(folder, completions, limit, **options):
    """Evaluate the first levels of the suite smoke, read the log back from its file, and return it."""
    from inspect_ai import eval
    from inspect_ai.log import read_eval_log

    arguments = {name: options.pop(name) for name in ("protocol", "action_hints") if name in options}
    (log,) = eval(
        "agentgen_bench/smoke", model(completions), task_args=arguments, limit=limit, max_samples=1, display="none",
        log_dir=str(folder), **options,
    )  # fmt: skip
    assert log.status == "success", log.error
    return read_eval_log(log.location)


@pytest.fixture(scope="module")
def oracles():
    """The oracle's episode on the first level of each setting, in the order of the samples."""
    return [next(play([Job(cell.spec, cell.seeds[0])], OraclePolicy())) for cell in CELLS]


@pytest.fixture(scope="module")
def solved(oracles, tmp_path_factory):
    completions = [text(answer) for oracle in oracles for answer in answers(oracle)]
    return run(tmp_path_factory.mktemp("logs"), completions, len(CELLS), protocol="chat")


def test_the_oracles_answers_solve_a_level_of_each_setting(solved, oracles):
    assert {cell.spec.family for cell in CELLS} == {"Sokoban", "WebShop", "ALFWorld", "SciWorld"}
    assert [sample.id for sample in solved.samples] == [f"{number}-0" for number in range(len(CELLS))]
    for sample, oracle in zip(solved.samples, oracles, strict=True):
        published = sample.scores["outcome"].value
        assert (published["success"], published["score"]) == (1.0, 1.0)
        assert published["return"] == oracle.episode_return
        assert hashes(from_line(sample.metadata["episode"])) == hashes(oracle)


def test_the_episodes_in_the_log_replay(solved):
    episodes = [from_line(sample.metadata["episode"]) for sample in solved.samples]
    for episode in episodes:
        (again,) = replay([episode])
        assert difference(packed(episode), packed(again)) is None
    step = episodes[0].steps[0]
    assert (step.prompt_tokens, step.completion_tokens, step.finish_reason) == (7, 3, "stop")


def test_the_log_holds_the_conversation_and_the_suites_hash(solved, oracles):
    roles = [message.role for message in solved.samples[0].messages]
    assert roles == ["user", "assistant"] * len(oracles[0].steps)
    assert solved.eval.metadata["hash"] == load_suite("smoke").hash
    assert solved.eval.task == "agentgen_bench/smoke"


def test_the_standard_error_goes_by_levels(tmp_path):
    """The three views of a Sokoban level are one cluster."""
    log = run(tmp_path, [text("I wait.") for _ in range(300)], len(CELLS))
    (score,) = [found for found in log.results.scores if found.name == "score"]
    values = {sample.id: sample.scores["outcome"].value["score"] for sample in log.samples}
    levels = {sample.id: sample.metadata["level"] for sample in log.samples}
    assert len(set(levels.values())) < len(levels)
    mean = np.mean(list(values.values()))
    sums = [sum(values[i] - mean for i in values if levels[i] == level) for level in set(levels.values())]
    plain = np.sqrt(np.sum(np.square(sums))) / len(values)
    clusters = len(sums)
    assert score.metrics["stderr"].value == pytest.approx(plain * np.sqrt(clusters / (clusters - 1)))
    assert score.metrics["grouped_all"].value == pytest.approx(mean)


def call_for(action):
    from inspect_ai.model import ModelOutput

    name, _, argument = action.removesuffix("]").partition("[")
    return ModelOutput.for_tool_call("mockllm/model", name, {"query" if name == "search" else "element": argument})


def test_calls_are_answers_and_are_answered(tmp_path, oracles):
    number = next(number for number, cell in enumerate(CELLS) if cell.spec.family == "WebShop")
    completions = [call_for(step.action) for step in oracles[number].steps]
    log = run(tmp_path, completions, None, protocol="tools", sample_id=f"{number}-0")
    (sample,) = log.samples
    assert sample.scores["outcome"].value["success"] == 1.0
    asked = [message.tool_calls[0].id for message in sample.messages if message.role == "assistant"]
    assert [message.tool_call_id for message in sample.messages if message.role == "tool"] == asked[:-1]
    offered = next(event for event in sample.events if event.event == "model").tools
    assert [tool.name for tool in offered] == ["search", "click"]
    assert offered[0].description != offered[1].description


def test_a_completion_that_was_cut_holds_no_action(tmp_path):
    log = run(tmp_path, [text("<action>up", "max_tokens") for _ in range(200)], None, sample_id="2-0")
    (sample,) = log.samples
    episode = from_line(sample.metadata["episode"])
    assert {(step.action, step.parse_reason) for step in episode.steps} == {(None, "unclosed")}


def test_every_suite_is_a_task_that_the_command_finds():
    script = Path(sys.executable).with_name("inspect")
    program = (
        "from inspect_ai._util.entrypoints import ensure_entry_points as find; find('agentgen_bench');"
        "from inspect_ai._util.registry import registry_find as all, registry_info as of; import json;"
        "print(json.dumps([of(o).name for o in all(lambda i: i.type == 'task')]))"
    )
    assert script.exists()
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert sorted(json.loads(done.stdout)) == [f"agentgen_bench/{name}" for name in suite_names()]


@pytest.mark.parametrize("protocol", ["window", "chat"])
def test_a_run_of_ours_opens_as_a_log(tmp_path, monkeypatch, protocol):
    from inspect_ai.log import read_eval_log

    from agentgen_bench.adapters import inspect_log

    prompt = PromptConfig(protocol=protocol)
    plan = single_plan([TaskSpec("Sokoban", split="test"), TaskSpec("Sokoban", richness="rich", split="test")], 2)
    evaluate(plan, OraclePolicy(), prompt, tmp_path / "run")
    recorded = {
        (episode.level_id, json.dumps(episode.spec)): episode for episode in read_run(tmp_path / "run").episodes
    }
    monkeypatch.setattr(sys, "argv", ["inspect_log", str(tmp_path / "run"), "--output", str(tmp_path / "logs")])
    assert inspect_log.main() == 0
    log = read_eval_log(str(tmp_path / "logs" / "run.eval"))
    assert (log.status, log.eval.model, len(log.samples)) == ("success", "oracle", len(recorded))
    metrics = {score.name: score.metrics for score in log.results.scores}
    assert metrics["success"]["grouped_all"].value == 1.0
    returns = [episode.episode_return for episode in recorded.values()]
    assert metrics["return"]["mean"].value == pytest.approx(np.mean(returns))
    for sample in log.samples:
        episode = from_line(sample.metadata["episode"])
        assert episode in recorded.values()
        n = len(episode.steps)
        assert [message.role for message in sample.messages] == ["user", "assistant"] * n
        assert [message.text for message in sample.messages[1::2]] == [step.completion for step in episode.steps]


def test_what_is_no_run_is_told_in_a_line(tmp_path, monkeypatch, capsys):
    from agentgen_bench.adapters import inspect_log

    monkeypatch.setattr(sys, "argv", ["inspect_log", str(tmp_path)])
    assert inspect_log.main() == 1
    error = capsys.readouterr().err
    assert (error.startswith("error: "), str(tmp_path) in error, error.count("\n")) == (True, True, 1)
