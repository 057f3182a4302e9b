"""What each difficulty asks of a level."""

from typing import NamedTuple


class LevelSettings(NamedTuple):
    """A difficulty: how many blocks, and the fewest moves of its levels, from and to."""

    blocks: int
    least: int
    most: int


PRESETS = {"easy": LevelSettings(4, 1, 2), "medium": LevelSettings(5, 3, 4), "hard": LevelSettings(6, 5, 10)}
