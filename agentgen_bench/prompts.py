"""History to chat messages: the only place with prompt wording and history truncation.

The protocol is that of arXiv 2601.18217: each step is one self-contained prompt with the role, the task, a step
counter, the last K observations and actions, the current observation, what actions are possible and the format of
the answer.
"""

from dataclasses import asdict, dataclass
from typing import Any, Literal, NamedTuple, get_args

from agentgen_bench.errors import SpecError
from agentgen_bench.parsing import ACTION_FORMATS, ActionFormat

ActionHints = Literal["none", "templates", "full"]
ACTION_HINTS: tuple[ActionHints, ...] = get_args(ActionHints)
PROMPT_VERSION = 1  # bumped with any change of the wording below; recorded in every manifest

ROLES = {
    "Sokoban": "You are solving a Sokoban puzzle. You push boxes onto targets, one square at a time, and cannot pull.",
    "WebShop": "You are shopping in a text-only web shop. You search, compare, choose options and buy one product.",
    "ALFWorld": "You are a household robot in a text-only house. You look for things, handle them and put them away.",
    "SciWorld": "You are working in a text-only world of science experiments. You handle things and observe them.",
}

THINK_FIRST = {
    "tagged": "Think step by step between <think> and </think>. Then give exactly one action between <action> and "
    "</action>.",
    "react": "Answer in two lines. The first starts with 'Thought:' and holds your reasoning, the second starts with "
    "'Action:' and holds exactly one action.",
    "json": 'Answer with one JSON object with two keys: "thought", your reasoning, and "action", exactly one action.',
}
ACT_ONLY = {
    "tagged": "Give exactly one action between <action> and </action>, and nothing else.",
    "react": "Answer in one line that starts with 'Action:' and holds exactly one action.",
    "json": 'Answer with one JSON object with one key: "action", exactly one action.',
}


class Turn(NamedTuple):
    """A past step as the agent saw it: the observation, then the action it sent (None: no action was parsed)."""

    observation: str
    action: str | None


@dataclass(frozen=True, slots=True)
class History:
    """All that a policy may know at one step of one episode.

    `key` names the step by (level id, seed, repeat, step), so that a sampled completion does not depend on which other
    episodes share its batch, and paired views of a level (lean, base, rich; with distractors) draw the same numbers.
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
    """How a history becomes a prompt.

    `history_length` is K, the past turns shown; `action_hints` says whether the prompt shows no actions, what
    actions look like, or every admissible command; `thinking` asks for reasoning before the action.
    """

    history_length: int = 2
    action_hints: ActionHints = "templates"
    thinking: bool = True
    action_format: ActionFormat = "tagged"

    def __post_init__(self) -> None:
        """Raise SpecError for values outside the knobs' ranges."""
        if self.history_length < 0:
            raise SpecError(f"history_length={self.history_length} is negative; choose 0 or more past turns")
        for name, value, choices in (
            ("action_hints", self.action_hints, ACTION_HINTS),
            ("action_format", self.action_format, ACTION_FORMATS),
        ):
            if value not in choices:
                raise SpecError(f"unknown {name} {value!r}; choose one of: {', '.join(choices)}")

    def to_json(self) -> dict[str, Any]:
        """Return the settings and the version of the wording, as the manifest records them."""
        return {"prompt_version": PROMPT_VERSION, **asdict(self)}


def messages(history: History, config: PromptConfig, turns: int | None = None) -> list[Message]:
    """Return the prompt for one step as chat messages: one user message that needs no other.

    `turns` caps the past turns below `config.history_length`; a policy lowers it until the prompt fits its context.
    """
    shown = history.turns[len(history.turns) - shown_turns(history, config, turns) :]
    parts = [
        ROLES[history.family],
        f"Your task: {history.task}",
        f"This is step {history.step} of at most {history.max_steps}.",
        *_past(shown, history.step),
        f"Current observation:\n{history.observation}",
        *_hints(history, config.action_hints),
        (THINK_FIRST if config.thinking else ACT_ONLY)[config.action_format],
    ]
    return [Message("user", "\n\n".join(parts))]


def shown_turns(history: History, config: PromptConfig, turns: int | None = None) -> int:
    """Return how many past turns `messages` shows for the same arguments."""
    available = min(config.history_length, len(history.turns))
    return available if turns is None else min(turns, available)


def _past(turns: tuple[Turn, ...], step: int) -> list[str]:
    if not turns:
        return []
    first = step - len(turns)
    entries = [
        f"[Step {first + i}] Observation:\n{turn.observation}\n[Step {first + i}] Action: {_shown_action(turn.action)}"
        for i, turn in enumerate(turns)
    ]
    return ["Your most recent steps, oldest first:", *entries]


def _shown_action(action: str | None) -> str:
    return "(none: your answer held no action)" if action is None else action


def _hints(history: History, action_hints: ActionHints) -> list[str]:
    if action_hints == "none":
        return []
    if action_hints == "templates":
        return ["Actions look like this:\n" + "\n".join(history.action_templates)]
    return ["Actions possible now:\n" + "\n".join(history.admissible_commands)]
