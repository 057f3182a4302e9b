"""Every attack of the set gets a verdict of its kind; what each costs is measured by benchmarks/hostile_entries.py."""

from dataclasses import replace
from pathlib import Path

import pytest

from agentgen_bench.episodes import from_json
from agentgen_bench.leaderboard.verify import scored, verify
from agentgen_bench.suites import Suite
from tests.leaderboard.attacks import ATTACKS, lines_of

# These write or unpack tens of megabytes; the benchmark runs them.
LARGE = (
    "60MB",
    "many-members",
    "8GB",
    "4GB",
    "100MB",
    "50MB",
    "million",
    "line-of",
    "everywhere",
    "20000",
    "completion-tags",
)
SMALL = [name for name in ATTACKS if not any(part in name for part in LARGE)]


def findings(name: str, entry: Path, suite: Suite) -> tuple[str, ...]:
    ATTACKS[name].spoil(entry)
    found = verify(entry, suite=suite, workers=1)
    assert not found.holds
    return found.problems


@pytest.mark.parametrize("name", SMALL)
def test_an_attack_is_one_clear_line(name: str, entry: Path, suite: Suite) -> None:
    (line,) = findings(name, entry, suite)
    assert ATTACKS[name].finding in line
    assert "cannot be verified: " not in line  # the net under what nobody thought of
    assert len(line) < 700


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(set(ATTACKS) - set(SMALL)))
def test_a_large_attack_gets_its_verdict(name: str, entry: Path, suite: Suite) -> None:
    line = findings(name, entry, suite)[0]
    assert ATTACKS[name].finding in line
    assert "cannot be verified: " not in line


def test_steps_that_differ_in_rewards_alone_are_kept_as_one(made: Path) -> None:
    episode = from_json(lines_of(made)[0])
    step = episode.steps[0]
    kept = scored(replace(episode, steps=tuple(replace(step, reward=k / 8) for k in range(1000))))
    assert len({id(step) for step in kept.steps}) == 2  # the first one, and all others
    assert kept.episode_return == 62_437.5  # 999 * 1000 / 2 / 8
