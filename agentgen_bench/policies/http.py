"""JSON over HTTP with retries: what a policy behind a server needs, and nothing about models.

aiohttp does the work, in one thread with an event loop for each client: a whole reply has one time limit, a reply has
a largest size, and what is under way can be given up at any moment.
"""

import asyncio
import contextlib
import json
import math
import os
import threading
import time
import weakref
from collections.abc import Callable, Coroutine, Iterable, Mapping
from concurrent.futures import Future
from email.utils import parsedate_to_datetime
from typing import Any, NamedTuple, TypeVar
from urllib.parse import urljoin, urlsplit
from urllib.request import getproxies, proxy_bypass

import aiohttp

from agentgen_bench.address import Address, parse_address, shown_url
from agentgen_bench.errors import PolicyError
from agentgen_bench.seeding import stream

Result = TypeVar("Result")
Check = Callable[["Answer"], bool]  # whether an answer is final; raises LostRequestError or PolicyError where it knows

CONNECT_TIMEOUT_S = 10.0
LONGEST_BACKOFF_S = 30.0
LONGEST_RETRY_AFTER_S = 300.0
MAX_BODY_BYTES = 8 * 2**20  # a long prompt's log-probabilities take about 1 MB, a hosted list of models as much
MAX_MESSAGE_CHARS = 500
MAX_REDIRECTS = 5
MAX_DIGITS = 300
BUSY = frozenset({408, 429, 502, 503, 504})
SAY_EVERY_S = 10.0  # a line about waiting at most
SAY_BUSY_AFTER_S = 60.0  # without any answer


class Answer(NamedTuple):
    """A server's final answer: status, JSON body (empty where it is no object) and what it says in words."""

    status: int
    body: Mapping[str, Any]
    message: str
    retry_after_s: float | None = None

    @property
    def is_success(self) -> bool:
        """Whether the status is one of 200 to 299."""
        return 200 <= self.status < 300


class LostRequestError(Exception):
    """An attempt that is worth another one: what went wrong, and how long the server asked to wait."""

    def __init__(self, reason: str, retry_after_s: float | None = None) -> None:
        super().__init__(reason)
        self.retry_after_s = retry_after_s


class HttpClient:
    """Requests to one server. The coroutines run by `run`, which may be called from any thread."""

    def __init__(
        self,
        base_url: str,
        *,
        api_key: str | None,
        timeout_s: float,
        retries: int,
        backoff_s: float,
        connections: int,
        say: Callable[[str], None] | None = None,
    ) -> None:
        """Prepare the client; nothing is sent yet.

        Args:
            base_url: starts with http:// or https://; user, password and query are sent and never shown.
            api_key: sent as bearer token; None sends none.
            timeout_s: seconds for one attempt, from connecting to the last byte.
            retries: how often a lost request is sent again.
            backoff_s: seconds before the first retry; doubled for each further one, up to 30.
            connections: requests under way at once.
            say: takes a line whenever there is something to wait for, at most one in 10 seconds.

        Raises:
            PolicyError: the URL is none, or a number is out of range.
        """
        self.address: Address = parse_address(base_url)
        if retries < 0 or not 0 < timeout_s < math.inf or not 0 <= backoff_s < math.inf or connections < 1:
            raise PolicyError(
                f"retries={retries}, timeout_s={timeout_s}, backoff_s={backoff_s}, concurrency={connections} are out "
                "of range; choose retries and backoff_s of 0 or more, a time-out above 0 and a concurrency of 1 or more"
            )
        self.timeout_s = timeout_s
        self._api_key = api_key
        self._retries = retries
        self._backoff_s = backoff_s
        self.connections = connections
        self._say = say or (lambda line: None)
        self._said_at = -math.inf
        self._session: aiohttp.ClientSession | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._pid = 0  # of the process whose thread runs the loop; a fork has none

    @property
    def shown(self) -> str:
        """The address as people may see it."""
        return self.address.shown

    def run(self, work: Coroutine[Any, Any, Result]) -> Result:
        """Return what a coroutine of this client returns; giving up the wait (Ctrl-C) cancels it."""
        future = self.start(work)
        try:
            return future.result()
        finally:
            future.cancel()

    def start(self, work: Coroutine[Any, Any, Result]) -> "Future[Result]":
        """Return the future of a coroutine of this client, begun at once."""
        return asyncio.run_coroutine_threadsafe(work, self._open())

    async def gather(self, works: Iterable[Coroutine[Any, Any, Result]]) -> list[Result]:
        """Return the results in order, at most `connections` at work at once; the first exception ends the others."""
        gate = asyncio.Semaphore(self.connections)

        async def through(work: Coroutine[Any, Any, Result]) -> Result:
            async with gate:
                return await work

        waiting = list(works)
        tasks = [asyncio.ensure_future(through(work)) for work in waiting]
        pending: set[asyncio.Future[Result]] = set(tasks)
        try:
            while pending:
                done, pending = await asyncio.wait(pending, timeout=SAY_BUSY_AFTER_S, return_when="FIRST_COMPLETED")
                for task in done:
                    task.result()
                if not done:
                    self.say(f"waiting for {self.shown}: {len(pending)} answers are still to come")
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            for work in waiting:
                work.close()  # those that never began
        return [task.result() for task in tasks]

    async def get(self, path: str) -> Answer:
        """Return the answer to a GET of `path`; a server that is busy is asked again, and its last answer counts."""
        return await self._persist("GET", path, None, ("get", path), lambda answer: answer.status not in BUSY, True)

    async def post(
        self, path: str, payload: Mapping[str, Any], key: tuple[str | int, ...], check: Check | None = None
    ) -> Answer:
        """Return the final answer to a POST of JSON, after retries.

        `key` names the request: its waits are drawn from a stream of it. `check` says whether an answer is final
        (None: as its status says); it raises LostRequestError for one that is worth another attempt.
        """
        return await self._persist("POST", path, payload, key, check or is_final, False)

    async def ask_once(self, path: str, payload: Mapping[str, Any] | None) -> Answer:
        """Return the answer to one attempt at the server's root: a POST of JSON, or a GET; status 0 where it is lost.

        For what a server may know and need not: nothing is tried again.
        """
        try:
            return await self._attempt("GET" if payload is None else "POST", path, payload, True)
        except (LostRequestError, PolicyError) as error:
            return Answer(0, {}, str(error))

    def say(self, line: str) -> None:
        """Tell people about a wait, unless they were told of one just now."""
        if time.monotonic() - self._said_at >= SAY_EVERY_S:
            self._said_at = time.monotonic()
            self._say(line)

    async def _persist(
        self,
        method: str,
        path: str,
        payload: Mapping[str, Any] | None,
        key: tuple[str | int, ...],
        check: Check,
        last_counts: bool,
    ) -> Answer:
        jitter = stream("backoff", *key)
        failed = "does not answer"
        for attempt in range(self._retries + 1):
            try:
                failed = "does not answer"
                answer = await self._attempt(method, path, payload, False)
                failed = "gives no usable answer" if answer.is_success else failed
                if self._checked(answer, check) or (last_counts and attempt == self._retries):
                    return answer
                raise LostRequestError(f"{answer.status} {answer.message}", answer.retry_after_s)
            except LostRequestError as failure:
                reason = self._for_people(str(failure))
                backoff_s = min(self._backoff_s * 2**attempt, LONGEST_BACKOFF_S) * jitter.uniform(0.5, 1.0)
                pause_s = max(failure.retry_after_s or 0.0, backoff_s)
            if attempt < self._retries:
                if pause_s >= 1:
                    again = f"attempt {attempt + 2} of {self._retries + 1} in {pause_s:.0f} s"
                    self.say(f"waiting for {self.shown}: {reason[:200]}; {again}")
                await asyncio.sleep(pause_s)
        advice = "check that it runs and that the URL is right"
        if failed != "does not answer":
            advice = "look at its log, or ask the provider"
        raise PolicyError(f"the server at {self.shown} {failed} ({self._retries + 1} attempts): {reason}; {advice}")

    def _checked(self, answer: Answer, check: Check) -> bool:
        try:
            return check(answer)
        except PolicyError as error:  # the server's words in the body of a 200
            said = self._for_people(str(error))
            raise PolicyError(f"the server at {self.shown} refused a request: {said}") from None

    async def _attempt(self, method: str, path: str, payload: Mapping[str, Any] | None, at_root: bool) -> Answer:
        address = self.address.root if at_root else self.address
        try:
            async with asyncio.timeout(self.timeout_s):
                return await self._answer(method, address.url(path), payload)
        except TimeoutError:
            raise LostRequestError(f"no whole answer within {self.timeout_s:g} s") from None
        except (aiohttp.InvalidURL, UnicodeError):
            raise PolicyError(f"{self.shown!r} is no server URL: its host is not one") from None
        except (aiohttp.ClientError, OSError) as error:
            raise LostRequestError(self._for_people(_brief(error))) from None

    async def _answer(self, method: str, url: str, payload: Mapping[str, Any] | None) -> Answer:
        """Send one request and read its answer; a redirect on the same host keeps method and body."""
        session = self._session
        if session is None:
            raise RuntimeError("a client's coroutines run by its own run()")
        content = None if payload is None else json.dumps(payload).encode()
        for _ in range(MAX_REDIRECTS):
            headers = {"Content-Type": "application/json"} if content is not None else {}
            async with session.request(
                method, url, data=content, headers=headers, allow_redirects=False, proxy=_proxy(url)
            ) as response:
                target = response.headers.get("Location", "")
                if response.status not in (301, 302, 303, 307, 308) or not target:
                    return self._read(response, await self._body(response))
            target = urljoin(url, target)
            if urlsplit(target).hostname != urlsplit(url).hostname:
                raise PolicyError(f"the server at {self.shown} sends us on to {shown_url(target)}; give that address")
            url = target
        raise PolicyError(f"the server at {self.shown} sends us around in a circle, last to {shown_url(url)}")

    async def _body(self, response: aiohttp.ClientResponse) -> bytes:
        body = bytearray()
        async for chunk in response.content.iter_any():
            body += chunk
            if len(body) > MAX_BODY_BYTES:
                raise PolicyError(f"an answer of {self.shown} is longer than {MAX_BODY_BYTES} bytes; it is no reply")
        return bytes(body)

    def _read(self, response: aiohttp.ClientResponse, content: bytes) -> Answer:
        body = _json_object(content)
        message = self._for_people(_message(body) or content[: 8 * MAX_MESSAGE_CHARS].decode(errors="replace"))
        return Answer(response.status, body, message or response.reason or "", _retry_after_s(response.headers))

    def _for_people(self, text: str) -> str:
        """Return a text in one line of printable characters and bounded length, without secrets."""
        line = self.address.without_secrets(" ".join(text.split()), self._api_key)
        return "".join(letter for letter in line if letter.isprintable())[:MAX_MESSAGE_CHARS]

    def _open(self) -> asyncio.AbstractEventLoop:
        """Return this process's loop, with its thread and connections made at the first call."""
        if self._loop is None or self._pid != os.getpid():
            loop = asyncio.new_event_loop()
            threading.Thread(target=loop.run_forever, name="requests", daemon=True).start()
            session = asyncio.run_coroutine_threadsafe(self._session_in_loop(), loop).result()
            weakref.finalize(self, _close, session, loop)
            self._loop, self._session, self._pid = loop, session, os.getpid()
        return self._loop

    async def _session_in_loop(self) -> aiohttp.ClientSession:
        authorization = self.address.authorization(self._api_key)
        return aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0),  # `gather` bounds what is under way
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=min(CONNECT_TIMEOUT_S, self.timeout_s)),
            headers={
                "Accept-Encoding": "identity",  # replies are short, and a bomb would not be
                **({} if authorization is None else {"Authorization": authorization}),
            },
            cookie_jar=aiohttp.DummyCookieJar(),
        )


def is_final(answer: Answer) -> bool:
    """Return whether an answer's status says that another attempt would get the same."""
    return not (answer.status in (408, 409, 425, 429) or answer.status >= 500)


def _close(session: aiohttp.ClientSession, loop: asyncio.AbstractEventLoop) -> None:
    """Close a client's connections and end its thread; also run when the interpreter ends."""

    async def close() -> None:
        await session.close()
        loop.call_soon(loop.stop)

    with contextlib.suppress(RuntimeError):  # the loop is gone already
        asyncio.run_coroutine_threadsafe(close(), loop)


def _proxy(url: str) -> str | None:
    """Return the proxy that the environment names for a URL (http_proxy, https_proxy, no_proxy)."""
    parts = urlsplit(url)
    return None if proxy_bypass(parts.hostname or "") else getproxies().get(parts.scheme)


def _json_object(content: bytes) -> Mapping[str, Any]:
    try:
        body = json.loads(content, parse_int=_integer)
    except (ValueError, RecursionError):  # ValueError: not JSON, or not Unicode
        return {}
    return body if isinstance(body, dict) else {}


def _integer(digits: str) -> int | float:
    """Return a JSON integer; a monstrous one, which Python refuses to read, as a float."""
    return int(digits) if len(digits) <= MAX_DIGITS else float(digits)


def _message(body: Mapping[str, Any]) -> str:
    """Return what the server says went wrong: the text of its `error`, `message` or `detail`; "" for none."""
    error = body.get("error") or body
    if isinstance(error, str):
        return error
    if not isinstance(error, Mapping):
        return json.dumps(error)[: 8 * MAX_MESSAGE_CHARS]
    said = next((error[name] for name in ("message", "detail", "msg", "type") if error.get(name)), "")
    return said if isinstance(said, str) else json.dumps(said)[: 8 * MAX_MESSAGE_CHARS]


def _retry_after_s(headers: Mapping[str, str]) -> float | None:
    """Return the seconds that Retry-After asks for (a number or a date, RFC 9110 section 10.2.3), at most 300."""
    value = headers.get("Retry-After")
    if value is None:
        return None
    try:
        seconds = float(value)
    except ValueError:
        try:
            seconds = parsedate_to_datetime(value).timestamp() - time.time()
        except (ValueError, TypeError, OverflowError):
            return None
    return None if math.isnan(seconds) else min(max(seconds, 0.0), LONGEST_RETRY_AFTER_S)


def _brief(error: BaseException) -> str:
    """Return the cause of a failed connection in a few words."""
    text = " ".join(str(error).split())
    for known, words in (
        ("Connect call failed", "connection refused"),
        ("Connection refused", "connection refused"),
        ("Name or service not known", "name or service not known"),
        ("Network is unreachable", "network is unreachable"),
        ("Connection reset", "connection reset"),
        ("Server disconnected", "connection closed without an answer"),
    ):
        if known in text:
            return words
    return f"{type(error).__name__}: {text[:200]}"
