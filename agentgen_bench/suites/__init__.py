"""Suites: named, versioned, frozen lists of (environment setting, level). Pure data; nothing here makes a level.

A suite is a JSON file beside this module, or in the package that a family's record names. Each cell names a setting,
the seeds of its levels and the level ids that those seeds must give; the hash of the file goes into each manifest.
`agentgen-bench suites NAME --check` regenerates every level and compares.
"""

import hashlib
import json
from dataclasses import dataclass
from importlib import resources
from importlib.resources.abc import Traversable
from typing import TypedDict

from agentgen_bench import families
from agentgen_bench.checks import chosen
from agentgen_bench.knobs import SpecJson
from agentgen_bench.spec import TaskSpec


@dataclass(frozen=True, slots=True)
class Cell:
    """One environment setting with the levels it is played on: seeds, and the level id each seed gives."""

    spec: TaskSpec
    seeds: tuple[int, ...]
    level_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Suite:
    """A frozen set of cells; `hash` is the SHA-256 of its file, or of its cells where it has no file."""

    name: str
    description: str
    cells: tuple[Cell, ...]
    hash: str


def suite_names() -> list[str]:
    """Return the names of the shipped suites and of those that installed families bring, sorted."""
    return sorted(_files())


def load_suite(name: str) -> Suite:
    """Return a suite of that name; raises SpecError where there is none."""
    files = _files()
    return from_text(name, files[chosen("suite", name, sorted(files))].read_text(encoding="utf-8"))


def _files() -> dict[str, Traversable]:
    """Return the file of each suite; a family's suite cannot take the name of one that is there already."""
    packages = [package for name in families.names() if (package := families.family(name).suites) is not None]
    found: dict[str, Traversable] = {}
    for package in (__name__, *packages):
        for entry in resources.files(package).iterdir():
            if entry.name.endswith(".json"):
                found.setdefault(entry.name.removesuffix(".json"), entry)
    return found


def from_text(name: str, text: str) -> Suite:
    """Return the suite written by `to_text`."""
    data = json.loads(text)
    return Suite(name, data["description"], tuple(_cell(cell) for cell in data["cells"]), _hash(text))


def to_text(description: str, cells: tuple[Cell, ...]) -> str:
    """Return the content of a suite's file: one line per cell, so that a diff shows which cell changed."""
    lines = [
        json.dumps({"spec": cell.spec.to_json(), "seeds": cell.seeds, "level_ids": cell.level_ids}) for cell in cells
    ]
    return '{"description": ' + json.dumps(description) + ',\n"cells": [\n' + ",\n".join(lines) + "\n]}\n"


class CellJson(TypedDict):
    """A cell as a suite's file holds it."""

    spec: SpecJson
    seeds: list[int]
    level_ids: list[str]


def _cell(data: CellJson) -> Cell:
    return Cell(TaskSpec.from_json(data["spec"]), tuple(data["seeds"]), tuple(data["level_ids"]))


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
