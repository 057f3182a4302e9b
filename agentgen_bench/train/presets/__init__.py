"""Presets: settings of the papers, and of small runs, as data. A preset is a YAML file beside this module.

Keys: `about`; `grpo` and `sft`, fields of their Configs; `environments`, for each family the fields of its TaskSpec
that differ from the defaults; `evaluation`, settings for measuring the result.
"""

from importlib import resources
from typing import Any, TypedDict, cast

import yaml

from agentgen_bench.checks import chosen

KEYS = ("about", "environments", "evaluation", "grpo", "init_model", "sft")


def preset_names() -> list[str]:
    """Return the names of the shipped presets, sorted."""
    return sorted(entry.name[:-5] for entry in resources.files(__package__).iterdir() if entry.name.endswith(".yaml"))


class Preset(TypedDict, total=False):
    """A preset, see the module's keys."""

    about: str
    environments: dict[str, dict[str, Any]]
    evaluation: dict[str, Any]
    grpo: dict[str, Any]
    init_model: dict[str, Any]
    sft: dict[str, Any]


def load_preset(name: str) -> Preset:
    """Return a preset with every key, empty where the file leaves it out; raises SpecError for an unknown name.

    Examples:
        >>> load_preset("paper-2601.18217")["grpo"]["group_size"]
        8
    """
    chosen("preset", name, preset_names())
    text = resources.files(__package__).joinpath(f"{name}.yaml").read_text(encoding="utf-8")
    return cast(Preset, {**{key: {} for key in KEYS}, **yaml.safe_load(text)})
