"""The leaderboard as CSV: a row per entry of every suite, with the columns of the table and what stands behind them."""

from collections.abc import Iterable, Sequence
from typing import TypeVar

from agentgen_bench.export.csv_files import csv_bytes
from agentgen_bench.export.tables import Kind, Table
from agentgen_bench.leaderboard.columns import Column, Plain, plain_cells, with_families
from agentgen_bench.leaderboard.study_tables import StudyTable
from agentgen_bench.leaderboard.table import Board

RowT = TypeVar("RowT")


def boards_csv(boards: Sequence[Board], studies: Sequence[StudyTable] = ()) -> str:
    """Return all rows of all suites and studies; what a suite or a kind of study does not hold is an empty field."""
    families = sorted({family for board in boards for family in board.families})
    has_fresh, has_packs = any(board.has_fresh for board in boards), any(board.has_packs for board in boards)
    columns = with_families(families, has_fresh=has_fresh, has_packs=has_packs)
    rows = [_cells(board.suite, columns, row) for board in boards for row in board.rows]
    rows += [_cells(table.protocol, table.columns, row) for table in studies for row in table.rows]
    names = dict.fromkeys(name for row in rows for name in row)
    kinds = tuple((name, _kind(row.get(name) for row in rows)) for name in names)
    return csv_bytes(Table(kinds, tuple(tuple(row.get(name) for name in names) for row in rows))).decode()


def _cells(suite: str, columns: Sequence[Column[RowT]], row: RowT) -> dict[str, Plain]:
    cells: dict[str, Plain] = {"suite": suite}
    for column in columns:
        cells |= plain_cells(column, row)
    return cells


def _kind(cells: Iterable[Plain]) -> Kind:
    """Return the kind of a column's cells, as far as they are known."""
    known = {type(cell) for cell in cells if cell is not None}
    return "float" if float in known else "int" if int in known else "string"
