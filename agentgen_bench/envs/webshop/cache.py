"""Folders of arrays on disk, kept by key: written whole or not at all, checked when read, rebuilt when broken.

They lie below `cache_root()`. Where nothing can be written, arrays stay in memory.
"""

import json
import shutil
import tempfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from agentgen_bench.caches import cache_root

CHECKED_BYTES = 1 << 22  # at both ends of a file; smaller files are checked whole
META = "meta.json"

Array = npt.NDArray[Any]
Arrays = dict[str, Array]
Build = Callable[[Path | None], Arrays]


def cached(key: str, build: Build) -> Arrays:
    """Return the arrays kept under `key`, mapped from their files; where there are none, build and keep them.

    `build(folder)` may write some arrays as `<name>.npy` or raw bytes as `<name>.bin` in the folder itself; with
    None it must keep all in memory.
    """
    place = cache_root() / "webshop" / key
    found = _loaded(place)
    if found is not None:
        return found
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix=".building-", dir=place.parent))
    except OSError:
        return build(None)
    try:
        _written(build(folder), folder)
        _moved(folder, place)
    except OSError:
        return build(None)  # the disk filled up, or the folder is not ours to write to
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    found = _loaded(place)
    return build(None) if found is None else found


def _written(arrays: Arrays, folder: Path) -> None:
    for name, array in arrays.items():
        path = folder / f"{name}.npy"
        if isinstance(array, np.memmap):
            array.flush()
        elif not path.exists() and not (folder / f"{name}.bin").exists():
            np.save(path, array)
    names = sorted(path.name for path in folder.iterdir() if path.suffix in (".npy", ".bin"))
    (folder / META).write_text(json.dumps({name: _checksum(folder / name) for name in names}), encoding="utf-8")


def _moved(folder: Path, place: Path) -> None:
    """Put the finished folder in its place; whoever comes second leaves the first one's."""
    if place.exists() and _loaded(place) is None:
        shutil.rmtree(place)
    try:
        folder.rename(place)
    except OSError:
        if not place.is_dir():
            raise


def _loaded(place: Path) -> Arrays | None:
    """Return the arrays of a folder, None where it is missing or not what was written."""
    try:
        expected = json.loads((place / META).read_text(encoding="utf-8"))
        if any(_checksum(place / name) != checksum for name, checksum in expected.items()):
            return None
        return {Path(name).stem: _mapped(place / name) for name in expected}
    except (OSError, ValueError, AttributeError, EOFError):
        return None


def _mapped(path: Path) -> Array:
    """Return a file's array as a plain view: slices of np.memmap itself cost a microsecond more each."""
    if path.suffix == ".npy":
        return np.asarray(np.load(path, mmap_mode="r"))
    return np.asarray(np.memmap(path, np.uint8, "r")) if path.stat().st_size else np.empty(0, np.uint8)


def _checksum(path: Path) -> list[int]:
    size = path.stat().st_size
    with path.open("rb") as file:
        value = zlib.crc32(file.read(CHECKED_BYTES))
        if size > CHECKED_BYTES:
            file.seek(max(size - CHECKED_BYTES, CHECKED_BYTES))
            value = zlib.crc32(file.read(CHECKED_BYTES), value)
    return [size, value]
