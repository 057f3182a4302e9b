"""The player that finds out hidden names of Sokoban's moves: what it tries, what it writes, what that is worth."""

from statistics import mean

import pytest

from agentgen_bench.episodes import Episode
from agentgen_bench.errors import SpecError
from agentgen_bench.policies.demonstrators import Imitable
from agentgen_bench.policies.names import DEMONSTRATORS
from agentgen_bench.policies.sokoban_planner import SokobanPlanner
from agentgen_bench.policies.sokoban_word_finder import SokobanWordFinder
from agentgen_bench.prompts import History, PromptConfig, Turn
from agentgen_bench.rollout import Job, play
from agentgen_bench.spec import TaskSpec

WORDS = ("blick", "flane", "quib", "zorp")
START, RIGHT, PUSHED = "######\n#P_XO#\n######", "######\n#_PXO#\n######", "######\n#__P√#\n######"


def history(observation: str, *turns: tuple[str, str], context: str = "", listed: tuple[str, ...] = WORDS) -> History:
    played = tuple([Turn(seen, action) for seen, action in turns])
    return History((), "Sokoban", "Push the box.", 1 + len(turns), 9, observation, played, (), listed, context)


def completion(asked: History) -> str:
    """Return what it says after the planner's thought, and does."""
    said = SokobanWordFinder().act([asked])[0].completion
    (planned,) = SokobanPlanner().act([asked])
    return said.replace(planned.completion.partition("</think>")[0] + "\n", "<think>") if planned.action else said


def test_it_tries_the_first_listed_word_that_it_knows_nothing_of() -> None:
    assert completion(history(START)) == "<think>right ?</think><action>blick</action>"
    assert completion(history(START, context="up blick")) == "<think>right ?</think><action>flane</action>"


def test_its_thought_begins_like_the_planners() -> None:
    said = SokobanWordFinder().act([history(START, context="right zorp")])[0].completion
    assert said.startswith("<think>I am at (1, 1). The box at (1, 3) must end on the target at (1, 4): push it right.")
    assert said.endswith("\nright zorp</think><action>zorp</action>")


def test_a_word_that_led_nowhere_is_not_tried_again_on_the_same_board() -> None:
    assert completion(history(START, (START, "blick"))) == "<think>right ?</think><action>flane</action>"


def test_it_says_what_a_word_did_and_uses_it() -> None:
    asked = history(RIGHT, (START, "flane"))
    assert completion(asked) == "<think>right flane;right flane</think><action>flane</action>"


def test_it_walks_in_the_words_of_its_context() -> None:
    assert completion(history(START, context="right zorp")) == "<think>right zorp</think><action>zorp</action>"


def test_a_word_of_the_context_that_is_not_listed_is_wrong_here() -> None:
    assert completion(history(START, context="right mosk")) == "<think>right ?</think><action>blick</action>"


def test_where_nothing_can_be_solved_any_more_it_learns_words() -> None:
    lost = "######\n#XP_O#\n######"
    assert completion(history(lost, context="up blick")) == "<think>lost</think><action>flane</action>"


def test_an_update_adds_what_was_seen_to_what_was_kept() -> None:
    observation = (
        f"The task was: Push the box.\n\nObservation:\n{START}\n\nAction: zorp\nObservation:\n{RIGHT}\n\n"
        f"Action: (none)\nObservation:\n{RIGHT}\n\nAction: zorp\nObservation:\n{PUSHED}\n\n"
        "The task is over: it was solved, after 3 of at most 9 steps. Score: 1.00 of 1.00. "
        "Actions that were not possible: 1."
    )
    asked = History((), "Sokoban", "", 1, 1, observation, (), ("(empty)",), (), "up blick", 2000)
    assert SokobanWordFinder().act([asked])[0].action == "up blick;right zorp"


def packs(lifecycle: str) -> list[Episode]:
    knobs = (("boxes", 1), ("pushes", (1, 2)), ("moves", (1, 5)), ("max_steps", 5))
    spec = TaskSpec("Sokoban", "lean", "easy", interface="opaque", lifecycle=lifecycle, knobs=knobs)
    played = play([Job(spec, level) for level in range(20)], SokobanWordFinder(), record_text=False)
    return sorted(played, key=lambda pack: pack.seed)


def test_what_it_writes_is_worth_half_of_the_later_tasks() -> None:
    kept, wiped = ([[task.score for task in pack.tasks] for pack in packs(name)] for name in ("cod-4", "cod-4-wiped"))
    assert [pack[0] for pack in kept] == [pack[0] for pack in wiped]
    later = [mean(score for pack in scores for score in pack[1:]) for scores in (kept, wiped)]
    assert later[0] >= 0.9
    assert later[1] <= 0.5


def test_prompts_that_do_not_list_the_words_cannot_teach_it() -> None:
    policy = SokobanWordFinder()
    shown, hidden = (PromptConfig(protocol="chat", action_hints=hints) for hints in ("templates", "none"))
    assert policy.name in DEMONSTRATORS  # which collect holds to the prompt
    assert Imitable(policy, shown).act([history(START)])[0].action == "blick"
    with pytest.raises(SpecError, match="sokoban-word-finder cannot be imitated in Sokoban"):
        Imitable(policy, hidden).act([history(START)])
