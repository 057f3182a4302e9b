"""Scripts that tests run as programs of their own."""

import subprocess
import sys
from pathlib import Path


def run_to_the_end(script: Path, *arguments: str | Path) -> "subprocess.CompletedProcess[str]":
    """Run a script in a session of its own, and wait for all that it started: whatever can write to its pipes."""
    return subprocess.run(
        [sys.executable, script, *arguments], capture_output=True, text=True, timeout=60, start_new_session=True
    )
