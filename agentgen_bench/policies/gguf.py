"""GGUF files: unpacked once into a model folder in float32, which every back end and trainer takes.

transformers reads such a file but cannot save what it has read, so the weights go into a fresh model of the same shape.
The folder lies below `cache_root()`, under the file's SHA-256, and holds the same weights on every machine.
"""

import hashlib
from pathlib import Path
from typing import Any

from agentgen_bench.errors import PolicyError
from agentgen_bench.policies.unpacking import check_packages, made_once

MAGIC = b"GGUF"
NEEDED = ("torch", "transformers", "gguf", "accelerate")  # transformers reads such a file with the last two


def unpacked(file: Path) -> Path:
    """Return the folder of a GGUF file, named like it; made where it is not there.

    Raises:
        PolicyError: it is no GGUF file, is cut off or holds an unknown model, or the disk is full.
        MissingDependencyError: a package of `NEEDED` is not installed.
    """
    with file.open("rb") as stream:
        if stream.read(len(MAGIC)) != MAGIC:
            raise PolicyError(f"{file} is no GGUF file; copy or download it again")
        stream.seek(0)
        digest = hashlib.file_digest(stream, "sha256").hexdigest()

    def make(folder: Path) -> None:
        check_packages("reading a GGUF file", NEEDED, "gguf")
        _unpack(file, folder)

    return made_once("gguf", digest, file.stem, make)


def _unpack(file: Path, folder: Path) -> None:
    """Write model and tokenizer of the file into the folder."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    source: dict[str, Any] = {"gguf_file": file.name, "local_files_only": True}
    try:
        read = AutoModelForCausalLM.from_pretrained(str(file.parent), dtype=torch.float32, **source)
        tokenizer = AutoTokenizer.from_pretrained(str(file.parent), **source)
        config = read.config
        if hasattr(config, "quantization_config"):
            del config.quantization_config  # the weights are whole numbers of bits no more
        fresh = AutoModelForCausalLM.from_config(config, dtype=torch.float32)
        fresh.load_state_dict(read.state_dict())
    except Exception as error:  # the reader has no error of its own: a damaged file fails wherever it is damaged
        line = next(iter(str(error).splitlines()), type(error).__name__)
        raise PolicyError(f"{file} cannot be read: {line}; it may be cut off, or a model that is not known") from error
    fresh.generation_config = read.generation_config
    fresh.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
