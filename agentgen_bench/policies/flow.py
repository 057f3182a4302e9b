"""Requests to a server that are under way, taken as they end."""

import asyncio
import queue
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from typing import Any, Generic, TypeVar

from agentgen_bench.policies.http import SAY_BUSY_AFTER_S, HttpClient

Result = TypeVar("Result")


class Flow(Generic[Result]):
    """Coroutines of one client, each with a number; as many as it has connections are at work at once."""

    def __init__(self, client: HttpClient) -> None:
        """Begin with none."""
        self._client = client
        self._gate = asyncio.Semaphore(client.connections)
        self._futures: dict[int, Future[None]] = {}
        self._ended: queue.SimpleQueue[tuple[int, Result | BaseException]] = queue.SimpleQueue()
        self._failure: BaseException | None = None

    def start(self, number: int, work: Callable[[], Coroutine[Any, Any, Result]]) -> None:
        """Begin what `work` makes, as soon as a connection is free."""
        self._futures[number] = self._client.start(self._through(number, work))

    def take(self) -> list[tuple[int, Result]]:
        """Wait until something has ended, and return all that has; what one of them raised is raised last."""
        found = [] if self._failure is not None else [self._next()]
        while not self._ended.empty():
            found.append(self._ended.get())
        results = []
        for number, result in found:
            self._futures.pop(number, None)
            if isinstance(result, BaseException):
                self._failure = self._failure or result
            else:
                results.append((number, result))
        if not results and self._failure is not None:
            raise self._failure
        return results

    def close(self) -> None:
        """Give up what is under way."""
        for future in self._futures.values():
            future.cancel()
        self._futures.clear()

    def _next(self) -> tuple[int, Result | BaseException]:
        while True:
            try:
                return self._ended.get(timeout=SAY_BUSY_AFTER_S)
            except queue.Empty:
                waiting = len(self._futures)
                self._client.say(f"waiting for {self._client.shown}: {waiting} answers are still to come")

    async def _through(self, number: int, work: Callable[[], Coroutine[Any, Any, Result]]) -> None:
        try:
            async with self._gate:
                self._ended.put((number, await work()))
        except asyncio.CancelledError:
            raise
        except BaseException as error:  # noqa: BLE001 - raised again in the thread that takes it
            self._ended.put((number, error))
