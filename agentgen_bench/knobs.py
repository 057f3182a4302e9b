"""The knobs that wrappers turn, as every record spells them: specs are made with these facts, scores read with them."""

from collections.abc import Mapping
from typing import Any, NotRequired, TypedDict

# By the field of a spec: its value where nothing is wrapped around the family's own environment.
WRAPPER_DEFAULTS = {"distractors": "none", "interface": "original", "lifecycle": "none", "faults": "none"}
WRITTEN_WHERE_ON = ("lifecycle", "faults")  # in JSON and so in hashes: settings that came after the first records

CONTEXTS = ("kept", "wiped", "told")
STREAMS = ("same", "irrelevant", "changing")
STRATEGIES = ("cod", "ralph_full", "ralph_sample")
PACK_DEFAULTS = {"context": "kept", "stream": "same", "update": "note", "strategy": "cod"}


def _pack_name(*parts: str) -> str:
    return "-".join(part.replace("_", "-") for part in parts if part not in ("same", "kept"))


# Presets of packs, by name: the fields that they set. pack-4, pack-4-wiped, pack-4-told, pack-4-irrelevant-wiped, ...
PACKS: dict[str, dict[str, Any]] = (
    {  # pack-4, pack-4-wiped, pack-4-told, pack-4-irrelevant, pack-4-irrelevant-wiped, ..
        _pack_name("pack", str(tasks), stream, context): {"tasks": tasks, "context": context, "stream": stream}
        for tasks in (4, 8, 16)
        for stream in STREAMS
        for context in CONTEXTS
    }
    | {  # of solve and update episodes: cod-4, cod-4-wiped, cod-8-changing, ralph-full-4, ralph-sample-4-wiped, ...
        _pack_name(strategy, str(tasks), stream, context): {
            "tasks": tasks,
            "context": context,
            "stream": stream,
            "update": "episode",
            "strategy": strategy,
        }
        for strategy in STRATEGIES
        for tasks in (4, 8, 16)
        for stream in (STREAMS if strategy == "cod" else ("same",))
        for context in CONTEXTS
    }
)


class SpecJson(TypedDict):
    """A task spec as records hold it. A wrapper's setting is the name of a preset, or its fields."""

    env_id: str
    difficulty: str
    split: str
    knobs: Mapping[str, Any]  # the family's own: plain values by whatever names it gives them
    distractors: str | Mapping[str, Any]
    interface: str | Mapping[str, Any]
    lifecycle: NotRequired[str | Mapping[str, Any]]
    faults: NotRequired[str | Mapping[str, Any]]
