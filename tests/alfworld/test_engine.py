"""The engine answers as the official stack: recorded transcripts, and each rule that is easily got wrong."""

import pytest

from agentgen_bench.envs.alfworld.engine import Engine
from agentgen_bench.envs.alfworld.gamefile import Dialect, game_json, official_texts, parse_game
from agentgen_bench.envs.alfworld.goals import LookGoal, PlaceGoal
from agentgen_bench.envs.alfworld.pddl import parse_problem
from agentgen_bench.envs.alfworld.scene import build_scene, entity_names
from agentgen_bench.errors import DataError
from tests.alfworld.games import kitchen, played, recorded_episodes, recorded_game, recorded_scene

EPISODES = recorded_episodes()


@pytest.mark.data
def test_the_reference_data_holds_episodes():
    assert len(EPISODES) == 26


@pytest.mark.data
@pytest.mark.parametrize("episode", EPISODES, ids=lambda episode: f"{episode['game'][:30]}-{episode['variant']}")
def test_recorded_episodes_replay_byte_for_byte(episode):
    engine = Engine(recorded_scene(episode["game"]))
    assert engine.reset() == episode["intro"]
    assert list(engine.admissible_commands()) == episode["admissible0"]
    for step in episode["steps"]:
        answer = engine.step(step["command"])
        assert answer.feedback == step["feedback"]
        assert list(engine.admissible_commands()) == step["admissible"]
        assert engine.won == step["won"]


def test_numbers_count_down_in_the_order_of_identifiers():
    names = entity_names({"cabinet_bar_01", "cabinet_bar_02", "sink_bar_1", "sink_bar_1_bar_sinkbasin", "agent1"})
    assert names == {
        "agent1": "agent1 ",
        "cabinet_bar_01": "cabinet 2",
        "cabinet_bar_02": "cabinet 1",
        "sink_bar_1": "sink 1",
        "sink_bar_1_bar_sinkbasin": "sinkbasin 1",
    }


def test_only_the_first_observation_lists_the_room():
    engine = Engine(kitchen())
    assert engine.reset() == (
        "-= Welcome to TextWorld, ALFRED! =-\n\nYou are in the middle of a room. Looking quickly around you, you see a "
        "cabinet 1, a countertop 1, a fridge 1, a microwave 1, a shelf 1, and a sinkbasin 1.\n\n"
        "Your task is to: put a apple in shelf."
    )
    assert engine.step("look").feedback == (
        "You are in the middle of a room. Looking quickly around you, you see nothing."
    )


def test_a_shared_stand_point_faces_both_receptacles():
    feedback = played(kitchen(), "go to countertop 1", "look", "go to shelf 1", "examine shelf 1")
    assert feedback == [
        "You arrive at countertop 1. On the countertop 1, you see a apple 2, and a knife 1.",
        "You are facing the countertop 1, and shelf 1. Next to it, you see nothing.",
        "Nothing happens.",
        "On the shelf 1, you see a bowl 1, and a desklamp 1.",
    ]


def test_next_to_it_lies_what_moved_between_receptacles_of_one_stand_point():
    feedback = played(
        kitchen(), "go to shelf 1", "take apple 2 from countertop 1", "look", "move apple 2 to shelf 1", "look"
    )
    assert feedback[2] == "You are facing the countertop 1, and shelf 1. Next to it, you see nothing."
    assert feedback[4] == "You are facing the countertop 1, and shelf 1. Next to it, you see a apple 2."


def test_only_the_held_object_can_be_examined():
    feedback = played(
        kitchen(), "go to shelf 1", "examine apple 2", "take apple 2 from countertop 1", "examine apple 2"
    )
    assert feedback[1] == "Nothing happens."
    assert feedback[3] == "There's nothing special about apple 2."


def test_a_movable_receptacle_is_normal():
    feedback = played(kitchen(), "go to shelf 1", "take bowl 1 from shelf 1", "examine bowl 1")
    assert feedback[2] == "This is a normal bowl 1. In it, you see nothing."


def test_the_lamp_always_turns_on():
    feedback = played(kitchen(), "use desklamp 1", "go to shelf 1", "use desklamp 1", "use desklamp 1")
    assert feedback[0] == "Nothing happens."
    assert feedback[2:] == ["You turn on the desklamp 1."] * 2


def test_heating_and_cooling_need_no_opening_and_undo_each_other():
    feedback = played(
        kitchen(),
        "go to shelf 1",
        "take apple 2 from countertop 1",
        "go to microwave 1",
        "heat apple 2 with microwave 1",
        "examine apple 2",
        "go to fridge 1",
        "cool apple 2 with fridge 1",
        "examine apple 2",
        "go to sinkbasin 1",
        "clean apple 2 with sinkbasin 1",
        "examine apple 2",
    )
    assert feedback[3:5] == ["You heat the apple 2 using the microwave 1.", "This is a hot apple 2."]
    assert feedback[6:8] == ["You cool the apple 2 using the fridge 1.", "This is a cold apple 2."]
    assert feedback[10] == "This is a cool and clean apple 2."


def test_slicing_needs_only_the_object_at_the_stand_point():
    feedback = played(
        kitchen(),
        "go to shelf 1",
        "take knife 1 from countertop 1",
        "slice apple 2 with knife 1",
        "go to cabinet 1",
        "slice apple 1 with knife 1",
        "examine knife 1",
    )
    assert feedback[2] == "You sliced the apple 2 with the knife 1."
    assert feedback[3:5] == [
        "You arrive at cabinet 1. The cabinet 1 is closed.",
        "You sliced the apple 1 with the knife 1.",
    ]
    assert feedback[5] == "There's nothing special about knife 1."


def test_an_object_may_lie_in_two_receptacles():
    scene = kitchen(extra="inreceptacle apple_bar_1 shelf_bar_1")
    feedback = played(scene, "go to shelf 1", "take apple 2 from countertop 1", "examine shelf 1")
    assert feedback[2] == "On the shelf 1, you see a apple 2, a bowl 1, and a desklamp 1."


def test_help_has_no_leading_newline_and_only_the_newer_dialect_has_it():
    assert played(kitchen(), "help")[0].startswith("Available commands:\n  look: ")
    assert played(kitchen(dialect=Dialect.V03), "help") == ["Nothing happens."]


@pytest.mark.parametrize(
    "command", ["", "LOOK", "go  to shelf 1", "go to shelf", "take apple 2", "dance", "go to agent1 "]
)
def test_commands_are_matched_exactly(command):
    assert played(kitchen(), command) == ["Nothing happens."]


def test_commands_are_stripped():
    assert played(kitchen(), "  inventory\n") == ["You are not carrying anything."]


def test_the_older_dialect_puts_in_or_on_and_arrives_at_locations():
    feedback = played(
        kitchen(dialect=Dialect.V03),
        "go to shelf 1",
        "take apple 2 from countertop 1",
        "move apple 2 to shelf 1",
        "put apple 2 in/on shelf 1",
    )
    assert feedback == [
        "You arrive at loc 6. On the shelf 1, you see a bowl 1, and a desklamp 1.",
        "You pick up the apple 2 from the countertop 1.",
        "Nothing happens.",
        "You put the apple 2 in/on the shelf 1.",
    ]


def test_an_invalid_command_changes_nothing():
    engine = Engine(kitchen())
    before = engine.__getstate__()
    engine.step("take apple 2 from countertop 1")
    assert engine.__getstate__() == before


def test_admissible_commands_are_those_that_do_something():
    engine = Engine(kitchen())
    for command in ("go to shelf 1", "take knife 1 from countertop 1", "go to cabinet 1", "open cabinet 1"):
        for name in engine.admissible_commands():
            copy = Engine(engine.scene)
            copy.__setstate__(tuple(_copied(value) for value in engine.__getstate__()))
            assert copy.step(name).is_valid
        engine.step(command)


def _copied(value):
    return value.copy() if isinstance(value, (list, set, dict)) else value


@pytest.mark.parametrize(
    ("goal", "progress"),
    [(PlaceGoal("apple", "shelf", ("clean", "sliced")), 1 / 3), (PlaceGoal("apple", "shelf", (), 2), 1 / 2)],
)
def test_progress_is_the_share_of_conditions_met(goal, progress):
    engine = Engine(kitchen(goal))
    assert engine.progress == 0.0
    for command in ("go to shelf 1", "take apple 2 from countertop 1", "move apple 2 to shelf 1"):
        engine.step(command)
    assert engine.progress == pytest.approx(progress)
    assert not engine.won


def test_looking_needs_the_object_in_hand_where_the_lamp_is_lit():
    engine = Engine(kitchen(LookGoal("apple", "desklamp")))
    for command in ("go to shelf 1", "use desklamp 1"):
        engine.step(command)
    assert engine.progress == 0.5
    engine.step("take apple 2 from countertop 1")
    assert engine.won


def test_the_older_dialect_differs_from_the_official_texts_in_four_places():
    new, old = official_texts(Dialect.V04), official_texts(Dialect.V03)
    assert "(:action help" in new[0]
    assert "(:action help" not in old[0]
    assert "You put the {o.name} in/on the {r.name}." in old[1]


@pytest.mark.data
def test_a_game_survives_writing_and_reading():
    game = recorded_game("real_heat_potato_sinkbasin.tw-pddl.gz")
    copy = parse_game(game_json(game))
    assert copy.task == game.task
    assert copy.goal == game.goal
    assert build_scene(copy) == build_scene(game)


@pytest.mark.data
def test_unknown_rules_are_refused():
    game = game_json(recorded_game("real_heat_potato_sinkbasin.tw-pddl.gz"))
    game["pddl_domain"] = game["pddl_domain"].replace("heatable", "cookable")
    with pytest.raises(DataError, match=r"neither alfworld 0\.3 nor 0\.4; play this game with backend='textworld'"):
        parse_game(game)


def test_an_unsupported_goal_is_refused():
    problem = "(define (problem p) (:init (atlocation agent1 loc_bar_1)) (:goal (and (opened fridge_bar_1))))"
    with pytest.raises(DataError, match="unsupported goal"):
        parse_game({**game_json_without_problem(), "pddl_problem": problem})


def game_json_without_problem():
    domain, grammar = official_texts(Dialect.V04)
    return {"pddl_domain": domain, "grammar": grammar}


@pytest.mark.parametrize("text", ["", "(define", "(define (problem p))", "define)"])
def test_broken_pddl_is_refused(text):
    with pytest.raises(DataError, match="not a PDDL problem"):
        parse_problem(text)


def test_an_unknown_predicate_is_refused():
    with pytest.raises(DataError, match="unknown predicate 'haunted'"):
        kitchen(extra="haunted shelf_bar_1")
