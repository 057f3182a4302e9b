"""Where a run would stand on its suite's board, before anything is submitted; only a temporary copy is written."""

import shutil
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from agentgen_bench.leaderboard.audit import AUDIT, entry_folders
from agentgen_bench.leaderboard.columns import percent_text
from agentgen_bench.leaderboard.entry import Named, read_metadata
from agentgen_bench.leaderboard.kept import Kept
from agentgen_bench.leaderboard.study_entry import is_study
from agentgen_bench.leaderboard.submit import draft_entry, read_submission
from agentgen_bench.leaderboard.table import Board, Row, read_boards
from agentgen_bench.suites import Suite

MINE = Named(org="you", model="(this run)", date="9999-12-31")  # of equal ranks the row of the latest day comes last


class Standing(NamedTuple):
    """A board with one row more, and that row."""

    board: Board
    row: Row

    @property
    def text(self) -> str:
        """The place in a line or two."""
        row, rows = self.row, self.board.rows
        place = rows.index(row)
        ends = f" ({row.rank_low} to {row.rank_high} in 95 % of redraws of the levels)"
        lines = [
            f"{self.board.suite}: rank {row.rank} of {len(rows)}{ends}, {_success(row)} % success; "
            "not replayed, nothing was written"
        ]
        if place:
            lines.append(f"above it: {rows[place - 1].metadata.model}, {_success(rows[place - 1])} %")
        if place + 1 < len(rows):
            lines.append(f"below it: {rows[place + 1].metadata.model}, {_success(rows[place + 1])} %")
        return "\n".join([*lines, *row.notes])


def standing(run: Path, leaderboards: Path, suite: Suite | None = None, kept: Kept | None = None) -> Standing:
    """Return the board of a run's suite with the run on it, as its entry would be.

    Args:
        run: the run folder.
        leaderboards: the folder of all boards.
        suite: the suite (default: the shipped one that the run names).
        kept: what was read of entries before (default: nothing, every episode is read).

    Raises:
        EntryError: with every reason why the run cannot be submitted.
    """
    submission = read_submission(run, suite)
    name = submission.suite.name
    with tempfile.TemporaryDirectory(prefix="agentgen-mine-") as folder:
        boards = Path(folder)
        (boards / name).mkdir()
        if leaderboards.is_dir():
            for path in entry_folders(leaderboards):
                if path.parent.name == name and not is_study(path):
                    (boards / name / path.name).symlink_to(path.absolute(), target_is_directory=True)
            if (leaderboards / AUDIT).exists():
                shutil.copy(leaderboards / AUDIT, boards / AUDIT)
        mine = draft_entry(submission, MINE, boards / name)
        read_metadata(mine, submission.suite)  # may say that it was played too few times
        (board,) = read_boards(boards, kept)
    here = f"{name}/{mine.name}"
    rows = tuple(replace(row, is_submitted=False) if row.entry == here else row for row in board.rows)
    return Standing(replace(board, rows=rows), next(row for row in rows if row.entry == here))


def _success(row: Row) -> str:
    return percent_text(row.success, with_ends=False)
