"""SkyRL-gym: an episode as a text environment of `skyrl_gym`, registered as `agentgen` (docs/adapters/skyrl-gym.md).

The trainer's conversation only grows, so episodes are played under the protocol `chat`.
"""

import math
from collections.abc import Mapping
from typing import Any

from skyrl_gym.envs.base_text_env import BaseTextEnv, BaseTextEnvStepOutput
from skyrl_gym.envs.registration import register

from agentgen_bench.adapters import CHAT, measures
from agentgen_bench.errors import SpecError
from agentgen_bench.prompts import MessageJson, PromptConfig
from agentgen_bench.rows import growing_session


class AgentGenEnv(BaseTextEnv):  # type: ignore[misc]
    """One episode of the level that the columns of a data set's row name."""

    def __init__(self, env_config: Mapping[str, Any], extras: Mapping[str, Any]) -> None:
        """Prepare the episode; `env_config` holds prompt settings, `extras` the row and the trainer's `max_turns`."""
        super().__init__()
        self.max_turns = extras.get("max_turns", math.inf)
        self.session = growing_session(extras, PromptConfig.from_json({**CHAT.to_json(), **env_config}), True)

    def init(self, prompt: Any) -> tuple[list[MessageJson], dict[str, int]]:
        """Return the first messages; those of the data set, `prompt`, only fill its table.

        Raises:
            SpecError: the trainer allows fewer turns than the level has steps.
        """
        view = self.session.start()
        if self.max_turns < view.max_steps:
            self.close()
            raise SpecError(f"max_turns={self.max_turns} ends the episode early; set it to {view.max_steps} or more")
        return [message.to_json() for message in view.messages], {"max_steps": view.max_steps}

    def step(self, action: str) -> BaseTextEnvStepOutput:
        """Take a completion; the reward is the family's own."""
        view = self.session.answer(action)
        return BaseTextEnvStepOutput(
            observations=[] if view.done else [{"role": "user", "content": view.text}],
            reward=view.reward,
            done=view.done,
            metadata={"action": view.action, "reason": view.reason},
        )

    def get_metrics(self) -> dict[str, float]:
        """Return what is published of the episode; the trainer logs the means."""
        self.close()
        return measures(self.session)

    def close(self) -> None:
        """Free the environment."""
        self.session.close()


register("agentgen", entry_point=AgentGenEnv)
