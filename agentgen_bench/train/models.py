"""Models to train: loading, LoRA, saving as Hugging Face folders that every policy loads."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from agentgen_bench.errors import MissingDependencyError, PolicyError, install_hint
from agentgen_bench.policies.opening import open_checkpoint

ADAPTER_FOLDER = "adapter"
INSTALL = f"training needs torch, transformers, accelerate and peft: {install_hint('train')}"


class Lora(NamedTuple):
    """Low-rank adapters (arXiv 2106.09685) on every linear layer but the head; rank 0: train all parameters."""

    rank: int = 0
    alpha: int = 32

    def __bool__(self) -> bool:
        """Return whether there are adapters at all."""
        return self.rank > 0


def load_model(path: str | Path) -> Any:
    """Return the model of a folder or hub name in float32, the precision of the weights under training."""
    import torch

    try:
        from transformers import AutoModelForCausalLM
    except ImportError:
        raise MissingDependencyError(INSTALL) from None
    checkpoint = open_checkpoint(path)
    try:
        return AutoModelForCausalLM.from_pretrained(checkpoint.path, dtype=torch.float32, local_files_only=True)
    except (OSError, ValueError, KeyError, RuntimeError, ImportError) as error:
        line = next(iter(str(error).splitlines()), type(error).__name__)
        raise PolicyError(f"transformers cannot load the model in {checkpoint.path}: {line}") from error


def load_tokenizer(path: str | Path) -> Any:
    """Return the tokenizer of a folder or hub name."""
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(open_checkpoint(path).path, local_files_only=True)


def trainable(model: Any, lora: Lora, adapter: Path | None, seed: int, gradient_checkpointing: bool) -> Any:
    """Return the model ready to train: itself, or with adapters put into its layers in place.

    `adapter` is a saved adapter to go on with; new ones start from random numbers decided by `seed`.
    """
    import torch

    if gradient_checkpointing:
        model.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
        model.enable_input_require_grads()
    if not lora:
        return model
    try:
        from peft import LoraConfig, PeftModel, get_peft_model
    except ImportError:
        raise MissingDependencyError(INSTALL) from None
    if adapter is not None:
        return PeftModel.from_pretrained(model, adapter, is_trainable=True)
    config = LoraConfig(r=lora.rank, lora_alpha=lora.alpha, target_modules="all-linear", task_type="CAUSAL_LM")
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        adapted = get_peft_model(model, config)
    # Where the base lies, from wherever the adapter is used: its folder is a model by itself (`policies/adapter.py`).
    config.base_model_name_or_path = str(Path(model.name_or_path).resolve())
    return adapted


def save_model(model: Any, tokenizer: Any, folder: Path, state_dict: dict[str, Any] | None = None) -> None:
    """Write the model, adapters merged into its weights, and the tokenizer as one Hugging Face folder.

    With adapters, these alone are written to the folder `adapter` too: training goes on from them.
    """
    tokenizer.save_pretrained(folder)
    if not hasattr(model, "peft_config"):
        model.save_pretrained(folder, safe_serialization=True, state_dict=state_dict)
        return
    model.save_pretrained(folder / ADAPTER_FOLDER, safe_serialization=True)
    model.get_base_model().save_pretrained(
        folder, safe_serialization=True, state_dict=dict(merged_tensors(model, head=True))
    )


def merged_tensors(model: Any, *, head: bool = False) -> Iterator[tuple[str, Any]]:
    """Yield names as in the original folder and tensors, adapters merged in; the model itself is left as it is.

    A head tied to the embeddings is not in the folder and is left out, unless `head`. Parameters that are split over
    processes are gathered, one after another: then every process must read all of them.
    """
    base = model.get_base_model() if hasattr(model, "peft_config") else model
    adapted = {name: module for name, module in base.named_modules() if hasattr(module, "get_delta_weight")}
    tied = set() if head else set(base._tied_weights_keys or ()) if base.config.tie_word_embeddings else set()
    for name, tensor in base.state_dict().items():
        if "lora_" in name:
            continue
        plain = name.replace(".base_layer.", ".")
        if plain in tied:
            continue
        if hasattr(tensor, "full_tensor"):
            tensor = tensor.full_tensor()
        module = adapted.get(name.removesuffix(".base_layer.weight"))
        if module is not None and name.endswith(".base_layer.weight"):
            tensor = tensor + module.get_delta_weight("default").to(tensor.dtype)
        yield plain, tensor.detach()
