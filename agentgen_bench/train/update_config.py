"""The settings of an update, which behaviour cloning and GRPO share: reading and checking them needs no torch."""

import math
from dataclasses import dataclass

from agentgen_bench.errors import SpecError
from agentgen_bench.train.logs import Tracker
from agentgen_bench.train.models import Lora
from agentgen_bench.train.settings import Kernel

ABOVE_0 = "a finite number above 0"


@dataclass(frozen=True, kw_only=True)
class UpdateConfig:
    """What is trained, how a batch becomes an update, and what a run leaves behind."""

    model: str
    """The model to start from: a Hugging Face folder, or a hub name."""
    output: str
    """The run's folder: settings, log, checkpoints."""

    weight_decay: float = 0.0
    """Decay of matrices per unit of learning rate."""
    max_gradient_norm: float = 1.0
    """Gradients are scaled down to this norm, above 0; a large one, such as 1e9, leaves them as they are."""
    lora_rank: int = 0
    """Rank of LoRA adapters; 0 trains all parameters."""
    lora_alpha: int = 32
    """Scale of the adapters, over their rank; 1 or more."""
    packing: bool = True
    """Put rows of different length one after another, instead of padding them; the log says where a model cannot."""
    micro_batch_tokens: int | None = None
    """Tokens of a forward and backward pass at most, padding included; decides memory and speed, not the result.
    None: what suits the device."""
    gradient_checkpointing: bool = False
    """Compute activations twice to need less memory."""
    bf16: bool = False
    """Compute in bfloat16 (parameters stay in float32)."""
    shard: bool = False
    """Split parameters, gradients and optimizer over the processes (FSDP2); a sampler keeps a copy of its own."""
    attention: Kernel | None = None
    """Kernel of attention; None: what is fastest for short rows, on a CPU blocks in float32 and eager in bf16 (their
    memory grows with a row's square; blocks leave rows beyond 1,536 tokens to sdpa), elsewhere sdpa."""
    tracker: Tracker | None = None
    """Where numbers go besides log.jsonl: TensorBoard's event file, Weights & Biases, or nowhere."""

    def __post_init__(self) -> None:
        """Raise SpecError for values out of range."""
        check_counts(self, "lora_alpha", *(() if self.micro_batch_tokens is None else ("micro_batch_tokens",)))
        check_from_0(self, "weight_decay", "lora_rank")
        clips = 0 < self.max_gradient_norm < math.inf  # others read 0 as no clipping; here it would scale all to 0
        check_setting("max_gradient_norm", self.max_gradient_norm, clips, f"{ABOVE_0}; 1e9 leaves gradients alone")
        splits_adapters = self.shard and self.lora_rank > 0
        check_setting("lora_rank", self.lora_rank, not splits_adapters, "0 with shard: adapters are not split")

    @property
    def lora(self) -> Lora:
        """The adapters."""
        return Lora(self.lora_rank, self.lora_alpha)


def check_counts(config: object, *names: str) -> None:
    """Raise SpecError for a setting that is not a number from 1 on."""
    for name in names:
        check_setting(name, getattr(config, name), 1 <= getattr(config, name) < math.inf, "1 or more")


def check_from_0(config: object, *names: str) -> None:
    """Raise SpecError for a setting that is not a finite number from 0 on."""
    for name in names:
        check_setting(name, getattr(config, name), 0 <= getattr(config, name) < math.inf, "a finite number, 0 or more")


def check_above_0(config: object, *names: str) -> None:
    """Raise SpecError for a setting that is not a finite number above 0: it would stop learning, or turn it round."""
    for name in names:
        check_setting(name, getattr(config, name), 0 < getattr(config, name) < math.inf, ABOVE_0)


def check_setting(name: str, value: object, is_right: bool, right: str) -> None:
    """Raise SpecError for a value that is not right, saying what would be."""
    if not is_right:
        raise SpecError(f"{name}={value!r} is out of range; choose {right}")
