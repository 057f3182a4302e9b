"""The short form of benchmarks/churn.py, which plays for half an hour."""

import runpy
from pathlib import Path

import pytest

CHURN = runpy.run_path(str(Path(__file__).parents[1] / "benchmarks" / "churn.py"))
Count, judged = CHURN["Count"], CHURN["judged"]


def test_environments_that_are_thrown_away_leave_nothing_open():
    counts = CHURN["churn"](0, ("Sokoban",), 6)
    for name in ("descriptors", "threads", "processes"):
        # The first processes of a vector environment make the two descriptors that all later ones share.
        assert getattr(counts[-1], name) == getattr(counts[2], name), name


@pytest.mark.parametrize("grows", Count._fields)
def test_what_grows_is_found(grows, capsys):
    counts = [Count(100.0, 100.0, 10, 2, 1, 100_000)] * 16
    assert judged(counts)
    growing = [count._replace(**{grows: getattr(count, grows) * (1 + i)}) for i, count in enumerate(counts)]
    assert not judged(growing)
    assert f"{grows:12}" in next(line for line in capsys.readouterr().out.splitlines() if "GREW" in line)
