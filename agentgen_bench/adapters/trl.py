"""TRL: environments for `GRPOTrainer(environment_factory=...)`, their actions as typed tools (docs/adapters/trl.md)."""

from collections.abc import Mapping, Sequence
from typing import Any

from agentgen_bench.adapters import TOOLS
from agentgen_bench.adapters.methods import method_for
from agentgen_bench.prompts import PromptConfig
from agentgen_bench.rows import growing_session, setting_rows
from agentgen_bench.session import Session
from agentgen_bench.spec import TaskSpec

OVER = "\n\nThe episode is over."


class Environment:
    """One episode after another; `environment_for` adds the tools. `reset` takes the columns of a data set's row."""

    prompt: PromptConfig
    session: Session
    episode_return = 0.0

    def reset(self, **row: Any) -> str:
        """Begin the row's level and return what the first message says, which the trainer adds to the prompt."""
        if hasattr(self, "session"):
            self.session.close()
        self.session, self.episode_return = growing_session(row, self.prompt, True), 0.0
        return self.session.start().text

    def _call(self, name: str, arguments: Mapping[str, str]) -> str:
        view = self.session.answer([{"name": name, "arguments": arguments}])
        self.episode_return += view.reward
        return view.text + OVER if view.done else view.text


def environment_for(spec: TaskSpec | str, prompt: PromptConfig = TOOLS) -> type[Environment]:
    """Return the environment class of a setting: a factory for the trainer. All rows must offer the same tools."""
    with growing_session(setting_rows(spec, 1)[0], prompt, True) as session:
        session.start()
        methods = {tool["function"]["name"]: method_for(**tool["function"]) for tool in session.tools}
        return type(session.spec.family, (Environment,), {"prompt": prompt, **methods})


def episode_return(environments: Sequence[Environment], **_: Any) -> list[float]:
    """Return each episode's return, as a reward function: the sum of the family's own rewards."""
    return [environment.episode_return for environment in environments]


def score(environments: Sequence[Environment], **_: Any) -> list[float]:
    """Return each episode's score in [0, 1], as a reward function."""
    return [environment.session.score for environment in environments]


def success(environments: Sequence[Environment], **_: Any) -> list[float]:
    """Return 1 for each episode that reached its goal, else 0, as a reward function."""
    return [float(environment.session.success) for environment in environments]
