"""Success against what it took, as an SVG of our own: one point a row, with its interval.

The frontier joins the rows that no other beats at less: what to look at when choosing a model. Rows that counted no
tokens (scripted policies) have no place on a scale of tokens; they are marks at the edge.
"""

import math
from collections.abc import Sequence
from html import escape
from typing import NamedTuple

WIDTH, HEIGHT = 720, 300
LEFT, RIGHT, TOP, BOTTOM = 44, 16, 24, 40
NAME_WIDTH, NAME_HEIGHT = 170, 14  # of a name of 28 characters
MAX_NAMED = 12  # points of the frontier that carry a name: more would cover each other


class Point(NamedTuple):
    """A row: `x` is its tokens, None where it counted none; `y`, `low` and `high` are success in [0, 1]."""

    name: str
    x: float | None
    y: float
    low: float
    high: float


def frontier(points: Sequence[Point]) -> list[Point]:
    """Return the points with tokens that no other beats at fewer or as many, from fewest tokens to most.

    Examples:
        >>> [p.name for p in frontier([Point("a", 9, .5, 0, 1), Point("b", 5, .4, 0, 1), Point("c", 7, .3, 0, 1)])]
        ['b', 'a']
    """
    found: list[Point] = []
    for point in sorted((p for p in points if p.x is not None), key=lambda p: (p.x or 0.0, -p.y, p.name)):
        if not found or point.y > found[-1].y:
            found.append(point)
    return found


def scatter(points: Sequence[Point], what: str) -> str:
    """Return the plot as SVG, or nothing where fewer than two rows counted tokens.

    Args:
        points: the rows.
        what: the name of the axis of tokens.
    """
    known = [point.x for point in points if point.x is not None]
    if len(known) < 2:
        return ""
    low, high = _decades(min(known), max(known))
    best = frontier(points)
    said = escape(_said(points, best, what))
    parts = [
        f'<svg class="plot" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{said}">',
        *_axes(low, high, what),
    ]
    corners = " ".join(f"{_x(point.x or 1.0, low, high):.1f},{_y(point.y):.1f}" for point in best)
    parts.append(f'<polyline class="frontier" points="{corners}"/>')
    parts += [_dot(point, low, high, is_best=point in best) for point in points]
    parts += [_name(point, low, high) for point in _named(best, low, high)]
    return "".join([*parts, "</svg>"])


def _named(best: Sequence[Point], low: int, high: int) -> list[Point]:
    """Return the points whose names do not cover one another, the most successful first."""
    found: list[Point] = []
    for point in reversed(best):
        x, y = _x(point.x or 1.0, low, high), _y(point.y)
        free = [
            abs(_y(other.y) - y) >= NAME_HEIGHT or abs(_x(other.x or 1.0, low, high) - x) >= NAME_WIDTH
            for other in found
        ]
        if all(free) and len(found) < MAX_NAMED:
            found.append(point)
    return found


def _decades(least: float, most: float) -> tuple[int, int]:
    """Return the powers of ten around the values; at least one decade."""
    low = math.floor(math.log10(max(1.0, least)))
    return low, max(low + 1, math.ceil(math.log10(max(1.0, most))))


def _x(value: float, low: int, high: int) -> float:
    return LEFT + (math.log10(max(1.0, value)) - low) / (high - low) * (WIDTH - LEFT - RIGHT)


def _y(share: float) -> float:
    return TOP + (1 - share) * (HEIGHT - TOP - BOTTOM)


def _axes(low: int, high: int, what: str) -> list[str]:
    found = []
    for percent in (0, 25, 50, 75, 100):
        y = _y(percent / 100)
        found.append(f'<path class="grid" d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}"/>')
        found.append(f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{percent}</text>')
    for power in range(low, high + 1):
        x = _x(10.0**power, low, high)
        found.append(f'<path class="grid" d="M{x:.1f} {TOP}V{HEIGHT - BOTTOM}"/>')
        anchor = "end" if power == high else "middle"
        found.append(f'<text x="{x:.1f}" y="{HEIGHT - BOTTOM + 16}" text-anchor="{anchor}">{10**power:,}</text>')
    middle = (LEFT + WIDTH - RIGHT) / 2
    found.append(f'<text x="{middle:.0f}" y="{HEIGHT - 6}" text-anchor="middle">{escape(what)}</text>')
    return found


def _dot(point: Point, low: int, high: int, *, is_best: bool) -> str:
    tokens = "no tokens counted" if point.x is None else f"{point.x:,.0f} tokens"
    title = f"<title>{escape(point.name)}: {100 * point.y:.1f} %, {tokens}</title>"
    if point.x is None:
        y = _y(point.y)
        return f'<path class="edge" d="M{LEFT} {y:.1f}h10">{title}</path>'
    x = _x(point.x, low, high)
    kind = "best" if is_best else "other"
    bar = f'<path class="interval" d="M{x:.1f} {_y(point.low):.1f}V{_y(point.high):.1f}"/>'
    return f'{bar}<circle class="{kind}" cx="{x:.1f}" cy="{_y(point.y):.1f}" r="4">{title}</circle>'


def _name(point: Point, low: int, high: int) -> str:
    x, y = _x(point.x or 1.0, low, high), _y(point.y) - 7
    anchor, shift = ("end", -8) if x > WIDTH / 2 else ("start", 8)
    shown = escape(point.name if len(point.name) <= 28 else f"{point.name[:27]}…")
    return f'<text class="name" x="{x + shift:.1f}" y="{y:.1f}" text-anchor="{anchor}">{shown}</text>'


def _said(points: Sequence[Point], best: Sequence[Point], what: str) -> str:
    """Return what the plot shows, for those who cannot see it; the table has every number."""
    named = "; ".join(f"{p.name} {100 * p.y:.1f} % at {p.x:,.0f}" for p in best[:MAX_NAMED])
    return f"Success against {what} of {len(points)} rows. Not beaten at fewer tokens: {named}."
