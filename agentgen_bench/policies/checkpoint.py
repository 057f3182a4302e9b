"""Model folders: checking that nothing is missing or cut off, naming their content by a hash.

Nothing here loads a model: a folder that cannot work is refused in milliseconds, before an engine starts.
"""

import hashlib
import json
import struct
import zipfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

from agentgen_bench.errors import PolicyError

TOKENIZER_FILES = ("tokenizer.json", "tokenizer.model", "vocab.json", "vocab.txt", "spiece.model", "tekken.json")
WEIGHT_INDEXES = ("model.safetensors.index.json", "pytorch_model.bin.index.json")
TRAINING = "training.json"  # where the weights come from, see `evaluation.training`
ADAPTER_CONFIG = "adapter_config.json"  # of peft
CONTEXT_KEYS = ("max_position_embeddings", "n_positions", "max_sequence_length", "seq_length")
MAX_SAFETENSORS_HEADER = 100_000_000  # bytes; the limit of the safetensors format


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A checked Hugging Face model folder. `context_tokens` is the model's own limit, None where it states none."""

    path: Path
    config: Mapping[str, Any]
    generation_config: Mapping[str, Any]
    weights: tuple[Path, ...]
    context_tokens: int | None

    @property
    def name(self) -> str:
        """The folder's name, which stands for the model in tables."""
        return self.path.resolve().name


def checked(path: Path) -> Checkpoint:
    """Return the model folder `path`, checked.

    Raises:
        PolicyError: config, tokenizer or weights are missing or cut off.
    """
    config = json_object(path / "config.json", "a Hugging Face model folder has one")
    if not has_tokenizer(path):
        raise PolicyError(f"no tokenizer in {path}; save it there: one of {', '.join(TOKENIZER_FILES)} must exist")
    weights = _weight_files(path)
    for file in weights:
        check_whole(file)
    generation = path / "generation_config.json"
    text_config = config.get("text_config", config)  # multimodal configs nest the language model's
    return Checkpoint(
        path=path,
        config=config,
        generation_config=json_object(generation, "") if generation.is_file() else {},
        weights=weights,
        context_tokens=next((int(text_config[key]) for key in CONTEXT_KEYS if text_config.get(key)), None),
    )


def has_tokenizer(folder: Path) -> bool:
    """Return whether a tokenizer lies in the folder."""
    return any((folder / name).is_file() for name in TOKENIZER_FILES)


def is_adapter(folder: Path) -> bool:
    """Return whether the folder holds a LoRA adapter alone, without a model."""
    return (folder / ADAPTER_CONFIG).is_file() and not (folder / "config.json").is_file()


def saving_errors() -> tuple[type[Exception], ...]:
    """Return what saving a model raises where the disk is full: torch a RuntimeError, safetensors its own."""
    if find_spec("safetensors") is None:
        return (OSError, RuntimeError)
    from safetensors import SafetensorError

    return (OSError, RuntimeError, SafetensorError)


def stop_token_ids(checkpoint: Checkpoint, tokenizer_eos: int | None) -> tuple[int, ...]:
    """Return the ids that end a completion: of the generation config (else the config) and of the tokenizer.

    Instruction models often list two, the end of the turn and the end of the text; one of them is not enough.
    """
    stated = checkpoint.generation_config.get("eos_token_id", checkpoint.config.get("eos_token_id"))
    ids = set(stated) if isinstance(stated, list) else {stated}
    return tuple(sorted(int(i) for i in ids | {tokenizer_eos} if i is not None))


def content_hash(checkpoint: Checkpoint) -> str:
    """Return the SHA-256 over the names and contents of weights, configs and tokenizer files, as 64 hex digits.

    Reads every byte: about a second per gigabyte.
    """
    side_files = {"config.json", "generation_config.json", "chat_template.jinja", "special_tokens_map.json"}
    side_files |= {"tokenizer_config.json", "added_tokens.json", "merges.txt", *TOKENIZER_FILES}
    files = {path.name: path for path in checkpoint.path.iterdir() if path.name in side_files}
    files |= {path.name: path for path in checkpoint.weights}
    return hash_of_files(files.values())


def hash_of_files(files: Iterable[Path]) -> str:
    """Return the SHA-256 over the names and contents of files, in the order of their names."""
    digest = hashlib.sha256()
    for path in sorted(files, key=lambda path: path.name):
        with path.open("rb") as file:
            digest.update(f"{path.name} {hashlib.file_digest(file, 'sha256').hexdigest()}\n".encode())
    return digest.hexdigest()


def tensor_names(checkpoint: Checkpoint) -> frozenset[str] | None:
    """Return the names of the parameters in the folder's safetensors files; None where it has none of these."""
    headers = [_safetensors_header(file) for file in checkpoint.weights if file.suffix == ".safetensors"]
    names = [name for header in headers if header is not None for name in header.entries]
    return frozenset(names) if names else None


def json_object(path: Path, why: str) -> Mapping[str, Any]:
    """Return what a JSON file of a model folder holds; `why` says for what it is looked for."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise PolicyError(f"no {path.name} in {path.parent}; {why}") from None
    except (ValueError, OSError) as error:
        raise PolicyError(f"{path} cannot be read as JSON: {error}; save the model again") from None
    if not isinstance(value, dict):
        raise PolicyError(f"{path} holds a {type(value).__name__}, not a JSON object; save the model again")
    return value


def _weight_files(folder: Path) -> tuple[Path, ...]:
    """Return the weight files that an index lists, else those that lie in the folder; safetensors come first."""
    for index in WEIGHT_INDEXES:
        if (folder / index).is_file():
            names = _listed_files(folder / index)
            missing = [name for name in names if not (folder / name).is_file()]
            if missing:
                raise PolicyError(f"{folder / index} lists {missing[0]}, which is not there; copy the whole folder")
            return tuple(folder / name for name in names)
    for pattern in ("*.safetensors", "pytorch_model*.bin"):
        if found := sorted(folder.glob(pattern)):
            return tuple(found)
    raise PolicyError(f"no weights in {folder}; expected model.safetensors (or pytorch_model.bin)")


def _listed_files(index: Path) -> list[str]:
    weight_map = json_object(index, "").get("weight_map")
    if not isinstance(weight_map, dict) or not weight_map:
        raise PolicyError(f"{index} has no 'weight_map'; save the model again")
    return sorted({str(name) for name in weight_map.values()})


def check_whole(file: Path) -> None:
    """Raise PolicyError where a weight file is shorter or longer than its own header says."""
    if file.suffix == ".bin":
        if not zipfile.is_zipfile(file):  # torch.save writes a zip archive, whose directory stands at the end
            raise PolicyError(f"{file} is no PyTorch archive or is cut off; copy or download it again")
        return
    size = file.stat().st_size
    header = _safetensors_header(file)
    if header is None:
        raise PolicyError(f"{file} ({size:,} bytes) is no safetensors file; copy or download it again")
    if size != header.file_size:
        raise PolicyError(f"{file} has {size:,} bytes, its header says {header.file_size:,}; copy or download it again")


class Layout(NamedTuple):
    """A safetensors header: one entry per tensor, where the first begins, and the size that the file must have.

    An entry holds `dtype`, `shape` and `data_offsets`, in bytes from `data_start`.
    """

    entries: Mapping[str, Any]
    data_start: int
    file_size: int


def safetensors_layout(file: Path) -> Layout:
    """Return where the tensors of a safetensors file lie; raises PolicyError where it is none."""
    layout = _safetensors_header(file)
    if layout is None:
        raise PolicyError(f"{file} is no safetensors file; copy or download it again")
    return layout


def _safetensors_header(file: Path) -> Layout | None:
    """Return the header; None where there is no readable one.

    Format: https://github.com/huggingface/safetensors#format (8 bytes length, JSON, tensors).
    """
    with file.open("rb") as stream:
        prefix = stream.read(8)
        if len(prefix) < 8:
            return None
        (length,) = struct.unpack("<Q", prefix)
        if length > min(file.stat().st_size - 8, MAX_SAFETENSORS_HEADER):
            return None
        try:
            entries = json.loads(stream.read(length))
            entries.pop("__metadata__", None)
            end = max((entry["data_offsets"][1] for entry in entries.values()), default=0)
        except (ValueError, TypeError, KeyError, AttributeError, IndexError):
            return None
    return Layout(entries, 8 + length, 8 + length + end)
