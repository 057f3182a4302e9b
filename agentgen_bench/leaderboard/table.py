"""The leaderboard's rows: scores of every entry of a suite, their ranks, and how stable each rank is."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from agentgen_bench.episodes import Episode, canonical_json, from_json
from agentgen_bench.errors import DataError, EntryError
from agentgen_bench.leaderboard.audit import Trust, entry_folders, entry_name, read_audit, trust
from agentgen_bench.leaderboard.entry import EPISODES, METADATA, RESULTS, Metadata, metadata_from_json
from agentgen_bench.leaderboard.records import AGENT_KIND
from agentgen_bench.leaderboard.safe import parse_json, read_gzip_lines, read_json, read_yaml
from agentgen_bench.scores.base import Score
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

    @property
    def is_agent(self) -> bool:
        """Whether an agent of the submitter's own played, not a model behind our prompts."""
        return self.metadata.policy.get("kind") == AGENT_KIND


@dataclass(frozen=True, slots=True)
class Board:
    """One suite's leaderboard: rows from best to worst, and how often the whole ranking holds."""

    suite: str
    rows: tuple[Row, ...]
    stability: Score | None  # None for fewer than two rows

    @property
    def families(self) -> tuple[str, ...]:
        """The families that any row has a score of, sorted."""
        return tuple(sorted({family for row in self.rows for family in row.families}))


def read_boards(leaderboards: Path) -> list[Board]:
    """Return the leaderboard of each suite that has entries, suites sorted.

    Entries are read, not verified; `trust` says what was recorded about each.
    """
    if not leaderboards.is_dir():
        raise EntryError(f"{leaderboards} is not a folder of leaderboards")
    records = read_audit(leaderboards)
    suites: dict[str, list[Path]] = {}
    for path in entry_folders(leaderboards):
        suites.setdefault(path.parent.name, []).append(path)
    return [_board(suite, {path: trust(path, records) for path in paths}) for suite, paths in suites.items()]


def _board(suite: str, trusts: Mapping[Path, Trust]) -> Board:
    names = {path: entry_name(path) for path in trusts}
    sampled = sample({names[path]: list(_outcomes(path)) for path in trusts}, canonical_json)
    draws = {name: _overall_draws(rates) for name, rates in sampled.runs.items()}
    rows = [_row(path, names[path], trusts[path]) for path in trusts]
    observed = {row.entry: -_value(row) for row in rows}
    stability = None
    if len(rows) > 1:
        stability = ranking_stability(observed, [dict(zip(draws, row, strict=True)) for row in _negated_rows(draws)])
    ranked = [_ranked(row, observed, draws) for row in rows]
    return Board(suite, tuple(sorted(ranked, key=lambda row: (row.rank, row.metadata.date, row.entry))), stability)


def _outcomes(path: Path) -> Iterator[Episode]:
    """Yield the episodes of an entry without their steps: who solved what."""
    where = str(path / EPISODES)
    for number, line in enumerate(read_gzip_lines(path / EPISODES), 1):
        data = parse_json(line, f"{where}, line {number}")
        try:
            yield from_json(data | {"steps": []} if isinstance(data, dict) else data)
        except DataError as error:
            raise EntryError(f"{where}, line {number}: {error}") from None


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
        return Row(name, metadata, trusted, int(results["episodes"]), _score(results["overall"]), families, 0, 0, 0)
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise EntryError(f"{path / RESULTS} lacks what a row needs: {error!r}") from None


def _score(scores: Mapping[str, Any]) -> Score:
    data = scores["success"]
    return Score("success", data["value"], data["low"], data["high"], data["n"], data["reason"])


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
    return Row(
        row.entry,
        row.metadata,
        row.trust,
        row.episodes,
        row.success,
        row.families,
        rank,
        int(low or rank),
        int(high or rank),
    )
