"""From what a user names a model by, a folder, a file or a hub name, to its checked folder."""

import re
from pathlib import Path

from agentgen_bench.errors import MissingDependencyError, PolicyError, install_hint
from agentgen_bench.homes import expanded
from agentgen_bench.policies.adapter import base_of, merged
from agentgen_bench.policies.checkpoint import Checkpoint, checked, is_adapter
from agentgen_bench.policies.gguf import unpacked

_HUB_NAME = re.compile(r"[\w.-]+/[\w.-]+")


def open_checkpoint(model: str | Path) -> Checkpoint:
    """Return the checked folder `model`, or the snapshot of a model on the Hugging Face hub named `owner/name`.

    A GGUF file is unpacked into a folder first, a LoRA adapter's folder is merged into its base.

    Raises:
        PolicyError: there is no such folder, file or hub model; or config, tokenizer or weights are missing or cut off.
    """
    return checked(_located(model))


def names_a_folder(model: str) -> bool:
    """Return whether a model is a folder, or can only be meant as one; else it may be a name of the hub."""
    return _looked_up(model).exists() or not _HUB_NAME.fullmatch(model)


def _looked_up(model: str | Path) -> Path:
    """Return the path that a model is named by, there or not; raises PolicyError where it cannot even be looked for."""
    path = expanded(model, PolicyError)
    try:
        path.exists()
    except OSError as error:  # a name that is too long, or a folder that is closed to us
        raise PolicyError(
            f"cannot look for a model at {str(path)[:100]!r}: {error.strerror}; give a Hugging Face model folder or a "
            "hub name (owner/name)"
        ) from None
    return path


def _located(model: str | Path) -> Path:
    path = _looked_up(model)
    if path.is_dir():
        return _merged(path) if is_adapter(path) else path
    if path.is_file() and path.suffix == ".gguf":
        return unpacked(path)
    if path.exists():
        raise PolicyError(f"{path} is a file; give a .gguf, or the folder that holds config.json and *.safetensors")
    if not _HUB_NAME.fullmatch(str(model)):
        raise PolicyError(f"no model folder at {path}; give a Hugging Face model folder or a hub name (owner/name)")
    return _downloaded(str(model))


def _downloaded(name: str) -> Path:
    try:
        from huggingface_hub import snapshot_download
    except ImportError:
        raise MissingDependencyError(
            f"no folder {name!r}, and the hub client is not installed: {install_hint('transformers')}"
        ) from None
    patterns = ["*.json", "*.safetensors", "*.jinja", "*.txt", "*.model"]
    try:
        return Path(snapshot_download(name, allow_patterns=patterns))
    except (OSError, ValueError) as error:  # the hub's own errors are OSError (requests) and ValueError (names)
        line = next(iter(str(error).splitlines()), type(error).__name__)
        raise PolicyError(f"no folder {name!r}, and the Hugging Face hub did not give it: {line}") from None


def _merged(adapter: Path) -> Path:
    """Return the folder of the adapter's base with the adapter in it."""
    named = base_of(adapter)
    if is_adapter(Path(named)):
        raise PolicyError(
            f"the base of {adapter}, {named}, is an adapter too; merge it first, and name the merged folder"
        )
    try:
        base = open_checkpoint(named)
    except PolicyError as error:
        raise PolicyError(f"the base of the adapter {adapter} cannot be used: {error}") from None
    return merged(adapter, base)
