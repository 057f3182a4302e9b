"""JSON over HTTP with retries: what a policy behind a server needs, and nothing about models."""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from email.utils import parsedate_to_datetime
from queue import SimpleQueue
from typing import Any, NamedTuple, TypeVar

import requests
from requests.adapters import HTTPAdapter

from agentgen_bench.errors import PolicyError
from agentgen_bench.seeding import stream

Item = TypeVar("Item")
Result = TypeVar("Result")

CONNECT_TIMEOUT_S = 10.0
LONGEST_BACKOFF_S = 30.0
LONGEST_RETRY_AFTER_S = 300.0
RETRIED = frozenset({408, 409, 425, 429, *range(500, 600)})


class Answer(NamedTuple):
    """A server's final answer: status, JSON body (empty where it is none) and what it says in words."""

    status: int
    body: Mapping[str, Any]
    message: str


class LostRequestError(Exception):
    """An attempt that is worth another one: what went wrong, and how long the server asked to wait."""

    def __init__(self, reason: str, retry_after_s: float | None = None) -> None:
        super().__init__(reason)
        self.retry_after_s = retry_after_s


class HttpClient:
    """Requests to one server, safe to share between threads."""

    def __init__(
        self, base_url: str, *, api_key: str | None, timeout_s: float, retries: int, backoff_s: float, connections: int
    ) -> None:
        """Prepare the client; nothing is sent yet. The URL must start with http:// or https://."""
        if not base_url.startswith(("http://", "https://")):
            raise PolicyError(f"{base_url!r} is no server URL; write it like http://localhost:8000/v1")
        if retries < 0 or timeout_s <= 0 or backoff_s < 0:
            raise PolicyError(
                f"retries={retries}, timeout_s={timeout_s}, backoff_s={backoff_s} are out of range; "
                "choose retries and backoff_s of 0 or more and a time-out above 0"
            )
        self.base_url = base_url
        self._timeout = (min(CONNECT_TIMEOUT_S, timeout_s), timeout_s)
        self._retries = retries
        self._backoff_s = backoff_s
        self._session = requests.Session()
        adapter = HTTPAdapter(pool_connections=1, pool_maxsize=connections)
        for scheme in ("http://", "https://"):
            self._session.mount(scheme, adapter)
        if api_key:
            self._session.headers["Authorization"] = f"Bearer {api_key}"

    def get(self, path: str) -> Answer:
        """Return the answer to a GET of `path`, after retries."""
        return self._persist("GET", path, None, ("get", path), threading.Event(), None)

    def post(
        self,
        path: str,
        payload: Mapping[str, Any],
        key: tuple[str | int, ...],
        stop: threading.Event,
        check: Callable[[Mapping[str, Any]], None],
    ) -> Answer:
        """Return the answer to a POST of JSON, after retries.

        `key` names the request: its waits are drawn from a stream of it. `stop` ends the waiting. `check` raises
        LostRequestError for the body of a 200 that is no answer.
        """
        return self._persist("POST", path, payload, key, stop, check)

    def _persist(
        self,
        method: str,
        path: str,
        payload: Mapping[str, Any] | None,
        key: tuple[str | int, ...],
        stop: threading.Event,
        check: Callable[[Mapping[str, Any]], None] | None,
    ) -> Answer:
        jitter = stream("backoff", *key)
        for attempt in range(self._retries + 1):
            try:
                return self._attempt(method, path, payload, check)
            except LostRequestError as failure:
                reason = str(failure)
                backoff_s = min(self._backoff_s * 2**attempt, LONGEST_BACKOFF_S) * jitter.uniform(0.5, 1.0)
                pause_s = backoff_s if failure.retry_after_s is None else max(failure.retry_after_s, backoff_s)
            if attempt < self._retries and stop.wait(pause_s):
                raise PolicyError(f"a request to {self.base_url} was given up: another one failed")
        raise PolicyError(
            f"the server at {self.base_url} does not answer ({self._retries + 1} attempts): {reason}; "
            "check that it runs and that the URL is right"
        )

    def _attempt(
        self,
        method: str,
        path: str,
        payload: Mapping[str, Any] | None,
        check: Callable[[Mapping[str, Any]], None] | None,
    ) -> Answer:
        try:
            response = self._session.request(method, self.base_url + path, json=payload, timeout=self._timeout)
        except requests.Timeout:
            raise LostRequestError(f"no answer within {self._timeout[1]:g} s") from None
        except requests.exceptions.InvalidURL as error:
            raise PolicyError(f"{self.base_url!r} is no server URL: {error}") from None
        except requests.RequestException as error:
            raise LostRequestError(_brief(error)) from None
        body = _json(response)
        message = _message(response, body)
        if response.status_code in RETRIED:
            raise LostRequestError(f"{response.status_code} {message}", _retry_after_s(response))
        if response.status_code == 200 and check is not None:
            check(body)
        return Answer(response.status_code, body, message)


def concurrently(
    function: Callable[[Item], Result], items: Sequence[Item], threads: int, stop: threading.Event
) -> list[Result]:
    """Return the results in order; the first exception of a thread sets `stop` and is raised here.

    The threads are daemons and are not joined, because Ctrl-C must not wait for a slow server.
    """
    outcomes: SimpleQueue[tuple[int, Result | None, Exception | None]] = SimpleQueue()
    waiting = iter(enumerate(items))
    lock = threading.Lock()

    def work() -> None:
        while not stop.is_set():
            with lock:
                entry = next(waiting, None)
            if entry is None:
                return
            try:
                outcomes.put((entry[0], function(entry[1]), None))
            except Exception as error:  # noqa: BLE001 - whatever it is, the caller gets it
                outcomes.put((entry[0], None, error))

    for _ in range(min(threads, len(items))):
        threading.Thread(target=work, daemon=True).start()
    results: dict[int, Any] = {}
    try:
        while len(results) < len(items):
            index, result, error = outcomes.get()
            if error is not None:
                raise error
            results[index] = result
    finally:
        stop.set()
    return [results[index] for index in range(len(items))]


def _json(response: requests.Response) -> Mapping[str, Any]:
    try:
        body = response.json()
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}


def _message(response: requests.Response, body: Mapping[str, Any]) -> str:
    """Return what the server says went wrong, in one line of at most 500 characters."""
    error = body.get("error", body)
    said = error.get("message") or error.get("detail") or error.get("type") if isinstance(error, dict) else error
    return " ".join(str(said or response.text or response.reason).split())[:500]


def _retry_after_s(response: requests.Response) -> float | None:
    """Return the seconds that Retry-After asks for (a number or a date, RFC 9110 section 10.2.3), at most 300."""
    value = response.headers.get("Retry-After")
    if value is None:
        return None
    try:
        seconds = float(value)
    except ValueError:
        try:
            seconds = parsedate_to_datetime(value).timestamp() - time.time()
        except ValueError:
            return None
    return min(max(seconds, 0.0), LONGEST_RETRY_AFTER_S)


def _brief(error: requests.RequestException) -> str:
    """Return the cause of a failed connection without urllib3's nested representation."""
    for known in ("Connection refused", "Name or service not known", "Network is unreachable", "Connection reset"):
        if known in str(error):
            return known.lower()
    return f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
