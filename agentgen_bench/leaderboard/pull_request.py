"""The check of a pull request against the leaderboards: what it may not do, and a replay of the entries it adds.

It compares the folder `leaderboards` of the base branch with the one that merging the pull request would give. The code
is the base branch's; nothing of the pull request is executed, imported or interpolated. File names and contents are
a stranger's: nothing is followed out of the folder, and `one_line` makes them fit for printing.
"""

import hashlib
import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

from agentgen_bench.errors import AgentGenError
from agentgen_bench.leaderboard.audit import AUDIT, audit_problems, entry_folders, entry_name, read_audit
from agentgen_bench.leaderboard.safe import read_text
from agentgen_bench.leaderboard.table import markdown, read_boards, with_table
from agentgen_bench.leaderboard.verify import verify

README = "README.md"
MAX_LINE_CHARS = 500


def trail_problems(base: Path, merged: Path) -> list[str]:
    """Return what the pull request may not do to the trail: change it, or append anything but additions.

    Trust is read from the trail, so a submitter must not write "verified" there; a maintainer does, after merging.
    """
    before, after = read_audit(base), read_audit(merged)
    if after[: len(before)] != before:
        return [f"{AUDIT}: earlier records were changed or removed; the trail is only appended to"]
    return [
        f"{AUDIT}: a pull request records additions only, not {record.event!r} of {record.entry!r}"
        for record in after[len(before) :]
        if record.event != "added"
    ]


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
    base: Path, merged: Path, *, workers: int | None = None, on_entry: Callable[[Path], None] | None = None
) -> Iterator[str]:
    """Yield everything that speaks against the pull request; entries are replayed once all else is well.

    Args:
        base: the leaderboards before.
        merged: the leaderboards as merging would leave them.
        workers: processes of each replay (default: all cores).
        on_entry: told of each entry before it is replayed.
    """
    found = links(merged)
    if not found:
        found = trail_problems(base, merged)
        found += [f"{name} is removed; that is for maintainers to do" for name in removed_entries(base, merged)]
        found += [f"{name} is changed; submit it anew, as an entry beside it" for name in changed_entries(base, merged)]
        found += audit_problems(merged)
    yield from found
    if found:
        return
    for path in added_entries(base, merged):
        if on_entry is not None:
            on_entry(path)
        try:
            found += verify(path, workers=workers).problems
        except AgentGenError as error:  # the entry's folder names no suite
            found.append(f"{entry_name(path)}: {error}")
    yield from found or _table_problems(merged)


def _table_problems(leaderboards: Path) -> list[str]:
    path = leaderboards / README
    text = read_text(path)
    if text == with_table(text, markdown(read_boards(leaderboards))):
        return []
    return [f"the tables in {README} are not those of the entries; run agentgen-bench leaderboard --update"]


def _fingerprint(entry: Path) -> dict[str, str]:
    """Return the SHA-256 of each file below an entry's folder, by its path there."""
    found = {}
    for path in _below(entry):
        if path.is_file():
            with path.open("rb") as file:
                found[str(path.relative_to(entry))] = hashlib.file_digest(file, "sha256").hexdigest()
    return found


def _below(folder: Path) -> Iterator[Path]:
    for place, folders, files in os.walk(folder):  # follows no links
        yield from (Path(place) / name for name in sorted(folders) + sorted(files))


def one_line(text: str) -> str:
    """Return a stranger's text as one line that no terminal and no runner takes for a command."""
    shown = "".join(char if char.isprintable() else " " for char in text)
    return f"- {' '.join(shown.split())[:MAX_LINE_CHARS]}"
