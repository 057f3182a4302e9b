"""What both trainers do around a gradient: the learning rate, AdamW, and stopping with a reason when it goes wrong."""

import contextlib
import ctypes
import math
import platform
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from agentgen_bench.errors import RunError, SpecError
from agentgen_bench.train.settings import Schedule

# Accelerate's names of the set-ups in which every process holds the whole model: one process, or DDP.
WHOLE_MODELS = ("NO", "MULTI_CPU", "MULTI_GPU")

GPU_TOKENS, CPU_TOKENS = 16_384, 2_048
M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4  # of glibc's malloc.h
NO_BF16 = "bf16 is off: this CPU has no bfloat16 instructions, and without them it is 20 times slower than float32"


def learning_rate(step: int, steps: int, peak: float, warmup_steps: int, schedule: Schedule) -> float:
    """Return the learning rate of update `step` (1 to `steps`): a linear warm-up, then the schedule down to 0.

    Examples:
        >>> [learning_rate(step, 10, 1.0, 4, "constant") for step in (1, 4, 10)]
        [0.25, 1.0, 1.0]
    """
    if step <= warmup_steps:
        return peak * step / warmup_steps
    progress = (step - warmup_steps - 1) / max(1, steps - warmup_steps)
    if schedule == "cosine":
        return peak * 0.5 * (1 + math.cos(math.pi * progress))
    return peak * (1 - progress) if schedule == "linear" else peak


def tokens_per_pass(asked: int | None, device: Any) -> int:
    """Return the tokens of a forward and backward pass: those asked for, else what suits the device.

    A GPU wants much to do at once. On a CPU a pass is fastest while its activations stay in the cache: of a model of
    a million parameters, passes of 2,048 tokens do three times the work per second of passes of 16,384.
    """
    if asked is not None:
        return asked
    return CPU_TOKENS if torch.device(device).type == "cpu" else GPU_TOKENS


def has_bf16(device: Any) -> bool:
    """Return whether the device computes in bfloat16 by instructions of its own."""
    if torch.device(device).type != "cpu":
        return True
    if platform.machine().lower() in ("x86_64", "amd64"):
        return bool(torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())
    try:
        return " bf16" in Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return True  # not a Linux: nothing to look it up in


def keep_freed_memory() -> None:
    """Let the allocator of glibc keep what tensors free, instead of giving it back and faulting it in again.

    Passes of some thousand tokens are up to a quarter faster on a CPU. Elsewhere than on Linux nothing is done.
    """
    with contextlib.suppress(OSError, AttributeError):
        libc = ctypes.CDLL("libc.so.6")
        libc.mallopt(M_MMAP_MAX, 0)
        libc.mallopt(M_TRIM_THRESHOLD, (1 << 31) - 1)


def accelerator_for(bf16: bool) -> Any:
    """Return accelerate's view of this process: one CPU, one GPU, or one of several started by `accelerate launch`.

    On a CPU without bfloat16 instructions `bf16` is not followed, and that is said: it would be 20 times slower.

    Raises:
        SpecError: accelerate is set up for FSDP, DeepSpeed or another way of splitting the parameters over processes.
            The trainers split them themselves, see sharding.py.
    """
    from accelerate import Accelerator
    from accelerate.state import AcceleratorState
    from transformers.utils import logging

    logging.disable_progress_bar()  # of loading and saving weights; the run's own bar stays readable
    AcceleratorState._reset_state()  # a second run in one process may have another precision
    accelerator = Accelerator(mixed_precision="bf16" if bf16 else "no")
    if accelerator.device.type == "cpu":
        keep_freed_memory()
    if bf16 and not has_bf16(accelerator.device):
        if accelerator.is_main_process:
            sys.stderr.write(f"{NO_BF16}\n")
        AcceleratorState._reset_state()
        accelerator = Accelerator(mixed_precision="no")
    kind = str(accelerator.distributed_type.value)
    if kind not in WHOLE_MODELS:
        raise SpecError(
            f"accelerate is set up for {kind}; run `accelerate config` anew, choose no FSDP or DeepSpeed, and add "
            "--shard to split the parameters over the processes"
        )
    return accelerator


def adamw(model: Any, weight_decay: float) -> torch.optim.AdamW:
    """Return AdamW (betas .9 and .999) over the trainable parameters; vectors, such as norms, do not decay.

    The learning rate is set before each update.
    """
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    groups = [
        {"params": [p for p in parameters if p.ndim >= 2], "weight_decay": weight_decay},
        {"params": [p for p in parameters if p.ndim < 2], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW([group for group in groups if group["params"]], lr=0.0)


def set_learning_rate(optimizer: Any, value: float) -> None:
    """Give every parameter group the learning rate."""
    for group in optimizer.param_groups:
        group["lr"] = value


def stop_unless_finite(
    loss: float, gradient_norm: float, batch: Mapping[str, object], run: Path, step: int, process: int
) -> None:
    """Save the batch and raise RunError where loss or gradient is not a number; the parameters are not yet touched.

    Of several processes each has a batch, and saves it to a file of its own.
    """
    if math.isfinite(loss) and math.isfinite(gradient_norm):
        return
    path = run / f"bad-batch-{step:06d}{f'-process-{process}' if process else ''}.pt"
    torch.save(batch, path)
    raise RunError(
        f"step {step}: loss {loss}, gradient norm {gradient_norm}; the run stopped before the update and saved the "
        f"batch to {path} (torch.load). A lower learning rate or max_gradient_norm, or bf16 off, are what to try"
    )


@contextmanager
def dropout_drawn_from(seed: int, device: Any) -> Iterator[None]:
    """Let what runs within draw from torch's global stream as `seed` decides; afterwards that goes on as if it had not.

    Dropout knows no other stream. Most models have none, and draw nothing.
    """
    with torch.random.fork_rng([device] if torch.device(device).type == "cuda" else []):
        torch.manual_seed(seed)
        yield


@contextmanager
def out_of_memory_explained(micro_batch_tokens: int, gradient_checkpointing: bool) -> Iterator[None]:
    """Turn a failed allocation into a RunError that says what to lower."""
    try:
        yield
    except (MemoryError, RuntimeError) as error:  # on the CPU, torch raises a plain RuntimeError
        text = str(error).lower()
        if not isinstance(error, (MemoryError, torch.OutOfMemoryError)) and "not enough memory" not in text:
            raise
        advice = f"lower micro_batch_tokens (now {micro_batch_tokens})"
        if not gradient_checkpointing:
            advice += ", turn gradient_checkpointing on"
        raise RunError(f"out of memory: {advice}, set lora_rank, or lower max_tokens and history_length") from error
