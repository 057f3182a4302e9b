"""The other end of an `AgentProcess`: makes agents, asks them and closes them, one at a time."""

import asyncio
import inspect
import os
import pickle
import signal
import sys
from collections.abc import Callable
from functools import cached_property
from typing import IO, Any

from agentgen_bench.policies.agent_loading import agent_at
from agentgen_bench.policies.agent_processes import DONE, RAISED, WRONG
from agentgen_bench.policies.agents import as_answer
from agentgen_bench.policies.seats import NotAnAgentError, checked_agent


class _Host:
    """The agent that is there, and the event loop for what it awaits."""

    def __init__(self, address: str, runner: asyncio.Runner) -> None:
        self._address, self._runner = address, runner
        self._agent: Any = None

    @cached_property
    def _factory(self) -> Callable[[], Any]:
        return agent_at(self._address).factory

    def reset(self, task: str, info: Any) -> None:
        self._agent = checked_agent(self._call(self._factory))
        if (reset := getattr(self._agent, "reset", None)) is not None:
            self._call(reset, task, info)

    def act(self, observation: str, info: Any) -> Any:
        return as_answer(self._call(self._agent.act, observation, info))

    def close(self) -> None:
        if (close := getattr(self._agent, "close", None)) is not None:
            self._call(close)
        self._agent = None

    def _call(self, function: Callable[..., Any], *arguments: Any) -> Any:
        value = function(*arguments)
        return self._runner.run(_awaited(value)) if inspect.isawaitable(value) else value


async def _awaited(value: Any) -> Any:
    return await value


def serve(address: str, asked: IO[bytes], answers: IO[bytes]) -> None:
    """Do what is asked for until nothing more is."""
    with asyncio.Runner() as runner:
        host = _Host(address, runner)
        while True:
            try:
                method, arguments = pickle.load(asked)
            except EOFError:
                return
            pickle.dump(_answer(getattr(host, method), arguments), answers)
            answers.flush()


def _answer(method: Callable[..., Any], arguments: tuple[Any, ...]) -> tuple[str, Any]:
    try:
        return DONE, method(*arguments)
    except NotAnAgentError as error:
        return WRONG, str(error)
    except BaseException as error:  # noqa: BLE001 - whatever an agent raises is its episode's failure
        return RAISED, f"{type(error).__name__}: {error}"


def main() -> None:
    """Serve the agent that the command line names; what it prints goes to standard error."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the program that asks
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})  # it was blocked until here
    asked, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    serve(sys.argv[1], asked, answers)


if __name__ == "__main__":
    main()
