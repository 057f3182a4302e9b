"""Threads for agents: each has one of its own, and what agents await runs in one event loop that all share.

A thread that waits for an agent cannot be ended from outside. So the threads are daemons: a time-out leaves one behind
that ends with its agent's call, or with the program.
"""

import asyncio
import inspect
import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from typing import Any

from agentgen_bench.errors import PolicyError

CLOSE_TIMEOUT_S = 10.0


class NotAnAgentError(PolicyError):
    """What was made is no agent, or does not answer as one; says in what."""


class AgentFailureError(Exception):
    """What an agent in another process did in place of answering, in words."""


class Loop:
    """One event loop in a thread of its own, begun when something is awaited first."""

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._lock = threading.Lock()

    def submit(self, awaitable: Any) -> "Future[Any]":
        """Return the future of something awaitable."""

        async def awaited() -> Any:
            return await awaitable

        with self._lock:
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                threading.Thread(target=self._loop.run_forever, name="agents", daemon=True).start()
        return asyncio.run_coroutine_threadsafe(awaited(), self._loop)


class Seat:
    """One agent in a daemon thread of its own, which makes it, asks it and closes it."""

    def __init__(self, factory: Callable[[], Any], loop: Loop) -> None:
        self._factory, self._loop = factory, loop
        self._asked: queue.SimpleQueue[tuple[str, Any, Future[Any]] | None] = queue.SimpleQueue()
        self._closed: Future[None] = Future()
        self._awaited: Future[Any] | None = None
        self._agent: Any = None
        threading.Thread(target=self._run, name="agent", daemon=True).start()

    def ask(self, observation: str, info: Any) -> "Future[Any]":
        """Return the future of the agent's answer."""
        answer: Future[Any] = Future()
        self._asked.put((observation, info, answer))
        return answer

    def leave(self) -> str | None:
        """Close the agent; return what went wrong, None where nothing did."""
        self._asked.put(None)
        try:
            self._closed.result(CLOSE_TIMEOUT_S)
        except FutureTimeoutError:
            return f"no end within {CLOSE_TIMEOUT_S:g} s"
        except BaseException as error:  # noqa: BLE001 - of the agent's close
            return f"{type(error).__name__}: {error}"
        return None

    def abandon(self) -> None:
        """Wait for the agent no more: what it awaits is cancelled, and its thread ends with its present call."""
        self._asked.put(None)
        if self._awaited is not None:
            self._awaited.cancel()

    def _run(self) -> None:
        while (asked := self._asked.get()) is not None:
            observation, info, answer = asked
            try:
                answer.set_result(self._answer(observation, info))
            except BaseException as error:  # noqa: BLE001 - whatever an agent raises is its episode's failure
                answer.set_exception(error)
        try:
            if (close := getattr(self._agent, "close", None)) is not None:
                self._call(close)
            self._closed.set_result(None)
        except BaseException as error:  # noqa: BLE001 - as above
            self._closed.set_exception(error)

    def _answer(self, observation: str, info: Any) -> Any:
        if self._agent is None:
            self._agent = checked_agent(self._call(self._factory))
            if (reset := getattr(self._agent, "reset", None)) is not None:
                self._call(reset, info["task"], info)
        return self._call(self._agent.act, observation, info)

    def _call(self, function: Callable[..., Any], *arguments: Any) -> Any:
        value = function(*arguments)
        if not inspect.isawaitable(value):
            return value
        self._awaited = self._loop.submit(value)
        return self._awaited.result()


def checked_agent(made: Any) -> Any:
    """Return what a factory made; raises NotAnAgentError where it cannot act."""
    if not callable(getattr(made, "act", None)):
        raise NotAnAgentError(f"the factory made {shown(made)}; an agent has act(observation, info)")
    return made


def shown(value: Any) -> str:
    """Return a value and its type, for a message."""
    text = repr(value)
    return f"{text if len(text) <= 80 else text[:77] + '...'} ({type(value).__name__})"
