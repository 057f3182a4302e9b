"""How servers differ, and what of them must not matter, leak, hang or lie."""

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from agentgen_bench.address import clean_key, parse_address, shown_command, shown_url
from agentgen_bench.errors import PolicyError
from agentgen_bench.parsing import ParseReason
from agentgen_bench.policies.http import MAX_BODY_BYTES
from agentgen_bench.policies.sampling import Sampling
from agentgen_bench.prompts import History, PromptConfig
from tests.policies.stub_server import Reply, StubServer, completion, policy, refusal

UP = "<action>up</action>"
REACT = PromptConfig(action_format="react")
WARM = Sampling(temperature=1.0)


def served(owner: str, **more: Any) -> Reply:
    return Reply(200, {"data": [{"id": "tiny", "owned_by": owner, **more}]})


@contextmanager
def raw_server(talk: Callable[[socket.socket], None]) -> Iterator[str]:
    """Serve /models as absent, and let `talk` answer every other request on its socket."""

    def serve(connection: socket.socket) -> None:
        with connection:
            request = connection.recv(65536)
            if b"/models" in request:
                connection.sendall(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
                return
            try:
                talk(connection)
            except OSError:
                return

    def accept() -> None:
        while True:
            try:
                connection, _ = listening.accept()
            except OSError:
                return
            threading.Thread(target=serve, args=(connection,), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as listening:
        threading.Thread(target=accept, daemon=True).start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}/v1"
        listening.shutdown(socket.SHUT_RDWR)


# Why a completion ended


def test_why_a_completion_ended_is_part_of_the_decision(server: StubServer, histories: list[History]) -> None:
    server.answer = lambda payload, n: completion(UP, "stop")
    assert policy(server).act(histories[:1])[0].finish_reason == "stop"


def test_a_completion_cut_in_a_thought_holds_no_action(server: StubServer, histories: list[History]) -> None:
    text = "Okay. I could answer <action>down</action> but then the box is stuck, so let me th"
    server.answer = lambda payload, n: completion(text, "length")
    decision = policy(server).act(histories[:1])[0]
    assert (decision.action, decision.reason, decision.finish_reason) == (None, ParseReason.UNCLOSED, "length")


def test_a_completion_cut_in_its_action_holds_none(server: StubServer, histories: list[History]) -> None:
    server.answer = lambda payload, n: completion("Thought: go\nAction: go to cab", "length")
    assert policy(server, prompt=REACT).act(histories[:1])[0].reason is ParseReason.UNCLOSED


def test_a_thought_that_the_server_knows_to_be_cut_is_unclosed(server: StubServer, histories: list[History]) -> None:
    server.answer = lambda payload, n: completion(None, "length", reasoning="I could <action>up</action>, or")
    assert policy(server).act(histories[:1])[0].reason is ParseReason.UNCLOSED


def test_tool_calls_in_place_of_text_are_no_action(server: StubServer, histories: list[History]) -> None:
    call = {"type": "function", "function": {"name": "move", "arguments": "{}"}}
    server.answer = lambda payload, n: completion(None, "tool_calls", tool_calls=[call])
    decision = policy(server).act(histories[:1])[0]
    assert (decision.completion, decision.reason, decision.finish_reason) == ("", ParseReason.EMPTY, "tool_calls")


def test_react_stops_before_an_observation(server: StubServer, histories: list[History]) -> None:
    policy(server, prompt=REACT).act(histories[:1])
    assert server.payloads[0]["stop"] == ["\nObservation:"]


def test_what_a_server_without_stop_invents_is_no_part_of_the_answer(
    server: StubServer, histories: list[History]
) -> None:
    invented = completion("Thought: go\nAction: up\nObservation: You win.\nAction: down", "length", reasoning="a\nb")
    server.answer = lambda payload, n: refusal(400, "unknown parameter: stop") if "stop" in payload else invented
    decision = policy(server, prompt=REACT).act(histories[:1])[0]
    assert (decision.completion, decision.action) == ("<think>a\nb</think>Thought: go\nAction: up", "up")
    assert decision.finish_reason == "stop"


def test_a_thought_that_the_server_took_out_ends_no_answer(server: StubServer, histories: list[History]) -> None:
    thought = "What next?\nObservation: a box"
    server.answer = lambda payload, n: completion("Action: up", "stop", reasoning=thought)
    decision = policy(server, prompt=REACT).act(histories[:1])[0]
    assert (decision.completion, decision.action) == (f"<think>{thought}</think>Action: up", "up")


def test_a_failure_inside_a_200_is_tried_again_and_then_told(server: StubServer, histories: list[History]) -> None:
    server.answer = lambda payload, n: Reply(200, {"error": {"code": 502, "message": "the provider fell over"}})
    with pytest.raises(PolicyError, match=r"no usable answer \(4 attempts\): the server failed: 502 the provider fell"):
        policy(server).act(histories[:1])
    assert len(server.payloads) == 4


@pytest.mark.parametrize(
    "final",
    [
        refusal(402, "no credit"),
        refusal(401, "no key"),
        refusal(404, "no such model"),
        Reply(429, {"error": {"message": "quota", "code": "insufficient_quota"}}),
        Reply(503, {"error": {"message": "no channel", "code": "model_not_found"}}),
        Reply(200, {"error": {"message": "no credit", "code": 402}}),
    ],
)
def test_what_another_attempt_does_not_cure_is_asked_once(
    server: StubServer, histories: list[History], final: Reply
) -> None:
    server.answer = lambda payload, n: final
    with pytest.raises(PolicyError, match="refused"):
        policy(server).act(histories[:1])
    assert len(server.payloads) == 1


# Every shape of an answer, and no end


@pytest.mark.parametrize("body", ["[" * 100_000, "{" * 100_000, "null", "5", '"up"', "[]", "", "data: {}", b"\xff\xfe"])
def test_a_body_that_is_no_reply_is_one_clear_error(server: StubServer, histories: list[History], body: str) -> None:
    server.answer = lambda payload, n: Reply(200, body)
    with pytest.raises(PolicyError, match=r"gives no usable answer \(2 attempts\): an answer without choices"):
        policy(server, retries=1).act(histories[:1])


def test_a_count_of_a_thousand_digits_costs_no_answer(server: StubServer, histories: list[History]) -> None:
    body = '{"choices": [{"message": {"content": "<action>up</action>"}}], "usage": {"prompt_tokens": %s}}'
    server.answer = lambda payload, n: Reply(200, body % ("9" * 5000))
    assert policy(server).act(histories[:1])[0].action == "up"


def test_a_body_without_end_is_one_clear_error(histories: list[History]) -> None:
    def talk(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            connection.sendall(b" " * 65536)

    with raw_server(talk) as url, pytest.raises(PolicyError, match=f"longer than {MAX_BODY_BYTES} bytes"):
        policy(StubServer(), url=url).act(histories[:1])


@pytest.mark.parametrize("start", [b"HTTP/1.1 200 OK\r\n\r\n", b"HTTP/1.1 200 OK\r\nX-Slow: "])
def test_the_time_limit_is_for_the_whole_answer(histories: list[History], start: bytes) -> None:
    def talk(connection: socket.socket) -> None:
        connection.sendall(start)
        while True:
            connection.sendall(b" ")
            time.sleep(0.05)

    with raw_server(talk) as url, pytest.raises(PolicyError, match=r"no whole answer within 0\.3 s"):
        policy(StubServer(), url=url, timeout_s=0.3, retries=0).act(histories[:1])


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_keeps_the_request(server: StubServer, histories: list[History], status: int) -> None:
    moved = Reply(status, "", {"Location": "/v1/chat/completions"})
    server.others["/old/chat/completions"] = moved
    server.others["/old/models"] = Reply(status, "", {"Location": "/v1/models"})
    asked = policy(server, url=server.url.replace("/v1", "/old"))
    assert asked.act(histories[:1])[0].action == "up"
    assert histories[0].observation in server.payloads[0]["messages"][0]["content"]


def test_a_redirect_to_another_host_is_not_followed(server: StubServer) -> None:
    server.models = Reply(307, "", {"Location": "http://me:word@example.invalid/v1/models?key=word"})
    with pytest.raises(PolicyError, match=r"sends us on to http://example\.invalid/v1/models; give that address"):
        policy(server)


def test_a_circle_of_redirects_ends(server: StubServer) -> None:
    server.models = Reply(307, "", {"Location": "/v1/models"})
    with pytest.raises(PolicyError, match="around in a circle"):
        policy(server)


# Parameters


def picky(**refused: str) -> Callable[[dict[str, Any], int], Reply]:
    """Refuse each of these parameters with its message, one at a time."""

    def answer(payload: dict[str, Any], n: int) -> Reply:
        return next((refusal(400, said) for name, said in refused.items() if name in payload), completion(UP, "stop"))

    return answer


def test_what_the_server_refuses_is_left_out_said_once_and_recorded(
    server: StubServer, histories: list[History]
) -> None:
    server.answer = picky(
        max_tokens="Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead.",
        seed="Unsupported parameter: 'seed' is not supported with this model.",
        temperature="Unsupported parameter: 'temperature' is not supported with this model.",
    )
    said: list[str] = []
    asked = policy(server, WARM, say=said.append)
    assert [decision.action for decision in asked.act(histories[:8])] == ["up"] * 8
    assert sorted(line.split(" does not take ")[1].split(";")[0] for line in said) == [
        "max_tokens",
        "seed",
        "temperature",
    ]
    description = asked.describe()
    assert description["refused"] == ["max_tokens", "seed", "temperature"]
    assert description["sent"] == {"max_completion_tokens": 512}


def test_a_validation_error_names_what_is_refused(server: StubServer, histories: list[History]) -> None:
    detail = [{"type": "extra_forbidden", "loc": ["body", "seed"], "msg": "Extra inputs are not permitted"}]
    server.answer = lambda payload, n: Reply(422, {"detail": detail}) if "seed" in payload else completion(UP)
    assert policy(server).act(histories[:1])[0].action == "up"


@pytest.mark.parametrize("thinking", [True, False])
def test_a_tokenizer_without_a_template_is_sent_no_switch_of_one(
    server: StubServer, histories: list[History], thinking: bool
) -> None:
    server.models = served("vllm")
    server.answer = picky(chat_template_kwargs="chat_template is not supported for Mistral tokenizers.")
    said: list[str] = []
    asked = policy(server, prompt=PromptConfig(thinking=thinking), say=said.append)
    assert asked.act(histories[:1])[0].action == "up"
    assert said[0].endswith("stands in the prompt alone") == (not thinking)
    assert (asked.describe()["refused"], "chat_template_kwargs" in server.payloads[-1]) == (
        ["chat_template_kwargs"],
        False,
    )


def test_both_length_fields_may_be_refused(server: StubServer, histories: list[History]) -> None:
    server.answer = picky(max_tokens="unknown field max_tokens", max_completion_tokens="unknown field")
    with pytest.raises(PolicyError, match="unknown field"):
        policy(server).act(histories[:1])
    server.answer = picky(max_tokens="unknown max_tokens", max_completion_tokens="unknown max_completion_tokens")
    assert policy(server).act(histories[:1])[0].action == "up"


@pytest.mark.parametrize(
    ("sampling", "name", "advice"),
    [
        (Sampling(), "temperature", "--temperature 1"),
        (Sampling(temperature=1.0, top_p=0.9), "top_p", "--top-p 1"),
    ],
)
def test_leaving_out_what_was_asked_for_is_an_error(
    server: StubServer, histories: list[History], sampling: Sampling, name: str, advice: str
) -> None:
    server.answer = picky(**{name: f"Unsupported value: '{name}' does not support it with this model."})
    with pytest.raises(PolicyError, match=f"does not take {name}=.*; run with {advice}"):
        policy(server, sampling).act(histories[:1])


def test_of_two_parameters_that_exclude_each_other_the_usual_one_goes(
    server: StubServer, histories: list[History]
) -> None:
    said = "temperature and top_p cannot both be specified"
    server.answer = lambda payload, n: (
        refusal(400, said) if {"temperature", "top_p"} <= set(payload) else completion(UP)
    )
    asked = policy(server, Sampling(temperature=1.0, top_p=0.9))
    assert asked.act(histories[:1])[0].action == "up"
    assert (asked.describe()["refused"], server.payloads[-1]["top_p"]) == (["temperature"], 0.9)


def test_what_is_usual_is_not_sent_to_servers_we_do_not_know(server: StubServer, histories: list[History]) -> None:
    asked = policy(server, WARM)
    asked.act(histories[:1])
    assert not {"top_p", "top_k", "min_p", "stop", "chat_template_kwargs"} & set(server.payloads[0])
    assert asked.describe()["left_to_server"] == ["top_k", "min_p", "repetition_penalty"]


@pytest.mark.parametrize(
    ("owner", "neutral"),
    [
        ("vllm", {"top_k": -1, "min_p": 0.0, "repetition_penalty": 1.0, "top_p": 1.0}),
        ("sglang", {"top_k": -1, "min_p": 0.0, "repetition_penalty": 1.0, "top_p": 1.0}),
        ("llamacpp", {"top_k": 0, "min_p": 0.0, "typical_p": 1.0, "repeat_penalty": 1.0, "top_p": 1.0}),
        ("lmdeploy", {"top_k": 0, "min_p": 0.0, "repetition_penalty": 1.0, "top_p": 1.0}),
    ],
)
def test_what_an_engine_would_add_is_overridden(
    server: StubServer, histories: list[History], owner: str, neutral: dict[str, float]
) -> None:
    server.models = served(owner)
    policy(server, WARM).act(histories[:1])
    assert {name: server.payloads[0][name] for name in neutral} == neutral


def test_an_engine_that_does_not_know_a_neutral_parameter_is_not_sent_it(
    server: StubServer, histories: list[History]
) -> None:
    server.models = served("llamacpp")
    server.answer = picky(typical_p="unknown argument typical_p")
    asked = policy(server, WARM)
    assert asked.act(histories[:1])[0].action == "up"
    assert asked.describe()["refused"] == ["typical_p"]


def test_a_description_is_complete_before_the_first_step(server: StubServer) -> None:
    server.answer = picky(seed="unsupported parameter seed")
    assert policy(server).describe()["refused"] == ["seed"]
    assert len(server.payloads) == 2


# The list of models, the template


ABSENT = [refusal(status, "no") for status in (400, 403, 404, 405, 500, 501, 503)]
STRANGE = [Reply(200, "<html>"), Reply(200, {"data": "none"}), Reply(200, {"data": [5, {}]})]


@pytest.mark.parametrize("models", [*ABSENT, *STRANGE])
def test_the_list_of_models_is_optional(server: StubServer, histories: list[History], models: Reply) -> None:
    server.models = models
    assert policy(server, retries=1).act(histories[:1])[0].action == "up"


@pytest.mark.parametrize(
    ("rows", "context"),
    [
        ([{"id": "base", "max_model_len": 4096}, {"id": "tiny", "parent": "base", "max_model_len": None}], 4096),
        ([{"id": "tiny", "meta": {"n_ctx": 2048, "n_ctx_train": 32768}}], 2048),
        ([{"id": "tiny", "max_model_len": "many"}], None),
        ([{"id": "tiny", "parent": "gone"}], None),
    ],
)
def test_the_context_is_found_where_the_server_tells_it(
    server: StubServer, rows: list[dict[str, Any]], context: int | None
) -> None:
    server.models = Reply(200, {"data": rows})
    assert policy(server).describe()["max_model_len"] == context


def test_a_server_that_writes_nothing_over_a_long_prompt_has_no_room(
    server: StubServer, histories: list[History]
) -> None:
    empty = completion("", "length")  # LMDeploy
    empty.body["usage"]["completion_tokens"] = 0
    server.answer = lambda payload, n: empty if n == 1 else completion(UP)
    decision = policy(server).act([histories[7]])[0]
    assert (decision.action, decision.dropped_turns) == ("up", 1)


def test_what_vllm_writes_around_a_prompt_is_recorded_and_its_open_thought_put_back(
    server: StubServer, histories: list[History]
) -> None:
    server.models = served("vllm")
    server.others["/tokenize"] = Reply(200, {"tokens": [1, 2, 3]})
    before, after = "<s>You are Qwen.</s><user>", "</user><assistant><think>\n"
    server.others["/detokenize"] = Reply(200, {"prompt": f"{before}[the prompt]{after}"})
    server.answer = lambda payload, n: completion("I could <action>down</action> and", "stop")
    asked = policy(server)
    decision = asked.act(histories[:1])[0]
    assert (decision.completion[:7], decision.reason) == ("<think>", ParseReason.UNCLOSED)
    assert asked.describe()["template_writes"] == {"before": before, "after": after}


def opening_a_thought(server: StubServer) -> None:
    """Make the server a vLLM whose template opens the model's thought."""
    server.models = served("vllm")
    server.others["/tokenize"] = Reply(200, {"tokens": [1, 2, 3]})
    server.others["/detokenize"] = Reply(200, {"prompt": "<user>[the prompt]</user><assistant><think>\n"})


@pytest.mark.parametrize("field", ["reasoning_content", "reasoning"])
def test_an_empty_thought_that_the_server_took_out_is_not_opened_again(
    server: StubServer, histories: list[History], field: str
) -> None:
    opening_a_thought(server)
    server.answer = lambda payload, n: completion(UP, "stop", **{field: ""})
    decision = policy(server).act(histories[:1])[0]
    assert (decision.completion, decision.action) == (UP, "up")


def test_a_server_that_took_a_thought_out_before_has_taken_out_an_empty_one(
    server: StubServer, histories: list[History]
) -> None:
    opening_a_thought(server)
    thoughtful, bare = completion("ok", "stop", reasoning="hm"), completion(UP, "stop", reasoning=None)
    server.answer = lambda payload, n: thoughtful if n == 1 else bare
    asked = policy(server)
    asked.describe()  # the question before a run
    assert asked.act(histories[:1])[0].action == "up"


def test_a_thought_that_the_length_cut_off_is_open_whatever_the_server_did_before(
    server: StubServer, histories: list[History]
) -> None:
    opening_a_thought(server)
    cut = completion(f"{UP} could be, or", "length")  # a server that leaves a thought without its end where it is
    server.answer = lambda payload, n: completion("ok", "stop", reasoning="hm") if n == 1 else cut
    asked = policy(server)
    asked.describe()
    assert asked.act(histories[:1])[0].reason is ParseReason.UNCLOSED


def test_what_llama_cpp_writes_around_a_prompt_is_recorded(server: StubServer) -> None:
    server.models = served("llamacpp")
    server.others["/apply-template"] = Reply(200, {"prompt": "<system>[the prompt]<assistant>"})
    writes = policy(server).describe()["template_writes"]
    assert writes == {"before": "<system>", "after": "<assistant>"}


def test_a_local_template_tells_the_same(tiny_model: Path) -> None:
    from agentgen_bench.policies.transformers import TransformersPolicy

    local = TransformersPolicy(tiny_model, PromptConfig(system_prompt="Be brief."), Sampling(max_tokens=8))
    writes = local.describe()["template_writes"]
    assert "Be brief." in writes["before"]
    assert writes["after"].endswith("assistant\n")


# Secrets

SECRET = "MADEUP-word"


def test_a_key_with_white_space_is_stripped(
    server: StubServer, histories: list[History], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", f" {SECRET}\r\n")
    policy(server).act(histories[:1])
    assert server.headers[0]["Authorization"] == f"Bearer {SECRET}"


@pytest.mark.parametrize("key", [f"{SECRET}\u2605", f"{SECRET}\nX-Evil: 1", f"{SECRET} and", f"\x00{SECRET}"])
def test_an_impossible_key_is_refused_without_it(server: StubServer, key: str) -> None:
    with pytest.raises(PolicyError, match="KEY is no API key: its character") as caught:
        clean_key(key, "KEY")
    assert SECRET not in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


def test_user_password_and_query_are_sent_and_never_shown(
    server: StubServer, histories: list[History], capsys: pytest.CaptureFixture[str]
) -> None:
    said: list[str] = []
    url = server.url.replace("//", f"//me:{SECRET}@") + f"?key={SECRET}-2"
    asked = policy(server, url=url, say=said.append)
    asked.act(histories[:1])
    assert (server.headers[0]["Authorization"], server.paths[-1].partition("?")[2]) == (
        "Basic bWU6TUFERVVQLXdvcmQ=",
        f"key={SECRET}-2",
    )
    server.answer = lambda payload, n: refusal(503, f"Bearer {SECRET}-2 of me:{SECRET} \x1b[31m is busy")
    with pytest.raises(PolicyError, match=r"503 Bearer \[key\] of \[key\] \[31m is busy") as caught:
        asked.act(histories[:1])
    everything = f"{caught.value} {said} {asked.describe()} {capsys.readouterr()} {asked.base_url}"
    assert SECRET not in everything


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        (f"http://me:{SECRET}@host:8000/v1?key={SECRET}#x", "http://host:8000/v1"),
        (f"me:{SECRET}@host/v1", "host/v1"),
        (f"http://me:{SECRET}/x@host/v1", "http://host/v1"),
        (f"http://me:{SECRET}?x@host/v1", "http://host/v1"),
        (f"ftp://me:{SECRET}@host/v1", "ftp://host/v1"),
        ("http://[::1/v1", "http://[::1/v1"),
    ],
)
def test_a_url_shows_no_secret_even_where_it_is_none(url: str, shown: str) -> None:
    assert shown_url(url) == shown
    if shown != "http://host:8000/v1":
        with pytest.raises(PolicyError, match="is no server URL") as caught:
            parse_address(url)
        assert SECRET not in str(caught.value)


def test_a_command_line_shows_no_secret() -> None:
    words = ["--base-url", f"http://me:{SECRET}@host/v1", f"--base-url=https://host/v1?key={SECRET}", "--set", "a=1"]
    assert shown_command(words) == ["--base-url", "http://host/v1", "--base-url=https://host/v1", "--set", "a=1"]


def test_a_secret_is_not_in_the_representation() -> None:
    assert SECRET not in repr(parse_address(f"http://me:{SECRET}@host/v1?key={SECRET}"))
    assert json.loads(json.dumps({"url": parse_address(f"http://me:{SECRET}@host/v1").shown})) == {
        "url": "http://host/v1"
    }
