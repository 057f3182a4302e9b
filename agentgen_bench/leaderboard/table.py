"""The leaderboard's rows: scores of every entry of a suite, their ranks, and how stable each rank is."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import filterfalse
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from agentgen_bench.episodes import canonical_json
from agentgen_bench.errors import EntryError
from agentgen_bench.leaderboard.audit import Record, Trust, entry_folders, entry_name, read_audit, trust_of
from agentgen_bench.leaderboard.costs import Costs, costs
from agentgen_bench.leaderboard.entry import (
    EPISODES,
    FRESH_RESULTS,
    METADATA,
    RESULTS,
    Metadata,
    digests,
    metadata_from_json,
)
from agentgen_bench.leaderboard.kept import Kept
from agentgen_bench.leaderboard.likeness import Contestant, copy_note, oracle_notes
from agentgen_bench.leaderboard.records import AGENT_KIND, SCRIPTED_KINDS
from agentgen_bench.leaderboard.safe import read_json, read_yaml
from agentgen_bench.leaderboard.study_entry import is_study
from agentgen_bench.leaderboard.sums import Sums, outcomes
from agentgen_bench.scores.base import Score
from agentgen_bench.scores.bootstrap import RESAMPLES, Draws, percentile_interval
from agentgen_bench.scores.ood import ranking_stability
from agentgen_bench.scores.pack_results import OVERALL
from agentgen_bench.scores.sampling import PolicyRates, sample_outcomes


class Curve(NamedTuple):
    """What a row says of one setting of packs: its scores by name, the positions first."""

    setting: str
    scores: dict[str, Score]


@dataclass(frozen=True, slots=True)
class Row:
    """One entry of a suite."""

    entry: str
    metadata: Metadata
    trust: Trust
    episodes: int
    success: Score
    families: dict[str, Score]
    costs: Costs
    rank: int
    rank_low: int  # the rank in 95 % of the redraws of the levels
    rank_high: int
    copy: str | None = None  # what is to be said of an entry with another's actions
    oracle: tuple[str, ...] = ()  # and of one with the oracle's, by family
    fresh: Score | None = None  # change of success from frozen levels to fresh ones, where the entry has both
    packs: Mapping[str, Score] = field(default_factory=dict)  # of a suite of packs: what `scores.pack_results` names
    curves: tuple[Curve, ...] = ()
    is_submitted: bool = True  # False: its day and trust stand in for those that it would have

    @property
    def notes(self) -> tuple[str, ...]:
        """What the row's actions say about where they came from."""
        return self.oracle if self.copy is None else (self.copy, *self.oracle)

    @property
    def played_by(self) -> str | None:
        """What played, where that is no model behind our prompts and the name does not say so; else None."""
        kind = self.metadata.policy.get("kind")
        if kind == AGENT_KIND:
            return "agent"
        return f"scripted: {kind}" if kind in SCRIPTED_KINDS and self.metadata.model != kind else None


@dataclass(frozen=True, slots=True)
class Board:
    """One suite's leaderboard: rows from best to worst, and how often the whole ranking holds."""

    suite: str
    rows: tuple[Row, ...]
    stability: Score | None  # None for fewer than two rows
    sums: Mapping[str, Sums] = field(default_factory=dict, repr=False)  # by entry
    draws: Mapping[str, Draws] = field(default_factory=dict, repr=False)  # of overall success, by entry: paired

    @property
    def has_fresh(self) -> bool:
        """Whether any row has played fresh levels."""
        return any(row.fresh is not None for row in self.rows)

    @property
    def has_packs(self) -> bool:
        """Whether any row has played packs of tasks."""
        return any(row.packs for row in self.rows)

    @property
    def families(self) -> tuple[str, ...]:
        """The families that any row has a score of, sorted."""
        return tuple(sorted({family for row in self.rows for family in row.families}))


def read_boards(leaderboards: Path, kept: Kept | None = None) -> list[Board]:
    """Return the leaderboard of each suite that has entries, suites sorted; studies are read by `read_studies`.

    Entries are read, not verified; `trust` says what was recorded about each.

    Args:
        leaderboards: the folder of all boards.
        kept: what was read of entries before (default: nothing, every episode is read).
    """
    if not leaderboards.is_dir():
        raise EntryError(f"{leaderboards} is not a folder of leaderboards")
    kept = Kept(None) if kept is None else kept
    records = read_audit(leaderboards)
    suites: dict[str, list[Path]] = {}
    for path in filterfalse(is_study, entry_folders(leaderboards)):
        suites.setdefault(path.parent.name, []).append(path)
    order = {record.entry: i for i, record in reversed(list(enumerate(records)))}  # of the first record of each
    boards = [
        _board(suite, [_read(path, records, kept) for path in paths], order, kept) for suite, paths in suites.items()
    ]
    kept.flush()
    return boards


class _Read(NamedTuple):
    """An entry as it was read."""

    path: Path
    digest: str  # of its episodes
    row: Row
    sums: Sums


def _read(path: Path, records: Sequence[Record], kept: Kept) -> _Read:
    found = digests(path)
    metadata = metadata_from_json(read_yaml(path / METADATA), str(path / METADATA))
    results = read_json(path / RESULTS)
    sums = kept.sums(path, found[EPISODES], _episodes(path, results))
    row = _row(path, metadata, results, trust_of(entry_name(path), found, records), sums)
    return _Read(path, found[EPISODES], row, sums)


def _board(suite: str, entries: Sequence[_Read], order: Mapping[str, int], kept: Kept) -> Board:
    sampled = sample_outcomes({each.row.entry: outcomes(each.sums) for each in entries}, canonical_json)
    draws = {name: _overall_draws(rates) for name, rates in sampled.runs.items()}
    rows = _noted(entries, order, kept)
    observed = {row.entry: -_value(row) for row in rows}
    stability = None
    if len(rows) > 1:
        stability = ranking_stability(observed, [dict(zip(draws, row, strict=True)) for row in _negated_rows(draws)])
    ranked = [_ranked(row, observed, draws) for row in rows]
    ordered = sorted(ranked, key=lambda row: (row.rank, row.metadata.date, row.entry))
    return Board(suite, tuple(ordered), stability, {each.row.entry: each.sums for each in entries}, draws)


def _noted(entries: Sequence[_Read], order: Mapping[str, int], kept: Kept) -> list[Row]:
    """Return the rows with what their courses say about each other; the one recorded first is nobody's copy."""
    compared = {each.row.entry: _contestant(each.path, each.row.metadata, kept, each.digest) for each in entries}
    first = sorted(compared, key=lambda name: (order.get(name, len(order)), name))
    oracle = oracle_notes([compared[name] for name in first], kept.as_oracle)
    place = {name: i for i, name in enumerate(first)}
    found = []
    for each in entries:
        name = each.row.entry
        earlier = [compared[other] for other in first[: place[name]]]
        copy = copy_note(compared[name], earlier, kept.alike)
        found.append(replace(each.row, copy=copy, oracle=tuple(oracle.get(name, ()))))
    return found


def contestants(paths: Sequence[Path]) -> list[Contestant]:
    """Return entries as they are compared with each other, unverified."""
    kept = Kept(None)
    found = []
    for path in paths:
        metadata = metadata_from_json(read_yaml(path / METADATA), str(path / METADATA))
        found.append(_contestant(path, metadata, kept, digests(path)[EPISODES]))
    return found


def _contestant(path: Path, metadata: Metadata, kept: Kept, digest: str) -> Contestant:
    label = metadata.org, metadata.model
    return Contestant(
        entry_name(path), label, str(metadata.policy.get("kind")), partial(kept.played, path / EPISODES, digest), digest
    )


def _overall_draws(rates: PolicyRates) -> Draws:
    total = np.zeros(RESAMPLES)
    for name in sorted(rates.draws):
        total = total + rates.draws[name]
    return total / max(1, len(rates.draws))


def _negated_rows(draws: Mapping[str, Draws]) -> list[tuple[float, ...]]:
    return list(zip(*((-values).tolist() for values in draws.values()), strict=True))


def _row(path: Path, metadata: Metadata, results: Any, trusted: Trust, sums: Sums) -> Row:
    if not sums:
        raise EntryError(f"{path / EPISODES} holds no episode")
    try:
        families = {family: _score(scores) for family, scores in results["families"].items()}
        success = _score(results["overall"])
        number = int(results["episodes"])
        packs, curves = _packs(results.get("packs"))
        row = Row(
            entry_name(path), metadata, trusted, number, success, families, costs(sums), 0, 0, 0,
            packs=packs, curves=curves,
        )  # fmt: skip
        return row if metadata.fresh is None else replace(row, fresh=_score(read_json(path / FRESH_RESULTS), "change"))
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise EntryError(f"{path}: {RESULTS} or {FRESH_RESULTS} lacks what a row needs: {error!r}") from None


def _packs(found: Any) -> tuple[dict[str, Score], tuple[Curve, ...]]:
    """Return what results say of packs: the means by name, and each setting's scores; nothing where there are none."""
    if found is None:
        return {}, ()
    overall = {name: _score(found["overall"], name) for name in OVERALL if name in found["overall"]}
    settings = [(str(one["setting"]), one["scores"]) for one in found["settings"]]
    return overall, tuple(Curve(label, {name: _score(scores, name) for name in scores}) for label, scores in settings)


def _episodes(path: Path, results: Any) -> dict[str, tuple[int, float]]:
    """Return how many episodes of each setting the results are about, and their mean success."""
    try:
        return {
            canonical_json(one["spec"]): (one["episodes"], one["scores"]["success"]["value"])
            for one in results["settings"]
        }
    except (KeyError, TypeError) as error:
        raise EntryError(f"{path / RESULTS} lacks what a row needs: {error!r}") from None


def _score(scores: Mapping[str, Any], name: str = "success") -> Score:
    data = scores[name]
    return Score(name, data["value"], data["low"], data["high"], data["n"], data["reason"])


def _value(row: Row) -> float:
    if row.success.value is None:
        raise EntryError(f"{row.entry} has no overall success: {row.success.reason}")
    return row.success.value


def _ranked(row: Row, observed: Mapping[str, float], draws: Mapping[str, Draws]) -> Row:
    """Return the row with its rank (1 + number of better entries) and the rank's interval over the redraws."""
    better = np.zeros(RESAMPLES)
    for values in draws.values():
        better = better + (values > draws[row.entry])
    low, high = percentile_interval(better + 1)
    rank = 1 + sum(value < observed[row.entry] for value in observed.values())
    return replace(row, rank=rank, rank_low=int(low or rank), rank_high=int(high or rank))
