"""The run folder as it is read, and its small files: manifest.json, results.json."""

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn, NotRequired, TypedDict, TypeVar, cast

from agentgen_bench.episodes import Episode, read_episodes
from agentgen_bench.errors import DataError, RunError, SpecError
from agentgen_bench.evaluation.plan import Plan, PlanJson, plan_from_json
from agentgen_bench.evaluation.sessions import MadeJson, SessionJson
from agentgen_bench.evaluation.training import OriginJson
from agentgen_bench.line_file import sync, sync_folder
from agentgen_bench.prompts import PromptConfig, PromptJson
from agentgen_bench.scores.success import ResultsJson

MANIFEST, EPISODES, RESULTS = "manifest.json", "episodes.jsonl", "results.json"
Kinds = Mapping[str, type | tuple[type, ...]]
Parsed = TypeVar("Parsed")


class ManifestJson(TypedDict):
    """What manifest.json holds. Reading checks what every reader needs; earlier releases lack the later keys."""

    schema_version: int
    command: str
    plan: PlanJson
    policy: Mapping[str, Any]  # name, kind, and whatever this kind of policy says of itself
    prompt: PromptJson
    record_text: bool
    versions: Mapping[str, str]
    origin: NotRequired[OriginJson | None]
    sessions: NotRequired[list[SessionJson]]


class RunResultsJson(ResultsJson):
    """What results.json of a run holds: the results, and how they were made, where that is known."""

    made: MadeJson | None


@dataclass(frozen=True, slots=True)
class Run:
    """A run as read from its folder."""

    path: Path
    manifest: ManifestJson
    plan: Plan
    episodes: tuple[Episode, ...]

    @property
    def is_complete(self) -> bool:
        """Whether every episode of the plan is recorded."""
        return len(self.episodes) == self.plan.n_episodes


def read_run(path: str | os.PathLike[str], *, texts: bool = True) -> Run:
    """Return the run in a folder; raises RunError where it is none, DataError where a file is damaged.

    Without `texts` its episodes are compact: of thousands, the observations' texts would fill the memory.
    """
    folder = Path(path)
    manifest = read_manifest(folder)
    found = read_episodes(folder / EPISODES) if (folder / EPISODES).exists() else iter(())
    episodes = tuple(episode if texts else episode.compact() for episode in found)
    return Run(folder, manifest, plan_of(folder, manifest), episodes)


def plan_of(folder: Path, manifest: ManifestJson) -> Plan:
    """Return the plan of a run, by its folder and manifest; raises DataError where it is damaged."""
    return _parsed(f"{folder / MANIFEST}, plan", plan_from_json, manifest["plan"])


def prompt_of(folder: Path, manifest: ManifestJson) -> PromptConfig:
    """Return the prompt settings of a run, by its folder and manifest; raises DataError where they are damaged."""
    return prompt_from(manifest["prompt"], f"{folder / MANIFEST}, prompt")


def prompt_from(data: Mapping[str, Any], where: str) -> PromptConfig:
    """Return recorded prompt settings; raises DataError, which names `where`, for those that there cannot be."""
    return _parsed(where, PromptConfig.from_json, data)


def read_manifest(path: Path) -> ManifestJson:
    """Return the manifest of a run folder; raises RunError where there is none, DataError where it is damaged."""
    file = path / MANIFEST
    try:
        data = json.loads(file.read_text(encoding="utf-8"), parse_constant=_refuse_constant)
    except FileNotFoundError:
        raise RunError(f"{path} is not a run folder: it holds no {MANIFEST}{_instead(path)}") from None
    except OSError as error:
        raise RunError(f"cannot read {file}: {error.strerror}") from None
    except (ValueError, RecursionError) as error:
        raise DataError(f"{file} is not JSON: {error}") from None
    _check_keys(data, {"plan": object, "policy": object, "prompt": dict, "versions": dict}, str(file))
    _check_keys(data["plan"], {"suite": (dict, type(None)), "cells": list, "repeats": int}, f"{file}, plan")
    _check_keys(data["policy"], {"name": str}, f"{file}, policy")
    if data["plan"]["suite"] is not None:
        _check_keys(data["plan"]["suite"], {"name": str, "hash": str}, f"{file}, suite")
    for number, cell in enumerate(data["plan"]["cells"], 1):
        _check_keys(cell, {"spec": dict, "seeds": list}, f"{file}, cell {number}")
    return cast(ManifestJson, data)


def _instead(path: Path) -> str:
    """Return what a folder without a manifest may be, and what can be named: an entry of a board, or runs inside it."""
    if (path / "metadata.yaml").is_file():
        return "; an entry of a leaderboard is read by verify, export and leaderboard"
    inside = sorted(file.parent for pattern in ("*", "runs/*") for file in path.glob(f"{pattern}/{MANIFEST}"))
    return f"; name one of the runs in it, such as {inside[0]}" if inside else ""


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a number")


def _check_keys(value: Any, kinds: Kinds, where: str) -> None:
    """Raise DataError unless a value is an object that holds the keys, with values of these types."""
    missing = [key for key in kinds if key not in value] if isinstance(value, dict) else list(kinds)
    if missing:
        raise DataError(f"{where} is not that of a run: it holds no {missing[0]}")
    for key, kind in kinds.items():
        if not isinstance(value[key], kind) or (isinstance(value[key], bool) and kind is int):
            raise DataError(f"{where} is not that of a run: its {key} is {value[key]!r:.60}")


def _parsed(where: str, parse: Callable[[Any], Parsed], value: Any) -> Parsed:
    try:
        return parse(value)
    except (SpecError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise DataError(f"{where} is not that of a run: {type(error).__name__}: {error}") from None


def write_json(path: Path, value: Any) -> None:
    """Write a value as indented JSON, as `write_text` does."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def write_text(path: Path, text: str) -> None:
    """Write a text through a temporary file beside it, whole or not at all; raises RunError where it cannot.

    A lone surrogate, as a path's bytes that are no UTF-8 give one, is written as its escape: in JSON that is itself.
    """
    content = text.encode(errors="backslashreplace")
    temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")  # pieces of a study write beside each other
    try:
        if path.exists() and not path.is_file():  # a pipe or a device: what it is must not be replaced by a file
            path.write_bytes(content)
            return
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            sync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise RunError(f"cannot write {path}: {error.strerror or error}") from None
    sync_folder(path.parent)
