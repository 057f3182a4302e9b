"""Two tidy tables: a row per episode, and a row per score of each setting, each family and the whole run."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from agentgen_bench.episodes import Episode, canonical_json
from agentgen_bench.errors import RunError
from agentgen_bench.export.source import Source
from agentgen_bench.scores.base import LEVELS, ScoreJson, family, scores_json, setting_label
from agentgen_bench.scores.failures import ANALYSES, MODES, Failures, failures
from agentgen_bench.scores.harness import harness_scores
from agentgen_bench.scores.packs import pack_scores
from agentgen_bench.scores.run_scores import run_scores
from agentgen_bench.scores.success import ResultsJson, results

Kind = Literal["string", "bool", "int", "float"]
Cell = str | bool | int | float | None


@dataclass(frozen=True, slots=True)
class Table:
    """Columns in order, each with its kind, and rows of as many cells; None is an unknown value."""

    columns: tuple[tuple[str, Kind], ...]
    rows: tuple[tuple[Cell, ...], ...]


class Played(NamedTuple):
    """An episode with its failure modes, which need the texts that are not kept."""

    episode: Episode
    failures: Failures


def tables(source: Source) -> dict[str, Table]:
    """Return the tables `episodes` and `scores`; the same record in any order gives the same rows.

    Raises:
        RunError: nothing is recorded.
    """
    rows, kept = [], []
    for episode in source.episodes():
        played = Played(episode.compact(), failures(episode))
        rows.append((episode.key, (*_source_cells(source), *(value(played) for _, _, value in EPISODE_COLUMNS))))
        kept.append(played.episode)
    if not kept:
        raise RunError(f"{source.name} holds no episode to export")
    ordered = tuple(row for _, row in sorted(rows, key=lambda pair: pair[0]))
    columns = (*SOURCE_COLUMNS, *((name, kind) for name, kind, _ in EPISODE_COLUMNS))
    return {
        "episodes": Table(columns, ordered),
        "scores": Table(
            (*SOURCE_COLUMNS, *SCORE_COLUMNS),
            (*_score_rows(source, results(kept)), *_pack_rows(source, kept), *_run_rows(source, kept)),
        ),
    }


def grid_table(grid: str, sources: Sequence[Source]) -> Table:
    """Return a row per score of a grid of harnesses: success of each by family, their mean and their variance."""
    found = harness_scores({source.name: [one.compact() for one in source.episodes()] for source in sources})
    model = sources[0].model
    rows: list[tuple[Cell, ...]] = []
    for one in found:
        rows += [
            (grid, model, name, one.subject, "success", rate, None, None, None, one.scores[0].n, None)
            for name, rate in one.rates.items()
        ]
        for score in one.scores:
            over = None if score.low is None else LEVELS
            numbers = (score.value, score.low, score.high, over, score.n, score.reason)
            rows.append((grid, model, None, one.subject, score.name, *numbers))
    return Table(GRID_COLUMNS, tuple(rows))


GRID_COLUMNS: tuple[tuple[str, Kind], ...] = (
    ("grid", "string"),
    ("model", "string"),
    ("harness", "string"),  # empty for scores over all
    ("subject", "string"),
    ("score", "string"),
    ("value", "float"),
    ("low", "float"),
    ("high", "float"),
    ("interval_over", "string"),
    ("n", "int"),
    ("reason", "string"),
)
SOURCE_COLUMNS: tuple[tuple[str, Kind], ...] = (
    ("run", "string"),
    ("model", "string"),
    ("policy", "string"),
    ("suite", "string"),
    ("suite_hash", "string"),
)
SCORE_COLUMNS: tuple[tuple[str, Kind], ...] = (
    ("scope", "string"),  # overall, family, setting, pack, or a section of run_scores
    ("subject", "string"),
    ("env_id", "string"),
    ("spec", "string"),
    ("episodes", "int"),
    ("score", "string"),
    ("value", "float"),
    ("low", "float"),
    ("high", "float"),
    ("interval_over", "string"),  # a run is one seed of its training: levels only
    ("n", "int"),
    ("reason", "string"),
)


def _source_cells(source: Source) -> tuple[Cell, ...]:
    return (source.name, source.model, str(source.policy["name"]), source.suite, source.suite_hash)


def _spec(name: str) -> Callable[[Played], Cell]:
    return lambda played: _text(played.episode.spec.get(name))


def _total(name: str) -> Callable[[Played], Cell]:
    return lambda played: sum(getattr(step, name) for step in played.episode.steps)


def _found(name: str) -> Callable[[Played], Cell]:
    return lambda played: getattr(played.failures, name)


def _text(value: Any) -> str | None:
    return value if value is None or isinstance(value, str) else canonical_json(value)


def _of_tasks(played: Played, name: str) -> str | None:
    """Return a field of the tasks of a pack as a JSON list; None of any other episode."""
    is_pack = "lifecycle" in played.episode.spec
    return json.dumps([getattr(task, name) for task in played.episode.tasks]) if is_pack else None


def _chars(episode: Episode) -> Iterator[Mapping[str, int]]:
    yield episode.first_chars
    yield from (step.observation_chars for step in episode.steps)


def _richness(episode: Episode) -> str:
    return setting_label({"env_id": episode.spec["env_id"]}).partition("-")[2] or "base"


def _last_hash(episode: Episode) -> str:
    """Return the last link of the hash chain: it commits to every observation of the episode."""
    return episode.steps[-1].observation_hash if episode.steps else episode.first_hash


EPISODE_COLUMNS: tuple[tuple[str, Kind, Callable[[Played], Cell]], ...] = (
    ("setting", "string", lambda played: setting_label(played.episode.spec)),
    ("env_id", "string", _spec("env_id")),
    ("family", "string", lambda played: family(played.episode.spec)),
    ("richness", "string", lambda played: _richness(played.episode)),
    *(
        (name, "string", _spec(name))
        for name in ("difficulty", "split", "distractors", "interface", "lifecycle", "faults", "knobs")
    ),
    ("spec", "string", lambda played: canonical_json(played.episode.spec)),
    ("level_id", "string", lambda played: played.episode.level_id),
    ("seed", "int", lambda played: played.episode.seed),
    ("repeat", "int", lambda played: played.episode.repeat),
    ("task", "string", lambda played: played.episode.task),
    ("max_steps", "int", lambda played: played.episode.max_steps),
    ("expert_length", "int", lambda played: played.episode.expert_length),
    ("ending", "string", lambda played: played.episode.ending),
    ("error", "string", lambda played: played.episode.error),
    ("success", "bool", lambda played: played.episode.success),
    ("score", "float", lambda played: float(played.episode.score)),
    ("task_scores", "string", lambda played: _of_tasks(played, "score")),
    ("contexts", "string", lambda played: _of_tasks(played, "note")),
    ("episode_return", "float", lambda played: float(played.episode.episode_return)),
    ("steps", "int", lambda played: len(played.episode.steps)),
    ("invalid_actions", "int", lambda played: sum(not step.is_action_valid for step in played.episode.steps)),
    ("unparsed_completions", "int", lambda played: sum(step.action is None for step in played.episode.steps)),
    *((name, "int", _total(name)) for name in ("prompt_chars", "prompt_tokens", "completion_tokens", "dropped_turns")),
    ("observation_chars", "int", lambda played: sum(sum(chars.values()) for chars in _chars(played.episode))),
    ("distractor_chars", "int", lambda played: sum(chars.get("distractor", 0) for chars in _chars(played.episode))),
    ("first_hash", "string", lambda played: played.episode.first_hash),
    ("last_hash", "string", lambda played: _last_hash(played.episode)),
    *((f"mode_{name}", "bool", _found(name)) for name in MODES),
    *((name, "float", _found(name)) for name in ANALYSES),
    ("actions", "string", lambda played: json.dumps([step.action for step in played.episode.steps])),
)


def _score_rows(source: Source, found: ResultsJson) -> Iterator[tuple[Cell, ...]]:
    """Yield a row per score of results.json."""
    whole = ("overall", source.suite or source.name, None, None, found["episodes"])
    yield from _rows_of(source, whole, found["overall"])
    for name, scores in found["families"].items():
        n_episodes = sum(setting["episodes"] for setting in found["settings"] if family(setting["spec"]) == name)
        yield from _rows_of(source, ("family", name, None, None, n_episodes), scores)
    for setting in found["settings"]:
        spec = setting["spec"]
        subject = ("setting", setting["setting"], str(spec["env_id"]), canonical_json(spec), setting["episodes"])
        yield from _rows_of(source, subject, setting["scores"])


def _pack_rows(source: Source, episodes: list[Episode]) -> Iterator[tuple[Cell, ...]]:
    """Yield a row per score of each setting that plays packs of tasks."""
    for packs in pack_scores([episodes]):
        n_episodes = sum(episode.spec == packs.spec for episode in episodes)
        subject = ("pack", packs.setting, str(packs.spec["env_id"]), canonical_json(packs.spec), n_episodes)
        yield from _rows_of(source, subject, scores_json(packs.scores))


def _run_rows(source: Source, episodes: list[Episode]) -> Iterator[tuple[Cell, ...]]:
    """Yield a row per score of reliability, cost, interface, horizon and robustness."""
    for one in run_scores(episodes):
        env_id, spec = (None, None) if one.spec is None else (str(one.spec["env_id"]), canonical_json(one.spec))
        subject = (one.section, one.setting, env_id, spec, one.episodes)
        yield from _rows_of(source, subject, scores_json(one.scores))


def _rows_of(source: Source, subject: tuple[Cell, ...], scores: Mapping[str, ScoreJson]) -> Iterator[tuple[Cell, ...]]:
    for name, score in scores.items():
        numbers = (score["value"], score["low"], score["high"])
        values = tuple(None if number is None else float(number) for number in numbers)
        over = None if score["low"] is None else LEVELS
        yield (*_source_cells(source), *subject, name, *values, over, score["n"], score["reason"])
