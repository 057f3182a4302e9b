"""Interface: the same environment with other words for its actions."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, SupportsFloat, cast

import gymnasium as gym
from gymnasium.utils import RecordConstructorArgs

from agentgen_bench.checks import checked_action, checked_mapping, chosen
from agentgen_bench.contract import Analysis, Info, TextWrapper
from agentgen_bench.envs.base import NO_ACTION
from agentgen_bench.families import family
from agentgen_bench.seeding import stream
from agentgen_bench.spaces import TextSpace
from agentgen_bench.spec import ACCEPTS, ALIASES, InterfaceSpec
from agentgen_bench.text import Spans, mapped, render
from agentgen_bench.wrappers.aliases import Named, command_translator, either_reader, naming, span_translator

EXTRA_CHARS = 4096  # what longer words may add to an observation; lists of commands are the most that is rewritten


@dataclass(frozen=True, slots=True)
class _Translators:
    """A naming at work: commands into aliases and back, under either name, all commands and spans into aliases.

    A copy, by pickle too, is the same object or that of the other process: functions are not copied.
    """

    key: tuple[str, str, int]
    to_alias: Callable[[str], str | None]
    to_original: Callable[[str], str | None]
    either: Callable[[str], Named]
    commands: Callable[[tuple[str, ...]], tuple[str, ...]]
    spans: Callable[[Spans], Spans]

    def __reduce__(self) -> tuple[Any, ...]:
        return _translators, self.key


@lru_cache(maxsize=256)
def _translators(family_name: str, aliases: str, seed: int) -> _Translators:
    """Return the translators of a naming."""
    names = naming(family_name, aliases, seed)
    to_alias, to_original = (command_translator(family_name, n) for n in (names, names.inverse()))
    # SciWorld lists about 70 commands a state, mostly those of the state before.
    alias = lru_cache(maxsize=4096)(to_alias)

    @lru_cache(maxsize=512)
    def commands(admissible: tuple[str, ...]) -> tuple[str, ...]:
        return tuple([alias(command) or command for command in admissible])

    original = lru_cache(maxsize=1024)(to_original)
    key = family_name, aliases, seed
    return _Translators(key, alias, original, either_reader(family_name, names), commands, span_translator(names))


class Interface(TextWrapper, RecordConstructorArgs):
    """Give the actions other names (interface shift: arXiv 2603.12011; perturbed action names: arXiv 2602.01611).

    `aliases` is "synonym" (another English word each) or "opaque" (made-up words, permuted); `seed` chooses among
    them. `reset(options={"interface_seed": n})` takes n instead for that episode: the tasks of a pack share a naming.
    The names change in the observation, the task, `admissible_commands`, `action_templates` and what the expert
    says. The original words are no actions any more: they do nothing and use up a step. Dynamics are untouched.
    Distractors are left as they are. "original" changes nothing.

    An alias is read more strictly than the word it stands for: with no full stop directly behind it, and in ALFWorld
    and WebShop in its own case (docs/parsing.md says all of it). What follows it the environment reads as ever.

    With `accepts="both"` originals are actions too. Half the levels, by a draw of the level, then show the originals
    and half the aliases; templates list both names, those shown first. The analysis counts the actions under either
    (`named_original`, `named_alias`) and says which were shown (`shown_names`), from which
    `scores.reliance` tells an agent that knows the originals by heart (interface reliance: arXiv 2602.01611).
    """

    def __init__(
        self, env: gym.Env[str, str], aliases: str = "synonym", seed: int = 0, accepts: str = "aliases"
    ) -> None:
        """Wrap `env`; raises SpecError for an unknown scheme."""
        RecordConstructorArgs.__init__(self, aliases=aliases, seed=seed, accepts=accepts)
        TextWrapper.__init__(self, env)
        self.settings: InterfaceSpec = InterfaceSpec(
            chosen("aliases", aliases, ALIASES), seed, chosen("accepts", accepts, ACCEPTS)
        )
        self._is_on = aliases != "original"
        if self._is_on:
            self._translators = _translators(self.family, aliases, self.settings.seed)
        self._takes_numbers = family(self.family).actions.menu_numbers
        self._takes_both = self._is_on and accepts == "both"
        self._shows_aliases = self._is_on
        self._used = {False: 0, True: 0}  # actions by whether they were given under an alias
        if not self._is_on:
            return
        space = env.observation_space
        if not isinstance(space, TextSpace):
            raise TypeError(f"Interface wraps text environments, got observations of {space!r}")
        self.observation_space = TextSpace(space.max_length + EXTRA_CHARS)

    @property
    def action_templates(self) -> tuple[str, ...]:
        """What an action looks like, in the aliases; where both names are accepted, in those shown, then the others."""
        originals = self.inner.action_templates
        if not self._takes_both:
            return tuple(self.aliased(template) for template in originals)
        aliases = tuple(self._translators.to_alias(template) or template for template in originals)
        return (*aliases, *originals) if self._shows_aliases else (*originals, *aliases)

    @property
    def task_spans(self) -> Spans:
        """What the task is made of, its actions under their aliases."""
        spans = self.inner.task_spans
        return self._translators.spans(spans) if self._shows_aliases else spans

    @property
    def task(self) -> str:
        """The goal in words, its actions under their aliases."""
        return "".join(self.task_spans)

    def expert_action(self) -> str:
        """Return the expert's next action in the aliases."""
        return self.aliased(self.inner.expert_action())

    def aliased(self, action: str) -> str:
        """Return an original action in the aliases, where they are shown; one that starts with no known word stays."""
        if not self._shows_aliases:
            return action
        translated = self._translators.to_alias(action)
        return action if translated is None else translated

    def original(self, action: str) -> str:
        """Return what an action in the aliases is to the bare environment; NO_ACTION where it is none."""
        if not self._is_on or (self._takes_numbers and action.strip().isdecimal()):
            return action
        if self._takes_both:
            return self._translators.either(action).command
        translated = self._translators.to_original(action)
        return NO_ACTION if translated is None else translated

    def reset(  # type: ignore[override]  # Gymnasium says dict[str, Any]
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[str, Info]:
        """Start an episode; the option `interface_seed` names its actions by another seed than the wrapper's."""
        others = checked_mapping("options", {} if options is None else options)
        own = self.settings
        named = InterfaceSpec(own.aliases, others.pop("interface_seed", own.seed)).seed
        if self._is_on:
            self._translators = _translators(self.family, own.aliases, named)
        observation, info = self.env.reset(seed=seed, options=others or None)
        self._used = {False: 0, True: 0}
        if self._takes_both:
            drawn = stream("interface", "shown", self.family, own.aliases, named, info["level_id"])
            self._shows_aliases = bool(drawn.integers(2))
        self._task = self.task
        return self._renamed(observation, cast(Info, info))

    def step(self, action: str) -> tuple[str, SupportsFloat, bool, bool, Info]:  # type: ignore[override]
        """Execute the action that `action` stands for."""
        if self._takes_both and (is_alias := self._translators.either(checked_action(action)).is_alias) is not None:
            self._used[is_alias] += 1
        if type(action) is not str:
            action = checked_action(action)
        observation, reward, terminated, truncated, found = self.env.step(self.original(action))
        observation, info = self._renamed(observation, found)  # type: ignore[arg-type]
        return observation, reward, terminated, truncated, info

    def analysis(self) -> Analysis:
        """Return the analysis inside; where both names are accepted, also which were shown and which were used."""
        if not self._takes_both:
            return self.inner.analysis()
        shown = "alias" if self._shows_aliases else "original"
        used = {"named_original": self._used[False], "named_alias": self._used[True]}
        return {**self.inner.analysis(), **used, "shown_names": shown}

    def render(self) -> Any:
        """Return the observation as the agent reads it in mode ansi, else None."""
        return None if self.env.render() is None else self._observation

    def _renamed(self, observation: str, info: Info) -> tuple[str, Info]:
        if self._shows_aliases:
            translators = self._translators
            sections = mapped(info["sections"], translators.spans)
            info = {
                **info,
                "sections": sections,
                "admissible_commands": translators.commands(info["admissible_commands"]),
                "task": self._task,
            }
            observation = render(sections)
        self._observation = observation
        return observation, info
