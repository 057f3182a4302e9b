"""Agents in processes of their own: one that never returns is ended, and agents that compute do not share a core.

A process holds one agent at a time and takes the next episode's when that has ended. What runs in it is
`agent_process.py`; questions and answers go through its standard input and output, pickled.
"""

import contextlib
import os
import pickle
import signal
import subprocess
import sys
import weakref
from collections.abc import Callable, Iterator
from typing import IO, Any, cast

from agentgen_bench.policies.seats import AgentFailureError, Loop, NotAnAgentError, Seat

DONE, RAISED, WRONG = "done", "raised", "wrong"  # with what a method gave, or what is to be said of its error
END_TIMEOUT_S = 5.0


class AgentProcess:
    """A process with an agent in it, which is called like the agent itself."""

    def __init__(self, address: str) -> None:
        """Start the process; it loads the agent's module when it is first asked."""
        # What this process can import, that one can: also where a caller has put a folder on the path.
        path = os.pathsep.join(os.path.abspath(entry) for entry in sys.path)
        with _without_interrupts():
            self._process = subprocess.Popen(
                [sys.executable, "-m", "agentgen_bench.policies.agent_process", address],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                env={**os.environ, "PYTHONPATH": path},
            )
        self._asked = cast(IO[bytes], self._process.stdin)
        self._answers = cast(IO[bytes], self._process.stdout)
        self.end: Callable[[], object] = weakref.finalize(self, _end, self._process)

    def reset(self, task: str, info: Any) -> None:
        """Have the process make an agent in the place of the last one, and reset it."""
        self._call("reset", task, info)

    def act(self, observation: str, info: Any) -> Any:
        """Return the agent's answer."""
        return self._call("act", observation, info)

    def close(self) -> None:
        """Have the process close its agent."""
        self._call("close")

    @property
    def alive(self) -> bool:
        """Whether the process can be asked again."""
        return self._process.poll() is None

    def _call(self, method: str, *arguments: Any) -> Any:
        try:
            pickle.dump((method, arguments), self._asked)
            self._asked.flush()
            kind, value = pickle.load(self._answers)
        except (EOFError, OSError, ValueError, pickle.UnpicklingError):  # ValueError: this side was closed
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(END_TIMEOUT_S)
            self.end()
            raise AgentFailureError(f"the agent's process ended with exit code {self._process.returncode}") from None
        if kind == WRONG:
            raise NotAnAgentError(value)
        if kind == RAISED:
            raise AgentFailureError(f"the agent raised {value}")
        return value


class AgentProcesses:
    """Starts processes for the agents of `module:name`, and keeps those that are free for the next episodes."""

    def __init__(self, address: str) -> None:
        """Take the agent's address, as `load_agent` reads it."""
        self._address = address
        self._free: list[AgentProcess] = []

    def seat(self, loop: Loop) -> "ProcessSeat":
        """Return a seat for one agent."""
        return ProcessSeat(self, self._free.pop() if self._free else AgentProcess(self._address), loop)

    def give_back(self, process: AgentProcess) -> None:
        """Keep a process whose agent has been closed."""
        self._free.append(process)


class ProcessSeat(Seat):
    """One agent in a process of its own, for which a thread of this one waits."""

    def __init__(self, processes: AgentProcesses, process: AgentProcess, loop: Loop) -> None:
        """Take the process that the agent is to be made in."""
        self._processes, self._process = processes, process
        super().__init__(lambda: process, loop)

    def leave(self) -> str | None:
        """Close the agent; return what went wrong, None where nothing did or the process is no more."""
        if not self._process.alive:
            super().abandon()
            return None
        trouble = super().leave()
        if trouble is None:
            self._processes.give_back(self._process)
        else:
            self._process.end()
        return trouble

    def abandon(self) -> None:
        """End the process, whatever its agent does."""
        self._process.end()
        super().abandon()


@contextlib.contextmanager
def _without_interrupts() -> Iterator[None]:
    """Block Ctrl-C for this thread and for a process that it starts, until that process ignores it of itself."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _end(process: "subprocess.Popen[bytes]") -> None:
    process.kill()
    process.wait()
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            with contextlib.suppress(OSError):  # what was still to be written to it
                pipe.close()
