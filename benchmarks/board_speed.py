"""How long `agentgen-bench leaderboard` takes over many entries: cold, and from what was kept of them.

    python benchmarks/board_speed.py [--entries 200] [--board leaderboards/core-v1] [--folder FOLDER]

Makes a board of the real rows and of mixtures of them: each level's episode is that of one of the real rows, drawn by a
seed, so every entry has 6,000 real episodes and is no copy of another by the board's rule; all mixtures claim to be
models, so all of them are compared with all. Prints seconds of wall clock and of CPU an entry: cold (every episode is
read, every pair compared), warm (digests, metadata, results and kept sums are), and warm after one entry was added.
Making 200 entries takes a few minutes and 500 MB.
"""

import argparse
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
import zlib
from functools import cache
from pathlib import Path
from typing import NamedTuple

from agentgen_bench.episodes import canonical_json
from agentgen_bench.leaderboard.entry import EPISODES, METADATA, README, RESULTS
from agentgen_bench.leaderboard.safe import read_gzip_lines
from agentgen_bench.scores.base import family

LIMIT_S = 10.0  # warm, 200 entries, two cores


def main() -> None:
    """Print the table; exits with 1 where the warm board of 200 entries takes longer than the limit."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--entries", type=int, default=200, help="how many, the real ones included")
    parser.add_argument("--board", type=Path, default=Path("leaderboards/core-v1"), help="a suite's folder")
    parser.add_argument("--folder", type=Path, help="where to make the board (default: a temporary folder)")
    args = parser.parse_args()
    place = args.folder or Path(tempfile.mkdtemp(prefix="board-speed-"))
    try:
        made = make(args.board, place / "leaderboards", args.entries)
        os.environ["AGENTGEN_CACHE_DIR"] = str(place / "cache")
        table(place / "leaderboards", made, "cold")
        warm = table(place / "leaderboards", made, "warm")
        mixture(args.board, place / "leaderboards" / args.board.name, made)
        table(place / "leaderboards", made + 1, "one more")
    finally:
        if args.folder is None:
            shutil.rmtree(place)
    raise SystemExit(made >= 200 and warm > LIMIT_S)


def table(leaderboards: Path, entries: int, what: str) -> float:
    """Print what one run of the verb takes, and return its seconds of CPU."""
    before, start = os.times(), time.perf_counter()
    command = [sys.executable, "-m", "agentgen_bench", "leaderboard", "--leaderboards", str(leaderboards)]
    subprocess.run([*command, "--html", str(leaderboards.parent / "index.html")], check=True)
    wall, after = time.perf_counter() - start, os.times()
    cpu = after.children_user + after.children_system - before.children_user - before.children_system
    print(
        f"{what:<10}{entries:>5} entries  wall {wall:8.2f} s  CPU {cpu:8.2f} s  "
        f"{1000 * cpu / entries:7.1f} ms of CPU an entry",
        flush=True,
    )
    return cpu


def make(board: Path, leaderboards: Path, entries: int) -> int:
    """Write a board of the real entries and mixtures, and return how many entries it has."""
    target = leaderboards / board.name
    rows = real(board)
    for path in rows:
        if not (target / path.name).exists():
            shutil.copytree(path, target / path.name)
    for number in range(len(rows), entries):
        mixture(board, target, number)
    return max(entries, len(rows))


def real(board: Path) -> list[Path]:
    """Return the folders of a board's entries."""
    return sorted(path for path in board.iterdir() if path.is_dir())


class Source(NamedTuple):
    """A real row: its lines, and of each the setting and whether it was solved."""

    lines: list[bytes]
    outcomes: list[tuple[str, bool]]


@cache
def sources(board: Path) -> list[Source]:
    """Return the real rows, read once."""
    found = []
    for path in real(board):
        lines = list(read_gzip_lines(path / EPISODES))
        episodes = map(json.loads, lines)
        found.append(Source(lines, [(canonical_json(one["spec"]), one["success"]) for one in episodes]))
    return found


def mixture(board: Path, target: Path, number: int) -> None:
    """Write the entry of that number: each level's episode from one of the real rows."""
    folder = target / f"20260101_bench__mixture-{number:04}"
    if (folder / RESULTS).exists():
        return
    rows, rng = sources(board), random.Random(number)
    picks = [rows[rng.randrange(len(rows))] for _ in rows[0].lines]
    folder.mkdir(parents=True)
    packer = zlib.compressobj(1, wbits=31)  # 16 + 15: gzip
    packed = [packer.compress(row.lines[i] + b"\n") for i, row in enumerate(picks)]
    (folder / EPISODES).write_bytes(b"".join([*packed, packer.flush()]))
    source = real(board)[0]
    metadata = (source / METADATA).read_text().splitlines()
    names = {"org": "bench", "model": f"mixture-{number:04}", "date": "'2026-01-01'", "  kind": "transformers"}
    changed = [f"{key}: {names[key]}" if (key := line.partition(":")[0]) in names else line for line in metadata]
    (folder / METADATA).write_text("\n".join(changed) + "\n")
    (folder / README).write_text("A mixture of real rows, for a benchmark.\n")
    (folder / RESULTS).write_text(json.dumps(results(source, [row.outcomes[i] for i, row in enumerate(picks)])))


def results(source: Path, outcomes: list[tuple[str, bool]]) -> dict[str, object]:
    """Return the source's results with the success of the mixture."""
    found = json.loads((source / RESULTS).read_text())
    by_setting: dict[str, list[bool]] = {}
    for key, solved in outcomes:
        by_setting.setdefault(key, []).append(solved)
    by_family: dict[str, list[float]] = {}
    for setting in found["settings"]:
        solved = by_setting[canonical_json(setting["spec"])]
        setting["scores"]["success"] |= shares([float(one) for one in solved])
        by_family.setdefault(family(setting["spec"]), []).append(sum(solved) / len(solved))
    for name, values in by_family.items():
        found["families"][name]["success"] |= shares(values)
    found["overall"]["success"] |= shares([value for values in by_family.values() for value in values])
    return found


def shares(values: list[float]) -> dict[str, float]:
    """Return a mean with some interval around it."""
    value = sum(values) / len(values)
    return {"value": value, "low": max(0.0, value - 0.01), "high": min(1.0, value + 0.01)}


if __name__ == "__main__":
    main()
