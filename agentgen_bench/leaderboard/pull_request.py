"""The check of a pull request against the leaderboards: what it may not do, and a replay of the entries it adds.

It compares the folder `leaderboards` of the base branch with the one that merging the pull request would give. The code
is the base branch's; nothing of the pull request is executed, imported or interpolated. File names and contents are
a stranger's: nothing is followed out of the folder, and `one_line` makes them fit for printing.
"""

import hashlib
import os
import stat
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, date, datetime
from pathlib import Path

from agentgen_bench.errors import AgentGenError
from agentgen_bench.leaderboard.amend import MAX_REASON_CHARS
from agentgen_bench.leaderboard.audit import (
    AUDIT,
    MAX_AUDIT_BYTES,
    audit_problems,
    entry_folders,
    entry_name,
    read_audit,
    record_line,
)
from agentgen_bench.leaderboard.entry import FILES, FRESH_FILES, named_entries
from agentgen_bench.leaderboard.markdown import BEGIN, END, markdown, with_table
from agentgen_bench.leaderboard.names import date_problem, known_problems
from agentgen_bench.leaderboard.safe import MAX_COMPRESSED_BYTES, read_bytes, read_text
from agentgen_bench.leaderboard.studies import read_studies
from agentgen_bench.leaderboard.study_entry import is_study, is_study_file
from agentgen_bench.leaderboard.study_tables import study_tables
from agentgen_bench.leaderboard.study_verify import verify_entry
from agentgen_bench.leaderboard.table import read_boards

README = "README.md"
MAX_LINE_CHARS = 500
MAX_ADDED_BYTES = 64 * 1024  # of the trail; a record has some 500
MAX_LISTED = 20  # stray files that are named
MAX_README_BYTES = 2 * 1024 * 1024  # of the board: its tables grow with their rows


def trail_problems(base: Path, merged: Path) -> list[str]:
    """Return what the pull request may not do to the trail: change a byte of it, or append anything but its additions.

    Trust is read from the trail, so a submitter must not write "verified" there; a maintainer does, after merging.
    """
    before, after = _trail_bytes(base), _trail_bytes(merged)
    if not after.startswith(before) or (before and not before.endswith(b"\n")):
        return [f"{AUDIT}: earlier records were changed or removed; the trail is only appended to"]
    records = read_audit(merged)[before.count(b"\n") :]
    lines = after[len(before) :].splitlines(keepends=True)
    theirs = {*map(entry_name, added_entries(base, merged)), *changed_entries(base, merged)}
    if len(after) - len(before) > MAX_ADDED_BYTES:
        return [f"{AUDIT}: {len(after) - len(before)} bytes are added; at most {MAX_ADDED_BYTES} are accepted"]
    found: list[str] = []
    for record, line in zip(records, lines, strict=True):
        if record.event != "added":
            found.append(f"{AUDIT}: a pull request records additions only, not {record.event!r} of {record.entry!r}")
        elif record.entry not in theirs:
            found.append(f"{AUDIT}: records {record.entry[:80]!r}, which the pull request does not add")
        elif line != record_line(record) or len(record.note) > MAX_REASON_CHARS or not record.note.isprintable():
            found.append(f"{AUDIT}: a record is not written as submit writes it, or its note is no short line")
    return found


def stray_files(base: Path, merged: Path) -> list[str]:
    """Return a line for each file that a pull request may not add, change or remove, up to `MAX_LISTED`."""
    before, after = ({str(path.relative_to(folder)) for path in _below(folder)} for folder in (base, merged))
    found: list[str] = []
    for name in sorted(before | after):
        if name in (README, AUDIT) or len(found) == MAX_LISTED:
            continue
        if name not in before:
            if (merged / name).is_file() and not _is_part_of_entry(Path(name)):
                found.append(
                    f"{name} is no file of an entry; a pull request adds {', '.join(FILES)} in a folder of its own"
                )
        elif len(Path(name).parts) < 3 and name not in after:
            found.append(f"{name} is removed; a pull request removes nothing")
        elif len(Path(name).parts) < 3 and (base / name).is_file() and _digest(base / name) != _digest(merged / name):
            found.append(f"{name} is changed; a pull request changes the tables and adds to the trail")
    return found


def _is_part_of_entry(name: Path) -> bool:
    if len(name.parts) != 3 or any(part.startswith(".") for part in name.parts):
        return False
    return is_study_file(name.name) if is_study(name.parent) else name.name in (*FILES, *FRESH_FILES)


def readme_problems(base: Path, merged: Path) -> list[str]:
    """Return what a pull request may not do to the README: change it outside the marks, or bring marks of its own."""
    if not (base / README).exists():
        return []
    before, after = (read_text(folder / README, MAX_README_BYTES) for folder in (base, merged))
    for mark in (BEGIN, END):
        if after.count(mark) != 1:
            return [f"{README} holds the mark {mark} {after.count(mark)} times; once is right"]
    if with_table(before, "") != with_table(after, ""):
        return [f"{README} is changed outside the marks of its tables"]
    return []


def name_problems(base: Path, merged: Path, today: date) -> list[str]:
    """Return a line for each added entry whose names look like others' on the board, or whose day cannot be."""
    added = set(added_entries(base, merged))
    known = named_entries(path for path in entry_folders(merged) if path not in added)
    found = []
    for path in sorted(added):
        if not (names := named_entries([path])):
            continue  # verification says what is wrong with it
        (named,) = names
        name = entry_name(path)
        pairs = ((other.org, other.model) for other in known)
        found += [f"{name}: {problem}" for problem in known_problems(named.org, named.model, pairs)]
        if (problem := date_problem(path.parent.name, named.date, today)) is not None:
            found.append(f"{name}: {problem}")
        known.append(named)
    return found


def company_problems(base: Path, merged: Path, changed: Iterable[str]) -> list[str]:
    """Return a line where entries come together with changes of anything outside the leaderboards.

    `changed` are the paths that the pull request touches, relative to the repository. Suites, tool and workflow decide
    what an entry is worth: a change of theirs is judged by itself, before any entry made with it.
    """
    others = sorted(path for path in changed if not path.startswith("leaderboards/"))
    touched = bool(added_entries(base, merged) or changed_entries(base, merged)) or _trail_bytes(base) != _trail_bytes(
        merged
    )
    if not others or not touched:
        return []
    return [
        f"{others[0]} is changed together with entries; send {len(others)} such files in a pull request of their own"
    ]


def repository_problems(base: Path, merged: Path, changed: Iterable[str]) -> list[str]:
    """Return a line for each touched path of the leaderboards that no checkout made a file of: another repository."""
    inside = [path.removeprefix("leaderboards/") for path in changed if path.startswith("leaderboards/")]
    return [
        f"leaderboards/{name} is no file; leaderboards hold no repositories"
        for name in inside
        if not (merged / name).is_file() and not (base / name).is_file()
    ][:MAX_LISTED]


def _trail_bytes(leaderboards: Path) -> bytes:
    path = leaderboards / AUDIT
    return read_bytes(path, MAX_AUDIT_BYTES) if path.exists() else b""


def links(folder: Path) -> list[str]:
    """Return a line for everything below a folder that is neither a plain file nor a folder."""
    return [
        f"{path.relative_to(folder)} is a link or a device; leaderboards hold plain files only"
        for path in _below(folder)
        if not (stat.S_ISREG(mode := path.lstat().st_mode) or stat.S_ISDIR(mode))
    ]


def added_entries(base: Path, merged: Path) -> list[Path]:
    """Return the folders of the entries that the pull request adds, sorted."""
    before = {entry_name(path) for path in entry_folders(base)}
    return [path for path in entry_folders(merged) if entry_name(path) not in before]


def changed_entries(base: Path, merged: Path) -> list[str]:
    """Return the names of the entries that the pull request changes: whose they are, nobody can tell from here."""
    before = {entry_name(path): _fingerprint(path) for path in entry_folders(base)}
    after = {entry_name(path): _fingerprint(path) for path in entry_folders(merged)}
    return [name for name in before if name in after and before[name] != after[name]]


def removed_entries(base: Path, merged: Path) -> list[str]:
    """Return the names of the entries that the pull request takes away."""
    left = {entry_name(path) for path in entry_folders(merged)}
    return [name for name in map(entry_name, entry_folders(base)) if name not in left]


def problems(
    base: Path,
    merged: Path,
    *,
    changed: Iterable[str] = (),
    replay: bool = True,
    workers: int | None = None,
    on_entry: Callable[[Path], None] | None = None,
) -> Iterator[str]:
    """Yield everything that speaks against the pull request; entries are replayed once all else is well.

    Args:
        base: the leaderboards before.
        merged: the leaderboards as merging would leave them.
        changed: all paths that the pull request touches, relative to the repository.
        replay: whether to replay the entries; who has just made them has done so.
        workers: processes of each replay (default: all cores).
        on_entry: told of each entry before it is replayed.
    """
    found = links(merged)
    if not found:
        changed = sorted(changed)
        found = company_problems(base, merged, changed) + repository_problems(base, merged, changed)
        found += trail_problems(base, merged)
        found += stray_files(base, merged)
        found += readme_problems(base, merged)
        found += name_problems(base, merged, datetime.now(UTC).date())
        found += [f"{name} is removed; that is for maintainers to do" for name in removed_entries(base, merged)]
        found += [f"{name} is changed; submit it anew, as an entry beside it" for name in changed_entries(base, merged)]
        found += audit_problems(merged)
    yield from found
    if found:
        return
    for path in added_entries(base, merged) if replay else ():
        if on_entry is not None:
            on_entry(path)
        try:
            found += verify_entry(path, workers=workers).problems
        except AgentGenError as error:  # the entry's folder names no suite
            found.append(f"{entry_name(path)}: {error}")
    yield from found or _board_problems(merged, set(map(entry_name, added_entries(base, merged))))


def _board_problems(leaderboards: Path, added: set[str]) -> list[str]:
    """Return which of the added entries are copies; and where there are none, whether the tables are not current."""
    path = leaderboards / README
    text = read_text(path, MAX_README_BYTES)
    boards = read_boards(leaderboards)
    rows = [row for board in boards for row in board.rows]
    studies = read_studies(leaderboards)
    copies = [f"{row.entry} {row.copy}" for row in rows if row.entry in added and row.copy is not None]
    copies += [f"{study.entry}: {note}" for study in studies if study.entry in added for note in study.said.copies]
    if copies:
        return copies
    if text == with_table(text, markdown(boards, study_tables(studies))):
        return []
    return [f"the tables in {README} are not those of the entries; run agentgen-bench leaderboard --update"]


def _fingerprint(entry: Path) -> dict[str, str]:
    """Return what each file below an entry's folder is, by its path there."""
    return {str(path.relative_to(entry)): _digest(path) for path in _below(entry) if path.is_file()}


def _digest(path: Path) -> str:
    """Return the SHA-256 of a file; of one that is larger than any that is accepted its size only."""
    if not path.is_file():
        return "no file"
    if (size := path.stat().st_size) > MAX_COMPRESSED_BYTES:
        return f"{size} bytes"
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _below(folder: Path) -> Iterator[Path]:
    for place, folders, files in os.walk(folder):  # follows no links
        yield from (Path(place) / name for name in sorted(folders) + sorted(files))


def one_line(text: str) -> str:
    """Return a stranger's text as one line that no terminal and no runner takes for a command."""
    shown = "".join(char if char.isprintable() else " " for char in text)
    return f"- {' '.join(shown.split())[:MAX_LINE_CHARS]}"
