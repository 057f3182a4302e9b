"""Inspect: a recorded episode as a sample of a log."""

from collections.abc import Iterator

from agentgen_bench.adapters import measures_of
from agentgen_bench.episodes import Episode, to_line
from agentgen_bench.evaluation.histories import histories
from agentgen_bench.export.source import Source
from agentgen_bench.prompts import MessageJson, PromptConfig, messages
from agentgen_bench.spec import TaskSpec


def sample_of(episode: Episode, source: Source) -> dict[str, object]:
    """Return an episode as the JSON of a sample: its conversation, what is published of it, and its record."""
    label = TaskSpec.from_json(episode.spec).label
    said = list(_conversation(episode, source.config))
    error = {"message": episode.error, "traceback": "", "traceback_ansi": ""} if episode.error else None
    return {
        "id": f"{label}, level {episode.seed}",
        "epoch": episode.repeat + 1,
        "input": episode.task,
        "target": "",
        "messages": said,
        "scores": {"outcome": {"value": measures_of(episode)}},
        "metadata": {"setting": label, "level": episode.level_id, "episode": to_line(episode)},
        "error": error,
    }


def _conversation(episode: Episode, config: PromptConfig) -> Iterator[MessageJson]:
    """Yield what was said, where the record holds the texts: each window whole, a chat as it grew."""
    for history, step in zip(histories(episode), episode.steps, strict=False):
        asked = messages(history, config)
        for message in asked if config.protocol == "window" or not history.turns else asked[-1:]:
            yield message.to_json()
        yield {"role": "assistant", "content": step.completion}
