"""Interface reliance against numbers worked out by hand."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentgen_bench.scores.reliance import MIN_LEVELS, interface_reliance
from agentgen_bench.scores.units import why_no_interval
from agentgen_bench.seeding import stream
from tests.scores.build import episode

RNG = ("test", "reliance")


def level(seed, shown, originals, aliases):
    analysis = {"named_original": originals, "named_alias": aliases, "shown_names": shown}
    return episode(seed=seed, level_id=f"l{seed}", analysis=analysis)


def scores(levels):
    return interface_reliance(levels, stream(*RNG))


def test_reliance_is_the_originals_used_where_shown_and_where_not_less_one():
    # Where originals are shown 9 of 12 actions name them, where aliases are 2 of 8: .75 + .25 - 1 = 0.
    levels = [level(0, "original", 4, 0), level(1, "original", 5, 3), level(2, "alias", 2, 4), level(3, "alias", 0, 2)]
    reliance, shown, hidden = scores(levels)
    assert (reliance.name, reliance.value, reliance.n) == ("interface_reliance", 0.0, 4)
    assert (shown.name, shown.value) == ("originals_where_shown", 0.75)
    assert (hidden.name, hidden.value) == ("originals_where_aliases_are_shown", 0.25)
    assert (reliance.low, shown.low, hidden.low) == (None, None, None)  # two levels of a kind
    assert "fewer than 30 levels" in (why_no_interval(reliance) or "")


@pytest.mark.parametrize(("names", "value"), [((5, 0, 5, 0), 1.0), ((5, 0, 0, 5), 0.0), ((0, 5, 0, 5), -1.0)])
def test_who_always_does_the_same_is_told_apart(names, value):
    levels = [level(i, *(("original", *names[:2]) if i % 2 else ("alias", *names[2:]))) for i in range(20)]
    reliance = scores(levels)[0]
    # Wilson, 10 of 10 levels: .7225 to 1. For the reliance the ends add up, less 1.
    ends = {1.0: (0.4449, 1.0), 0.0: (-0.2775, 0.2775), -1.0: (-1.0, -0.4449)}[value]
    assert reliance.value == value
    assert (reliance.low, reliance.high) == (pytest.approx(ends[0], abs=1e-3), pytest.approx(ends[1], abs=1e-3))


def test_enough_levels_have_an_interval_by_redraws():
    levels = [level(i, "alias" if i % 2 else "original", i % 3, 2) for i in range(2 * MIN_LEVELS)]
    for score in scores(levels):
        assert score.low is not None
        assert score.low < score.value < score.high


def test_levels_of_one_kind_alone_say_nothing():
    reliance = scores([level(0, "alias", 1, 1)])[0]
    assert (reliance.value, reliance.reason) == (None, "no level shows the names of kind 'original'; play more levels")


def test_records_that_do_not_say_have_no_reliance():
    assert scores([episode(seed=0), episode(seed=1)]) == []
    assert scores([level(0, "alias", 0, 0), level(1, "original", 0, 0)]) == []  # nothing was named


counts = st.tuples(st.sampled_from(["alias", "original"]), st.integers(0, 9), st.integers(0, 9))


@given(st.lists(counts, min_size=1, max_size=12), st.randoms())
def test_reliance_stays_in_range_and_order_does_not_matter(found, random):
    levels = [level(i, *one) for i, one in enumerate(found)]
    first, second = scores(levels), scores(random.sample(levels, len(levels)))
    assert first == second
    assert all(score.value is None or -1 <= score.value <= 1 for score in first)
