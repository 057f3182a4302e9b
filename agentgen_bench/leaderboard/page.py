"""The leaderboard as one static HTML page: no network, every name escaped."""

from collections.abc import Sequence
from html import escape
from importlib import resources
from urllib.parse import quote

from agentgen_bench.leaderboard.audit import TRUSTS
from agentgen_bench.leaderboard.columns import Badge, Column, Link, Range, Value, with_families
from agentgen_bench.leaderboard.harness import Card
from agentgen_bench.leaderboard.table import Board, Row
from agentgen_bench.scores.base import Score


def page(boards: Sequence[Board]) -> str:
    """Return the page of the given leaderboards."""
    template = resources.files(__package__).joinpath("page.html").read_text(encoding="utf-8")
    options = "".join(f'<option value="{escape(board.suite)}">{escape(board.suite)}</option>' for board in boards)
    shown = "\n".join(_board(board) for board in boards) or "<p>No entries yet.</p>"
    return template.replace("{suites}", options).replace("{boards}", shown)


def _board(board: Board) -> str:
    columns = with_families(board.families)
    head = "".join(
        f'<th scope="col" data-first="{column.first}"><button type="button">{escape(column.name)}</button></th>'
        for column in columns
        if column.place == "own"
    )
    rows = "\n".join(_row(row, columns) for row in board.rows)
    return (
        f'<section data-suite="{escape(board.suite)}"><h2>{escape(board.suite)}</h2>{_stability(board)}\n'
        f'<div class="scroll" tabindex="0" role="region" aria-label="{escape(board.suite)}">'
        f"<table><thead><tr>{head}</tr></thead>\n<tbody>\n{rows}\n</tbody></table></div>"
        f"{_notes(board)}</section>"
    )


def _notes(board: Board) -> str:
    """Return what the rows' actions say about where they came from."""
    items = "".join(f"<li>{escape(row.entry)} {escape(note)}</li>" for row in board.rows for note in row.notes)
    return f"<ul>{items}</ul>" if items else ""


def _stability(board: Board) -> str:
    if board.stability is None or board.stability.value is None:
        return ""
    share = 100 * board.stability.value
    return f"<p>The whole ranking comes back in {share:.0f} of 100 redraws of the levels.</p>"


def _row(row: Row, columns: Sequence[Column[Row]]) -> str:
    """Return a table row: a cell per column of its own, with what stands under it."""
    cells: list[list[str]] = []
    for column in columns:
        if column.place == "own":
            cells.append([_cell(column.value(row))])
        elif column.place == "under":
            cells[-1].append(f'<small class="under">{_under(column.value(row))}</small>')
    shown = "".join("".join(parts) + "</td>" for parts in cells)
    return f'<tr data-trust="{TRUSTS.index(row.trust)}">{shown}</tr>'


def _cell(value: Value) -> str:
    """Return a cell, still open: what it sorts by, and what it shows."""
    match value:
        case Score():
            return _score(value)
        case Link(text, target, note):
            name, link = escape(text), escape(quote(target) + "/")
            mark = f" <small>{escape(note)}</small>" if note else ""
            return f'<td data-sort="{name}" title="{name}"><a href="{link}">{name}</a>{mark}'
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


def _under(value: Value) -> str:
    """Return what stands small under the cell before."""
    if isinstance(value, Range):
        return f"{value.low}" if value.low == value.high else f"{value.low} – {value.high}"
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
