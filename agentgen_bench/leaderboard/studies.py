"""The studies on the board, as read from their entries: what tables and pages are made of."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from agentgen_bench.errors import EntryError
from agentgen_bench.leaderboard.audit import Record, Trust, entry_folders, entry_name, read_audit, trust
from agentgen_bench.leaderboard.entry import FRESH_RESULTS, METADATA, SCORES
from agentgen_bench.leaderboard.kept import Kept
from agentgen_bench.leaderboard.safe import read_json, read_yaml
from agentgen_bench.leaderboard.study_entry import StudyMetadata, is_study, study_metadata_from_json
from agentgen_bench.leaderboard.study_likeness import StudyNotes, played_runs, study_notes
from agentgen_bench.scores.study_board import SCORES_VERSION


@dataclass(frozen=True, slots=True)
class StudyOnBoard:
    """One study: `scores` is its `scores.json`, in the shape that `scores.study_board` documents."""

    entry: str
    metadata: StudyMetadata
    trust: Trust
    scores: Mapping[str, Any]
    said: StudyNotes = field(default_factory=StudyNotes)  # by its runs' actions, about where they came from
    fresh: Mapping[str, Any] | None = None  # its `fresh.json`, in the shape of `scores.study_fresh`
    is_submitted: bool = True  # False: its day and trust stand in for those that it would have

    @property
    def kind(self) -> str:
        """transfer, difficulty or sequence: which table it is in."""
        return str(self.scores["kind"])

    @property
    def notes(self) -> tuple[str, ...]:
        """What its runs' actions say about where they came from."""
        return (*self.said.copies, *self.said.same)


def read_studies(leaderboards: Path, kept: Kept | None = None) -> list[StudyOnBoard]:
    """Return the studies that have entries, sorted by protocol and folder.

    Entries are read, not verified; `trust` says what was recorded about each.

    Args:
        leaderboards: the folder of all boards.
        kept: what was read of episodes before (default: nothing, all are read where several studies are compared).

    Raises:
        EntryError: an entry's metadata or scores cannot be read.
    """
    records = read_audit(leaderboards)
    found = [read_study_entry(path, records) for path in filter(is_study, entry_folders(leaderboards))]
    kept = Kept(None) if kept is None else kept
    runs = {each.entry: played_runs(leaderboards, each.entry, each.metadata, kept) for each in found}
    first = {record.entry: i for i, record in reversed(list(enumerate(records)))}
    notes = study_notes(runs, sorted(runs, key=lambda name: (first.get(name, len(first)), name)), kept)
    kept.flush()
    return [replace(each, said=notes[each.entry]) for each in found]


def read_study_entry(path: Path, records: Sequence[Record] = ()) -> StudyOnBoard:
    """Return the study in an entry's folder, with the trust that these records give it.

    Raises:
        EntryError: its metadata or scores cannot be read.
    """
    metadata = study_metadata_from_json(read_yaml(path / METADATA), str(path / METADATA))
    scores = read_json(path / SCORES)
    if not isinstance(scores, dict) or scores.get("scores_version") != SCORES_VERSION:
        raise EntryError(f"{path / SCORES} is not the scores of a study, of version {SCORES_VERSION}")
    fresh = None if metadata.fresh is None else read_json(path / FRESH_RESULTS)
    return StudyOnBoard(entry_name(path), metadata, trust(path, records), scores, fresh=fresh)
