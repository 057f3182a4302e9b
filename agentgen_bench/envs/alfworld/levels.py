"""What a seed plays: a generated level or an official game, brought into one form and cached for the process."""

import hashlib
import json
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from agentgen_bench.envs.alfworld.engine import Engine
from agentgen_bench.envs.alfworld.gamefile import Game, GameJson, game_json, parse_game, read_json, task_of
from agentgen_bench.envs.alfworld.generator import GeneratedLevel, expected_search_steps, generate_level
from agentgen_bench.envs.alfworld.house import house_level
from agentgen_bench.envs.alfworld.planner import shortest_plan
from agentgen_bench.envs.alfworld.scene import Scene, build_scene
from agentgen_bench.envs.alfworld.settings import LevelSettings
from agentgen_bench.envs.alfworld.tasks import read_task
from agentgen_bench.errors import DataError

CACHED_LEVELS = 256  # a scene takes about 60 KB; the rollouts of a group share one


class Level(NamedTuple):
    """A level ready to be played."""

    task: str
    digest: str  # 16 hex digits over its content
    scene: Scene | None  # None where only the official stack knows the rules
    plan: tuple[str, ...] | None  # a shortest solution; None where none is known
    search_steps: float | None  # expected length of the reference searcher; None for a free-worded task
    game: Game | None
    path: Path | None  # of an official game


@lru_cache(maxsize=CACHED_LEVELS)
def generated_level(settings: LevelSettings, seed: int) -> Level:
    """Return a level of our own; raises SpecError where the settings allow none."""
    return _ready(generate_level(settings, seed))


@lru_cache(maxsize=CACHED_LEVELS)
def level_in_house(settings: LevelSettings, house_seed: int, seed: int) -> Level:
    """Return a level of our own in a house; raises SpecError where no task of the house can be solved."""
    return _ready(house_level(settings, house_seed, seed))


def _ready(level: GeneratedLevel) -> Level:
    scene = level.scene
    return Level(scene.task, scene.digest, scene, level.plan, level.search_steps, level.game, None)


def official_level(path: Path, *, any_rules: bool) -> Level:
    """Return an official game; with `any_rules`, also one whose rules the engine does not know.

    Raises:
        DataError: no such file, not a game file, or rules that the engine does not know.
    """
    try:
        changed = path.stat().st_mtime_ns
    except OSError:
        raise DataError(f"no game file at {path}") from None
    return _official(path, changed, any_rules)


@lru_cache(maxsize=CACHED_LEVELS)
def _official(path: Path, mtime_ns: int, any_rules: bool) -> Level:
    data = read_json(path)
    try:
        game = parse_game(data)
        scene = build_scene(game)
    except DataError as error:
        if not any_rules:
            raise DataError(f"{path}: {error}") from error
        digest = hashlib.sha256(json.dumps(data, sort_keys=True).encode()).hexdigest()[:16]
        return Level(task_of(data), digest, None, None, None, None, path)
    search_steps = expected_search_steps(scene) if read_task(scene.task) is not None else None
    return Level(scene.task, scene.digest, scene, shortest_plan(Engine(scene)), search_steps, game, path)


def game_data(level: Level) -> GameJson:
    """Return the JSON object of the level's game file, for the official stack."""
    if level.path is not None:
        return read_json(level.path)
    if level.game is None:
        raise DataError(f"level {level.digest} has neither a game nor a file")
    return game_json(level.game, level.plan)
