"""The official data: `json_2.1.1/{train,valid_seen,valid_unseen}/**/game.tw-pddl` below a folder, or named files."""

import os
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

from agentgen_bench.checks import checked_text
from agentgen_bench.envs.alfworld.gamefile import GAME_FILE, read_json
from agentgen_bench.errors import DataError
from agentgen_bench.homes import expanded
from agentgen_bench.seeding import stream

DATA_VARIABLE = "ALFWORLD_DATA"
OFFICIAL_SPLITS = ("train", "valid_seen", "valid_unseen")
GAMES_FOLDER = "json_2.1.1"
_UNSUPPORTED = ("movable", "Sliced")  # left out by the official environment, agents/environment/alfred_tw_env.py


def checked_data(data: object) -> str | tuple[str, ...]:
    """Return the folder or game file that `data` names, or the list of files; raises SpecError where it is neither."""
    wanted = "a folder, a game file, or a list of game files"
    if isinstance(data, Sequence) and not isinstance(data, str):
        return tuple([checked_text("data", name, wanted) for name in data])
    return checked_text("data", data, wanted)


def data_folder(data: str | None) -> Path:
    """Return the folder that holds the official data: `data`, else `$ALFWORLD_DATA`.

    Raises:
        DataError: it is not there; says how to get it.
    """
    named = data or os.environ.get(DATA_VARIABLE)
    if named is None:
        raise DataError(f"the official ALFWorld data is needed: pass data= or set ${DATA_VARIABLE}. {_how_to_get()}")
    folder = expanded(named, DataError)
    if not (folder / GAMES_FOLDER).is_dir():
        raise DataError(f"no ALFWorld data at {folder / GAMES_FOLDER}. {_how_to_get()}")
    return folder


def named_games(data: str | Sequence[str]) -> tuple[Path, ...] | None:
    """Return the game files that `data` names, one or a list of them, in its order; None where it names a folder.

    Raises:
        DataError: a file is missing, no game, or marked unsolvable; the message names it.
    """
    if isinstance(data, str) and not expanded(data, DataError).is_file():
        return None
    paths = tuple(expanded(name, DataError) for name in ([data] if isinstance(data, str) else data))
    for path in paths:
        if not _is_solvable(path):
            raise DataError(f"{path}: the game is marked unsolvable; leave it out")
    if not paths:
        raise DataError("data= names no game; give a folder, a game file, or a list of game files")
    return paths


def check_split(games: Sequence[Path], split: str) -> None:
    """Check that no game lies in the folder of another official split, so that a held-out one is never trained on.

    Raises:
        DataError: naming the first game of which that is not so, and its split.
    """
    for path in games:
        folders = path.resolve().parts
        at = folders.index(GAMES_FOLDER) + 1 if GAMES_FOLDER in folders else len(folders)
        found = "".join(folders[at : at + 1])
        if found in OFFICIAL_SPLITS and found != split:
            raise DataError(f"{path} is a game of the split {found}, not of {split}; give split={found!r}")


def game_files(folder: Path, split: str) -> tuple[Path, ...]:
    """Return the playable games of an official split, in order of path; raises DataError where there are none.

    The folder is read anew each time: what was added to it is there. What a file says is remembered until it changes.
    """
    root = folder / GAMES_FOLDER / split
    found = sorted(path for path in root.rglob(GAME_FILE) if not any(word in str(path) for word in _UNSUPPORTED))
    games = tuple(path for path in found if _is_solvable(path))
    if not games:
        raise DataError(f"no solvable {GAME_FILE} below {root}. {_how_to_get()}")
    return games


def game_name(path: Path) -> str:
    """Return what a record calls a game: its path from `json_2.1.1` on, or its file name where it lies elsewhere."""
    parts = path.parts
    return "/".join(parts[parts.index(GAMES_FOLDER) :]) if GAMES_FOLDER in parts else path.name


def game_of_seed(games: tuple[Path, ...], split: str, seed: int) -> Path:
    """Return the game that a seed plays: a permutation of the split, so that seeds 0 to n-1 play each game once."""
    return games[_order(split, len(games))[seed % len(games)]]


@lru_cache(maxsize=16)
def _order(split: str, length: int) -> tuple[int, ...]:
    return tuple(int(i) for i in stream("alfworld", "official", split).permutation(length))


def _is_solvable(path: Path) -> bool:
    """Return whether the official environment would play this game: it is not marked unsolvable."""
    try:
        status = path.stat()
    except OSError:
        raise DataError(f"no game file at {path}") from None
    return _says_solvable(path, status.st_mtime_ns, status.st_size)


@lru_cache(maxsize=1 << 14)
def _says_solvable(path: Path, mtime_ns: int, size: int) -> bool:
    return bool(read_json(path).get("solvable", True))


def _how_to_get() -> str:
    return "Get it with `agentgen-bench data alfworld --folder FOLDER`, or with alfworld's own `alfworld-download`"
