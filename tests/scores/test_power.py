"""How many levels, repeats and seeds a difference needs: by hand, and against simulated studies."""

import json
import math

import numpy as np
import pytest

from agentgen_bench.cli import main
from agentgen_bench.errors import ScoreError
from agentgen_bench.scores.base import Interval
from agentgen_bench.scores.power import Assumptions, levels_needed, smallest_difference
from agentgen_bench.scores.training_seeds import Lineage, widened
from agentgen_bench.seeding import stream

ONE_SEED = Assumptions(0.05, seed_spread=0.0, level_share=0.0)


def test_without_seeds_and_levels_it_is_the_textbook_sample_size() -> None:
    # (1.959964 + .841621)^2 * 2 * .25 / .05^2 = 1569.8 (Fleiss, Levin and Paik 2003, chapter 4, without correction)
    assert levels_needed(ONE_SEED, seeds=1, repeats=1, paired=False) == 1570


def test_pairing_takes_the_levels_share_off() -> None:
    half = Assumptions(0.05, seed_spread=0.0, level_share=0.5)
    assert levels_needed(half, seeds=1, repeats=1, paired=False) == 1570
    assert levels_needed(half, seeds=1, repeats=1, paired=True) == 785
    assert levels_needed(half, seeds=1, repeats=4, paired=True) == 197  # 784.9 / 4
    assert levels_needed(half, seeds=1, repeats=4, paired=False) == 982  # 784.9 (1 + 1 / 4)


def test_no_number_of_levels_makes_up_for_few_seeds() -> None:
    # 3 seeds, spread .03: (2.776 + .842) * .03 * sqrt(2 / 3) = .0886
    many = smallest_difference(Assumptions(0.05), 10**9, seeds=3, repeats=1, paired=True)
    assert many == pytest.approx((2.776445 + 0.841621) * 0.03 * math.sqrt(2 / 3), abs=1e-4)
    assert levels_needed(Assumptions(0.05), seeds=3, repeats=1, paired=True) is None
    assert levels_needed(Assumptions(0.10), seeds=3, repeats=1, paired=True) is not None


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"detect": 0.0}, "the difference to detect is 0"),
        ({"detect": 0.1, "success": 1.0}, "the success is 1"),
        ({"detect": 0.1, "seed_spread": 0.6}, "the spread of seeds is 0.6; it lies from 0 to 0.5"),
        ({"detect": 0.1, "level_share": 1.1}, "the levels' share is 1.1"),
    ],
)
def test_what_is_no_rate_is_refused(fields: dict[str, float], message: str) -> None:
    with pytest.raises(ScoreError, match=message):
        Assumptions(**fields)


def detected(given: Assumptions, levels: int, seeds: int, paired: bool, studies: int = 300) -> float:
    """Return the share of simulated studies whose interval leaves 0 out; each has 0/1 outcomes, intervals as `score`.

    A level's chance is p plus or minus sqrt(level_share p (1 - p)), so that this share of the variance is its own.
    """
    rng, found = stream("test", "power", seeds, str(paired)), 0
    spread = math.sqrt(given.level_share * given.success * (1 - given.success))
    for _ in range(studies):
        hardness = rng.choice([-spread, spread], levels)
        other = hardness if paired else rng.choice([-spread, spread], levels)
        outcomes = []
        for level, mean in ((hardness, given.success), (other, given.success + given.detect)):
            chances = mean + rng.normal(0, given.seed_spread, (seeds, 1)) + level
            outcomes.append((rng.random((seeds, levels)) < chances).astype(float))
        counts = [rng.multinomial(levels, np.full(levels, 1 / levels), 200) for _ in range(1 if paired else 2)]
        draws = [counts[i % len(counts)] @ solved.T / levels for i, solved in enumerate(outcomes)]  # (R, seeds)
        difference = float(outcomes[1].mean() - outcomes[0].mean())
        low, high = np.percentile(draws[1].mean(1) - draws[0].mean(1), [2.5, 97.5])
        sides = [
            Lineage(solved.mean(1)[:, None], drawn.T[:, None, :], np.array([sign]))
            for solved, drawn, sign in zip(outcomes, draws, (-1.0, 1.0), strict=True)
        ]
        ends = widened(difference, Interval(float(low), float(high)), sides if seeds > 1 else [])
        found += not (ends.low or 0.0) <= 0 <= (ends.high or 0.0)
    return found / studies


@pytest.mark.parametrize(("seeds", "paired"), [(1, True), (1, False), (5, True), (5, False)])
def test_simulated_studies_detect_as_often_as_it_says(seeds: int, paired: bool) -> None:
    given = Assumptions(0.08, success=0.45, seed_spread=0.03 if seeds > 1 else 0.0, level_share=0.3)
    levels = levels_needed(given, seeds=seeds, repeats=1, paired=paired)
    assert levels is not None
    # 80 % with a standard error of 2.3 points
    assert detected(given, levels, seeds, paired) == pytest.approx(0.8, abs=0.08)


def test_the_verb_prints_a_table_and_its_assumptions(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["power", "--detect", "3"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == "seeds repeats levels, paired levels, unpaired".split()
    assert lines[1].split() == ["1", "1", "2,181", "4,361"]
    assert "success 50 %, difference 3 points, seeds spread by 3 points" in lines[-3]


def test_the_verb_prints_json_and_refuses_nonsense(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["power", "--detect", "5", "--seeds", "1", "--repeats", "1", "--json"]) == 0
    data = json.loads(capsys.readouterr().out)
    assert data["rows"] == [{"seeds": 1, "repeats": 1, "levels_paired": 785, "levels_unpaired": 1570}]
    assert main(["power", "--detect", "100"]) == 2
    assert "--detect is 100; choose more than 0 and less than 100" in capsys.readouterr().err  # points, as the option
    assert main(["power", "--detect", "5", "--seeds", "0"]) == 2
