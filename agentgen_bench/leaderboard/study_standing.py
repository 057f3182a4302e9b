"""Where a study would stand on its protocol's table, before anything is submitted; only a temporary copy is written."""

import tempfile
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from agentgen_bench.leaderboard.standing import MINE
from agentgen_bench.leaderboard.studies import read_studies, read_study_entry
from agentgen_bench.leaderboard.study_folder import read_study_submission, study_problems
from agentgen_bench.leaderboard.study_submit import draft_study, refuse
from agentgen_bench.leaderboard.study_tables import StudyRow, StudyTable, place_text, study_tables

NOWHERE = "https://localhost"  # episodes of any size: they lie beside the draft for as long as it does


class StudyStanding(NamedTuple):
    """A table with the rows of one study more, and those rows."""

    table: StudyTable
    rows: tuple[StudyRow, ...]

    @property
    def text(self) -> str:
        """The place of each row, a line each."""
        head = f"{self.table.protocol}: not replayed, nothing was written"
        return "\n".join([head, *(place_text(self.table, row) for row in self.rows)])


def study_standing(path: Path, leaderboards: Path) -> StudyStanding:
    """Return the table of a study's protocol with the study in it, as its entry would be.

    Args:
        path: the study's folder, or its file of runs and roles.
        leaderboards: the folder of all boards.

    Raises:
        EntryError: with every reason why the study cannot be submitted.
    """
    submission = read_study_submission(path)
    refuse(path, study_problems(submission))
    with tempfile.TemporaryDirectory(prefix="agentgen-mine-") as folder:
        place = Path(folder) / submission.protocol.name
        place.mkdir()
        draft = draft_study(submission, MINE, place, elsewhere=(NOWHERE, Path(folder) / "episodes"))
        mine = replace(read_study_entry(draft), is_submitted=False)
    others = read_studies(leaderboards) if leaderboards.is_dir() else []
    same = [study for study in others if study.metadata.suite == submission.protocol.name]
    (table,) = study_tables([*same, mine])
    return StudyStanding(table, tuple(row for row in table.rows if row.study is mine))
