"""The run folder: manifest.json, episodes.jsonl, results.json, and how they survive crashes and full disks."""

import errno
import fcntl
import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from io import FileIO
from pathlib import Path
from typing import Any

from agentgen_bench.episodes import Episode, read_episodes, recover, to_line
from agentgen_bench.errors import DataError, RunError
from agentgen_bench.evaluation.manifest import differences
from agentgen_bench.evaluation.plan import Plan, plan_from_json
from agentgen_bench.evaluation.sessions import MADE, SESSIONS, Session, begin, made, sessions_of

MANIFEST, EPISODES, RESULTS = "manifest.json", "episodes.jsonl", "results.json"


@dataclass(frozen=True, slots=True)
class Run:
    """A run as read from its folder."""

    path: Path
    manifest: dict[str, Any]
    plan: Plan
    episodes: tuple[Episode, ...]

    @property
    def is_complete(self) -> bool:
        """Whether every episode of the plan is recorded."""
        return len(self.episodes) == self.plan.n_episodes


def read_run(path: Path, *, texts: bool = True) -> Run:
    """Return the run in a folder; raises RunError where it is none, DataError where a file is damaged.

    Without `texts` its episodes are compact: of thousands, the observations' texts would fill the memory.
    """
    manifest = read_manifest(path)
    found = read_episodes(path / EPISODES) if (path / EPISODES).exists() else iter(())
    episodes = tuple(episode if texts else episode.compact() for episode in found)
    return Run(path, manifest, plan_from_json(manifest["plan"]), episodes)


def read_manifest(path: Path) -> dict[str, Any]:
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
    return dict(data)


def _check_keys(value: Any, keys: Sequence[str], where: str) -> None:
    missing = [key for key in keys if key not in value] if isinstance(value, dict) else list(keys)
    if missing:
        raise DataError(f"{where} is not that of a run: it holds no {missing[0]}")


@dataclass(slots=True)
class Recorder:
    """An open run folder: what it already holds (compact), and where new episodes go."""

    path: Path
    done: list[Episode]
    _file: FileIO
    _manifest: dict[str, Any]  # as it is in the folder
    _whole_bytes: int = field(default=0)
    _session: Session = field(default_factory=begin)
    _n_before: int = field(default=0)  # episodes that earlier sessions left

    def append(self, episode: Episode) -> None:
        """Write one episode as one line; on failure the line is taken back, so the file stays whole.

        Raises:
            RunError: the disk is full, or the file cannot be written; earlier episodes are safe.
        """
        line = to_line(episode).encode() + b"\n"
        try:
            written = self._file.write(line)
            if written != len(line):  # an unbuffered write may stop short where the disk fills up
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        except OSError as error:
            self._take_back()
            raise RunError(
                f"cannot write {self.path / EPISODES}: {error.strerror}; {len(self.done)} episodes are safe there. "
                "Free some space and run the same command with --resume"
            ) from None
        self._whole_bytes += len(line)
        self.done.append(episode.compact())
        if self._session.is_mark_due():
            self.mark()

    def write_results(self, results: dict[str, Any]) -> dict[str, Any]:
        """Write results.json in one move, whole or not at all, and return it: the results, and how they were made."""
        whole = {**results, MADE: made(self._sessions())}
        write_json(self.path / RESULTS, whole)
        return whole

    def mark(self) -> None:
        """Write into the manifest how long this session has lasted, beside what it held."""
        sessions = self._sessions()
        if sessions:
            with suppress(RunError):  # no reason to lose an episode, or to hide why the run ends
                write_json(self.path / MANIFEST, {**self._manifest, SESSIONS: sessions})

    def _sessions(self) -> list[dict[str, Any]]:
        """Return the sessions so far; one that added nothing is none, and half a list would be wrong."""
        before = sessions_of(self._manifest)
        is_begun = len(self.done) > self._n_before or not self._n_before
        is_known = bool(before) or not self._n_before
        return [*before, self._session.to_json()] if is_begun and is_known else before

    def _take_back(self) -> None:
        try:
            os.ftruncate(self._file.fileno(), self._whole_bytes)
        except OSError:
            return  # the torn line is then left out by the next resume


@contextmanager
def open_run(path: Path, manifest: dict[str, Any], resume: bool) -> Iterator[Recorder]:
    """Create the run folder, or with `resume` go on in it; yields its recorder and holds a lock meanwhile.

    Raises:
        RunError: the folder holds a run and `resume` is off, or the run has other settings, or another process
            writes to it, or it cannot be created.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
        file = (path / EPISODES).open("ab", buffering=0)
    except OSError as error:
        raise RunError(f"cannot create the run folder {path}: {error.strerror or error}") from None
    with file:
        recorder = _prepared(path, file, manifest, resume)
        recorder.mark()
        try:
            yield recorder
        finally:
            recorder.mark()


def _prepared(path: Path, file: FileIO, manifest: dict[str, Any], resume: bool) -> Recorder:
    """Lock the folder, write or compare its manifest, and cut a torn last line off its episodes."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise RunError(f"another process is writing to {path}; wait for it or choose another --output") from None
    if (path / MANIFEST).exists():
        _check_resume(path, manifest, resume)
    elif file.seek(0, os.SEEK_END):
        raise RunError(f"{path / EPISODES} has no {MANIFEST} beside it; choose another --output")
    else:
        write_json(path / MANIFEST, manifest)
    recorded = read_manifest(path)
    sessions_of(recorded)
    episodes, torn_bytes = recover(path / EPISODES)
    whole_bytes = file.seek(0, os.SEEK_END) - torn_bytes
    file.truncate(whole_bytes)
    done = [episode.compact() for episode in episodes]
    return Recorder(path, done, file, recorded, whole_bytes, _n_before=len(done))


def write_json(path: Path, value: Any) -> None:
    """Write a value as indented JSON, as `write_text` does."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def write_text(path: Path, text: str) -> None:
    """Write a text through a temporary file beside it, whole or not at all; raises RunError where it cannot."""
    temporary = path.with_name(path.name + ".tmp")
    try:
        temporary.write_text(text, encoding="utf-8")
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise RunError(f"cannot write {path}: {error.strerror or error}") from None


def _check_resume(path: Path, manifest: dict[str, Any], resume: bool) -> None:
    recorded = read_manifest(path)
    if not resume:
        raise RunError(f"{path} already holds a run; add --resume to go on with it, or choose another --output")
    changed = differences(recorded, manifest)
    if changed:
        raise RunError(
            "cannot resume with other settings:\n  "
            + "\n  ".join(changed)
            + f"\nThe run was started with: {recorded.get('command', '(unknown)')}"
        )
