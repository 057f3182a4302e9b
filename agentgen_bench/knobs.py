"""The knobs that wrappers turn, as every record spells them: specs are made with these facts, scores read with them."""

from collections.abc import Mapping
from typing import Any, NotRequired, TypedDict

# By the field of a spec: its value where nothing is wrapped around the family's own environment.
WRAPPER_DEFAULTS = {"distractors": "none", "interface": "original", "lifecycle": "none", "faults": "none"}
WRITTEN_WHERE_ON = ("lifecycle", "faults")  # in JSON and so in hashes: settings that came after the first records


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
