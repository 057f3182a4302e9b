"""TextEnv: what the four families share — spaces, sections to observation, info, success, step limit.

A family writes `_start`, `_apply`, `_sections`, `_admissible_commands` and `expert_action`; nothing else of
Gymnasium's protocol is its business.
"""

import abc
from collections.abc import Collection
from typing import Any, ClassVar, NamedTuple

import gymnasium as gym
import numpy as np

from agentgen_bench.checks import checked_action, checked_mapping, checked_seed, chosen
from agentgen_bench.contract import NO_FACT, Analysis, Fact, Info, TaskRecord
from agentgen_bench.errors import SpecError
from agentgen_bench.seeding import seed_from
from agentgen_bench.spaces import MAX_ACTION_CHARS, TextSpace, is_encodable
from agentgen_bench.text import Richness, Section, Spans, render

NO_ACTION = ""  # what a completion without an action sends to env.step: invalid in every family, uses up a step
# What a family is given to read: more than anybody may send, as the words that an interface puts in place of its own
# may be the longer ones. Searching for a longer query would take minutes.
MAX_READ_CHARS = 2 * MAX_ACTION_CHARS
SEEDS = 2**31
PARAPHRASES = 2**31  # of a task; 0 is its own words


class Outcome(NamedTuple):
    """What one action did: its reward, whether the episode ended by the rules, whether the action was valid."""

    reward: float
    terminated: bool
    is_action_valid: bool


class _OfALevel:
    """Stands for an attribute until a level sets it on the instance, and raises ResetNeeded where it is asked for."""

    def __get__(self, instance: object, owner: type) -> "_OfALevel":
        if instance is not None:
            raise gym.error.ResetNeeded("no level is being played; call reset first")
        return self


OF_A_LEVEL: Any = _OfALevel()  # the type is that of the attribute


class TextEnv(gym.Env[str, str], abc.ABC):
    """A text environment whose level is decided by its settings and the seed of `reset`.

    `reset(seed=n)` plays level n of the split. `reset()` without a seed draws the next level from `np_random`.

    Info holds plain Python values, equal for equal seeds: `sections` (the observation in parts; `obs ==
    render(info["sections"])`), `admissible_commands`, `task`, `success`, `score` in [0, 1], `is_action_valid`,
    `level_id` (family and content hash of the level). Never the answer.

    Class attributes of a family: `family`, `splits`, `difficulties`, `action_templates` (what an action looks like,
    for prompts; holes are written `<like this>`), `max_observation_chars`, `fact_kinds` (what the knob `fact` takes).

    With a fact, `reset(options={"fact_seed": k})` plays the level under the fact that k decides, None without one; the
    level's own seed decides otherwise.
    """

    metadata: dict[str, Any] = {"render_modes": ["ansi"]}
    family: ClassVar[str]
    splits: ClassVar[tuple[str, ...]] = ("train", "valid", "test")
    difficulties: ClassVar[tuple[str, ...]]
    action_templates: ClassVar[tuple[str, ...]]
    max_observation_chars: ClassVar[int] = 16_384
    fact_kinds: ClassVar[tuple[str, ...]] = ("none",)

    task: str = OF_A_LEVEL  # the goal in words, constant within an episode
    level_id: str = OF_A_LEVEL  # "<family in lower case>:<content hash>", equal for equal levels at every richness
    success: bool = OF_A_LEVEL
    score: float = OF_A_LEVEL  # progress in [0, 1]; 1.0 exactly when success
    max_steps: int = OF_A_LEVEL

    fact: str  # one of `fact_kinds`
    fact_seed: int | None  # of the level being played; None: it has no fact

    def __init__(
        self, *, richness: str | Richness, difficulty: str, split: str, render_mode: str | None, fact: str = "none"
    ) -> None:
        """Check the settings every family has; a family's constructor calls this first."""
        self.richness: Richness = Richness.parse(richness)
        self.difficulty: str = chosen("difficulty", difficulty, self.difficulties)
        self.split: str = chosen("split", split, self.splits)
        self.render_mode = chosen("render_mode", render_mode, ("ansi", None))
        self.fact = chosen("fact", fact, self.fact_kinds)
        self.fact_seed = None
        self.observation_space: TextSpace = TextSpace(self.max_observation_chars)
        self.action_space: TextSpace = TextSpace(MAX_ACTION_CHARS)
        self._elapsed = 0
        self._observation = ""
        self._is_started = False

    @abc.abstractmethod
    def _start(self, level_seed: int) -> None:
        """Begin the level decided by the settings and `level_seed`; set task, level_id, success, score, max_steps."""

    @abc.abstractmethod
    def _apply(self, action: str) -> Outcome:
        """Execute one action; an invalid one changes nothing. Update `success` and `score`.

        What the family's engine does not know as it stands is read by `read_action`.
        """

    @abc.abstractmethod
    def _sections(self) -> tuple[Section, ...]:
        """Return the observation of the current state: only sections shown at `self.richness`."""

    @abc.abstractmethod
    def _admissible_commands(self) -> tuple[str, ...]:
        """Return the commands the rules accept in the current state, in an order that gives nothing away."""

    @abc.abstractmethod
    def expert_action(self) -> str:
        """Return the next action of the oracle, from whatever state the episode is in."""

    @property
    def expert_length(self) -> int | None:
        """Number of actions of the oracle's plan from the level's start; None where it is unknown."""
        return None

    @property
    def levels_are_listed(self) -> bool:
        """Whether the setting's levels are a list that anyone can read, rather than made from their seeds."""
        return False

    @property
    def task_spans(self) -> Spans:
        """What the task is made of; joined it is `task`."""
        return (self.task,)

    def names(self) -> Collection[str]:
        """Return the lower-case names of the level's things, which nothing that a wrapper invents may bear."""
        return frozenset()

    def analysis(self) -> Analysis:
        """Return diagnostics of the finished episode for its record (never shown during play); empty by default."""
        return {}

    def tasks(self) -> tuple[TaskRecord, ...]:
        """Return the record of the episode's one task."""
        return (TaskRecord(0, self.score, self.success),)

    def facts(self) -> tuple[Fact, ...]:
        """Return the fact of the episode's one task; empty where `fact` is none."""
        if self.fact == "none":
            return ()
        return (NO_FACT if self.fact_seed is None else Fact(self.fact, self.fact_seed, self.fact_value()),)

    def own_fact_seed(self, level_seed: int) -> int | None:
        """Return what decides the fact of a level that is played alone; None where `fact` is none."""
        return None if self.fact == "none" else seed_from("fact", self.family, self.fact, level_seed)

    def fact_value(self) -> str:
        """Return in words what holds in the level being played; a family with facts says it."""
        return ""

    def reset(  # type: ignore[override]  # Gymnasium says dict[str, Any]
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[str, Info]:
        """Start level `seed` of the split; without a seed, a level drawn from `np_random`.

        There are no options but a `fact_seed`, where there is a fact.
        """
        others = checked_mapping("options", {} if options is None else options)
        own_seed = "fact_seed" not in others
        fact_seed = others.pop("fact_seed", None) if self.fact != "none" else None
        if others:
            raise SpecError(f"reset takes no options, got {sorted(others)}; settings belong to gym.make")
        seed = None if seed is None else checked_seed(seed)
        super().reset(seed=seed)
        level_seed = int(self.np_random.integers(SEEDS)) if seed is None else seed
        self._elapsed, self._is_started = 0, False  # a level that cannot be started is not played
        if self.fact != "none":
            given = None if fact_seed is None else checked_seed(fact_seed, "fact_seed")
            self.fact_seed = self.own_fact_seed(level_seed) if own_seed else given
        self._start(level_seed)
        self._is_started = True
        return self._observe(is_action_valid=True)

    def step(self, action: str) -> tuple[str, float, bool, bool, Info]:  # type: ignore[override]
        """Execute one action; every action, valid or not, uses up a step.

        What cannot be encoded, and what is longer than MAX_READ_CHARS, is no action.

        Raises:
            ResetNeeded: no level has been started.
            ActionError: the action is no string.
        """
        if not self._is_started:
            self._check_started()
        self._elapsed += 1
        if type(action) is not str:
            action = checked_action(action)
        reward, terminated, is_action_valid = self._apply(readable(action))
        observation, info = self._observe(is_action_valid)
        return observation, reward, terminated, not terminated and self._elapsed >= self.max_steps, info

    def render(self) -> str | None:
        """Return the current observation in mode ansi, else None; raises ResetNeeded before the first reset."""
        self._check_started()
        return self._observation if self.render_mode == "ansi" else None

    def _check_started(self) -> None:
        if not self._is_started:
            raise gym.error.ResetNeeded("no level is being played; call reset first")

    def _observe(self, is_action_valid: bool) -> tuple[str, Info]:
        sections = self._sections()
        self._observation = render(sections)
        return self._observation, {
            "sections": sections,
            "admissible_commands": self._admissible_commands(),
            "task": self.task,
            "success": self.success,
            "score": self.score,
            "is_action_valid": is_action_valid,
            "level_id": self.level_id,
        }


def readable(action: str) -> str:
    """Return an action that a family can read and an observation may quote; NO_ACTION in place of any other."""
    return action if len(action) <= MAX_READ_CHARS and (action.isascii() or is_encodable(action)) else NO_ACTION


def read_action(action: str) -> str:
    """Return an action as every family reads it: in lower case, runs of white space as one space, none at its ends.

    One full stop at the end is dropped. A family takes an action as it stands where its engine knows it so, and reads
    it by this rule otherwise.

    Examples:
        >>> read_action("  Go to   Cabinet 1. ")
        'go to cabinet 1'
    """
    return " ".join(action.lower().split()).removesuffix(".").rstrip()


def checked_range(name: str, value: int, low: int, high: int) -> int:
    """Return `value` as int where low <= value <= high; raises SpecError otherwise."""
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or not low <= value <= high:
        raise SpecError(f"{name}={value!r} is out of range; choose an integer from {low} to {high}")
    return int(value)
