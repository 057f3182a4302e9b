"""The harness card of a row: how the model was asked and how it answered, in one line and in detail.

Everything here is what an entry claims and, but for decoding and back end, what verification reads its answers by. It
is a stranger's: whatever is not of the form that it must have is left out, and texts are cut.
"""

import math
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from agentgen_bench.errors import EntryError
from agentgen_bench.leaderboard.entry import Metadata
from agentgen_bench.leaderboard.records import AGENT_KIND, prompt_of
from agentgen_bench.leaderboard.safe import MAX_DIGITS
from agentgen_bench.prompts import PromptConfig

MAX_TEXT_CHARS = 2000  # of a system prompt, or of what a template writes
_HINTS = {"none": "no hints", "templates": "action templates", "full": "all commands"}
_FORMATS = {"tagged": "tags", "react": "ReAct", "json": "JSON", "choice": "numbered choice"}


class Card(NamedTuple):
    """A harness in one line, and what there is to say about it in detail, by name."""

    text: str
    facts: tuple[tuple[str, str], ...]


def harness_card(metadata: Metadata) -> Card | None:
    """Return the card of an entry; None for a scripted policy, which reads no prompt, and where it says nothing."""
    if metadata.policy.get("kind") == AGENT_KIND:
        return Card("its own", ())
    try:
        config = prompt_of(metadata)
    except EntryError:
        return None
    if config is None:
        return None
    facts = (*_facts_of_prompt(config), *_facts_of_policy(metadata.policy))
    return Card(", ".join(_line(config, metadata.policy)), facts)


def _line(config: PromptConfig, policy: Mapping[str, Any]) -> Iterator[str]:
    yield f"window of {_whole(config.history_length)}" if config.protocol == "window" else config.protocol
    if config.protocol != "tools":
        yield _FORMATS[config.action_format]
    yield _HINTS[config.action_hints] + (" as they change" if config.repeat_hints == "changes" else "")
    yield "thinking" if config.thinking else "no thinking"
    if config.system_prompt:
        yield "system prompt"
    if n := len(config.examples):
        yield f"{n} example message" + ("s" if n > 1 else "")
    if decoding := _decoding(policy):
        yield decoding


def _whole(value: Any) -> str:
    return str(value) if isinstance(value, int) and 0 <= value < 10**6 else "?"


def _decoding(policy: Mapping[str, Any]) -> str:
    """Return how completions were drawn: `greedy`, or temperature, top-p and top-k as far as they differ from all."""
    sampling = _mapping(policy.get("sampling"))
    temperature, top_p, top_k = (sampling.get(name) for name in ("temperature", "top_p", "top_k"))
    if not _is_number(temperature):
        return ""
    if temperature == 0:
        return "greedy"
    parts = [f"T {temperature:g}"]
    parts += [f"top-p {top_p:g}"] if _is_number(top_p) and top_p != 1 else []
    parts += [f"top-k {top_k:g}"] if _is_number(top_k) else []
    return " ".join(parts)


def _facts_of_prompt(config: PromptConfig) -> Iterator[tuple[str, str]]:
    window = f"{_whole(config.history_length)} past steps in each prompt"
    yield "protocol", config.protocol
    yield "past steps", window if config.protocol == "window" else "all turns that fit the context"
    yield "answers", "function calls" if config.protocol == "tools" else _FORMATS[config.action_format]
    yield "hints", _HINTS[config.action_hints] + (", what changed" if config.repeat_hints == "changes" else "")
    yield "thinking asked for", "yes" if config.thinking else "no"
    if config.system_prompt:
        yield "system prompt", _cut(config.system_prompt)
    for number, message in enumerate(config.examples[:8], 1):
        yield f"example {number} ({message.role})", _cut(message.content, 200)


def _facts_of_policy(policy: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name, value in _mapping(policy.get("sampling")).items():
        if isinstance(name, str) and (_is_number(value) or value is None):
            yield name[:40].replace("_", " "), "all" if value is None else f"{value:g}"
    for name in ("backend", "backend_version", "server", "dtype", "max_model_len", "chat_template", "parsing_version"):
        if isinstance(value := policy.get(name), (str, int)) and not isinstance(value, bool):
            yield name.replace("_", " "), _cut(str(value), 80)
    for place, value in _mapping(policy.get("template_writes")).items():
        if place in ("before", "after") and isinstance(value, str) and value.strip():
            yield f"the template writes {place} the prompt", _cut(value)
    for name in ("refused", "left_to_server"):
        listed = policy.get(name)
        if isinstance(listed, list) and listed and all(isinstance(item, str) for item in listed):
            yield name.replace("_", " "), _cut(", ".join(listed), 200)


def _mapping(value: Any) -> Mapping[Any, Any]:
    return value if isinstance(value, Mapping) and len(value) <= 32 else {}


def _is_number(value: Any) -> bool:
    if isinstance(value, float):
        return math.isfinite(value)
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) < 10**MAX_DIGITS


def _cut(text: str, limit: int = MAX_TEXT_CHARS) -> str:
    return text if len(text) <= limit else f"{text[:limit]} ..."
