"""The run folder as it is read, and its small files: manifest.json, results.json."""

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NotRequired, TypedDict, cast

from agentgen_bench.episodes import Episode, read_episodes
from agentgen_bench.errors import DataError, RunError
from agentgen_bench.evaluation.plan import Plan, PlanJson, plan_from_json
from agentgen_bench.evaluation.sessions import MadeJson, SessionJson
from agentgen_bench.evaluation.training import OriginJson
from agentgen_bench.line_file import sync, sync_folder
from agentgen_bench.prompts import PromptJson
from agentgen_bench.scores.success import ResultsJson

MANIFEST, EPISODES, RESULTS = "manifest.json", "episodes.jsonl", "results.json"


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
    return Run(folder, manifest, plan_from_json(manifest["plan"]), episodes)


def read_manifest(path: Path) -> ManifestJson:
    """Return the manifest of a run folder; raises RunError where there is none, DataError where it is damaged."""
    file = path / MANIFEST
    try:
        data = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise RunError(f"{path} is not a run folder: it holds no {MANIFEST}") from None
    except OSError as error:
        raise RunError(f"cannot read {file}: {error.strerror}") from None
    except (ValueError, RecursionError) as error:
        raise DataError(f"{file} is not JSON: {error}") from None
    _check_keys(data, ("plan", "policy", "prompt", "versions"), str(file))
    _check_keys(data["plan"], ("suite", "cells", "repeats"), f"{file}, plan")
    _check_keys(data["policy"], ("name",), f"{file}, policy")
    if not isinstance(data["plan"]["cells"], list):
        raise DataError(f"{file}, plan is not that of a run: its cells are no list")
    for number, cell in enumerate(data["plan"]["cells"], 1):
        _check_keys(cell, ("spec", "seeds"), f"{file}, cell {number}")
    return cast(ManifestJson, data)


def _check_keys(value: Any, keys: Sequence[str], where: str) -> None:
    missing = [key for key in keys if key not in value] if isinstance(value, dict) else list(keys)
    if missing:
        raise DataError(f"{where} is not that of a run: it holds no {missing[0]}")


def write_json(path: Path, value: Any) -> None:
    """Write a value as indented JSON, as `write_text` does."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def write_text(path: Path, text: str) -> None:
    """Write a text through a temporary file beside it, whole or not at all; raises RunError where it cannot."""
    temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")  # pieces of a study write beside each other
    try:
        if path.exists() and not path.is_file():  # a pipe or a device: what it is must not be replaced by a file
            path.write_text(text, encoding="utf-8")
            return
        with temporary.open("wb") as file:
            file.write(text.encode())
            file.flush()
            sync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise RunError(f"cannot write {path}: {error.strerror or error}") from None
    sync_folder(path.parent)
