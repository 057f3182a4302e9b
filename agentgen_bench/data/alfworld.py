"""The official ALFWorld games: which release files they are, and whether a folder holds them all."""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple, TextIO

from agentgen_bench.data.download import RemoteFile, fetch_checked, unpack
from agentgen_bench.envs.alfworld.datasets import GAMES_FOLDER
from agentgen_bench.envs.alfworld.gamefile import GAME_FILE
from agentgen_bench.errors import DataError

# As alfworld 0.4.2, scripts/alfworld-download. No digests are published: see `digests`; the archives' own checksums
# are checked as they are unpacked, and the games are counted.
RELEASES = "https://github.com/alfworld/alfworld/releases/download"
GAMES = "0.4.0/json_2.1.2_tw-pddl.zip"
EXTRAS = ("0.2.2/json_2.1.1_json.zip", "0.2.2/json_2.1.1_pddl.zip")  # what alfworld's own scripts also read
ARCHIVES = {address.rpartition("/")[2]: address for address in (GAMES, *EXTRAS)}


class GameCount(NamedTuple):
    """How many games a split of a folder holds, and how many the official release has."""

    split: str
    found: int
    official: int


OFFICIAL_COUNTS = {"train": 3553, "valid_seen": 140, "valid_unseen": 134}


def download_alfworld(
    folder: Path,
    *,
    everything: bool = False,
    base_url: str = RELEASES,
    sha256: Mapping[str, str] | None = None,
    progress: TextIO | None = sys.stderr,
) -> list[GameCount]:
    """Download and unpack the official games into `folder`, which is then what `data=` takes; return what it holds.

    Args:
        folder: where to; made where missing. Archives are removed once unpacked.
        everything: also the trajectories and PDDL files that alfworld's own scripts read.
        base_url: where the releases are, for mirrors.
        sha256: digests of archives by name; without one that is given, the first download's is recorded and counts.
        progress: where bars are drawn; None draws none.

    Raises:
        DataError: the server does not give a file, an archive is damaged, or games are missing afterwards.
    """
    for address in (GAMES, *(EXTRAS if everything else ())):
        remote = RemoteFile(f"{base_url.rstrip('/')}/{address}")
        archive = folder / remote.name
        fetch_checked(remote, archive, sha256 or {}, lambda path: unpack(path, folder, progress), progress)
        archive.unlink()
    counts = count_games(folder)
    empty = [count.split for count in counts if not count.found]
    if empty:
        raise DataError(f"{folder / GAMES_FOLDER} holds no {GAME_FILE} in {', '.join(empty)}; download it again")
    return counts


def count_games(folder: Path) -> list[GameCount]:
    """Return how many games each split holds, solvable or not."""
    return [
        GameCount(split, sum(1 for _ in (folder / GAMES_FOLDER / split).rglob(GAME_FILE)), official)
        for split, official in OFFICIAL_COUNTS.items()
    ]
