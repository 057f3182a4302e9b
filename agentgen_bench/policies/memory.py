"""How much memory this process may have."""

from pathlib import Path

MEMINFO = Path("/proc/meminfo")
CGROUP = Path("/sys/fs/cgroup")  # version 2, as seen from inside a container


def memory_bytes(meminfo: Path = MEMINFO, cgroup: Path = CGROUP) -> int | None:
    """Return the memory of the machine, or of the control group that this process is in if less; None: not known."""
    known = [size for size in (_of_machine(meminfo), _of_group(cgroup)) if size is not None]
    return min(known, default=None)


def _of_machine(meminfo: Path) -> int | None:
    try:
        lines = meminfo.read_text(encoding="ascii").splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemTotal:"))
    except (OSError, ValueError, IndexError, StopIteration):
        return None


def _of_group(cgroup: Path) -> int | None:
    try:
        return int((cgroup / "memory.max").read_text(encoding="ascii"))  # "max" where there is no limit
    except (OSError, ValueError):
        return None
