"""Where the package keeps what it can make again."""

import os
from pathlib import Path

from agentgen_bench.homes import expanded

CACHE_VARIABLE = "AGENTGEN_CACHE_DIR"


def cache_root() -> Path:
    """Return the folder: $AGENTGEN_CACHE_DIR, else $XDG_CACHE_HOME/agentgen-bench, else ~/.cache/agentgen-bench.

    It need not exist.
    """
    chosen = os.environ.get(CACHE_VARIABLE)
    if chosen:
        return expanded(chosen)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "agentgen-bench"
