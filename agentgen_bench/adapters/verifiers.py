"""verifiers: the environment that plays a level with an agent (docs/adapters/verifiers.md)."""

from asyncio import to_thread
from functools import partial
from typing import Literal, TypedDict

import verifiers.v1 as vf

from agentgen_bench.adapters import measures
from agentgen_bench.adapters.verifiers_levels import LevelTask
from agentgen_bench.episodes import to_line
from agentgen_bench.prompts import PromptConfig
from agentgen_bench.rows import growing_session


class WorldConfig(vf.EnvConfig):  # type: ignore[misc]
    """Who plays, and what is the reward: the return, the score or success; the others are metrics beside it."""

    player: vf.AgentConfig = vf.AgentConfig(runtime=vf.SubprocessConfig())
    reward: Literal["return", "score", "success"] = "return"


class World(vf.Env[WorldConfig]):  # type: ignore[misc]
    """One episode of a level, its observations the user's turns."""

    async def run(self, task: LevelTask, agents: vf.Agents) -> None:
        """Play the task's level to its end, or to the agent's own limits."""
        session = growing_session(task.data.level, PromptConfig.from_json(task.data.settings))
        with session:
            view = await to_thread(session.start)
            async with agents.player.interaction(task) as played:
                segment = await played.turn([message._asdict() for message in view.messages])
                while not segment.terminated:
                    view = await to_thread(
                        partial(session.answer, segment.last_reply, **_cost_of(played.trace.calls[-1]))
                    )
                    if view.done:
                        break
                    segment = await played.turn(view.text)
        found = measures(session)
        played.trace.record_metrics(found)
        played.trace.record_reward(f"reward_{self.config.reward}", found[self.config.reward])
        played.trace.info["episode"] = to_line(session.episode())


class Cost(TypedDict):
    """What `Session.answer` takes beside the answer."""

    prompt_tokens: int
    completion_tokens: int
    finish_reason: str | None


def _cost_of(call: vf.ModelCall) -> Cost:
    used = call.usage
    return {
        "prompt_tokens": 0 if used is None else used.input_tokens,
        "completion_tokens": 0 if used is None else used.completion_tokens,
        "finish_reason": call.finish_reason,
    }
