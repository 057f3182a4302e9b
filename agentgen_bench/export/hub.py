"""Evaluation results as the Hugging Face Hub takes them, in both of its formats.

`.eval_results/NAME.yaml`: one item per setting, family and the whole run, for a model's repository
    (https://huggingface.co/docs/hub/eval-results, `huggingface_hub.parse_eval_result_entries`). The Hub shows it
    where the dataset is registered as a benchmark whose eval.yaml names the same task ids.
`model-index.yaml`: the older block for the metadata of a model card, as it stands
    (`huggingface_hub.repocard_data.model_index_to_eval_results`).

Values are success in percent. There is no verifyToken: only the Hub's own evaluation jobs can make one.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import yaml

from agentgen_bench.episodes import Episode, canonical_json
from agentgen_bench.errors import RunError, SpecError
from agentgen_bench.export.naming import encodable, moment, slug, task_names
from agentgen_bench.export.source import Source
from agentgen_bench.scores.base import ScoreJson
from agentgen_bench.scores.success import ResultsJson, results

DATASET_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")
DIGITS = 4  # of a percentage


@dataclass(frozen=True, slots=True)
class HubOptions:
    """What the Hub wants to know and no record holds.

    `dataset_id` is ORG/NAME of the benchmark's dataset, `dataset_revision` a commit of it; `date` is ISO 8601 and
    overrides the record's; `source_url` and `source_name` link to the evidence.
    """

    dataset_id: str
    dataset_revision: str | None = None
    date: str | None = None
    source_url: str | None = None
    source_name: str | None = None

    def __post_init__(self) -> None:
        """Raise SpecError for what the Hub would refuse."""
        if not DATASET_ID.fullmatch(self.dataset_id):
            raise SpecError(f"{self.dataset_id!r} is no dataset of the Hub; write ORG/NAME")
        if self.source_name and not self.source_url:
            raise SpecError("the Hub takes a name of a source only with its address; add --source-url")
        if self.source_url and not self.source_url.startswith(("https://", "http://")):
            raise SpecError(f"{self.source_url!r} is no address; write https://...")
        if self.date:
            moment(self.date)


class Result(NamedTuple):
    """One published number: which task of the benchmark, in words, and its success with its 95 % interval."""

    task_id: str
    title: str
    split: str | None
    value: float
    low: float | None
    high: float | None
    episodes: int


def hub_files(source: Source, options: HubOptions) -> dict[str, bytes]:
    """Return both files.

    Raises:
        RunError: the run is incomplete, or an episode crashed: such a number is not for publication.
    """
    found = _results(source)
    name = f".eval_results/agentgen-bench-{slug(source.suite or source.name).replace('_', '-')}.yaml"
    return {
        name: _yaml([_item(source, options, result) for result in found]),
        "model-index.yaml": _yaml({"model-index": [_model_index(source, options, found)]}),
    }


def _results(source: Source) -> list[Result]:
    episodes = [episode.compact() for episode in source.episodes()]
    _check_whole(source, episodes)
    return list(_each(source, results(episodes)))


def _check_whole(source: Source, episodes: list[Episode]) -> None:
    if len(episodes) < source.n_planned:
        raise RunError(
            f"{source.name} holds {len(episodes)} of {source.n_planned} episodes; finish it with evaluate --resume"
        )
    crashed = [episode for episode in episodes if episode.ending == "error"]
    if crashed:
        raise RunError(f"{len(crashed)} episodes of {source.name} ended in an error, not in a result; play them again")


def _each(source: Source, found: ResultsJson) -> Iterator[Result]:
    """Yield the whole run, then families, then settings."""
    whole = source.suite or source.name
    yield _result(slug(whole), f"{whole}, all", None, found["overall"]["success"])
    for name, scores in found["families"].items():
        yield _result(f"{slug(name)}_family", f"{name}, all settings", None, scores["success"])
    names = task_names([setting["spec"] for setting in found["settings"]])
    for setting in found["settings"]:
        task_id, split = names[canonical_json(setting["spec"])], str(setting["spec"]["split"])
        yield _result(task_id, setting["setting"], split, setting["scores"]["success"])


def _result(task_id: str, title: str, split: str | None, success: ScoreJson) -> Result:
    if success["value"] is None:
        raise RunError(f"the success of {title} has no value: {success['reason']}")
    return Result(task_id, title, split, success["value"], success["low"], success["high"], success["n"])


def _item(source: Source, options: HubOptions, result: Result) -> dict[str, object]:
    """Return an item of .eval_results, its keys in the order of the Hub's documentation."""
    dataset = {"id": options.dataset_id, "task_id": result.task_id}
    if options.dataset_revision:
        dataset["revision"] = options.dataset_revision
    item: dict[str, object] = {"dataset": dataset, "value": _percent(result.value)}
    if date := options.date or source.date:
        item["date"] = date
    return item | _source(options) | {"notes": _notes(source, result)}


def _notes(source: Source, result: Result) -> str:
    low, high = result.low, result.high
    ends = "" if low is None or high is None else f"{100 * low:.1f} - {100 * high:.1f}"
    interval = f", 95 % interval (levels only) {ends}" if ends else ""
    suite = f", suite {source.suite} {str(source.suite_hash)[:12]}" if source.suite else ""
    version = source.versions.get("agentgen-bench", "of unknown version")
    text = f"success %{interval}, {result.episodes} episodes{suite}, agentgen-bench {version}"
    return encodable(text)


def _model_index(source: Source, options: HubOptions, found: list[Result]) -> dict[str, object]:
    return {"name": encodable(source.model), "results": [_index_result(options, result) for result in found]}


def _index_result(options: HubOptions, result: Result) -> dict[str, object]:
    dataset = {"name": f"agentgen-bench {result.title}", "type": options.dataset_id, "config": result.task_id}
    optional = {"split": result.split, "revision": options.dataset_revision}
    low, high = result.low, result.high
    bounds = {} if low is None or high is None else {"low": _percent(low), "high": _percent(high)}
    return {
        "task": {"type": "text-generation", "name": "Text environments"},
        "dataset": dataset | {name: value for name, value in optional.items() if value},
        "metrics": [
            {
                "type": "success_rate",
                "value": _percent(result.value),
                "name": "success, %",
                "args": {"episodes": result.episodes, **bounds},
            }
        ],
        **_source(options),
    }


def _source(options: HubOptions) -> dict[str, object]:
    if not options.source_url:
        return {}
    named = {"name": options.source_name} if options.source_name else {}
    return {"source": {"url": options.source_url, **named}}


def _percent(value: float) -> float:
    return round(100 * value, DIGITS)


def _yaml(value: object) -> bytes:
    return yaml.safe_dump(value, sort_keys=False, allow_unicode=True, width=1000).encode()
