"""Several processes: whole models (DDP by accelerate), or parameters split over them (FSDP2 by torch).

Both trainers go through these functions and do not know which it is. Split, a process holds its share of parameters,
gradients and optimizer state; layers are gathered one after another as a pass needs them. Every pass is then a joint
act: processes must make the same number of them.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

from agentgen_bench.train.models import merged_tensors
from agentgen_bench.train.optimizing import adamw


def prepared(accelerator: Any, model: Any, weight_decay: float, shard: bool) -> tuple[Any, torch.optim.Optimizer | Any]:
    """Return model and AdamW, ready for this many processes; one process has nothing to split."""
    if not shard or accelerator.num_processes == 1:
        wrapped, optimizer = accelerator.prepare(model, adamw(model, weight_decay))
        return wrapped, optimizer
    split(accelerator, model)
    return model, adamw(model, weight_decay)


def frozen(accelerator: Any, model: Any, shard: bool) -> Any:
    """Return a model that is only read, computed and held as the one under training is: split, and in bfloat16.

    So their log-probabilities are equal, bit for bit, as long as their weights are. Weights that a bfloat16 pass
    would round first are kept rounded, which takes half the memory.
    """
    model.eval().requires_grad_(False)
    is_split = shard and accelerator.num_processes > 1
    if accelerator.mixed_precision == "bf16":
        _round_weights(model, all_of_them=is_split)
    if not is_split:
        return accelerator.prepare_model(model, evaluation_mode=True)
    split(accelerator, model)
    return model


def _round_weights(model: Any, all_of_them: bool) -> None:
    """Round what autocast would round for each pass: matrices of linear layers, except those that embeddings share."""
    if all_of_them:
        for parameter in model.parameters():  # buffers, such as the angles of positions, are not rounded there
            parameter.data = parameter.data.to(torch.bfloat16)
        return
    shared = {id(module.weight) for module in model.modules() if isinstance(module, torch.nn.Embedding)}
    for module in model.modules():
        if isinstance(module, torch.nn.Linear) and id(module.weight) not in shared:
            module.to(torch.bfloat16)


def split(accelerator: Any, model: Any) -> None:
    """Split the model's parameters over the processes, layer by layer, in place (FSDP2)."""
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import MixedPrecisionPolicy, fully_shard

    device = accelerator.device
    mesh = init_device_mesh(device.type, (accelerator.num_processes,))
    inner = outer = MixedPrecisionPolicy()
    if accelerator.mixed_precision == "bf16":
        inner = MixedPrecisionPolicy(torch.bfloat16, reduce_dtype=torch.float32)
        outer = MixedPrecisionPolicy(torch.bfloat16, reduce_dtype=torch.float32, output_dtype=torch.float32)
    model.to(device)
    layers = set(model._no_split_modules or ())  # the class of a decoder layer
    for module in [module for module in model.modules() if type(module).__name__ in layers]:
        fully_shard(module, mesh=mesh, mp_policy=inner)
    fully_shard(model, mesh=mesh, mp_policy=outer)


def is_split(model: Any) -> bool:
    """Return whether the model's parameters are split over processes."""
    return hasattr(model, "set_requires_gradient_sync")


@contextmanager
def gradients_meet(accelerator: Any, model: Any, is_last: bool) -> Iterator[None]:
    """Let gradients of a backward pass stay in their process; those of the last pass before a step are averaged."""
    if is_split(model):
        model.set_requires_gradient_sync(is_last)
        yield
    elif is_last:
        yield
    else:
        with accelerator.no_sync(model):
            yield


def clip_gradients(accelerator: Any, model: Any, max_norm: float) -> float:
    """Scale the gradients down to the norm and return the norm that they had."""
    if is_split(model):
        return float(torch.nn.utils.clip_grad_norm_(model.parameters(), max_norm).full_tensor())
    return float(accelerator.clip_grad_norm_(model.parameters(), max_norm))


def equal_passes(accelerator: Any, n_passes: int) -> int:
    """Return how many passes the busiest process makes, which all must make."""
    return int(accelerator.gather(torch.tensor([n_passes], device=accelerator.device)).max())


def gathered_texts(accelerator: Any, own: list[str]) -> list[str]:
    """Return the texts of all processes, in the order of the processes."""
    if accelerator.num_processes == 1:
        return own
    from accelerate.utils import gather_object

    return [str(text) for text in gather_object(own)]


def gathered_weights(accelerator: Any, model: Any) -> dict[str, torch.Tensor] | None:
    """Return the whole weights of a split model, on the CPU of the first process; None where a model saves itself."""
    if not is_split(model):
        return None
    weights = {}
    for name, tensor in merged_tensors(model):
        if accelerator.is_main_process:
            weights[name] = tensor.cpu()
    return weights


def optimizer_state(model: Any, optimizer: Any) -> dict[str, Any]:
    """Return the optimizer's state for a checkpoint; of a split model, whole and in the first process only."""
    if not is_split(model):
        return dict(optimizer.state_dict())
    from torch.distributed.checkpoint.state_dict import StateDictOptions, get_optimizer_state_dict

    return dict(
        get_optimizer_state_dict(model, optimizer, options=StateDictOptions(full_state_dict=True, cpu_offload=True))
    )


def load_optimizer_state(model: Any, optimizer: Any, state: dict[str, Any]) -> None:
    """Give the optimizer the state of a checkpoint; every process reads the whole and keeps its share."""
    if not is_split(model):
        optimizer.load_state_dict(state)
        return
    from torch.distributed.checkpoint.state_dict import StateDictOptions, set_optimizer_state_dict

    set_optimizer_state_dict(model, optimizer, state, options=StateDictOptions(full_state_dict=True))
