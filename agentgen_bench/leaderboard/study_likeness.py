"""What the courses of studies' runs say about each other: runs that are another study's, and runs that are one.

Between studies of other names, run by run, the rule is that of entries (`likeness.copy_note`): the same mistakes on the
levels that both played, of whatever protocols. Runs that say to be of the same weights are meant to be alike and are
not compared: two labs may study one public model. Within a study training may change little or nothing, and policies of
one origin make the same mistakes; only two runs of other weights that play every level the same are noted, and nobody
is refused for it. Episodes that lie elsewhere are not fetched for this, and not compared.
"""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

from agentgen_bench.leaderboard.kept import Kept
from agentgen_bench.leaderboard.likeness import COPY_LEVELS, Contestant, copy_note
from agentgen_bench.leaderboard.study_entry import StudyMetadata
from agentgen_bench.leaderboard.study_records import episodes_at


class StudyRunPlayed(NamedTuple):
    """A run of a study as it is compared."""

    weights: str
    contestant: Contestant


class StudyNotes(NamedTuple):
    """What is to be said of a study's runs: which are copies of another study's, and which play as one."""

    copies: tuple[str, ...] = ()
    same: tuple[str, ...] = ()


def played_runs(leaderboards: Path, entry: str, metadata: StudyMetadata, kept: Kept) -> list[StudyRunPlayed]:
    """Return the runs of a study's entry whose episodes lie in it.

    Raises:
        EntryError: a file of episodes is missing, or is another than the metadata says.
    """
    if metadata.episodes_at is not None:
        return []
    found = []
    for run, said in metadata.runs.items():
        file = episodes_at(leaderboards / entry, run, metadata, None)
        label, kind = (metadata.org, metadata.model), str(metadata.policy.get("kind"))
        episodes = partial(kept.played, file, said.sha256)
        found.append(StudyRunPlayed(said.weights, Contestant(f"{entry} {run}", label, kind, episodes, said.sha256)))
    return found


def study_notes(
    runs: Mapping[str, Sequence[StudyRunPlayed]], order: Sequence[str], kept: Kept
) -> dict[str, StudyNotes]:
    """Return by entry what is to be said of its runs; those of entries that were there before are nobody's copies.

    Args:
        runs: of each entry.
        order: the entries, in the order in which they came to the board.
        kept: what was compared before.
    """
    notes: dict[str, StudyNotes] = {}
    earlier: list[StudyRunPlayed] = []
    for entry in order:
        own = runs[entry]
        copies = (_copied(run, earlier, kept) for run in own)
        same = (_same(run, own[:i]) for i, run in enumerate(own))
        notes[entry] = StudyNotes(tuple(filter(None, copies)), tuple(filter(None, same)))
        earlier += own
    return notes


def _copied(run: StudyRunPlayed, earlier: Sequence[StudyRunPlayed], kept: Kept) -> str | None:
    others = [other.contestant for other in earlier if other.weights != run.weights]
    note = copy_note(run.contestant, others, kept.alike)
    return None if note is None else f"{_run(run)} {note}"


def _same(run: StudyRunPlayed, before: Sequence[StudyRunPlayed]) -> str | None:
    """Return a note where a run of the same study plays every level as this one does, with other weights."""
    one = run.contestant
    for other in before:
        if one.is_scripted or run.weights == other.weights or one.played != other.contestant.played:
            continue
        telling = sum(any(courses) for levels in one.played.values() for courses in levels.values())
        if telling >= COPY_LEVELS:
            return f"{_run(run)} plays every level as {_run(other)} does, with other weights ({telling} levels tell)"
    return None


def _run(run: StudyRunPlayed) -> str:
    return run.contestant.entry.partition(" ")[2]
