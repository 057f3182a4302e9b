"""What the verification of an entry costs: seconds of wall clock and of CPU, of Python and of SciWorld's Java apart.

    python benchmarks/verification_cost.py [--workers 2] [ENTRY]

Runs `agentgen-bench verify` and looks at its processes twice a second. On a busy machine the wall clock says nothing;
`at least` is the CPU time shared out evenly over the workers, what an idle machine with as many cores comes near to.
The limits are 300 s with SciWorld and 60 s without, on two cores. Linux only: `/proc` says what each process took.
"""

import argparse
import subprocess
import sys
import time
from pathlib import Path

from agentgen_bench.leaderboard.limits import Running, descendants, running

ORACLE = Path("leaderboards/core-v1/20261128_agentgen-bench__oracle")  # the longest of core-v1 with SciWorld solved
LOOK_S = 0.5


def main() -> None:
    """Print the line; exits as `verify` does."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("entry", type=Path, nargs="?", default=ORACLE)
    parser.add_argument("--workers", type=int, default=2)
    args = parser.parse_args()
    command = [sys.executable, "-m", "agentgen_bench", "verify", str(args.entry), "--workers", str(args.workers)]
    begun = time.monotonic()
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    seen: dict[int, Running] = {}  # as each was seen last
    while process.poll() is None:
        found = running()
        seen |= {pid: found[pid] for pid in {process.pid, *descendants(process.pid, found)} if pid in found}
        time.sleep(LOOK_S)
    wall = time.monotonic() - begun
    java = sum(one.cpu_s for one in seen.values() if one.name == "java")
    python = sum(one.cpu_s for one in seen.values() if one.name != "java")
    least = (java + python) / args.workers
    print(f"wall {wall:.0f} s; CPU: Python {python:.0f} s, Java {java:.0f} s; at least {least:.0f} s on {args.workers}")
    raise SystemExit(process.returncode)


if __name__ == "__main__":
    main()
