"""The settings of behaviour cloning, apart from the trainer: reading and checking them needs no torch."""

from dataclasses import dataclass

from agentgen_bench.errors import SpecError
from agentgen_bench.train.settings import Schedule, check_weight
from agentgen_bench.train.update_config import UpdateConfig, check_above_0, check_counts, check_setting


@dataclass(frozen=True, kw_only=True)
class Config(UpdateConfig):
    """Everything that decides a run; equal settings give equal parameters on a CPU."""

    data: tuple[str, ...]
    """Folders (or files) of demonstrations, as collect writes them."""

    mix: tuple[tuple[str, float], ...] = ()
    """Environments with their weights in the mix; empty: every demonstration weighs the same."""
    steps: int = 100
    """Optimizer steps."""
    batch: int = 32
    """Demonstrations per step, over all processes."""
    seed: int = 0
    """Decides the order of the demonstrations."""
    learning_rate: float = 5e-6
    """Peak learning rate of AdamW."""
    schedule: Schedule = "cosine"
    """Course of the learning rate after the warm-up."""
    warmup_share: float = 0.1
    """Share of the steps over which the learning rate rises to its peak."""
    prompt_weight: float = 0.0
    """Weight of a prompt token's loss beside a completion token's 1, in [0, 1]; the mean is over these weights."""
    max_sample_tokens: int = 4096
    """Longer demonstrations are left out; the log says how many."""
    save_every: int = 100
    """Steps between checkpoints; the last step always has one."""
    keep: int = 1
    """Newest checkpoints kept."""

    def __post_init__(self) -> None:
        """Raise SpecError for values out of range."""
        super().__post_init__()
        if not self.data:
            raise SpecError(
                "data is empty; name at least one folder of demonstrations, or a demonstrator to record some"
            )
        names = [environment for environment, _ in self.mix]
        if twice := [name for name in names if names.count(name) > 1]:
            raise SpecError(f"the mix names {twice[0]!r} twice; give each environment one weight")
        for environment, weight in self.mix:
            check_weight(f"{environment} in the mix", weight)
        check_counts(self, "steps", "batch", "max_sample_tokens", "save_every", "keep")
        check_above_0(self, "learning_rate")
        for name in ("warmup_share", "prompt_weight"):
            check_setting(name, getattr(self, name), 0 <= getattr(self, name) <= 1, "a number in [0, 1]")
