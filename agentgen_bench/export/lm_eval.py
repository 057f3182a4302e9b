"""The files that lm-evaluation-harness writes: `MODEL/results_DATE.json` and `MODEL/samples_TASK_DATE.jsonl`.

Written after lm_eval 0.4.13 (`lm_eval/result_schema.py`, `lm_eval/loggers/evaluation_tracker.py`). An environment
setting is a task, a family and the whole run are groups, an episode is a sample: its one request has the first prompt,
`resps` the completions and `filtered_resps` the actions in order of the steps. What the harness did not do is not
claimed: there is no lm_eval_version and no git hash, and our own facts stand under "agentgen_bench".
"""

import hashlib
import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import chain as chained
from typing import Any, TypedDict

from agentgen_bench.episodes import Episode, canonical_json
from agentgen_bench.errors import RunError
from agentgen_bench.export.naming import encodable, moment, slug, task_names
from agentgen_bench.export.source import Source
from agentgen_bench.prompts import PromptConfig
from agentgen_bench.report.collect import prompts_of
from agentgen_bench.scores.base import ScoreJson, family, level_key, mean, setting_label
from agentgen_bench.scores.levels import with_levels
from agentgen_bench.scores.success import ResultsJson, results

FILTER = "action"  # the harness names metrics "metric,filter"; our filter parses the action out of a completion
METRICS = {"success": True, "score": True, "episode_return": True, "steps": None}  # whether higher is better
TARGET = "success"
UNDATED = "undated"

Json = dict[str, object]  # as the harness writes it


class Sample(TypedDict):
    """An episode as the harness writes a document with its one request."""

    doc: Json
    target: str
    arguments: Json
    resps: list[list[str]]
    filtered_resps: list[str]
    filter: str
    metrics: list[str]
    doc_hash: str
    prompt_hash: str
    target_hash: str
    success: float
    score: float
    episode_return: float
    steps: float


class NumberedSample(Sample):
    """A sample in its place among those of its task."""

    doc_id: int


def lm_eval_files(source: Source, date: str | None = None) -> dict[str, bytes]:
    """Return the results file and a file of samples per setting.

    Args:
        source: the run or entry.
        date: when it was evaluated, ISO 8601 (default: what the source records; else the files are "undated").

    Raises:
        RunError: nothing is recorded, or an episode of a setting that the run does not play.
        SpecError: `date` is no date.
    """
    episodes, samples = _read(source)
    names = task_names({canonical_json(episode.spec): episode.spec for episode in episodes}.values())
    date = date or source.date
    stamp = UNDATED if date is None else moment(date).isoformat().replace(":", "-")
    folder = _sanitized(source.model)
    by_task = {names[key]: _numbered(found) for key, found in sorted(samples.items())}
    whole = _results(source, episodes, names, date) | {
        "task_hashes": {task: _task_hash(found) for task, found in by_task.items()}
    }
    files = {f"{folder}/results_{stamp}.json": json.dumps(whole, indent=2, allow_nan=False).encode() + b"\n"}
    for task, found in by_task.items():
        files[f"{folder}/samples_{task}_{stamp}.jsonl"] = b"".join(_line(sample) for sample in found)
    return files


def _read(source: Source) -> tuple[list[Episode], dict[str, list[tuple[tuple[int, int], Sample]]]]:
    """Return the episodes without texts, and by setting the samples, each with (seed, repeat) to sort it by."""
    config = source.config
    gen_kwargs = _gen_kwargs(source)
    episodes: list[Episode] = []
    samples: dict[str, list[tuple[tuple[int, int], Sample]]] = {}
    for episode in source.episodes():
        key, seed, repeat = episode.key
        if key not in source.planned:
            raise RunError(f"{source.name} holds an episode of {setting_label(episode.spec)}, which it does not play")
        samples.setdefault(key, []).append(((seed, repeat), _sample(episode, config, gen_kwargs)))
        episodes.append(episode.compact())
    if not episodes:
        raise RunError(f"{source.name} holds no episode to export")
    return episodes, samples


def _numbered(samples: list[tuple[tuple[int, int], Sample]]) -> list[NumberedSample]:
    ordered = sorted(samples, key=lambda pair: pair[0])
    return [{"doc_id": number, **sample} for number, (_, sample) in enumerate(ordered)]


def _sample(episode: Episode, config: PromptConfig, gen_kwargs: Json) -> Sample:
    doc = {
        "env_id": episode.spec["env_id"],
        "spec": canonical_json(episode.spec),
        "seed": episode.seed,
        "repeat": episode.repeat,
        "level_id": episode.level_id,
        "task": encodable(episode.task),
        "max_steps": episode.max_steps,
        "ending": episode.ending,
    }
    prompt, measures = encodable(_first_prompt(episode, config)), _measures(episode)
    return {
        "doc": doc,
        "target": TARGET,
        "arguments": {"gen_args_0": {"arg_0": prompt, "arg_1": dict(gen_kwargs)}},
        "resps": [[encodable(step.completion) for step in episode.steps]],
        "filtered_resps": [encodable(step.action or "") for step in episode.steps],
        "filter": FILTER,
        "metrics": list(METRICS),
        "doc_hash": _hash(json.dumps(doc, indent=2, ensure_ascii=False)),
        "prompt_hash": _hash(prompt),
        "target_hash": _hash(TARGET),
        "success": measures["success"],
        "score": measures["score"],
        "episode_return": measures["episode_return"],
        "steps": measures["steps"],
    }


def _first_prompt(episode: Episode, config: PromptConfig) -> str:
    """Return the first prompt; "" where there was none, or the record holds no texts to rebuild it from."""
    prompts = prompts_of(replace(episode, steps=episode.steps[:1]), config)
    return (prompts[0] if prompts else None) or ""


def _measures(episode: Episode) -> dict[str, float]:
    return {
        "success": float(episode.success),
        "score": float(episode.score),
        "episode_return": float(episode.episode_return),
        "steps": float(len(episode.steps)),
    }


def _gen_kwargs(source: Source) -> Json:
    temperature, top_p, max_tokens = (source.sampling.get(name) for name in ("temperature", "top_p", "max_tokens"))
    do_sample = None if temperature is None else temperature > 0
    known = {"do_sample": do_sample, "temperature": temperature, "top_p": top_p, "max_gen_toks": max_tokens}
    return {"until": [], **{name: value for name, value in known.items() if value is not None}}


def _n_shot(source: Source) -> int:
    """Return how many answered examples stand before each task."""
    return sum(message.role == "assistant" for message in source.config.examples)


def _results(source: Source, episodes: Sequence[Episode], names: Mapping[str, str], date: str | None) -> Json:
    (episodes,) = with_levels([episodes])
    found = results(episodes)
    by_task: dict[str, list[Episode]] = {}
    for episode in episodes:
        by_task.setdefault(names[canonical_json(episode.spec)], []).append(episode)
    tasks = {names[canonical_json(setting["spec"])]: setting["spec"] for setting in found["settings"]}
    groups, subtasks = _groups(source, found, tasks)
    return {
        "results": groups | {task: _metrics(task, by_task[task]) for task in tasks},
        "groups": groups,
        "group_subtasks": subtasks | {task: [] for task in tasks},
        "configs": {task: _config(source, task, spec) for task, spec in tasks.items()},
        "versions": {task: int(str(spec["env_id"]).rpartition("-v")[2]) for task, spec in tasks.items()},
        "n-shot": dict.fromkeys(tasks, _n_shot(source)),
        "higher_is_better": dict.fromkeys((*groups, *tasks), METRICS),
        "n-samples": {
            task: {"original": source.planned[canonical_json(spec)], "effective": len(by_task[task])}
            for task, spec in tasks.items()
        },
        "config": _run_config(source),
        "git_hash": None,
        "date": None if date is None else moment(date).timestamp(),
        "model_source": str(source.policy.get("backend", source.policy.get("kind"))),
        "model_name": source.model,
        "model_name_sanitized": _sanitized(source.model),
        "system_instruction": encodable(source.config.system_prompt) or None,
        "chat_template": source.policy.get("chat_template"),
        "chat_template_sha": source.policy.get("chat_template_hash"),
        "agentgen_bench": {
            "suite": source.suite,
            "suite_hash": source.suite_hash,
            "policy": dict(source.policy),
            "prompt": dict(source.prompt),
            "versions": dict(source.versions),
            "scores": found,
        },
    }


def _metrics(task: str, episodes: Sequence[Episode]) -> Json:
    """Return the metrics of one task, each with the standard error of its mean over levels."""
    metrics: Json = {"name": task, "alias": setting_label(episodes[0].spec), "sample_len": len(episodes)}
    measured = [(level_key(episode), _measures(episode)) for episode in episodes]
    for name in METRICS:
        levels: dict[str, list[float]] = {}
        for level, measures in measured:
            levels.setdefault(level, []).append(measures[name])
        metrics[f"{name},{FILTER}"] = mean([measures[name] for _, measures in measured])
        metrics[f"{name}_stderr,{FILTER}"] = _standard_error([mean(values) for values in levels.values()])
    return metrics


def _sanitized(model: str) -> str:
    """Return a model's name as lm_eval.utils.sanitize_model_name does, and no name of another folder."""
    return re.sub(r"^\.+$", "__", re.sub(r'["<>:/|\\?*\[\]]+', "__", model))


def _standard_error(values: Sequence[float]) -> float | str:
    """Return the sample's standard deviation over the root of its size; "N/A", as the harness writes, for one value."""
    if len(values) < 2:
        return "N/A"
    center = mean(values)
    return math.sqrt(math.fsum((value - center) ** 2 for value in values) / (len(values) - 1) / len(values))


def _groups(
    source: Source, found: ResultsJson, tasks: Mapping[str, Mapping[str, Any]]
) -> tuple[dict[str, Json], dict[str, list[str]]]:
    """Return the groups' metrics and which tasks each holds: the families, and the run above them."""
    whole = f"agentgen_{slug(source.suite or source.name)}"
    families = {name: f"agentgen_{slug(name)}_family" for name in found["families"]}
    members = {families[name]: [task for task, spec in tasks.items() if family(spec) == name] for name in families}
    groups = {whole: _group(whole, found["overall"], found["episodes"])}
    for name, scores in found["families"].items():
        groups[families[name]] = _group(families[name], scores, scores["success"]["n"])
    return groups, {whole: list(families.values()), **members}


def _group(name: str, scores: Mapping[str, ScoreJson], n_episodes: int) -> Json:
    """Return a group's metrics: means over settings. Their intervals stand under "agentgen_bench"."""
    metrics: Json = {"name": name, "alias": name, "sample_len": n_episodes}
    for metric, score in scores.items():
        metrics[f"{metric},{FILTER}"] = score["value"]
        metrics[f"{metric}_stderr,{FILTER}"] = "N/A"
    metrics["sample_count"] = {f"{metric},{FILTER}": score["n"] for metric, score in scores.items()}
    return metrics


def _config(source: Source, task: str, spec: Mapping[str, Any]) -> Json:
    return {
        "task": task,
        "dataset_path": "agentgen-bench",
        "dataset_name": spec["env_id"],
        "test_split": spec["split"],
        "output_type": "generate_until",
        "num_fewshot": _n_shot(source),
        "repeats": source.repeats,
        "generation_kwargs": _gen_kwargs(source),
        "filter_list": [{"name": FILTER, "filter": [{"function": "agentgen_bench.parsing.parse"}]}],
        "metric_list": [
            {"metric": name, "aggregation": "mean", "higher_is_better": higher} for name, higher in METRICS.items()
        ],
        "should_decontaminate": False,
        "metadata": {"spec": canonical_json(spec), "suite": source.suite, "suite_hash": source.suite_hash},
    }


def _run_config(source: Source) -> Json:
    scalars = {name: value for name, value in source.policy.items() if isinstance(value, str | int | float)}
    return {
        "model": str(source.policy.get("backend", source.policy.get("kind"))),
        "model_args": {"pretrained": source.model, **scalars},
        "batch_size": None,
        "batch_sizes": [],
        "device": None,
        "use_cache": None,
        "limit": None,
        "bootstrap_iters": 0,
        "gen_kwargs": _gen_kwargs(source),
        **dict.fromkeys(("random_seed", "numpy_seed", "torch_seed", "fewshot_seed")),
    }


def _task_hash(samples: Iterable[NumberedSample]) -> str:
    """Return the hash that the harness gives a task: of its samples' hashes one after the other."""
    hashes = ((sample["doc_hash"], sample["prompt_hash"], sample["target_hash"]) for sample in samples)
    return _hash("".join(chained.from_iterable(hashes)))


def _line(sample: NumberedSample) -> bytes:
    # ASCII only: readers that split lines as str.splitlines does would cut a completion at U+2028.
    return json.dumps(sample, allow_nan=False).encode() + b"\n"


def _hash(text: str) -> str:
    return hashlib.sha256(encodable(text).encode()).hexdigest()
