"""The leaderboard as one static HTML page: no network, every name escaped."""

from collections.abc import Iterable, Sequence
from html import escape
from importlib import resources
from typing import TypeVar
from urllib.parse import quote

from agentgen_bench.leaderboard.audit import TRUSTS, Trust
from agentgen_bench.leaderboard.columns import Amount, Badge, Column, Estimate, Link, Range, Value, for_readers
from agentgen_bench.leaderboard.harness import Card
from agentgen_bench.leaderboard.pairs import compared, tenths
from agentgen_bench.leaderboard.plot import Point, scatter
from agentgen_bench.leaderboard.study_tables import NOTES, TITLES, StudyTable
from agentgen_bench.leaderboard.table import Board
from agentgen_bench.scores.base import Score

RowT = TypeVar("RowT")


def page(boards: Sequence[Board], studies: Sequence[StudyTable] = (), entry_page: str = "") -> str:
    """Return the page of the given leaderboards and tables of studies.

    Args:
        boards: of suites.
        studies: of protocols.
        entry_page: the file in an entry's folder that its name leads to ("": the folder itself).
    """
    template = asset("page.html").replace("{style}", asset("page.css"))
    names = [*(board.suite for board in boards), *(table.protocol for table in studies)]
    options = "".join(f'<option value="{escape(name)}">{escape(name)}</option>' for name in names)
    shown = [*(_board(board, entry_page) for board in boards), *(_studies(table, entry_page) for table in studies)]
    return template.replace("{suites}", options).replace("{boards}", "\n".join(shown) or "<p>No entries yet.</p>")


def asset(name: str) -> str:
    """Return the text of a file that pages are made of."""
    return resources.files(__package__).joinpath(name).read_text(encoding="utf-8")


def _board(board: Board, entry_page: str) -> str:
    columns = for_readers(board)
    rows = [_row(row, row.trust, columns, entry_page) for row in board.rows]
    notes = _notes((row.entry, note) for row in board.rows for note in row.notes)
    return (
        f'<section data-suite="{escape(board.suite)}"><h2>{escape(board.suite)}</h2>{_stability(board)}\n'
        f"{_table(board.suite, columns, rows)}{notes}{_compare(board)}{_plot(board)}</section>"
    )


def _compare(board: Board) -> str:
    """Return two lists of rows and a place for their paired difference; nothing for a single row."""
    names = compared(board)
    if len(names) < 2:
        return ""
    models = {row.entry: f"{row.rank}. {row.metadata.model} ({row.metadata.org})" for row in board.rows}
    values = {row.entry: row.success.value or 0.0 for row in board.rows}
    choices = "".join(
        f'<option value="{i}" data-success="{values[name]}">{escape(models[name])}</option>'
        for i, name in enumerate(names)
    )
    pairs = " ".join(f"{low},{high}" for low, high in tenths(board))
    left = "" if len(names) == len(board.rows) else f" Compared are {len(names)} rows, of the same levels."
    return (
        f'<form class="compare" data-pairs="{pairs}"><label>Compare <select name="a">{choices}</select></label>'
        f'<label>with <select name="b">{choices}</select></label><output></output></form>'
        f'<p class="method">Paired: both rows on redraws of the same levels, as <code>agentgen-bench compare</code> '
        f"computes it.{left}</p>"
    )


def _plot(board: Board) -> str:
    """Return success against tokens, where rows counted any."""
    points = []
    for row in board.rows:
        value = row.success.value or 0.0
        low, high = (value if end is None else end for end in (row.success.low, row.success.high))
        points.append(Point(row.metadata.model, row.costs.generated, value, low, high))
    drawn = scatter(points, "tokens generated in an episode")
    if not drawn:
        return ""
    return (
        f'<h3>Success against tokens</h3><div class="scroll" tabindex="0" role="region" '
        f'aria-label="{escape(board.suite)}: success against tokens">{drawn}</div>'
    )


def _studies(table: StudyTable, entry_page: str) -> str:
    name = escape(table.protocol)
    rows = [_row(row, row.trust, table.columns, entry_page) for row in table.rows]
    return (
        f'<section class="study" data-suite="{name}"><h2>{name}: {TITLES[table.kind]}</h2><p>{NOTES[table.kind]}</p>\n'
        f"{_table(table.protocol, table.columns, rows)}{_notes(table.notes)}</section>"
    )


def _table(name: str, columns: Sequence[Column[RowT]], rows: Sequence[str]) -> str:
    head = "".join(
        f'<th scope="col" data-first="{column.first}"><button type="button">{escape(column.name)}</button></th>'
        for column in columns
        if column.place == "own"
    )
    shown = "\n".join(rows)
    return (
        f'<div class="scroll" tabindex="0" role="region" aria-label="{escape(name)}">'
        f"<table><thead><tr>{head}</tr></thead>\n<tbody>\n{shown}\n</tbody></table></div>"
    )


def _notes(notes: Iterable[tuple[str, str]]) -> str:
    """Return what the rows' actions say about where they came from, by entry."""
    items = "".join(f"<li>{escape(entry)} {escape(note)}</li>" for entry, note in notes)
    return f"<ul>{items}</ul>" if items else ""


def _stability(board: Board) -> str:
    if board.stability is None or board.stability.value is None:
        return ""
    share = 100 * board.stability.value
    return f"<p>The whole ranking comes back in {share:.0f} of 100 redraws of the levels.</p>"


def _row(row: RowT, trust: Trust, columns: Sequence[Column[RowT]], entry_page: str) -> str:
    """Return a table row: a cell per column of its own, with what stands under it."""
    cells: list[list[str]] = []
    for column in columns:
        if column.place == "own":
            cells.append([_cell(column.value(row), entry_page)])
        elif column.place == "under":
            cells[-1].append(f'<small class="under">{_under(column, row)}</small>')
    shown = "".join("".join(parts) + "</td>" for parts in cells)
    return f'<tr data-trust="{TRUSTS.index(trust)}">{shown}</tr>'


def _cell(value: Value, entry_page: str) -> str:
    """Return a cell, still open: what it sorts by, and what it shows."""
    match value:
        case Score():
            return _score(value)
        case Estimate():
            return _estimate(value)
        case Link(text, target, note):
            name, link = escape(text), escape(f"{quote(target)}/{entry_page}")
            mark = f" <small>{escape(note)}</small>" if note else ""
            return f'<td data-sort="{name}" title="{name}"><a href="{link}">{name}</a>{mark}'
        case Amount():
            return f'<td data-sort="{value.value}">{escape(value.text)}'
        case Badge(text, order):
            return f'<td data-sort="{order}"><span class="badge {text}">{text}</span>'
        case Card(text, facts):
            return f'<td data-sort="{escape(text)}">{_card(text, facts)}'
        case None:
            return '<td data-sort="-1">–'
    return f'<td data-sort="{escape(str(value))}">{escape(str(value))}'


def _card(text: str, facts: Sequence[tuple[str, str]]) -> str:
    """Return a line that opens into what there is to say in detail."""
    if not facts:
        return escape(text)
    listed = "".join(f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in facts)
    return f'<details class="card"><summary>{escape(text)}</summary><dl>{listed}</dl></details>'


def _under(column: Column[RowT], row: RowT) -> str:
    """Return what stands small under the cell before; a score with the name of its column."""
    value = column.value(row)
    if isinstance(value, Estimate):
        return f"{escape(column.name)} {_numbers(value)}"
    if isinstance(value, Range):
        return f"{value.low}" if value.low == value.high else f"{value.low} – {value.high}"
    if isinstance(value, Amount):
        return escape(value.text)
    if isinstance(value, int):
        return f"{escape(column.name)} = {value}"
    return "–" if value is None else escape(str(value))


def _score(score: Score) -> str:
    """Return a cell with the value, its interval in numbers and the interval drawn on a line from 0 to 100."""
    if score.value is None:
        return '<td data-sort="-1">–'
    value = 100 * score.value
    if score.low is None or score.high is None:
        return f'<td data-sort="{score.value}">{value:.1f}'
    low, high = 100 * score.low, 100 * score.high
    bar = f'<i style="left:{low:.2f}%;width:{high - low:.2f}%"></i><b style="left:{value:.2f}%"></b>'
    return (
        f'<td data-sort="{score.value}">{value:.1f} <small>{low:.1f} – {high:.1f}</small><span class="bar">{bar}</span>'
    )


def _numbers(value: Estimate) -> str:
    """Return the value, its interval and what is to be said beside it."""
    score = value.score
    if score.value is None:
        return "–"
    parts = (
        [] if score.low is None or score.high is None else [f"{value.number(score.low)} – {value.number(score.high)}"]
    )
    inside = ", ".join([*parts, *([escape(value.remark)] if value.remark else [])])
    return value.number(score.value) + (f" <small>{inside}</small>" if inside else "")


def _estimate(value: Estimate) -> str:
    """Return a cell of a study: a share on a line from 0 to 100, a change on one from -100 to 100, a ratio on none."""
    score = value.score
    if score.value is None:
        return f'<td data-sort="-1e9" title="{escape(score.reason or "")}">–'
    cell = f'<td data-sort="{score.value}">{_numbers(value)}'
    if score.low is None or score.high is None or value.scale == "ratio":
        return cell
    zero, width = (0.0, 100.0) if value.scale == "percent" else (50.0, 50.0)
    low, high, dot = (zero + width * end for end in (score.low, score.high, score.value))
    zero_mark = "" if value.scale == "percent" else "<u></u>"
    line = f'<i style="left:{low:.2f}%;width:{high - low:.2f}%"></i><b style="left:{dot:.2f}%"></b>'
    return f'{cell}<span class="bar">{zero_mark}{line}</span>'
