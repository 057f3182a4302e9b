"""A limit for work in a process of its own: in CPU time, so that a busy machine ends nothing that an idle one leaves.

The CPU time of child processes counts, such as that of SciWorld's JVM, in which a hostile action could make it hang.
Not covered: Windows, which has no such timers. Where there is no `/proc`, children are not seen while they live.
"""

import os
import signal
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import NamedTuple

CHECK_S = 5.0  # between two looks; a look reads one line for each process of the machine
MOVES_S = 1.0  # of CPU time: less, for as long as `still_s`, is no work on however busy a machine


@contextmanager
def limited(cpu_s: float, still_s: float) -> Iterator[None]:
    """End this process, whatever it hangs in, where what is done inside costs too much or stands still.

    The process ends by a signal, without clean-up, so its parent learns that it died and nothing else.

    Args:
        cpu_s: seconds of CPU time that this process and its descendants may take together.
        still_s: seconds in which they must take at least `MOVES_S` of it.
    """
    if not hasattr(signal, "setitimer"):
        yield
        return
    watch = _Watch(cpu_s, still_s)
    check_s = min(CHECK_S, still_s / 2)
    signal.signal(signal.SIGALRM, watch.look)
    # A handler in Python waits until a call into C returns; the system ends us by itself for what we take in there.
    signal.signal(signal.SIGPROF, signal.SIG_DFL)
    signal.setitimer(signal.ITIMER_PROF, cpu_s)
    signal.setitimer(signal.ITIMER_REAL, check_s, check_s)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.setitimer(signal.ITIMER_PROF, 0)


class _Watch:
    """What the work has cost so far, and when it last moved."""

    def __init__(self, cpu_s: float, still_s: float) -> None:
        self._moved_at, self._moved_cpu = time.monotonic(), family_cpu_s()
        self._most_cpu, self._still_s = self._moved_cpu + cpu_s, still_s

    def look(self, _signal: int, _frame: FrameType | None) -> None:
        """End the process where a limit is passed."""
        now, cpu = time.monotonic(), family_cpu_s()
        if cpu - self._moved_cpu >= MOVES_S:
            self._moved_at, self._moved_cpu = now, cpu
        if cpu > self._most_cpu or now - self._moved_at > self._still_s:
            os.kill(os.getpid(), signal.SIGKILL)


def family_cpu_s() -> float:
    """Return the CPU time of this process, of its descendants that live, and of its children that have ended, in s."""
    ended = os.times()
    found = running()
    living = sum(found[pid].cpu_s for pid in descendants(os.getpid(), found))
    return time.process_time() + ended.children_user + ended.children_system + living


class Running(NamedTuple):
    """A living process: its parent's id, its name, the CPU time of it and of those of its children that have ended."""

    parent: int
    name: str
    cpu_s: float


def running() -> dict[int, Running]:
    """Return the processes of this machine by their ids; none where there is no `/proc` (proc(5))."""
    found: dict[int, Running] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            text = path.read_text(errors="replace")
        except OSError:  # it has just ended
            continue
        before, _, after = text.rpartition(")")  # the name, in brackets, may hold spaces
        fields = after.split()
        ticks = sum(map(int, fields[11:15]))
        name = before.partition("(")[2]
        found[int(path.parent.name)] = Running(int(fields[1]), name, ticks / os.sysconf("SC_CLK_TCK"))
    return found


def descendants(pid: int, found: Mapping[int, Running]) -> set[int]:
    """Return the ids of a process's children, of theirs, and so on."""
    family = {pid}
    while more := {one for one, process in found.items() if process.parent in family} - family:
        family |= more
    return family - {pid}
