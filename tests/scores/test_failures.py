"""Rule-based failure modes."""

from dataclasses import replace

import pytest
from hypothesis import given, settings

from agentgen_bench.episodes import Episode, Step
from agentgen_bench.scores.base import Score
from agentgen_bench.scores.failures import MODES, NO_TEXTS, failure_scores, failures, failures_json, unknown_names
from agentgen_bench.seeding import stream
from agentgen_bench.text import Richness, Section, Source
from tests.scores.build import cell, episode, runs, step


def seen(action: str | None, text: str, source: Source = "state", *, valid: bool = True) -> Step:
    """A step after which the agent reads `text`."""
    return step(action, valid=valid, sections=(Section(text, Richness.LEAN, source),))


def shown(steps: list[Step], first: str = "start", family: str = "Sokoban") -> Episode:
    return episode(family=family, steps=steps, first_sections=(Section(first, Richness.LEAN, "state"),))


def scored(episodes: list[Episode]) -> dict[str, Score]:
    return {score.name: score for score in failure_scores(episodes, stream("t"))}


def test_an_unparsed_step_is_not_an_invalid_action() -> None:
    got = failures(episode(steps=[step(None, valid=False, parse_reason="empty")]))
    assert (got.unparsable, got.invalid_action) == (True, False)
    got = failures(episode(steps=[step("fly", valid=False)]))
    assert (got.unparsable, got.invalid_action) == (False, True)


def test_time_out_and_crash_are_endings() -> None:
    assert failures(episode(ending="truncated")).time_out
    assert failures(episode(ending="error", error="E: x")).crash
    assert not failures(episode(True)).time_out


def test_the_same_action_again_is_no_failure_while_it_gets_somewhere() -> None:
    got = failures(shown([seen("up", "row 3"), seen("up", "row 2"), seen("up", "row 1")]))
    assert not got.repeated_action
    assert not got.loop


def test_an_action_sent_again_after_it_changed_nothing_is_repeated() -> None:
    assert failures(shown([seen("up", "start"), seen("up", "start")])).repeated_action
    assert failures(shown([seen("up", "Nothing happens.", valid=False), seen("up", "x")])).repeated_action
    assert not failures(shown([seen("up", "start"), seen("down", "start")])).repeated_action


def test_the_same_action_in_the_same_state_for_the_third_time_is_a_loop() -> None:
    there_and_back = [seen("right", "b"), seen("left", "a")]
    assert failures(shown(there_and_back * 3, first="a")).loop
    assert not failures(shown(there_and_back * 2, first="a")).loop


def test_answers_without_an_action_are_unparsed_and_no_loop() -> None:
    got = failures(shown([replace(seen("", "a"), action=None, parse_reason="empty")] * 4, first="a"))
    assert (got.unparsable, got.repeated_action, got.loop) == (True, False, False)


def test_distractors_drawn_anew_do_not_hide_a_loop() -> None:
    steps = [
        step("up", sections=(Section("a", Richness.LEAN, "state"), Section(noise, Richness.LEAN, "distractor")))
        for noise in "xyz"
    ]
    assert failures(shown(steps, first="a")).loop


def test_without_texts_a_loop_is_undefined_rather_than_guessed_from_sizes() -> None:
    corridor = [step("up", chars={"state": 36})] * 4  # a board's text never changes its size
    got = scored([episode(steps=corridor)])
    assert (got["loop"].value, got["loop"].reason) == (None, NO_TEXTS)
    assert (got["repeated_action"].value, got["repeated_action"].reason) == (None, NO_TEXTS)


def test_a_name_that_nothing_shown_so_far_mentions_is_unknown() -> None:
    first = "You are in a kitchen. You see a cabinet 1 and a fridge 1."
    steps = [
        seen("go to cabinet 1", "On the cabinet 1, you see a mug 2."),
        seen("take mug 1 from cabinet 1", "Nothing happens.", valid=False),
        seen("take mug 2 from cabinet 1", "You pick up the mug 2."),
        seen("put mug 2 in/on sidetable 4", "Nothing happens.", valid=False),
        seen("inventory", "You are carrying: a mug 2."),
    ]
    played = shown(steps, first, "ALFWorld")
    assert unknown_names(played) == [(1, "mug 1"), (3, "sidetable 4")]
    assert failures(played).unknown_name is True


def test_a_name_counts_as_known_only_once_it_has_been_shown() -> None:
    steps = [seen("take mug 2 from shelf 1", "x"), seen("go to shelf 1", "You see a mug 2 on the shelf 1.")]
    assert unknown_names(shown(steps, "A shelf 1.", "ALFWorld")) == [(0, "mug 2")]


def test_a_number_is_not_mentioned_by_a_longer_one() -> None:
    assert unknown_names(shown([seen("go to shelf 1", "x")], "A shelf 12.", "ALFWorld")) == [(0, "shelf 1")]


def test_a_search_names_nothing_but_a_click_does() -> None:
    steps = [seen("search[red shoes]", "[B01] shoe, [next >]"), seen("click[B01]", "[buy now]"), seen("click[B99]", "")]
    assert unknown_names(shown(steps, "Search", "WebShop")) == [(2, "b99")]


def test_without_texts_unknown_names_are_undefined_and_the_reason_says_what_is_needed() -> None:
    compact = episode(family="ALFWorld", steps=[step("go to shelf 1")])
    assert failures(compact).unknown_name is None
    got = scored([compact])["unknown_name"]
    assert (got.value, got.reason) == (None, NO_TEXTS)


def test_sokoban_names_nothing_and_renamed_words_are_not_guessed_at() -> None:
    assert scored(cell(1, 3))["unknown_name"].reason == "actions of Sokoban name nothing"
    aliased = [episode(family="ALFWorld", interface="opaque")]
    assert scored(aliased)["unknown_name"].reason == "the interface renames the command words"


def test_sokobans_fatal_push_and_regret_come_from_the_tablebase() -> None:
    dead = episode(seed=0, analysis={"first_fatal_push": 7, "regret_moves": None, "regret_pushes": None})
    alive = episode(True, seed=1, analysis={"first_fatal_push": None, "regret_moves": 4, "regret_pushes": 2})
    got = scored([dead, alive])
    assert got["fatal_push"].value == 0.5
    assert (got["first_fatal_push"].value, got["first_fatal_push"].n) == (7.0, 1)
    assert (got["regret_moves"].value, got["regret_pushes"].value) == (4.0, 2.0)


@pytest.mark.parametrize(
    ("played", "reason"),
    [
        (episode(), "the record holds no such analysis"),
        (episode(family="WebShop"), "only Sokoban has it"),
    ],
)
def test_without_analysis_a_fatal_push_is_undefined(played: Episode, reason: str) -> None:
    got = scored([played])["fatal_push"]
    assert (got.value, got.reason) == (None, reason)


def test_failed_episodes_are_counted_by_mode() -> None:
    played = [episode(True, seed=0, steps=[step(valid=False)]), episode(seed=1, steps=[step(valid=False)])]
    got = failures_json(played, stream("t"))
    assert got["failed"] == 1
    assert got["failed_with"]["invalid_action"] == 1
    assert got["scores"]["invalid_action"]["value"] == 1.0


@settings(max_examples=40)
@given(runs(min_size=1))
def test_every_mode_is_a_share_or_has_a_reason(episodes: list[Episode]) -> None:
    one_setting = [played for played in episodes if played.spec == episodes[0].spec]
    got = scored(one_setting)
    for mode in MODES:
        value = got[mode].value
        assert (value is None) == (got[mode].reason is not None)
        assert value is None or 0 <= value <= 1
