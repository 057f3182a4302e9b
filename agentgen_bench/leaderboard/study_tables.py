"""The tables of studies, one per protocol: which rows, in which order, under which columns.

Rows come from the entries' `scores.json`, which is a stranger's until it is verified: whatever is not of the form that
it must have is an error that names the entry. Training that changes nothing has no tax and forgets nothing, so no table
is ordered by tax, forgetting or sums of ranks; each is ordered by what was gained.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import partial
from typing import Any, TypedDict

from agentgen_bench.errors import EntryError, ScoreError
from agentgen_bench.leaderboard.audit import Trust
from agentgen_bench.leaderboard.columns import Column, Estimate, Link, Scale, Value, badge
from agentgen_bench.leaderboard.studies import StudyOnBoard
from agentgen_bench.scores.base import LEVELS, LEVELS_AND_SEEDS, Score
from agentgen_bench.scores.study_board import score_json

ORDER = {
    "transfer": "overall_gain",
    "difficulty": "gain_elsewhere",
    "sequence": "accuracy_end",
    "lifecycle": "held_in_gain_change",
}
TITLES = {
    "transfer": "what training on one family gave and cost",
    "difficulty": "what training on one difficulty carries over",
    "sequence": "what training on one family after the other leaves",
    "lifecycle": "what training on packs gives to memory",
}
NOTES = {
    "transfer": "Changes of success in points. Held-in gain is the gate: where its interval reaches 0, no gain is "
    "shown, and the row's tax and retention say nothing. Ordered by overall gain, the mean over all families.",
    "difficulty": "Rows say what was trained on, columns what was tested; recovery is the share of what training on "
    "that very difficulty gains; the drop is the slope, success on easy less that on hard. Ordered by the mean gain "
    "over the difficulties not trained on.",
    "sequence": "Accuracy at the end is mean success over the stages' families after the last stage; against the "
    "mixture is how much more training on all at once solves than each stage did. Ordered by accuracy at the end.",
    "lifecycle": "Changes in points, on packs of the family trained on (held in) and of all others (held out): of the "
    "mean score of a task with the context kept, and of the gain, which is that less the same pack without a context. "
    "Ordered by the change of gain, held in.",
}
FRESH = "fresh_change"
MAX_ROWS = 64  # of one study
MAX_CELLS = 16  # difficulties of one row
_CELL = re.compile(r"[a-z][a-z0-9-]{0,23}")


@dataclass(frozen=True, slots=True)
class StudyRow:
    """One line of a study's table.

    Attributes:
        study: the entry it comes from.
        labels: what was trained, by name: `trained_on`, `distractors`, `family` or `order`.
        seeds: how many trainings of other seeds stand behind it.
        scores: by the name in `scores.json`; those of a difficulty as `<difficulty> success`, `transfer`, `recovery`.
        trained: False for the initial policy.
    """

    study: StudyOnBoard
    labels: Mapping[str, str]
    seeds: int
    scores: Mapping[str, Score]
    trained: bool = True

    @property
    def trust(self) -> Trust:
        """What was recorded of its entry."""
        return self.study.trust

    @property
    def notes(self) -> tuple[str, ...]:
        """What its study's actions say about where they came from."""
        return self.study.notes


@dataclass(frozen=True, slots=True)
class StudyTable:
    """All studies of a protocol: the rows from most gained to least, and the columns."""

    protocol: str
    kind: str
    columns: tuple[Column[StudyRow], ...]
    rows: tuple[StudyRow, ...]

    @property
    def notes(self) -> tuple[tuple[str, str], ...]:
        """Entries and what is to be said of them, each once."""
        return tuple(dict.fromkeys((row.study.entry, note) for row in self.rows for note in row.notes))


def study_tables(studies: Sequence[StudyOnBoard]) -> list[StudyTable]:
    """Return the table of each protocol that has studies, protocols sorted.

    Raises:
        EntryError: a study's scores are not of the form that `scores.study_board` documents.
    """
    protocols: dict[str, list[StudyOnBoard]] = {}
    for study in studies:
        protocols.setdefault(study.metadata.suite, []).append(study)
    return [_table(name, found) for name, found in sorted(protocols.items())]


def place_text(table: StudyTable, row: StudyRow) -> str:
    """Return what a row is about, where it stands, and the score that the table is ordered by."""
    order = next(column for column in table.columns if column.key == ORDER[table.kind])
    value = order.value(row)
    name = ", ".join(f"{label.replace('_', ' ')} {text}" for label, text in row.labels.items())
    place = f"row {1 + table.rows.index(row)} of {len(table.rows)}"
    return f"{name}: {place}, {order.name} {value.text if isinstance(value, Estimate) else '-'}"


class StudyTableJson(TypedDict):
    """A table as plain values; a row has labels and scores by name."""

    suite: str
    kind: str
    rows: list[Mapping[str, object]]


def study_table_json(table: StudyTable) -> StudyTableJson:
    """Return a table as plain JSON values; scores as they stand in scores.json."""
    return {"suite": table.protocol, "kind": table.kind, "rows": [_row_json(row) for row in table.rows]}


def _row_json(row: StudyRow) -> Mapping[str, object]:
    metadata = row.study.metadata
    return {
        "entry": row.study.entry,
        "model": metadata.model,
        "org": metadata.org,
        **row.labels,
        **{name: score_json(score) for name, score in row.scores.items()},
        "seeds": row.seeds,
        "trust": row.trust if row.study.is_submitted else None,
        "notes": list(row.notes),
        "date": metadata.date if row.study.is_submitted else None,
    }


def _table(protocol: str, studies: Sequence[StudyOnBoard]) -> StudyTable:
    kinds = sorted({str(study.scores.get("kind"))[:40] for study in studies})
    if len(kinds) != 1 or kinds[0] not in ORDER:
        raise EntryError(
            f"the studies of {protocol} are of kind {', '.join(kinds)}; one of {', '.join(ORDER)} is right"
        )
    rows = [row for study in studies for row in _rows(study, kinds[0])]
    difficulties = dict.fromkeys(name.partition(" ")[0] for row in rows for name in row.scores if " " in name)
    columns = {"transfer": TRANSFER, "difficulty": _difficulty_columns(list(difficulties)), "sequence": SEQUENCE}
    columns["lifecycle"] = LIFECYCLE
    ranked = sorted(rows, key=lambda row: (*_place(row, ORDER[kinds[0]]), row.study.metadata.date, row.study.entry))
    fresh = (FRESH_COLUMN,) if any(FRESH in row.scores for row in rows) else ()
    return StudyTable(protocol, kinds[0], (*POLICY, *columns[kinds[0]], *fresh, *ENTRY), tuple(ranked))


def _place(row: StudyRow, order: str) -> tuple[bool, float]:
    """Return what a row is ordered by: most gained first, the initial policy and what has no value last."""
    value = row.scores[order].value if row.trained else None
    return value is None, -(value or 0.0)


def _rows(study: StudyOnBoard, kind: str) -> list[StudyRow]:
    rows = study.scores.get("rows")
    if not isinstance(rows, list) or len(rows) > MAX_ROWS:
        raise EntryError(f"{study.entry}: its scores have no list of at most {MAX_ROWS} rows")
    read = READERS[kind]
    try:
        return [
            _with_fresh(read(study, row), change) for row, change in zip(rows, _fresh_rows(study, rows), strict=True)
        ]
    except (KeyError, TypeError, ValueError, AttributeError, ScoreError) as error:
        raise EntryError(f"{study.entry}: its scores lack what a row needs: {str(error)[:200]!r}") from None


def _fresh_rows(study: StudyOnBoard, rows: Sequence[Any]) -> Sequence[Any]:
    """Return what fresh.json says of each row; it must be as many as rows."""
    return [None] * len(rows) if study.fresh is None else study.fresh["rows"]


def _with_fresh(row: StudyRow, change: Mapping[str, Any] | None) -> StudyRow:
    return row if change is None else replace(row, scores={**row.scores, FRESH: _score(FRESH, change)})


def _transfer_row(study: StudyOnBoard, row: Mapping[str, Any]) -> StudyRow:
    labels = {"trained_on": _text(row["trained_on"]), "distractors": "yes" if row["distractors"] is True else "no"}
    names = ("initial", "held_in_gain", "held_out_change", "overall_gain", "tax", "retention", "unseen_change")
    scores = _scores(row, names)
    if row["distractors_change"] is not None:
        scores["distractors_change"] = _score("distractors_change", row["distractors_change"])
    return StudyRow(study, labels, int(row["seeds"]), scores)


def _difficulty_row(study: StudyOnBoard, row: Mapping[str, Any]) -> StudyRow:
    is_initial = row["trained_on"] is None
    labels = {"family": _text(row["family"]), "trained_on": "nothing yet" if is_initial else _text(row["trained_on"])}
    scores = _scores(row, ("difficulty_drop",) if is_initial else ("gain_elsewhere", "difficulty_drop"))
    if len(row["cells"]) > MAX_CELLS:
        raise ValueError(f"more than {MAX_CELLS} difficulties")
    for name, cell in row["cells"].items():
        if not _CELL.fullmatch(name):
            raise ValueError(f"a difficulty is called {name[:40]!r}")
        scores |= {f"{name} {part}": _score(part, found) for part, found in cell.items() if found is not None}
    return StudyRow(study, labels, int(row["seeds"]), scores, trained=not is_initial)


def _sequence_row(study: StudyOnBoard, row: Mapping[str, Any]) -> StudyRow:
    names = ("initial", "accuracy_end", "backward_transfer", "forgetting_end", "forgetting_max", "forward_transfer")
    more = ("mixture", "against_mixture", "unseen_change", "mixture_unseen_change")
    order = " → ".join(map(_text, row["order"]))
    return StudyRow(study, {"order": order}, int(row["seeds"]), _scores(row, (*names, *more)))


def _lifecycle_row(study: StudyOnBoard, row: Mapping[str, Any]) -> StudyRow:
    changes = ("held_in_score_change", "held_in_gain_change", "held_out_score_change", "held_out_gain_change")
    names = ("initial", *changes, "kept_score", "cod_effect", "stateful_gain", "ralph_effect")
    return StudyRow(study, {"trained_on": _text(row["trained_on"])}, int(row["seeds"]), _scores(row, names))


READERS: Mapping[str, Callable[[StudyOnBoard, Mapping[str, Any]], StudyRow]] = {
    "transfer": _transfer_row,
    "difficulty": _difficulty_row,
    "sequence": _sequence_row,
    "lifecycle": _lifecycle_row,
}


def _scores(row: Mapping[str, Any], names: Sequence[str]) -> dict[str, Score]:
    return {name: _score(name, row[name]) for name in names}


def _score(name: str, data: Mapping[str, Any]) -> Score:
    numbers = [data[key] for key in ("value", "low", "high")]
    if any(number is not None and type(number) not in (int, float) for number in numbers):
        raise TypeError(f"{name} is no number")
    if data["over"] not in (LEVELS, LEVELS_AND_SEEDS):
        raise ValueError(f"{name}: its interval is over {data['over']!r}")
    reason = None if data["reason"] is None else _text(data["reason"])
    left_out = tuple(map(_text, data["left_out"]))
    return Score(name, numbers[0], numbers[1], numbers[2], int(data["n"]), reason, left_out, data["over"])


def _text(value: Any) -> str:
    if not isinstance(value, str) or len(value) > 1000:
        raise TypeError(f"{str(value)[:40]!r} is no text of at most 1000 characters")
    return value


# --- columns


def _label(name: str, key: str) -> Column[StudyRow]:
    return Column(name, key, lambda row: row.labels[key])


def _of(name: str, key: str, scale: Scale, place: str = "own") -> Column[StudyRow]:
    column = Column(name, key.replace(" ", "_"), partial(_estimate, key=key, scale=scale), first="down")
    return column if place == "own" else Column(name, column.key, column.value, "under", "down")


def _estimate(row: StudyRow, key: str, scale: Scale) -> Value:
    score = row.scores.get(key)
    return None if score is None else Estimate(score, scale, is_trained=row.trained)


def _initial(row: StudyRow) -> Value:
    return row.scores["initial"]


def _gate(row: StudyRow) -> Value:
    """Return the held-in gain, with a note where its interval is not above 0."""
    score = row.scores["held_in_gain"]
    is_shown = score.low is not None and score.low > 0
    return Estimate(score, "points", note="" if is_shown else "no gain shown")


def _name(study: StudyOnBoard) -> Link | str:
    """Return the model's name, which leads to the entry where there is one."""
    return Link(study.metadata.model, study.entry) if study.is_submitted else study.metadata.model


POLICY: tuple[Column[StudyRow], ...] = (
    Column("policy", "model", lambda row: _name(row.study)),
    Column("submitted by", "org", lambda row: row.study.metadata.org, "under"),
)
TRANSFER: tuple[Column[StudyRow], ...] = (
    _label("trained on", "trained_on"),
    _label("distractors", "distractors"),
    Column("initial", "initial", _initial, first="down"),
    Column("held-in gain", "held_in_gain", _gate, first="down"),
    _of("held-out change", "held_out_change", "points"),
    _of("overall", "overall_gain", "points"),
    _of("tax", "tax", "points"),
    _of("retention", "retention", "ratio"),
    _of("change by distractors", "distractors_change", "ratio"),
    _of("unseen world", "unseen_change", "points"),
)
SEQUENCE: tuple[Column[StudyRow], ...] = (
    _label("order of stages", "order"),
    Column("initial", "initial", _initial, first="down"),
    _of("accuracy at the end", "accuracy_end", "percent"),
    _of("backward transfer", "backward_transfer", "points"),
    _of("forgetting at the end", "forgetting_end", "points"),
    _of("forward transfer", "forward_transfer", "points"),
    _of("mixture", "mixture", "percent"),
    _of("against the mixture", "against_mixture", "points"),
    _of("unseen world", "unseen_change", "points"),
)
LIFECYCLE: tuple[Column[StudyRow], ...] = (
    _label("trained on", "trained_on"),
    Column("initial, context kept", "initial", _initial, first="down"),
    _of("held-in gain of memory", "held_in_gain_change", "points"),
    _of("held-in tasks", "held_in_score_change", "points"),
    _of("held-out gain of memory", "held_out_gain_change", "points"),
    _of("held-out tasks", "held_out_score_change", "points"),
    _of("tasks, context kept", "kept_score", "percent"),
    _of("CoD effect", "cod_effect", "points"),
    _of("gain over wiped", "stateful_gain", "points"),
    _of("Ralph effect", "ralph_effect", "points"),
)
FRESH_COLUMN = _of("fresh levels", FRESH, "points")
ENTRY: tuple[Column[StudyRow], ...] = (
    Column("seeds", "seeds", lambda row: row.seeds, first="down"),
    Column("trust", "trust", lambda row: badge(row.trust) if row.study.is_submitted else None, first="down"),
    Column("date", "date", lambda row: _day(row), first="down"),
    Column("entry", "entry", lambda row: row.study.entry, "data"),
    Column("what its actions say", "notes", lambda row: "; ".join(row.notes), "data"),
)


def _day(row: StudyRow) -> date | None:
    return date.fromisoformat(row.study.metadata.date) if row.study.is_submitted else None


def _difficulty_columns(difficulties: Sequence[str]) -> tuple[Column[StudyRow], ...]:
    columns = [_label("family", "family"), _label("trained on", "trained_on")]
    columns.append(_of("gain elsewhere", "gain_elsewhere", "points"))
    columns.append(_of("drop, easy to hard", "difficulty_drop", "points"))
    for name in difficulties:
        columns.append(_of(f"on {name}", f"{name} success", "percent"))
        columns.append(_of(f"transfer to {name}", f"{name} transfer", "points", "under"))
        columns.append(_of(f"recovery on {name}", f"{name} recovery", "ratio", "under"))
    return tuple(columns)
