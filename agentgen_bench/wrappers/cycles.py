"""Packs of solve and update episodes: each task a prompt of its own, and the context written in between."""

from collections.abc import Sequence
from typing import NamedTuple, SupportsFloat, cast

import gymnasium as gym
from gymnasium.utils import RecordConstructorArgs

from agentgen_bench.checks import checked_action
from agentgen_bench.contract import NOTHING_KEPT, Info, Part
from agentgen_bench.envs.base import readable
from agentgen_bench.spaces import MAX_ACTION_CHARS, TextSpace
from agentgen_bench.spec import LifecycleSpec
from agentgen_bench.text import Richness, Section, render
from agentgen_bench.wrappers.lifecycle import EXTRA_CHARS, FACT, Lifecycle, in_order

TASK = "Solve {tasks} tasks, one after the other, each an episode of its own"
KEPT = ", and write after each the context that is kept for those to come"
OVER = (
    "The task was: {task}\n\n{trajectory}\n\n"
    "The task is over: {outcome}, after {steps} of at most {max_steps} steps. Score: {score:.2f} of 1.00. "
    "Actions that were not possible: {n_invalid}."
)
LEFT_OUT = "(steps left out here: {steps})"
CUT = " [...]"
NO_ACTION_SHOWN = "(none)"


class Cycles(Lifecycle):
    """Play packs of solve and update episodes (long life cycles, arXiv 2606.20002; docs/lifecycle.md).

    The seed gives the same levels, naming and fact as in `Lifecycle`. But each task reads as it does outside of a pack,
    with a step counter and a limit of its own, and what was kept stands in its prompt under a heading of its own.
    After each task but the last an update episode of one step follows: its observation holds the task as it was
    played, its score, and what there is to say about it; its action is the new context, of several lines. An action
    that is none leaves nothing kept, and the step is recorded as invalid. `info["part"]` is the episode at hand, with
    the context that it starts from.

    A trajectory of more than `trajectory_chars` characters is shown by its beginning and its last steps. With "told"
    the fact is the context of each task, and nothing is written; with "wiped" there is no context.
    """

    def __init__(
        self,
        env: gym.Env[str, str],
        tasks: int = 4,
        context: str = "kept",
        stream: str = "same",
        strategy: str = "cod",
        context_chars: int = 2000,
        trajectory_chars: int = 8000,
    ) -> None:
        """Wrap `env`; raises SpecError for settings out of range."""
        Lifecycle.__init__(self, env, tasks, context, stream, strategy)
        self.settings = LifecycleSpec(tasks, context, stream, "episode", strategy, context_chars, trajectory_chars)
        RecordConstructorArgs.__init__(
            self,
            tasks=tasks,
            context=context,
            stream=stream,
            strategy=strategy,
            context_chars=context_chars,
            trajectory_chars=trajectory_chars,
        )
        own = cast(TextSpace, self.observation_space).max_length
        self.observation_space = TextSpace(max(own, trajectory_chars + EXTRA_CHARS))
        self.action_space = TextSpace(max(MAX_ACTION_CHARS, context_chars))

    @property
    def action_templates(self) -> tuple[str, ...]:
        """What an action looks like, sorted."""
        return tuple(sorted(self.inner.action_templates))

    @property
    def task(self) -> str:
        """What the pack asks for, in words."""
        return TASK.format(tasks=self.settings.tasks) + (KEPT if self.settings.context == "kept" else "") + "."

    def expert_action(self) -> str:
        """Return the expert's next action; it knows what is shared and keeps nothing."""
        return NOTHING_KEPT if self._is_writing else self.inner.expert_action()

    def step(self, action: str) -> tuple[str, SupportsFloat, bool, bool, Info]:  # type: ignore[override]
        """Execute an action of the task at hand, or take the context where one is asked for."""
        self._action = readable(checked_action(action))  # an update quotes it
        return Lifecycle.step(self, action)

    def _written(self, action: str) -> str | None:
        context = action.strip()
        if not context or len(context) > self.settings.context_chars or not self.action_space.contains(context):
            return None
        return "" if context == NOTHING_KEPT else context

    def _framed(self, info: Info) -> tuple[str, Info]:
        """Return the observation and info of the solve or update episode at hand."""
        sections = tuple([in_order(section) for section in info["sections"]])
        if self._elapsed == self._tasks[-1].start:
            self._seen = [Seen("", render(sections))]
        else:
            self._seen.append(Seen(self._action, render(sections), info["is_action_valid"]))
        commands = tuple(sorted(info["admissible_commands"]))
        part = Part(self._tasks[-1].start, info["task"], self.inner.max_steps, self._kept)
        if self._is_writing:
            sections, commands = (Section(self._over(info), Richness.LEAN, "history"),), (NOTHING_KEPT,)
            part = Part(self._elapsed, "", 1, self._kept, self.settings.context_chars)
        self._observation = render(sections)
        return self._observation, {
            **info,
            "sections": sections,
            "admissible_commands": commands,
            "task": self.task,
            "task_number": self._number,
            "success": self.success,
            "score": self.score,
            "level_id": self.level_id,
            "part": part,
        }

    @property
    def _kept(self) -> str:
        """The context that the episode at hand starts from."""
        if self.settings.context == "told":
            value = self._facts[self._number - 1].value
            return f"{FACT}{value}" if value else ""
        return (self._tasks[-2].note or "") if self._number > 1 else ""

    def _over(self, info: Info) -> str:
        """Return what an update episode reads: the task as it was played, and what came of it."""
        n_invalid = sum(not seen.is_action_valid for seen in self._seen)
        return OVER.format(
            task=info["task"],
            trajectory=trajectory(self._seen, self.settings.trajectory_chars),
            outcome="it was solved" if info["success"] else "it was not solved",
            steps=len(self._seen) - 1,
            max_steps=self.inner.max_steps,
            score=info["score"],
            n_invalid=n_invalid,
        )


class Seen(NamedTuple):
    """An action, and the observation after it; the first of a task has none before it."""

    action: str
    observation: str
    is_action_valid: bool = True


def trajectory(seen: Sequence[Seen], max_chars: int) -> str:
    """Return a task as it was played, in about `max_chars` characters: its beginning, and as many last steps as fit."""
    pieces = [f"Observation:\n{seen[0].observation}"]
    pieces += [f"Action: {step.action or NO_ACTION_SHOWN}\nObservation:\n{step.observation}" for step in seen[1:]]
    if sum(map(len, pieces)) <= max_chars:
        return "\n\n".join(pieces)
    first, later = _cut(pieces[0], max_chars // 2), pieces[1:]
    left = max_chars - len(first)
    n_shown = 0
    while n_shown < len(later) and len(later[-1 - n_shown]) <= left:
        left -= len(later[-1 - n_shown])
        n_shown += 1
    last = later[len(later) - n_shown :] or [_cut(piece, left) for piece in later[-1:]]
    n_left_out = len(later) - len(last)
    return "\n\n".join([first, *([LEFT_OUT.format(steps=n_left_out)] if n_left_out else []), *last])


def _cut(text: str, max_chars: int) -> str:
    return text if len(text) <= max_chars else text[:max_chars] + CUT
