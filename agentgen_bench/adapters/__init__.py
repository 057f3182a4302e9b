"""Adapters: sessions in the forms that other harnesses and trainers take. One file each, and nothing imports them.

A file is named after the package that it is for, and alone imports it. Levels are rows (`agentgen_bench.rows`);
everything else is `Session`'s.
"""

from collections.abc import Mapping
from typing import TypedDict

from agentgen_bench.episodes import Episode
from agentgen_bench.prompts import MessageJson, PromptConfig
from agentgen_bench.session import Session, View
from agentgen_bench.tools import ToolJson

CHAT = PromptConfig(protocol="chat")
TOOLS = PromptConfig(protocol="tools")


def measures(session: Session) -> dict[str, float]:
    """Return what an adapter publishes of an ended session, by name; see `measures_of`."""
    return measures_of(session.episode())


def measures_of(episode: Episode) -> dict[str, float]:
    """Return what an adapter publishes of an episode, by name.

    `success` (0 or 1) and `score` in [0, 1] are the benchmark's; `return` is the sum of the family's own rewards, which
    is another thing: at success it is about 10 in Sokoban, and in SciWorld 1 less what held at the start. `steps` were
    played, `invalid` the share of them that held no action or one that is not possible. `error` is 1 for an episode
    that ended because an environment failed; it counts as failed.
    """
    steps = len(episode.steps)
    return {
        "success": float(episode.success),
        "score": episode.score,
        "return": episode.episode_return,
        "steps": float(steps),
        "invalid": sum(not step.is_action_valid for step in episode.steps) / max(steps, 1),
        "error": float(episode.ending == "error"),
    }


class Shown(TypedDict):
    """A view as plain values, see `shown`."""

    messages: list[MessageJson]
    starts_anew: bool
    tools: list[ToolJson]
    metadata: Mapping[str, str | float | None]


def shown(session: Session, view: View) -> Shown:
    """Return a view as plain values for a program that plays.

    `messages` go on from what was said before, or are the whole conversation where `starts_anew`; `tools` are the
    functions on offer. `metadata` are not for the agent: what was read in the last answer, at the end the measures.
    """
    metadata: dict[str, str | float | None] = {"action": view.action, "reason": view.reason}
    if view.done:
        last: MessageJson = {"role": "user", "content": view.text}
        return {"messages": [last], "starts_anew": False, "tools": [], "metadata": metadata | measures(session)}
    return {
        "messages": [message.to_json() for message in (view.messages if view.starts_anew else view.messages[-1:])],
        "starts_anew": view.starts_anew,
        "tools": list(session.tools) if session.prompt.protocol == "tools" else [],
        "metadata": metadata,
    }


def warm_java() -> None:
    """Play a reset of SciWorld, so that no session waits for Java's start."""
    with Session("AgentGen/SciWorld-v0") as session:
        session.start()
