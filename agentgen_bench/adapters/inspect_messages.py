"""Inspect's samples, messages and outputs, from and to rows and what sessions show."""

from typing import TypedDict

from inspect_ai import model
from inspect_ai.dataset import Sample

from agentgen_bench.rows import split_rows
from agentgen_bench.session import View
from agentgen_bench.suites import load_suite
from agentgen_bench.tools import CallJson

KINDS = {"system": model.ChatMessageSystem, "user": model.ChatMessageUser, "assistant": model.ChatMessageAssistant}


def samples(suite: str) -> list[Sample]:
    """Return a sample for each level; settings take turns, so that a limit takes from all of them alike."""
    made, cells = [], load_suite(suite).cells
    for row in split_rows(suite):
        cell, number = cells[row["cell"]], f"{row['cell']}-{row['index']}"
        known = {**row, "setting": cell.spec.label, "level": cell.level_ids[row["index"]]}
        made.append(Sample(cell.spec.label, id=number, metadata=known))
    return made


def conversation(view: View, said: list[model.ChatMessage]) -> list[model.ChatMessage]:
    """Return the conversation up to a view; what was `said` stands before it, unless the view starts anew."""
    if view.starts_anew:
        return [KINDS[message.role](content=message.content) for message in view.messages]
    calls = said[-1].tool_calls or []
    if not calls:
        return [*said, model.ChatMessageUser(content=view.text)]
    texts = [view.text, *[""] * (len(calls) - 1)]  # every call of a reply wants an answer
    tell, answers = model.ChatMessageTool, zip(calls, texts, strict=True)
    return [*said, *(tell(content=text, tool_call_id=call.id, function=call.function) for call, text in answers)]


class Answer(TypedDict):
    """The arguments of `Session.answer`."""

    answer: str | list[CallJson]
    prompt_tokens: int
    completion_tokens: int
    finish_reason: str | None


def answer_of(output: model.ModelOutput) -> Answer:
    """Return the arguments of `Session.answer` that a model's output stands for."""
    calls: list[CallJson] = [
        {"name": call.function, "arguments": call.arguments} for call in output.message.tool_calls or []
    ]
    used = output.usage or model.ModelUsage()
    return {
        "answer": calls or output.completion,
        "prompt_tokens": used.input_tokens + (used.input_tokens_cache_read or 0) + (used.input_tokens_cache_write or 0),
        "completion_tokens": used.output_tokens,
        "finish_reason": "length" if output.stop_reason in ("max_tokens", "model_length") else output.stop_reason,
    }
