"""One record of the EvalEval Coalition's schema "Every Eval Ever", eval.schema.json 0.3.0.

A family, the whole run and each environment setting are evaluations with two metrics, success and score, each with its
interval. Their values of details are strings, as the schema asks for.
"""

import json
import uuid
from collections.abc import Iterator, Mapping

from agentgen_bench.episodes import canonical_json
from agentgen_bench.errors import RunError, SpecError
from agentgen_bench.export.naming import encodable, moment, slug
from agentgen_bench.export.source import Source
from agentgen_bench.scores.base import ScoreJson, setting_label
from agentgen_bench.scores.success import ResultsJson, results

EEE_VERSION = "0.3.0"
METRICS = {
    "success": "share of episodes that reach the goal",
    "score": "mean progress towards the goal, 1 exactly at success",
}

Json = dict[str, object]  # as the schema has it


def every_eval_ever_files(source: Source, date: str | None = None) -> dict[str, bytes]:
    """Return data/agentgen-bench/DEVELOPER/MODEL/UUID.json, the UUID one of the record's content.

    Args:
        source: the run or entry.
        date: when it was evaluated, ISO 8601 (default: what the source records).

    Raises:
        SpecError: there is no date, which the schema asks for, or it is none.
        RunError: nothing is recorded, or episodes are missing.
    """
    date = date or source.date
    if date is None:
        raise SpecError("every-eval-ever needs a date, and the run records none; add --date 2026-01-31")
    episodes = [episode.compact() for episode in source.episodes()]
    if not episodes or len(episodes) < source.n_planned:
        raise RunError(f"{source.name} holds {len(episodes)} of {source.n_planned} episodes; finish it first")
    record = _record(source, results(episodes), str(int(moment(date).timestamp())))
    text = json.dumps(record, indent=2, allow_nan=False).encode() + b"\n"
    developer, _, model = _model_id(source).rpartition("/")
    name = uuid.uuid5(uuid.NAMESPACE_URL, encodable(canonical_json(record)))
    return {f"data/agentgen-bench/{slug(developer)}/{slug(model)}/{name}.json": text}


def _record(source: Source, found: ResultsJson, stamp: str) -> Json:
    model = _model_id(source)
    return {
        "schema_version": EEE_VERSION,
        "evaluation_id": f"agentgen-bench/{slug(source.suite or source.name)}/{model}/{stamp}",
        "evaluation_timestamp": stamp,
        "retrieved_timestamp": stamp,
        "source_metadata": {
            "source_name": "agentgen-bench",
            "source_type": "evaluation_run",
            "source_organization_name": "agentgen-bench",
            "evaluator_relationship": "other",
        },
        "eval_library": {
            "name": "agentgen-bench",
            "version": str(source.versions.get("agentgen-bench", "unknown")),
            "additional_details": {name: str(version) for name, version in sorted(source.versions.items())},
        },
        "model_info": {
            "name": encodable(source.model),
            "id": model,
            "additional_details": {
                "deployment_type": "unknown",  # a record says what played, not whose machine it ran on
                "model_availability": "unknown",
                "policy": canonical_json(dict(source.policy)),
            },
        },
        "evaluation_results": list(_results(source, found)),
    }


def _model_id(source: Source) -> str:
    """Return the model's name with a developer before it, as the Hub names models."""
    name = encodable(source.model)
    return name if "/" in name.strip("/") else f"unknown/{name}"


def _results(source: Source, found: ResultsJson) -> Iterator[Json]:
    whole = source.suite or source.name
    yield from _metrics(source, whole, found["overall"])
    for name, scores in found["families"].items():
        yield from _metrics(source, f"{whole}: {name}", scores)
    for setting in found["settings"]:
        spec = {"spec": canonical_json(setting["spec"])}
        yield from _metrics(source, f"{whole}: {setting_label(setting['spec'])}", setting["scores"], spec)


def _metrics(
    source: Source, name: str, scores: Mapping[str, ScoreJson], about: Mapping[str, str] | None = None
) -> Iterator[Json]:
    suite = {"suite": str(source.suite), "suite_hash": str(source.suite_hash), **(about or {})}
    for metric, described in METRICS.items():
        score = scores.get(metric)
        if score is None or score["value"] is None:
            continue
        details: Json = {"score": score["value"], "details": {"episodes": str(score["n"])}}
        if score["low"] is not None and score["high"] is not None:
            interval = {"lower": score["low"], "upper": score["high"], "confidence_level": 0.95}
            details["uncertainty"] = {"confidence_interval": interval, "num_samples": score["n"]}
        yield {
            "evaluation_name": f"{name}, {metric}",
            "source_data": {"dataset_name": "agentgen-bench", "source_type": "other", "additional_details": suite},
            "metric_config": {
                "evaluation_description": described,
                "metric_id": f"agentgen_bench.{metric}",
                "metric_name": metric,
                "metric_unit": "proportion",
                "lower_is_better": False,
                "score_type": "continuous",
                "min_score": 0,
                "max_score": 1,
            },
            "score_details": details,
            "generation_config": _generation(source),
        }


def _generation(source: Source) -> Json:
    drawn = source.sampling
    known = {name: drawn[name] for name in ("temperature", "top_p", "top_k", "max_tokens") if name in drawn}
    arguments = {**known, "reasoning": bool(source.prompt.get("thinking", False))} if known else {}
    return {"generation_args": arguments, "additional_details": {"prompt": canonical_json(dict(source.prompt))}}
