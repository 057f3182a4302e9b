"""Actions as function calls: which tools a family's actions make, and a call read back as an action.

What tools there are follows from the action templates that an episode shows, so that other names for the actions
(wrappers/interface.py) and the notes of packs become tools without a word written twice.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import cycle
from typing import Any, NamedTuple, NotRequired, TypedDict

from agentgen_bench.families import ToolStyle
from agentgen_bench.parsing import MAX_ACTION_CHARS, Parsed, ParseReason, flaw


class ParameterJson(TypedDict):
    """The JSON Schema of a tool's parameter."""

    type: str
    enum: NotRequired[list[str]]


class ParametersJson(TypedDict):
    """The JSON Schema of a tool's parameters."""

    type: str
    properties: dict[str, ParameterJson]
    required: list[str]


class FunctionJson(TypedDict):
    """The function behind a tool."""

    name: str
    description: str
    parameters: ParametersJson


class ToolJson(TypedDict):
    """A tool as chat templates and OpenAI-compatible servers take it."""

    type: str
    function: FunctionJson


class CallJson(TypedDict):
    """A call as completions record it."""

    name: str
    arguments: Mapping[str, Any] | None


@dataclass(frozen=True, slots=True)
class Tool:
    """A function with one string parameter; `pattern` holds `{}` where the argument stands in the action."""

    name: str
    description: str
    parameter: str
    pattern: str
    choices: tuple[str, ...] = ()

    def schema(self) -> ToolJson:
        """Return the tool as chat templates and OpenAI-compatible servers take it."""
        argument: ParameterJson = {"type": "string"}
        if self.choices:
            argument["enum"] = list(self.choices)
        parameters: ParametersJson = {
            "type": "object",
            "properties": {self.parameter: argument},
            "required": [self.parameter],
        }
        return {
            "type": "function",
            "function": {"name": self.name, "description": self.description, "parameters": parameters},
        }


class Call(NamedTuple):
    """A function call as a model wrote it: the function's name and its arguments, None where they were no object."""

    name: str
    arguments: Mapping[str, Any] | None

    def to_json(self) -> CallJson:
        """Return the call as completions record it: the form that Hermes-style templates print."""
        return {"name": self.name, "arguments": self.arguments}


def tools_of(style: ToolStyle, templates: Sequence[str]) -> tuple[Tool, ...]:
    """Return the tools of the actions that look like `templates`, in their order.

    Examples:
        >>> [tool.name for tool in tools_of(ToolStyle("choices", "move", ("direction",)), ["up", "down"])]
        ['move']
        >>> style = ToolStyle("words", parameters=("query", "element"))
        >>> made = tools_of(style, ["search[<words>]", "click[<value>]", "click[buy now]"])
        >>> [(tool.name, tool.parameter) for tool in made]
        [('search', 'query'), ('click', 'element')]
    """
    notes = [_note_tool(template) for template in templates if _is_note(template)]
    actions = [template for template in templates if not _is_note(template)]
    if style.kind == "words":
        return (*_word_tools(actions, style.parameters), *notes)
    listed = "; ".join(actions)
    if style.kind == "choices":
        one = Tool(style.name, f"Do one of the actions: {listed}", style.parameters[0], "{}", tuple(actions))
    else:
        one = Tool(style.name, f"Act in the world with one command. It looks like: {listed}", style.parameters[0], "{}")
    return (one, *notes)


def _word_tools(templates: Sequence[str], parameters: Sequence[str]) -> list[Tool]:
    """Return a tool for each word that the templates begin with, in the order in which they first do."""
    by_word: dict[str, list[str]] = {}
    for template in templates:
        by_word.setdefault(template.partition("[")[0], []).append(template)
    # Where actions have two names, each stands in turn for the same parameters.
    named = zip(by_word.items(), cycle(parameters), strict=False)
    return [Tool(word, "Act as: " + "; ".join(own), parameter, f"{word}[{{}}]") for (word, own), parameter in named]


def _is_note(template: str) -> bool:
    return template.partition(" ")[0].endswith(":")


def _note_tool(template: str) -> Tool:
    word = template.partition(":")[0]
    return Tool(word, "Write down what to remember for the tasks to come.", "text", f"{word}: {{}}")


def action_of(calls: Sequence[Call], tools: Sequence[Tool]) -> Parsed:
    """Return the action that the calls of one reply stand for, or the reason why there is none.

    Equal calls count once, as equal actions do in text; two different ones are none, nor are more than `MAX_CALLS`.
    """
    if not calls:
        return Parsed(None, ParseReason.NO_CALL)
    if len(calls) > MAX_CALLS:
        return Parsed(None, ParseReason.SEVERAL_CALLS)
    parsed = [_action(call, tools) for call in calls]
    if len(set(parsed)) > 1:
        return Parsed(None, ParseReason.SEVERAL_CALLS)
    return parsed[0]


def _action(call: Call, tools: Sequence[Tool]) -> Parsed:
    tool = next((tool for tool in tools if tool.name == call.name), None)
    if tool is None:
        return Parsed(None, ParseReason.UNKNOWN_TOOL)
    arguments = call.arguments
    if arguments is None or set(arguments) != {tool.parameter}:
        return Parsed(None, ParseReason.BAD_ARGUMENTS)
    value = arguments[tool.parameter]
    if not isinstance(value, str):
        return Parsed(None, ParseReason.BAD_ARGUMENTS)
    action = tool.pattern.replace("{}", value.strip())
    reason = flaw(action, MAX_ACTION_CHARS) if action else ParseReason.EMPTY_ACTION
    return Parsed(action if reason is None else None, reason)


def call_for(action: str, tools: Sequence[Tool]) -> Call | None:
    """Return the call that stands for an action, for demonstrations; None where no tool can say it."""
    for tool in tools:
        head, _, tail = tool.pattern.partition("{}")
        fits = action.startswith(head) and action.endswith(tail) and len(action) >= len(head) + len(tail)
        value = action[len(head) : len(action) - len(tail)]
        if fits and (not tool.choices or value in tool.choices):
            return Call(tool.name, {tool.parameter: value})
    return None


_MARKED = re.compile(r"<tool_call>(.*?)(?:</tool_call>|\Z)", re.DOTALL)
_MARK, _LISTED = "<tool_call>", "[TOOL_CALLS]"
_CALL_ID, _ARGUMENTS = "[CALL_ID]", "[ARGS]"
CALL_MARKS = frozenset({_LISTED, _CALL_ID, _ARGUMENTS})  # special tokens of the tokenizers that have them
_DECODER = json.JSONDecoder()
MAX_CALLS = 64  # of one reply; more are as unusable as two


def calls_in(answer: str) -> list[Call] | None:
    """Return the calls that a local model wrote into its answer; None where what should be one is not JSON.

    Four ways of writing are read, which the templates of the models in use ask for: `<tool_call>{...}</tool_call>`
    (Hermes, Qwen), `[TOOL_CALLS] [{...}]` (Mistral), `[TOOL_CALLS]name[ARGS]{...}` (Mistral since its version 11; an
    id may stand after the name, the second mark may be missing), and an answer that is one JSON object with a `name`
    (Llama 3).

    Examples:
        >>> calls_in('[TOOL_CALLS]move[ARGS]{"direction": "up"}')
        [Call(name='move', arguments={'direction': 'up'})]
    """
    if _MARK in answer:
        pieces = [match[1] for _, match in zip(range(MAX_CALLS + 1), _MARKED.finditer(answer), strict=False)]
    elif _LISTED in answer:
        listed = answer.partition(_LISTED)[2]
        if not listed.lstrip().startswith(("[", "{")):
            return _named_calls(listed)
        pieces = [listed]
    elif answer.lstrip().startswith("{"):
        pieces = [answer]
    else:
        return []
    calls: list[Call] = []
    for piece in pieces:
        try:
            value = json.loads(piece)
        except (ValueError, RecursionError):
            return None
        for item in value if isinstance(value, list) else [value]:
            call = call_from_json(item)
            if call is None:
                return None
            calls.append(call)
    return calls


def _named_calls(text: str) -> list[Call] | None:
    """Return the calls of `name[ARGS]{...}` and what like it follows after further marks; None where one is cut off."""
    calls: list[Call] = []
    while len(calls) <= MAX_CALLS:
        head, brace, _ = text.partition("{")
        if not brace or _LISTED in head:
            return None
        try:
            arguments, end = _DECODER.raw_decode(text, len(head))
        except (ValueError, RecursionError):
            return None
        calls.append(Call(head.partition(_ARGUMENTS)[0].partition(_CALL_ID)[0].strip(), arguments))
        text = text[end:].lstrip()
        if not text:
            break
        if not text.startswith(_LISTED):
            return None
        text = text.removeprefix(_LISTED)
    return calls


def prose_of(answer: str) -> str:
    """Return what stands in an answer before its first call, in any of the ways that `calls_in` reads."""
    if _MARK in answer or _LISTED in answer:
        return answer.partition(_MARK if _MARK in answer else _LISTED)[0]
    return "" if answer.lstrip().startswith("{") else answer


def call_from_json(item: Any) -> Call | None:
    """Return the call of `{"name": ..., "arguments": {...}}`; arguments may be JSON in a string, or `parameters`."""
    if not isinstance(item, dict) or not isinstance(item.get("name"), str):
        return None
    arguments = item.get("arguments", item.get("parameters"))
    if isinstance(arguments, str):
        try:
            arguments = json.loads(arguments)
        except (ValueError, RecursionError):
            arguments = None
    return Call(item["name"], arguments if isinstance(arguments, dict) else None)
