"""Agents of the user's own, in the loop that policies play in."""

import gc
import json
import os
import signal
import subprocess
import threading
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given

from agentgen_bench import PromptConfig, TaskSpec, load_agent, play
from agentgen_bench.cli import main
from agentgen_bench.episodes import from_line, read_episodes, to_line
from agentgen_bench.errors import PolicyError, SpecError
from agentgen_bench.policies.agent_processes import AgentProcess
from agentgen_bench.policies.agents import AgentPolicy, Answer, info_of
from agentgen_bench.prompts import messages
from agentgen_bench.rollout import Job
from tests.counting import CountingEnv
from tests.policies import some_agents
from tests.strategies import histories

HERE = "tests.policies.some_agents"
FULL = PromptConfig(action_hints="full")
JOBS = [Job(TaskSpec("Sokoban", split="test"), seed) for seed in range(4)]
EXAMPLE = Path(__file__).parents[2] / "examples" / "own_agent.py"


def played(name, jobs=JOBS, prompt=FULL, make_env=lambda spec: CountingEnv(), workers=32, **options):
    policy = load_agent(f"{HERE}:{name}", prompt, **options)
    return sorted(play(jobs, policy, workers=workers, make_env=make_env), key=lambda episode: episode.seed)


@pytest.fixture(autouse=True)
def _empty_log():
    some_agents.log.clear()


@pytest.mark.parametrize("name", ["FollowsTheList", "make", "first", "Awaits"])
def test_a_class_a_factory_and_a_plain_function_are_agents(name):
    episodes = played(name)
    assert [episode.success for episode in episodes] == [True] * 4
    assert {episode.policy for episode in episodes} == {f"{HERE}.{name}"}


@pytest.mark.parametrize("name", ["FollowsTheList", "Awaits"])
def test_each_episode_has_an_agent_of_its_own_that_is_reset_and_closed(name):
    played(name)
    assert sorted(some_agents.log) == sorted(
        [*["made"] * 4, *[f"reset Count to {goal}. 1" for goal in (1, 2, 3, 4)], *["closed"] * 4]
    )


def test_views_of_one_level_that_play_at_once_do_not_share_an_agent():
    specs = [TaskSpec("Sokoban", richness=richness, difficulty="easy") for richness in ("lean", "rich")]
    list(play([Job(spec, 0) for spec in specs], load_agent(f"{HERE}:FollowsTheList", FULL)))
    assert some_agents.log.count("made") == 2


def test_each_task_of_a_pack_has_an_agent_of_its_own():
    spec = TaskSpec("Sokoban", difficulty="easy", interface="opaque", lifecycle="pack-4-wiped")
    (episode,) = play([Job(spec, 0)], load_agent(f"{HERE}:FollowsTheList", FULL))
    assert len(episode.tasks) == 4
    assert some_agents.log.count("made") == some_agents.log.count("closed") == 4


def test_what_an_agent_reports_to_have_spent_is_recorded():
    episode = played("Awaits")[3]
    step = from_line(to_line(episode)).steps[2]
    assert (step.action, step.completion) == ("3", "I say <action>3</action>")
    assert (step.prompt_tokens, step.completion_tokens, step.cost_usd) == (5, 2, 0.25)


def test_where_nothing_was_spent_the_line_is_as_before():
    assert "cost_usd" not in to_line(played("FollowsTheList")[0])


def test_an_exception_is_its_episodes_failure_and_no_other():
    episodes = played("breaks_at_two")
    assert [episode.ending for episode in episodes] == ["terminated", "error", "error", "error"]
    assert episodes[1].error == "the agent raised KeyError: 'my memory'"
    assert (episodes[1].success, episodes[1].score, len(episodes[1].steps)) == (False, 0.0, 1)


@pytest.mark.parametrize("name", ["sleeps", "waits"])
def test_a_time_out_is_its_episodes_failure_and_no_other(name):
    episodes = played(name, timeout_s=0.5)
    assert [episode.success for episode in episodes] == [True, False, True, True]
    assert episodes[1].error == "TimeoutError: the agent gave no answer within 0.5 s"


def test_threads_end_with_their_episodes():
    before = set(threading.enumerate())  # one that timed out in a test before may end meanwhile
    played("FollowsTheList")
    assert not set(threading.enumerate()) - before


def test_a_failing_close_is_said_and_changes_nothing():
    said = []
    assert all(episode.success for episode in played("CannotClose", say=said.append))
    assert said == [f"{HERE}.CannotClose: close() failed: OSError: the door is stuck"] * 4


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("counts_seven_wrong", r"act returned 7 \(int\); return the action as a str, or an agentgen_bench.Answer"),
        ("HasNoAct", r"the factory made <.*HasNoAct object .*; an agent has act\(observation, info\)"),
        ("costs_nothing_sensible", r"cost_usd is nan \(float\); give US dollars, 0 or more"),
        ("counts_characters_of_the_world", r"prompt_tokens is 1000000000000 \(int\); give a count of 0 to 100,000,000"),
    ],
)
def test_a_wrong_return_is_one_clear_error(name, message):
    with pytest.raises(PolicyError, match=message):
        played(name)


def test_in_processes_agents_play_as_in_threads():
    episodes = played("Awaits", processes=True, workers=2)
    assert [to_line(episode) for episode in episodes] == [to_line(episode) for episode in played("Awaits")]


def test_agents_that_play_at_once_have_a_process_each_and_later_ones_take_those_that_are_free():
    processes = {step.cost_usd for episode in played("Where", processes=True, workers=2) for step in episode.steps}
    assert len(processes) == 2
    assert os.getpid() not in processes


@pytest.fixture
def started(monkeypatch):
    """The processes that are started, in order."""
    found, start = [], subprocess.Popen
    monkeypatch.setattr(subprocess, "Popen", lambda *given, **named: found.append(start(*given, **named)) or found[-1])
    return found


@pytest.mark.parametrize(
    ("name", "error"),
    [
        ("breaks_at_two", "the agent raised KeyError: 'my memory'"),
        ("Dies", "the agent's process ended with exit code 3"),
    ],
)
def test_what_happens_in_a_process_is_its_episodes_failure_and_no_other(name, error, started):
    episodes = played(name, JOBS[:2], processes=True, workers=1)
    assert [(episode.success, episode.error) for episode in episodes] == [(True, None), (False, error)]
    gc.collect()
    assert None not in [process.poll() for process in started]


def test_a_ctrl_c_while_a_process_starts_is_not_for_it():
    process = AgentProcess(f"{HERE}:FollowsTheList")
    os.kill(process._process.pid, signal.SIGINT)
    process.reset("task", {"step": 1})
    assert process.act("observation", {"admissible_commands": ("up",)}).text == "up"
    process.end()


def test_a_time_out_ends_the_process(started):
    policy = load_agent(f"{HERE}:sleeps_on", FULL, processes=True)
    episodes = play(JOBS[:2], policy, workers=1, make_env=lambda spec: CountingEnv())
    assert next(episodes).success  # the process has been started, however long that takes here
    policy._timeout_s = 0.2
    assert next(episodes).error == "TimeoutError: the agent gave no answer within 0.2 s"
    assert [process.poll() for process in started] == [-signal.SIGKILL]


def test_a_wrong_return_in_a_process_is_the_same_clear_error():
    with pytest.raises(PolicyError, match=r"counts_seven_wrong: act returned 7 \(int\); return the action as a str"):
        played("counts_seven_wrong", JOBS[:1], processes=True)


class Wrong:
    name = "wrong"

    def __init__(self, returned):
        self.returned = returned

    def act(self, histories):
        return self.returned

    def describe(self):
        return {}


@pytest.mark.parametrize(
    ("returned", "message"),
    [
        (None, "returned a NoneType; act returns a list with one Decision per history"),
        (["up"] * 4, "returned a list of str"),
        ([], "returned 0 decisions for 4 histories"),
    ],
)
def test_a_batched_policy_that_returns_something_else_is_one_clear_error(returned, message):
    with pytest.raises(PolicyError, match=message):
        list(play(JOBS, Wrong(returned), make_env=lambda spec: CountingEnv()))


@given(histories)
def test_an_agent_is_shown_what_the_settings_show_and_nothing_else(history):
    for hints in ("none", "templates", "full"):
        prompt = PromptConfig(action_hints=hints, protocol="chat")
        info = info_of(history, prompt)
        assert info["messages"] == [message._asdict() for message in messages(history, prompt)]
        assert bool(info["admissible_commands"]) == (hints == "full" and bool(history.admissible_commands))
        assert bool(info["action_templates"]) == (hints != "none" and bool(history.action_templates))
        assert info["tools"] == []
        json.dumps(info)


def test_under_the_protocol_tools_an_agents_messages_are_calls_and_their_answers():
    seen = []

    def act(observation, info):
        seen.append(info["messages"])
        return Answer('<tool_call>{"name": "move", "arguments": {"direction": "up"}}</tool_call>', is_completion=True)

    policy = AgentPolicy(lambda: SimpleNamespace(act=act), PromptConfig(protocol="tools"), name="act")
    next(play([Job(TaskSpec("Sokoban", difficulty="easy"), 0)], policy))
    user, call, answer = seen[1]
    assert (user["role"], call["tool_calls"][0]["function"]["name"], answer["role"]) == ("user", "move", "tool")
    assert answer["tool_call_id"] == call["tool_calls"][0]["id"]


def test_under_the_protocol_tools_an_agent_is_shown_the_functions():
    spec, seen = TaskSpec("WebShop", difficulty="easy"), []

    def act(observation, info):
        seen.extend(tool["function"]["name"] for tool in info["tools"])
        return ""

    prompt = PromptConfig(protocol="tools")
    policy = AgentPolicy(lambda: SimpleNamespace(act=act), prompt, name="act")
    next(play([Job(spec, 0)], policy))
    assert seen[:2] == ["search", "click"]


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("agent", "write module:factory or path/to/file.py:factory"),
        (Path("agent.py"), r"the agent is PosixPath\('agent.py'\); give a text: module:factory"),
        ("no_such_module_here:Agent", "cannot import 'no_such_module_here'"),
        ("nowhere.py:Agent", r"cannot import 'nowhere.py': FileNotFoundError"),
        (f"{HERE}:missing", "has no class or function 'missing'"),
        (f"{HERE}:not_callable", "has no class or function 'not_callable'"),
        (f"{HERE}:of_three", "takes 3 arguments; a factory takes none"),
        (f"{HERE}:WantsAModel", "WantsAModel takes model; agents are made without arguments: give these defaults, or"),
        (f"{HERE}:already_made", "is an agent that was made; each episode has its own: name its class, or a factory"),
    ],
)
def test_an_address_that_names_no_agent_is_refused(address, message):
    with pytest.raises(SpecError, match=message):
        load_agent(address, FULL)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("import os; os.environ['NO_SUCH_KEY_HERE']", r"agent.py': KeyError: 'NO_SUCH_KEY_HERE'"),
        ("import sys; sys.exit('usage: agent.py')", r"agent.py': SystemExit: usage: agent.py"),
    ],
)
def test_what_an_agents_module_raises_is_named(line, message, tmp_path):
    (tmp_path / "agent.py").write_text(f"{line}\ndef act(observation, info): ...\n")
    with pytest.raises(SpecError, match=f"cannot import '.*{message}"):
        load_agent(f"{tmp_path}/agent.py:act", FULL)


@pytest.mark.parametrize("timeout_s", [0, -1, float("nan"), float("inf")])
def test_a_time_limit_that_is_none_is_refused(timeout_s):
    with pytest.raises(SpecError, match="give a positive number of seconds"):
        load_agent(f"{HERE}:first", FULL, timeout_s=timeout_s)


def test_the_example_plays_all_families_from_the_command_line(tmp_path, capsys):
    agent = f"{EXAMPLE}:Curious"
    arguments = ["--agent", agent, "--action-hints", "full", "--quiet", "--limit", "1"]
    assert main(["evaluate", *arguments, "--output", str(tmp_path / "run")]) == 0
    episodes = list(read_episodes(tmp_path / "run" / "episodes.jsonl"))
    assert len(episodes) == 6
    assert {episode.ending for episode in episodes} <= {"terminated", "truncated"}
    policy = json.loads((tmp_path / "run" / "manifest.json").read_text())["policy"]
    assert (policy["name"], policy["kind"], len(policy["source_hash"])) == ("own_agent.Curious", "agent", 64)
    again = ["evaluate", *arguments, "--output", str(tmp_path / "run"), "--resume"]
    assert main(again) == 0


def test_the_examples_function_answers_with_completions(tmp_path):
    agent = f"{EXAMPLE}:look_around"
    command = ["evaluate", "--agent", agent, "--env", "AgentGen/ALFWorld-v0", "--episodes", "1", "--quiet"]
    assert main([*command, "--output", str(tmp_path / "run")]) == 0
    (episode,) = read_episodes(tmp_path / "run" / "episodes.jsonl")
    assert {step.action for step in episode.steps} == {"look"}
    assert episode.steps[0].completion_tokens == 8


def test_agents_profile_and_collect_too(tmp_path, capsys):
    settings = ["--agent", f"{HERE}:first", "--action-hints", "full", "--quiet"]
    assert main(["profile", "--env", "AgentGen/Sokoban-v0", "--episodes", "1", "--json", *settings]) == 0
    assert json.loads(capsys.readouterr().out)["policy"] == f"{HERE}.first"
    collect = ["collect", "--envs", "sokoban", "--levels", "1", "--unsolved", "--output", str(tmp_path / "shown")]
    assert main([*collect, *settings]) == 0
    samples = (tmp_path / "shown" / "samples.jsonl").read_text().splitlines()
    assert json.loads(samples[0])["completion"][0]["content"].endswith("</action>")


def test_an_agent_and_a_model_exclude_each_other(capsys):
    assert main(["evaluate", "--agent", f"{HERE}:first", "--model", "x"]) == 2
    assert "--agent and --model exclude each other" in capsys.readouterr().err


@pytest.mark.parametrize(("option", "given"), [("--agent-processes", []), ("--agent-timeout", ["3"])])
def test_an_option_of_agents_without_one_is_refused(option, given, capsys, tmp_path):
    assert main(["evaluate", option, *given, "--limit", "1", "--output", str(tmp_path / "run")]) == 2
    assert f"{option} goes with --agent MODULE:NAME" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_the_batched_policy_of_the_documentation_plays(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    page = (EXAMPLE.parents[1] / "docs" / "agents.md").read_text()
    exec(page.split("```python\n")[1].split("```")[0], {})
    assert len(list(read_episodes(tmp_path / "runs" / "first" / "episodes.jsonl"))) == 2
