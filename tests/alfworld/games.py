"""Small games by hand and recorded ones, shared by the tests of the family."""

from functools import cache

from agentgen_bench.envs.alfworld.engine import Engine
from agentgen_bench.envs.alfworld.gamefile import Dialect, Game, parse_game
from agentgen_bench.envs.alfworld.goals import Goal, PlaceGoal
from agentgen_bench.envs.alfworld.pddl import Fact
from agentgen_bench.envs.alfworld.scene import Scene, build_scene
from tests.conftest import REFERENCE_DATA, reference_json

# A kitchen: countertop and shelf share a stand point; the cupboard is closed; a knife, two apples, a lamp, a bowl.
KITCHEN = """
atlocation agent1 loc_bar_9
receptacletype countertop_bar_1 countertoptype; receptacleatlocation countertop_bar_1 loc_bar_1
receptacletype shelf_bar_1 shelftype; receptacleatlocation shelf_bar_1 loc_bar_1
receptacletype cabinet_bar_1 cabinettype; receptacleatlocation cabinet_bar_1 loc_bar_2; openable cabinet_bar_1
receptacletype microwave_bar_1 microwavetype; receptacleatlocation microwave_bar_1 loc_bar_3; openable microwave_bar_1
receptacletype fridge_bar_1 fridgetype; receptacleatlocation fridge_bar_1 loc_bar_4; openable fridge_bar_1
receptacletype sink_bar_1_bar_sinkbasin sinkbasintype; receptacleatlocation sink_bar_1_bar_sinkbasin loc_bar_5
objecttype apple_bar_1 appletype; pickupable apple_bar_1; heatable apple_bar_1; coolable apple_bar_1
cleanable apple_bar_1; sliceable apple_bar_1; inreceptacle apple_bar_1 countertop_bar_1
objectatlocation apple_bar_1 loc_bar_1
objecttype apple_bar_2 appletype; pickupable apple_bar_2; heatable apple_bar_2; coolable apple_bar_2
cleanable apple_bar_2; sliceable apple_bar_2; inreceptacle apple_bar_2 cabinet_bar_1
objectatlocation apple_bar_2 loc_bar_2
objecttype knife_bar_1 knifetype; pickupable knife_bar_1; inreceptacle knife_bar_1 countertop_bar_1
objectatlocation knife_bar_1 loc_bar_1
objecttype desklamp_bar_1 desklamptype; toggleable desklamp_bar_1; inreceptacle desklamp_bar_1 shelf_bar_1
objectatlocation desklamp_bar_1 loc_bar_1
objecttype bowl_bar_1 bowltype; pickupable bowl_bar_1; isreceptacleobject bowl_bar_1
inreceptacle bowl_bar_1 shelf_bar_1; objectatlocation bowl_bar_1 loc_bar_1
cancontain countertoptype appletype; cancontain countertoptype knifetype; cancontain shelftype appletype
cancontain shelftype bowltype; cancontain cabinettype appletype; cancontain microwavetype appletype
cancontain fridgetype appletype; cancontain sinkbasintype appletype; cancontain shelftype knifetype
"""


def facts_of(text: str) -> tuple[Fact, ...]:
    return tuple(tuple(fact.split()) for line in text.splitlines() for fact in line.split(";") if fact.strip())


def kitchen(goal: Goal | None = None, extra: str = "", dialect: Dialect = Dialect.V04, without: str = "") -> Scene:
    """Return the kitchen's scene, with facts added or left out."""
    facts = [fact for fact in facts_of(KITCHEN + extra) if fact not in facts_of(without)]
    return build_scene(Game(dialect, tuple(facts), goal or PlaceGoal("apple", "shelf"), "put a apple in shelf."))


def played(scene: Scene, *commands: str) -> list[str]:
    """Return the feedback of each command."""
    engine = Engine(scene)
    return [engine.step(command).feedback for command in commands]


@cache
def recorded_scene(game: str) -> Scene:
    return build_scene(recorded_game(game))


def recorded_game(game: str) -> Game:
    return parse_game(reference_json(f"alfworld/games/{game}"))


def recorded_episodes() -> list[dict[str, object]]:
    """Return what the official stack answered; empty where the reference data is missing."""
    if not REFERENCE_DATA.is_dir():
        return []
    return list(reference_json("alfworld/transcripts.json.gz")["episodes"])
