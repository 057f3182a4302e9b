"""The official stack (alfworld on textworld) behind the engine's interface, in a process of its own.

Needs the extra `alfworld`. Its interpreter is this one, or the one that `$AGENTGEN_ALFWORLD_PYTHON` names: the
official stack does not run on every Python that this package runs on.
"""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

from agentgen_bench.envs.alfworld.engine import Answer
from agentgen_bench.envs.alfworld.gamefile import GameJson
from agentgen_bench.envs.alfworld.official_worker import Reply, Request
from agentgen_bench.envs.alfworld.wording import NOTHING_HAPPENS
from agentgen_bench.errors import AgentGenError, MissingDependencyError, install_hint

PYTHON_VARIABLE = "AGENTGEN_ALFWORLD_PYTHON"
WORKER = Path(__file__).with_name("official_worker.py")
_FAILED = Answer(NOTHING_HAPPENS, False)


class OfficialStackError(AgentGenError):
    """The official stack failed at something that it should be able to do, or its process ended."""


class OfficialGame:
    """One game at a time on the official stack. The process starts at the first game and is kept for the next.

    Pickles without its process: the copy starts its own and plays the episode's commands again.
    """

    def __init__(self, *, stock: bool = False) -> None:
        """Check that the official stack can be had; `stock` leaves out the worker's speed-ups."""
        self._stock = stock
        self._python = official_python()
        self._process: subprocess.Popen[str] | None = None
        self._game: GameJson | None = None
        self._played: list[str] = []
        self._said: Reply = {}

    @property
    def won(self) -> bool:
        """Whether the goal holds."""
        return bool(self._state()["won"])

    def load(self, game: GameJson) -> str:
        """Start a game, given as the JSON object of its file, and return the official first observation."""
        self._game, self._played = game, []
        self._said = self._ask({"op": "load", "game": game})
        return str(self._said["feedback"])

    def step(self, command: str) -> Answer:
        """Execute a command."""
        self._state()
        self._said = self._ask({"op": "step", "command": command})
        self._played.append(command)
        return Answer(str(self._said["feedback"]), True) if self._said["is_valid"] else _FAILED

    def admissible_commands(self) -> tuple[str, ...]:
        """Return the commands that would do something, sorted."""
        return tuple(self._state()["admissible_commands"])

    def plan(self) -> tuple[str, ...]:
        """Return the plan of the official planner, empty where it finds none; on a full room that can take minutes."""
        self._state()
        return tuple(self._ask({"op": "plan"})["plan"])

    def close(self) -> None:
        """End the process."""
        process, self._process = self._process, None
        if process is None:
            return
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                stream.close()
        try:
            process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def __del__(self) -> None:
        if getattr(self, "_process", None) is not None:
            self.close()

    def __getstate__(self) -> dict[str, object]:
        return {**self.__dict__, "_process": None, "_said": {}}

    def _state(self) -> Reply:
        """Return what the stack said last; a fresh copy first plays its way there again."""
        if not self._said and self._game is not None:
            played = self._played
            self.load(self._game)
            for command in played:
                self.step(command)
        return self._said

    def _ask(self, request: Request) -> Reply:
        process = self._process if self._process is not None else self._start()
        if process.stdin is None or process.stdout is None:
            raise OfficialStackError("the official stack's process has no pipes")
        try:
            process.stdin.write(json.dumps(request) + "\n")
            process.stdin.flush()
            line = process.stdout.readline()
        except (BrokenPipeError, ValueError) as error:
            raise OfficialStackError(f"the official stack's process ended: {error}") from error
        reply: Reply = json.loads(line) if line else {"error": f"its process ended with code {process.wait()}"}
        if "error" in reply:
            raise OfficialStackError(f"the official stack could not {request['op']}: {reply['error']}")
        return reply

    def _start(self) -> subprocess.Popen[str]:
        command = [self._python, str(WORKER), *(["--stock"] if self._stock else [])]
        self._process = subprocess.Popen(  # its standard error stays ours, so that its complaints are seen
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding="utf-8"
        )
        ready = self._process.stdout.readline() if self._process.stdout is not None else ""
        if not ready:
            raise OfficialStackError(f"the official stack did not start with {self._python}; its error is above")
        return self._process


def official_python() -> str:
    """Return the interpreter that has the official stack; raises MissingDependencyError where none is known."""
    chosen = os.environ.get(PYTHON_VARIABLE)
    if chosen:
        if not os.access(chosen, os.X_OK):
            raise MissingDependencyError(
                f"${PYTHON_VARIABLE}={chosen!r} is no program; give a Python that has alfworld"
            )
        return chosen
    missing = [name for name in ("textworld", "alfworld", "fast_downward") if importlib.util.find_spec(name) is None]
    if missing:
        raise MissingDependencyError(
            f"backend='textworld' needs {', '.join(missing)}; install it with: {install_hint('alfworld')} "
            f"(or set ${PYTHON_VARIABLE} to a Python that has it)"
        )
    return sys.executable
