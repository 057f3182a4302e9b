"""What the contract tests of the adapters share: an easy level of each family, and what the oracle does on it."""

from agentgen_bench import TaskSpec, play
from agentgen_bench.families import BUILT_IN
from agentgen_bench.policies.scripted import OraclePolicy
from agentgen_bench.rollout import Job
from agentgen_bench.rows import setting_rows

FAMILIES = tuple(BUILT_IN)
SEED = 1


def spec_of(family):
    return TaskSpec(family, difficulty="easy", split="test")


def row_of(family):
    (row,) = setting_rows(spec_of(family), 1, first_seed=SEED)
    return row


def expert(family):
    """Return the oracle's episode on the level of `row_of`."""
    (episode,) = play([Job(spec_of(family), SEED)], OraclePolicy())
    assert episode.success
    return episode


def answers(episode):
    """Return the actions of an episode as completions."""
    return [f"<think>so</think><action>{step.action}</action>" for step in episode.steps]


def hashes(episode):
    """Return the hash chain over everything that was observed."""
    return [episode.first_hash, *(step.observation_hash for step in episode.steps)]
