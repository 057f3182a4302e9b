"""What the spread between training seeds adds to an interval, and where it is said that it does not."""

import math

import numpy as np
import pytest

from agentgen_bench.scores.base import LEVELS, LEVELS_AND_SEEDS, Interval, Score
from agentgen_bench.scores.sampling import PolicyRates, bootstrapped, pooled
from agentgen_bench.scores.study import Study, StudyRun
from agentgen_bench.scores.study_scores import StudyScores, score_study
from agentgen_bench.scores.training_seeds import Lineage, slope, t_quantile, widened
from tests.scores.build import cell

NO_CHANCE = np.zeros((3, 1, 4))


def test_the_quantiles_are_those_of_students_t() -> None:
    # Fisher and Yates, table III, two-sided 5 %.
    table = {1: 12.706, 2: 4.303, 3: 3.182, 5: 2.571, 10: 2.228, 120: 1.980}
    assert {f: round(t_quantile(f), 3) for f in table} == table


def test_where_levels_leave_no_chance_the_interval_is_students() -> None:
    # rates .4 .5 .6: standard error .1 / sqrt(3) = .0577, t with 2 degrees of freedom 4.3027
    lineage = Lineage(np.array([[0.4], [0.5], [0.6]]), NO_CHANCE, np.array([1.0]))
    low, high = widened(0.5, Interval(0.5, 0.5), [lineage])
    assert (low, high) == pytest.approx((0.5 - 4.3027 * 0.057735, 0.5 + 4.3027 * 0.057735), abs=1e-5)


def test_the_parts_join_in_quadrature() -> None:
    lineage = Lineage(np.array([[0.4], [0.5], [0.6]]), NO_CHANCE, np.array([1.0]))
    low, high = widened(0.5, Interval(0.2, 0.9), [lineage])
    seeds = 4.3027 * 0.057735
    assert (low, high) == pytest.approx((0.5 - math.hypot(0.3, seeds), 0.5 + math.hypot(0.4, seeds)), abs=1e-5)


def test_two_lineages_have_the_degrees_of_freedom_of_satterthwaite() -> None:
    lineage = Lineage(np.array([[0.4], [0.5], [0.6]]), NO_CHANCE, np.array([1.0]))
    low, _ = widened(0.5, Interval(0.5, 0.5), [lineage, lineage])
    assert low == pytest.approx(0.5 - 2.776445 * 0.057735 * math.sqrt(2), abs=1e-6)  # equal variances: 4


def test_a_spread_that_levels_explain_adds_nothing() -> None:
    chance = np.array([[[0.3, 0.5]], [[0.4, 0.6]], [[0.7, 0.5]]])
    lineage = Lineage(np.array([[0.4], [0.5], [0.6]]), chance, np.array([1.0]))
    # deviations of the redraws -.1 -.1 .1 | .1 .1 -.1: variance .04 / 3, of the mean .0044; half of it remains
    left = 0.01 / 3 - 0.04 / 9 / 2
    low, _ = widened(0.5, Interval(0.5, 0.5), [lineage])
    assert low == pytest.approx(0.5 - 4.3027 * math.sqrt(left), abs=1e-5)
    wide = lineage._replace(draws=3 * (chance - 0.5) + 0.5)
    assert widened(0.5, Interval(0.45, 0.55), [wide]) == Interval(0.45, 0.55)


def test_the_slope_of_a_ratio() -> None:
    assert slope(lambda rates: rates["a"] / rates["b"], {"a": 0.3, "b": 0.5}, "b") == pytest.approx(-1.2, abs=1e-6)
    assert slope(lambda rates: None, {"a": 0.3}, "a") == 0.0


def seeds(*rates: float, sway: float, lineage: str) -> PolicyRates:
    runs = [PolicyRates({"e": r}, {"e": np.array([r - sway, r, r + sway])}, {"e": 9}, {"e": 9}) for r in rates]
    return pooled(runs, lineage)


def test_stages_of_a_sequence_are_paired_by_seed() -> None:
    def difference(before: dict[str, float], after: dict[str, float]) -> Score:
        return Score("d", after["e"] - before["e"])

    first, second = (0.2, 0.4, 0.6), (0.3, 0.5, 0.7)  # each seed gains .1 exactly
    pairs = [("stages", "stages"), ("one", "other")]
    together, apart = (
        bootstrapped(difference, seeds(*first, sway=0.1, lineage=a), seeds(*second, sway=0.2, lineage=b))
        for a, b in pairs
    )
    assert (together.low, together.high) == pytest.approx((0.0, 0.2))  # levels alone: seeds do not move the difference
    # apart: standard error .2 / sqrt(3) each, 4 degrees of freedom
    assert apart.low == pytest.approx(0.1 - math.hypot(0.1, 2.776445 * 0.2 * math.sqrt(2 / 3)), abs=1e-6)


def scores_of(n_seeds: int, **start: int) -> StudyScores:
    runs = [StudyRun(f"s{seed}", "trained", source="Sokoban", seed=seed) for seed in range(n_seeds)]
    starts = [StudyRun("start", "initial")]
    played = {"start": cell(20, 60)} | {run.run: cell(30 + 5 * run.seed, 60) for run in runs}
    return score_study(Study("s", (*starts, *runs)), played)


def test_one_seed_says_levels_only_wherever_it_has_an_interval() -> None:
    with_interval = [line for line in scores_of(1).lines if line.score.low is not None]
    assert len(with_interval) >= 4
    assert {line.score.over for line in with_interval} == {LEVELS}
    assert {line.to_json()["interval_over"] for line in with_interval} == {"levels only"}


def test_several_seeds_say_so_and_widen() -> None:
    (one,) = [line.score for line in scores_of(1).lines if line.score.name == "delta_held_in"]
    (three,) = [line.score for line in scores_of(3).lines if line.score.name == "delta_held_in"]
    assert three.over == LEVELS_AND_SEEDS
    assert one.low is not None
    assert one.high is not None
    assert three.low is not None
    assert three.high is not None
    assert three.high - three.low > one.high - one.low


def test_the_initial_policy_is_one_set_of_weights() -> None:
    over = {line.subject: line.score.over for line in scores_of(3).lines if line.section == "success"}
    assert over == {"initial: Sokoban": LEVELS, "trained on Sokoban: Sokoban": LEVELS_AND_SEEDS}


def test_no_share_of_levels_is_said_to_be_above_one() -> None:
    # As measured: 25, 32 and 28 of 32 levels; Student's t alone reaches 115 %.
    solved = {f"s{seed}": n for seed, n in enumerate((25, 32, 28))}
    runs = [StudyRun(name, "trained", source="Sokoban", seed=seed) for seed, name in enumerate(solved)]
    study = Study("s", (StudyRun("start", "initial"), *runs))
    played = {"start": cell(15, 32)} | {name: cell(n, 32) for name, n in solved.items()}
    scores = {(line.subject, line.score.name): line.score for line in score_study(study, played).lines}
    after = scores["trained on Sokoban: Sokoban", "success"]
    assert after.low is not None
    assert 0.5 < after.low < 0.75
    assert after.high == 1.0


@pytest.mark.parametrize("name", ["average_accuracy", "success_easy"])
def test_no_mean_of_shares_is_said_to_be_above_one(name: str) -> None:
    score = bootstrapped(lambda rates: Score(name, rates["e"]), seeds(0.8, 1.0, 0.9, sway=0.05, lineage="x"))
    assert score.low is not None
    assert 0 < score.low < 0.9
    assert score.high == 1.0
