"""The hash of a model's weights: the same for the same tensors, however they are spread over files.

It names weights in a chain of trainings: what a stage started from is what the stage before ended with. The hash of a
model folder (`checkpoint.content_hash`) covers configs and tokenizer too, and depends on the files.
"""

import hashlib
from collections.abc import Iterable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from agentgen_bench.errors import MissingDependencyError, PolicyError, install_hint
from agentgen_bench.policies.checkpoint import checked, safetensors_layout

BLOCK_BYTES = 1 << 22
# What safetensors calls the types that torch.save may hold (https://github.com/huggingface/safetensors#format).
TORCH_NAMES = {
    "float32": "F32",
    "float16": "F16",
    "bfloat16": "BF16",
    "float64": "F64",
    "int64": "I64",
    "int32": "I32",
    "int8": "I8",
    "uint8": "U8",
    "bool": "BOOL",
}


class TensorDigest(NamedTuple):
    """A tensor by what decides it: name, type as safetensors names it, shape, and the SHA-256 of its bytes."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    digest: str


def weights_hash(folder: str | Path) -> str:
    """Return the SHA-256 over all tensors of a model folder in the order of their names.

    Each adds the line `name dtype shape digest`, its bytes in row-major, little-endian order. Reads every byte: about
    a second per gigabyte.

    Raises:
        PolicyError: the folder is no model, or two of its files hold a tensor of the same name.
    """
    return hash_of(digest for file in checked(Path(folder)).weights for digest in _digests(file))


def adapter_hash(folder: Path) -> str:
    """Return the hash of the tensors of a LoRA adapter's folder, as `weights_hash` takes it."""
    file = folder / "adapter_model.safetensors"
    if not file.is_file():
        raise PolicyError(f"no {file.name} in {folder}; a LoRA adapter is saved with it")
    return hash_of(_digests(file))


def hash_of(tensors: Iterable[TensorDigest]) -> str:
    """Return the hash of tensors that are known by their digests, in any order.

    Examples:
        >>> a, b = TensorDigest("a", "F32", (2, 3), "00"), TensorDigest("b", "F32", (), "01")
        >>> hash_of([a, b]) == hash_of([b, a]) != hash_of([a._replace(shape=(3, 2)), b])
        True
    """
    found = sorted(tensors)
    for tensor, after in pairwise(found):
        if tensor.name == after.name:
            raise PolicyError(f"the tensor {tensor.name!r} is there twice; save the model again")
    lines = (f"{one.name} {one.dtype} {','.join(map(str, one.shape))} {one.digest}\n" for one in found)
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def _digests(file: Path) -> Iterator[TensorDigest]:
    return _of_safetensors(file) if file.suffix == ".safetensors" else _of_torch(file)


def _of_safetensors(file: Path) -> Iterator[TensorDigest]:
    layout = safetensors_layout(file)
    with file.open("rb") as stream:
        for name, entry in sorted(layout.entries.items(), key=lambda item: int(item[1]["data_offsets"][0])):
            start, end = entry["data_offsets"]
            stream.seek(layout.data_start + start)
            digest, left = hashlib.sha256(), end - start
            while left:
                block = stream.read(min(left, BLOCK_BYTES))
                if not block:
                    raise PolicyError(f"{file} ends inside the tensor {name!r}; copy or download it again")
                digest.update(block)
                left -= len(block)
            yield TensorDigest(name, str(entry["dtype"]), tuple(map(int, entry["shape"])), digest.hexdigest())


def _of_torch(file: Path) -> Iterator[TensorDigest]:
    try:
        import torch
    except ImportError:
        raise MissingDependencyError(f"{file} needs torch to be read: {install_hint('transformers')}") from None
    for name, tensor in torch.load(file, map_location="cpu", weights_only=True).items():
        data = tensor.detach().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes()
        kind = str(tensor.dtype).removeprefix("torch.")
        dtype = TORCH_NAMES.get(kind, kind)
        yield TensorDigest(name, dtype, tuple(tensor.shape), hashlib.sha256(data).hexdigest())
