"""Solved episodes as chats, a JSON line each, in the form that tools for supervised fine-tuning read.

`{"messages": [...]}` as OpenAI's fine-tuning, TRL, Axolotl and LLaMA-Factory take it; under the protocol `tools` with
`tools` beside, and answers as `tool_calls`. An answer that is there to be read and not to be imitated (the environment
did not take it) has `"weight": 0`, OpenAI's word for it.
"""

import json
from collections.abc import Iterator

from agentgen_bench.errors import RunError
from agentgen_bench.export.source import Source
from agentgen_bench.policies.calls import wire_messages
from agentgen_bench.prompts import PromptConfig
from agentgen_bench.train.demonstrations import Demonstration, demonstrations

CHAT = "chat.jsonl"


def chat_files(source: Source) -> dict[str, bytes]:
    """Return chat.jsonl: under a growing chat a line per episode, under the protocol `window` a line per step.

    Raises:
        RunError: no episode was solved.
        DataError: an episode is recorded without its texts.
        SpecError: the run is of the test split, which nothing is trained on.
    """
    config = source.config
    lines = [json.dumps(line, ensure_ascii=True) for line in _lines(source, config)]
    if not lines:
        raise RunError(f"{source.name} holds no solved episode; what failed is not to be imitated")
    return {CHAT: ("\n".join(lines) + "\n").encode()}


def _lines(source: Source, config: PromptConfig) -> Iterator[dict[str, object]]:
    for episode in source.episodes():
        if episode.success:
            for item in demonstrations(episode, config, purpose="exporting chats, which tools train on,"):
                yield _line(item, episode.seed, episode.repeat)


def _line(item: Demonstration, seed: int, repeat: int) -> dict[str, object]:
    ends_in_call = bool(item.tools) and item.is_wanted(len(item.completion) // 2)
    wire = wire_messages([*item.prompt, *item.completion], ends_in_call=ends_in_call)
    chat: list[dict[str, object]] = [dict(message) for message in wire]
    for answer, message in enumerate(chat[len(item.prompt) :: 2]):
        if not item.is_wanted(answer):
            message["weight"] = 0
    tools = {"tools": [tool.schema() for tool in item.tools]} if item.tools else {}
    about = {"environment": item.environment, "level_id": item.level_id, "seed": seed, "repeat": repeat}
    return {"messages": chat, **tools, **about, "step": item.step}
