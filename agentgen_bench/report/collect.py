"""From a run folder to what the page shows: results, an index of episodes, and each episode packed by itself."""

import base64
import gzip
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypedDict

from agentgen_bench.contract import Analysis
from agentgen_bench.episodes import Ending, Episode, Sections, Step, read_episodes
from agentgen_bench.evaluation.folder import EPISODES, ManifestJson, prompt_of, read_manifest
from agentgen_bench.evaluation.grid import grid_of
from agentgen_bench.evaluation.histories import histories
from agentgen_bench.families import is_known
from agentgen_bench.prompts import History, PromptConfig, as_text, messages, shown_turns
from agentgen_bench.scores.base import family, setting_label
from agentgen_bench.scores.failures import MODES, failures
from agentgen_bench.scores.success import ResultsJson, results


class IndexJson(TypedDict):
    """What the page's table of episodes says of one."""

    setting: str
    seed: int
    repeat: int
    ending: Ending
    success: bool
    score: float
    steps: int
    task: str
    modes: dict[str, bool | None]  # by failure mode; None where the record cannot tell


class StepJson(TypedDict):
    """What the browser of episodes shows of a step."""

    prompt: str | None
    completion: str
    action: str | None
    parse_reason: str | None
    reward: float
    score: float
    valid: bool
    dropped_turns: int
    observation: list[list[str]] | None


class DetailsJson(TypedDict):
    """What the browser of episodes shows of an episode, loaded when it is opened."""

    task: str
    error: str | None
    analysis: Analysis
    expert_length: int | None
    first: list[list[str]] | None
    steps: list[StepJson]


@dataclass(frozen=True, slots=True)
class RunReport:
    """What the page needs of one run. `index` and `packed` have one entry per episode, in the same order."""

    name: str
    manifest: ManifestJson
    results: ResultsJson
    episodes: tuple[Episode, ...]  # compact
    index: tuple[IndexJson, ...]
    packed: tuple[str, ...]  # base64 of gzip of JSON: the page unpacks one when it is opened
    label: str = ""  # tells the run apart from the others of a page, see `labelled`
    grid: Path | None = None  # the folder of the grid of harnesses that the run is part of, resolved


def collect(path: Path) -> RunReport:
    """Return the report of one run folder; episodes are read one at a time, so their texts never add up in memory.

    Raises:
        RunError: the folder is no run.
        DataError: a file of it is damaged.
    """
    manifest = read_manifest(path)
    prompt = prompt_of(path, manifest)
    compact, index, packed = [], [], []
    source = path / EPISODES
    for episode in read_episodes(source) if source.exists() else ():
        compact.append(episode.compact())
        index.append(_index_entry(episode))
        packed.append(pack(details(episode, prompt)))
    return RunReport(
        name=path.resolve().name,
        manifest=manifest,
        results=results(compact),
        episodes=tuple(compact),
        index=tuple(index),
        packed=tuple(packed),
        grid=grid_of(path),
    )


def labelled(runs: Sequence[RunReport]) -> list[RunReport]:
    """Return the runs with names and labels of which no two are equal: the policy where that tells, else folder too."""
    folders = Counter(run.name for run in runs)
    seen: Counter[str] = Counter()
    named = []
    for run in runs:
        seen[run.name] += 1
        name = f"{run.name} ({seen[run.name]})" if folders[run.name] > 1 else run.name
        named.append(replace(run, name=name))
    policies = Counter(str(run.manifest["policy"]["name"]) for run in runs)
    return [replace(run, label=_label(run, policies)) for run in named]


def _label(run: RunReport, policies: Mapping[str, int]) -> str:
    policy = str(run.manifest["policy"]["name"])
    return policy if policies[policy] == 1 else f"{policy} in {run.name}"


def details(episode: Episode, prompt: PromptConfig) -> DetailsJson:
    """Return all that the browser of episodes shows of one, as plain JSON."""
    prompts: Iterator[str | None] = iter(prompts_of(episode, prompt))
    return {
        "task": episode.task,
        "error": episode.error,
        "analysis": dict(episode.analysis),
        "expert_length": episode.expert_length,
        "first": _parts(episode.first_sections),
        "steps": [
            {
                "prompt": next(prompts),
                "completion": step.completion,
                "action": step.action,
                "parse_reason": step.parse_reason,
                "reward": step.reward,
                "score": step.score,
                "valid": step.is_action_valid,
                "dropped_turns": step.dropped_turns,
                "observation": _parts(step.sections),
            }
            for step in episode.steps
        ],
    }


def prompts_of(episode: Episode, config: PromptConfig) -> list[str | None]:
    """Return the text of each step's prompt, rebuilt from the record.

    None where there was no prompt (a scripted policy), where the record is compact and holds no texts, or where its
    family, which says who the agent is, is not here.
    """
    rebuilt = list(histories(episode)) if is_known(family(episode.spec)) else []
    if not rebuilt:
        return [None] * len(episode.steps)
    return [_prompt(step, config, history) for step, history in zip(episode.steps, rebuilt, strict=True)]


def _prompt(step: Step, config: PromptConfig, history: History) -> str | None:
    if step.prompt_chars == 0:
        return None
    kept = shown_turns(history, config) - step.dropped_turns
    return as_text(messages(history, config, kept))


def pack(value: Any) -> str:
    """Return base64 of the gzip of a value's JSON; the same value gives the same text."""
    return base64.b64encode(gzip.compress(json.dumps(value).encode(), compresslevel=6, mtime=0)).decode()


def _index_entry(episode: Episode) -> IndexJson:
    found = failures(episode)
    return {
        "setting": setting_label(episode.spec),
        "seed": episode.seed,
        "repeat": episode.repeat,
        "ending": episode.ending,
        "success": episode.success,
        "score": round(episode.score, 4),
        "steps": len(episode.steps),
        "task": episode.task[:200],
        "modes": {mode: getattr(found, mode) for mode in MODES},
    }


def _parts(sections: Sections | None) -> list[list[str]] | None:
    return None if sections is None else [[section.text, section.source] for section in sections]
