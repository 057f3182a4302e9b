"""An entry: the folder `leaderboards/<suite>/<YYYYMMDD>_<org>__<model>/`, what is in it, and what it must be like.

metadata.yaml       who, what, when, on which suite: claims, apart from what the checks here compare
results.json        recomputed from the episodes by every verification
episodes.jsonl.gz   every episode, compact: actions, completions, rewards and the hash chain of the observations
README.md           for readers

An entry may carry a run on fresh levels beside that (see `fresh`):

fresh.jsonl.gz      its episodes
fresh.json          frozen against fresh, recomputed by every verification
"""

import hashlib
import os
import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, fields
from datetime import date
from pathlib import Path
from typing import Any, NamedTuple

from agentgen_bench.errors import EntryError
from agentgen_bench.leaderboard.names import check_name
from agentgen_bench.leaderboard.safe import (
    MAX_COMPRESSED_BYTES,
    MAX_JSON_BYTES,
    MAX_TEXT_BYTES,
    MAX_YAML_BYTES,
    check_plain_file,
    read_text,
    read_yaml,
)
from agentgen_bench.suites import Suite

METADATA, RESULTS, EPISODES, README = "metadata.yaml", "results.json", "episodes.jsonl.gz", "README.md"
FILES = (METADATA, RESULTS, EPISODES, README)
FRESH_EPISODES, FRESH_RESULTS = "fresh.jsonl.gz", "fresh.json"
FRESH_FILES = (FRESH_EPISODES, FRESH_RESULTS)
SCORES, TRAINING = "scores.json", "training.jsonl.gz"  # of a study, see `study_entry`
STUDY_FILES = (METADATA, SCORES, TRAINING, README)
MAX_BYTES = {
    METADATA: MAX_YAML_BYTES,
    SCORES: MAX_JSON_BYTES,
    TRAINING: MAX_COMPRESSED_BYTES,
    RESULTS: MAX_JSON_BYTES,
    EPISODES: MAX_COMPRESSED_BYTES,
    FRESH_EPISODES: MAX_COMPRESSED_BYTES,
    FRESH_RESULTS: MAX_JSON_BYTES,
    README: MAX_TEXT_BYTES,
}
ENTRY_VERSION = 1
OPTIONAL = ("made", "fresh")  # of the metadata
MAX_REPEATS = 64
MIN_REPEATS = {"core-mini-v1": 3}


@dataclass(frozen=True, slots=True)
class Metadata:
    """What metadata.yaml says."""

    entry_version: int
    suite: str
    suite_hash: str
    repeats: int
    org: str
    model: str
    date: str  # YYYY-MM-DD
    policy: Mapping[str, Any]
    prompt: Mapping[str, Any]
    versions: Mapping[str, Any]
    made: Mapping[str, Any] | None = None  # when, how long, on what, from which commit; entries of before say nothing
    fresh: Mapping[str, Any] | None = None  # of the run on fresh levels: the text that draws them, hash, when and how

    @property
    def files(self) -> tuple[str, ...]:
        """The files that the entry's folder holds."""
        return FILES if self.fresh is None else (*FILES, *FRESH_FILES)

    @property
    def folder(self) -> str:
        """The name that the entry's folder must have."""
        return f"{self.date.replace('-', '')}_{slug(self.org)}__{slug(self.model)}"

    def to_json(self) -> Mapping[str, object]:
        """Return plain values in the order of the file."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: value for name, value in values.items() if value is not None}


def slug(name: str) -> str:
    """Return a name as it may stand in a path: letters, digits, dots, plus and minus signs.

    Examples:
        >>> slug("Qwen/Qwen3-4B")
        'Qwen-Qwen3-4B'
    """
    text = re.sub(r"[^A-Za-z0-9.+-]+", "-", name).strip("-.")
    if not text:
        raise EntryError(f"{name!r} holds none of a to z and 0 to 9, which the entry's folder is named by; add some")
    return text


def metadata_from_json(data: Any, where: str) -> Metadata:
    """Return the metadata of parsed YAML.

    Raises:
        EntryError: a key is missing, unknown or of the wrong type, or the date or a name is not one.
    """
    types = {"entry_version": int, "repeats": int} | dict.fromkeys(("policy", "prompt", "versions", *OPTIONAL), dict)
    names = [field.name for field in fields(Metadata)]
    if isinstance(data, dict):
        names = [name for name in names if name in data or name not in OPTIONAL]
    if not isinstance(data, dict) or set(data) != set(names):
        got = sorted(map(str, set(data) ^ set(names))) if isinstance(data, dict) else type(data).__name__
        raise EntryError(f"{where} is not an entry's metadata: missing or unknown {got}")
    for name in names:
        wanted = types.get(name, str)
        if type(data[name]) is not wanted:
            raise EntryError(f"{where}: {name} is {str(data[name])[:60]!r}, not of type {wanted.__name__}")
    metadata = Metadata(**data)
    _check_values(metadata, where)
    return metadata


def _check_values(metadata: Metadata, where: str) -> None:
    if metadata.entry_version != ENTRY_VERSION:
        raise EntryError(f"{where}: entry_version is {metadata.entry_version}; this version reads {ENTRY_VERSION}")
    if not 1 <= metadata.repeats <= MAX_REPEATS:
        raise EntryError(f"{where}: repeats is {metadata.repeats}; 1 to {MAX_REPEATS} are accepted")
    fresh = metadata.fresh
    if fresh is not None and not (
        {"text", "suite_hash"} <= set(fresh) <= {"text", "suite_hash", "made"}
        and isinstance(fresh["text"], str)
        and isinstance(fresh["suite_hash"], str)
    ):
        raise EntryError(f"{where}: fresh holds {sorted(map(str, fresh))}, not a text and a suite_hash (and made)")
    check_claims(metadata.org, metadata.model, metadata.date, where)


def check_claims(org: str, model: str, day: str, where: str) -> None:
    """Raise EntryError for a name that may not be on the board, or a day that is none (YYYY-MM-DD)."""
    for name, value in (("org", org), ("model", model)):
        check_name(value, f"{where}: {name}")
        slug(value)
    try:
        written = date.fromisoformat(day).isoformat()
    except ValueError:
        written = ""
    if written != day:
        raise EntryError(f"{where}: date is {day[:40]!r}, not a day as YYYY-MM-DD")


class Named(NamedTuple):
    """Who submitted what, when, of an entry of either kind."""

    org: str
    model: str
    date: str  # YYYY-MM-DD


def named_entries(paths: Iterable[Path]) -> list[Named]:
    """Return the names of those folders where they can be read; verification says what is wrong with others."""
    found = []
    for path in paths:
        with suppress(EntryError):
            data = read_yaml(path / METADATA)
            if isinstance(data, dict) and all(isinstance(data.get(name), str) for name in Named._fields):
                named = Named(data["org"], data["model"], data["date"])
                check_claims(named.org, named.model, named.date, str(path / METADATA))
                found.append(named)
    return found


def read_metadata(path: Path, suite: Suite) -> Metadata:
    """Return the metadata of the entry in a folder, after checking the folder's files, its name and its suite."""
    metadata = _read_own(path)
    if path.name != metadata.folder:
        raise EntryError(f"{path} should be named {metadata.folder} after its metadata")
    if metadata.suite != suite.name:
        raise EntryError(f"{path} says suite {metadata.suite!r}, but lies among entries of {suite.name!r}")
    if metadata.suite_hash != suite.hash:
        raise EntryError(f"{path} was made with suite hash {metadata.suite_hash[:64]}; {suite.name} has {suite.hash}")
    if not read_text(path / README).strip():
        raise EntryError(f"{path / README} is empty; say what the entry is")
    if metadata.repeats < (least := least_repeats(suite.name, metadata.policy)):
        raise EntryError(
            f"{path} plays each level {metadata.repeats} times; {suite.name} asks for {least} of what samples"
        )
    return metadata


def _read_own(path: Path) -> Metadata:
    """Return the metadata in a folder, after checking that it holds the files of such an entry and nothing else."""
    if path.is_symlink() or not path.is_dir():
        raise EntryError(f"{path} is not a folder")
    with os.scandir(path) as inside:
        known = (*FILES, *FRESH_FILES)
        extra = next((file.name for file in inside if file.name not in known), None)  # of millions, the first will do
    if extra is not None:
        raise EntryError(f"{path} holds {extra[:80]!r}, which is no part of an entry; it holds {', '.join(FILES)} only")
    for name in FILES:
        check_plain_file(path / name, MAX_BYTES[name])
    metadata = metadata_from_json(read_yaml(path / METADATA), str(path / METADATA))
    for name in FRESH_FILES:
        if metadata.fresh is not None:
            check_plain_file(path / name, MAX_BYTES[name])
        elif os.path.lexists(path / name):
            raise EntryError(f"{path} holds {name!r}, but its metadata tells of no fresh levels")
    return metadata


def least_repeats(suite: str, policy: Mapping[str, Any]) -> int:
    """Return how often a policy must play each level of a suite: with few levels what samples plays them again."""
    sampling = policy.get("sampling")
    samples = policy.get("kind") == "agent" or (isinstance(sampling, dict) and sampling.get("temperature") != 0)
    return MIN_REPEATS.get(suite, 1) if samples else 1


def is_whole(path: Path) -> bool:
    """Return whether a folder holds every file that an entry of its kind has."""
    names = STUDY_FILES if os.path.lexists(path / SCORES) else FILES
    return all((path / name).exists() for name in names)


def digests(path: Path) -> dict[str, str]:
    """Return the SHA-256 of each file of an entry except its README, which may be improved later.

    Of a study those of its metadata, its scores and its training records; the metadata holds those of its episodes.
    """
    found = {}
    is_study = os.path.lexists(path / SCORES)
    own = (METADATA, RESULTS, EPISODES, *(name for name in FRESH_FILES if os.path.lexists(path / name)))
    of_study = (METADATA, SCORES, TRAINING, *((FRESH_RESULTS,) if os.path.lexists(path / FRESH_RESULTS) else ()))
    for name in of_study if is_study else own:
        check_plain_file(path / name, MAX_BYTES[name])
        with (path / name).open("rb") as file:
            found[name] = hashlib.file_digest(file, "sha256").hexdigest()
    return found
