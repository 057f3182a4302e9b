"""The knobs that decide ALFWorld's generated levels, and the named difficulties."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import NamedTuple

from agentgen_bench.checks import checked_flag
from agentgen_bench.envs.alfworld import tasks
from agentgen_bench.envs.base import checked_range
from agentgen_bench.errors import SpecError

SPLITS = ("train", "valid", "test_seen", "test", "ood_pairs", "ood_task")
LEAST_RECEPTACLES, MOST_RECEPTACLES = 5, 34  # the most that a room of the catalogue has, a kitchen


class Preset(NamedTuple):
    """A difficulty: expected steps of the reference searcher, and how levels are drawn to get there."""

    low: float
    high: float
    receptacles: tuple[int, int]  # fewest, most
    p_hidden: float
    lateness: float  # 0: targets lie where the searcher looks first; 1: where it looks last
    spare: int  # most instances of the target beyond those needed


PRESETS = {
    "easy": Preset(0.0, 8.0, (5, 10), 0.15, 0.0, 3),
    "medium": Preset(9.0, 15.0, (9, 40), 0.35, 0.5, 1),
    "hard": Preset(16.0, 25.0, (14, 40), 0.5, 1.0, 0),
}


@dataclass(frozen=True, slots=True)
class LevelSettings:
    """What a level is drawn from. None leaves a choice to the difficulty."""

    difficulty: str = "easy"
    split: str = "train"
    task_types: tuple[str, ...] = tasks.OFFICIAL_TASK_TYPES
    n_receptacles: int | None = None
    p_hidden: float | None = None
    n_instances: int | None = None  # of the target type
    n_targets: int | None = None  # objects the task asks for
    colocated: bool = False  # some receptacles share a stand point, as in the real rooms

    def key(self) -> tuple[str | int, ...]:
        """Return what names the stream of these levels."""
        return (self.difficulty, self.split, repr((self.task_types, *self.bends())))

    def bends(self) -> tuple[int | float | bool | None, ...]:
        """Return the settings that bend the drawing itself."""
        return (self.n_receptacles, self.p_hidden, self.n_instances, self.n_targets, self.colocated)


def level_settings(
    difficulty: str,
    split: str,
    types: tuple[str, ...],
    n_receptacles: int | None,
    p_hidden: float | None,
    n_instances: int | None,
    n_targets: int | None,
    colocated: bool,
) -> LevelSettings:
    """Return the settings with every knob checked.

    Raises:
        SpecError: a knob of the wrong type or outside its bounds.
    """
    return LevelSettings(
        difficulty=difficulty,
        split=split,
        task_types=types,
        n_receptacles=_optional("n_receptacles", n_receptacles, LEAST_RECEPTACLES, MOST_RECEPTACLES),
        p_hidden=_probability(p_hidden),
        n_instances=_optional("n_instances", n_instances, 1, 6),
        n_targets=_optional("n_targets", n_targets, 1, 3),
        colocated=checked_flag("colocated", colocated),
    )


def task_types(task_type: str | tuple[str, ...], split: str) -> tuple[str, ...]:
    """Return the task types that a knob asks for in a split, sorted.

    Raises:
        SpecError: one that is none, or a held-out one (to slice) in another split than ood_task, which has only these.
    """
    own = tasks.SLICE_TASK_TYPES if split == "ood_task" else tasks.OFFICIAL_TASK_TYPES
    if task_type == "all":
        return own
    several = task_type if isinstance(task_type, Collection) else ()
    names = (task_type,) if isinstance(task_type, str) else tuple(several)
    unknown = [name for name in names if not isinstance(name, str) or name not in tasks.TASK_TYPES]
    if unknown or not names:
        raise SpecError(f"unknown task_type {task_type!r}; choose 'all' or some of: {', '.join(tasks.TASK_TYPES)}")
    held_out = split == "ood_task"
    elsewhere = [name for name in names if (name in tasks.SLICE_TASK_TYPES) != held_out]
    if elsewhere:
        fitting = [name for name in tasks.TASK_TYPES if (name in tasks.SLICE_TASK_TYPES) == held_out]
        raise SpecError(
            f"task_type {elsewhere[0]!r} is not in the split {split!r}: to slice is held out for ood_task; "
            f"choose 'all' or some of: {', '.join(fitting)}"
        )
    return tuple(sorted(set(names)))


def _optional(name: str, value: int | None, low: int, high: int) -> int | None:
    return None if value is None else checked_range(name, value, low, high)


def _probability(value: float | None) -> float | None:
    if value is not None and not (isinstance(value, (int, float)) and 0.0 <= value <= 1.0):
        raise SpecError(f"p_hidden={value!r} is out of range; choose a number from 0 to 1")
    return None if value is None else float(value)
