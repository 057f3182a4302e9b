"""Locks on folders, so that commands that were started beside each other do not write over one another.

The lock is on the folder itself and leaves no file; it ends with the process, however that ends.
"""

import fcntl
import os
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from agentgen_bench.errors import RunError


def lock_folder(folder: Path, waiting: Callable[[str], None] | None = None) -> ExitStack:
    """Lock an existing folder from this call on; returns what lets go of it at the end of a `with`.

    Where the file system knows no locks on folders, nothing is locked.

    Args:
        folder: what to lock; others may still read it.
        waiting: takes a line that says so where another process is waited for; None: nobody is waited for.

    Raises:
        RunError: another process holds the lock and nobody is waited for, or the folder cannot be opened.
    """
    held = ExitStack()
    try:
        folder_fd = os.open(folder, os.O_RDONLY)
    except OSError as error:
        raise RunError(f"cannot open {folder}: {error.strerror}") from None
    held.callback(os.close, folder_fd)
    try:
        fcntl.flock(folder_fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        if waiting is None:
            held.close()
            raise RunError(f"another process is writing to {folder}; wait for it or choose another --output") from None
        waiting(f"waiting for another process that writes to {folder}")
        fcntl.flock(folder_fd, fcntl.LOCK_EX)
    except OSError:  # some network file systems lock only files opened for writing, and no folder can be
        pass
    return held
