"""The columns of the leaderboard: what each is called, what it holds and how it sorts, for readers and for machines.

Markdown, page, JSON and CSV all loop over `COLUMNS`; a new column is one line of it. Nothing here knows how a value is
drawn: `markdown.py` and `page.py` do, `plain_cells` is for machines.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Generic, Literal, NamedTuple, TypedDict, TypeVar

from agentgen_bench.leaderboard.audit import TRUSTS, Trust
from agentgen_bench.leaderboard.harness import Card, harness_card
from agentgen_bench.leaderboard.table import Board, Row
from agentgen_bench.scores.base import LEVELS, Score, ScoreJson, scores_json

RowT = TypeVar("RowT")


class Link(NamedTuple):
    """A name that leads to a folder; the note says what is special about it, where anything is."""

    text: str
    target: str
    note: str = ""


class Badge(NamedTuple):
    """A word out of a few that have an order."""

    text: str
    order: int


class Range(NamedTuple):
    """Whole numbers from low to high, both included."""

    low: int
    high: int


Scale = Literal["percent", "points", "ratio"]  # of 100, of a change of success, of something that has no bounds


class Estimate(NamedTuple):
    """A score of a study: how it reads, and whether other seeds of training could have moved it."""

    score: Score
    scale: Scale
    note: str = ""
    is_trained: bool = True  # then it says so where its interval ranges over levels alone

    @property
    def remark(self) -> str:
        """What is to be said beside the interval."""
        levels_only = self.is_trained and self.score.low is not None and self.score.over == LEVELS
        return ", ".join(part for part in (LEVELS if levels_only else "", self.note) if part)

    def number(self, value: float) -> str:
        """Return a number in percent, or in points with its sign; what rounds to 0 is no minus 0."""
        return f"{round(100 * value, 1) + 0.0:{'+' if self.scale == 'points' else ''}.1f}"

    @property
    def text(self) -> str:
        """The value with its interval and what is to be said beside it; a dash where there is none."""
        score = self.score
        if score.value is None:
            return "-"
        ends = (
            []
            if score.low is None or score.high is None
            else [f"{self.number(score.low)} to {self.number(score.high)}"]
        )
        inside = ", ".join([*ends, *([self.remark] if self.remark else [])])
        return self.number(score.value) + (f" ({inside})" if inside else "")


class Amount(NamedTuple):
    """A number of something that has no bounds, such as tokens; what stands before it says of what."""

    value: float
    before: str = ""

    @property
    def text(self) -> str:
        """The number with three digits or more, none of them idle."""
        return f"{self.before}{self.value:,.{0 if self.value >= 100 else 1}f}"


def percent_text(score: Score, *, with_ends: bool = True) -> str:
    """Return a share in percent, with its interval where it has one; a dash for what has no value.

    Examples:
        >>> percent_text(Score("success", 0.5, 0.25, 0.75))
        '50.0 (25.0 to 75.0)'
    """
    if score.value is None:
        return "-"
    if not with_ends or score.low is None or score.high is None:
        return f"{100 * score.value:.1f}"
    return f"{100 * score.value:.1f} ({100 * score.low:.1f} to {100 * score.high:.1f})"


Value = str | int | date | Score | Estimate | Link | Badge | Range | Card | Amount | None  # None is shown as a dash
Plain = str | int | float | None


@dataclass(frozen=True, slots=True)
class Column(Generic[RowT]):
    """One column of a board whose rows are of type `RowT`.

    Attributes:
        name: the heading that readers see.
        key: the name in JSON and CSV.
        value: what a row holds there.
        place: `own` is a column for readers, `under` stands small under the column before it on the page and has a
            column of its own elsewhere, `data` is in JSON and CSV only.
        first: which values come first when a reader sorts by it: `up` from low to high, `down` from high to low.
    """

    name: str
    key: str
    value: Callable[[RowT], Value]
    place: Literal["own", "under", "data"] = "own"
    first: Literal["up", "down"] = "up"


COLUMNS: tuple[Column[Row], ...] = (
    Column("rank", "rank", lambda row: row.rank),
    Column("95 % of redraws", "rank", lambda row: Range(row.rank_low, row.rank_high), "under"),
    Column("model", "model", lambda row: _name(row)),
    Column("submitted by", "org", lambda row: row.metadata.org, "under"),
    Column("success", "success", lambda row: row.success, first="down"),
    Column("pass^k", "pass_hat_k", lambda row: row.costs.pass_hat_k, first="down"),
    Column("k", "k", lambda row: row.costs.k if row.costs.pass_hat_k else None, "under"),
    Column("tokens per episode", "tokens_per_episode", lambda row: _amount(row.costs.generated)),
    Column("tokens read", "tokens_read_per_episode", lambda row: _amount(row.costs.read, "read "), "under"),
    Column("tokens per success", "tokens_per_success", lambda row: _amount(row.costs.per_success)),
    Column("steps", "steps_per_episode", lambda row: Amount(row.costs.steps)),
    Column("harness", "harness", lambda row: harness_card(row.metadata)),
    Column("trust", "trust", lambda row: badge(row.trust) if row.is_submitted else None, first="down"),
    Column(
        "date", "date", lambda row: date.fromisoformat(row.metadata.date) if row.is_submitted else None, first="down"
    ),
    Column("entry", "entry", lambda row: row.entry, "data"),
    Column("kind of policy", "kind", lambda row: str(row.metadata.policy.get("kind")), "data"),
    Column("episodes", "episodes", lambda row: row.episodes, "data"),
    Column("what its actions say", "notes", lambda row: "; ".join(row.notes), "data"),
)


def badge(trust: Trust) -> Badge:
    """Return a trust as what it is shown by."""
    return Badge(trust, TRUSTS.index(trust))


def _name(row: Row) -> Link | str:
    """Return the model's name, which leads to the entry where there is one."""
    return Link(row.metadata.model, row.entry, row.played_by or "") if row.is_submitted else row.metadata.model


FRESH: Column[Row] = Column(
    "fresh levels", "fresh", lambda row: None if row.fresh is None else Estimate(row.fresh, "points", is_trained=False)
)


# Of a suite of packs (docs/lifecycle.md).
PACKS: tuple[Column[Row], ...] = (
    Column("tasks, context kept", "kept_score", lambda row: row.packs.get("kept_score"), first="down"),
    Column("CoD effect", "cod_effect", lambda row: _of_packs(row, "cod_effect"), first="down"),
    Column("first position", "first_position", lambda row: _of_packs(row, "first_position", "percent"), "under"),
    Column("last position", "last_position", lambda row: _of_packs(row, "last_position", "percent"), "under"),
    Column("gain over wiped", "stateful_gain", lambda row: _of_packs(row, "stateful_gain"), first="down"),
    Column("Ralph effect", "ralph_effect", lambda row: _of_packs(row, "ralph_effect"), first="down"),
    Column("tokens of memory", "memory_tokens", lambda row: _tokens_of_memory(row)),
)


def _of_packs(row: Row, name: str, scale: Scale = "points") -> Estimate | None:
    score = row.packs.get(name)
    return None if score is None else Estimate(score, scale, is_trained=False)


def _tokens_of_memory(row: Row) -> Amount | None:
    score = row.packs.get("memory_tokens")
    return None if score is None else _amount(score.value)


def _amount(value: float | None, before: str = "") -> Amount | None:
    return None if value is None else Amount(value, before)


OPTIONAL = ("pass_hat_k", "k", "tokens_per_episode", "tokens_read_per_episode", "tokens_per_success")


def for_readers(board: Board) -> tuple[Column[Row], ...]:
    """Return the columns of a board that readers see: those of tokens and repeats only where any row has them."""
    return tuple(
        column
        for column in with_families(board.families, has_fresh=board.has_fresh, has_packs=board.has_packs)
        if column.key not in OPTIONAL or any(column.value(row) is not None for row in board.rows)
    )


def with_families(
    families: Sequence[str], *, has_fresh: bool = False, has_packs: bool = False
) -> tuple[Column[Row], ...]:
    """Return `COLUMNS` with one for each of the families behind the overall success, `PACKS`, and fresh levels."""
    after = 1 + next(index for index, column in enumerate(COLUMNS) if column.key == "success")
    more = (*map(_of_family, families), *(PACKS if has_packs else ()), *([FRESH] if has_fresh else []))
    return (*COLUMNS[:after], *more, *COLUMNS[after:])


def _of_family(name: str) -> Column[Row]:
    return Column(name, name, lambda row: row.families.get(name), first="down")


def plain_cells(column: Column[RowT], row: RowT) -> dict[str, Plain]:
    """Return a row's value as plain ones by name: `key`, and `key_low` and `key_high` of what has two ends."""
    value = column.value(row)
    value = value.score if isinstance(value, Estimate) else value
    if isinstance(value, Score):
        return {column.key: value.value, f"{column.key}_low": value.low, f"{column.key}_high": value.high}
    if isinstance(value, Range):
        return {f"{column.key}_low": value.low, f"{column.key}_high": value.high}
    if isinstance(value, Link | Badge | Card):
        return {column.key: value.text}
    if isinstance(value, Amount):
        return {column.key: value.value}
    return {column.key: value.isoformat() if isinstance(value, date) else value}


class BoardJson(TypedDict):
    """A board as plain values; a row has the keys of COLUMNS."""

    suite: str
    ranking_stability: ScoreJson | None
    rows: list[Mapping[str, object]]


def board_json(board: Board) -> BoardJson:
    """Return a board as plain JSON values; scores as they stand in results.json."""
    stability = None if board.stability is None else board.stability.to_json()
    return {"suite": board.suite, "ranking_stability": stability, "rows": [_row_json(row) for row in board.rows]}


def _row_json(row: Row) -> Mapping[str, object]:
    found: dict[str, object] = {}
    for column in COLUMNS:
        value = column.value(row)
        found |= {column.key: value.to_json()} if isinstance(value, Score) else plain_cells(column, row)
        if isinstance(value, Card):
            found[f"{column.key}_card"] = dict(value.facts)
    if row.fresh is not None and row.metadata.fresh is not None:
        found["fresh"] = {"text": row.metadata.fresh["text"], "change": row.fresh.to_json()}
    if row.packs:
        found["packs"] = {name: score.to_json() for name, score in row.packs.items()}
        found["curves"] = {curve.setting: scores_json(curve.scores.values()) for curve in row.curves}
    return found | {"families": {name: score.to_json() for name, score in row.families.items()}}
