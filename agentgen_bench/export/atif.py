"""Trajectories in ATIF v1.7, the Agent Trajectory Interchange Format of Harbor (its RFC 0001): a file per episode.

The first step is the user's: what was asked for before the first answer. Each later one is the agent's: its completion,
the thought in it, the action as a function call, and what the environment answered to that call.
"""

import json
import re

from agentgen_bench.answers import tools_for
from agentgen_bench.episodes import Episode, Step, canonical_json
from agentgen_bench.errors import RunError
from agentgen_bench.evaluation.histories import histories
from agentgen_bench.export.naming import encodable, task_names
from agentgen_bench.export.source import Source
from agentgen_bench.leaderboard.records import SCRIPTED_KINDS
from agentgen_bench.policies.names import SCRIPTED
from agentgen_bench.prompts import History, PromptConfig, as_text, messages
from agentgen_bench.text import render
from agentgen_bench.tools import call_for

ATIF_VERSION = "ATIF-v1.7"
_THOUGHT = re.compile(r"<think>(.*?)</think>", re.DOTALL)

Json = dict[str, object]  # as the format has it


def atif_files(source: Source) -> dict[str, bytes]:
    """Return a trajectory per episode, by path; the same record gives the same bytes.

    Raises:
        RunError: the source holds no episode, or one without its texts, as entries and compact runs do.
    """
    episodes = list(source.episodes())
    if not episodes:
        raise RunError(f"{source.name} holds no episode to export")
    names = task_names({canonical_json(episode.spec): episode.spec for episode in episodes}.values())
    files = {}
    for episode in episodes:
        path = f"{names[canonical_json(episode.spec)]}/{episode.seed}-{episode.repeat}.json"
        files[path] = json.dumps(trajectory(episode, source), indent=1, allow_nan=False).encode() + b"\n"
    return files


def trajectory(episode: Episode, source: Source) -> Json:
    """Return an episode as one ATIF document.

    Raises:
        RunError: the episode is recorded without its texts, or without where its tasks begin.
    """
    if episode.first_sections is None or any(step.sections is None for step in episode.steps):
        raise RunError(
            f"{source.name}: seed {episode.seed} is recorded without its texts, or failed before its first; "
            "trajectories need a run without --compact and without episodes that never began"
        )
    config = source.config
    seen = list(histories(episode))
    if len(seen) < len(episode.steps):
        raise RunError(f"{source.name}: seed {episode.seed} is of a record that does not say where its tasks begin")
    steps: list[Json] = [{"step_id": 1, "source": "user", "message": encodable(_asked(episode, seen, config))}]
    steps += [_step(i, step, seen[i], source) for i, step in enumerate(episode.steps)]
    return {
        "schema_version": ATIF_VERSION,
        "session_id": source.name,
        "trajectory_id": f"{episode.level_id}:{episode.spec['env_id']}:{episode.seed}:{episode.repeat}",
        "agent": _agent(source, seen),
        "steps": steps,
        "notes": f"played under the protocol {config.protocol}: what a model read at each step follows from the "
        "settings in extra.prompt",
        "final_metrics": _final_metrics(episode, len(steps)),
        "extra": _extra(episode, source),
    }


def _asked(episode: Episode, seen: list[History], config: PromptConfig) -> str:
    if seen:
        return as_text(messages(seen[0], config))
    return f"{episode.task}\n\n{render(episode.first_sections or ())}"


def _step(number: int, step: Step, history: History, source: Source) -> Json:
    kind = source.policy.get("kind")
    is_model = kind not in SCRIPTED_KINDS and source.policy.get("name") not in SCRIPTED
    thought = _THOUGHT.search(step.completion)
    data: Json = {"step_id": number + 2, "source": "agent", "message": encodable(step.completion)}
    if is_model and thought:
        data["reasoning_content"] = encodable(thought[1].strip())
    result: Json = {"content": encodable(render(step.sections or ()))}
    if step.action is not None:
        call_id = f"call-{number + 1}"
        data["tool_calls"] = [{"tool_call_id": call_id, **_call(step.action, history)}]
        result = {"source_call_id": call_id, **result}
    data["observation"] = {"results": [result]}
    if is_model:
        data["metrics"] = {
            "prompt_tokens": step.prompt_tokens,
            "completion_tokens": step.completion_tokens,
            "cost_usd": step.cost_usd,
        }
    if kind != "agent":  # how often an agent of one's own asked a model, nobody tells
        data["llm_call_count"] = int(is_model)
    data["extra"] = {
        "reward": step.reward,
        "score": step.score,
        "is_action_valid": step.is_action_valid,
        "parse_reason": step.parse_reason,
        "finish_reason": step.finish_reason,
    }
    return data


def _call(action: str, history: History) -> Json:
    """Return the action as the call of our function that says it; of `act` where none does."""
    call = call_for(action, tools_for(history))
    if call is None:
        return {"function_name": "act", "arguments": {"command": encodable(action)}}
    arguments = {name: encodable(str(value)) for name, value in (call.arguments or {}).items()}
    return {"function_name": call.name, "arguments": arguments}


def _agent(source: Source, seen: list[History]) -> Json:
    tools = [tool.schema() for tool in tools_for(seen[0])] if seen else []
    return {
        "name": encodable(str(source.policy["name"])),
        "version": str(source.versions.get("agentgen-bench", "unknown")),
        "model_name": encodable(source.model),
        "tool_definitions": tools,
        "extra": {"policy": dict(source.policy)},
    }


def _final_metrics(episode: Episode, n_steps: int) -> Json:
    return {
        "total_prompt_tokens": sum(step.prompt_tokens for step in episode.steps),
        "total_completion_tokens": sum(step.completion_tokens for step in episode.steps),
        "total_cost_usd": sum(step.cost_usd for step in episode.steps),
        "total_steps": n_steps,
        "extra": {
            "success": episode.success,
            "score": episode.score,
            "episode_return": episode.episode_return,
            "ending": episode.ending,
            "error": None if episode.error is None else encodable(episode.error),
        },
    }


def _extra(episode: Episode, source: Source) -> Json:
    return {
        "spec": dict(episode.spec),
        "seed": episode.seed,
        "repeat": episode.repeat,
        "level_id": episode.level_id,
        "task": encodable(episode.task),
        "max_steps": episode.max_steps,
        "suite": source.suite,
        "suite_hash": source.suite_hash,
        "prompt": dict(source.prompt),
        "last_hash": episode.steps[-1].observation_hash if episode.steps else episode.first_hash,
    }
