"""An entry of kind study: the folder `leaderboards/<protocol>/<YYYYMMDD>_<org>__<model>/`, and what is in it.

metadata.yaml               who, what, when; the roles of the runs; of each run the hashes of weights and episodes
scores.json                 what the board shows, recomputed from the episodes by every verification
training.jsonl.gz           of each run where its weights come from, as its manifest says
episodes-<run>.jsonl.gz     every episode of a run, compact; or elsewhere, where `episodes_at` says, under the same name
README.md                   for readers

The metadata holds the digests of the episodes, so the three first files stand for the whole entry.
"""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, NamedTuple

from agentgen_bench.errors import EntryError, ScoreError
from agentgen_bench.evaluation.protocol import Protocol, is_protocol
from agentgen_bench.leaderboard.entry import (
    ENTRY_VERSION,
    MAX_BYTES,
    METADATA,
    README,
    STUDY_FILES,
    Metadata,
    check_claims,
    slug,
)
from agentgen_bench.leaderboard.safe import MAX_COMPRESSED_BYTES, check_plain_file, read_text, read_yaml
from agentgen_bench.scores.study import Study, study_from_data

MAX_RUNS = 64
MAX_ENTRY_BYTES = 8 * 1024 * 1024  # of episodes in the repository; what is larger lies elsewhere
KIND = "study"
_RUN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,79}")
_EPISODES = re.compile(rf"episodes-({_RUN.pattern})\.jsonl\.gz")
_HASH = re.compile(r"[0-9a-f]{64}")


class RunFile(NamedTuple):
    """What the metadata says of a run: its policy's own part, its weights, and the file of its episodes."""

    policy: Mapping[str, Any]  # what of the description is not common to all: name, content_hash
    weights: str
    sha256: str
    bytes: int


@dataclass(frozen=True, slots=True)
class StudyMetadata:
    """What metadata.yaml of a study says."""

    entry_version: int
    kind: str
    suite: str  # the protocol's name, which is its suite's too
    suite_hash: str
    protocol_hash: str
    org: str
    model: str
    date: str  # YYYY-MM-DD
    study: Study
    runs: Mapping[str, RunFile]
    policy: Mapping[str, Any]  # common to all runs
    prompt: Mapping[str, Any]
    versions: Mapping[str, Any]
    episodes_at: str | None = None
    made: Mapping[str, Any] | None = None

    @property
    def folder(self) -> str:
        """The name that the entry's folder must have."""
        return f"{self.date.replace('-', '')}_{slug(self.org)}__{slug(self.model)}"

    def of_run(self, run: str, repeats: int) -> Metadata:
        """Return the metadata of a run as if it were an entry of its own, by which its episodes are checked."""
        policy = {**self.policy, **self.runs[run].policy}
        claims = (self.org, self.model, self.date)
        return Metadata(
            ENTRY_VERSION, self.suite, self.suite_hash, repeats, *claims, policy, self.prompt, self.versions
        )

    def to_json(self) -> Mapping[str, object]:
        """Return plain values in the order of the file."""
        values: dict[str, object] = {field.name: getattr(self, field.name) for field in fields(self)}
        values["study"] = self.study.to_json()
        values["runs"] = {name: {**run._asdict(), "policy": dict(run.policy)} for name, run in self.runs.items()}
        return {name: value for name, value in values.items() if value is not None}


def episodes_file(run: str) -> str:
    """Return the name of the file with a run's episodes."""
    return f"episodes-{run}.jsonl.gz"


def is_study_file(name: str) -> bool:
    """Return whether an entry of a study may hold a file of that name."""
    return name in STUDY_FILES or _EPISODES.fullmatch(name) is not None


def is_study(path: Path) -> bool:
    """Return whether the folder is one of a study's entry, by the folder above it."""
    return is_protocol(path.absolute().parent.name)


def read_study_metadata(path: Path, protocol: Protocol) -> StudyMetadata:
    """Return the metadata of the study in a folder, after checking the folder's files, its name and its protocol."""
    if path.is_symlink() or not path.is_dir():
        raise EntryError(f"{path} is not a folder")
    with os.scandir(path) as inside:
        extra = next((file.name for file in inside if not is_study_file(file.name)), None)
    if extra is not None:
        raise EntryError(f"{path} holds {extra[:80]!r}, which is no part of a study's entry")
    for name in STUDY_FILES:
        check_plain_file(path / name, MAX_BYTES[name])
    metadata = study_metadata_from_json(read_yaml(path / METADATA), str(path / METADATA))
    if path.name != metadata.folder:
        raise EntryError(f"{path} should be named {metadata.folder} after its metadata")
    found = (metadata.suite, metadata.suite_hash, metadata.protocol_hash)
    if found != (protocol.name, protocol.suite.hash, protocol.hash):
        raise EntryError(f"{path} was made with another protocol than {protocol.name} {protocol.hash[:12]}")
    strange = sorted(file.name for file in path.iterdir() if not _belongs(file.name, metadata))
    if strange:
        raise EntryError(f"{path} holds {strange[0]!r}, of no run that its metadata names")
    if not read_text(path / README).strip():
        raise EntryError(f"{path / README} is empty; say what the study is")
    return metadata


def _belongs(name: str, metadata: StudyMetadata) -> bool:
    match = _EPISODES.fullmatch(name)
    return match is None or (match[1] in metadata.runs and metadata.episodes_at is None)


def study_metadata_from_json(data: Any, where: str) -> StudyMetadata:
    """Return the metadata of parsed YAML.

    Raises:
        EntryError: a key is missing, unknown or of the wrong type, or a value is not what it should be.
    """
    optional = {"episodes_at", "made"}
    types: dict[str, type] = dict.fromkeys(("study", "runs", "policy", "prompt", "versions", "made"), dict)
    types["entry_version"] = int
    names = {field.name for field in fields(StudyMetadata)}
    if not isinstance(data, dict) or not names - optional <= set(data) <= names:
        got = sorted(map(str, (set(data) ^ names) - optional)) if isinstance(data, dict) else type(data).__name__
        raise EntryError(f"{where} is not the metadata of a study: missing or unknown {str(got)[:200]}")
    for name, value in data.items():
        if type(value) is not types.get(name, str):
            raise EntryError(f"{where}: {name} is {str(value)[:60]!r}, not of type {types.get(name, str).__name__}")
    if data["kind"] != KIND or data["entry_version"] != ENTRY_VERSION:
        raise EntryError(f"{where}: kind and entry_version are not {KIND} and {ENTRY_VERSION}")
    check_claims(data["org"], data["model"], data["date"], where)
    try:
        study = study_from_data(data["study"], where)
    except ScoreError as error:
        raise EntryError(str(error)) from None
    runs = {str(name): _run_file(value, f"{where}: run {str(name)[:80]}") for name, value in data["runs"].items()}
    _check_runs(study, runs, where)
    return StudyMetadata(**{**data, "study": study, "runs": runs})


def _check_runs(study: Study, runs: Mapping[str, RunFile], where: str) -> None:
    if len(runs) > MAX_RUNS:
        raise EntryError(f"{where}: {len(runs)} runs; at most {MAX_RUNS} are accepted")
    if set(study.folders) != set(runs):
        raise EntryError(f"{where}: the runs with a role are not those with a file")
    wrong = sorted(name for name in runs if not _RUN.fullmatch(name))
    if wrong:
        raise EntryError(f"{where}: a run is called {wrong[0][:80]!r}; letters, digits, dots and dashes make a name")


def _run_file(value: Any, where: str) -> RunFile:
    if not isinstance(value, dict) or set(value) != set(RunFile._fields):
        raise EntryError(f"{where} needs the keys {', '.join(RunFile._fields)}")
    hashes = [value["weights"], value["sha256"]]
    if not all(isinstance(one, str) and _HASH.fullmatch(one) for one in hashes):
        raise EntryError(f"{where}: weights and sha256 are SHA-256 of 64 hex digits")
    if type(value["bytes"]) is not int or not 0 < value["bytes"] <= MAX_COMPRESSED_BYTES:
        raise EntryError(f"{where}: bytes is {str(value['bytes'])[:40]}; 1 to {MAX_COMPRESSED_BYTES} are accepted")
    if not isinstance(value["policy"], dict):
        raise EntryError(f"{where}: policy is no table of names and values")
    return RunFile(**value)
