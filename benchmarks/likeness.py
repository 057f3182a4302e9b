"""Copies and the oracle's actions among a board's entries: what is found in made copies, and false alarms.

    python benchmarks/likeness.py [--board leaderboards/core-v1] [--seeds 3]

Every pair of entries is compared in both directions as if neither were scripted, then by the rule. Copies of every
entry are made: whole, padded by an action in each episode, reworded, of a share of the levels. The oracle's share is
printed for every entry and family, and last for players who find as short a Sokoban solution as the oracle and choose
blindly among all of them: those must not be noted.
"""

import argparse
import random
from collections.abc import Callable
from itertools import permutations
from pathlib import Path

from agentgen_bench.leaderboard.courses import Course, Played
from agentgen_bench.leaderboard.likeness import (
    Contestant,
    alike,
    best_solutions,
    contestant,
    copy_note,
    oracle_levels,
    oracle_notes,
)
from agentgen_bench.leaderboard.table import contestants

SHARES = (1.0, 0.5, 0.35, 0.25, 0.1)


def main() -> None:
    """Print the tables; exits with 1 where the rule raises a false alarm or misses a whole copy that tells."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--board", type=Path, default=Path("leaderboards/core-v1"), help="a suite's folder")
    parser.add_argument("--seeds", type=int, default=3, help="blind players")
    args = parser.parse_args()
    entries = contestants(sorted(path for path in args.board.iterdir() if path.is_dir()))
    alarms = pairs(entries)
    missed = copies(entries)
    alarms += oracle(entries, args.seeds)
    print(f"false alarms by the rule: {alarms}; whole copies missed that tell enough: {missed}")
    raise SystemExit(bool(alarms or missed))


def short(one: Contestant) -> str:
    """Return the model's name."""
    return one.label[1]


def pairs(entries: list[Contestant]) -> int:
    """Print how alike entries of different names are, and return how often the rule calls that a copy."""
    print("same mistakes, of the levels whose course tells (copy: were neither scripted)")
    alarms = 0
    for one, other in permutations(entries, 2):
        found = alike(one, other)
        cells = [f"{each.family} {each.same}/{each.telling}" for each in found if each.same]
        noted = copy_note(one, [other]) is not None
        alarms += noted
        if cells:
            mark = "  copy" * any(each.is_copy for each in found) + "  NOTED" * noted
            print(f"  {short(one):<22}{short(other):<22}{', '.join(cells)}{mark}")
    return alarms


def copies(entries: list[Contestant]) -> int:
    """Print which made copies are found, and return how many whole ones are missed though they tell enough."""
    print("made copies under a new name, the rest of the levels the random policy's")
    base = next(one for one in entries if short(one) == "random")
    missed = 0
    for one in entries:
        telling = sum(each.telling for each in alike(one, one))
        row = []
        for share in SHARES:
            for name, change in (("", lambda actions: actions), (" padded", padded)):
                made = copy_of(one, base, share, change)
                found = copy_note(made, [one]) is not None
                row.append(f"{share:.0%}{name} {'found' if found else 'no'}")
                missed += share == 1.0 and telling >= 100 and not found
        print(f"  {short(one):<22}{telling:>5} telling   {', '.join(row)}")
    return missed


def padded(actions: tuple[str, ...]) -> tuple[str, ...]:
    """Return a course with an action more."""
    middle = len(actions) // 2
    return (*actions[:middle], "wait", *actions[middle:])


def copy_of(
    one: Contestant, base: Contestant, share: float, change: Callable[[tuple[str, ...]], tuple[str, ...]]
) -> Contestant:
    """Return an entry of a model with a share of the levels of another."""
    episodes = []
    for family, levels in one.played.items():
        rng = random.Random(1)
        for level, courses in levels.items():
            source = courses if rng.random() < share else base.played[family][level]
            changed = [None if course is None else Course(course.kind, change(course.actions)) for course in source]
            episodes += [Played(family, level, course) for course in changed]
    return contestant("copy", ("copy", "copy"), "model", episodes)


def oracle(entries: list[Contestant], seeds: int) -> int:
    """Print the oracle's shares, and return how many blind players or entries are noted."""
    source = next(one for one in entries if one.kind == "oracle")
    print("played as the oracle, of all episodes")
    for one in entries:
        shares = []
        for family in sorted(source.played):
            direct, total = oracle_levels(one, source, family)
            shares.append(f"{family} {sum(same for same, _ in direct.values()) / max(1, total):.3f}")
        print(f"  {short(one):<22}{', '.join(shares)}")
    noted = oracle_notes(entries)
    counts = {level: best_solutions(*level) or 1 for level in source.played["Sokoban"]}
    single = sum(count == 1 for count in counts.values())
    print(f"Sokoban: {len(counts)} levels, {single} with one shortest solution, median {median(counts)} of them")
    for seed in range(seeds):
        rng = random.Random(seed)
        played = [
            Played("Sokoban", level, courses[0] if rng.random() < 1 / counts[level] else Course("direct", ()))
            for level, courses in source.played["Sokoban"].items()
        ]
        blind = contestant(f"blind {seed}", ("", f"blind {seed}"), "model", played)
        direct, total = oracle_levels(blind, source, "Sokoban")
        found = oracle_notes([*entries, blind])
        share = sum(same for same, _ in direct.values()) / total
        print(f"  blind player {seed}: {share:.3f} as the oracle{'  NOTED' * (blind.entry in found)}")
        noted |= found
    asked = copy_of(source, source, 1.0, lambda actions: actions)
    print(f"  the oracle as a model: {oracle_notes([*entries, asked]).get('copy')}")
    return len(noted)


def median(counts: dict[tuple[str, int], int]) -> int:
    """Return the median count."""
    return sorted(counts.values())[len(counts) // 2]


if __name__ == "__main__":
    main()
