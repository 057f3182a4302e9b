"""Life cycles: several tasks in one episode that share what no text says, and a note that is all the agent keeps."""

from typing import Any, NamedTuple, SupportsFloat, cast

import gymnasium as gym
from gymnasium.utils import RecordConstructorArgs, seeding

from agentgen_bench.checks import checked_action, checked_mapping, checked_seed, chosen
from agentgen_bench.contract import Analysis, Fact, Info, TaskRecord, TextWrapper
from agentgen_bench.envs.base import OF_A_LEVEL, SEEDS
from agentgen_bench.knobs import CONTEXTS, STRATEGIES, STREAMS
from agentgen_bench.seeding import key_digest, seed_from, stream
from agentgen_bench.spaces import TextSpace
from agentgen_bench.spec import MIN_IRRELEVANT, LifecycleSpec
from agentgen_bench.text import Listing, Richness, Section, render
from agentgen_bench.wrappers.interface import Interface

NOTE = "note:"
NOTE_TEMPLATE = f"{NOTE} <what to remember>"
LEVEL_DIGITS = 16
EXTRA_CHARS = 4096  # the task in words, the note (an action, hence at most 512 characters) and what stands around them
FACT_CHARS = 4096  # more, where a task is headed by what its fact is
FACT = "What is known of this place: "

TASKS = {
    "kept": "Complete {tasks} tasks, one after the other. Each observation says which. After each you write a note: it "
    "is all that you keep.",
    "wiped": "Complete {tasks} tasks, one after the other. Each observation says which.",
    "told": "Complete {tasks} tasks, one after the other. Each observation says which, and what is known of the place.",
}
OVER = (
    "\n\nTask {number} of {tasks} is over: {outcome}. Write a note for the tasks to come, such as 'note: what you "
    "found out'. It replaces your last one."
)


class Lifecycle(TextWrapper, RecordConstructorArgs):
    """Play packs of tasks that share what has to be found out (long life cycles, arXiv 2606.20002; docs/lifecycle.md).

    Wraps an environment with an `Interface`, or one whose levels have a fact, or both. `reset(seed=n)` plays pack n:
    levels n * tasks to n * tasks + tasks - 1 of the split, all with one naming of the actions and under one fact of the
    world, which are drawn for the pack. What the names mean the agent finds out by trying, wherever the text does not
    tell (rich text does). Lists of actions are sorted, so that their order does not tell either.

    With context "kept" a step follows each task but the last in which the agent writes a note (`note: ...`); the note
    heads every observation after it, and nothing else of the earlier tasks is seen again: `info["task_number"]` tells
    a policy's history where to start anew. With "wiped" the same tasks follow one another without notes. The
    difference is what the context is worth. With "told" there are no notes either, but each task is headed by what its
    fact is: what a perfect memory would be worth.

    With the stream "irrelevant" one task in four plays without the fact, at places that the pack draws, neither first
    nor last; with "changing" the second half of the tasks plays under another fact. The naming stays.

    With the strategy "ralph_full" pack n plays level n again and again, with "ralph_sample" level n * tasks: the same
    task with what is kept, instead of different ones.

    The pack's score is the mean of its tasks' scores, it succeeds where all of them do, and its step limit is the sum
    of theirs and of the notes. `tasks` holds the record of each task begun.
    """

    _level_id: str = OF_A_LEVEL
    _max_steps: int = OF_A_LEVEL
    _expert_length: int | None = OF_A_LEVEL
    _tasks: list[TaskRecord] = OF_A_LEVEL
    _facts: list[Fact] = OF_A_LEVEL

    def __init__(
        self,
        env: gym.Env[str, str],
        tasks: int = 4,
        context: str = "kept",
        stream: str = "same",
        strategy: str = "cod",
    ) -> None:
        """Wrap `env`; raises SpecError for settings out of range."""
        RecordConstructorArgs.__init__(self, tasks=tasks, context=context, stream=stream, strategy=strategy)
        TextWrapper.__init__(self, env)
        self.settings: LifecycleSpec = LifecycleSpec(
            tasks,
            chosen("context", context, CONTEXTS),
            chosen("stream", stream, STREAMS),
            strategy=chosen("strategy", strategy, STRATEGIES),
        )
        space = env.observation_space
        self._has_fact = self.inner.fact != "none"
        if not (isinstance(env, Interface) or self._has_fact) or not isinstance(space, TextSpace):
            raise TypeError(
                f"Lifecycle wraps an Interface, whose names the tasks share, or levels with a fact, got {env!r}"
            )
        self._naming_seed = env.settings.seed if isinstance(env, Interface) else None
        self._is_writing, self._elapsed = False, 0
        is_told = self.settings.context == "told"
        self.observation_space = TextSpace(space.max_length + EXTRA_CHARS + FACT_CHARS * is_told)

    @property
    def action_templates(self) -> tuple[str, ...]:
        """What an action looks like, sorted; between the tasks, a note."""
        notes = (NOTE_TEMPLATE,) if self.settings.context == "kept" else ()
        return (*sorted(self.inner.action_templates), *notes)

    @property
    def task(self) -> str:
        """What the pack asks for, in words."""
        return TASKS[self.settings.context].format(tasks=self.settings.tasks)

    @property
    def level_id(self) -> str:
        """The pack's id, decided by its naming and its tasks' levels."""
        return self._level_id

    @property
    def max_steps(self) -> int:
        """The sum of the tasks' limits and of the notes."""
        return self._max_steps

    @property
    def expert_length(self) -> int | None:
        """The sum of the tasks' lengths and of the notes; None where one is unknown."""
        return self._expert_length

    @property
    def score(self) -> float:
        """The mean of the tasks' scores; those not yet played count 0."""
        return sum([task.score for task in self._tasks]) / self.settings.tasks

    @property
    def success(self) -> bool:
        """Whether every task was solved."""
        return sum([task.success for task in self._tasks]) == self.settings.tasks

    def expert_action(self) -> str:
        """Return the expert's next action; it knows the names and writes nothing down."""
        return NOTE if self._is_writing else self.inner.expert_action()

    def analysis(self) -> Analysis:
        """Return nothing: the environment's diagnostics would be those of the last task alone."""
        return {}

    def tasks(self) -> tuple[TaskRecord, ...]:
        """Return the record of each task begun."""
        return tuple(self._tasks)

    def facts(self) -> tuple[Fact, ...]:
        """Return the fact of each task begun."""
        return tuple(self._facts[: self._number])

    def reset(  # type: ignore[override]  # Gymnasium says dict[str, Any]
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[str, Info]:
        """Start pack `seed`; without a seed, one drawn from `np_random`."""
        given = checked_mapping("options", {} if options is None else options)
        if seed is not None:
            seed = checked_seed(seed)
            self.np_random, _ = seeding.np_random(seed)
        pack = int(self.np_random.integers(SEEDS)) if seed is None else seed
        tasks = self.settings.tasks
        self._seeds = level_seeds(pack, self.settings)
        self._options = given
        naming: tuple[int, ...] = ()
        if self._naming_seed is not None:
            naming = (seed_from("lifecycle", self._naming_seed, pack),)
            self._options["interface_seed"] = naming[0]
        self._fact_seeds = fact_seeds(pack, self.settings) if self._has_fact else None
        self._is_writing, self._elapsed = False, 0
        self._tasks = [TaskRecord(0, 0.0, False)]
        levels = [self._level(number) for number in reversed(range(tasks))]  # the first is left open
        self._facts = [fact for level in reversed(levels) for fact in level.facts]
        notes = tasks - 1 if self.settings.context == "kept" else 0
        lengths = [level.expert_length for level in levels]
        self._max_steps = sum(level.max_steps for level in levels) + notes
        self._expert_length = None if None in lengths else sum(length or 0 for length in lengths) + notes
        identity = key_digest("lifecycle", *naming, *(level.info["level_id"] for level in levels)).hex()[:LEVEL_DIGITS]
        self._level_id = f"{self.family.lower()}:{identity}"
        return self._framed(levels[-1].info)

    def step(self, action: str) -> tuple[str, SupportsFloat, bool, bool, Info]:  # type: ignore[override]
        """Execute an action of the task at hand, or take the note where one is asked for."""
        action = checked_action(action)
        self._elapsed += 1
        if self._is_writing:
            note = self._written(action)
            self._tasks[-1] = self._tasks[-1]._replace(note=note or "")
            return self._next_task(0.0, note is not None)
        _, reward, terminated, truncated, found = self.env.step(action)
        info = cast(Info, found)
        is_over, is_last = terminated or truncated, self._number == self.settings.tasks
        self._tasks[-1] = TaskRecord(self._tasks[-1].start, info["score"], is_over and info["success"])
        if is_over and not is_last:
            if self.settings.context != "kept":
                return self._next_task(reward, info["is_action_valid"])
            self._is_writing, terminated, truncated = True, False, False
        observation, info = self._framed(info)
        return observation, reward, terminated, truncated, info

    def render(self) -> Any:
        """Return the observation as the agent reads it in mode ansi, else None."""
        return None if self.env.render() is None else self._observation

    def _written(self, action: str) -> str | None:
        """Return the note that an action writes; None where it is none."""
        is_note = self.action_space.contains(action) and action.strip().lower().startswith(NOTE)
        return action.strip()[len(NOTE) :].strip() if is_note else None

    @property
    def _number(self) -> int:
        """The task at hand, from 1."""
        return len(self._tasks)

    def _level(self, number: int) -> "_Level":
        """Reset the environment to a task's level, counted from 0, and return what the pack needs to know of it."""
        random = self.np_random  # a level's seed would replace it, and so decide which pack is next
        fact = {} if self._fact_seeds is None else {"fact_seed": self._fact_seeds[number]}
        _, info = self.env.reset(seed=self._seeds[number], options={**self._options, **fact})
        self.np_random = random
        return _Level(cast(Info, info), self.inner.max_steps, self.inner.expert_length, self.inner.facts())

    def _next_task(self, reward: SupportsFloat, is_action_valid: bool) -> tuple[str, SupportsFloat, bool, bool, Info]:
        self._is_writing = False
        info = self._level(self._number).info
        self._tasks.append(TaskRecord(self._elapsed, 0.0, False))
        observation, info = self._framed({**info, "is_action_valid": is_action_valid})
        return observation, reward, False, False, info

    def _framed(self, info: Info) -> tuple[str, Info]:
        """Return the observation and info of the pack for those of the task at hand."""
        sections = [Section(self._heading(info["task"]), Richness.LEAN, "history")]
        sections += [in_order(section) for section in info["sections"]]
        if self._is_writing:
            outcome = "it was solved" if info["success"] else "it was not solved"
            over = OVER.format(number=self._number, tasks=self.settings.tasks, outcome=outcome)
            sections.append(Section(over, Richness.LEAN, "history"))
        self._observation = render(sections)
        return self._observation, {
            **info,
            "sections": tuple(sections),
            "admissible_commands": (NOTE,) if self._is_writing else tuple(sorted(info["admissible_commands"])),
            "task": self.task,
            "task_number": self._number,
            "success": self.success,
            "score": self.score,
            "level_id": self.level_id,
        }

    def _heading(self, task: str) -> str:
        lines = [f"Task {self._number} of {self.settings.tasks}: {task}"]
        if self.settings.context == "kept" and self._number > 1:
            lines.append(f"Your note: {self._tasks[-2].note or '(empty)'}")
        if self.settings.context == "told" and (value := self._facts[self._number - 1].value):
            lines.append(f"{FACT}{value}")
        return "\n".join([*lines, "", ""])


def in_order(section: Section) -> Section:
    """Return the section with its list of all actions sorted."""
    if not any(type(span) is Listing for span in section.spans):
        return section
    spans = [Listing(sorted(span.commands)) if isinstance(span, Listing) else span for span in section.spans]
    return section.with_spans(tuple(spans))


class _Level(NamedTuple):
    info: Info
    max_steps: int
    expert_length: int | None
    facts: tuple[Fact, ...]


def fact_seeds(pack: int, settings: LifecycleSpec) -> list[int | None]:
    """Return what decides the fact of each task of a pack; None where a task has none."""
    tasks, own = settings.tasks, seed_from("lifecycle", "fact", pack)
    seeds: list[int | None] = [own] * tasks
    if settings.stream == "changing":
        seeds[tasks // 2 :] = [seed_from("lifecycle", "fact", pack, "changed")] * (tasks - tasks // 2)
    if settings.stream == "irrelevant":
        between = stream("lifecycle", "irrelevant", pack).permutation(range(1, tasks - 1))
        for number in between[: tasks // MIN_IRRELEVANT].tolist():
            seeds[number] = None
    return seeds


def level_seeds(pack: int, settings: LifecycleSpec) -> list[int]:
    """Return the seed of each task's level in a pack; one level again and again under the strategies of Ralph."""
    tasks = settings.tasks
    if settings.strategy == "cod":
        return [pack * tasks + k for k in range(tasks)]
    return [pack if settings.strategy == "ralph_full" else pack * tasks] * tasks
