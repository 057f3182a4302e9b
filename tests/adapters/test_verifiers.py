"""The contract with verifiers: its environment, its streaming server and its command play the four families."""

import asyncio
import json
import subprocess
import sys
import threading
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import pytest

from agentgen_bench import PromptConfig, Session
from agentgen_bench.episodes import from_line
from agentgen_bench.leaderboard.records import packed
from agentgen_bench.leaderboard.replay import difference, replay
from tests.adapters.playing import FAMILIES, SEED, answers, expert, hashes, spec_of
from tests.adapters.stub_model import StubModel

pytestmark = [
    pytest.mark.adapters,
    pytest.mark.skipif(find_spec("verifiers") is None, reason="needs pip install 'agentgen-bench[verifiers]'"),
]


@contextmanager
def model(completions):
    """Serve these completions, one a turn."""
    stub = StubModel(lambda chat: completions[sum(message["role"] == "assistant" for message in chat)])
    yield stub
    stub.close()


def environment(split, **options):
    from verifiers.v1.utils.loaders import load_environment, resolve_env_config

    return load_environment(resolve_env_config({"taskset": {"id": "agentgen-verifiers", "split": split}, **options}))


def context(stub):
    import verifiers.v1 as vf

    client = vf.EvalClientConfig(base_url=stub.url, api_key_var="NO_KEY")
    return vf.ModelContext(model="stub", client=client, sampling=vf.SamplingConfig())


def first_task(env, index):
    (task,) = env.taskset.include(idx=[f"{index}:{index + 1}"])
    return task


def played(split, index, completions, **options):
    """Return the episode of a level, and what the model was asked."""
    env = environment(split, **options)

    async def run(stub):
        async with env.serving():
            return await env.run_episode(first_task(env, index), context(stub))

    with model(completions) as stub:
        return asyncio.run(run(stub)), stub.requests


@pytest.mark.parametrize("family", FAMILIES)
def test_the_oracles_answers_solve_a_level_and_leave_its_record(family):
    oracle = expert(family)
    episode, requests = played(f"{family}-test", SEED, answers(oracle))
    assert episode.ok, episode.errors
    (trace,) = episode.traces
    assert trace.rewards["reward_return"].score == pytest.approx(oracle.episode_return)
    assert (trace.metrics["success"], trace.metrics["score"]) == (1.0, 1.0)
    record = from_line(trace.info["episode"])
    assert hashes(record) == hashes(oracle)
    (again,) = replay([record])
    assert difference(packed(record), packed(again)) is None
    step = record.steps[0]
    assert (step.prompt_tokens, step.completion_tokens, step.finish_reason) == (7, 3, "stop")
    assert len(requests) == len(oracle.steps)
    assert {request["stream"] for request in requests} == {True}


def test_the_conversation_is_that_of_evaluation():
    oracle = expert("Sokoban")
    _, requests = played("Sokoban-test", SEED, answers(oracle))
    with Session(spec_of("Sokoban"), SEED, prompt=PromptConfig(protocol="chat")) as session:
        view = session.start()
        for answer, request in zip(answers(oracle), requests, strict=True):
            asked = [{"role": each["role"], "content": each["content"]} for each in request["messages"]]
            assert asked == [message._asdict() for message in view.messages]
            view = session.answer(answer)


def test_the_score_may_be_the_reward_and_an_agents_limit_ends_an_episode():
    options = {"reward": "score", "player": {"max_turns": 2}}
    episode, requests = played("Sokoban-test", SEED, ["I wait."] * 5, **options)
    (trace,) = episode.traces
    assert len(requests) == 2
    assert trace.rewards["reward_score"].score == 0.0
    assert (trace.metrics["steps"], trace.metrics["error"]) == (2.0, 1.0)


def test_the_levels_of_a_suite_take_turns_and_those_of_a_family_do_not_end():
    suite = environment("smoke").taskset
    assert suite.bounded
    first = [task.data.level for task in suite.take(3)]
    assert [(row["cell"], row["index"]) for row in first] == [(0, 0), (1, 0), (2, 0)]
    assert not environment("Sokoban-train").taskset.bounded
    keys = {task.key for task in suite}
    assert len(keys) == 55


def test_a_server_streams_the_episode_turn_by_turn():
    from verifiers.v1.serve import EnvClient, EnvServer

    oracle = expert("Sokoban")
    env = environment("Sokoban-test")
    addresses, deltas, loop = [], [], asyncio.new_event_loop()
    ready = threading.Event()

    async def serve():
        server = EnvServer(env.config, "tcp://127.0.0.1:0")
        addresses.append(server.address)
        ready.set()
        await server.run()

    def run():
        asyncio.set_event_loop(loop)
        serving.append(loop.create_task(serve()))
        loop.run_until_complete(asyncio.gather(*serving, return_exceptions=True))

    async def ask(stub):
        client, asked = EnvClient(addresses[0]), context(stub)
        await client.wait_for_server_startup()
        task = first_task(env, SEED).data.model_dump(mode="json")
        episode = await client.run(asked.client, asked.model, asked.sampling, task, on_delta=deltas.append)
        await client.close()
        return episode

    serving = []
    thread = threading.Thread(target=run)
    thread.start()
    ready.wait()
    try:
        with model(answers(oracle)) as stub:
            episode = asyncio.run(ask(stub))
    finally:
        loop.call_soon_threadsafe(serving[0].cancel)
        thread.join()
    (trace,) = episode.traces
    assert episode.ok, episode.errors
    assert trace.metrics["success"] == 1.0
    assert hashes(from_line(trace.info["episode"])) == hashes(oracle)
    assert len(deltas) >= len(oracle.steps)


def test_a_stream_that_breaks_off_is_an_error_and_no_answer(monkeypatch):
    whole = StubModel.streamed
    monkeypatch.setattr(StubModel, "streamed", staticmethod(lambda text: whole(text).partition("\n\n")[0] + "\n\n"))
    episode, _ = played("Sokoban-test", SEED, ["<action>up</action>"] * 9)
    assert not episode.ok
    assert [error.message for trace in episode.traces for error in trace.errors]


def test_the_command_evaluates_a_split(tmp_path):
    oracle = expert("Sokoban")
    command = Path(sys.executable).with_name("vf-eval")
    with model(answers(oracle)) as stub:
        options = ["--model", "stub", "--client.base-url", stub.url, "--client.api-key-var", "NO_KEY"]
        options += ["--env.taskset.split", "Sokoban-test", "--select.include.idx", f"{SEED}:{SEED + 1}"]
        done = subprocess.run(
            [str(command), "agentgen-verifiers", *options, "--output-dir", str(tmp_path), "--run.name", "run"],
            cwd=tmp_path, capture_output=True, text=True,
        )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    (line,) = (tmp_path / "run" / "traces.jsonl").read_text().splitlines()
    assert json.loads(line)
