"""The leaderboard's rows: scores of every entry of a suite, their ranks, and how stable each rank is."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import filterfalse
from pathlib import Path
from typing import Any

import numpy as np

from agentgen_bench.episodes import Episode, canonical_json, from_json
from agentgen_bench.errors import DataError, EntryError
from agentgen_bench.leaderboard.audit import Trust, entry_folders, entry_name, read_audit, trust
from agentgen_bench.leaderboard.courses import Played, course_of
from agentgen_bench.leaderboard.entry import EPISODES, FRESH_RESULTS, METADATA, RESULTS, Metadata, metadata_from_json
from agentgen_bench.leaderboard.likeness import Contestant, contestant, copy_note, oracle_notes
from agentgen_bench.leaderboard.records import AGENT_KIND, SCRIPTED_KINDS
from agentgen_bench.leaderboard.safe import parse_json, read_gzip_lines, read_json, read_yaml
from agentgen_bench.leaderboard.study_entry import is_study
from agentgen_bench.scores.base import Score, family
from agentgen_bench.scores.bootstrap import RESAMPLES, Draws, percentile_interval
from agentgen_bench.scores.ood import ranking_stability
from agentgen_bench.scores.sampling import PolicyRates, sample


@dataclass(frozen=True, slots=True)
class Row:
    """One entry of a suite."""

    entry: str
    metadata: Metadata
    trust: Trust
    episodes: int
    success: Score
    families: dict[str, Score]
    rank: int
    rank_low: int  # the rank in 95 % of the redraws of the levels
    rank_high: int
    copy: str | None = None  # what is to be said of an entry with another's actions
    oracle: tuple[str, ...] = ()  # and of one with the oracle's, by family
    fresh: Score | None = None  # change of success from frozen levels to fresh ones, where the entry has both

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

    @property
    def has_fresh(self) -> bool:
        """Whether any row has played fresh levels."""
        return any(row.fresh is not None for row in self.rows)

    @property
    def families(self) -> tuple[str, ...]:
        """The families that any row has a score of, sorted."""
        return tuple(sorted({family for row in self.rows for family in row.families}))


def read_boards(leaderboards: Path) -> list[Board]:
    """Return the leaderboard of each suite that has entries, suites sorted; studies are read by `read_studies`.

    Entries are read, not verified; `trust` says what was recorded about each.
    """
    if not leaderboards.is_dir():
        raise EntryError(f"{leaderboards} is not a folder of leaderboards")
    records = read_audit(leaderboards)
    suites: dict[str, list[Path]] = {}
    for path in filterfalse(is_study, entry_folders(leaderboards)):
        suites.setdefault(path.parent.name, []).append(path)
    order = {record.entry: i for i, record in reversed(list(enumerate(records)))}  # of the first record of each
    return [_board(suite, {path: trust(path, records) for path in paths}, order) for suite, paths in suites.items()]


def _board(suite: str, trusts: Mapping[Path, Trust], order: Mapping[str, int]) -> Board:
    names = {path: entry_name(path) for path in trusts}
    played: dict[str, list[Played]] = {name: [] for name in names.values()}
    outcomes = {names[path]: list(_outcomes(path, played[names[path]])) for path in trusts}
    sampled = sample(outcomes, canonical_json)
    draws = {name: _overall_draws(rates) for name, rates in sampled.runs.items()}
    rows = [_row(path, names[path], trusts[path]) for path in trusts]
    rows = _noted(rows, played, order)
    observed = {row.entry: -_value(row) for row in rows}
    stability = None
    if len(rows) > 1:
        stability = ranking_stability(observed, [dict(zip(draws, row, strict=True)) for row in _negated_rows(draws)])
    ranked = [_ranked(row, observed, draws) for row in rows]
    return Board(suite, tuple(sorted(ranked, key=lambda row: (row.rank, row.metadata.date, row.entry))), stability)


def _outcomes(path: Path, played: list[Played]) -> Iterator[Episode]:
    """Yield the episodes of an entry without their steps: who solved what; their courses are added to `played`."""
    where = str(path / EPISODES)
    for number, line in enumerate(read_gzip_lines(path / EPISODES), 1):
        data = parse_json(line, f"{where}, line {number}")
        try:
            episode = from_json(data | {"steps": []} if isinstance(data, dict) else data)
            course = course_of(data["steps"], episode.first_admissible, episode.success, episode.expert_length)
        except (DataError, KeyError, TypeError, AttributeError) as error:
            raise EntryError(f"{where}, line {number}: {error}") from None
        played.append(Played(family(episode.spec), (canonical_json(episode.spec), episode.seed), course))
        yield episode


def _noted(rows: Sequence[Row], played: Mapping[str, Sequence[Played]], order: Mapping[str, int]) -> list[Row]:
    """Return the rows with what their courses say about each other; the one recorded first is nobody's copy."""
    compared = {row.entry: _contestant(row.entry, row.metadata, played[row.entry]) for row in rows}
    oracle = oracle_notes(list(compared.values()))
    first = sorted(compared, key=lambda name: (order.get(name, len(order)), name))
    found = []
    for row in rows:
        earlier = [compared[name] for name in first[: first.index(row.entry)]]
        copy = copy_note(compared[row.entry], earlier)
        found.append(replace(row, copy=copy, oracle=tuple(oracle.get(row.entry, ()))))
    return found


def contestants(paths: Sequence[Path]) -> list[Contestant]:
    """Return entries as they are compared with each other, unverified."""
    found = []
    for path in paths:
        played: list[Played] = []
        for _ in _outcomes(path, played):
            pass
        metadata = metadata_from_json(read_yaml(path / METADATA), str(path / METADATA))
        found.append(_contestant(entry_name(path), metadata, played))
    return found


def _contestant(entry: str, metadata: Metadata, played: Sequence[Played]) -> Contestant:
    return contestant(entry, (metadata.org, metadata.model), str(metadata.policy.get("kind")), played)


def _overall_draws(rates: PolicyRates) -> Draws:
    total = np.zeros(RESAMPLES)
    for name in sorted(rates.draws):
        total = total + rates.draws[name]
    return total / max(1, len(rates.draws))


def _negated_rows(draws: Mapping[str, Draws]) -> list[tuple[float, ...]]:
    return list(zip(*((-values).tolist() for values in draws.values()), strict=True))


def _row(path: Path, name: str, trusted: Trust) -> Row:
    metadata = metadata_from_json(read_yaml(path / METADATA), str(path / METADATA))
    results = read_json(path / RESULTS)
    try:
        families = {family: _score(scores) for family, scores in results["families"].items()}
        row = Row(name, metadata, trusted, int(results["episodes"]), _score(results["overall"]), families, 0, 0, 0)
        return row if metadata.fresh is None else replace(row, fresh=_score(read_json(path / FRESH_RESULTS), "change"))
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise EntryError(f"{path}: {RESULTS} or {FRESH_RESULTS} lacks what a row needs: {error!r}") from None


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
