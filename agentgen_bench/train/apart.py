"""Training in processes of its own: a single one, or those that a launcher such as `accelerate launch` starts.

`python -m agentgen_bench.train.apart FILE` is what the launcher runs; the file is written by `launch` just before.
"""

import pickle
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agentgen_bench.errors import AgentGenError, RunError
from agentgen_bench.workers import end_with, end_with_parent, this_process

if TYPE_CHECKING:
    from agentgen_bench.train.grpo_config import Config


def in_own_process(work: Callable[[], Any]) -> None:
    """Do the work in a process of its own, and raise here what it raises; it must be picklable.

    An engine of vLLM gives its memory back when its process ends, not reliably before: the next would find none.
    Where this process is killed, that one ends too. Raises RunError where that one is killed.
    """
    try:
        with ProcessPoolExecutor(1, get_context("spawn"), initializer=end_with_parent) as pool:
            pool.submit(work).result()
    except BrokenProcessPool:
        raise RunError("a process of this run was ended from outside; was it out of memory?") from None


def launch(config: "Config", resume: bool, launcher: Sequence[str]) -> None:
    """Train in the processes that the launcher starts, which end with this one; raises RunError where it fails.

    Args:
        config: the run.
        resume: whether the folder may hold a run already.
        launcher: a command that takes `-m MODULE ARGUMENTS`, such as accelerate launch --num_processes 8.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "config.pickle"
        path.write_bytes(pickle.dumps((config, resume, this_process())))
        command = [*launcher, "-m", __name__, str(path)]
        try:
            code = subprocess.run(command, check=False).returncode
        except OSError as error:
            raise RunError(f"cannot run {launcher[0]!r}: {error.strerror}; give a launcher that is installed") from None
    if code != 0:
        raise RunError(f"{shlex.join(launcher)} ended with exit code {code}; its messages stand above")


def main(path: str) -> int:
    """Train as the file says; returns the exit code."""
    from agentgen_bench.train import grpo

    config, resume, starter = pickle.loads(Path(path).read_bytes())
    end_with(starter)
    try:
        grpo.train(config, resume=resume)
    except AgentGenError as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
