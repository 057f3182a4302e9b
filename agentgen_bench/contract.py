"""What the harness needs of an environment, as types: `TextTask`, `Info`, records; and the wrapper that forwards.

Rollout, policies and wrappers ask an environment for nothing else. Gymnasium's own wrappers, such as the order check
that `gym.make` puts on top, know nothing of it: `text_task` looks through them, here and nowhere else.
"""

from collections.abc import Collection, Mapping
from functools import cache
from typing import Any, NamedTuple, NotRequired, Protocol, TypedDict, cast, runtime_checkable

import gymnasium as gym

from agentgen_bench.text import Section, Spans

Analysis = Mapping[str, float | int | str | None]


class TaskRecord(NamedTuple):
    """One task of an episode as it was played; a pack holds several, any other episode one.

    `start` counts the steps before it. `note` is what the agent wrote after it for the tasks to come, "" where it wrote
    none, None where none was asked for.
    """

    start: int
    score: float
    success: bool
    note: str | None = None


class Fact(NamedTuple):
    """Something true of the place where a task is played, which no text of the task says.

    Two tasks share a fact where `name` and `seed` are equal. `value` says in words what holds; it is an answer, and so
    stands in records alone, and in what the context `told` of a pack shows.
    """

    name: str  # as the family's knob `fact` names it; "none" in a task that plays without one
    seed: int
    value: str


NO_FACT = Fact("none", 0, "")


NOTHING_KEPT = "(empty)"  # how a context of nothing is shown, and how an agent says that it keeps nothing


class Part(NamedTuple):
    """A part of a pack that is an episode of its own: one of solving a task, or of updating the context after it.

    Nothing but the context goes from one part to the next.
    """

    start: int  # steps of the pack before it
    task: str  # what it asks for, in words; "" where it asks for a context
    max_steps: int
    context: str = ""  # what the agent has kept so far
    context_chars: int | None = None  # of updating: how long the new context may be; None: of solving


class Info(TypedDict):
    """What an environment says beside the observation: plain values, equal for equal seeds, never the answer."""

    sections: tuple[Section, ...]
    admissible_commands: tuple[str, ...]
    task: str
    success: bool
    score: float
    is_action_valid: bool
    level_id: str
    task_number: NotRequired[int]  # of the task at hand in a pack, from 1
    part: NotRequired[Part]  # the part at hand of a pack of solve and update episodes
    ambiguity: NotRequired[int]  # SciWorld: how many readings the last action had, 0 when it was clear
    n_executed: NotRequired[int]  # CompoundActions: how many parts of the last action were executed


class TextTask(Protocol):
    """An environment as the harness sees it; what is said of a level holds from its `reset` on."""

    @property
    def family(self) -> str:
        """The family's name, such as `Sokoban`."""
        ...

    @property
    def action_templates(self) -> tuple[str, ...]:
        """What an action looks like; holes are written `<like this>`."""
        ...

    @property
    def task(self) -> str:
        """The goal in words, constant within an episode."""
        ...

    @property
    def task_spans(self) -> Spans:
        """What the task is made of; joined it is `task`."""
        ...

    @property
    def level_id(self) -> str:
        """`<family in lower case>:<content hash>`, equal for equal levels."""
        ...

    @property
    def max_steps(self) -> int:
        """Steps after which the episode is truncated."""
        ...

    @property
    def expert_length(self) -> int | None:
        """Number of actions of the expert's plan from the level's start; None where it is unknown."""
        ...

    @property
    def success(self) -> bool:
        """Whether the goal is reached."""
        ...

    @property
    def score(self) -> float:
        """Progress in [0, 1]; 1.0 exactly when success."""
        ...

    @property
    def fact(self) -> str:
        """What its levels have for a fact, as the family's knob names it; `none` where they have none."""
        ...

    def expert_action(self) -> str:
        """Return the expert's next action, from whatever state the episode is in."""
        ...

    def names(self) -> Collection[str]:
        """Return the lower-case names of the level's things, which nothing that a wrapper invents may bear."""
        ...

    def analysis(self) -> Analysis:
        """Return diagnostics of the episode for its record, never shown during play."""
        ...

    def tasks(self) -> tuple[TaskRecord, ...]:
        """Return the record of each task begun, in order."""
        ...

    def facts(self) -> tuple[Fact, ...]:
        """Return the fact of each task begun, in order; empty where there are no facts."""
        ...


@runtime_checkable
class _KeepsRecords(Protocol):
    def expert_action(self) -> str: ...
    def tasks(self) -> tuple[TaskRecord, ...]: ...


@cache  # a protocol is slow to ask, and each episode asks
def _keeps_records(kind: type) -> bool:
    return issubclass(kind, _KeepsRecords)


def text_task(env: gym.Env[Any, Any]) -> TextTask:
    """Return the outermost layer of `env` that keeps the contract; TypeError where there is none."""
    layer = env
    while isinstance(layer, gym.Wrapper) and not isinstance(layer, TextWrapper):
        layer = layer.env
    kind: type = type(layer)
    if not _keeps_records(kind):
        raise TypeError(f"expected a text environment of agentgen-bench, got {env!r}")
    return cast(TextTask, layer)


class TextWrapper(gym.Wrapper[str, str, str, str]):
    """A wrapper that keeps the contract: whatever it does not say itself is what the environment inside says."""

    def __init__(self, env: gym.Env[str, str]) -> None:
        """Wrap `env`; raises TypeError where it is no text environment."""
        super().__init__(env)
        self.inner: TextTask = text_task(env)
        self._family = self.inner.family

    @property
    def family(self) -> str:
        """The family's name."""
        return self._family

    @property
    def action_templates(self) -> tuple[str, ...]:
        """What an action looks like."""
        return self.inner.action_templates

    @property
    def task(self) -> str:
        """The goal in words."""
        return self.inner.task

    @property
    def task_spans(self) -> Spans:
        """What the task is made of."""
        return self.inner.task_spans

    @property
    def level_id(self) -> str:
        """The level's id."""
        return self.inner.level_id

    @property
    def max_steps(self) -> int:
        """Steps after which the episode is truncated."""
        return self.inner.max_steps

    @property
    def expert_length(self) -> int | None:
        """Number of actions of the expert's plan; None where it is unknown."""
        return self.inner.expert_length

    @property
    def success(self) -> bool:
        """Whether the goal is reached."""
        return self.inner.success

    @property
    def score(self) -> float:
        """Progress in [0, 1]."""
        return self.inner.score

    @property
    def fact(self) -> str:
        """What the levels have for a fact."""
        return self.inner.fact

    def expert_action(self) -> str:
        """Return the expert's next action."""
        return self.inner.expert_action()

    def names(self) -> Collection[str]:
        """Return the names of the level's things."""
        return self.inner.names()

    def analysis(self) -> Analysis:
        """Return diagnostics of the episode."""
        return self.inner.analysis()

    def tasks(self) -> tuple[TaskRecord, ...]:
        """Return the record of each task begun."""
        return self.inner.tasks()

    def facts(self) -> tuple[Fact, ...]:
        """Return the fact of each task begun."""
        return self.inner.facts()
