"""Answer to action and back, under any protocol and format: what stands for what at one step."""

import json
from collections.abc import Sequence

from agentgen_bench.families import family
from agentgen_bench.parsing import MAX_ACTION_CHARS, Parsed, ParseReason, Reading, after_thought, flaw, read
from agentgen_bench.parsing.context import read_context, whole_context, written_context
from agentgen_bench.prompts import History, PromptConfig, numbered_commands
from agentgen_bench.tools import Call, Tool, action_of, call_for, calls_in, tools_of


def tools_for(history: History) -> tuple[Tool, ...]:
    """Return the functions that a history's actions make; none where a context is asked for."""
    if history.asks_context:
        return ()
    return tools_of(family(history.family).tools, history.action_templates)


def read_answer(completion: str, history: History, config: PromptConfig, *, cut: bool = False) -> Reading:
    """Return the action that a completion stands for after `history`, or the reason why it stands for none.

    Where a context is asked for, that is read instead, in the one way of all protocols and formats.

    `cut` says that the completion ended because its length was used up, see `parsing.parse`.
    """
    if history.context_chars is not None:
        answer = after_thought(completion)
        is_after_thought = answer is not None and len(answer) < len(completion)
        return read_context(answer, history.context_chars, cut=cut and not is_after_thought)
    if config.protocol == "tools":
        return Reading(*_called(completion, history, cut))
    reading = read(completion, config.action_format, cut=cut)
    if config.action_format != "choice" or reading.action is None:
        return reading
    commands = numbered_commands(history)
    number = reading.action.removesuffix(".")
    if not number.isascii() or not number.isdecimal() or len(number) > 9 or not 1 <= int(number) <= len(commands):
        return Reading(None, ParseReason.NOT_LISTED)
    return reading._replace(action=commands[int(number) - 1])


def whole_action(text: str) -> Parsed:
    """Return the action that a text is as a whole, as agents and scripted policies give it, or why it is none."""
    action = text.strip()
    reason = flaw(action, MAX_ACTION_CHARS) if action else ParseReason.EMPTY
    return Parsed(action if reason is None else None, reason)


def whole_answer(text: str, history: History) -> Reading:
    """Return what a text is as a whole: the action, or the context where one is asked for; or why it is none."""
    if history.context_chars is not None:
        return whole_context(text, history.context_chars)
    return Reading(*whole_action(text))


def read_calls(calls: Sequence[Call], history: History) -> Parsed:
    """Return the action that the calls of a server's reply stand for, or the reason."""
    return action_of(calls, tools_for(history))


def written_answer(thought: str, action: str, history: History, config: PromptConfig) -> str | None:
    """Return the completion that says the thought and the action as `config` asks; the inverse of `read_answer`.

    The thought is left out where none is asked for. None where the format cannot say the action: it is on no line of
    the numbered list, or no function takes it.
    """
    if history.asks_context:
        return written_context(f"<think>{thought}</think>" if config.thinking else "", action)
    if config.action_format == "json":
        return json.dumps({"thought": thought, "action": action} if config.thinking else {"action": action})
    if config.action_format == "react":
        return f"Thought: {thought}".rstrip() + f"\nAction: {action}" if config.thinking else f"Action: {action}"
    thinking = f"<think>{thought}</think>" if config.thinking else ""
    if config.protocol == "tools":
        call = call_for(action, tools_for(history))
        return None if call is None else f"{thinking}<tool_call>{json.dumps(call.to_json())}</tool_call>"
    if config.action_format == "choice":
        commands = numbered_commands(history)
        return f"{thinking}<action>{commands.index(action) + 1}</action>" if action in commands else None
    return f"{thinking}<action>{action}</action>"


def _called(completion: str, history: History, cut: bool) -> Parsed:
    if not completion.strip():
        return Parsed(None, ParseReason.EMPTY)
    answer = after_thought(completion)
    if answer is None:
        return Parsed(None, ParseReason.UNCLOSED)
    if cut and not answer.rstrip().endswith(("</tool_call>", "}", "]")):
        return Parsed(None, ParseReason.UNCLOSED)
    calls = calls_in(answer)
    return Parsed(None, ParseReason.BAD_JSON) if calls is None else read_calls(calls, history)
