"""Sessions over HTTP: JSON in, JSON out. Nothing here plays; `Session` does.

Every session has a lock, so that two answers at once play one after the other. Environments block, so they run in
threads. What a client may cost is bounded: size of a body, number of sessions, seconds without a request.
"""

import asyncio
import contextlib
import json
import secrets
import signal
import threading
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic
from typing import Any

from aiohttp import web

from agentgen_bench.episodes import to_line
from agentgen_bench.errors import AgentGenError, RunError, SessionError, SpecError
from agentgen_bench.line_file import LineFile
from agentgen_bench.prompts import PromptConfig
from agentgen_bench.rows import session_of, whole_number
from agentgen_bench.session import Session, View

START_FIELDS = {"env", "spec", "seed", "suite", "cell", "index", "prompt", "policy", "repeat"}
ANSWER_FIELDS = {"answer", "prompt_tokens", "completion_tokens", "finish_reason"}


@dataclass(frozen=True, slots=True)
class Limits:
    """What clients may cost: sessions held at once, finished ones included; seconds idle; bytes of a body."""

    sessions: int = 64
    idle_s: float = 600.0
    body_bytes: int = 1_000_000


@dataclass(slots=True)
class _Held:
    """A session under its id; `used_s` is when a request last asked for it, on the monotonic clock."""

    session: Session
    used_s: float
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    is_recorded: bool = False


class _RefusedError(AgentGenError):
    """A request that is answered with an error status."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class SessionServer:
    """The requests of docs/sessions.md as an aiohttp application."""

    def __init__(
        self,
        prompt: PromptConfig,
        limits: Limits,
        output: Path | None = None,
        say: Callable[[str], None] = lambda line: None,
    ) -> None:
        """Prepare a server.

        Args:
            prompt: holds for sessions that do not ask for another.
            limits: what clients may cost.
            output: takes the episodes; a session is held until its own is written there.
            say: told of what fails where no client waits for a reply: a line each time that it is something new.
        """
        self._prompt, self._limits, self._output, self._say = prompt, limits, output, say
        self._held: dict[str, _Held] = {}
        self._starting = 0
        self._writing = threading.Lock()
        self._said = ""

    def application(self) -> web.Application:
        """Return the application; sessions are closed with it."""
        app = web.Application(client_max_size=self._limits.body_bytes, middlewares=[_errors_as_json])
        app.router.add_get("/", self._about)
        app.router.add_post("/sessions", self._start)
        app.router.add_post("/sessions/{id}/answer", self._answer)
        app.router.add_get("/sessions/{id}/episode", self._episode)
        app.router.add_delete("/sessions/{id}", self._close)
        app.cleanup_ctx.append(self._sweeping)
        return app

    async def _about(self, request: web.Request) -> web.Response:
        return web.json_response({"sessions": len(self._held), "max_sessions": self._limits.sessions})

    async def _start(self, request: web.Request) -> web.Response:
        data = await _body(request, START_FIELDS)
        if len(self._held) + self._starting >= self._limits.sessions:
            raise _RefusedError(429, f"{self._limits.sessions} sessions are open; end one with DELETE /sessions/ID")
        session = session_of(data, self._prompt)
        self._starting += 1
        try:
            view = await asyncio.to_thread(session.start)
        finally:
            self._starting -= 1
        key = secrets.token_hex(16)
        self._held[key] = _Held(session, monotonic())
        tools = session.tools if session.prompt.protocol == "tools" else ()
        return web.json_response({"id": key, **_shown(view), "tools": tools}, status=201)

    async def _answer(self, request: web.Request) -> web.Response:
        held = self._find(request)
        data = await _body(request, ANSWER_FIELDS)
        if "answer" not in data:
            raise _RefusedError(400, 'an answer is missing; send {"answer": "..."}')
        async with held.lock:
            self._find(request)  # it may have been closed while this answer waited
            view = await asyncio.to_thread(_play, held.session, data)
            if view.done:
                await asyncio.to_thread(self._record, held)
        held.used_s = monotonic()
        outcome = {"success": held.session.success, "score": held.session.score} if view.done else {}
        return web.json_response({**_shown(view), **outcome})

    async def _episode(self, request: web.Request) -> web.Response:
        return web.Response(text=to_line(self._find(request).session.episode()), content_type="application/json")

    async def _close(self, request: web.Request) -> web.Response:
        held = self._find(request)
        await self._end(request.match_info["id"], "the client closed the session before its end")
        return web.Response(text=to_line(held.session.episode()), content_type="application/json")

    def _find(self, request: web.Request) -> _Held:
        held = self._held.get(request.match_info["id"])
        if held is None:
            raise _RefusedError(
                404, f"there is no session {request.match_info['id'][:64]!r}; it was closed, or never begun"
            )
        held.used_s = monotonic()
        return held

    async def _end(self, key: str, reason: str) -> None:
        """Close a session, record it and let it go; where it cannot be recorded it stays, for a later try."""
        held = self._held.get(key)
        if held is None:
            return
        async with held.lock:
            await asyncio.to_thread(held.session.close, reason)
            await asyncio.to_thread(self._record, held)
            self._held.pop(key, None)

    async def _end_or_say(self, key: str, reason: str) -> None:
        """End a session that no client waits for; what fails is said, and neither ends the sweep nor keeps others."""
        try:
            await self._end(key, reason)
        except Exception as error:  # noqa: BLE001 - one session's failure must not keep the others from being closed
            line = str(error) if isinstance(error, AgentGenError) else f"{type(error).__name__}: {error}"
            if line != self._said:  # the sweep tries again every few seconds
                self._say(line)
            self._said = line
        else:
            self._said = ""

    def _record(self, held: _Held) -> None:
        """Write the episode to the output, once; raises RunError where it cannot be written, and nothing of it is."""
        if self._output is None or held.is_recorded:
            return
        line = to_line(held.session.episode()).encode()
        with self._writing:
            _append(self._output, line)
        held.is_recorded = True

    async def _sweeping(self, app: web.Application) -> Any:
        """Close idle sessions while the application runs, and all at its end."""
        stopping = asyncio.Event()
        sweeper = asyncio.create_task(self._sweep(stopping))
        yield
        stopping.set()
        await sweeper  # it may be writing a record
        for key in list(self._held):
            await self._end_or_say(key, "the server was stopped before the episode's end")
        if self._held:
            self._say(f"{len(self._held)} episodes are not recorded")

    async def _sweep(self, stopping: asyncio.Event) -> None:
        while not stopping.is_set():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stopping.wait(), min(self._limits.idle_s, 10.0) / 2)
            for key in list(self._held):
                if self._is_idle(key):  # asked for each anew: to close the one before may have taken seconds
                    await self._end_or_say(key, f"no request came within {self._limits.idle_s:g} s")

    def _is_idle(self, key: str) -> bool:
        held = self._held.get(key)
        if held is None or held.lock.locked():
            return False
        return held.used_s < monotonic() - self._limits.idle_s


def serve(
    host: str, port: int, prompt: PromptConfig, limits: Limits, output: Path | None, say: Callable[[str], None]
) -> None:
    """Serve until Ctrl-C, or the signal to terminate; raises RunError where the address is taken."""

    async def forever() -> None:
        terminated = asyncio.Event()
        with contextlib.suppress(RuntimeError):  # in a thread, which gets no signals
            asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, terminated.set)
        runner = web.AppRunner(SessionServer(prompt, limits, output, say).application(), access_log=None)
        await runner.setup()
        try:
            site = web.TCPSite(runner, host, port)
            await site.start()
            say(f"sessions at http://{host}:{runner.addresses[0][1]}; Ctrl-C ends")
            await terminated.wait()
        except OSError as error:
            raise RunError(f"cannot listen at {host}:{port}: {error.strerror or error}") from None
        finally:
            await runner.cleanup()

    asyncio.run(forever())


def _append(path: Path, line: bytes) -> None:
    """Append a line to a file, whole or not at all, or send it down a pipe; raises RunError where that fails."""
    try:
        if path.exists() and not path.is_file():  # a pipe or a device: nothing can be taken back from it
            with path.open("ab") as stream:
                stream.write(line + b"\n")
            return
        with contextlib.closing(LineFile.open(path)) as file:  # each time: a file that was moved away is begun anew
            file.append([line])
    except OSError as error:
        raise RunError(f"cannot write {path}: {error.strerror or error}") from None


def _play(session: Session, data: Mapping[str, Any]) -> View:
    reason = data.get("finish_reason")
    if reason is not None and (not isinstance(reason, str) or len(reason) > 40):
        raise SessionError("finish_reason is a short string, such as stop or length")
    return session.answer(
        data["answer"],
        prompt_tokens=whole_number("prompt_tokens", data.get("prompt_tokens", 0)),
        completion_tokens=whole_number("completion_tokens", data.get("completion_tokens", 0)),
        finish_reason=reason,
    )


def _shown(view: View) -> dict[str, object]:
    return {**view._asdict(), "messages": [message.to_json() for message in view.messages]}


async def _body(request: web.Request, fields: set[str]) -> Mapping[str, Any]:
    try:
        data = json.loads(await request.read())
    except (ValueError, RecursionError) as error:
        raise _RefusedError(400, f"the body is not JSON: {str(error)[:200]}") from None
    if not isinstance(data, dict):
        raise _RefusedError(400, "the body is not a JSON object")
    if unknown := sorted(set(data) - fields):
        raise _RefusedError(400, f"unknown field {unknown[0][:60]!r}; the fields are: {', '.join(sorted(fields))}")
    return data


@web.middleware
async def _errors_as_json(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """Answer every error as `{"error": ...}`: 400 for a request of ours misused, 500 for what an environment raises."""
    try:
        return await handler(request)
    except _RefusedError as error:
        return web.json_response({"error": str(error)}, status=error.status)
    except web.HTTPException as error:
        return web.json_response({"error": error.reason}, status=error.status)
    except (SpecError, SessionError) as error:
        return web.json_response({"error": str(error)}, status=400)
    except Exception as error:  # noqa: BLE001 - one session's failure must not end the others
        return web.json_response({"error": f"{type(error).__name__}: {error}"}, status=500)
