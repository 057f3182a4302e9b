"""When, how long, on what and from which commit a run was played: beside what decides its bytes, never part of it.

The manifest holds one record per session (a start or a resume of the run); results and leaderboard entries hold what
`made` makes of them. Nothing here is compared at a resume, hashed or replayed, and runs of before have none of it.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final, TypedDict

from agentgen_bench.errors import DataError
from agentgen_bench.evaluation.machine import HardwareJson, commit, hardware, to_json

SESSIONS: Final = "sessions"  # the key in the manifest
MADE: Final = "made"  # the key in results and an entry's metadata
MARK_EVERY_S = 60.0  # a session that is killed has lasted as long as its last mark says
MOST_S = 10**10  # of a session: 317 years are none
FIELDS = ("started", "seconds", "hardware", "commit")


class SessionJson(TypedDict):
    """A session as the manifest holds it."""

    started: str  # ISO 8601, UTC
    seconds: float
    hardware: HardwareJson
    commit: str | None


class MadeJson(TypedDict):
    """What all sessions of a run come to."""

    started: str  # of the first
    seconds: float  # of all together
    sessions: int
    hardware: list[HardwareJson]  # each kind once
    commits: list[str]  # each once


@dataclass(slots=True)
class Session:
    """A session under way; `to_json` is its record so far."""

    started: str
    hardware: HardwareJson
    commit: str | None
    _began: float = field(default_factory=time.monotonic)
    _marked: float | None = None
    _ended: float | None = None

    def to_json(self) -> SessionJson:
        """Return start (ISO 8601, UTC), seconds until now or until its end, hardware and commit."""
        self._marked = time.monotonic() if self._ended is None else self._ended
        seconds = round(self._marked - self._began, 1)
        return {"started": self.started, "seconds": seconds, "hardware": self.hardware, "commit": self.commit}

    def end(self) -> None:
        """Stop the clock, so that manifest and results say the same."""
        self._ended = time.monotonic()

    def is_mark_due(self) -> bool:
        """Return whether the last record is older than MARK_EVERY_S, or there is none yet."""
        return self._marked is None or time.monotonic() - self._marked >= MARK_EVERY_S


def begin() -> Session:
    """Return a session that begins now and here."""
    return Session(datetime.now(UTC).isoformat(timespec="seconds"), to_json(hardware()), commit())


def sessions_of(manifest: Mapping[str, object]) -> list[SessionJson]:
    """Return the sessions that a manifest records, none for one of before; raises DataError where they are damaged."""
    found = manifest.get(SESSIONS, [])
    if not isinstance(found, list) or not all(_is_session(session) for session in found):
        raise DataError(f"the manifest's {SESSIONS} are not a list of records of {', '.join(FIELDS)}")
    return list(found)


def made(sessions: Sequence[SessionJson]) -> MadeJson | None:
    """Return what all sessions come to: first start, seconds in all, each kind of hardware, each commit; None for none.

    Examples:
        >>> machine = {"cpu": "A", "instructions": [], "cores": 2, "gpus": []}
        >>> one = {"started": "2026-01-31T12:00:00+00:00", "seconds": 90.0, "hardware": machine, "commit": None}
        >>> found = made([one, {**one, "started": "2026-02-01T08:00:00+00:00", "seconds": 30.0}])
        >>> found["started"], found["seconds"], found["sessions"], len(found["hardware"]), found["commits"]
        ('2026-01-31T12:00:00+00:00', 120.0, 2, 1, [])
    """
    if not sessions:
        return None
    machines = [session["hardware"] for session in sessions]
    return {
        "started": sessions[0]["started"],
        "seconds": round(sum(session["seconds"] for session in sessions), 1),
        "sessions": len(sessions),
        "hardware": [machine for i, machine in enumerate(machines) if machine not in machines[:i]],
        "commits": list(dict.fromkeys(session["commit"] for session in sessions if session["commit"])),
    }


def _is_session(value: Any) -> bool:
    if not isinstance(value, dict) or not all(name in value for name in FIELDS):
        return False
    seconds, named, machine = value["seconds"], value["commit"], value["hardware"]
    return (
        isinstance(value["started"], str)
        and isinstance(seconds, int | float)
        and not isinstance(seconds, bool)
        and 0 <= seconds <= MOST_S
        and isinstance(machine, dict)
        and isinstance(machine.get("gpus", []), list)
        and (named is None or isinstance(named, str))
    )
