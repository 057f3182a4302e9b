"""Processes that work for another one and end with it, however that one ends."""

import os
import threading
from multiprocessing import parent_process


def end_with_parent() -> None:
    """Let this process end with the one that started it; an initializer for pools of processes."""
    threading.Thread(target=_wait_and_end, daemon=True).start()


def _wait_and_end() -> None:
    if (parent := parent_process()) is not None:
        parent.join()
        os._exit(1)
