"""A grid of harnesses: one model under several prompt settings on the same levels, each in a run folder of its own."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

from agentgen_bench.errors import DataError, RunError, SpecError
from agentgen_bench.evaluation.folder import MANIFEST, write_json
from agentgen_bench.parsing import ACTION_FORMATS
from agentgen_bench.prompts import ACTION_HINTS, PROTOCOLS, REPEAT_HINTS, PromptConfig

GRID = "grid.json"
AXES = ("protocol", "action_format", "action_hints", "repeat_hints", "history_length", "thinking")
Axes = Sequence[tuple[str, Sequence[Any]]]
WORDS: Mapping[str, Sequence[str]] = {
    "protocol": PROTOCOLS,
    "action_format": ACTION_FORMATS,
    "action_hints": ACTION_HINTS,
    "repeat_hints": REPEAT_HINTS,
}


class Grid(NamedTuple):
    """Prompt settings by the name of their folder, and a line for each combination that there cannot be."""

    harnesses: dict[str, PromptConfig]
    left_out: tuple[str, ...]


def harness_grid(base: PromptConfig, axes: Axes) -> Grid:
    """Return every combination of the axes' values in place of the base's.

    A combination that contradicts itself (function calls in JSON, numbers without a list) is left out and named, as is
    one that gives a model the same input as an earlier one (a history length where the whole chat is shown).

    Raises:
        SpecError: an axis or a value of one is unknown, an axis is named twice, or fewer than two harnesses are left.
    """
    names = [name for name, _ in axes]
    for name in names:
        if name not in AXES or names.count(name) > 1:
            raise SpecError(f"harness axis {name!r} is unknown or named twice; choose among: {', '.join(AXES)}")
    for name, values in axes:
        for value in values:
            if name in WORDS and value not in WORDS[name]:
                raise SpecError(f"unknown {name} {value!r}; choose among: {', '.join(WORDS[name])}")
    harnesses: dict[str, PromptConfig] = {}
    left_out: list[str] = []
    seen: dict[PromptConfig, str] = {}
    for values in product(*(values for _, values in axes)):
        name = "-".join(_word(axis, value) for axis, value in zip(names, values, strict=True))
        try:
            config = replace(base, **dict(zip(names, values, strict=True)))
        except SpecError as error:
            left_out.append(f"{name}: {error}")
            continue
        other = seen.setdefault(_input(config), name)
        if other == name:
            harnesses[name] = config
        else:
            left_out.append(f"{name}: gives the same input as {other}")
    if len(harnesses) < 2:
        raise SpecError(f"the grid holds {len(harnesses)} harnesses, it needs two; left out: {'; '.join(left_out)}")
    return Grid(harnesses, tuple(left_out))


def _word(axis: str, value: Any) -> str:
    if axis == "thinking":
        return "thinking" if value else "direct"
    return f"history{value}" if axis == "history_length" else str(value)


def _input(config: PromptConfig) -> PromptConfig:
    """Return the settings with those that decide nothing at their defaults."""
    return config if config.protocol == "window" else replace(config, history_length=0)


def open_grid(path: Path, grid: Grid, resume: bool) -> None:
    """Write down which harnesses the folder holds, or with `resume` check that they are these.

    Raises:
        RunError: the folder holds a grid that was begun and `resume` is off, or other harnesses, or a run, or it cannot
            be written.
    """
    check_kind(path, as_grid=True)
    data = {"harnesses": {name: config.to_json() for name, config in grid.harnesses.items()}}
    if is_grid(path) and any((path / name).is_dir() for name in _read(path)):
        if not resume:
            raise RunError(f"{path} already holds a grid; add --resume to go on with it, or choose another --output")
        if (recorded := _read(path)) != data["harnesses"]:
            raise RunError(
                f"cannot resume with other harnesses: {path} has {', '.join(recorded)}, now "
                f"{', '.join(grid.harnesses)}, or their other prompt settings differ"
            )
        return
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RunError(f"cannot create the folder {path}: {error.strerror or error}") from None
    write_json(path / GRID, data)


def is_grid(path: Path) -> bool:
    """Return whether a folder holds a grid of runs."""
    return (path / GRID).is_file()


def check_kind(path: Path, as_grid: bool) -> None:
    """Raise RunError where a grid is to be written into the folder of a run, or a run into that of a grid.

    Readers take a folder for one of the two; the other would be found by none.
    """
    if as_grid and (path / MANIFEST).exists():
        raise RunError(f"{path} holds a run, and a grid's folder holds runs in folders; choose another --output")
    if not as_grid and is_grid(path):
        raise RunError(f"{path} holds a grid of harnesses; choose another --output, or go on with its --harness-grid")


def grid_runs(path: Path) -> dict[str, Path]:
    """Return the run folders of a grid by harness, those that were begun.

    Raises:
        RunError: it holds no grid, or none of its runs was begun.
        DataError: its list of harnesses is damaged.
    """
    runs = {name: path / name for name in _read(path) if (path / name).is_dir()}
    if not runs:
        raise RunError(f"no harness of the grid {path} was played yet; go on with --resume")
    return runs


def grid_of(run: Path) -> Path | None:
    """Return the grid that a run folder belongs to, None for a run by itself."""
    parent = run.resolve().parent
    return parent if is_grid(parent) and run.resolve().name in _read(parent) else None


def _read(path: Path) -> Mapping[str, Any]:
    file = path / GRID
    try:
        data = json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise RunError(f"{path} holds no grid: cannot read {file}: {error.strerror}") from None
    except (ValueError, RecursionError) as error:
        raise DataError(f"{file} is not JSON: {error}") from None
    harnesses = data.get("harnesses") if isinstance(data, dict) else None
    if not isinstance(harnesses, dict) or any("/" in name or name.startswith(".") for name in harnesses):
        raise DataError(f"{file} is not that of a grid: it holds no harnesses by the names of their folders")
    return harnesses
