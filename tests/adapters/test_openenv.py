"""The contract with OpenEnv: its client against its server, its validation, its Task API."""

import runpy
import threading
import time
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import pytest
import requests

from agentgen_bench.episodes import from_line
from agentgen_bench.leaderboard.records import packed
from agentgen_bench.leaderboard.replay import difference, replay
from agentgen_bench.rows import split_names
from agentgen_bench.suites import load_suite
from tests.adapters.playing import FAMILIES, SEED, answers, expert, hashes

pytestmark = [
    pytest.mark.adapters,
    pytest.mark.skipif(find_spec("openenv") is None, reason="needs pip install 'agentgen-bench[openenv]'"),
]
EXAMPLE = Path(__file__).parents[2] / "examples" / "openenv"


@pytest.fixture(scope="module")
def url():
    import uvicorn

    from agentgen_bench.adapters.openenv import app
    from agentgen_bench.envs.sciworld import java

    server = uvicorn.Server(uvicorn.Config(app, factory=True, host="127.0.0.1", port=0, log_level="error"))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        assert thread.is_alive()
        time.sleep(0.05)
    assert java._living, "Java is not up before the first session"
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    server.should_exit = True
    thread.join()


@contextmanager
def client(url):
    from openenv.core import GenericEnvClient

    with GenericEnvClient(base_url=url).sync() as connected:
        yield connected


@pytest.mark.parametrize("family", FAMILIES)
def test_the_oracles_answers_solve_a_level_and_leave_its_record(url, family):
    oracle = expert(family)
    with client(url) as env:
        results = [env.reset(split=f"{family}-test", index=SEED)]
        results += [env.step({"answer": answer}) for answer in answers(oracle)]
        state = env.state()
    assert [result.done for result in results] == [False] * len(oracle.steps) + [True]
    assert sum(result.reward for result in results) == oracle.episode_return
    published = results[-1].metadata
    assert (published["success"], published["score"], published["return"]) == (1.0, 1.0, oracle.episode_return)
    episode = from_line(state["record"])
    assert hashes(episode) == hashes(oracle)
    (again,) = replay([episode])
    assert difference(packed(episode), packed(again)) is None


def test_the_package_finds_the_server_valid(url):
    from openenv.cli._validation import validate_running_environment

    report = validate_running_environment(url)
    assert [item for item in report["criteria"] if not item["passed"]] == []
    assert report["passed"]


def test_the_task_api_names_levels(url):
    def post(path, **body):
        return requests.post(f"{url}/agentgen/{path}", json=body, timeout=30)

    splits = requests.get(f"{url}/agentgen/splits", timeout=30).json()
    assert [split["name"] for split in splits] == split_names()
    assert {split["type"] for split in splits} == {"train", "validation", "test"}
    assert post("num_tasks", split="smoke").json() == {"num_tasks": 55}
    assert post("num_tasks", split="Sokoban-train").json() == {"num_tasks": 2**31}
    assert post("task", split="smoke", index=12).json()["task"] == {
        "id": "smoke/12", "suite": "smoke", "cell": 1, "index": 2,
    }  # fmt: skip
    assert post("task", split="smoke", index=55).status_code == 400
    assert [task["id"] for task in post("task_range", split="smoke", start=53).json()["tasks"]] == [
        "smoke/53",
        "smoke/54",
    ]
    assert len(post("tasks", split="core-v1").json()["tasks"]) == 100


def test_a_frozen_level_is_the_suites_own_and_a_seed_numbers_its_episodes(url):
    cell = load_suite("smoke").cells[1]
    with client(url) as env:
        env.reset(split="smoke", index=12, seed=5)
        while not env.step({"answer": "I wait."}).done:
            pass
        episode = from_line(env.state()["record"])
    assert (episode.level_id, episode.seed, episode.repeat) == (cell.level_ids[2], cell.seeds[2], 5)


def test_a_chat_goes_on_by_one_message_and_tools_are_offered(url):
    with client(url) as env:
        first = env.reset(env="AgentGen/WebShop-rich-v0", seed=3, prompt={"protocol": "tools"}).observation
        then = env.step({"answer": [{"name": "search", "arguments": {"query": "red shoe"}}]})
    assert (first["starts_anew"], [message["role"] for message in first["messages"]]) == (True, ["user"])
    assert (then.observation["starts_anew"], then.observation["messages"][0]["role"]) == (False, "tool")
    assert [tool["function"]["name"] for tool in then.observation["tools"]] == ["search", "click"]
    assert (then.metadata["action"], then.metadata["reason"]) == ("search[red shoe]", None)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"split": "Sokoban-dev"}, "unknown split 'Sokoban-dev'; choose one of: Sokoban-train"),
        ({"split": "smoke", "index": 55}, "index=55 is out of range; smoke has 0 to 54"),
        ({"level": 3}, "unknown argument 'level' of reset; choose from: seed, suite"),
    ],
)
def test_what_no_reset_can_mean_is_refused(url, arguments, message):
    with client(url) as env, pytest.raises(Exception, match=message):
        env.reset(**arguments)


def test_sessions_do_not_disturb_one_another(url):
    with client(url) as one, client(url) as other:
        one.reset(seed=1)
        other.reset(seed=2)
        assert one.step({"answer": "<action>up</action>"}).observation != other.step({"answer": "?"}).observation
        assert (one.state()["step_count"], other.state()["step_count"]) == (1, 1)


def test_the_example_package_is_valid_and_its_server_starts():
    from openenv.cli.__main__ import app
    from typer.testing import CliRunner

    done = CliRunner().invoke(app, ["validate", str(EXAMPLE), "--level", "static", "--skip-build"])
    assert (done.exit_code, "Verdict: PASS" in done.output) == (0, True), done.output
    served = runpy.run_path(str(EXAMPLE / "server" / "app.py"))["app"]
    assert "/{env_name}/splits" in served.openapi()["paths"]
