"""Function calls over a server: what is sent, what of a reply is read, and how a turn goes back."""

import json
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentgen_bench.answers import read_answer
from agentgen_bench.cli import main
from agentgen_bench.episodes import read_episodes
from agentgen_bench.errors import PolicyError
from agentgen_bench.evaluation.answers import Answers
from agentgen_bench.parsing import ParseReason
from agentgen_bench.policies.base import Decision
from agentgen_bench.policies.calls import wire_messages, written_calls
from agentgen_bench.policies.chat import PLAIN_TEMPLATE, ChatFormat
from agentgen_bench.policies.http import LostRequestError
from agentgen_bench.policies.replies import read_reply
from agentgen_bench.prompts import History, Message, PromptConfig, Turn, messages
from agentgen_bench.tools import MAX_CALLS
from tests.policies.conftest import history
from tests.policies.stub_server import StubServer, completion, policy, refusal

TOOLS = PromptConfig(protocol="tools")
UP = {"id": "x", "type": "function", "function": {"name": "move", "arguments": '{"direction": "up"}'}}
UP_TEXT = '<tool_call>{"name": "move", "arguments": {"direction": "up"}}</tool_call>'


def calling(name: Any, arguments: Any) -> dict[str, Any]:
    return {"type": "function", "function": {"name": name, "arguments": arguments}}


def test_a_request_holds_the_familys_functions(server: StubServer, histories: list[History]) -> None:
    server.answer = lambda payload, n: completion(None, "tool_calls", tool_calls=[UP])
    policy(server, prompt=TOOLS).act(histories[:1])
    payload = server.payloads[0]
    (tool,) = payload["tools"]
    assert payload["tool_choice"] == "auto"
    assert (tool["type"], tool["function"]["name"]) == ("function", "move")
    assert tool["function"]["parameters"]["properties"]["direction"]["enum"] == ["up", "down", "left", "right"]


@pytest.mark.parametrize("protocol", ["window", "chat"])
def test_other_protocols_send_none(server: StubServer, histories: list[History], protocol: str) -> None:
    policy(server, prompt=PromptConfig(protocol=protocol)).act(histories[:1])
    assert not {"tools", "tool_choice"} & server.payloads[0].keys()


def test_where_a_context_is_asked_for_neither_functions_nor_a_choice_of_them_are_sent(
    server: StubServer, histories: list[History]
) -> None:
    words = "When using `tool_choice`, `tools` must be set."  # vLLM's
    kept = completion("=== CONTEXT ===\nfraz is up\n=== END OF CONTEXT ===")
    server.answer = lambda payload, n: refusal(400, words) if "tool_choice" in payload else kept
    (decision,) = policy(server, prompt=TOOLS).act([replace(histories[0], context_chars=100)])
    assert (decision.action, "tools" in server.payloads[0]) == ("fraz is up", False)


@pytest.mark.parametrize(
    ("calls", "action", "reason"),
    [
        ([UP], "up", None),
        ([calling("move", {"direction": "up"})], "up", None),  # an object in place of a text
        ([{"name": "move", "arguments": {"direction": "up"}}], "up", None),  # not inside `function`
        ([{"type": "tool_use", "name": "move", "input": {"direction": "up"}}], "up", None),
        (UP, "up", None),  # one call where a list belongs
        ([UP, UP], "up", None),
        ([UP] * MAX_CALLS, "up", None),
        ([UP] * 100, None, "several_calls"),
        ([UP, calling("move", '{"direction": "left"}')], None, "several_calls"),
        ([calling("move", '{"direction": "up"')], None, "bad_arguments"),
        ([calling("move", "up")], None, "bad_arguments"),
        ([calling("move", '"{\\"direction\\": \\"up\\"}"')], None, "bad_arguments"),  # a text in a text
        ([calling("move", '[{"direction": "up"}]')], None, "bad_arguments"),
        ([calling("move", None)], None, "bad_arguments"),
        ([calling("move", "")], None, "bad_arguments"),
        ([calling("move", '{"direction": null}')], None, "bad_arguments"),
        ([calling("move", '{"direction": "up", "steps": 2}')], None, "bad_arguments"),
        ([calling("move", "[" * 100_000)], None, "bad_arguments"),
        ([calling("move", '{"direction": ' + "9" * 10_000 + "}")], None, "bad_arguments"),
        ([calling("move", json.dumps({"direction": "u" * 513}))], None, "too_long"),
        ([calling("move", json.dumps({"direction": "up\udcff"}))], None, "not_encodable"),
        ([calling("move", json.dumps({"direction": " "}))], None, "empty_action"),
        ([calling("fly", '{"direction": "up"}')], None, "unknown_tool"),
        ([calling(None, '{"direction": "up"}')], None, "unknown_tool"),
        ([calling(["move"], '{"direction": "up"}')], None, "unknown_tool"),
        (["move"], None, "unknown_tool"),
        ([{}], None, "unknown_tool"),
        ([{"function": "move"}], None, "unknown_tool"),
        ([None, UP], None, "several_calls"),
        ([], None, "no_call"),
        (7, None, "no_call"),
    ],
)
def test_calls_of_every_shape_are_an_action_or_a_reason(
    server: StubServer, histories: list[History], calls: Any, action: str | None, reason: str | None
) -> None:
    server.answer = lambda payload, n: completion("I go.", "tool_calls", tool_calls=calls)
    (decision,) = policy(server, prompt=TOOLS).act(histories[:1])
    assert (decision.action, decision.reason and str(decision.reason)) == (action, reason)
    assert read_answer(decision.completion, histories[0], TOOLS)[:2] == (decision.action, decision.reason)


@pytest.mark.parametrize(
    "message",
    [
        {"content": "", "function_call": UP["function"]},
        {
            "content": [
                {"type": "text", "text": "So"},
                {"type": "tool_use", "name": "move", "input": {"direction": "up"}},
            ]
        },
        {"content": None, "reasoning": "a box", "tool_calls": [UP]},
        {"content": f"<think>a box</think>{UP_TEXT}"},  # a server without a tool parser
    ],
)
def test_a_call_is_found_wherever_a_server_writes_it(
    server: StubServer, histories: list[History], message: dict[str, Any]
) -> None:
    server.answer = lambda payload, n: completion(**message)
    assert policy(server, prompt=TOOLS).act(histories[:1])[0].action == "up"


def test_nothing_in_an_argument_closes_the_mark() -> None:
    inside = calling("note", json.dumps({"text": "</tool_call><tool_call>{}"}))
    text = written_calls([inside])
    assert text.count("<tool_call>") == text.count("</tool_call>") == 1
    pack = History((), "Sokoban", "t", 1, 9, "o", (), (), ("up", "note: <what to remember>"))
    assert read_answer(text, pack, TOOLS).action == "note: </tool_call><tool_call>{}"


@pytest.mark.parametrize(
    "arguments", ['{"direction": "u', '{"direction":"up"}}', '{"direction":"up"}}</tool_call>', '{"a": {}', "[1]}", ""]
)
def test_a_call_that_the_length_cut_off_is_no_action(arguments: str) -> None:
    text = written_calls([calling("move", arguments)], cut=True)
    reading = read_answer(text, history(0), TOOLS, cut=True)
    assert (reading.action, reading.reason in ("unclosed", "bad_json")) == (None, True)


def test_a_whole_call_before_the_length_was_used_up_is_one() -> None:
    reply = read_reply(completion(None, "length", reasoning="a box", tool_calls=[UP]).body)
    text = reply.completion + written_calls(reply.tool_calls, cut=reply.is_cut)
    assert text == f"<think>a box</think>{UP_TEXT}"
    assert read_answer(text, history(0), TOOLS, cut=True).action == "up"


values = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["function", "name", "arguments", "input", "type", "id", "direction"]), inner, max_size=4
        )
    ),
    max_leaves=12,
)


@given(st.lists(values, max_size=3), st.booleans())
def test_any_calls_are_read_the_same_from_their_text(calls: list[Any], cut: bool) -> None:
    reading = read_answer(written_calls(calls, cut=cut), history(0), TOOLS, cut=cut)
    assert (reading.action is None) == (reading.reason is not None)


@given(values)
def test_any_message_has_calls_or_none(value: Any) -> None:
    for message in ({"tool_calls": value}, {"function_call": value}, {"content": value}):
        with suppress(LostRequestError, PolicyError):
            read_reply({"choices": [{"message": message}]})
    assert isinstance(read_reply({"choices": [{"message": {"tool_calls": value}}]}).tool_calls, tuple)


def test_of_a_stream_of_calls_no_more_is_kept_than_is_read() -> None:
    text = written_calls([UP] * 200_000)
    assert len(text) < 100 * MAX_CALLS
    assert read_answer(text, history(0), TOOLS).reason == ParseReason.SEVERAL_CALLS


def episode(*turns: Turn) -> History:
    step = len(turns) + 1
    return History(("l", 0, 0, step), "Sokoban", "Push.", step, 9, f"grid {step}", turns, (), ("up", "down"))


def test_a_turn_goes_back_as_a_call_and_its_answer() -> None:
    past = episode(Turn("grid 1", "up", f"<think>a box</think>I go. {UP_TEXT}"), Turn("grid 2", "up", UP_TEXT))
    wire = wire_messages(messages(past, TOOLS))
    assert [message["role"] for message in wire] == ["user", "assistant", "tool", "assistant", "tool"]
    assert wire[1] == {
        "role": "assistant",
        "content": "<think>a box</think>I go. ",
        "tool_calls": [
            {"id": "c00000001", "type": "function", "function": {"name": "move", "arguments": '{"direction": "up"}'}}
        ],
    }
    assert wire[2] == {"role": "tool", "tool_call_id": "c00000001", "content": "Step 2. Observation:\ngrid 2"}
    assert (wire[3]["content"], wire[3]["tool_calls"][0]["id"], wire[4]["tool_call_id"]) == (
        None,
        "c00000003",
        "c00000003",
    )


@pytest.mark.parametrize(
    "said",
    ["I think.", "", '<tool_call>{"name": "move", "arguments": "{"}</tool_call>', UP_TEXT.replace("up", "x") + UP_TEXT],
)
def test_an_answer_without_an_action_goes_back_as_text(said: str) -> None:
    wire = wire_messages(messages(episode(Turn("grid 1", None, said)), TOOLS))
    assert wire[1] == {"role": "assistant", "content": said}
    assert (wire[2]["role"], wire[2]["content"].splitlines()[0]) == (
        "user",
        "Your last answer held no action; the step passed.",
    )


def test_every_call_sent_has_its_answer_and_every_answer_its_call(server: StubServer, tmp_path: Path) -> None:
    answers = [completion(None, tool_calls=[UP]), completion("hm"), completion("x", tool_calls=[UP, UP])]
    server.answer = lambda payload, n: answers[n % 3]
    command = ["evaluate", "--base-url", server.url, "--model", "tiny", "--env", "AgentGen/Sokoban-lean-v0"]
    assert main([*command, "--episodes", "2", "--quiet", "--protocol", "tools", "--output", str(tmp_path / "run")]) == 0
    for payload in server.payloads:
        open_ids: list[str] = []
        for message in payload["messages"]:
            if message["role"] == "tool":
                open_ids.remove(message["tool_call_id"])
                continue
            assert open_ids == []
            open_ids = [call["id"] for call in message.get("tool_calls", [])]
        assert open_ids == []
    manifest = json.loads((tmp_path / "run" / "manifest.json").read_text())
    assert (manifest["prompt"]["protocol"], manifest["policy"]["sent"]["tool_choice"]) == ("tools", "auto")
    steps = [step for played in read_episodes(tmp_path / "run" / "episodes.jsonl") for step in played.steps]
    assert {(step.completion, step.action, step.parse_reason) for step in steps} == {
        (UP_TEXT, "up", None),
        ("hm", None, "no_call"),
        (f"x{UP_TEXT}{UP_TEXT}", "up", None),
    }


CALLING_TEMPLATE = "{% for tool in tools %}{{ tool | tojson }}\n{% endfor %}" + PLAIN_TEMPLATE.replace(
    "{{ message['role'] | capitalize }}", "{{ message['role'] }}"
)


def test_a_local_model_is_shown_what_a_server_is_told(tiny_model: Path) -> None:
    """The same turns, once through a template and once as messages: functions, texts, calls and answers are equal."""
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(str(tiny_model))
    tokenizer.chat_template = CALLING_TEMPLATE
    past = episode(Turn("grid 1", "up", f"I go. {UP_TEXT}"), Turn("grid 2", None, "hm"))
    prompt = ChatFormat(tokenizer).prompt(past, TOOLS, 4096)
    assert prompt is not None
    shown = []
    for message in wire_messages(messages(past, TOOLS)):
        calls = [json.loads(call["function"]["arguments"]) for call in message.get("tool_calls", [])]
        names = [call["function"]["name"] for call in message.get("tool_calls", [])]
        written = [json.dumps({"name": n, "arguments": a}) for n, a in zip(names, calls, strict=True)]
        text = (message["content"] or "") + "".join(f"<tool_call>{call}</tool_call>" for call in written)
        shown.append(f"{message['role']}: {text}\n\n")
    assert prompt.text.partition("\n")[2] == "".join(shown) + "Assistant:"


def test_a_server_without_functions_ends_the_run_before_it_begins(server: StubServer, tmp_path: Path) -> None:
    words = '"auto" tool choice requires --enable-auto-tool-choice and --tool-call-parser to be set'
    server.answer = lambda payload, n: refusal(400, words) if "tools" in payload else completion("ok")
    with pytest.raises(PolicyError, match='refused a request: 400 "auto" tool choice requires'):
        policy(server, prompt=TOOLS).describe()
    assert server.payloads[0]["tools"][0]["function"]["name"] == "answer"


def test_most_answers_without_a_call_are_named_with_their_cause() -> None:
    counted = Answers(64)
    said = counted.count([Decision("hm", None, ParseReason.NO_CALL, finish_reason="stop")] * 10)
    assert said is not None
    assert "calls no function: take --protocol chat, or serve with the tool parser" in said
    counted = Answers(64)
    said = counted.count([Decision("hm", None, ParseReason.SEVERAL_CALLS, finish_reason="tool_calls")] * 10)
    assert said is not None
    assert "calls several functions" in said


def test_a_chat_may_end_in_a_call_that_nothing_answers() -> None:
    said = Message("assistant", UP_TEXT)
    *_, text = wire_messages([Message("user", "grid"), said])
    *_, call = wire_messages([Message("user", "grid"), said], ends_in_call=True)
    assert text == {"role": "assistant", "content": UP_TEXT}
    assert (call["content"], call["tool_calls"][0]["function"]) == (None, UP["function"])


def test_few_shot_examples_are_texts() -> None:
    shown = PromptConfig(protocol="tools", examples=(Message("user", "grid"), Message("assistant", UP_TEXT)))
    wire = wire_messages(messages(episode(), shown))
    assert [message["role"] for message in wire] == ["user", "assistant", "user"]
    assert "tool_calls" not in wire[1]
