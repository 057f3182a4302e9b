"""Sessions over HTTP: the same episodes, and clients that misbehave."""

import asyncio
import json
import re
import signal
import subprocess
import sys
import urllib.request

import pytest
from aiohttp.test_utils import TestClient, TestServer

from agentgen_bench import PromptConfig, Session, TaskSpec, play
from agentgen_bench.episodes import from_line, read_episodes, to_line
from agentgen_bench.families import BUILT_IN
from agentgen_bench.policies.scripted import OraclePolicy
from agentgen_bench.rollout import Job
from agentgen_bench.server import Limits, SessionServer

SOKOBAN = {"env": "AgentGen/Sokoban-v0"}


LIMITS, WINDOW = Limits(), PromptConfig()


def talk(conversation, limits=LIMITS, prompt=WINDOW, output=None):
    """Run a conversation, a coroutine function of the client, with a server of its own."""

    async def whole():
        async with TestClient(TestServer(SessionServer(prompt, limits, output).application())) as client:
            return await conversation(client)

    return asyncio.run(whole())


async def post(client, path, data):
    async with client.post(path, json=data) as reply:
        return reply.status, await reply.json()


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
        ({**SOKOBAN, "prompt": {"colour": 1}}, "prompt holds a setting that there is not"),
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
