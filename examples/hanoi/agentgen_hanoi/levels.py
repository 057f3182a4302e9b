"""Which level a seed plays: two arrangements whose distance lies in the difficulty's band, in the seed's split."""

from typing import NamedTuple

from agentgen_bench.seeding import key_digest, stream
from agentgen_hanoi.rules import PEGS, Arrangement, distances
from agentgen_hanoi.settings import PRESETS

SHARES = {"train": range(0, 8), "valid": range(8, 9), "test": range(9, 10)}  # of ten equal parts of all levels


class Level(NamedTuple):
    """Where the disks stand at first, and where they belong."""

    start: Arrangement
    goal: Arrangement

    @property
    def distance(self) -> int:
        """The fewest moves from start to goal."""
        return distances(self.goal)[self.start]

    @property
    def level_id(self) -> str:
        """The family and a hash of start and goal."""
        return f"hanoi:{self._digest().hex()[:16]}"

    @property
    def split(self) -> str:
        """The split that the level belongs to, decided by its content."""
        part = int.from_bytes(self._digest()[-4:]) % 10
        return next(split for split, parts in SHARES.items() if part in parts)

    def _digest(self) -> bytes:
        return key_digest("hanoi", *self.start, "goal", *self.goal)


def generated_level(difficulty: str, split: str, seed: int) -> Level:
    """Return level `seed` of a split: pairs of arrangements are drawn until one fits."""
    settings = PRESETS[difficulty]
    rng = stream("hanoi", difficulty, split, seed)
    while True:
        start, goal = (tuple(rng.integers(len(PEGS), size=settings.disks).tolist()) for _ in range(2))
        drawn = Level(start, goal)
        if drawn.split == split and settings.least <= drawn.distance <= settings.most:  # the split costs less to tell
            return drawn
