"""Model folders that are made from something else, once, below `cache_root()`."""

import importlib.util
import shutil
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from agentgen_bench.caches import cache_root
from agentgen_bench.errors import MissingDependencyError, PolicyError, install_hint
from agentgen_bench.policies.checkpoint import saving_errors


def made_once(kind: str, digest: str, name: str, make: Callable[[Path], None]) -> Path:
    """Return the folder `name` made from what has that digest; `make` writes it where it is not there.

    It appears whole or not at all; where two processes make it at once, the faster one's stays.

    Raises:
        PolicyError: the disk is full or cannot be written.
    """
    folder = cache_root() / kind / digest[:16] / name
    if folder.is_dir():
        return folder
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        made = Path(tempfile.mkdtemp(prefix=".building-", dir=folder.parent))
    except OSError as error:
        raise PolicyError(f"{folder.parent} cannot be made: {error.strerror}; set AGENTGEN_CACHE_DIR") from None
    try:
        make(made)
        made.chmod(0o755)
        made.rename(folder)
    except saving_errors() as error:
        if not folder.is_dir():  # else another process was faster
            raise PolicyError(f"{folder.parent} cannot take {name}: {error}; make room there") from None
    finally:
        shutil.rmtree(made, ignore_errors=True)
    return folder


def check_packages(what: str, names: Sequence[str], extra: str) -> None:
    """Raise MissingDependencyError, saying what needs them, where one of the packages is not installed."""
    if any(importlib.util.find_spec(name) is None for name in names):
        raise MissingDependencyError(f"{what} needs {', '.join(names)}: {install_hint(extra)}")
