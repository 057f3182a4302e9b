"""Credit in packs of tasks: a note is worth what the tasks that read it earn (connecting the dots, arXiv 2606.20002).

In a pack the tasks of an episode share a hidden fact, and a note, or the context that an update episode writes, is all
that the agent keeps from one to the next. What is said of notes here holds for contexts: both are one step. If
all steps shared the episode's advantage, a note that saves the last tasks could not be told from the attempts before
it. Here the steps of a task are credited with its own and all later rewards, a note with its own and those of the tasks
after it; both against the same task, or the same note, of the other episodes of the group.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from agentgen_bench.episodes import Episode
from agentgen_bench.scores.lifecycle import cod_advantages

Array = npt.NDArray[np.float64]
# What is smaller than this, relative to the rewards at hand, is what rounding leaves of equal ones.
ROUNDING = 1e-12


class PackRewards(NamedTuple):
    """What a played pack of S tasks earned, and where its tasks begin."""

    solve: Array  # (S,)
    update: Array  # (S - 1,), of the note before each task but the first
    starts: tuple[int, ...]  # index of each task's first step, and the number of steps; (S + 1,)


def pack_rewards(episode: Episode, rewards: Sequence[float], reward_of_score: Sequence[float]) -> PackRewards:
    """Return the rewards of a pack by task and note.

    Args:
        episode: a pack with the context kept, played to its end.
        rewards: of each step, without what the tasks are worth in the end: penalties, or the environment's rewards.
        reward_of_score: what each task is worth in the end, (S,).
    """
    starts = (*(task.start for task in episode.tasks), len(episode.steps))
    notes = [start - 1 for start in starts[1:-1]]  # the step before a task begins
    sums = np.add.reduceat(np.array(rewards), starts[:-1])
    update = np.array([rewards[step] for step in notes])
    solve = sums + np.array(reward_of_score)
    solve[:-1] -= update
    return PackRewards(solve, update, starts)


def pack_advantages(group: Sequence[PackRewards]) -> list[Array]:
    """Return the advantage of every step of each episode of a group: (steps,) each, packs of one level and size."""
    solved, updated = np.stack([pack.solve for pack in group]), np.stack([pack.update for pack in group])
    largest = max(np.abs(solved).max(initial=0.0), np.abs(updated).max(initial=0.0))
    solve, update = (np.where(np.abs(a) > ROUNDING * largest, a, 0.0) for a in cod_advantages(solved, updated))
    result = []
    for pack, of_tasks, of_notes in zip(group, solve, update, strict=True):
        by_step = np.repeat(of_tasks, np.diff(pack.starts))
        by_step[np.array(pack.starts[1:-1], dtype=np.int64) - 1] = of_notes
        result.append(by_step)
    return result
