"""Distractors: text that has nothing to do with the goal, put into the observation and nowhere else."""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple, SupportsFloat, cast

import gymnasium as gym
from gymnasium.utils import RecordConstructorArgs

from agentgen_bench.checks import checked_mapping, checked_seed, chosen
from agentgen_bench.contract import Info, TextWrapper
from agentgen_bench.seeding import stream
from agentgen_bench.spaces import TextSpace
from agentgen_bench.spec import DistractorSpec
from agentgen_bench.text import Section, render
from agentgen_bench.wrappers import contextual, cross_env
from agentgen_bench.wrappers.contextual import Draws, Style, episode_words
from agentgen_bench.wrappers.insertion import inserted

STATES_AHEAD = 8  # whose random numbers are drawn at once: a call of numpy's costs more than the numbers


_draws: partial[Draws] = partial(tuple.__new__, Draws)  # for each state: a call of the class takes three times as long


class Kind(NamedTuple):
    """A kind of distractor: how it is written in a family, by its name, and more characters than any text of it has."""

    style: Callable[[str], Style]
    max_chars: int


KINDS = {
    "contextual": Kind(contextual.style, max_chars=240),
    "cross_env": Kind(cross_env.style, max_chars=1200),
}


class Distractors(TextWrapper, RecordConstructorArgs):
    """Add goal-irrelevant text to each observation; leave the task alone (arXiv 2601.18217, section 6).

    Whether an episode has distractors is drawn once, at its reset, with `probability`. Their texts and places are
    drawn anew for each state. Both are decided by `seed`, the level, the seed of `reset` and the number of the state
    in the episode, and by nothing else: not by richness, not by what the agent did, not by the process. The option
    `distractor_draw` of `reset` (an integer from 0) asks for another draw: rollouts of one level in training.

    What is added are sections of source "distractor", seen at every richness. Actions, rewards, endings, task,
    admissible commands and level are the bare environment's. `kind` is "contextual" (in the style of the family) or
    "cross_env" (a glimpse of another family's state); `volume` is read by the family's rule (see contextual.py).
    """

    def __init__(
        self,
        env: gym.Env[str, str],
        kind: str = "contextual",
        volume: int = 80,
        probability: float = 1.0,
        seed: int = 0,
    ) -> None:
        """Wrap `env`; raises SpecError for settings out of range."""
        RecordConstructorArgs.__init__(self, kind=kind, volume=volume, probability=probability, seed=seed)
        TextWrapper.__init__(self, env)
        self.settings: DistractorSpec = DistractorSpec(
            chosen("distractor kind", kind, KINDS), volume, probability, seed
        )
        self._style_of = KINDS[kind].style  # what it gives cannot be pickled
        self._n_rows = self._style.most(volume)
        space = env.observation_space
        if not isinstance(space, TextSpace):
            raise TypeError(f"Distractors wraps text environments, got observations of {space!r}")
        self.observation_space = TextSpace(space.max_length + self._n_rows * KINDS[kind].max_chars)
        self._reset_seed: int | None = None
        self._resets = 0
        self.is_on: bool = False

    def reset(  # type: ignore[override]  # Gymnasium says dict[str, Any]
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[str, Info]:
        """Start an episode and draw whether it has distractors; the option `distractor_draw` asks for another draw."""
        others = checked_mapping("options", {} if options is None else options)
        draw = checked_seed(others.pop("distractor_draw", 0), "distractor_draw")
        observation, found = self.env.reset(seed=seed, options=others or None)
        info = cast(Info, found)
        self._reset_seed = self._reset_seed if seed is None else checked_seed(seed)
        self._resets = self._resets + 1 if seed is None else 0
        settings = self.settings
        last_seed = -1 if self._reset_seed is None else self._reset_seed
        key = ("distractors", settings.kind, settings.seed, info["level_id"], last_seed, self._resets)
        self._rng = stream(*key, draw) if draw else stream(*key)
        self.is_on = settings.volume > 0 and bool(self._rng.random() < settings.probability)
        self._step = 0
        self._drawn: list[list[float]] = []
        if self.is_on:
            self._words = episode_words(self._style, self.inner.names(), self._rng)
        return self._with_distractors(observation, info)

    def step(self, action: str) -> tuple[str, SupportsFloat, bool, bool, Info]:  # type: ignore[override]
        """Execute the action in the bare environment and add to what it answers."""
        observation, reward, terminated, truncated, found = self.env.step(action)
        self._step += 1
        observation, info = self._with_distractors(observation, found)  # type: ignore[arg-type]
        return observation, reward, terminated, truncated, info

    def render(self) -> Any:
        """Return the observation with its distractors in mode ansi, else None."""
        return None if self.env.render() is None else self._observation

    @property
    def _style(self) -> Style:
        return self._style_of(self._family)

    def _with_distractors(self, observation: str, info: Info) -> tuple[str, Info]:
        if self.is_on:
            # The same number of draws for every state, so that a state's draws depend on its number alone.
            n, ahead = self._n_rows, self._step % STATES_AHEAD
            if ahead == 0:
                self._drawn = self._rng.random((STATES_AHEAD * n, 3)).tolist()
            draws = _draws((self._step, self._drawn[ahead * n : ahead * n + n]))
            sections: tuple[Section, ...] = info["sections"]
            sections = inserted(sections, self._style.write(sections, self.settings.volume, self._words, draws))
            info = {**info, "sections": sections}
            observation = render(sections)
        self._observation = observation
        return observation, info
