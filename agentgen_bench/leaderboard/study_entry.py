"""An entry of kind study: the folder `leaderboards/<protocol>/<YYYYMMDD>_<org>__<model>/`, and what is in it.

metadata.yaml               who, what, when; the roles of the runs; of each run the hashes of weights and episodes
scores.json                 what the board shows, recomputed from the episodes by every verification
training.jsonl.gz           of each run where its weights come from, as its manifest says
episodes-<run>.jsonl.gz     every episode of a run, compact; or elsewhere, where `episodes_at` says, under the same name
README.md                   for readers

Policies of the study may have been played on fresh levels too:

fresh-<run>.jsonl.gz        their episodes, where those on frozen levels are
fresh.json                  frozen against fresh, recomputed by every verification

The metadata holds the digests of the episodes, so the other files stand for the whole entry.
"""

import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, NamedTuple

from agentgen_bench.errors import EntryError, ScoreError
from agentgen_bench.evaluation.protocol import Protocol, is_protocol
from agentgen_bench.leaderboard.entry import (
    ENTRY_VERSION,
    FRESH_RESULTS,
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
OWN = ("name", "model", "content_hash")  # of a policy's description; all else is common to a study's runs
_RUN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,79}")
_EPISODES = re.compile(rf"episodes-({_RUN.pattern})\.jsonl\.gz")
_FRESH = re.compile(rf"fresh-({_RUN.pattern})\.jsonl\.gz")
_HASH = re.compile(r"[0-9a-f]{64}")


class RunFile(NamedTuple):
    """What the metadata says of a run: its policy's own part, its weights, and the file of its episodes."""

    policy: Mapping[str, Any]  # what of the description is not common to all: `OWN`
    weights: str
    sha256: str
    bytes: int


class FreshFile(NamedTuple):
    """What the metadata says of the file of a run's episodes on fresh levels."""

    sha256: str
    bytes: int


class FreshRuns(NamedTuple):
    """What the metadata says of the policies on fresh levels: the text that draws these, and a file a run."""

    text: str
    suite_hash: str
    runs: Mapping[str, FreshFile]
    made: Mapping[str, Any] | None = None

    def to_json(self) -> Mapping[str, object]:
        """Return plain values."""
        values = {**self._asdict(), "runs": {name: file._asdict() for name, file in self.runs.items()}}
        return {name: value for name, value in values.items() if value is not None}


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
    fresh: FreshRuns | None = None

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
        values["fresh"] = None if self.fresh is None else self.fresh.to_json()
        values["runs"] = {name: {**run._asdict(), "policy": dict(run.policy)} for name, run in self.runs.items()}
        return {name: value for name, value in values.items() if value is not None}


def episodes_file(run: str) -> str:
    """Return the name of the file with a run's episodes."""
    return f"episodes-{run}.jsonl.gz"


def fresh_file(run: str) -> str:
    """Return the name of the file with a run's episodes on fresh levels."""
    return f"fresh-{run}.jsonl.gz"


def is_study_file(name: str) -> bool:
    """Return whether an entry of a study may hold a file of that name."""
    return name in (*STUDY_FILES, FRESH_RESULTS) or any(one.fullmatch(name) for one in (_EPISODES, _FRESH))


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
    for name in (*STUDY_FILES, *((FRESH_RESULTS,) if os.path.lexists(path / FRESH_RESULTS) else ())):
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
    fresh = {} if metadata.fresh is None else metadata.fresh.runs
    for pattern, runs in ((_EPISODES, metadata.runs), (_FRESH, fresh)):
        if (match := pattern.fullmatch(name)) is not None:
            return match[1] in runs and metadata.episodes_at is None
    return name != FRESH_RESULTS or metadata.fresh is not None


def study_metadata_from_json(data: Any, where: str) -> StudyMetadata:
    """Return the metadata of parsed YAML.

    Raises:
        EntryError: a key is missing, unknown or of the wrong type, or a value is not what it should be.
    """
    optional = {"episodes_at", "made", "fresh"}
    types: dict[str, type] = dict.fromkeys(("study", "runs", "policy", "prompt", "versions", "made", "fresh"), dict)
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
    fresh = None if "fresh" not in data else _fresh_runs(data["fresh"], study, f"{where}: fresh")
    return StudyMetadata(**{**data, "study": study, "runs": runs, "fresh": fresh})


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
    _check_hash(value["weights"], f"{where}: weights")
    _check_file(value, where)
    if not isinstance(value["policy"], dict) or not set(value["policy"]) <= set(OWN):
        # Whatever else stood here would win over the policy that is common to all, by which decoding is checked.
        raise EntryError(f"{where}: its policy is no table of {', '.join(OWN)}; all else is common to the study's runs")
    return RunFile(**value)


def _fresh_runs(value: Any, study: Study, where: str) -> FreshRuns:
    if not isinstance(value, dict) or not {"text", "suite_hash", "runs"} <= set(value) <= set(FreshRuns._fields):
        raise EntryError(f"{where} needs the keys text, suite_hash and runs (and made)")
    if not isinstance(value["text"], str) or not isinstance(value["runs"], dict) or not value["runs"]:
        raise EntryError(f"{where}: text is no text, or runs is no table of runs with a file each")
    if not isinstance(value.get("made", {}), dict):
        raise EntryError(f"{where}: made is no table of names and values")
    _check_hash(value["suite_hash"], f"{where}: suite_hash")
    runs = {str(name): _fresh_file(one, f"{where}: run {str(name)[:80]}") for name, one in value["runs"].items()}
    if problems := fresh_roles_problems(study, runs):
        raise EntryError(f"{where}: {problems[0]}")
    return FreshRuns(value["text"], value["suite_hash"], runs, value.get("made"))


def fresh_roles_problems(study: Study, runs: Iterable[str]) -> list[str]:
    """Return a line for each run that is none of the study's, and each policy that only a part of its runs stands for.

    Whoever could leave out the training seeds that do worse on fresh levels would.
    """
    given = set(runs)
    found = [f"{name[:80]!r} is no run of the study" for name in sorted(given - set(study.folders))]
    for condition, own in study.conditions.items():
        wanted = [folder for run in own for folder in (run.run, *run.also)]
        if given & set(wanted) and (missing := [name for name in wanted if name not in given]):
            found.append(
                f"{condition.label!r} was played on fresh levels by a part of its runs; {', '.join(missing)} lacks"
            )
    return found


def _fresh_file(value: Any, where: str) -> FreshFile:
    if not isinstance(value, dict) or set(value) != set(FreshFile._fields):
        raise EntryError(f"{where} needs the keys {', '.join(FreshFile._fields)}")
    _check_file(value, where)
    return FreshFile(**value)


def _check_file(value: Mapping[str, Any], where: str) -> None:
    _check_hash(value["sha256"], f"{where}: sha256")
    if type(value["bytes"]) is not int or not 0 < value["bytes"] <= MAX_COMPRESSED_BYTES:
        raise EntryError(f"{where}: bytes is {str(value['bytes'])[:40]}; 1 to {MAX_COMPRESSED_BYTES} are accepted")


def _check_hash(value: Any, where: str) -> None:
    if not isinstance(value, str) or not _HASH.fullmatch(value):
        raise EntryError(f"{where} is no SHA-256 of 64 hex digits")
