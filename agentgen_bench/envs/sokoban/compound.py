"""CompoundActions: several Sokoban actions in one decision, such as `Right || Right || Up`."""

from typing import Any

import gymnasium as gym
from gymnasium.utils import RecordConstructorArgs

from agentgen_bench.checks import checked_action
from agentgen_bench.envs.base import NO_ACTION
from agentgen_bench.envs.sokoban.play import direction_of

SEPARATOR = "||"
MAX_PARTS = 5


class CompoundActions(gym.Wrapper[str, str, str, str], RecordConstructorArgs):
    """Executes up to five actions per step, separated by `||`, until they are done or the episode ends.

    Each of them uses up a step of the environment. The rewards are summed; observation and info are those after the
    last one, but `is_action_valid` says whether all of them were, and `n_executed` how many were executed. Where a part
    is no action word, or there are more than five, nothing of it is executed: it is one invalid action.

    Examples:
        >>> import agentgen_bench
        >>> env = CompoundActions(gym.make("AgentGen/Sokoban-lean-v0"))
        >>> observation, info = env.reset(seed=0)
        >>> env.step("Up || Up || Down")[4]["n_executed"]
        3
    """

    def __init__(self, env: gym.Env[str, str]) -> None:
        """Wrap `env`, an environment of Sokoban."""
        RecordConstructorArgs.__init__(self)  # so that `env.spec` makes the wrapper too
        gym.Wrapper.__init__(self, env)

    def step(self, action: str) -> tuple[str, float, bool, bool, dict[str, Any]]:
        """Execute the parts of `action` one after the other; raises ActionError where it is no string."""
        parts = checked_action(action).split(SEPARATOR)
        if len(parts) > MAX_PARTS or any(direction_of(part) is None for part in parts):
            parts = [NO_ACTION]
        episode_return, all_valid, n_executed = 0.0, True, 0
        for part in parts:
            observation, reward, terminated, truncated, info = self.env.step(part)
            episode_return += float(reward)
            all_valid = all_valid and info["is_action_valid"]
            n_executed += 1
            if terminated or truncated:
                break
        info |= {"is_action_valid": all_valid, "n_executed": n_executed}
        return observation, episode_return, terminated, truncated, info
