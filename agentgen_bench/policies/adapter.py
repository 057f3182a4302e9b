"""LoRA adapters: merged once into their base, so that every back end and trainer takes them like a whole model.

An adapter's folder, as peft saves it, names its base in `adapter_config.json`. The merged model lies below
`cache_root()`, under the content of both, in the precision of the base.
"""

import hashlib
import shutil
from pathlib import Path
from typing import Any

from agentgen_bench.errors import PolicyError
from agentgen_bench.homes import expanded
from agentgen_bench.policies.checkpoint import (
    ADAPTER_CONFIG,
    TRAINING,
    Checkpoint,
    check_whole,
    content_hash,
    has_tokenizer,
    hash_of_files,
    json_object,
)
from agentgen_bench.policies.unpacking import check_packages, made_once
from agentgen_bench.policies.weights import weights_hash

NEEDED = ("torch", "transformers", "peft")
WEIGHTS = "adapter_model.safetensors"


def base_of(folder: Path) -> str:
    """Return the model that an adapter names: a folder or file, seen from where the adapter lies, or a hub name."""
    named = json_object(folder / ADAPTER_CONFIG, "an adapter's folder has one").get("base_model_name_or_path")
    if not isinstance(named, str) or not named:
        raise PolicyError(f"{folder / ADAPTER_CONFIG} names no base_model_name_or_path; write the base's folder there")
    near = folder / expanded(named, PolicyError)  # an absolute path stays what it is
    return str(near) if near.exists() else named


def merged(folder: Path, base: Checkpoint) -> Path:
    """Return the folder of the base with the adapter in its weights, named like the adapter's; made if missing.

    Reads every byte of the base: about a second per gigabyte.

    Raises:
        PolicyError: the adapter is cut off or does not fit the base, or the disk is full.
        MissingDependencyError: a package of `NEEDED` is not installed.
    """
    weights = folder / WEIGHTS
    if not weights.is_file():
        raise PolicyError(f"no {WEIGHTS} in {folder}; save the adapter with peft, as safetensors")
    check_whole(weights)
    both = content_hash(base) + hash_of_files(path for path in folder.iterdir() if path.is_file())

    def make(target: Path) -> None:
        check_packages("merging a LoRA adapter", NEEDED, "train")
        _merge(base, folder, target)

    return made_once("adapters", hashlib.sha256(both.encode()).hexdigest(), folder.resolve().name, make)


def _merge(base: Checkpoint, folder: Path, target: Path) -> None:
    """Write the base with the adapter's changes, and its tokenizer and training record where it brings them."""
    from peft import PeftModel
    from transformers import AutoModelForCausalLM, AutoTokenizer

    offline: dict[str, Any] = {"local_files_only": True}
    try:
        model = AutoModelForCausalLM.from_pretrained(str(base.path), dtype="auto", **offline)
        adapted = PeftModel.from_pretrained(model, str(folder), **offline)
        whole = adapted.merge_and_unload(safe_merge=True)
        tokenizer = AutoTokenizer.from_pretrained(str(folder if has_tokenizer(folder) else base.path), **offline)
    except Exception as error:  # peft fails with whatever its parts raise; what it read is at fault
        line = next(iter(str(error).splitlines()), type(error).__name__)
        raise PolicyError(f"the adapter {folder} cannot be merged into {base.path}: {line}") from error
    whole.save_pretrained(target, safe_serialization=True)
    tokenizer.save_pretrained(target)
    record = folder / TRAINING
    if record.is_file() and json_object(record, "").get("weights") == weights_hash(target):
        shutil.copy(record, target)  # else the trainer's weights, in float32, are not those in the base's precision
