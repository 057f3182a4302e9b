"""What the board shows of a study: the papers' numbers and worked examples, in the documented shape."""

import json

import pytest

from agentgen_bench.scores.base import family
from agentgen_bench.scores.study import Study, StudyRun
from agentgen_bench.scores.study_board import board_scores
from tests.scores.build import cell
from tests.scores.papers import AUGMENTED, INITIAL, TRAINED

SCORE_KEYS = {"value", "low", "high", "n", "reason", "left_out", "over"}


def played(rates, policy, n=1000, **setting):
    """Episodes with exactly these success rates on n levels of each family."""
    return [
        one for name, rate in rates.items() for one in cell(round(rate * n), n, family=name, policy=policy, **setting)
    ]


def values(scores):
    """The values of a row's scores in percent."""
    return {
        name: round(100 * score["value"], 2)
        for name, score in scores.items()
        if isinstance(score, dict) and set(score) == SCORE_KEYS and score["value"] is not None
    }


@pytest.fixture(scope="module")
def transfer():
    initial, trained, augmented = INITIAL["V2"], TRAINED["V2"], AUGMENTED["V2"]
    runs = [StudyRun("start", "initial"), *(StudyRun(f"on-{name}", "trained", name) for name in trained)]
    runs.append(StudyRun("noisy", "trained", "ALFWorld", augmented=True))
    episodes = {"start": played(initial, "start"), "noisy": played(augmented["ALFWorld"], "noisy")}
    episodes |= {f"on-{name}": played(rates, name) for name, rates in trained.items()}
    return board_scores("transfer-v1", "transfer", Study("paper", tuple(runs)), episodes, family)


def test_the_papers_runs_give_the_papers_taxes_and_retentions(transfer):
    """docs/scores.md: V2 taxes 6.70, 4.73, 3.73, 2.23 points, retentions 71.4, 73.7, 85.7, 91.0 %."""
    rows = {row["trained_on"]: values(row) for row in transfer["rows"] if not row["distractors"]}
    assert {name: row["tax"] for name, row in rows.items()} == {
        "ALFWorld": 6.70, "WebShop": 4.73, "Sokoban": 3.73, "SciWorld": 2.23,
    }  # fmt: skip
    assert {name: row["retention"] for name, row in rows.items()} == {
        "ALFWorld": 71.45, "WebShop": 73.7, "Sokoban": 85.68, "SciWorld": 90.98,
    }  # fmt: skip
    assert rows["Sokoban"]["held_out_change"] == -3.73
    assert rows["Sokoban"]["initial"] == 23.08  # of 21.9, 38.3, 14.1 and 18.0


def test_distractors_are_compared_with_the_same_training_without_them(transfer):
    changes = {(row["trained_on"], row["distractors"]): row["distractors_change"] for row in transfer["rows"]}
    assert round(100 * changes["ALFWorld", True]["value"], 1) == 7.0  # the paper's, docs/scores.md
    assert changes["ALFWorld", False] is None


def test_the_shape_is_the_documented_one(transfer):
    assert list(transfer) == [
        "scores_version", "protocol", "kind", "study", "seeds", "episodes", "policies", "rows",
    ]  # fmt: skip
    assert (transfer["seeds"], transfer["episodes"]) == (1, 4000 + 4 * 3000 + 3000)
    assert set(transfer["policies"][0]["families"]["Sokoban"]) == SCORE_KEYS
    assert json.loads(json.dumps(transfer, allow_nan=False)) == transfer


def test_a_family_that_nobody_trained_on_is_shown_apart():
    start = played({"Sokoban": 0.1, "Blocks": 0.2}, "start")
    after = played({"Sokoban": 0.5, "Blocks": 0.15}, "after")
    study = Study("s", (StudyRun("a", "initial"), StudyRun("b", "trained", "Sokoban")))
    (row,) = board_scores("p", "transfer", study, {"a": start, "b": after}, family)["rows"]
    assert values(row) == {
        "initial": 15.0, "held_in_gain": 40.0, "held_out_change": -5.0, "overall_gain": 17.5, "tax": 5.0,
        "retention": 75.0, "unseen_change": -5.0,
    }  # fmt: skip


def by_difficulty(spec):
    return f"{family(spec)} {spec['difficulty']}"


def graded(policy, rates):
    return [
        one for difficulty, rate in rates.items() for one in played({"Sokoban": rate}, policy, difficulty=difficulty)
    ]


def test_difficulties_are_a_matrix_with_transfer_and_recovery():
    """D0 = .1, .0; after easy .5, .2; after hard .3, .4: easy -> hard transfers 20 points, recovers half."""
    study = Study(
        "s",
        (
            StudyRun("a", "initial"),
            StudyRun("b", "trained", "Sokoban", "easy"),
            StudyRun("c", "trained", "Sokoban", "hard"),
        ),
    )
    runs = {
        "a": graded("a", {"easy": 0.1, "hard": 0.0}),
        "b": graded("b", {"easy": 0.5, "hard": 0.2}),
        "c": graded("c", {"easy": 0.3, "hard": 0.4}),
    }
    rows = board_scores("p", "difficulty", study, runs, by_difficulty)["rows"]
    assert [(row["family"], row["trained_on"]) for row in rows] == [
        ("Sokoban", None), ("Sokoban", "easy"), ("Sokoban", "hard"),
    ]  # fmt: skip
    assert values(rows[0]["cells"]["easy"]) == {"success": 10.0}
    assert values(rows[1]["cells"]["hard"]) == {"success": 20.0, "transfer": 20.0, "recovery": 50.0}
    assert values(rows[1]["cells"]["easy"]) == {"success": 50.0, "transfer": 40.0}
    assert values(rows[1]) == {"gain_elsewhere": 20.0}
    assert values(rows[2]) == {"gain_elsewhere": 20.0}
    assert rows[0]["difficulty_drop"]["reason"] == "no environment was evaluated on all of easy, medium, hard"


def test_the_slope_of_a_row_is_what_success_loses_from_easy_to_hard():
    study = Study("s", (StudyRun("a", "initial"), StudyRun("b", "trained", "Sokoban", "easy")))
    runs = {
        "a": graded("a", {"easy": 0.3, "medium": 0.2, "hard": 0.1}),
        "b": graded("b", {"easy": 0.9, "medium": 0.3, "hard": 0.2}),
    }
    rows = board_scores("p", "difficulty", study, runs, by_difficulty)["rows"]
    assert [values(row)["difficulty_drop"] for row in rows] == [20.0, 70.0]
    assert rows[1]["difficulty_drop"]["low"] < 0.7 < rows[1]["difficulty_drop"]["high"]


def test_a_sequence_gives_the_worked_example():
    """docs/scores.md: ACC .6167, BWT -.125, FWT .1, F .125; the mixture is 5 points better than each stage was."""
    names = ["Sokoban", "WebShop", "ALFWorld"]
    matrix = [[0.6, 0.2, 0.1], [0.5, 0.7, 0.2], [0.4, 0.65, 0.8]]
    runs = {"start": played({**dict.fromkeys(names, 0.1), "Blocks": 0.3}, "start")}
    entries = [StudyRun("start", "initial")]
    for t, row in enumerate(matrix, 1):
        runs[f"s{t}"] = played({**dict(zip(names, row, strict=True)), "Blocks": 0.2}, f"s{t}")
        entries.append(StudyRun(f"s{t}", "stage", names[t - 1], stage=t))
    runs["all"] = played({"Sokoban": 0.65, "WebShop": 0.75, "ALFWorld": 0.85, "Blocks": 0.3}, "all")
    entries.append(StudyRun("all", "joint"))
    (row,) = board_scores("p", "sequence", Study("s", tuple(entries)), runs, family)["rows"]
    assert row["order"] == names
    assert values(row) == {
        "initial": 10.0, "accuracy_end": 61.67, "backward_transfer": -12.5, "forgetting_end": 12.5,
        "forgetting_max": 12.5, "forward_transfer": 10.0, "mixture": 75.0, "against_mixture": 5.0,
        "unseen_change": -10.0, "mixture_unseen_change": 0.0,
    }  # fmt: skip
    assert values(row["intransigence"]) == {"Sokoban": 5.0, "WebShop": 5.0, "ALFWorld": 5.0}
    after_second = dict(zip(row["matrix"]["families"], row["matrix"]["success"][2], strict=True))
    assert {name: score["value"] for name, score in after_second.items()} == {
        "Sokoban": 0.5, "WebShop": 0.7, "ALFWorld": 0.2, "Blocks": 0.2,
    }  # fmt: skip
