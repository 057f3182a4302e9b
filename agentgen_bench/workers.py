"""Processes that work for another one and end with it, however that one ends."""

import os
import select
import threading
from multiprocessing import parent_process
from typing import NamedTuple


class Process(NamedTuple):
    """A process by its number, and the namespace in which that is its number."""

    pid: int
    namespace: str


def end_with_parent() -> None:
    """Let this process end with the one that started it; an initializer for pools of processes."""
    threading.Thread(target=_wait_and_end, daemon=True).start()


def this_process() -> Process:
    """Return this process, for `end_with` in another one."""
    return Process(os.getpid(), _namespace())


def end_with(process: Process) -> None:
    """Let this process end with one that did not start it itself; where that cannot be seen from here, it does not."""
    if process.namespace != _namespace():  # as in a container, where the number is somebody else's
        return
    try:
        seen = os.pidfd_open(process.pid)
    except (OSError, AttributeError):  # AttributeError: not a Linux
        return
    threading.Thread(target=_await_and_end, args=[seen], daemon=True).start()


def _wait_and_end() -> None:
    if (parent := parent_process()) is not None:
        parent.join()
        os._exit(1)


def _await_and_end(process_fd: int) -> None:
    waiting = select.poll()
    waiting.register(process_fd, select.POLLIN)
    waiting.poll()
    os._exit(1)


def _namespace() -> str:
    try:
        return os.readlink("/proc/self/ns/pid")
    except OSError:
        return ""
