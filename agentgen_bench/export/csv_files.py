"""The tables as CSV: RFC 4180, UTF-8, one header line, an empty field for an unknown value."""

import csv
import unicodedata
from collections.abc import Sequence
from io import StringIO

from agentgen_bench.export.naming import encodable
from agentgen_bench.export.source import Source
from agentgen_bench.export.tables import Cell, Table, grid_table, tables

# A spreadsheet takes a field that begins so for a formula, whatever white space or unseen characters stand before it
# (some drop them), and models write what they like. Wide and small forms of the signs count: NFKC makes them plain.
FORMULA_SIGNS = "=+-@−|%"
BLANKS = "\u115f\u1160\u2800\u3164\uffa0"  # letters and a pattern that are drawn as nothing


def csv_files(source: Source) -> dict[str, bytes]:
    """Return episodes.csv and scores.csv."""
    return {f"{name}.csv": csv_bytes(table) for name, table in tables(source).items()}


def grid_csv(grid: str, sources: Sequence[Source]) -> dict[str, bytes]:
    """Return harness_scores.csv of a grid of harnesses."""
    return {"harness_scores.csv": csv_bytes(grid_table(grid, sources))}


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
    return f"'{text}" if _starts_formula(text) else text


def _starts_formula(text: str) -> bool:
    r"""Return whether a spreadsheet might take a text for a formula.

    Examples:
        >>> [_starts_formula(text) for text in ("=1", "\u00a0\u200b+1", "\t", "\uff1d1", "a=1")]
        [True, True, True, True, False]
    """
    seen = next((char for char in text if not _is_unseen(char)), "")
    if text[:1] in ("\t", "\r", "\n"):
        return True
    return bool(seen) and unicodedata.normalize("NFKC", seen)[:1] in FORMULA_SIGNS


def _is_unseen(char: str) -> bool:
    return char.isspace() or unicodedata.category(char)[0] in "CZ" or char in BLANKS
