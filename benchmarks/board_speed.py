"""How long `agentgen-bench leaderboard` takes over many entries: cold, and from what was kept of them.

    python benchmarks/board_speed.py [--entries 200] [--cold 10] [--compared 30] [--board leaderboards/core-v1]

Makes a board of the real rows and of mixtures of them: each ten episodes in a row are those of one of the real rows,
drawn by a seed, so every entry has 6,000 real episodes and is no copy of another by the board's rule; all mixtures
claim to be models, so all of them are compared with all. Prints seconds of wall clock and of CPU:

cold      `--cold` entries with an empty cache: every episode is read, every pair compared
compared  `--compared` entries; their sums are kept, as a cold run keeps them (here put together from those of the
          parts, so that the benchmark does not read 200 entries), but no pair was compared yet
warm      all entries: digests, metadata, results and kept sums are read. 200 entries are 20,000 pairs, minutes that a
          board pays row by row as it grows: here it is kept of each pair that nothing is alike
one more  after an entry was added, which is compared with all
"""

import argparse
import hashlib
import json
import os
import random
import shutil
import struct
import subprocess
import sys
import tempfile
import time
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cache
from itertools import permutations
from pathlib import Path
from typing import NamedTuple
from unittest.mock import patch

from agentgen_bench.leaderboard import kept
from agentgen_bench.leaderboard.entry import EPISODES, METADATA, README, RESULTS
from agentgen_bench.leaderboard.kept import Kept
from agentgen_bench.leaderboard.likeness import Alike, AsOracle, Contestant
from agentgen_bench.leaderboard.safe import read_gzip_lines
from agentgen_bench.leaderboard.sums import COUNTS, Reading, SettingSums, read_lines
from agentgen_bench.scores.base import family

FAMILIES = ("ALFWorld", "SciWorld", "Sokoban", "WebShop")
LIMIT_S = 10.0  # warm, 200 entries, two cores
PART = 10  # episodes
HEAD = bytes((0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 0, 255))  # of a gzip file without a name or a time


def main() -> None:
    """Print the table; exits with 1 where the warm board of 200 entries takes longer than the limit."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--entries", type=int, default=200, help="how many, the real ones included")
    parser.add_argument("--cold", type=int, default=10, help="of how many to read every episode")
    parser.add_argument("--compared", type=int, default=30, help="of how many to compare every pair")
    parser.add_argument("--board", type=Path, default=Path("leaderboards/core-v1"), help="a suite's folder")
    parser.add_argument("--folder", type=Path, help="where to make the board (default: a temporary folder)")
    args = parser.parse_args()
    place = args.folder or Path(tempfile.mkdtemp(prefix="board-speed-"))
    try:
        if args.cold:
            make(args.board, place / "few", args.cold, place / "no cache")
            table(place / "few", place / "cold cache", args.cold, "cold")
        if args.compared:
            make(args.board, place / "some", args.compared, place / "pairs cache")
            table(place / "some", place / "pairs cache", args.compared, "compared")
        make(args.board, place / "all", args.entries, place / "cache")
        keep_pairs(place / "all" / args.board.name, place / "cache")
        warm = table(place / "all", place / "cache", args.entries, "warm")
        make(args.board, place / "all", args.entries + 1, place / "cache")
        table(place / "all", place / "cache", args.entries + 1, "one more")
    finally:
        if args.folder is None:
            shutil.rmtree(place)
    raise SystemExit(args.entries >= 200 and warm > LIMIT_S)


def table(leaderboards: Path, cache_folder: Path, entries: int, what: str) -> float:
    """Print what one run of the verb takes, and return its seconds of CPU."""
    before, start = os.times(), time.perf_counter()
    command = [sys.executable, "-m", "agentgen_bench", "leaderboard", "--leaderboards", str(leaderboards)]
    environment = {**os.environ, "AGENTGEN_CACHE_DIR": str(cache_folder)}
    subprocess.run([*command, "--html", str(leaderboards.parent / "index.html")], check=True, env=environment)
    wall, after = time.perf_counter() - start, os.times()
    cpu = after.children_user + after.children_system - before.children_user - before.children_system
    each = f"{1000 * cpu / entries:8.1f} ms of CPU an entry"
    print(f"{what:<10}{entries:>5} entries  wall {wall:8.2f} s  CPU {cpu:8.2f} s {each}", flush=True)
    return cpu


class Part(NamedTuple):
    """Ten episodes of a real row: the lines, compressed so that they can stand anywhere, and what was read of them."""

    text: bytes
    packed: bytes
    reading: Reading


@cache
def parts(board: Path) -> list[list[Part]]:
    """Return the parts of each real row."""
    return [list(_parts(path)) for path in real(board)]


def _parts(path: Path) -> Iterator[Part]:
    lines = list(read_gzip_lines(path / EPISODES))
    for start in range(0, len(lines), PART):
        some = lines[start : start + PART]
        text = b"".join(line + b"\n" for line in some)
        packer = zlib.compressobj(1, wbits=-15)  # raw: no header, no checksum
        packed = packer.compress(text) + packer.flush(zlib.Z_FULL_FLUSH)
        yield Part(text, packed, read_lines(some, str(path)))


def make(board: Path, leaderboards: Path, entries: int, cache_folder: Path) -> None:
    """Write a board of the real entries and mixtures, and keep their sums."""
    target, found = leaderboards / board.name, Kept(cache_folder / "boards")
    for number, path in enumerate(real(board)):
        if not (target / path.name).exists():
            shutil.copytree(path, target / path.name)
            keep(found, path, parts(board)[number])
    for number in range(len(real(board)), entries):
        mixture(board, target, number, found)


def keep_pairs(board: Path, cache_folder: Path) -> None:
    """Keep of every pair of entries, and of each beside the oracle's, that nothing is alike."""
    entries = [Contestant(path.name, ("", path.name), "transformers", list, digest(path)) for path in real(board)]
    (oracle,) = (one for one in entries if one.entry.endswith("__oracle"))
    found = Kept(cache_folder / "boards")
    with (
        patch.object(kept, "alike", lambda one, other: [Alike(name, 400, 0) for name in FAMILIES]),
        patch.object(kept, "as_oracle", lambda one, oracle: [AsOracle(name, 0, 1500, False) for name in FAMILIES]),
    ):
        for one, other in permutations(entries, 2):
            found.alike(one, other)
        for one in entries:
            for kind in ("transformers", "oracle"):  # what is kept tells models and scripts apart
                found.as_oracle(replace(one, kind=kind), oracle)
    found.flush()


def real(board: Path) -> list[Path]:
    """Return the folders of a board's entries."""
    return sorted(path for path in board.iterdir() if path.is_dir())


def mixture(board: Path, target: Path, number: int, found: Kept) -> None:
    """Write the entry of that number: each part from one of the real rows."""
    folder = target / f"20260101_bench__mixture-{number:04}"
    if (folder / RESULTS).exists():
        return
    rows, rng = parts(board), random.Random(number)
    picks = [rows[rng.randrange(len(rows))][i] for i in range(len(rows[0]))]
    folder.mkdir(parents=True, exist_ok=True)  # a run that was cut off goes on in --folder
    checksum = size = 0
    for pick in picks:
        checksum, size = zlib.crc32(pick.text, checksum), size + len(pick.text)
    end = zlib.compressobj(1, wbits=-15).flush() + struct.pack("<II", checksum, size % 2**32)
    (folder / EPISODES).write_bytes(b"".join([HEAD, *(pick.packed for pick in picks), end]))
    source = real(board)[0]
    metadata = (source / METADATA).read_text().splitlines()
    names = {"org": "bench", "model": f"mixture-{number:04}", "date": "'2026-01-01'", "  kind": "transformers"}
    changed = [f"{key}: {names[key]}" if (key := line.partition(":")[0]) in names else line for line in metadata]
    (folder / METADATA).write_text("\n".join(changed) + "\n")
    (folder / README).write_text("A mixture of real rows, for a benchmark.\n")
    (folder / RESULTS).write_text(json.dumps(results(source, keep(found, folder, picks))))


def keep(found: Kept, folder: Path, picks: Sequence[Part]) -> Reading:
    """Keep what was read of an entry's parts, put together, and return it."""
    specs, levels = {}, {}
    for pick in picks:
        for key, one in pick.reading.sums.items():
            specs[key] = one.spec
            counted = zip(*(getattr(one, name) for name in COUNTS), strict=True)
            levels.setdefault(key, {}).update(zip(one.levels, counted, strict=True))
    sums = {}
    for key in sorted(levels):
        ordered = sorted(levels[key])
        sums[key] = SettingSums(
            specs[key], tuple(ordered), *zip(*(levels[key][level] for level in ordered), strict=True)
        )
    reading = Reading(sums, [played for pick in picks for played in pick.reading.played])
    found.keep(digest(folder), reading)
    return reading


def digest(folder: Path) -> str:
    """Return the digest that names what is kept of an entry."""
    with (folder / EPISODES).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def results(source: Path, reading: Reading) -> dict[str, object]:
    """Return the source's results with the success of the mixture."""
    found = json.loads((source / RESULTS).read_text())
    sums = {json.dumps(one.spec, sort_keys=True): one for one in reading.sums.values()}
    by_family: dict[str, list[float]] = {}
    for setting in found["settings"]:
        one = sums[json.dumps(setting["spec"], sort_keys=True)]
        setting["scores"]["success"] |= around(sum(one.solved) / sum(one.played))
        by_family.setdefault(family(setting["spec"]), []).append(sum(one.solved) / sum(one.played))
    for name, values in by_family.items():
        found["families"][name]["success"] |= around(sum(values) / len(values))
    everything = [value for values in by_family.values() for value in values]
    found["overall"]["success"] |= around(sum(everything) / len(everything))
    return found


def around(value: float) -> dict[str, float]:
    """Return a value with some interval around it."""
    return {"value": value, "low": max(0.0, value - 0.01), "high": min(1.0, value + 0.01)}


if __name__ == "__main__":
    main()
