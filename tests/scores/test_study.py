"""Studies: the roles of runs, every score they allow, and what is missing for the others."""

import json
from collections.abc import Mapping

import pytest

from agentgen_bench.episodes import Episode
from agentgen_bench.errors import ScoreError
from agentgen_bench.scores.base import Score
from agentgen_bench.scores.study import Study, StudyRun, read_study
from agentgen_bench.scores.study_scores import StudyScores, score_study
from tests.scores.build import cell, episode
from tests.scores.papers import AUGMENTED, INITIAL, TRAINED

YAML = """
study: second model
runs:
  - {run: start, role: initial}
  - {run: on-ALFWorld, role: trained, source: ALFWorld}
  - {run: on-WebShop, role: trained, source: WebShop}
  - {run: on-Sokoban, role: trained, source: Sokoban}
  - {run: on-SciWorld, role: trained, source: SciWorld}
  - {run: on-ALFWorld-augmented, role: trained, source: ALFWorld, augmented: true}
  - {run: on-Sokoban-augmented, role: trained, source: Sokoban, augmented: true}
"""


def run(policy: str, rates: Mapping[str, float], n: int = 1000, **setting: str) -> list[Episode]:
    """Episodes with exactly these success rates, on n levels per family; which levels are solved differs."""
    return [
        episode
        for family, rate in rates.items()
        for episode in cell(round(rate * n), n, family=family, policy=policy, **setting)
    ]


def found(scores: StudyScores, subject: str, name: str) -> Score:
    (score,) = [line.score for line in scores.lines if (line.subject, line.score.name) == (subject, name)]
    return score


@pytest.fixture(scope="module")
def papers_study() -> StudyScores:
    study = read_study(YAML)
    runs = {"start": run("start", INITIAL["V2"])}
    runs |= {f"on-{source}": run(source, rates) for source, rates in TRAINED["V2"].items()}
    runs |= {f"on-{s}-augmented": run(s, AUGMENTED["V2"][s]) for s in ("ALFWorld", "Sokoban")}
    return score_study(study, runs)


def test_a_study_of_the_papers_runs_gives_the_papers_scores(papers_study: StudyScores) -> None:
    def percent(subject: str, name: str) -> float:
        value = found(papers_study, subject, name).value
        assert value is not None
        return round(100 * value, 2)

    assert percent("trained on ALFWorld", "generalization_tax") == 6.70
    assert percent("trained on SciWorld", "generalization_tax") == 2.23
    assert percent("trained on Sokoban", "retention") == 85.68  # 67.0 of 78.2
    assert found(papers_study, "trained on WebShop", "ood_rank_score").value == 6
    assert percent("trained on ALFWorld, augmented", "ood_change") == 6.96
    assert percent("trained on Sokoban, augmented", "ood_change") == 5.67
    assert percent("initial: WebShop", "success") == 38.3


def test_scores_of_a_study_carry_intervals_around_them(papers_study: StudyScores) -> None:
    tax = found(papers_study, "trained on ALFWorld", "generalization_tax")
    assert tax.low is not None
    assert tax.high is not None
    assert tax.value is not None
    assert tax.low < tax.value < tax.high
    assert tax.high - tax.low < 0.1


def test_the_rankings_stability_is_printed_beside_it(papers_study: StudyScores) -> None:
    stability = found(papers_study, "all trained", "ranking_stability")
    assert stability.n == 2000
    assert stability.value is not None
    assert 0 < stability.value < 1  # WebShop's 9.0 on Sokoban and ALFWorld's 9.8 swap now and then


def test_two_sources_whose_redraws_tie_where_both_are_out_of_distribution_are_scored() -> None:
    study = Study("s", (StudyRun("a", "trained", source="WebShop"), StudyRun("b", "trained", source="SciWorld")))
    rates = {
        "a": {"Sokoban": 0.50, "WebShop": 0.6, "SciWorld": 0.4},
        "b": {"Sokoban": 0.55, "WebShop": 0.5, "SciWorld": 0.5},
    }
    stability = found(score_study(study, {p: run(p, rates[p], 20) for p in rates}), "all trained", "ranking_stability")
    assert stability.value is not None
    assert 0 < stability.value < 1  # Sokoban alone tells them apart, by one level of 20: many redraws tie


def test_a_study_says_which_scores_it_cannot_give_and_what_is_missing(papers_study: StudyScores) -> None:
    assert papers_study.missing == (
        "difficulty transfer and recovery: runs with role trained and a difficulty",
        "forgetting and backward transfer: runs with role stage, one per stage of a sequence of at least two",
    )


def test_the_same_study_gives_the_same_bytes() -> None:
    study = Study("s", (StudyRun("start", "initial"), StudyRun("a", "trained", source="WebShop")))
    first = {"start": run("start", {"Sokoban": 0.4}, 40), "a": run("a", {"Sokoban": 0.3}, 40)}
    turned = {"a": first["a"][::-1], "start": first["start"][::-1]}
    assert json.dumps(score_study(study, first).to_json()) == json.dumps(score_study(study, turned).to_json())


def test_a_single_policy_gets_its_slope_and_is_told_the_rest() -> None:
    study = Study("s", (StudyRun("mine"),))
    episodes = [e for d, k in (("easy", 18), ("medium", 12), ("hard", 4)) for e in cell(k, 20, difficulty=d)]
    scores = score_study(study, {"mine": episodes})
    assert found(scores, "mine", "success_easy").value == 0.9
    assert found(scores, "mine", "difficulty_drop").value == pytest.approx(0.7)
    assert "generalization tax, retention, held-in and held-out gains: a run with role trained, on one family" in (
        scores.missing
    )


def test_training_seeds_are_averaged_and_widen_the_interval() -> None:
    study = Study("s", (StudyRun("0", "joint", seed=0), StudyRun("1", "joint", seed=1)))
    runs = {"0": run("p", {"Sokoban": 0.2, "WebShop": 0.3}, 100), "1": run("p", {"Sokoban": 0.6, "WebShop": 0.7}, 100)}
    scores = score_study(study, runs)
    success = found(scores, "joint: Sokoban", "success")
    assert success.value == pytest.approx(0.4)
    assert success.low is not None
    assert success.high is not None
    assert success.high - success.low > 0.4  # a redraw may hold the same seed twice
    assert found(scores, "joint", "iqm_success").value == pytest.approx(0.45)  # .2 .3 .6 .7 without the ends


def test_difficulty_transfer_and_recovery_come_from_runs_trained_on_a_difficulty() -> None:
    study = Study(
        "s",
        (
            StudyRun("start", "initial"),
            StudyRun("easy", "trained", source="Sokoban", difficulty="easy"),
            StudyRun("hard", "trained", source="Sokoban", difficulty="hard"),
        ),
    )
    rates = {"start": (0.3, 0.1), "easy": (0.8, 0.25), "hard": (0.6, 0.4)}
    runs = {
        name: run(name, {"Sokoban": easy}, 200, difficulty="easy")
        + run(name, {"Sokoban": hard}, 200, difficulty="hard")
        for name, (easy, hard) in rates.items()
    }
    scores = score_study(study, runs)
    assert found(scores, "trained on Sokoban easy -> Sokoban hard", "difficulty_transfer").value == pytest.approx(0.15)
    assert found(scores, "trained on Sokoban easy -> Sokoban hard", "recovery").value == pytest.approx(0.5)


def test_a_recovery_of_nothing_certain_is_undefined() -> None:
    study = Study(
        "s",
        (
            StudyRun("start", "initial"),
            StudyRun("easy", "trained", source="Sokoban", difficulty="easy"),
            StudyRun("hard", "trained", source="Sokoban", difficulty="hard"),
        ),
    )
    runs = {
        "start": cell(4, 10, difficulty="hard"),
        "easy": cell(6, 10, difficulty="hard"),
        "hard": [*cell(3, 8, difficulty="hard"), *[e for e in cell(10, 10, difficulty="hard") if e.seed > 7]],
    }
    score = found(score_study(study, runs), "trained on Sokoban easy -> Sokoban hard", "recovery")
    assert score.reason == "the gain of training on hard itself is not distinguishable from 0".replace(
        "hard", "Sokoban hard"
    )


def test_stages_give_the_worked_example_of_forgetting() -> None:
    families = ("Sokoban", "WebShop", "ALFWorld")
    matrix = [[0.6, 0.2, 0.1], [0.5, 0.7, 0.2], [0.4, 0.65, 0.8]]
    runs = {f"s{t}": run("p", dict(zip(families, row, strict=True)), 100) for t, row in enumerate(matrix, 1)}
    runs["start"] = run("p", dict.fromkeys(families, 0.1), 100)
    stages = tuple(StudyRun(f"s{t}", "stage", source=on, stage=t) for t, on in enumerate(families, 1))
    scores = score_study(Study("s", (StudyRun("start", "initial"), *stages)), runs)
    subject = "Sokoban -> WebShop -> ALFWorld"
    names = ("average_accuracy", "backward_transfer", "forward_transfer", "forgetting_max", "forgetting_end")
    got = [found(scores, subject, name).value for name in names]
    assert got == pytest.approx([0.61667, -0.125, 0.1, 0.125, 0.125], abs=1e-5)
    assert scores.missing[-1] == "intransigence: the run with role joint"


def sequence(after_first: int, after_second: int, joint: int = 40) -> StudyScores:
    """Two stages on Sokoban and WebShop, 100 levels each; success on Sokoban, of 100, before is 30."""
    runs = {
        "start": run("p", {"Sokoban": 0.3, "WebShop": 0.3}, 100),
        "s1": run("p", {"Sokoban": after_first / 100, "WebShop": 0.3}, 100),
        "s2": run("p", {"Sokoban": after_second / 100, "WebShop": 0.7}, 100),
        "both": run("p", {"Sokoban": joint / 100, "WebShop": 0.7}, 100),
    }
    roles = (
        StudyRun("start", "initial"),
        StudyRun("s1", "stage", source="Sokoban", stage=1),
        StudyRun("s2", "stage", source="WebShop", stage=2),
        StudyRun("both", "joint"),
    )
    return score_study(Study("s", roles), runs)


def test_forgetting_at_the_end_leads_and_the_maximum_has_no_interval() -> None:
    scores = [line.score for line in sequence(60, 45).lines if line.score.name.startswith("forgetting")]
    assert [score.name for score in scores] == ["forgetting_end", "forgetting_max"]
    assert scores[0].low is not None
    assert scores[0].value == pytest.approx(0.15)
    assert (scores[1].value, scores[1].low) == (pytest.approx(0.15), None)


def test_a_stage_that_is_not_shown_to_have_learned_leaves_nothing_to_forget() -> None:
    scores = sequence(30, 30, joint=30)
    for name in ("forgetting_end", "forgetting_max"):
        score = found(scores, "Sokoban -> WebShop", name)
        assert score.value is None
        assert str(score.reason).startswith("no stage is shown to have learned its environment: +0.0 points")
    intransigence = found(scores, "Sokoban", "intransigence_1")
    assert str(intransigence.reason).startswith("neither the stage (+0.0 points")
    assert found(scores, "WebShop", "intransigence_2").value == pytest.approx(0.0)


def test_success_stands_per_family_and_per_difficulty_where_difficulties_differ() -> None:
    episodes = [*cell(8, 10, difficulty="easy"), *cell(2, 10, difficulty="hard"), *cell(5, 10, family="WebShop")]
    lines = score_study(Study("s", (StudyRun("mine"),)), {"mine": episodes}).lines
    success = {line.subject: line.score.value for line in lines if line.section == "success"}
    assert success == pytest.approx(
        {"mine: Sokoban": 0.5, "mine: WebShop": 0.5, "mine: Sokoban easy": 0.8, "mine: Sokoban hard": 0.2}
    )


def test_rank_scores_have_no_interval_and_say_why(papers_study: StudyScores) -> None:
    (line, *_) = [line for line in papers_study.lines if line.score.name == "ood_rank_score"]
    assert line.score.low is None
    assert "redraws cover 20 to 58 % where models are equal in truth" in str(line.to_json()["no_interval"])


def test_levels_that_not_every_run_played_are_left_out_and_counted() -> None:
    study = Study("s", (StudyRun("start", "initial"), StudyRun("a", "trained", source="WebShop")))
    runs = {"start": cell(10, 20), "a": [e for e in cell(20, 20) if e.seed >= 5]}
    scores = score_study(study, runs)
    assert found(scores, "initial: Sokoban", "success").value == pytest.approx(1 / 3)  # seeds 5 to 9 of 5 to 19
    assert scores.notes == (
        "Sokoban: 5 of 20 levels of Sokoban-base easy train are left out, not every run has played them",
    )


def test_settings_that_not_every_run_played_are_left_out_and_named() -> None:
    study = Study("s", (StudyRun("start", "initial"), StudyRun("a", "trained", source="WebShop")))
    runs = {"start": cell(10, 20), "a": cell(10, 20, difficulty="hard")}
    scores = score_study(study, runs)
    assert not [line for line in scores.lines if line.section == "success"]
    assert len(scores.notes) == 2


def test_a_run_without_episodes_is_no_study() -> None:
    with pytest.raises(ScoreError, match="no episodes of mine"):
        score_study(Study("s", (StudyRun("mine"),)), {"mine": []})


def test_a_study_is_read_from_yaml() -> None:
    study = read_study(YAML)
    assert study.name == "second model"
    assert study.runs[5] == StudyRun("on-ALFWorld-augmented", "trained", source="ALFWorld", augmented=True)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("study: [", "is not YAML"),
        ("runs: []", "needs the keys study and runs"),
        ("study: x\nruns: []", "names no run"),
        ("study: x\nruns: [{role: initial}]", "needs the key run"),
        ("study: x\nruns: [{run: a, role: first}]", "unknown role 'first'; choose one of: initial, trained"),
        ("study: x\nruns: [{run: a, rule: initial}]", "unknown key 'rule' of a"),
        ("study: x\nruns: [{run: a, role: trained}]", "the role trained needs 'source'"),
        ("study: x\nruns: [{run: a, role: initial, source: Sokoban}]", "the role initial takes no 'source'"),
        (
            "study: x\nruns: [{run: a, role: stage, source: Sokoban, stage: one}]",
            "stage of a is 'one', not of type int",
        ),
        ("study: x\nruns: [{run: a, role: stage, source: Sokoban, stage: 2}]", r"the stages are \[2\]"),
        (
            "study: x\nruns: [{run: a, role: initial}, {run: b, role: initial}]",
            "a and b are both 'initial' with seed 0",
        ),
        ("study: x\nruns: [{run: a}, {run: a, role: initial}]", "a is named twice"),
        ("study: 2026-02-30\nruns: [{run: a}]", "is not YAML: day is out of range for month"),
        ("study: x\nstudy: y\nruns: [{run: a}]", "study, line 2: the key 'study' is there twice; leave one out"),
        ("study: x\nruns:\n- {run: a, seed: 1, seed: 2}", "study, line 3: the key 'seed' is there twice"),
        ("study: x\nruns: " + "[" * 3000, "is nested too deeply to be read; a study is a name and a list of runs"),
    ],
)
def test_a_study_that_makes_no_sense_is_refused_with_the_reason(text: str, message: str) -> None:
    with pytest.raises(ScoreError, match=message):
        read_study(text)


LISTS = (f"&a{k} [{', '.join([f'*a{k - 1}'] * 8)}]" for k in range(1, 30))
ALIASES = ", ".join(["&a0 [x, x, x, x, x, x, x, x]", *LISTS])  # 8**30 values, were they written out


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        (f"[{ALIASES}]", "each entry of runs needs the key run, got "),
        (f"{{run: [{ALIASES}]}}", "run of .* is .*, not of type str"),
        (f"{{run: a, source: [{ALIASES}]}}", "source of a is .*, not of type str"),
        (f"{{run: a, also: [{ALIASES}]}}", "also of a is .*, not a list of run folders"),
    ],
)
def test_a_study_that_would_be_written_out_over_all_bounds_is_refused_in_a_line(entry: str, message: str) -> None:
    with pytest.raises(ScoreError, match=message) as error:
        read_study(f"study: x\nruns:\n- {entry}")
    assert len(str(error.value)) < 500


def test_the_rate_of_a_training_is_the_mean_over_its_checkpoints() -> None:
    study = read_study("""
        study: s
        runs:
          - {run: last, role: joint, also: [earlier]}
    """)
    assert study.folders == ("last", "earlier")
    last = [episode(True, seed=seed) for seed in range(4)]
    earlier = [episode(seed == 0, seed=seed) for seed in range(4)]
    runs = study.by_run([last, earlier])
    (line, *_) = [line for line in score_study(study, runs).lines if line.section == "success"]
    assert line.score.value == (4 + 1) / 8
    assert line.score.n == 8
    assert line.score.low is not None
    assert line.score.low < line.score.value  # by levels, of which 4 were played


@pytest.mark.parametrize(
    ("also", "message"),
    [("[1]", "also of last is \\[1\\], not a list of run folders"), ("[last]", "last is named twice")],
)
def test_a_wrong_list_of_checkpoints_is_refused(also: str, message: str) -> None:
    with pytest.raises(ScoreError, match=message):
        read_study(f"study: s\nruns:\n  - {{run: last, role: joint, also: {also}}}\n")


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ("0000000000", "0000000000", (-0.2775, 0.2775)),
        ("0000000000", "1111111111", (0.4449, 1.0)),
        ("0001000111", "0001000111", (-0.2775, 0.2775)),  # no level changed: at 40 % as at 0 %
    ],
)
def test_where_levels_all_changed_alike_the_interval_is_of_levels_won_and_lost(before, after, expected):
    study = Study("s", (StudyRun("a", "initial"), StudyRun("b", "trained", "Sokoban")))
    runs = {
        name: [episode(solved[seed] == "1", seed=seed, level_id=str(seed)) for seed in range(10)]
        for name, solved in (("a", before), ("b", after))
    }
    (score,) = [line.score for line in score_study(study, runs).lines if line.score.name == "delta_held_in"]
    assert score.value == (after.count("1") - before.count("1")) / 10
    assert (round(score.low, 4), round(score.high, 4)) == expected  # Wilson, 0 of 10: 0 to .2775
