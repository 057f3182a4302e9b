"""Episodes as recorded: everything that is scored, plotted or published is computed from these and nothing else."""

import hashlib
from dataclasses import dataclass
from typing import Any, Literal

from agentgen_bench.text import Section

SCHEMA_VERSION = 1
Ending = Literal["terminated", "truncated", "error"]


def chain(previous: str, observation: str) -> str:
    """Return the next link of the hash chain over an episode's observations: 32 hex digits."""
    return hashlib.sha256(f"{previous}\n{observation}".encode()).hexdigest()[:32]


@dataclass(frozen=True, slots=True)
class Step:
    """One decision and what came of it; `observation_hash` and `sections` belong to the observation that followed."""

    action: str | None  # as executed; None where the completion held none
    completion: str
    parse_reason: str | None
    reward: float
    score: float
    is_action_valid: bool
    observation_hash: str  # link of the chain
    observation_chars: dict[str, int]  # characters by section source
    n_admissible: int
    prompt_chars: int
    prompt_tokens: int
    completion_tokens: int
    dropped_turns: int
    sections: tuple[Section, ...] | None = None  # left out of compact records; replay brings them back


@dataclass(frozen=True, slots=True)
class Episode:
    """One episode, reset to end."""

    spec: dict[str, Any]
    seed: int
    repeat: int
    policy: str
    level_id: str
    task: str
    first_hash: str  # link of the chain for the observation of reset
    first_chars: dict[str, int]
    steps: tuple[Step, ...]
    ending: Ending
    success: bool
    score: float
    expert_length: int | None
    analysis: dict[str, float | int | None]
    error: str | None = None
    first_sections: tuple[Section, ...] | None = None
