"""What a maintainer does to an entry after its addition: score it again, or remove it; both with a reason."""

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from agentgen_bench.errors import EntryError
from agentgen_bench.evaluation.folder import write_json
from agentgen_bench.leaderboard.audit import Record, append, entry_name, read_audit
from agentgen_bench.leaderboard.entry import (
    FILES,
    FRESH_FILES,
    FRESH_RESULTS,
    RESULTS,
    digests,
    read_metadata,
)
from agentgen_bench.leaderboard.equal import first_difference
from agentgen_bench.leaderboard.fresh import fresh_results, read_fresh_episodes
from agentgen_bench.leaderboard.records import read_entry_episodes
from agentgen_bench.leaderboard.safe import read_json
from agentgen_bench.leaderboard.study_amend import computed_scores
from agentgen_bench.leaderboard.study_entry import is_study, is_study_file
from agentgen_bench.leaderboard.verify import json_text, scored
from agentgen_bench.scores.success import results
from agentgen_bench.suites import Suite, load_suite

MAX_REASON_CHARS = 500


def rescore(path: Path, reason: str, date: str, suite: Suite | None = None) -> str:
    """Compute an entry's results.json anew from its episodes, record that, and return what changed.

    Its trust falls back to "claimed" until the new files are verified.

    Args:
        path: the entry's folder, two levels below that of the audit trail.
        reason: why, one line.
        date: YYYY-MM-DD.
        suite: the entry's suite (default: the shipped one).

    Raises:
        EntryError: the entry is not on record, is broken, or nothing about it has changed since its last record.
    """
    path = path.absolute()
    last = _last_record(path, reason)
    computed = computed_scores(path) if is_study(path) else _computed_results(path, suite)
    differing = {name: first_difference(read_json(path / name), value) for name, value in computed.items()}
    changed = next((found for found in differing.values() if found is not None), None)
    if changed is None and digests(path) == last.digests:
        raise EntryError(
            f"{path}: the scores are what this version computes, and no file has changed; nothing to record"
        )
    for name, found in differing.items():
        if found is not None:
            write_json(path / name, computed[name])
    append(path.parent.parent, Record(date, "rescored", entry_name(path), reason, digests(path)))
    return changed or "the scores are the same; another file had changed"


def _computed_results(path: Path, suite: Suite | None) -> Mapping[str, Any]:
    """Return what each file of scores must hold."""
    suite = load_suite(path.parent.name) if suite is None else suite
    metadata = read_metadata(path, suite)
    episodes = list(map(scored, read_entry_episodes(path, metadata, suite)))
    computed: dict[str, object] = {RESULTS: results(episodes)}
    if metadata.fresh is not None:
        fresh = map(scored, read_fresh_episodes(path, metadata, suite))
        computed[FRESH_RESULTS] = fresh_results(episodes, fresh)
    return dict(json.loads(json_text(computed)))


def remove(path: Path, reason: str, date: str) -> None:
    """Delete an entry's folder, unless that was done before, and record the removal with the digests on record.

    Args:
        path: the entry's folder, two levels below that of the audit trail.
        reason: why, one line.
        date: YYYY-MM-DD.

    Raises:
        EntryError: the entry is not on record, or its folder holds something else or cannot be deleted.
    """
    path = path.absolute()
    last = _last_record(path, reason)
    if path.is_symlink() or (path.exists() and not path.is_dir()):
        raise EntryError(f"{path} is not an entry's folder; nothing was removed")
    extra = sorted(file.name for file in path.iterdir() if not _is_part(path, file.name)) if path.exists() else []
    if extra:
        raise EntryError(f"{path} holds {extra[0]!r}, which is no part of an entry; take it away first")
    if path.exists():
        _delete(path)
    # Last, so that a removal that was cut off can be asked for again.
    append(path.parent.parent, Record(date, "removed", entry_name(path), reason, last.digests))


def _is_part(path: Path, name: str) -> bool:
    return is_study_file(name) if is_study(path) else name in (*FILES, *FRESH_FILES)


def _delete(path: Path) -> None:
    try:
        shutil.rmtree(path)
    except OSError as error:
        raise EntryError(f"cannot delete {error.filename}: {error.strerror}; mend that and remove again") from None


def _last_record(path: Path, reason: str) -> Record:
    """Return the last record of an entry that is on the board; raises EntryError where there is none."""
    if not reason.strip() or len(reason) > MAX_REASON_CHARS or not reason.isprintable():
        raise EntryError(f"the reason must be one line of 1 to {MAX_REASON_CHARS} printable characters")
    leaderboards, name = path.parent.parent, entry_name(path)
    last = next((record for record in reversed(read_audit(leaderboards)) if record.entry == name), None)
    if last is None:
        raise EntryError(f"the audit trail of {leaderboards} knows no entry {name}")
    if last.event == "removed":
        raise EntryError(f"{name} was removed on {last.date}: {last.note}")
    return last
