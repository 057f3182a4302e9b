"""The knobs that decide Sokoban levels, and the named difficulties."""

from dataclasses import dataclass, replace

from agentgen_bench.envs.base import checked_range
from agentgen_bench.errors import SpecError

Bounds = tuple[int, int]

SIZES: Bounds = (6, 10)
BOXES: Bounds = (1, 6)
PUSHES: Bounds = (1, 100)
MOVES: Bounds = (1, 400)
WALK_STEPS: Bounds = (1, 200)


@dataclass(frozen=True, slots=True)
class LevelSettings:
    """What every level of an environment satisfies; bounds are inclusive."""

    size: int
    boxes: int
    pushes: Bounds
    moves: Bounds | None
    walk_steps: int

    @property
    def key(self) -> tuple[int, ...]:
        """The settings as integers, for keyed random streams."""
        return (self.size, self.boxes, *self.pushes, *(self.moves or (0, 0)), self.walk_steps)

    @property
    def label(self) -> str:
        """The settings in words, for messages."""
        words = f"size={self.size}, boxes={self.boxes}, pushes={_bounds_label(self.pushes)}"
        if self.moves:
            words += f", moves={_bounds_label(self.moves)}"
        return f"{words}, walk_steps={self.walk_steps}"


def default_walk_steps(size: int) -> int:
    """Return the number of steps that carve a room of a size: gym-sokoban's 1.7 * (height + width)."""
    return int(1.7 * (size + size))


def _preset(size: int, boxes: int, pushes: Bounds) -> LevelSettings:
    return LevelSettings(size, boxes, pushes, None, default_walk_steps(size))


PRESETS = {
    "easy": _preset(6, 2, (5, 5)),
    "medium": _preset(8, 2, (10, 10)),
    "hard": _preset(10, 4, (20, 20)),
    "extreme": _preset(10, 4, (30, 30)),
    "paper": _preset(6, 1, (2, 6)),  # the room of arXiv 2601.18217, which leaves the number of pushes open
}


def level_settings(
    difficulty: str,
    size: int | None,
    boxes: int | None,
    pushes: int | Bounds | None,
    moves: int | Bounds | None,
    walk_steps: int | None,
) -> LevelSettings:
    """Return the difficulty's settings with every knob that is not None put in their place.

    Raises:
        SpecError: a knob of the wrong type or outside its bounds.
    """
    preset = PRESETS[difficulty]
    chosen = preset
    if size is not None:
        size = checked_range("size", size, *SIZES)
        chosen = replace(chosen, size=size, walk_steps=default_walk_steps(size))
    if boxes is not None:
        chosen = replace(chosen, boxes=checked_range("boxes", boxes, *BOXES))
    if pushes is not None:
        chosen = replace(chosen, pushes=_checked_bounds("pushes", pushes, PUSHES))
    if moves is not None:
        chosen = replace(chosen, moves=_checked_bounds("moves", moves, MOVES))
    if walk_steps is not None:
        chosen = replace(chosen, walk_steps=checked_range("walk_steps", walk_steps, *WALK_STEPS))
    return chosen


def _checked_bounds(name: str, value: int | Bounds, limits: Bounds) -> Bounds:
    if not isinstance(value, (tuple, list)):
        exact = checked_range(name, value, *limits)
        return exact, exact
    if len(value) != 2:
        raise SpecError(f"{name}={value!r} is no range; give one integer, or (low, high)")
    low, high = (checked_range(name, bound, *limits) for bound in value)
    if low > high:
        raise SpecError(f"{name}={value!r} is an empty range; the first number must be the lower one")
    return low, high


def _bounds_label(bounds: Bounds) -> str:
    low, high = bounds
    return str(low) if low == high else f"{low} to {high}"
