"""The official data: `json_2.1.1/{train,valid_seen,valid_unseen}/**/game.tw-pddl` below a folder."""

import os
from functools import lru_cache
from pathlib import Path

from agentgen_bench.envs.alfworld.gamefile import GAME_FILE, read_json
from agentgen_bench.errors import DataError
from agentgen_bench.seeding import stream

DATA_VARIABLE = "ALFWORLD_DATA"
OFFICIAL_SPLITS = ("train", "valid_seen", "valid_unseen")
GAMES_FOLDER = "json_2.1.1"
_UNSUPPORTED = ("movable", "Sliced")  # left out by the official environment, agents/environment/alfred_tw_env.py


def data_folder(data: str | None) -> Path:
    """Return the folder that holds the official data: `data`, else `$ALFWORLD_DATA`.

    Raises:
        DataError: it is not there; says how to get it.
    """
    named = data or os.environ.get(DATA_VARIABLE)
    if named is None:
        raise DataError(f"the official ALFWorld data is needed: pass data= or set ${DATA_VARIABLE}. {_how_to_get()}")
    folder = Path(named).expanduser()
    if not (folder / GAMES_FOLDER).is_dir():
        raise DataError(f"no ALFWorld data at {folder / GAMES_FOLDER}. {_how_to_get()}")
    return folder


@lru_cache(maxsize=16)
def game_files(folder: Path, split: str) -> tuple[Path, ...]:
    """Return the playable games of an official split, in order of path; raises DataError where there are none."""
    root = folder / GAMES_FOLDER / split
    found = sorted(path for path in root.rglob(GAME_FILE) if not any(word in str(path) for word in _UNSUPPORTED))
    games = tuple(path for path in found if _is_solvable(path))
    if not games:
        raise DataError(f"no solvable {GAME_FILE} below {root}. {_how_to_get()}")
    return games


def game_of_seed(games: tuple[Path, ...], split: str, seed: int) -> Path:
    """Return the game that a seed plays: a permutation of the split, so that seeds 0 to n-1 play each game once."""
    return games[_order(split, len(games))[seed % len(games)]]


@lru_cache(maxsize=16)
def _order(split: str, length: int) -> tuple[int, ...]:
    return tuple(int(i) for i in stream("alfworld", "official", split).permutation(length))


def _is_solvable(path: Path) -> bool:
    """Return whether the official environment would play this game: it is not marked unsolvable."""
    return bool(read_json(path).get("solvable", True))


def _how_to_get() -> str:
    return "Get it with `agentgen-bench data alfworld --folder FOLDER`, or with alfworld's own `alfworld-download`"
