"""Which level a seed plays: two arrangements whose distance lies in the difficulty's band, in the seed's split."""

from functools import cache
from typing import NamedTuple

from agentgen_bench.envs.blocks.rules import Arrangement, Heights, distance, distances, numbering
from agentgen_bench.envs.blocks.settings import PRESETS
from agentgen_bench.seeding import key_digest, stream

SHARES = {"train": range(0, 2), "valid": range(2, 3), "test": range(3, 10)}  # of ten equal parts: it is for testing


class Level(NamedTuple):
    """How the blocks stand at first, and how they shall stand."""

    start: Arrangement
    goal: Arrangement

    @property
    def distance(self) -> int:
        """The fewest moves from start to goal."""
        return distance(self.start, self.goal)

    @property
    def level_id(self) -> str:
        """The family and a hash of start and goal."""
        return f"blocks:{self._digest().hex()[:16]}"

    @property
    def split(self) -> str:
        """The split that the level belongs to, decided by its content."""
        part = int.from_bytes(self._digest()[-4:]) % 10
        return next(split for split, parts in SHARES.items() if part in parts)

    def _digest(self) -> bytes:
        return key_digest("blocks", *self.start, "goal", *self.goal)


def generated_level(difficulty: str, split: str, seed: int) -> Level:
    """Return level `seed` of a split: goals and starts at a fitting distance are drawn until a pair is of the split."""
    settings = PRESETS[difficulty]
    rng = stream("blocks", difficulty, split, seed)
    goals = _arrangements(settings.blocks)
    while True:
        goal = goals[int(rng.integers(len(goals)))]
        names = numbering(goal)
        starts = _at_distance(names.heights, settings.least, settings.most)
        if not starts:
            continue
        drawn = Level(names.as_before(starts[int(rng.integers(len(starts)))]), goal)
        if drawn.split == split:
            return drawn


@cache
def _arrangements(blocks: int) -> tuple[Arrangement, ...]:
    """Return all arrangements of so many blocks, sorted."""
    return tuple(sorted(distances((1,) * blocks)))


@cache
def _at_distance(heights: Heights, least: int, most: int) -> tuple[Arrangement, ...]:
    """Return the arrangements at a distance from a renumbered goal, sorted."""
    return tuple(sorted(blocks for blocks, far in distances(heights).items() if least <= far <= most))
