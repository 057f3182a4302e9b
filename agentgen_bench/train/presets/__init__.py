"""Presets: settings of the papers, and of small runs, as data. A preset is a YAML file beside this module.

Keys: `about`; `grpo` and `sft`, fields of their Configs; `environments`, for each family the fields of its TaskSpec
that differ from the defaults; `evaluation`, settings for measuring the result.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import resources
from typing import Any

import yaml

from agentgen_bench.checks import chosen


def preset_names() -> list[str]:
    """Return the names of the shipped presets, sorted."""
    return sorted(entry.name[:-5] for entry in resources.files(__package__).iterdir() if entry.name.endswith(".yaml"))


@dataclass(frozen=True, slots=True)
class Preset:
    """A preset, see the module's keys; what its file leaves out is empty. Who takes settings of it checks them."""

    about: str = ""
    environments: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    evaluation: Mapping[str, object] = field(default_factory=dict)
    grpo: Mapping[str, object] = field(default_factory=dict)
    init_model: Mapping[str, Any] = field(default_factory=dict)
    sft: Mapping[str, Any] = field(default_factory=dict)


def load_preset(name: str | None) -> Preset:
    """Return a preset, one without any settings for None; raises SpecError for an unknown name.

    Examples:
        >>> load_preset("paper-2601.18217").grpo["group_size"]
        8
    """
    if name is None:
        return Preset()
    chosen("preset", name, preset_names())
    text = resources.files(__package__).joinpath(f"{name}.yaml").read_text(encoding="utf-8")
    return Preset(**yaml.safe_load(text))
