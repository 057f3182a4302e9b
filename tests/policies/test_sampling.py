"""Sampling settings and the seeds of requests."""

import pytest

from agentgen_bench.errors import PolicyError
from agentgen_bench.policies.sampling import Sampling
from agentgen_bench.seeding import seed_from


def test_a_request_seed_is_keyed_by_the_run_and_the_step() -> None:
    assert Sampling(seed=7).request_seed(("Sokoban", 3, 0, 1)) == seed_from(7, "Sokoban", 3, 0, 1)


def test_neighbouring_steps_and_runs_have_seeds_of_their_own() -> None:
    seeds = {Sampling(seed=run).request_seed(("Sokoban", 3, 0, step)) for run in range(10) for step in range(10)}
    assert len(seeds) == 100


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"temperature": -1.0}, "temperature=-1.0 is out of range; choose 0 (greedy), or 0.01 or more"),
        ({"temperature": 0.001}, "temperature=0.001 is out of range"),
        ({"temperature": float("nan")}, "temperature=nan is out of range"),
        ({"top_p": 0.0}, "top_p=0.0 is out of range; choose a number above 0 and at most 1"),
        ({"top_k": 0}, "top_k=0 is out of range; choose 1 or more, or None for all tokens"),
        ({"max_tokens": 0}, "max_tokens=0 is out of range; choose 1 or more"),
        ({"temperature": "a"}, "temperature='a' is out of range; choose 0 (greedy), or 0.01 or more"),
        ({"top_p": None}, "top_p=None is out of range; choose a number above 0 and at most 1"),
        ({"top_k": "all"}, "top_k='all' is out of range; choose 1 or more, or None for all tokens"),
        ({"max_tokens": 2.5}, "max_tokens=2.5 is out of range; choose 1 or more"),
        ({"max_tokens": True}, "max_tokens=True is out of range; choose 1 or more"),
        ({"seed": "a"}, "seed='a' is out of range; choose an integer"),
    ],
)
def test_settings_outside_their_range_are_refused(settings: dict[str, float], said: str) -> None:
    with pytest.raises(PolicyError) as caught:
        Sampling(**settings)  # type: ignore[arg-type]
    assert str(caught.value).startswith(said)
