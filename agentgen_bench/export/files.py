"""Writing an export: all its files or none, never over somebody's files unasked."""

import os
import tempfile
from collections.abc import Mapping
from pathlib import Path

from agentgen_bench.errors import RunError


def write_files(folder: Path, files: Mapping[str, bytes], overwrite: bool = False) -> list[Path]:
    """Write files into a folder, made where it is missing, and return their paths; other files there stay.

    Every file is written whole beside its place before the first is moved there.

    Args:
        folder: where to.
        files: contents by path within the folder.
        overwrite: whether files of these names may be replaced.

    Raises:
        RunError: a file exists and `overwrite` is off, or the folder cannot be written.
    """
    targets = [folder / name for name in files]
    there = [target for target in targets if os.path.lexists(target)]
    if there and not overwrite:
        what = f"{there[0]} exists" if len(there) == 1 else f"{there[0]} and {len(there) - 1} more files exist"
        raise RunError(f"{what}; add --overwrite to replace, or choose another --output")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder, prefix=".export-") as staging:
            staged = [Path(staging) / str(number) for number in range(len(targets))]
            for path, content in zip(staged, files.values(), strict=True):
                path.write_bytes(content)
            for path, target in zip(staged, targets, strict=True):
                target.parent.mkdir(parents=True, exist_ok=True)
                path.replace(target)
    except OSError as error:
        raise RunError(f"cannot write into {folder}: {error.strerror or error}") from None
    return targets
