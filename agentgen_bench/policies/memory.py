"""How much memory this process may have."""

import os
from pathlib import Path

CGROUP = Path("/sys/fs/cgroup")  # version 2, as seen from inside a container


def memory_bytes(cgroup: Path = CGROUP) -> int:
    """Return the memory of the machine, or of the control group that this process is in if less."""
    machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    try:
        return min(machine, int((cgroup / "memory.max").read_text(encoding="ascii")))
    except (OSError, ValueError):  # no group, or "max" where it has no limit
        return machine
