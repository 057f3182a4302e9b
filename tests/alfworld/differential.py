"""Games and commands for comparing the engine with the official stack."""

from typing import NamedTuple

from agentgen_bench.envs.alfworld import tasks
from agentgen_bench.envs.alfworld.engine import Engine
from agentgen_bench.envs.alfworld.gamefile import Dialect, Game
from agentgen_bench.envs.alfworld.generator import generate_level
from agentgen_bench.envs.alfworld.pddl import Fact
from agentgen_bench.envs.alfworld.planner import shortest_plan
from agentgen_bench.envs.alfworld.settings import PRESETS, LevelSettings

MALFORMED = (
    "", " ", "go", "go to", "go to nowhere 1", "take", "take mug 1", "Look", "look around", "inventory ", "  look",
    "examine", "open 1", "move to", "put mug 1 in/on shelf 1", "use", "heat with microwave 1", "help me", "look\nlook",
    "take  mug 1 from shelf 1", "go to  shelf 1", "café 1", "examine agent1", "examine loc 1", "clean", "slice a b",
)  # fmt: skip
VERBS = ("go to {r}", "open {r}", "close {r}", "examine {r}", "examine {o}", "take {o} from {r}", "use {o}")
VERBS += ("move {o} to {r}", "put {o} in/on {r}", "heat {o} with {r}", "clean {o} with {r}", "cool {o} with {r}")
VERBS += ("slice {o} with {p}",)


class Difference(NamedTuple):
    """A step at which the two disagree."""

    command: str
    engine: tuple[object, ...]
    official: tuple[object, ...]


def drawn_game(seed: int, twists: tuple[int, ...], dialect: Dialect) -> Game:
    """Return a generated game with an adversarial start: each twist changes some facts."""
    knobs = LevelSettings(
        difficulty=tuple(PRESETS)[seed % 3],
        task_types=(tuple(tasks.TASK_TYPES)[seed % len(tasks.TASK_TYPES)],) if seed % 5 else tasks.OFFICIAL_TASK_TYPES,
        colocated=seed % 2 == 0,
    )
    if knobs.difficulty == "easy":  # few of the longer tasks are easy
        knobs = LevelSettings(knobs.difficulty, task_types=tasks.OFFICIAL_TASK_TYPES, colocated=knobs.colocated)
    game = generate_level(knobs, seed).game._replace(dialect=dialect)
    for twist in twists:
        game = _twisted(game, twist)
    return game


def _twisted(game: Game, twist: int) -> Game:
    kind, number = twist % 10, twist // 10
    objects = sorted(fact[1] for fact in game.facts if fact[0] == "pickupable")
    holders = {fact[1]: fact[2] for fact in game.facts if fact[0] == "inreceptacle"}
    places = {fact[1]: fact[2] for fact in game.facts if fact[0] == "receptacleatlocation"}
    closed = sorted(fact[1] for fact in game.facts if fact[0] == "openable")
    item, receptacle = objects[number % len(objects)], sorted(places)[number % len(places)]
    facts = list(game.facts)
    if kind == 0 and closed:
        facts.append(("opened", closed[number % len(closed)]))
    elif kind == 1:
        facts.append((("ishot", "isclean", "iscool", "issliced", "istoggled")[number % 5], item))
    elif kind == 2 and item in holders and not any(fact[0] == "holds" for fact in facts):
        gone = {("inreceptacle", item, holders[item]), ("objectatlocation", item, places[holders[item]])}
        facts = [fact for fact in facts if fact not in gone] + [("holds", "agent1", item), ("holdsany", "agent1")]
    elif kind == 3:  # the agent starts at a stand point
        facts = [("atlocation", "agent1", places[receptacle]) if fact[0] == "atlocation" else fact for fact in facts]
    elif kind == 4:  # an object in two receptacles
        facts.append(("inreceptacle", item, receptacle))
    elif kind == 5:  # an object beside, not in, a receptacle
        facts.append(("objectatlocation", item, places[receptacle]))
    elif kind == 6:  # things that are nowhere still count for names
        facts += [("objecttype", "window_bar_01", "windowtype"), ("objectatlocation", "window_bar_01", "loc_bar_77")]
        facts += [("objecttype", f"{item.partition('_bar_')[0]}_bar_00", f"{item.partition('_bar_')[0]}type")]
    elif kind == 7:  # a movable receptacle with something in it
        facts += [("isreceptacleobject", item), ("inreceptacleobject", objects[(number + 1) % len(objects)], item)]
    elif kind == 8:  # two receptacles share a stand point
        facts = _moved(facts, receptacle, places[sorted(places)[(number + 1) % len(places)]], places)
    else:  # a second lamp that can be picked up
        facts.append(("toggleable", item))
    return game._replace(facts=tuple(dict.fromkeys(facts)))


def _moved(facts: list[Fact], receptacle: str, place: str, places: dict[str, str]) -> list[Fact]:
    inside = {fact[1] for fact in facts if fact[0] == "inreceptacle" and fact[2] == receptacle}
    return [
        (fact[0], fact[1], place)
        if (fact[0] == "receptacleatlocation" and fact[1] == receptacle)
        or (fact[0] == "objectatlocation" and fact[1] in inside and fact[2] == places[receptacle])
        else fact
        for fact in facts
    ]


def drawn_command(engine: Engine, number: int) -> str:
    """Return a command: mostly valid, with verbs drawn evenly; some plausible, some malformed, some of a plan."""
    kind, rest = number % 16, number // 16
    if kind == 0:
        return MALFORMED[rest % len(MALFORMED)]
    if kind <= 3:
        return _plausible(engine, rest)
    if kind == 4:
        return (shortest_plan(engine) or ("look",))[0]
    commands = engine.admissible_commands()
    verbs = sorted({command.partition(" ")[0] for command in commands})
    chosen = [command for command in commands if command.partition(" ")[0] == verbs[rest % len(verbs)]]
    return chosen[rest // len(verbs) % len(chosen)]


def _plausible(engine: Engine, number: int) -> str:
    """Return a well-formed command about things of this room, rarely one that is possible now."""
    objects, receptacles = engine.scene.object_names, engine.scene.receptacle_names
    number, verb = divmod(number, len(VERBS))
    number, r = divmod(number, len(receptacles))
    near = engine.scene.receptacles_at[engine.location]
    receptacle = receptacles[near[r % len(near)]] if near and r % 2 else receptacles[r]
    item = objects[engine.held] if engine.held >= 0 and number % 2 else objects[number % len(objects)]
    other = objects[number // 7 % len(objects)]
    return VERBS[verb].format(o=item, r=receptacle, p=objects[engine.held] if engine.held >= 0 else other)
