"""A verification's limit: CPU time, children's included, and standing still; to wait for a core is free."""

import signal
import subprocess
import sys

import pytest

pytestmark = pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="needs timers")


def returncode_of(work: str, cpu_s: float, still_s: float) -> int:
    """Return how a process ends that does this work inside such limits."""
    script = (
        "import subprocess, sys, time\n"
        "from agentgen_bench.leaderboard.limits import limited\n"
        f"with limited({cpu_s}, {still_s}):\n    {work}\n"
    )
    return subprocess.run([sys.executable, "-c", script], timeout=120).returncode


def test_work_that_waits_longer_than_it_may_compute_goes_on() -> None:
    assert returncode_of("time.sleep(1)", cpu_s=0.3, still_s=60) == 0


def test_a_process_that_never_returns_from_one_call_is_ended() -> None:
    assert returncode_of("sum(iter(int, 1))", cpu_s=0.3, still_s=60) == -signal.SIGPROF


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs /proc")
def test_a_process_whose_child_computes_too_long_is_ended() -> None:
    child = "import os\nparent = os.getppid()\nwhile os.getppid() == parent: pass"  # ends with that process
    work = f"subprocess.run([sys.executable, '-c', {child!r}])"
    assert returncode_of(work, cpu_s=1.0, still_s=4) == -signal.SIGKILL


def test_a_process_that_stands_still_is_ended() -> None:
    assert returncode_of("time.sleep(60)", cpu_s=60, still_s=0.5) == -signal.SIGKILL


def test_what_follows_the_work_has_no_limit() -> None:
    assert returncode_of("pass\ntime.sleep(1)", cpu_s=60, still_s=0.4) == 0
