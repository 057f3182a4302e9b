"""Sessions over HTTP: the same episodes, and clients that misbehave."""

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
import threading
import urllib.request

import pytest
from aiohttp.test_utils import TestClient, TestServer

from agentgen_bench import PromptConfig, Session, TaskSpec, play
from agentgen_bench.episodes import from_line, read_episodes, to_line
from agentgen_bench.families import BUILT_IN
from agentgen_bench.policies.scripted import OraclePolicy
from agentgen_bench.rollout import Job
from agentgen_bench.server import Limits, SessionServer
from tests.full_disk import files_of_at_most

SOKOBAN = {"env": "AgentGen/Sokoban-v0"}


LIMITS, WINDOW = Limits(), PromptConfig()


def talk(conversation, limits=LIMITS, prompt=WINDOW, output=None, say=print):
    """Run a conversation, a coroutine function of the client, with a server of its own."""

    async def whole():
        async with TestClient(TestServer(SessionServer(prompt, limits, output, say).application())) as client:
            return await conversation(client)

    return asyncio.run(whole())


async def post(client, path, data):
    async with client.post(path, json=data) as reply:
        return reply.status, await reply.json()


async def delete(client, shown):
    async with client.delete(f"/sessions/{shown['id']}") as reply:
        return reply.status


async def wait_until(is_so):
    for _ in range(200):
        if await is_so():
            return
        await asyncio.sleep(0.05)
    raise TimeoutError


@pytest.mark.parametrize("family", BUILT_IN)
def test_an_episode_over_http_is_the_one_that_a_session_records(family, tmp_path):
    spec = TaskSpec(family, difficulty="easy", split="test")
    (oracle,) = play([Job(spec, 2)], OraclePolicy())
    answers = [f"<action>{step.action}</action>" for step in oracle.steps]
    with Session(spec, 2) as session:
        views = [session.start(), *(session.answer(answer) for answer in answers)]

    async def conversation(client):
        _, shown = await post(client, "/sessions", {"spec": spec.to_json(), "seed": 2})
        replies = [shown]
        for answer in answers:
            replies.append((await post(client, f"/sessions/{shown['id']}/answer", {"answer": answer}))[1])
        async with client.get(f"/sessions/{shown['id']}/episode") as reply:
            return replies, from_line(await reply.text())

    replies, episode = talk(conversation, output=tmp_path / "episodes.jsonl")
    assert [(reply["text"], reply["reward"], reply["done"]) for reply in replies] == [
        (view.text, view.reward, view.done) for view in views
    ]
    assert [set(reply) & {"score", "success"} for reply in replies[:-1]] == [set()] * len(answers)
    assert (replies[-1]["success"], replies[-1]["score"]) == (True, 1.0)
    assert to_line(episode) == to_line(session.episode())
    assert [to_line(written) for written in read_episodes(tmp_path / "episodes.jsonl")] == [to_line(episode)]


def test_many_sessions_at_once_do_not_mix():
    async def conversation(client):
        async def one(seed):
            _, shown = await post(client, "/sessions", {**SOKOBAN, "seed": seed})
            for _ in range(3):
                _, last = await post(client, f"/sessions/{shown['id']}/answer", {"answer": "<action>up</action>"})
            return last["text"]

        return await asyncio.gather(*(one(seed) for seed in range(12)))

    texts = []
    for seed in range(12):
        with Session("AgentGen/Sokoban-v0", seed) as session:
            session.start()
            for _ in range(3):
                view = session.answer("<action>up</action>")
        texts.append(view.text)
    assert talk(conversation) == texts


def test_two_answers_at_once_play_one_after_the_other():
    async def conversation(client):
        _, shown = await post(client, "/sessions", SOKOBAN)
        path = f"/sessions/{shown['id']}/answer"
        replies = await asyncio.gather(*(post(client, path, {"answer": "<action>up</action>"}) for _ in range(8)))
        return sorted(reply["step"] for _, reply in replies)

    assert talk(conversation) == list(range(2, 10))


def test_a_frozen_level_with_a_protocol_of_its_own_and_calls_for_answers():
    async def conversation(client):
        asked = {"suite": "core-v1", "cell": 0, "index": 1, "prompt": {"protocol": "tools"}}
        _, shown = await post(client, "/sessions", asked)
        call = {"function": {"name": shown["tools"][0]["function"]["name"], "arguments": '{"direction": "up"}'}}
        return shown, await post(client, f"/sessions/{shown['id']}/answer", {"answer": [call]})

    shown, (status, reply) = talk(conversation)
    assert shown["starts_anew"]
    assert status == 200
    assert reply["action"] == "up" or reply["reason"]


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({}, "name one of env"),
        ({"env": "AgentGen/Chess-v0"}, "Chess"),
        ({**SOKOBAN, "suite": "smoke"}, "name one of env"),
        ({**SOKOBAN, "seed": -1}, "seed -1 is out of range"),
        ({**SOKOBAN, "seed": "x"}, "seed 'x' is out of range"),
        ({**SOKOBAN, "depth": 3}, "unknown field 'depth'; the fields are: cell, env"),
        ({**SOKOBAN, "prompt": {"protocol": "phone"}}, "unknown protocol 'phone'"),
        ({**SOKOBAN, "prompt": {"colour": 1}}, "prompt holds a setting that there is not: 'colour'; choose: history"),
        ({**SOKOBAN, "prompt": {"thinking": "no"}}, "thinking is 'no'; it takes true or false"),
        ({**SOKOBAN, "prompt": {"history_length": "2"}}, "history_length is '2'; it takes a whole number"),
        ({**SOKOBAN, "prompt": {"examples": 3}}, "examples is 3; it takes a list of messages"),
        ({**SOKOBAN, "prompt": 3}, "prompt is a int"),
        ({**SOKOBAN, "policy": ""}, "policy is the name of who answers"),
        ({"spec": {"env_id": "AgentGen/Sokoban-v0"}}, "not a task spec"),
        ({"suite": "smoke", "cell": 99}, "cell=99 is out of range"),
        ({"suite": "smoke", "cell": "1"}, "cell is '1'; send a whole number"),
        ([], "not a JSON object"),
    ],
)
def test_a_session_that_cannot_be_is_refused_with_the_reason(asked, message):
    status, reply = talk(lambda client: post(client, "/sessions", asked))
    assert status == 400
    assert message in reply["error"]


@pytest.mark.parametrize(
    ("sent", "status", "message"),
    [
        ({}, 400, "an answer is missing"),
        ({"answer": 3}, 400, "an answer under the protocol 'window' is a text"),
        ({"answer": "x", "prompt_tokens": -1}, 400, "prompt_tokens is '-1'"),
        ({"answer": "x", "prompt_tokens": 10**9}, 400, "prompt_tokens is 1000000000; a step takes 0 to 100,000,000"),
        ({"answer": "x", "finish_reason": 1}, 400, "finish_reason is a short string"),
        ({"answer": "x" * 2_000_000}, 413, "Too Large"),
    ],
)
def test_an_answer_that_is_none_costs_no_step(sent, status, message):
    async def conversation(client):
        _, shown = await post(client, "/sessions", SOKOBAN)
        path = f"/sessions/{shown['id']}/answer"
        return await post(client, path, sent), await post(client, path, {"answer": ""})

    (got, refused), (_, after) = talk(conversation)
    assert got == status
    assert message in refused["error"]
    assert after["step"] == 2


def test_what_is_no_json_and_what_is_not_there_are_refused():
    async def conversation(client):
        async with client.post("/sessions", data=b"{") as reply:
            broken = reply.status, await reply.json()
        async with client.get("/nowhere") as reply:
            nowhere = reply.status, await reply.json()
        return broken, nowhere, await post(client, "/sessions/0/answer", {"answer": ""})

    broken, nowhere, unknown = talk(conversation)
    assert (broken[0], nowhere[0], unknown[0]) == (400, 404, 404)
    assert "not JSON" in broken[1]["error"]
    assert "there is no session '0'" in unknown[1]["error"]


def test_no_more_sessions_than_allowed_are_held_until_one_is_closed():
    async def conversation(client):
        first, second, third = [await post(client, "/sessions", SOKOBAN) for _ in range(3)]
        async with client.delete(f"/sessions/{first[1]['id']}") as reply:
            closed = from_line(await reply.text())
        return second[0], third, closed, (await post(client, "/sessions", SOKOBAN))[0]

    second, third, closed, after = talk(conversation, Limits(sessions=2))
    assert (second, third[0], after) == (201, 429, 201)
    assert "2 sessions are open" in third[1]["error"]
    assert closed.error == "SessionError: the client closed the session before its end"


def test_a_session_without_requests_is_closed_and_recorded(tmp_path):
    async def conversation(client):
        _, shown = await post(client, "/sessions", SOKOBAN)
        for _ in range(100):
            await asyncio.sleep(0.05)
            async with client.get("/") as reply:
                if (await reply.json())["sessions"] == 0:
                    break
        return await post(client, f"/sessions/{shown['id']}/answer", {"answer": ""})

    status, _ = talk(conversation, Limits(idle_s=0.2), output=tmp_path / "episodes.jsonl")
    (episode,) = read_episodes(tmp_path / "episodes.jsonl")
    assert status == 404
    assert episode.error == "SessionError: no request came within 0.2 s"


def test_a_session_that_is_used_while_another_is_closed_is_not_idle(monkeypatch):
    closing, may_close = threading.Event(), threading.Event()
    close = Session.close

    def slow_close(session, reason):  # a simulator that takes its time
        closing.set()
        may_close.wait(20)
        close(session, reason)

    monkeypatch.setattr(Session, "close", slow_close)

    async def conversation(client):
        started = await asyncio.gather(*(post(client, "/sessions", SOKOBAN) for _ in range(2)))
        await asyncio.to_thread(closing.wait, 20)  # both are late by now, and the first is being closed
        path = f"/sessions/{started[1][1]['id']}/answer"
        used = await post(client, path, {"answer": ""})
        may_close.set()
        await asyncio.sleep(0.2)
        return used[0], (await post(client, path, {"answer": ""}))[0]

    assert talk(conversation, Limits(idle_s=1.0)) == (200, 200)


def test_a_record_that_cannot_be_written_is_said_and_tried_again_until_it_is(tmp_path):
    output, said = tmp_path / "episodes.jsonl", []

    async def conversation(client):
        async def is_said():
            return bool(said)

        async def is_empty():
            async with client.get("/") as reply:
                return (await reply.json())["sessions"] == 0

        with files_of_at_most(1000):
            await post(client, "/sessions", SOKOBAN)
            await wait_until(is_said)
            full, _ = await post(client, "/sessions", SOKOBAN)
        await wait_until(is_empty)
        return full, (await post(client, "/sessions", {**SOKOBAN, "seed": 1}))[0]

    assert talk(conversation, Limits(sessions=1, idle_s=0.2), output=output, say=said.append) == (429, 201)
    assert said == [f"cannot write {output}: No space left on device"]
    assert [episode.seed for episode in read_episodes(output)] == [0, 1]


def test_a_server_that_stops_closes_every_session_and_says_what_it_could_not_record(tmp_path):
    output, said = tmp_path / "episodes.jsonl", []

    async def whole():
        async with TestClient(TestServer(SessionServer(WINDOW, LIMITS, output, said.append).application())) as client:
            for seed in range(2):
                await post(client, "/sessions", {**SOKOBAN, "seed": seed})

    with files_of_at_most(1000):
        asyncio.run(whole())
    assert said[0].startswith(f"cannot write {output}: ")
    assert said[1:] == ["2 episodes are not recorded"]
    assert output.read_bytes() == b""


def test_a_torn_line_takes_no_other_episode_with_it(tmp_path):
    output = tmp_path / "episodes.jsonl"
    output.write_bytes(b'{"schema_version": 2, "spec"')  # a server that was killed left it

    async def conversation(client):
        started = [(await post(client, "/sessions", {**SOKOBAN, "seed": seed}))[1] for seed in range(3)]
        first = await delete(client, started[0])
        with files_of_at_most(output.stat().st_size + 500):
            second = await delete(client, started[1])
        return first, second, await delete(client, started[1]), await delete(client, started[2])

    assert talk(conversation, output=output) == (200, 500, 200, 200)
    assert [episode.seed for episode in read_episodes(output)] == [0, 1, 2]


def test_episodes_go_down_a_pipe_too(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)

    async def conversation(client):
        _, shown = await post(client, "/sessions", SOKOBAN)
        return await delete(client, shown)

    try:
        assert talk(conversation, output=pipe) == 200
        assert from_line(os.read(reader, 100_000).decode()).seed == 0
    finally:
        os.close(reader)


def test_an_unfinished_episode_has_no_record_yet():
    async def conversation(client):
        _, shown = await post(client, "/sessions", SOKOBAN)
        async with client.get(f"/sessions/{shown['id']}/episode") as reply:
            return reply.status, await reply.json()

    status, reply = talk(conversation)
    assert status == 400
    assert "the episode is not over" in reply["error"]


def test_the_verb_serves_until_it_is_interrupted():
    command = [sys.executable, "-m", "agentgen_bench", "serve", "--port", "0", "--protocol", "chat"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as server:
        try:
            url = re.search(r"http://\S+?:\d+", server.stderr.readline())[0]
            request = urllib.request.Request(f"{url}/sessions", json.dumps(SOKOBAN).encode())
            with urllib.request.urlopen(request) as reply:
                assert json.load(reply)["messages"][0]["role"] == "user"
            server.send_signal(signal.SIGINT)
            assert server.wait(20) == 130
        finally:
            server.kill()  # one that was started with interrupts ignored would be waited for without end


def test_a_server_that_is_terminated_records_its_sessions_as_one_that_is_interrupted(tmp_path):
    output = tmp_path / "episodes.jsonl"
    command = [sys.executable, "-m", "agentgen_bench", "serve", "--port", "0", "--output", str(output)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as server:
        try:
            url = re.search(r"http://\S+?:\d+", server.stderr.readline())[0]
            with urllib.request.urlopen(urllib.request.Request(f"{url}/sessions", json.dumps(SOKOBAN).encode())):
                server.send_signal(signal.SIGTERM)
            assert server.wait(20) == 0
        finally:
            server.kill()
    (episode,) = read_episodes(output)
    assert episode.error == "SessionError: the server was stopped before the episode's end"
