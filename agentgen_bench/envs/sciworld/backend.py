"""Drive scienceworld 1.2.3's own simulator in one shared JVM: episodes that repeat exactly, and survive the JVM.

A `Simulator` is one episode. It sits in a `Seat` of a `Cell`: a class loader with the simulator and all that is global
to it. Not covered: text, reward, levels, the solver (`planning`).
"""

import itertools
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from agentgen_bench.envs.sciworld.cell import Cell, simulator_folder
from agentgen_bench.envs.sciworld.java import JVM, JavaError, start_jvm
from agentgen_bench.envs.sciworld.levels import Level
from agentgen_bench.envs.sciworld.seat import Answer, Listing, Seat, View

ATTEMPTS = 3

T = TypeVar("T")


class Simulator:
    """One episode in the simulator. Can be pickled and copied: the copy replays its actions when first used."""

    def __init__(self, level: Level, cells: int = 1) -> None:
        """Remember what to load; nothing starts before the first use. `cells`: how many loaders to spread over."""
        self.level: Level = level
        self.cells = cells
        self.actions: list[str] = []  # as sent, after the first "look around"
        self._seat: Seat | None = None
        self._listing: Listing | None = None  # of the present state, once asked

    def __getstate__(self) -> dict[str, object]:
        """Leave the JVM behind."""
        return {**self.__dict__, "_seat": None, "_listing": None}

    def start(self, level: Level) -> Answer:
        """Begin an episode of `level`; return the answer to the first "look around", which settles score and goals."""
        self.level, self.actions, self._listing = level, [], None
        return self._run(lambda seat: seat.load(level), restore=False)

    def step(self, action: str) -> Answer:
        """Send one action as it is: "0" answers a question of the simulator."""
        self._listing = None
        answer = self._run(lambda seat: seat.step(action))
        self.actions.append(action)
        return answer

    def look(self) -> str:
        """Return what the agent sees; changes nothing."""
        return self._run(lambda seat: str(seat.desk.look()))

    def inventory(self) -> str:
        """Return what the agent carries; changes nothing."""
        return self._run(lambda seat: str(seat.desk.inventory()))

    def view(self) -> View:
        """Return `look`, `inventory` and what `objects` and `commands` list, in one call; changes nothing."""
        view = self._run(lambda seat: seat.view())
        self._listing = view.listing
        return view

    def description(self) -> str:
        """Return the task in words."""
        return self._run(lambda seat: str(seat.desk.description()))

    def objects(self) -> list[str]:
        """Return a name that tells it from the others for each accessible object, sorted; changes nothing."""
        return list(self._listed().objects)

    def commands(self) -> list[str]:
        """Return the valid actions of at most one object, sorted, without `disconnect`; changes nothing."""
        return list(self._listed().commands)

    def _listed(self) -> Listing:
        if self._listing is None:
            self._listing = self._run(lambda seat: seat.listing())
        return self._listing

    def all_commands(self) -> list[str]:
        """Return every valid action, sorted, as the simulator lists them (1,556 on average, 50 ms)."""
        return self._run(lambda seat: seat.all_commands())

    def templates(self) -> list[str]:
        """Return what actions look like here, such as "open OBJ"."""
        return self._run(lambda seat: seat.templates())

    @property
    def reproducible(self) -> bool:
        """Whether this machine's Java makes equal actions give equal episodes."""
        return self._run(lambda seat: bool(seat.cell.jvm.reproducible))

    @property
    def seat(self) -> Seat:
        """Where the episode is being played, now that it was used."""
        return self._run(lambda seat: seat)

    def close(self) -> None:
        """Let go of the simulator's objects; the JVM stays for the others. A later call replays."""
        seat, self._seat = self._seat, None
        if seat is not None:
            seat.leave()
            jvm = seat.cell.jvm
            del seat  # the last name of the simulator's objects
            jvm.let_go()

    def _run(self, operation: Callable[[Seat], T], restore: bool = True) -> T:
        """Run `operation` in the simulator; where the JVM died, in a new one, unless told not to after a replay."""
        from py4j.protocol import Py4JNetworkError

        words = ""
        for _ in range(ATTEMPTS):
            seat = self._seat
            try:
                if seat is None or not seat.cell.jvm.is_alive():
                    seat = self._seat = Seat(shared_jvm().cell(self.cells))
                    if restore:
                        with seat.entered():
                            seat.replay(self.level, self.actions)
                with seat.entered():
                    return operation(seat)
            except Py4JNetworkError:
                if seat is not None:
                    words = seat.cell.jvm.last_words()
                    seat.cell.jvm.stop()
                self._seat = None
        raise JavaError(
            f"the JVM died {ATTEMPTS} times at the same place of {self.level}; it said: {words or 'nothing'}"
        )


class SharedJVM(JVM):
    """The JVM of this process with its cells."""

    def __init__(self, executable: str, working_directory: Path) -> None:
        super().__init__(executable, working_directory)
        self._cells: list[Cell] = []
        self._turns = itertools.count()

    def cell(self, count: int) -> Cell:
        """Return one of the first `count` cells, in turn, making those that are missing."""
        with _lock:
            while len(self._cells) < count:
                self._cells.append(Cell(self))
            return self._cells[next(self._turns) % count]


_lock = threading.RLock()
if hasattr(os, "register_at_fork"):
    # No fork falls into the start of a JVM by another thread: the child would wait for the lock for ever.
    os.register_at_fork(before=_lock.acquire, after_in_parent=_lock.release, after_in_child=_lock.release)
_shared: SharedJVM | None = None


def shared_jvm() -> SharedJVM:
    """Return the JVM of this process, started if there is none alive; a forked child gets its own."""
    global _shared
    with _lock:
        if _shared is None or not _shared.is_alive():
            _shared = start_jvm(SharedJVM, simulator_folder())
        return _shared
