"""History to chat messages: the only place with prompt wording and history truncation."""

from dataclasses import dataclass
from typing import Literal, NamedTuple, get_args

from agentgen_bench.parsing import ActionFormat

ActionHints = Literal["none", "templates", "full"]
ACTION_HINTS: tuple[ActionHints, ...] = get_args(ActionHints)


class Turn(NamedTuple):
    """A past step as the agent saw it: the observation, then the action it sent (None: no action was parsed)."""

    observation: str
    action: str | None


@dataclass(frozen=True, slots=True)
class History:
    """All that a policy may know at one step of one episode.

    `key` names the step uniquely within a run (setting, seed, repeat, step), so that a sampled completion does not
    depend on which other episodes share its batch.
    """

    key: tuple[str | int, ...]
    family: str
    task: str
    step: int  # 1 for the first decision
    max_steps: int
    observation: str
    turns: tuple[Turn, ...]
    admissible_commands: tuple[str, ...]
    action_templates: tuple[str, ...]


class Message(NamedTuple):
    """One chat message."""

    role: Literal["system", "user", "assistant"]
    content: str


@dataclass(frozen=True, slots=True)
class PromptConfig:
    """How a history becomes a prompt (arXiv 2601.18217, appendix: one self-contained prompt per step)."""

    history_length: int = 2
    action_hints: ActionHints = "templates"
    thinking: bool = True
    action_format: ActionFormat = "tagged"
