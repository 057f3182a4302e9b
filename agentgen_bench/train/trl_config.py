"""The settings of training by TRL beside those of GRPO, apart from the trainer: reading them needs no torch."""

from dataclasses import dataclass
from typing import Any

from agentgen_bench.errors import SpecError
from agentgen_bench.train.grpo_config import Config
from agentgen_bench.train.update_config import check_above_0, check_counts, check_from_0

# What TRL's asynchronous trainer does and cannot do otherwise.
FIXED: dict[str, Any] = {
    "kl_coef": 0.0,
    "importance_cap": None,
    "loss_mean": "tokens",
    "epochs": 1,
    "lora_rank": 0,
    "shard": False,  # accelerate's own FSDP2 splits the parameters there
}


@dataclass(frozen=True)
class Engine:
    """What the asynchronous trainer needs beside a `grpo.Config`."""

    server: str = "http://localhost:8000"
    """Root of the vLLM server, which serves the same model."""
    play_processes: int = 4
    """Processes that play, each with a loop of its own and the config's `workers` environments."""
    max_staleness: int = 4
    """Rows drawn by weights more updates old than this are dropped."""
    queue_rows: int = 1024
    """Rows that wait for the trainer at most; the players wait while it is full."""
    heartbeat_s: float = 1800.0
    """Seconds without a decision after which a player counts as hung."""

    def __post_init__(self) -> None:
        """Raise SpecError for values out of range."""
        check_counts(self, "play_processes", "queue_rows")
        check_from_0(self, "max_staleness")
        check_above_0(self, "heartbeat_s")


def check_settings(config: Config) -> None:
    """Raise SpecError for settings that TRL's asynchronous trainer cannot follow."""
    for name, value in FIXED.items():
        if getattr(config, name) != value:
            raise SpecError(f"{name}={getattr(config, name)!r} is not what TRL's asynchronous trainer does: {value!r}")
