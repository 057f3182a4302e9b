"""History to model input: the only place with prompt wording and history truncation.

Three protocols. `window` is that of arXiv 2601.18217: each step is one self-contained prompt with the role, the task,
a step counter, the last K observations and actions, the current observation, what actions are possible and the format
of the answer. `chat` says rules and task once; observation and answer follow as growing turns. `tools` is the same
with native function calls for answers.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, NamedTuple, NotRequired, TypedDict, get_args

from agentgen_bench.checks import chosen
from agentgen_bench.contract import NOTHING_KEPT
from agentgen_bench.errors import SpecError
from agentgen_bench.families import family
from agentgen_bench.parsing import ACTION_FORMATS, ActionFormat
from agentgen_bench.parsing.context import CONTEXT_BEGIN, CONTEXT_END
from agentgen_bench.seeding import key_digest

ActionHints = Literal["none", "templates", "full"]
ACTION_HINTS: tuple[ActionHints, ...] = get_args(ActionHints)
Protocol = Literal["window", "chat", "tools"]
PROTOCOLS: tuple[Protocol, ...] = get_args(Protocol)
RepeatHints = Literal["all", "changes"]
REPEAT_HINTS: tuple[RepeatHints, ...] = get_args(RepeatHints)
MAX_SYSTEM_PROMPT_CHARS = 16_384
PROMPT_VERSION = 1  # bumped with any change of the wording below; recorded in every manifest

THINK_FIRST = {
    "tagged": "Think step by step between <think> and </think>. Then give exactly one action between <action> and "
    "</action>.",
    "react": "Answer in two lines. The first starts with 'Thought:' and holds your reasoning, the second starts with "
    "'Action:' and holds exactly one action.",
    "json": 'Answer with one JSON object with two keys: "thought", your reasoning, and "action", exactly one action.',
    "choice": "Think step by step between <think> and </think>. Then give the number of exactly one action of the list "
    "between <action> and </action>.",
}
ACT_ONLY = {
    "tagged": "Give exactly one action between <action> and </action>, and nothing else.",
    "react": "Answer in one line that starts with 'Action:' and holds exactly one action.",
    "json": 'Answer with one JSON object with one key: "action", exactly one action.',
    "choice": "Give the number of exactly one action of the list between <action> and </action>, and nothing else.",
}
THINK_THEN_CALL = "Think step by step, then call exactly one function."
CALL_ONLY = "Call exactly one function, and write nothing else."

# Packs of solve and update episodes (arXiv 2606.20002): what was kept has a heading of its own in the prompt of a task,
# and the update that writes it is a prompt of its own, the same under every protocol and action format.
KEPT = "Context kept from earlier tasks (it may be wrong, and may not fit this task):"
UPDATE = (
    "You have just finished a task, and more tasks will follow in which the same things hold that nobody told you. "
    "Below are the context that you have kept so far and the task as you played it. Write the context that shall be "
    "kept from now on: it replaces the last one, and you will see nothing else of this task again."
)
SO_FAR = "Context kept so far:"


class Turn(NamedTuple):
    """A past step as the agent saw it: the observation, then the action it sent (None: no action was parsed).

    A chat shows the completion itself; `completion_ids` are its tokens as sampled, where a trainer keeps them, and
    `admissible_commands` what was possible then, so that a later turn need say no more than what changed.
    """

    observation: str
    action: str | None
    completion: str = ""
    admissible_commands: tuple[str, ...] = ()
    completion_ids: tuple[int, ...] = ()


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
    context: str = ""  # what was kept of earlier tasks of a pack
    context_chars: int | None = None  # where a new context is asked for: its characters at most; None: an action is
    dropped_turns: int = 0  # how many of `turns` the input of the step before left out

    @property
    def asks_context(self) -> bool:
        """Whether what is asked for is the context of a pack, and no action."""
        return self.context_chars is not None


class Message(NamedTuple):
    """One chat message; role `tool` answers a function call."""

    role: Literal["system", "user", "assistant", "tool"]
    content: str

    def to_json(self) -> "MessageJson":
        """Return the message as records and servers have it."""
        return {"role": self.role, "content": self.content}


class MessageJson(TypedDict):
    """A chat message as records and servers have it."""

    role: str
    content: str


class PromptJson(TypedDict):
    """Prompt settings as manifests hold them; of what came later, what is at its default is left out."""

    prompt_version: int
    history_length: int
    action_hints: ActionHints
    thinking: bool
    action_format: ActionFormat
    protocol: NotRequired[Protocol]
    repeat_hints: NotRequired[RepeatHints]
    system_prompt: NotRequired[str]
    examples: NotRequired[list[MessageJson]]


@dataclass(frozen=True, slots=True)
class PromptConfig:
    """How a history becomes model input.

    `protocol` is the way: `window` shows `history_length` (K) past turns in one self-contained prompt; `chat` and
    `tools` show all turns that fit, as turns. `action_hints` says whether the prompt shows no actions, what actions
    look like, or every admissible command, which in a chat can be cut to what changed since the turn before
    (`repeat_hints="changes"`); `thinking` asks for reasoning before the action. `system_prompt` stands before
    everything, then `examples`, messages of a made-up conversation (few-shot); both are off where empty.
    """

    history_length: int = 2
    action_hints: ActionHints = "templates"
    thinking: bool = True
    action_format: ActionFormat = "tagged"
    protocol: Protocol = "window"
    repeat_hints: RepeatHints = "all"
    system_prompt: str = ""
    examples: tuple[Message, ...] = ()

    def __post_init__(self) -> None:
        """Raise SpecError for values of another type or outside the knobs' ranges."""
        for name, kind in (("history_length", int), ("thinking", bool), ("system_prompt", str)):
            if type(value := getattr(self, name)) is not kind:
                raise SpecError(f"{name} is {value!r:.80}; it takes {_KINDS[kind]}")
        if isinstance(self.examples, (str, Mapping)) or not isinstance(self.examples, Iterable):
            raise SpecError(f"examples is {self.examples!r:.80}; it takes a list of messages")
        object.__setattr__(self, "examples", tuple(_example(message) for message in self.examples))
        if self.history_length < 0:
            raise SpecError(f"history_length={self.history_length} is negative; choose 0 or more past turns")
        for name, value, choices in (
            ("action_hints", self.action_hints, ACTION_HINTS),
            ("action_format", self.action_format, ACTION_FORMATS),
            ("protocol", self.protocol, PROTOCOLS),
            ("repeat_hints", self.repeat_hints, REPEAT_HINTS),
        ):
            chosen(name, value, choices)
        if self.action_format == "choice" and (self.action_hints != "full" or self.repeat_hints != "all"):
            raise SpecError(
                f"action_format 'choice' numbers a list of all commands, got action_hints={self.action_hints!r}, "
                f"repeat_hints={self.repeat_hints!r}; choose action_hints='full', repeat_hints='all'"
            )
        if self.repeat_hints == "changes" and (self.protocol == "window" or self.action_hints != "full"):
            raise SpecError(
                f"repeat_hints='changes' leaves out commands that an earlier turn shows, got "
                f"protocol={self.protocol!r}, action_hints={self.action_hints!r}; choose chat or tools with 'full'"
            )
        if self.protocol == "tools" and self.action_format != "tagged":
            raise SpecError(f"the protocol 'tools' answers by calls; leave out action_format={self.action_format!r}")
        if len(self.system_prompt) > MAX_SYSTEM_PROMPT_CHARS:
            raise SpecError(
                f"system_prompt of {len(self.system_prompt)} characters is too long; choose at most "
                f"{MAX_SYSTEM_PROMPT_CHARS}"
            )

    def to_json(self) -> PromptJson:
        """Return the settings and the version of the wording, as the manifest records them.

        What a window with neither system prompt nor examples does not need is left out, as in records before there
        were other protocols.
        """
        data: PromptJson = {
            "prompt_version": PROMPT_VERSION,
            "history_length": self.history_length,
            "action_hints": self.action_hints,
            "thinking": self.thinking,
            "action_format": self.action_format,
        }
        if self.protocol != "window":
            data["protocol"] = self.protocol
        if self.repeat_hints != "all":
            data["repeat_hints"] = self.repeat_hints
        if self.system_prompt:
            data["system_prompt"] = self.system_prompt
        if self.examples:
            data["examples"] = [message.to_json() for message in self.examples]
        return data

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "PromptConfig":
        """Return the settings that `to_json` wrote, by this or an earlier version."""
        return cls(**{name: value for name, value in data.items() if name != "prompt_version"})


_EXAMPLE_ROLES = ("user", "assistant")
_KINDS: Mapping[type, str] = {int: "a whole number", bool: "true or false", str: "a text"}


def _example(message: Any) -> Message:
    if isinstance(message, Mapping):
        message = message.get("role"), message.get("content")
    if not isinstance(message, tuple) or len(message) != 2:
        raise SpecError(f"not a message: {message!r}; write {{'role': ..., 'content': ...}}")
    role, content = message
    if not isinstance(content, str):
        raise SpecError(f"the content of an example is {content!r:.80}; give a text")
    chosen("role of an example", role, _EXAMPLE_ROLES)
    return Message(role, content)


def messages(history: History, config: PromptConfig, turns: int | None = None) -> list[Message]:
    """Return the model input of one step as chat messages; in the protocol `window`, all of the step is in the last.

    `turns` caps the past turns below what the settings show; a policy lowers it until the prompt fits its context.
    """
    if history.asks_context:
        return [*_system(config), Message("user", "\n\n".join(_update(history, config)))]
    if config.protocol != "window":
        return [*_before(config), *_conversation(history, config, shown_turns(history, config, turns))]
    shown = history.turns[len(history.turns) - shown_turns(history, config, turns) :]
    parts = [
        family(history.family).role,
        f"Your task: {history.task}",
        f"This is step {history.step} of at most {history.max_steps}.",
        *_kept(history),
        *_past(shown, history.step),
        f"Current observation:\n{history.observation}",
        *_hints(history, config.action_hints, config.action_format),
        (THINK_FIRST if config.thinking else ACT_ONLY)[config.action_format],
    ]
    return [*_before(config), Message("user", "\n\n".join(parts))]


def as_text(chat: Sequence[Message]) -> str:
    """Return the messages as one text to be read: a single one bare, several under their roles."""
    if len(chat) == 1:
        return chat[0].content
    return "\n\n".join(f"[{message.role}]\n{message.content}" for message in chat)


def shown_turns(history: History, config: PromptConfig, turns: int | None = None) -> int:
    """Return how many past turns `messages` shows for the same arguments."""
    available = len(history.turns)
    if config.protocol == "window":
        available = min(config.history_length, available)
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


def _hints(history: History, action_hints: ActionHints, action_format: ActionFormat) -> list[str]:
    if action_hints == "none":
        return []
    if action_hints == "templates":
        return ["Actions look like this:\n" + "\n".join(history.action_templates)]
    return ["Actions possible now:\n" + "\n".join(listed_commands(history, action_format))]


def listed_commands(history: History, action_format: ActionFormat) -> list[str]:
    """Return the admissible commands as the prompt lists them; the format `choice` numbers them from 1."""
    if action_format != "choice":
        return list(history.admissible_commands)
    return [f"{number}. {command}" for number, command in enumerate(numbered_commands(history), 1)]


def numbered_commands(history: History) -> list[str]:
    """Return the admissible commands in the order of their numbers: by a hash of step and command.

    The order is another one at each step, and says nothing about the goal or about what the environment lists first.
    """
    return sorted(history.admissible_commands, key=lambda command: key_digest("choice", history.step, command))


def _before(config: PromptConfig) -> list[Message]:
    return [*_system(config), *config.examples]


def _system(config: PromptConfig) -> list[Message]:
    return [Message("system", config.system_prompt)] if config.system_prompt else []


def _kept(history: History) -> list[str]:
    """Return the context of a pack under its heading; nothing where nothing is kept."""
    return [f"{KEPT}\n{history.context}"] if history.context else []


def _update(history: History, config: PromptConfig) -> list[str]:
    """Return the prompt of an update episode; the observation holds the task as it was played."""
    think = "Think step by step between <think> and </think>. Then write" if config.thinking else "Write"
    alone = "" if config.thinking else " and nothing else"
    return [
        family(history.family).role,
        UPDATE,
        f"{SO_FAR}\n{history.context or NOTHING_KEPT}",
        history.observation,
        f"{think} the new context, at most {history.context_chars} characters, between these two lines{alone}:\n"
        f"{CONTEXT_BEGIN}\n{CONTEXT_END}",
    ]


def _conversation(history: History, config: PromptConfig, n_turns: int) -> list[Message]:
    """Return rules and task once, then the last `n_turns` turns and the observation at hand."""
    turns = history.turns[len(history.turns) - n_turns :]
    first = history.step - n_turns
    observed = [*(turn.observation for turn in turns), history.observation]
    possible = [*(turn.admissible_commands for turn in turns), history.admissible_commands]
    chat: list[Message] = []
    for i, observation in enumerate(observed):
        parts = []
        if i == 0:
            parts += _opening(history, config)
        elif turns[i - 1].action is None:
            parts.append(NO_ACTION_FOUND)
        before = possible[i - 1] if i and config.repeat_hints == "changes" else None
        shown = replace(history, step=first + i, observation=observation, admissible_commands=possible[i])
        parts += _turn(shown, before, config)
        answers_call = i > 0 and config.protocol == "tools" and turns[i - 1].action is not None
        chat.append(Message("tool" if answers_call else "user", "\n\n".join(parts)))
        if i < len(turns):
            chat.append(Message("assistant", turns[i].completion))
    return chat


NO_ACTION_FOUND = "Your last answer held no action; the step passed."


def _opening(history: History, config: PromptConfig) -> list[str]:
    """Return what a chat says once: role, task, what actions look like, and how to answer."""
    templates = _hints(history, "templates", config.action_format) if config.action_hints == "templates" else []
    if config.protocol == "tools":
        templates, answer = [], THINK_THEN_CALL if config.thinking else CALL_ONLY
    else:
        answer = (THINK_FIRST if config.thinking else ACT_ONLY)[config.action_format]
    steps = f"You have at most {history.max_steps} steps."
    return [family(history.family).role, f"Your task: {history.task}", steps, *_kept(history), *templates, answer]


def _turn(history: History, before: Sequence[str] | None, config: PromptConfig) -> list[str]:
    """Return what one turn of a chat shows; `before` holds the commands of the turn before, None to list all."""
    parts = [f"Step {history.step}. Observation:\n{history.observation}"]
    if config.action_hints != "full":
        return parts
    if before is None:
        return [*parts, *_hints(history, "full", config.action_format)]
    now = history.admissible_commands
    were, are = set(before), set(now)
    new = [command for command in now if command not in were]
    gone = [command for command in before if command not in are]
    if new:
        parts.append("Actions possible now that were not before:\n" + "\n".join(new))
    if gone:
        parts.append("Actions not possible any more:\n" + "\n".join(gone))
    return parts
