"""OpenEnv: sessions behind an OpenEnv server, with its Task API (docs/adapters/openenv.md)."""

from typing import Any

from fastapi import FastAPI
from openenv.core.env_server import Action, Environment, Observation, State, create_app

from agentgen_bench.adapters import shown, warm_java
from agentgen_bench.adapters.splits import TaskEnvironment, asked_for
from agentgen_bench.episodes import to_line
from agentgen_bench.errors import SessionError
from agentgen_bench.rows import session_of
from agentgen_bench.session import DEFAULT_PROMPT, Session, View


class AgentGenAction(Action):  # type: ignore[misc]
    """A whole completion, or under the protocol `tools` the calls it made."""

    answer: str | list[dict[str, Any]]


class AgentGenObservation(Observation):  # type: ignore[misc]
    """`messages` go on from what was said before, or are the whole conversation where `starts_anew`."""

    messages: list[dict[str, str]]  # before Python 3.12 pydantic reads no TypedDict, which would say more
    starts_anew: bool
    tools: list[dict[str, Any]]


class AgentGenEnvironment(TaskEnvironment, Environment):  # type: ignore[misc]
    """One session after another, and the splits that their levels are from."""

    SUPPORTS_CONCURRENT_SESSIONS = True
    state = State()  # at the end with the episode's `record`

    def reset(self, seed: int | None = None, episode_id: str | None = None, **level: Any) -> AgentGenObservation:
        """Begin the level that `splits.asked_for` finds; a `prompt` holds prompt settings."""
        self.close()
        self.session = session_of({"policy": "openenv", **asked_for(seed, level)}, DEFAULT_PROMPT)
        return self._shown(self.session, self.session.start(), episode_id)

    def step(self, action: AgentGenAction) -> AgentGenObservation:
        """Take an answer; the last step's metadata hold what is published beside the reward."""
        if self.session is None:
            raise SessionError("no episode was begun; reset first, over the same WebSocket")
        return self._shown(self.session, self.session.answer(action.answer), self.state.episode_id)

    def _shown(self, session: Session, view: View, episode_id: str | None) -> AgentGenObservation:
        record = to_line(session.episode()) if view.done else None
        self.state = State(episode_id=episode_id, step_count=view.step - (not view.done), record=record)
        return AgentGenObservation(**shown(session, view), done=view.done, reward=view.reward)


def app() -> FastAPI:
    """Return the server; SciWorld's Java is up before the first session."""
    warm_java()
    return create_app(AgentGenEnvironment, AgentGenAction, AgentGenObservation, "agentgen", max_concurrent_envs=64)
