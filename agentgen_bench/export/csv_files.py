"""The tables as CSV: RFC 4180, UTF-8, one header line, an empty field for an unknown value."""

import csv
from io import StringIO

from agentgen_bench.export.naming import encodable
from agentgen_bench.export.source import Source
from agentgen_bench.export.tables import Cell, Table, tables

# A spreadsheet takes a field that begins so for a formula, and models write what they like.
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


def csv_files(source: Source) -> dict[str, bytes]:
    """Return episodes.csv and scores.csv."""
    return {f"{name}.csv": csv_bytes(table) for name, table in tables(source).items()}


def csv_bytes(table: Table) -> bytes:
    """Return a table as CSV."""
    file = StringIO(newline="")
    writer = csv.writer(file, lineterminator="\r\n")
    writer.writerow([name for name, _ in table.columns])
    writer.writerows([_field(cell) for cell in row] for row in table.rows)
    return file.getvalue().encode()


def _field(cell: Cell) -> str:
    """Return a cell's text; numbers as Python writes them, so that they read back to the same bits."""
    if cell is None:
        return ""
    if isinstance(cell, bool):
        return "true" if cell else "false"
    if not isinstance(cell, str):
        return repr(cell)
    text = encodable(cell)
    return f"'{text}" if text.lstrip(" ").startswith(FORMULA_STARTS) else text
