"""Function calls on the wire: the calls of a server's reply as the text that records hold, and back as messages.

A record holds an answer as one text, whoever wrote it. Calls that a server took out of the text are put back as
`<tool_call>{...}</tool_call>`, as Hermes-style templates have them written; so reading, replay and verification know
one form alone (`answers.read_answer`). Pure; nothing here sends anything.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any, NotRequired, TypedDict

from agentgen_bench.parsing import after_thought
from agentgen_bench.prompts import Message
from agentgen_bench.tools import MAX_CALLS, Call, calls_in, prose_of

PART_KINDS = ("tool_use", "tool_call", "function_call")  # of a content's parts: Anthropic's word, and others'
_ARGUMENTS = ("arguments", "input", "parameters")  # OpenAI's word, Anthropic's, Llama's


class WireFunction(TypedDict):
    """The function that a call names, its arguments as JSON."""

    name: str
    arguments: str


class WireCall(TypedDict):
    """A call of an answer."""

    id: str
    type: str
    function: WireFunction


class WireMessage(TypedDict):
    """A message as OpenAI's API takes it."""

    role: str
    content: str | None  # None of an answer that is a call and no more
    tool_calls: NotRequired[list[WireCall]]
    tool_call_id: NotRequired[str]  # of the call that this message answers


def raw_calls(message: Mapping[str, Any]) -> tuple[Any, ...]:
    """Return the calls of a reply's message as the server wrote them, from whichever place it writes them to."""
    calls = message.get("tool_calls")
    if isinstance(calls, Mapping):
        calls = [calls]
    if isinstance(calls, list) and calls:
        return tuple(calls)
    if isinstance(single := message.get("function_call"), Mapping):  # OpenAI's API before there were several
        return (single,)
    content = message.get("content")
    parts = content if isinstance(content, list) else []
    return tuple([part for part in parts if isinstance(part, Mapping) and part.get("type") in PART_KINDS])


def written_calls(calls: Sequence[Any], *, cut: bool = False) -> str:
    """Return a server's calls as text; a call that is none gets an empty name, which is no function's.

    Arguments may be JSON in a string or an object; what is neither stays as it is, so that reading finds it wrong.
    `cut` says that the reply's length was used up: a last call whose arguments are no JSON is then left open. Of a
    stream of calls one more is written than is read.
    """
    kept = list(calls[: MAX_CALLS + 1])
    texts = [_written(*_name_and_arguments(call)) for call in kept]
    if cut and kept and isinstance(arguments := _name_and_arguments(kept[-1])[1], str) and _object(arguments) is None:
        texts[-1] = texts[-1].removesuffix('"}</tool_call>')
    return "".join(texts)


def _name_and_arguments(call: Any) -> tuple[str, Any]:
    if not isinstance(call, Mapping):
        return "", None
    inner = call.get("function")
    holder = inner if isinstance(inner, Mapping) else call
    name = holder.get("name")
    return name if isinstance(name, str) else "", next((holder[key] for key in _ARGUMENTS if key in holder), None)


def _written(name: str, arguments: Any) -> str:
    if isinstance(arguments, str) and (parsed := _object(arguments)) is not None:
        arguments = parsed
    try:
        text = json.dumps(Call(name, arguments).to_json())
    except RecursionError:
        text = json.dumps(Call(name, None).to_json())
    return "<tool_call>" + text.replace("<", "\\u003c") + "</tool_call>"  # no argument may close the mark


def _object(text: str) -> dict[str, object] | None:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def wire_messages(chat: Sequence[Message], *, ends_in_call: bool = False) -> list[WireMessage]:
    """Return the messages as OpenAI's API takes them: an answered call with its id, all others as texts.

    `ends_in_call` says that the last message is an answer whose call was executed, though no answer to it follows: the
    end of a demonstration.

    An answer that held no action is a text too, as a local model's template is given it: servers refuse calls whose
    arguments are no JSON, and calls without an answer.
    """
    listed: list[WireMessage] = []
    call_id = ""
    for message, following in zip(chat, [*chat[1:], None], strict=True):
        answered = ends_in_call if following is None else following.role == "tool"
        if message.role == "assistant" and answered and (said := _said(message.content)) is not None:
            call_id = f"c{len(listed):08d}"  # Mistral's API takes nine letters and digits, and no other length
            listed.append(_calling(*said, call_id))
        elif message.role == "tool" and call_id:
            listed.append({"role": "tool", "tool_call_id": call_id, "content": message.content})
            call_id = ""
        else:
            listed.append({"role": "user" if message.role == "tool" else message.role, "content": message.content})
    return listed


def _said(completion: str) -> tuple[str, Call] | None:
    """Return the text before an answer's call, and the call; None where it makes none that a server would take."""
    answer = after_thought(completion)
    calls = None if answer is None else calls_in(answer)
    if answer is None or not calls or calls[0].arguments is None:
        return None
    thought = completion[: len(completion) - len(answer)]
    return thought + prose_of(answer), calls[0]


def _calling(text: str, call: Call, call_id: str) -> WireMessage:
    function: WireFunction = {"name": call.name, "arguments": json.dumps(call.arguments)}
    calls: list[WireCall] = [{"id": call_id, "type": "function", "function": function}]
    return {"role": "assistant", "content": text if text.strip() else None, "tool_calls": calls}
