"""Out-of-distribution scores, against the numbers of arXiv 2601.18217."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentgen_bench.errors import ScoreError
from agentgen_bench.scores.base import Interval, Score
from agentgen_bench.scores.ood import (
    delta_held_in,
    delta_held_out,
    delta_overall,
    dense_ranks,
    generalization_tax,
    ood_change,
    ood_drop,
    ood_rank_scores,
    ranking_stability,
    retention,
    tax_reduction,
)
from tests.scores.papers import AUGMENTED, INITIAL, TRAINED

environments = st.sampled_from(["ALFWorld", "WebShop", "Sokoban", "SciWorld"])
rates = st.dictionaries(environments, st.floats(0, 1))


def percent(score: Score, digits: int = 2) -> float:
    assert score.value is not None, score.reason
    return round(100 * score.value, digits)


@pytest.mark.parametrize(
    ("start", "source", "points"),
    [
        ("V1", "ALFWorld", 8.85),  # ((34.4 - 15.2) + (12.5 - 14.0)) / 2
        ("V1", "WebShop", 7.35),
        ("V1", "Sokoban", 12.35),
        ("V2", "ALFWorld", 6.70),  # ((38.3 - 30.5) + (14.1 - 9.8) + (18.0 - 10.0)) / 3
        ("V2", "WebShop", 4.73),
        ("V2", "Sokoban", 3.73),
        ("V2", "SciWorld", 2.23),
    ],
)
def test_generalization_tax_agrees_with_the_paper(start: str, source: str, points: float) -> None:
    assert percent(generalization_tax(INITIAL[start], TRAINED[start][source], source)) == points


@pytest.mark.parametrize(
    ("start", "source", "share"),
    [
        ("V1", "ALFWorld", 62.3),  # (15.2 + 14.0) / (34.4 + 12.5)
        ("V1", "WebShop", 61.6),
        ("V1", "Sokoban", 59.0),
        ("V2", "ALFWorld", 71.4),  # (30.5 + 9.8 + 10.0) / (38.3 + 14.1 + 18.0)
        ("V2", "WebShop", 73.7),
        ("V2", "Sokoban", 85.7),
        ("V2", "SciWorld", 91.0),
    ],
)
def test_retention_agrees_with_the_paper(start: str, source: str, share: float) -> None:
    assert percent(retention(INITIAL[start], TRAINED[start][source], source), 1) == share


def test_rank_scores_agree_with_table_8() -> None:
    second = {source: score.value for source, score in ood_rank_scores(TRAINED["V2"]).items()}
    assert second == {"ALFWorld": 8, "WebShop": 6, "Sokoban": 5, "SciWorld": 3}
    first = {source: score.value for source, score in ood_rank_scores(TRAINED["V1"]).items()}
    summed = {source: (first[source] or 0) + (second[source] or 0) for source in first}
    assert summed == {"ALFWorld": 10, "WebShop": 10, "Sokoban": 7}


@pytest.mark.parametrize(("start", "changes"), [("V1", (19.9, 22.0, 29.6)), ("V2", (7.0, 33.4, 5.7))])
def test_ood_change_agrees_with_table_5(start: str, changes: tuple[float, ...]) -> None:
    got = tuple(
        percent(ood_change(AUGMENTED[start][source], TRAINED[start][source], source), 1)
        for source in ("ALFWorld", "WebShop", "Sokoban")
    )
    assert got == changes


def test_tax_reduction_is_what_the_paper_calls_ood_change_for_its_first_model() -> None:
    got = tuple(
        percent(tax_reduction(AUGMENTED["V1"][source], TRAINED["V1"][source], INITIAL["V1"], source), 1)
        for source in ("ALFWorld", "WebShop", "Sokoban")
    )
    assert got == (32.8, 35.4, 42.5)


def test_a_missing_cell_is_named_and_not_counted_as_zero() -> None:
    score = generalization_tax(INITIAL["V1"], TRAINED["V1"]["ALFWorld"], "ALFWorld")
    assert score.left_out == ("SciWorld: not evaluated by every policy",)
    assert score.n == 2


def test_where_nothing_could_be_lost_the_environment_is_left_out_and_named() -> None:
    score = generalization_tax({"A": 0.0, "B": 0.4, "C": 0.5}, {"A": 0.3, "B": 0.3, "C": 0.9}, "C")
    assert percent(score) == 10.0
    assert score.left_out == ("A: initial success is 0",)


def test_tax_is_undefined_where_the_initial_policy_solves_nothing() -> None:
    score = generalization_tax({"A": 0.0}, {"A": 0.5}, "B")
    why = "the initial policy solves nothing on the other environments: nothing to lose"
    assert (score.value, score.reason) == (None, why)


@pytest.mark.parametrize("formula", [generalization_tax, retention, ood_change])
def test_what_was_not_evaluated_is_not_called_unsolved(formula) -> None:
    score = formula({"A": 0.4, "B": 0.2}, {"A": 0.5}, "A")
    assert score.reason == "no environment other than A was evaluated by both policies"
    assert score.left_out == ("B: not evaluated by every policy",)


def test_what_is_unsolved_is_not_called_unevaluated() -> None:
    floor, after = {"A": 0.4, "B": 0.0}, {"A": 0.5, "B": 0.3}
    kept = "the initial policy solves nothing on the other environments: nothing to keep"
    assert retention(floor, after, "A").reason == kept
    change = "the reference policy solves nothing on the other environments"
    assert ood_change(after, floor, "A").reason == change


@pytest.mark.parametrize("drop", [Interval(-0.01, 0.3), Interval(0.0, 0.0)])
def test_tax_reduction_is_undefined_where_the_drop_may_be_nothing(drop: Interval) -> None:
    score = tax_reduction({"A": 0.5}, {"A": 0.3}, {"A": 0.4}, "B", drop)
    assert score.value is None
    assert score.reason == "the drop of the reference is not distinguishable from 0"


def test_tax_reduction_is_undefined_without_any_drop() -> None:
    assert tax_reduction({"A": 0.5}, {"A": 0.3}, {"A": 0.3}, "B").value is None


def test_tax_reduction_is_negative_where_more_was_lost() -> None:
    # the reference lost .2, the new policy another .1
    assert percent(tax_reduction({"A": 0.2}, {"A": 0.3}, {"A": 0.5}, "B", Interval(0.1, 0.3))) == -50.0


def test_the_drop_counts_the_same_environments() -> None:
    assert percent(ood_drop(INITIAL["V1"], TRAINED["V1"]["ALFWorld"], "ALFWorld")) == 17.7


def test_held_in_and_held_out_gains() -> None:
    initial, trained = {"A": 0.2, "B": 0.4, "C": 0.0}, {"A": 0.7, "B": 0.3, "C": 0.3}
    assert percent(delta_held_in(initial, trained, "A")) == 50.0
    assert percent(delta_held_out(initial, trained, "A")) == 10.0  # (-.1 + .3) / 2
    assert percent(delta_overall(initial, trained)) == 23.33  # (.5 - .1 + .3) / 3


def test_a_gain_without_its_cell_is_undefined() -> None:
    score = delta_held_in({"A": 0.2}, {"B": 0.7}, "A")
    assert (score.value, score.reason) == (None, "A was not evaluated after training")
    assert delta_held_out({}, {}, "A").value is None


def test_ranks_are_dense_and_half_a_point_apart_is_no_tie() -> None:
    assert dense_ranks({"a": 0.300, "b": 0.296, "c": 0.291, "d": 0.100}) == {"a": 1, "b": 1, "c": 2, "d": 3}


def test_a_model_that_lacks_a_cell_has_no_rank_score() -> None:
    scores = ood_rank_scores({"A": {"B": 0.1, "C": 0.2}, "B": {"A": 0.3}})
    assert scores["B"].value is None
    assert scores["B"].reason == "not evaluated on C"
    assert scores["A"].reason == "no environment tells two models apart: all rates tie"  # alone on both B and C


def test_where_all_rates_tie_there_is_no_rank_score_and_no_stable_ranking() -> None:
    floor = {"A": {"B": 0.0, "C": 0.0}, "B": {"A": 0.0, "C": 0.0}}
    for score in ood_rank_scores(floor).values():
        assert score.reason == "no environment tells two models apart: all rates tie"
    stability = ranking_stability({"A": 2.0, "B": 2.0}, [{"A": 2.0, "B": 2.0}])
    assert (stability.value, stability.reason) == (None, "all tie: there is no order that could come back")


def test_ranking_stability_is_the_share_of_redraws_with_the_same_order() -> None:
    observed = {"A": 3.0, "B": 5.0}
    draws = [{"A": 2.0, "B": 9.0}, {"A": 5.0, "B": 5.0}, {"A": 5.0, "B": 3.0}, {"A": 3.0, "B": 4.0}]
    assert ranking_stability(observed, draws).value == 0.5


def test_a_redraw_in_which_a_rank_score_is_undefined_has_another_ranking() -> None:
    observed = {"A": 3.0, "B": 5.0}
    assert ranking_stability(observed, [{}, {"A": 3.0}, observed, observed]).value == 0.5


def test_ranking_stability_needs_redraws() -> None:
    with pytest.raises(ScoreError, match="at least one redraw"):
        ranking_stability({"A": 1.0}, [])


@given(rates, environments)
def test_training_that_changes_nothing_costs_nothing(initial: dict[str, float], source: str) -> None:
    tax = generalization_tax(initial, initial, source)
    assert tax.value in (0.0, None)
    assert retention(initial, initial, source).value in (1.0, None)
    assert ood_change(initial, initial, source).value in (0.0, None)


@given(rates, rates, environments)
def test_the_in_domain_cell_never_matters(initial: dict[str, float], trained: dict[str, float], source: str) -> None:
    without = {e: rate for e, rate in trained.items() if e != source}
    initial_without = {e: rate for e, rate in initial.items() if e != source}
    for formula in (generalization_tax, retention, ood_change, delta_held_out):
        assert formula(initial, trained, source) == formula(initial_without, without, source)


@given(rates, rates, environments)
def test_tax_is_a_difference_of_rates(initial: dict[str, float], trained: dict[str, float], source: str) -> None:
    value = generalization_tax(initial, trained, source).value
    assert value is None or -1 <= value <= 1


@given(st.dictionaries(environments, st.floats(0, 1), min_size=1))
def test_ranks_start_at_one_without_gaps(values: dict[str, float]) -> None:
    ranks = set(dense_ranks(values).values())
    assert ranks == set(range(1, len(ranks) + 1))
