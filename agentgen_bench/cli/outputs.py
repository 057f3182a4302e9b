"""Where results go: whether it can be written, found out before hours are spent, and under which name by default."""

import os
import re
import stat
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from agentgen_bench.errors import RunError
from agentgen_bench.evaluation.folder import EPISODES, MANIFEST
from agentgen_bench.evaluation.grid import check_kind
from agentgen_bench.seeding import key_digest

PROBE = b"\0" * 4096  # a block: a file without content can be made on a full disk too
FULL = (1, 7)  # major and minor number of /dev/full
MAX_NAME_CHARS = 80


def check_streams() -> None:
    """Make closed standard streams harmless, and raise RunError where results could not be printed.

    A file that we open would get the number of a closed stream, and what libraries print would land in it.
    """
    while (number := os.open(os.devnull, os.O_RDWR)) <= 2:
        continue
    os.close(number)
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115 - for the life of the process
    if sys.stdout is None:
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115
        raise RunError("stdout is closed, so results cannot be printed; send it to a file, or to /dev/null")
    try:
        found = os.fstat(sys.stdout.fileno())
    except (OSError, ValueError, AttributeError):  # a stream of somebody's own, as in tests
        return
    if _is_full_device(found) or (stat.S_ISREG(found.st_mode) and not os.fstatvfs(sys.stdout.fileno()).f_bavail):
        raise RunError("cannot print results to stdout: No space left on device")


def check_file(path: Path | None) -> None:
    """Raise RunError where a file could not be written; None is no file."""
    if path is None:
        return
    if path.is_dir():
        raise RunError(f"cannot write {path}: Is a directory; name a file in it")
    if path.exists() and not path.is_file():
        if _is_full_device(path.stat()):
            raise RunError(f"cannot write {path}: No space left on device")
        return
    _probe(path.parent, f"cannot write {path}")


def check_folder(path: Path) -> None:
    """Raise RunError where a folder could not be made or written."""
    _probe(path, f"cannot write to {path}")


def check_grid_folder(path: Path) -> None:
    """Raise RunError where a grid of harnesses could not be written to a folder; whether it goes on shows later."""
    check_kind(path, as_grid=True)
    check_folder(path)


def check_run_folder(path: Path, resume: bool) -> None:
    """Raise RunError where a run could not be written to a folder: it holds another, or cannot be written."""
    check_kind(path, as_grid=False)
    if (path / MANIFEST).exists() and not resume:
        raise RunError(f"{path} already holds a run; add --resume to go on with it, or choose another --output")
    if (path / EPISODES).is_file() and not os.access(path / EPISODES, os.W_OK):
        raise RunError(f"cannot write {path / EPISODES}: Permission denied")
    check_folder(path)


def flat_name(*parts: str) -> str:
    """Return a folder's name that is one level deep on every system: letters, digits, dots, plus, minus, underscores.

    Examples:
        >>> flat_name("core-v1", "Qwen/Qwen3-4B"), flat_name("custom", "../../etc"), flat_name("custom", "模型")
        ('core-v1_Qwen-Qwen3-4B', 'custom_etc', 'custom_unnamed')
    """
    safe = [re.sub(r"[^A-Za-z0-9.+-]+", "-", part).strip("-.")[:MAX_NAME_CHARS] or "unnamed" for part in parts]
    return "_".join(safe)


def distinguished(name: str, settings: Mapping[str, object]) -> str:
    """Return the name with a digest of the settings behind it, so that another run has another name; {} adds none."""
    return f"{name}_{key_digest(repr(sorted(settings.items()))).hex()[:8]}" if settings else name


def _probe(folder: Path, failure: str) -> None:
    """Write a block into the folder, or into the nearest above it that exists, and take it away again."""
    existing = next(place for place in (folder, *folder.absolute().parents) if place.exists())
    if not existing.is_dir():
        raise RunError(f"{failure}: {existing} is a file; choose another place")
    try:
        with tempfile.TemporaryFile(dir=existing) as file:
            file.write(PROBE)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise RunError(f"{failure}: {error.strerror or error}") from None


def _is_full_device(found: os.stat_result) -> bool:
    return stat.S_ISCHR(found.st_mode) and (os.major(found.st_rdev), os.minor(found.st_rdev)) == FULL
