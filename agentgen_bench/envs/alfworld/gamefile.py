"""The official `game.tw-pddl` files: JSON that holds domain, grammar, problem, solvable and walkthrough.

Domain and grammar of alfworld 0.4 lie in `official_files` (MIT, with their licence); 0.3 differs in four strings.
"""

import gzip
import hashlib
import json
import re
import zlib
from collections.abc import Mapping
from enum import Enum
from functools import cache
from importlib import resources
from pathlib import Path
from typing import NamedTuple, NotRequired, TypedDict, cast

from agentgen_bench.envs.alfworld.goals import Goal, goal_pddl, parse_goal
from agentgen_bench.envs.alfworld.pddl import Fact, parse_problem, write_problem
from agentgen_bench.errors import DataError

GAME_FILE = "game.tw-pddl"
TEXT_KEYS = ("grammar", "pddl_domain", "pddl_problem")
_TASK = re.compile(r'("rhs": "Your task is to: )((?:[^"\\]|\\.)*)"')
_PLACEHOLDER = "UNKNOWN GOAL."
# PDDL type of each argument of the facts in :init that name an individual thing
ARGUMENT_TYPES = {
    "atlocation": ("agent", "location"),
    "receptacleatlocation": ("receptacle", "location"),
    "objectatlocation": ("object", "location"),
    "inreceptacle": ("object", "receptacle"),
    "inreceptacleobject": ("object", "object"),
    "receptacletype": ("receptacle", "rtype"),
    "objecttype": ("object", "otype"),
    "cancontain": ("rtype", "otype"),
    "openable": ("receptacle",),
    "opened": ("receptacle",),
    "holds": ("agent", "object"),
    "holdsany": ("agent",),
}
# Constants that the domain's actions mention; the official parser needs them declared in every problem.
_CONSTANTS = (
    ("sinkbasintype", "rtype"),
    ("microwavetype", "rtype"),
    ("fridgetype", "rtype"),
    ("knifetype", "otype"),
    ("butterknifetype", "otype"),
)


class Dialect(Enum):
    """The wording of a release of alfworld."""

    V03 = "0.3"  # put X in/on Y; You arrive at loc 5.
    V04 = "0.4"  # move X to Y; You arrive at shelf 1.; help


class Game(NamedTuple):
    """What a game file says, before it becomes a scene. `task` is the goal in words, without "Your task is to: "."""

    dialect: Dialect
    facts: tuple[Fact, ...]
    goal: Goal
    task: str


class GameJson(TypedDict):
    """The JSON object of a game file; those of the originals hold more, which nothing here reads."""

    pddl_domain: str
    grammar: str
    pddl_problem: str
    solvable: NotRequired[bool]
    walkthrough: NotRequired[list[str] | None]


def read_json(path: Path) -> GameJson:
    """Return the JSON object of a game file, plain or gzipped; raises DataError naming the file."""
    try:
        raw = path.read_bytes()
        data = json.loads(gzip.decompress(raw) if path.suffix == ".gz" else raw)  # a byte order mark is skipped
    except FileNotFoundError:
        raise DataError(f"no game file at {path}") from None
    except RecursionError:
        raise DataError(f"{path}: not a game file: its brackets lie too deep in each other") from None
    except (ValueError, OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path}: not a game file ({error})") from error
    if not isinstance(data, dict):
        raise DataError(f"{path}: not a game file: expected a JSON object, got a {type(data).__name__}")
    try:
        _check_texts(data)
    except DataError as error:
        raise DataError(f"{path}: {error}") from None
    return cast(GameJson, data)


def parse_game(data: GameJson) -> Game:
    """Return the game of parsed JSON; raises DataError for an unknown domain, grammar or goal."""
    _check_texts(data)
    problem = parse_problem(data["pddl_problem"])
    return Game(_dialect(data), problem.facts, parse_goal(problem.goal), task_of(data))


def _check_texts(data: Mapping[str, object]) -> None:
    missing = sorted(set(TEXT_KEYS) - set(data))
    if missing:
        raise DataError(f"not a {GAME_FILE} file: it lacks {missing}")
    for key in TEXT_KEYS:
        if not isinstance(data[key], str):
            raise DataError(f"not a {GAME_FILE} file: key {key!r} should hold a string, got {data[key]!r:.80}")


def task_of(data: GameJson) -> str:
    """Return the task sentence that the grammar of a game file holds; raises DataError where there is none."""
    match = _TASK.search(str(data.get("grammar")))
    if match is None:
        raise DataError("the grammar holds no task sentence ('Your task is to: ...')")
    return str(json.loads(f'"{match[2]}"'))


def game_json(game: Game, walkthrough: tuple[str, ...] | None = None) -> GameJson:
    """Return the JSON object of a game file that the official stack loads and plays."""
    domain, grammar = official_texts(game.dialect)
    return {
        "pddl_domain": domain,
        "grammar": grammar.replace(_PLACEHOLDER, json.dumps(game.task)[1:-1]),
        "pddl_problem": write_problem("agentgen", _objects(game.facts), game.facts, goal_pddl(game.goal)),
        "solvable": True,
        "walkthrough": list(walkthrough) if walkthrough is not None else None,
    }


@cache
def official_texts(dialect: Dialect) -> tuple[str, str]:
    """Return the official domain and the official grammar (its task still to be filled in) of a dialect."""
    folder = resources.files("agentgen_bench.envs.alfworld") / "official_files"
    domain = (folder / "alfred.pddl").read_text(encoding="utf-8")
    grammar = (folder / "alfred.twl2").read_text(encoding="utf-8")
    if dialect is Dialect.V04:
        return domain, grammar
    head, end = domain[: domain.index("(:action help")], "\n)\n"
    grammar = grammar[: grammar.index("\naction help {")]
    for new, old in (
        ("You arrive at {r.name}.", "You arrive at {lend.name}."),
        ("You move the {o.name} to the {r.name}.", "You put the {o.name} in/on the {r.name}."),
        ('"move {o} to {r}"', '"put {o} in/on {r}"'),
    ):
        grammar = grammar.replace(new, old)
    return head.rstrip("\n") + "\n\n" + end, grammar


@cache
def _known_texts() -> dict[tuple[str, str], Dialect]:
    texts = {dialect: official_texts(dialect) for dialect in Dialect}
    return {(_digest(domain), _digest(grammar)): dialect for dialect, (domain, grammar) in texts.items()}


def _dialect(data: GameJson) -> Dialect:
    """Return the dialect by the hashes of domain and of grammar without its task sentence."""
    grammar = _TASK.sub(lambda match: f'{match[1]}{_PLACEHOLDER}"', data["grammar"])
    domain = _digest(data["pddl_domain"])
    for (known_domain, known_grammar), dialect in _known_texts().items():
        if domain == known_domain and _digest(grammar) == known_grammar:
            return dialect
    raise DataError(
        f"unknown rules: domain {domain[:12]} with grammar {_digest(grammar)[:12]} is neither alfworld 0.3 nor 0.4; "
        "play this game with backend='textworld'"
    )


def _digest(text: str) -> str:
    return hashlib.sha256(" ".join(text.split()).encode()).hexdigest()


def _objects(facts: tuple[Fact, ...]) -> list[tuple[str, str]]:
    """Return every identifier in the facts with its PDDL type, in order of name."""
    kinds: dict[str, str] = dict(_CONSTANTS)
    for predicate, *arguments in facts:
        types = ARGUMENT_TYPES.get(predicate, ("object",) * len(arguments))
        kinds.update(zip(arguments, types, strict=True))
    return sorted(kinds.items())
