"""The audit trail, leaderboards/audit.jsonl: what happened to which entry, and hence how far to trust each.

One JSON object a line, only ever appended: date, event, entry (suite/folder), the digests of its files, a note.
"""

import errno
import json
import os
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from io import FileIO
from pathlib import Path
from typing import Any, Literal, get_args

from agentgen_bench.errors import EntryError
from agentgen_bench.leaderboard.entry import digests, is_whole
from agentgen_bench.leaderboard.safe import parse_json, read_bytes
from agentgen_bench.line_file import UnwrittenError, sync

AUDIT = "audit.jsonl"
MAX_AUDIT_BYTES = 64 * 1024 * 1024
Event = Literal["added", "verified", "likelihood", "rerun", "rescored", "removed"]
EVENTS: tuple[Event, ...] = get_args(Event)
Trust = Literal["claimed", "replayed", "likelihood", "rerun"]
TRUSTS: tuple[Trust, ...] = get_args(Trust)  # from least to most


@dataclass(frozen=True, slots=True)
class Record:
    """One line of the audit trail."""

    date: str
    event: Event
    entry: str
    note: str = ""
    digests: dict[str, str] = field(default_factory=dict)


def entry_name(path: Path) -> str:
    """Return how the audit trail names the entry in a folder: suite/folder."""
    path = path.absolute()
    return f"{path.parent.name}/{path.name}"


def read_audit(leaderboards: Path) -> list[Record]:
    """Return the records in order; no file means no records."""
    path = leaderboards / AUDIT
    if not path.exists():
        return []
    lines = read_bytes(path, MAX_AUDIT_BYTES).splitlines()  # of bytes: at line breaks only, not at U+2028
    return [_record(parse_json(line, f"{path}, line {i}"), f"{path}, line {i}") for i, line in enumerate(lines, 1)]


def append(leaderboards: Path, *records: Record) -> None:
    """Append records, all or none, on lines of their own also where an editor took the newline off the last one.

    Raises:
        UnwrittenError: the disk is full, or the file cannot be written; it is left as it was.
    """
    path = leaderboards / AUDIT
    try:
        with path.open("ab+", buffering=0) as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - 1))
            before = b"" if file.read(1) in (b"", b"\n") else b"\n"
            _write_or_take_back(file, before + b"".join(map(record_line, records)))
    except OSError as error:
        said = error.strerror or str(error)
        raise UnwrittenError(
            f"cannot write {path}: {said}; nothing was recorded, mend that and repeat the command"
        ) from None


def _write_or_take_back(file: FileIO, content: bytes) -> None:
    """Write to the end of an unbuffered file and sync it; a torn line would have every later reading fail."""
    size = file.seek(0, os.SEEK_END)
    try:
        if file.write(content) != len(content):  # an unbuffered write may stop short where the disk fills up
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        sync(file.fileno())
    except OSError:
        with suppress(OSError):
            file.truncate(size)
            sync(file.fileno())
        raise


def record_line(record: Record) -> bytes:
    """Return the one way to write a record, with its line break."""
    data = {name: getattr(record, name) for name in ("date", "event", "entry", "note", "digests")}
    return f"{json.dumps(data)}\n".encode()


def trust(path: Path, records: Iterable[Record]) -> Trust:
    """Return how far to trust the entry in a folder: by what was recorded of exactly these files."""
    return trust_of(entry_name(path), digests(path), records)


def trust_of(name: str, now: Mapping[str, str], records: Iterable[Record]) -> Trust:
    """Return how far to trust the entry of a name whose files have these digests.

    A removal ends what was recorded before it: files that come back are as new ones.
    """
    events: set[Event] = set()
    for record in records:
        if record.entry == name and record.event == "removed":
            events.clear()
        elif record.entry == name and record.digests == now:
            events.add(record.event)
    if "rerun" in events:
        return "rerun"
    if "verified" not in events:
        return "claimed"
    return "likelihood" if "likelihood" in events else "replayed"


def entry_folders(leaderboards: Path) -> list[Path]:
    """Return the folders of all entries, sorted; hidden folders are work in progress."""
    return sorted(
        path
        for suite in leaderboards.iterdir()
        if suite.is_dir() and not suite.name.startswith(".")
        for path in suite.iterdir()
        if path.is_dir() and not path.name.startswith(".")
    )


def audit_problems(leaderboards: Path) -> list[str]:
    """Return where the folders and the trail disagree: unrecorded additions, changes and removals."""
    last = {record.entry: record for record in read_audit(leaderboards)}
    folders = {entry_name(path): path for path in entry_folders(leaderboards)}
    problems = []
    for name, path in folders.items():
        if name not in last or last[name].event == "removed":
            problems.append(f"{name} is there, but the audit trail does not say that it was added")
        elif is_whole(path) and last[name].digests != digests(path):
            problems.append(f"{name} has other files than the audit trail's last record of it; see audit rescore")
    gone = [name for name, record in last.items() if record.event != "removed" and name not in folders]
    return problems + [f"{name} is gone, but the audit trail does not say that it was removed" for name in gone]


def _record(data: Any, where: str) -> Record:
    texts = ("date", "event", "entry", "note")
    if (
        not isinstance(data, dict)
        or set(data) != {*texts, "digests"}
        or not all(isinstance(data[name], str) for name in texts)
        or not isinstance(data["digests"], dict)
        or data["event"] not in EVENTS
    ):
        raise EntryError(
            f"{where} is not an audit record; it needs {[*texts, 'digests']} and one of the events {EVENTS}"
        )
    return Record(**data)
