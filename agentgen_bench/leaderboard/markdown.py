"""The leaderboard as Markdown, and its place in a document."""

from collections.abc import Sequence
from typing import TypeVar

from agentgen_bench.errors import EntryError
from agentgen_bench.leaderboard.columns import Amount, Badge, Column, Estimate, Link, Range, Value, for_readers
from agentgen_bench.leaderboard.harness import Card
from agentgen_bench.leaderboard.study_tables import NOTES, TITLES, StudyTable
from agentgen_bench.leaderboard.table import Board
from agentgen_bench.scores.base import Score

RowT = TypeVar("RowT")
BEGIN, END = "<!-- table:begin -->", "<!-- table:end -->"
EMPTY_DOCUMENT = f"# Leaderboards\n\n{BEGIN}\n{END}\n"


def markdown(boards: Sequence[Board], studies: Sequence[StudyTable] = ()) -> str:
    """Return the leaderboards and the tables of studies as Markdown."""
    return "\n\n".join([*map(_board, boards), *map(_studies, studies)]) or "No entries yet."


def _board(board: Board) -> str:
    lines = [f"### {board.suite}", "", *markdown_table(for_readers(board), board.rows)]
    if board.stability is not None and board.stability.value is not None:
        share = 100 * board.stability.value
        lines += ["", f"The whole ranking comes back in {share:.0f} of 100 redraws of the levels."]
    notes = [f"- {_escaped(row.entry)} {_escaped(note)}" for row in board.rows for note in row.notes]
    lines += ["", *notes] if notes else []
    return "\n".join(lines)


def _studies(table: StudyTable) -> str:
    head = [f"### {table.protocol}: {TITLES[table.kind]}", "", NOTES[table.kind], ""]
    notes = [f"- {_escaped(entry)} {_escaped(note)}" for entry, note in table.notes]
    return "\n".join([*head, *markdown_table(table.columns, table.rows), *(["", *notes] if notes else [])])


def markdown_table(columns: Sequence[Column[RowT]], rows: Sequence[RowT]) -> list[str]:
    """Return the lines of a table of the columns that are for readers."""
    shown = [column for column in columns if column.place != "data"]
    lines = [[column.name for column in shown], ["---"] * len(shown)]
    lines += [[_cell(column.value(row)) for column in shown] for row in rows]
    return ["| " + " | ".join(cells) + " |" for cells in lines]


def _cell(value: Value) -> str:
    match value:
        case Score():
            return _percent(value)
        case Estimate():
            return value.text
        case Range(low, high):
            return str(low) if low == high else f"{low} - {high}"
        case Link(text, target, note):
            return f"[{_escaped(text)}]({target})" + (f" ({note})" if note else "")
        case Badge(text):
            return text
        case Amount():
            return value.text
        case Card(text):
            return _escaped(text)
        case str():
            return _escaped(value)
    return "-" if value is None else str(value)


def _percent(score: Score) -> str:
    if score.value is None:
        return "-"
    ends = "" if score.low is None or score.high is None else f" ({100 * score.low:.1f} - {100 * score.high:.1f})"
    return f"{100 * score.value:.1f}{ends}"


def _escaped(text: str) -> str:
    """Return text that Markdown shows as it is, without links, tags or table cells."""
    return "".join(f"\\{char}" if char in "\\`*_{}[]()<>#+-.!|&~" else char for char in text)


def with_table(document: str, table: str) -> str:
    """Return a document with the text between its table marks replaced.

    Raises:
        EntryError: it has no marks.
    """
    before, begin, rest = document.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise EntryError(f"the document lacks the marks {BEGIN} and {END} between which the table belongs")
    return f"{before}{BEGIN}\n{table}\n{END}{after}"
