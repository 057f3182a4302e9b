"""What each difficulty asks of a level."""

from typing import NamedTuple


class LevelSettings(NamedTuple):
    """A difficulty: how many disks, and the fewest moves of its levels, from and to."""

    disks: int
    least: int
    most: int


PRESETS = {"easy": LevelSettings(3, 3, 7), "medium": LevelSettings(4, 8, 15), "hard": LevelSettings(5, 16, 31)}
