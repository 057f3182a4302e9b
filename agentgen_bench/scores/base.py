"""Score: one published number with its interval, and how episodes are grouped into settings and levels."""

import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, NamedTuple, TypedDict

from agentgen_bench.episodes import Episode, canonical_json
from agentgen_bench.errors import ScoreError
from agentgen_bench.knobs import WRAPPER_DEFAULTS
from agentgen_bench.scores.levels import with_levels

_ENV_ID = re.compile(r"\w+/(?P<name>(?P<family>\w+?)(?:-[a-z]+)?)-v(?P<version>\d+)")


class Interval(NamedTuple):
    """A 95 % interval; both ends are None where there is nothing to estimate it from."""

    low: float | None
    high: float | None


NO_INTERVAL = Interval(None, None)
LEVELS, LEVELS_AND_SEEDS = "levels only", "levels and seeds"  # what the redraws behind an interval range over


class ScoreJson(TypedDict):
    """A score as files and tables hold it; fractions as they are, never in percent."""

    value: float | None
    low: float | None
    high: float | None
    n: int
    reason: str | None
    left_out: list[str]


@dataclass(frozen=True, slots=True)
class Score:
    """A number, its 95 % interval and how many observations stand behind it.

    `value` is None where the score is undefined, and then `reason` says why; a score is never 0 for lack of data.
    `n` counts episodes, or steps for a score named `*_per_step` or `*_rate`, or environments for a formula over
    rates. `left_out` names the environments that a mean had to leave out. `over` says what the interval ranges over:
    other levels for these very weights, or also other seeds of their training.
    """

    name: str
    value: float | None
    low: float | None = None
    high: float | None = None
    n: int = 0
    reason: str | None = None
    left_out: tuple[str, ...] = ()
    over: str = LEVELS

    def __post_init__(self) -> None:
        """Refuse NaN and infinity, and an undefined value without a reason."""
        for name, number in (("value", self.value), ("low", self.low), ("high", self.high)):
            if number is not None and not math.isfinite(number):
                raise ScoreError(f"{name} of the score {self.name!r} is {number}; a score is a finite number or None")
        if (self.value is None) != (self.reason is not None):
            raise ScoreError(f"the score {self.name!r} needs either a value or a reason why it has none")

    def within(self, interval: Interval) -> "Score":
        """Return a copy with this interval."""
        return replace(self, low=interval.low, high=interval.high)

    def to_json(self) -> ScoreJson:
        """Return plain values, always the same keys in the same order."""
        return {
            "value": self.value,
            "low": self.low,
            "high": self.high,
            "n": self.n,
            "reason": self.reason,
            "left_out": list(self.left_out),
        }


def undefined(name: str, reason: str, *, n: int = 0, left_out: Sequence[str] = ()) -> Score:
    """Return the score `name` without a value, for this reason."""
    return Score(name, None, n=n, reason=reason, left_out=tuple(left_out))


def scores_json(scores: Iterable[Score]) -> dict[str, ScoreJson]:
    """Return the scores as a dictionary by name, in the given order."""
    return {score.name: score.to_json() for score in scores}


def mean(values: Iterable[float]) -> float:
    """Return the arithmetic mean; exactly rounded, so the order of the values does not matter."""
    numbers = list(values)
    return math.fsum(numbers) / len(numbers)


def family(spec: Mapping[str, Any]) -> str:
    """Return the family that a spec in JSON form names.

    Examples:
        >>> family({"env_id": "AgentGen/Sokoban-rich-v0"})
        'Sokoban'
    """
    return _parsed_id(spec)["family"]


def setting_label(spec: Mapping[str, Any]) -> str:
    """Return a short name for tables; it does not need the environment to exist in this version of the package.

    Examples:
        >>> setting_label({"env_id": "AgentGen/Sokoban-rich-v0", "difficulty": "easy", "split": "test"})
        'Sokoban-rich easy test'
    """
    found = _parsed_id(spec)
    version = "" if found["version"] == "0" else f"-v{found['version']}"
    parts = [found["name"] + version, *(str(spec[key]) for key in ("difficulty", "split") if key in spec)]
    parts += [f"{name}={json.dumps(value)}" for name, value in sorted(spec.get("knobs", {}).items())]
    parts += [
        f"{name}={json.dumps(spec[name], sort_keys=True)}"
        for name, default in WRAPPER_DEFAULTS.items()
        if spec.get(name, default) != default
    ]
    return " ".join(parts)


def _parsed_id(spec: Mapping[str, Any]) -> re.Match[str]:
    match = _ENV_ID.fullmatch(str(spec.get("env_id")))
    if match is None:
        raise ScoreError(
            f"not a spec of this benchmark: env_id is {spec.get('env_id')!r}, not like 'AgentGen/Sokoban-v0'"
        )
    return match


def level_key(episode: Episode) -> str:
    """Return what makes two episodes of a setting repeats of one another: the level, or the seed where none is known.

    `by_setting` gives an episode that could not begin the level of its seed, as far as other episodes show it.
    """
    return episode.level_id or f"seed:{episode.seed}"


def is_crash(episode: Episode) -> bool:
    """Return whether the episode ended by an error of ours; it counts as a failure and stays in the denominator."""
    return episode.ending == "error"


def by_setting(episodes: Iterable[Episode]) -> dict[str, list[Episode]]:
    """Return the episodes by setting, settings sorted by key, each in order of (seed, repeat).

    An episode that could not begin is on the level that others of its seed show (`levels.with_levels`).

    Raises:
        ScoreError: the same (setting, seed, repeat) occurs twice, which would count one outcome double.
    """
    groups: dict[str, list[Episode]] = {}
    for episode in with_levels([episodes])[0]:
        groups.setdefault(canonical_json(episode.spec), []).append(episode)
    for key in sorted(groups):
        groups[key].sort(key=lambda episode: (episode.seed, episode.repeat))
        _check_distinct(groups[key])
    return {key: groups[key] for key in sorted(groups)}


def _check_distinct(episodes: Sequence[Episode]) -> None:
    for first, second in pairwise(episodes):
        if (first.seed, first.repeat) == (second.seed, second.repeat):
            label = setting_label(first.spec)
            raise ScoreError(
                f"episode occurs twice: {label}, seed {first.seed}, repeat {first.repeat}; "
                "score each run once, and one run at a time"
            )


def one_policy(episodes: Iterable[Episode]) -> str | None:
    """Return the name of the policy that played the episodes, None where there are none.

    Raises:
        ScoreError: they were played by several.
    """
    names = sorted({episode.policy for episode in episodes})
    if len(names) > 1:
        raise ScoreError(f"episodes of {len(names)} policies ({', '.join(names)}); score one policy at a time")
    return names[0] if names else None
