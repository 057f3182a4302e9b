"""Crashes that are not an episode's own: what took the machine, the JVM or the disk away takes the next episode too."""

import errno

from agentgen_bench.episodes import Episode
from agentgen_bench.errors import MissingDependencyError, RunError

MOST_IN_A_ROW = 10
NO_ROOM = frozenset(
    {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EAGAIN}
)
_ADVICE = "mend that, then run the same command with --resume"


class Outage:
    """Holds crashed episodes back until another one has ended well; a run in which none does stops.

    What is held when the run stops is not recorded: it is played when the run goes on.
    """

    def __init__(self) -> None:
        """Begin; `MOST_IN_A_ROW` crashes of environments stop the run."""
        self._held: list[Episode] = []
        self._has_crashed = False

    def crashed(self, error: Exception) -> None:
        """Note what an environment raised, before its episode goes `through`.

        Raises:
            RunError: every further episode would meet the same.
        """
        if isinstance(error, MissingDependencyError | MemoryError) or (
            isinstance(error, OSError) and error.errno in NO_ROOM
        ):
            raise RunError(f"the run cannot go on: {_described(error)}; {_ADVICE}") from error
        if len(self._held) + 1 >= MOST_IN_A_ROW:
            raise RunError(
                f"the run cannot go on: {MOST_IN_A_ROW} episodes in a row crashed and are not recorded, the last with "
                f"{_described(error)}; {_ADVICE}"
            ) from error
        self._has_crashed = True

    def through(self, episode: Episode) -> list[Episode]:
        """Return the episodes that may be recorded now that this one has ended."""
        if self._has_crashed:
            self._has_crashed = False
            self._held.append(episode)
            return []
        return [*self.rest(), episode]

    def rest(self) -> list[Episode]:
        """Return what is held, at the end of the run."""
        held, self._held = self._held, []
        return held


def _described(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"
