"""Faults: an environment that now and then fails to act or to answer, the same way on every replay."""

from typing import Any, SupportsFloat, cast

import gymnasium as gym
from gymnasium.utils import RecordConstructorArgs

from agentgen_bench.checks import checked_action, chosen
from agentgen_bench.contract import Analysis, Info, TextWrapper
from agentgen_bench.envs.base import NO_ACTION, OF_A_LEVEL
from agentgen_bench.seeding import stream
from agentgen_bench.spaces import TextSpace
from agentgen_bench.spec import FAULTS, FaultSpec
from agentgen_bench.text import Richness, Section, render

KINDS = ("action", "late", "repeated")
NOTHING = Section("Nothing happens.\n\n", Richness.LEAN, "state")
BETWEEN = Section("\n\n", Richness.LEAN, "state")
BLOCK = 256  # steps whose faults are drawn together


class Faults(TextWrapper, RecordConstructorArgs):
    """Let actions fail and observations come late, by (level, step) (transition faults cost most: arXiv 2605.11928).

    At each step a fault strikes with probability `rate`:

    - "action": the action is not executed. The agent reads `Nothing happens.` and the last observation again.
    - "late": the action is executed, the agent reads the last observation again, and the one that it missed together
      with the next. While one is under way no other is late. One that is under way when the episode ends is lost: the
      last observation is shown alone.
    - "repeated": the action is executed, the agent reads the last observation again; what it missed is lost.

    `kind` is one of these, "observation" (late or repeated, each half of the time) or "mixed" (an action's fault half
    of the time). Which steps are struck is decided by `seed`, the level and the number of the step, and by nothing the
    agent does; those of a lower rate are among those of a higher one. Whatever ends an episode is never hidden.

    The step limit and `expert_length` grow by the actions that fail on the way, so that whoever tries again has as many
    executed actions as without faults, and every level stays solvable. The listed commands are those of the
    observation that is shown. `analysis` counts the faults that struck.
    """

    _schedule: "_Schedule" = OF_A_LEVEL
    _struck: dict[str, int] = OF_A_LEVEL

    def __init__(self, env: gym.Env[str, str], kind: str = "mixed", rate: float = 0.1, seed: int = 0) -> None:
        """Wrap `env`; raises SpecError for settings out of range."""
        RecordConstructorArgs.__init__(self, kind=kind, rate=rate, seed=seed)
        TextWrapper.__init__(self, env)
        self.settings: FaultSpec = FaultSpec(chosen("fault kind", kind, FAULTS), rate, seed)
        space = env.observation_space
        if not isinstance(space, TextSpace):
            raise TypeError(f"Faults wraps text environments, got observations of {space!r}")
        self.observation_space = TextSpace(2 * space.max_length + len(NOTHING.text) + len(BETWEEN.text))

    @property
    def max_steps(self) -> int:
        """The step limit of the environment inside and the actions that fail before it is reached."""
        return self._schedule.step_of(self.inner.max_steps)

    @property
    def expert_length(self) -> int | None:
        """The expert's plan and the actions that fail on its way; None where the plan's length is unknown."""
        length = self.inner.expert_length
        return None if length is None else self._schedule.step_of(length)

    def analysis(self) -> Analysis:
        """Return the environment's diagnostics, and how many actions and observations have failed so far."""
        return {
            **self.inner.analysis(),
            "failed_actions": self._struck["action"],
            "failed_observations": self._struck["late"] + self._struck["repeated"],
        }

    def reset(  # type: ignore[override]  # Gymnasium says dict[str, Any]
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[str, Info]:
        """Start a level, whose first observation is always whole."""
        vars(self).pop("_schedule", None)  # a level that cannot be started is not played, nor the one before it
        observation, found = self.env.reset(seed=seed, options=options)
        info = cast(Info, found)
        self._schedule = _Schedule(self.settings, info["level_id"])
        self._struck = dict.fromkeys(KINDS, 0)
        self._elapsed = 0
        self._missed: tuple[Section, ...] = ()
        self._seen = self._last = info
        self._observation = observation
        return observation, info

    def step(self, action: str) -> tuple[str, SupportsFloat, bool, bool, Info]:  # type: ignore[override]
        """Execute the action unless it fails, and return what the agent gets to see of it."""
        action = checked_action(action)
        fault = self._schedule.fault(self._elapsed)
        if fault == "action":
            self._elapsed += 1
            return self._failed(action)
        _, reward, terminated, truncated, found = self.env.step(action)
        self._elapsed += 1
        self._last = cast(Info, found)
        if terminated or truncated:
            return self._shown(self._last, (), reward, terminated, truncated)
        if fault == "repeated" or (fault == "late" and not self._missed):
            self._struck[fault] += 1
            if fault == "late":
                self._missed = (*self._last["sections"], BETWEEN)
            return self._shown(self._again(), (), reward, False, False)
        self._seen, missed, self._missed = self._last, self._missed, ()
        return self._shown(self._seen, missed, reward, False, False)

    def render(self) -> Any:
        """Return the observation as the agent reads it in mode ansi, else None."""
        return None if self.env.render() is None else self._observation

    def _failed(self, action: str) -> tuple[str, SupportsFloat, bool, bool, Info]:
        """Return what follows an action that is not executed; no environment has judged it, so any action is valid."""
        self._struck["action"] += 1
        is_action = action != NO_ACTION and self.action_space.contains(action)
        self._last = {**self._last, "is_action_valid": is_action}
        return self._shown(self._again(), (NOTHING,), 0.0, False, False)

    def _again(self) -> Info:
        """Return the state as it is, seen as it was last."""
        seen = self._seen
        return {**self._last, "sections": seen["sections"], "admissible_commands": seen["admissible_commands"]}

    def _shown(
        self, info: Info, before: tuple[Section, ...], reward: SupportsFloat, terminated: bool, truncated: bool
    ) -> tuple[str, SupportsFloat, bool, bool, Info]:
        sections = (*before, *info["sections"])
        self._observation = render(sections)
        return self._observation, reward, terminated, truncated, {**info, "sections": sections}


class _Schedule:
    """The faults of a level by step, drawn when they are asked for."""

    def __init__(self, settings: FaultSpec, level_id: str) -> None:
        self._settings = settings
        self._rng = stream("faults", settings.seed, level_id)
        self._faults: list[str | None] = []
        self._executed: list[int] = []  # steps whose action is executed

    def fault(self, step: int) -> str | None:
        """Return the kind of the fault at a step, counted from 0; None where there is none."""
        while len(self._faults) <= step:
            self._draw()
        return self._faults[step]

    def step_of(self, n_executed: int) -> int:
        """Return how many steps it takes until `n_executed` actions have been executed."""
        while len(self._executed) < n_executed:
            self._draw()
        return self._executed[n_executed - 1] + 1 if n_executed else 0

    def _draw(self) -> None:
        first = len(self._faults)
        self._faults += [self._kind(*pair) for pair in self._rng.random((BLOCK, 2)).tolist()]
        self._executed += [step for step in range(first, len(self._faults)) if self._faults[step] != "action"]

    def _kind(self, strikes: float, which: float) -> str | None:
        if strikes >= self._settings.rate:
            return None
        match self._settings.kind:
            case "observation":
                return "late" if which < 0.5 else "repeated"
            case "mixed":
                return "action" if which < 0.5 else "late" if which < 0.75 else "repeated"
            case kind:
                return kind
