"""The settings of behaviour cloning, apart from the trainer: reading and checking them needs no torch."""

from dataclasses import dataclass

from agentgen_bench.errors import SpecError
from agentgen_bench.train.logs import Tracker
from agentgen_bench.train.settings import Kernel, Schedule


@dataclass(frozen=True)
class Config:
    """Everything that decides a run; equal settings give equal parameters on a CPU."""

    model: str
    """The model to start from: a Hugging Face folder, or a hub name."""
    output: str
    """The run's folder: settings, log, checkpoints."""
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
    weight_decay: float = 0.0
    """Decay of matrices per unit of learning rate."""
    max_gradient_norm: float = 1.0
    """Gradients are scaled down to this norm."""
    lora_rank: int = 0
    """Rank of LoRA adapters; 0 trains all parameters."""
    lora_alpha: int = 32
    """Scale of the adapters, over their rank."""
    prompt_weight: float = 0.0
    """Weight of a prompt token's loss beside a completion token's 1, in [0, 1]; the mean is over these weights."""
    packing: bool = True
    """Put rows of different length one after another, instead of padding them; the log says where a model cannot."""
    max_sample_tokens: int = 4096
    """Longer demonstrations are left out; the log says how many."""
    micro_batch_tokens: int | None = None
    """Tokens of a forward and backward pass at most, padding included; None: what suits the device."""
    gradient_checkpointing: bool = False
    """Compute activations twice to need less memory."""
    bf16: bool = False
    """Compute in bfloat16 (parameters stay in float32)."""
    shard: bool = False
    """Split parameters, gradients and optimizer over the processes (FSDP2)."""
    attention: Kernel | None = None
    """Kernel of attention; None: eager on a CPU in bf16, where it is faster for short rows (its memory grows with
    their square), else sdpa."""
    save_every: int = 100
    """Steps between checkpoints; the last step always has one."""
    keep: int = 1
    """Newest checkpoints kept."""
    tracker: Tracker | None = None
    """Where numbers go besides log.jsonl: TensorBoard's event file, Weights & Biases, or nowhere."""

    def __post_init__(self) -> None:
        """Raise SpecError for values out of range."""
        if not self.data:
            raise SpecError(
                "data is empty; name at least one folder of demonstrations, or a demonstrator to record some"
            )
        for name in ("steps", "batch", "max_sample_tokens", "micro_batch_tokens", "save_every", "keep"):
            if getattr(self, name) is not None and getattr(self, name) < 1:
                raise SpecError(f"{name}={getattr(self, name)!r} is out of range; choose 1 or more")
        if self.shard and self.lora_rank:
            raise SpecError(f"lora_rank={self.lora_rank} is out of range; choose 0 with shard: adapters are not split")
        for name in ("warmup_share", "prompt_weight"):
            if not 0 <= getattr(self, name) <= 1:
                raise SpecError(f"{name}={getattr(self, name)!r} is out of range; choose a number in [0, 1]")
