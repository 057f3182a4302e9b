"""What the courses of entries say about each other: copies in every disguise, and the oracle's actions."""

import json
import random
from collections.abc import Callable
from dataclasses import replace

import pytest

from agentgen_bench.leaderboard import likeness
from agentgen_bench.leaderboard.courses import Course, Played, agree, course_of, folded
from agentgen_bench.leaderboard.kept import Kept
from agentgen_bench.leaderboard.likeness import (
    Contestant,
    alike,
    best_solutions,
    contestant,
    copy_note,
    oracle_notes,
)
from agentgen_bench.leaderboard.study_likeness import StudyNotes, StudyRunPlayed, study_notes
from agentgen_bench.spec import LIFECYCLE_PRESETS, TaskSpec

FAMILY = "Maze"  # no family of ours: nobody counts its solutions
SPEC = json.dumps(TaskSpec(FAMILY).to_json())
WORDS = ("north", "south", "east", "west", "take lamp", "open door", "look", "wait")
Walk = list[str]


def steps(actions: Walk, *, valid: bool = True) -> list[dict[str, object]]:
    return [{"action": action, "is_action_valid": valid, "n_admissible": len(WORDS)} for action in actions]


def course(actions: Walk, *, success: bool = False, expert: int | None = 5) -> Course | None:
    return course_of(steps(actions), len(WORDS), success, expert)


def walks(seed: int, levels: int = 100, length: int = 12) -> list[Walk]:
    """Return what a model does on each level: mistakes of its own."""
    rng = random.Random(seed)
    return [[rng.choice(WORDS) for _ in range(length)] for _ in range(levels)]


def entry(
    name: str, played: list[Walk], kind: str = "model", *, success: bool = False, label: tuple[str, str] | None = None
) -> Contestant:
    episodes = [
        Played(FAMILY, (SPEC, level), course(walk, success=success, expert=len(walk) if success else 5))
        for level, walk in enumerate(played)
    ]
    return contestant(name, label or (name, name), kind, episodes)


def padded(walk: Walk) -> Walk:
    return [*walk[:4], "inventory", *walk[4:]]


DISGUISES: dict[str, Callable[[list[Walk]], list[Walk]]] = {
    "as it is": lambda played: played,
    "reworded": lambda played: [[f"  {action.upper()}. " for action in walk] for walk in played],
    "padded": lambda played: [padded(walk) for walk in played],
    "cut short": lambda played: [walk[:-1] for walk in played],
    "one action in ten another": lambda played: [[*walk[:6], "sing", *walk[7:]] for walk in played],
    "a third of the levels": lambda played: played[:35] + walks(9)[35:],
}


@pytest.mark.parametrize("disguise", DISGUISES.values(), ids=DISGUISES.keys())
def test_a_copy_is_found_in_every_disguise(disguise: Callable[[list[Walk]], list[Walk]]) -> None:
    first, second = entry("first", walks(1)), entry("second", disguise(walks(1)))
    note = copy_note(second, [entry("other", walks(2)), first])
    assert note is not None
    assert note.startswith("makes the same mistakes as first (")


def test_repeats_in_another_order_are_the_same() -> None:
    two = [
        contestant(
            name,
            (name, name),
            "model",
            [Played(FAMILY, (SPEC, i), course(w)) for each in order for i, w in enumerate(each)],
        )
        for name, order in (("a", [walks(1), walks(2)]), ("b", [walks(2), walks(1)]))
    ]
    (found,) = alike(*two)
    assert (found.telling, found.same) == (100, 100)


def test_other_models_are_no_copies() -> None:
    assert copy_note(entry("second", walks(1)), [entry("first", walks(2)), entry("third", walks(3))]) is None


def test_an_entry_submitted_anew_under_its_name_is_no_copy() -> None:
    label = ("My Lab", "my-model")
    assert copy_note(entry("new", walks(1), label=label), [entry("old", walks(1), label=label)]) is None


def test_scripted_policies_agree_with_each_other_and_are_no_models_source() -> None:
    noop = entry("noop", walks(1), "noop")
    assert copy_note(entry("random", walks(1), "random"), [noop]) is None
    assert copy_note(entry("model", walks(1)), [noop]) is not None
    assert copy_note(entry("random", walks(1), "random"), [entry("model", walks(1))]) is not None


def test_a_good_solution_tells_nothing_about_copies() -> None:
    one, other = (entry(name, walks(1), success=True) for name in ("a", "b"))
    assert copy_note(one, [other]) is None


@pytest.mark.parametrize("walk", [["north"] * 50, ["north", "south"] * 30, ["north", "east", "south"]])
def test_loops_and_first_steps_tell_nothing(walk: Walk) -> None:
    assert course(walk) is None


def test_refused_actions_are_left_out() -> None:
    walk = walks(1)[0]
    mixed = [step for action in walk for step in (*steps([action]), *steps(["fly"], valid=False))]
    assert course_of(mixed, len(WORDS), False, 5) == course(walk)


def test_repetitions_are_done_once() -> None:
    assert [("abcabcabcd"[i]) for i in folded("abcabcabcd")] == ["a", "b", "c", "d"]
    assert folded("") == []


def test_courses_of_two_kinds_do_not_agree() -> None:
    actions = tuple(WORDS)
    assert agree(Course("direct", actions), Course("direct", actions))
    assert not agree(Course("direct", actions), Course("mistakes", actions))


def mixed(share: float, seed: int) -> list[Walk]:
    """Return walks of which this share is the oracle's."""
    own = walks(seed)
    return [*walks(0)[: int(100 * share)], *own[int(100 * share) :]]


def test_actions_of_the_oracle_beyond_what_competitors_reach_are_noted() -> None:
    board = [
        entry("oracle", walks(0), "oracle", success=True),
        entry("honest", mixed(0.1, 1), success=True),
        entry("searcher", mixed(0.3, 2), "alfworld-searcher", success=True),
        entry("better", mixed(0.5, 3), success=True),
        entry("too good", mixed(0.9, 4), success=True),
        entry("twin", mixed(0.95, 5), success=True),
    ]
    assert oracle_notes(
        board
    ) == {  # 0.5 is less than twice the searcher's 0.3; 0.9 is more than half way from 0.5 to 1
        "too good": ["plays as the oracle in 90 % of the episodes in Maze; competitors in at most 50 %"],
        "twin": ["plays as the oracle in 95 % of the episodes in Maze; competitors in at most 50 %"],
    }


def test_a_board_without_the_oracle_has_no_notes() -> None:
    assert oracle_notes([entry("honest", walks(1), success=True)]) == {}


def test_the_oracles_own_row_has_no_note() -> None:
    assert oracle_notes([entry(name, walks(0), "oracle", success=True) for name in "ab"]) == {}


SOKOBAN = json.dumps(TaskSpec("Sokoban", difficulty="easy", split="test").to_json())


def solver(name: str, chosen: Callable[[int], bool], kind: str = "model") -> Contestant:
    """Return who solves 60 real levels as directly as can be, as the oracle where `chosen` says so."""
    right = [*"urdl" * 3]
    return contestant(
        name,
        (name, name),
        kind,
        [
            Played("Sokoban", (SOKOBAN, seed), Course("direct", tuple(right if chosen(seed) else right[::-1])))
            for seed in range(60)
        ],
    )


def test_blind_choice_among_equally_good_solutions_is_expected() -> None:
    rng = random.Random(1)
    counts = {seed: best_solutions(SOKOBAN, seed) for seed in range(60)}
    assert min(filter(None, counts.values())) >= 1
    lucky = {seed for seed, count in counts.items() if rng.random() < 1 / (count or 1)}
    oracle = solver("oracle", lambda seed: True, "oracle")
    assert len(lucky) > 12  # one in five, which would be noted were solutions not counted
    assert oracle_notes([oracle, solver("honest", lucky.__contains__)]) == {}
    noted = oracle_notes([oracle, solver("asked", lambda seed: True)])
    assert noted["asked"] == ["plays as the oracle in 100 % of the episodes in Sokoban; competitors in at most 0 %"]


@pytest.mark.parametrize(("n_levels", "n_counted"), [(1, 1), (200, 200), (201, 101), (399, 200), (1000, 200)])
def test_solutions_are_counted_of_no_more_levels_than_said(
    n_levels: int, n_counted: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted: list[int] = []
    monkeypatch.setattr(likeness, "best_solutions", lambda spec, seed: counted.append(seed) or 2)
    assert likeness._is_expected({(SPEC, seed): (1, 2) for seed in range(n_levels)})
    assert len(counted) == n_counted <= likeness.MAX_COUNTED


def test_a_pack_has_no_count_of_solutions() -> None:
    name = next(iter(LIFECYCLE_PRESETS))
    pack = TaskSpec("Sokoban", interface="synonym", lifecycle=name)
    assert best_solutions(json.dumps(pack.to_json()), 0) is None


# --- runs of studies


def study_run(study: str, name: str, played: list[Walk], weights: str) -> StudyRunPlayed:
    own = entry(f"{study} {name}", played, label=(study, study))
    return StudyRunPlayed(weights, replace(own, digest=f"{study} {weights}"))


def notes(**studies: list[StudyRunPlayed]) -> dict[str, StudyNotes]:
    return study_notes(studies, list(studies), Kept(None))


def test_a_run_of_a_study_that_is_another_studys_is_found() -> None:
    first = [study_run("first", "initial", walks(1), "a"), study_run("first", "trained", walks(2), "b")]
    second = [study_run("second", "initial", walks(3), "c"), study_run("second", "best", padded_all(walks(2)), "d")]
    found = notes(first=first, second=second)
    assert found["first"] == StudyNotes()
    (copy,) = found["second"].copies
    assert copy.startswith("best makes the same mistakes as first trained (94 of 100 in Maze)")


def padded_all(played: list[Walk]) -> list[Walk]:
    return [padded(walk) for walk in played]


def test_runs_of_the_same_weights_may_be_alike_in_two_studies() -> None:
    one, two = ([study_run(name, "initial", walks(1), "a")] for name in ("one", "two"))
    assert notes(one=one, two=two) == {"one": StudyNotes(), "two": StudyNotes()}


def test_two_runs_of_a_study_that_play_every_level_the_same_are_noted() -> None:
    runs = [
        study_run("one", "seed-0", walks(1), "a"),
        study_run("one", "seed-1", walks(1), "b"),
        study_run("one", "seed-2", walks(1)[:-1] + walks(2)[-1:], "c"),  # but for one level: training changed little
    ]
    assert notes(one=runs)["one"] == StudyNotes(
        same=("seed-1 plays every level as seed-0 does, with other weights (100 levels tell)",)
    )
