"""Charts as SVG and HTML text: pure functions of numbers. Every word passes through `shown`, which escapes it."""

import html
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

# Control characters (ANSI escapes among them) and marks that turn the direction of text are shown, never obeyed.
_UNSEEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]")

PANEL_WIDTH, PANEL_HEIGHT = 260, 190
LEFT, RIGHT, TOP, BOTTOM = 40, 10, 26, 28
N_COLOURS = 6
MARK_CHARS = 4  # that a mark and the space around it take in a line of the legend
LEGEND_HEIGHT = 20
Axis = tuple[float, float]  # the shares at the bottom and at the top of a panel
WHOLE: Axis = (0.0, 1.0)
# A file of its own has no page to take its colours from; those of the report's light theme.
FILE_STYLE = """
text { font-family: system-ui, sans-serif; }
.grid { stroke: #d9dde3; stroke-width: 1; }
.tick, .entry { font-size: 10px; fill: #5d6570; }
.panel-title { font-size: 12px; font-weight: 600; fill: #1c1f24; }
.series { fill: none; stroke: currentColor; stroke-width: 1.2; opacity: 0.5; }
.whisker { stroke: currentColor; stroke-width: 1.6; }
.mark { fill: currentColor; }
.c0 { color: #2563a8; } .c1 { color: #b45309; } .c2 { color: #19713a; }
.c3 { color: #8b2fa0; } .c4 { color: #5d6570; } .c5 { color: #a61b54; }
"""


@dataclass(frozen=True, slots=True)
class Point:
    """One success rate in [0, 1] with its interval, to be drawn in a panel; one without has all three the same."""

    x: str
    series: str
    value: float
    low: float
    high: float
    n: int


def shown(text: object) -> str:
    r"""Return text safe to stand in HTML, with characters that would act made visible.

    Examples:
        >>> shown("<b>\x1b[31m")
        '&lt;b&gt;\\x1b[31m'
    """
    return html.escape(_UNSEEN.sub(lambda match: ascii(match[0])[1:-1], str(text)), quote=True)


def small_multiples(panels: Mapping[str, Sequence[Point]], order: Sequence[str]) -> str:
    """Return one panel per key, all with the same axes: x the categories in `order`, y success from 0 to 100 %."""
    series = list(dict.fromkeys(point.series for points in panels.values() for point in points))
    drawn = "".join(_panel(name, points, order, series) for name, points in panels.items())
    return f'<div class="panels">{drawn}</div>{legend(series)}'


def svg_file(panels: Mapping[str, Sequence[Point]], axis: Axis = WHOLE, *, joined: bool = True) -> str:
    """Return the panels side by side as one SVG file, which needs no page: for a README or a paper.

    Each panel has the categories and the legend of its own points; `axis` is the part of [0, 1] that they show; a
    line joins the points of a series where its categories are an order.
    """
    width, height = PANEL_WIDTH * len(panels), PANEL_HEIGHT + LEGEND_HEIGHT
    drawn = "".join(
        f'<g transform="translate({PANEL_WIDTH * i})">'
        f"{_drawing(name, points, _categories(points), series, axis, joined=joined)}{_legend_line(series)}</g>\n"
        for i, (name, points) in enumerate(panels.items())
        for series in [list(dict.fromkeys(point.series for point in points))]
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{1.5 * width:.0f}" '
        f'height="{1.5 * height:.0f}">\n<style>{FILE_STYLE}</style>\n<rect width="{width}" height="{height}" '
        f'fill="#ffffff"/>\n{drawn}</svg>\n'
    )


def _legend_line(series: Sequence[str]) -> str:
    """Return the marks and names of the series below a panel, each with a share of its width by the name's length."""
    lengths = [len(name) + MARK_CHARS for name in series]
    starts = [sum(lengths[:i]) / sum(lengths) for i in range(len(series))]
    return "".join(
        f'<g transform="translate({LEFT + (PANEL_WIDTH - LEFT) * start:.0f} {PANEL_HEIGHT})">{_mark(5, 7, i)}'
        f'<text class="entry" x="13" y="10.5">{shown(name)}</text></g>'
        for i, (name, start) in enumerate(zip(series, starts, strict=True))
    )


def _categories(points: Sequence[Point]) -> list[str]:
    return list(dict.fromkeys(point.x for point in points))


def legend(series: Sequence[str]) -> str:
    """Return the names of the series beside their marks; nothing for a single one."""
    if len(series) < 2:
        return ""
    items = "".join(
        f'<li><svg width="14" height="14" aria-hidden="true">{_mark(7, 7, i)}</svg>{shown(name)}</li>'
        for i, name in enumerate(series)
    )
    return f'<ul class="legend">{items}</ul>'


def heat_map(rows: Sequence[str], columns: Sequence[str], values: Mapping[tuple[str, str], float]) -> str:
    """Return a table of rates in [0, 1], each cell shaded by its value; a missing cell is a dash, never 0."""
    head = "".join(f'<th scope="col">{shown(column)}</th>' for column in columns)
    body = "".join(
        f'<tr><th scope="row">{shown(row)}</th>'
        + "".join(_heat_cell(values.get((row, column))) for column in columns)
        + "</tr>"
        for row in rows
    )
    return f'<table class="heat"><thead><tr><td></td>{head}</tr></thead><tbody>{body}</tbody></table>'


def interval_bar(value: float | None, low: float | None, high: float | None) -> str:
    """Return a dot with its interval on a line from 0 to 100 %; empty where the value is undefined."""
    if value is None:
        return ""
    line = "" if low is None or high is None else f'<line x1="{100 * low:.1f}" x2="{100 * high:.1f}" y1="7" y2="7"/>'
    return (
        '<svg class="interval" viewBox="-4 0 108 14" width="108" height="14" aria-hidden="true">'
        f'<line class="axis" x1="0" x2="100" y1="7" y2="7"/>{line}<circle cx="{100 * value:.1f}" cy="7" r="3.2"/></svg>'
    )


def curve(lines: Mapping[str, Sequence[float | None]], labels: Sequence[str], title: str) -> str:
    """Return one panel with a line per key over the labels, for stages of a sequence or positions in a pack."""
    points = [
        Point(label, name, value, value, value, 0)
        for name, values in lines.items()
        for label, value in zip(labels, values, strict=True)
        if value is not None
    ]
    return small_multiples({title: points}, labels)


def _panel(name: str, points: Sequence[Point], order: Sequence[str], series: Sequence[str]) -> str:
    return (
        f'<figure><svg viewBox="0 0 {PANEL_WIDTH} {PANEL_HEIGHT}" role="img" aria-label="{shown(name)}">'
        f"{_drawing(name, points, order, series)}</svg></figure>"
    )


def _drawing(
    name: str,
    points: Sequence[Point],
    order: Sequence[str],
    series: Sequence[str],
    axis: Axis = WHOLE,
    *,
    joined: bool = True,
) -> str:
    present = [x for x in order if any(point.x == x for point in points)]
    step = (PANEL_WIDTH - LEFT - RIGHT) / max(1, len(present))
    parts = [_grid_line(axis[0] + part * (axis[1] - axis[0]), axis) for part in (0.0, 0.25, 0.5, 0.75, 1.0)]
    parts += [
        f'<text class="tick" x="{LEFT + step * (i + 0.5):.1f}" y="{PANEL_HEIGHT - 10}" text-anchor="middle">'
        f"{shown(x)}</text>"
        for i, x in enumerate(present)
    ]
    for k, one in enumerate(series):
        own = sorted((point for point in points if point.series == one), key=lambda point: present.index(point.x))
        shift = (k - (len(series) - 1) / 2) * min(10.0, 0.7 * step / max(1, len(series)))
        at = [(LEFT + step * (present.index(point.x) + 0.5) + shift, point) for point in own]
        parts += [_joined(at, k, axis)] if joined else []
        parts += [_dot(x, point, k, axis) for x, point in at]
    return f'<text class="panel-title" x="{LEFT}" y="15">{shown(name)}</text>{"".join(parts)}'


def _grid_line(share: float, axis: Axis) -> str:
    y = _y(share, axis)
    return (
        f'<line class="grid" x1="{LEFT}" x2="{PANEL_WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
        f'<text class="tick" x="{LEFT - 6}" y="{y + 3.5:.1f}" text-anchor="end">{100 * share:.0f}</text>'
    )


def _joined(at: Sequence[tuple[float, Point]], k: int, axis: Axis) -> str:
    coordinates = " ".join(f"{x:.1f},{_y(point.value, axis):.1f}" for x, point in at)
    return f'<polyline class="series c{k % N_COLOURS}" points="{coordinates}"/>'


def _dot(x: float, point: Point, k: int, axis: Axis) -> str:
    interval = "" if point.low == point.high else f" ({100 * point.low:.1f} - {100 * point.high:.1f})"
    title = f"{point.series}, {point.x}: {100 * point.value:.1f} %{interval}"
    return (
        f'<g class="c{k % N_COLOURS}"><title>{shown(title)}</title>'
        f'<line class="whisker" x1="{x:.1f}" x2="{x:.1f}" y1="{_y(point.low, axis):.1f}" '
        f'y2="{_y(point.high, axis):.1f}"/>'
        f"{_mark(x, _y(point.value, axis), k)}</g>"
    )


def _mark(x: float, y: float, k: int) -> str:
    """Return the k-th mark: colour and shape both tell the series, for readers who do not see colours."""
    colour = f"c{k % N_COLOURS}"
    shape = k % 3
    if shape == 0:
        return f'<circle class="mark {colour}" cx="{x:.1f}" cy="{y:.1f}" r="4"/>'
    if shape == 1:
        return f'<rect class="mark {colour}" x="{x - 3.6:.1f}" y="{y - 3.6:.1f}" width="7.2" height="7.2"/>'
    corners = f"{x:.1f},{y - 5:.1f} {x + 5:.1f},{y + 4:.1f} {x - 5:.1f},{y + 4:.1f}"
    return f'<polygon class="mark {colour}" points="{corners}"/>'


def _y(share: float, axis: Axis) -> float:
    return TOP + (PANEL_HEIGHT - TOP - BOTTOM) * (1 - (share - axis[0]) / (axis[1] - axis[0]))


def _heat_cell(value: float | None) -> str:
    if value is None:
        return '<td class="missing">-</td>'
    return f'<td style="--share:{value:.3f}">{100 * value:.1f}</td>'
