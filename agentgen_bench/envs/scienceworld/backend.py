"""Drive scienceworld 1.2.3's own simulator in one shared JVM: episodes that repeat exactly, and survive the JVM.

The simulator keeps state that is global to its class loader: a random stream, a counter of object ids, the chosen
simplifications, a cache of paths. A `Cell` (see `cell`) is such a loader; each `Simulator` has a seat in one, which
puts its own state in place on entry. What only asks (`objects`, `commands`) runs under a throwaway random stream: the
simulator's own queries would change what happens next. Not covered: text, reward, levels.
"""

import itertools
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from agentgen_bench.envs.scienceworld.cell import Cell, simulator_folder
from agentgen_bench.envs.scienceworld.gold import GoldPath
from agentgen_bench.envs.scienceworld.java import JVM, JavaError, start_jvm
from agentgen_bench.envs.scienceworld.levels import Level
from agentgen_bench.errors import SpecError

NO_MATCH = "No known action matches that input."
AMBIGUOUS = "Ambiguous request: "
UNKNOWN = "Unknown action. Type 'help' for a list of actions, and 'objects' for a list of possible object referents. "
ATTEMPTS = 3
PLAN_TIMEOUT_S = 300.0
GOLD_ATTEMPTS = 4

T = TypeVar("T")


class Answer(NamedTuple):
    """What the simulator said to one action.

    Attributes:
        feedback: its text, as it stands.
        score: -100 to 100; negative once the wrong thing was focused on.
        completed: whether every goal of the task is met.
        accepted: whether its parser understood the action; otherwise nothing changed.
        choices: how many readings the simulator asks to choose from; 0 when it asks nothing.
    """

    feedback: str
    score: int
    completed: bool
    accepted: bool
    choices: int = 0


class Simulator:
    """One episode in the simulator. Can be pickled and copied: the copy replays its actions when first used."""

    def __init__(self, level: Level, cells: int = 1) -> None:
        """Remember what to load; nothing starts before the first use. `cells`: how many loaders to spread over."""
        self.level = level
        self.cells = cells
        self.actions: list[str] = []  # as sent, after the first "look around"
        self._seat: _Seat | None = None

    def __getstate__(self) -> dict[str, Any]:
        """Leave the JVM behind."""
        return {**self.__dict__, "_seat": None}

    def start(self, level: Level) -> Answer:
        """Begin an episode of `level`; return the answer to the first "look around", which settles score and goals."""
        self.level, self.actions = level, []
        return self._run(lambda seat: seat.load(level))

    def step(self, action: str) -> Answer:
        """Send one action as it is: "0" answers a question of the simulator."""
        answer = self._run(lambda seat: seat.step(action))
        self.actions.append(action)
        return answer

    def look(self) -> str:
        """Return what the agent sees; changes nothing."""
        return self._run(lambda seat: str(seat.interface.freeActionLook()))

    def inventory(self) -> str:
        """Return what the agent carries; changes nothing."""
        return self._run(lambda seat: str(seat.interface.freeActionInventory()))

    def description(self) -> str:
        """Return the task in words."""
        return self._run(lambda seat: str(seat.interface.getTaskDescription()))

    def objects(self) -> list[str]:
        """Return a name that tells it from the others for each accessible object, sorted; changes nothing."""
        return self._run(lambda seat: seat.objects())

    def commands(self) -> list[str]:
        """Return the valid actions of at most one object, sorted, without `disconnect`; changes nothing."""
        return self._run(lambda seat: seat.commands())

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
    def seat(self) -> "_Seat":
        """Where the episode is being played, now that it was used."""
        return self._run(lambda seat: seat)

    def close(self) -> None:
        """Let go of the simulator's objects; the JVM stays for the others. A later call replays."""
        if self._seat is not None:
            self._seat.leave()
        self._seat = None

    def _run(self, operation: "Callable[[_Seat], T]") -> T:
        """Run `operation` in the simulator; where the JVM died, in a new one after replaying the episode."""
        from py4j.protocol import Py4JNetworkError

        words = ""
        for _ in range(ATTEMPTS):
            seat = self._seat
            try:
                if seat is None or not seat.cell.jvm.is_alive():
                    seat = self._seat = _Seat(shared_jvm().cell(self.cells))
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


def generate_gold(level: Level) -> GoldPath:
    """Return a path that solves the level, verified by replay, cut where it completes (0.5 to 8 s of CPU).

    The simulator's gold path where that reaches 100. It was found in a run that drew other random numbers than its
    replay does, so it sometimes does not (a cross of plants that turns out otherwise); then the solver is asked again
    after a tick of waiting, after two, and so on. The best of all is returned.
    """
    found = []
    for ticks in range(GOLD_ATTEMPTS):
        waits = ("wait1",) * ticks
        found.append(_verified(level, (*waits, *plan_from(level, waits)) if ticks else _own_gold(level)))
        if found[-1].score == 100:
            break
    return max(found, key=lambda path: path.score)


def _own_gold(level: Level) -> list[str]:
    simulator = Simulator(level)
    actions = simulator._run(lambda seat: seat.gold(level))
    simulator.close()
    return actions


def _verified(level: Level, actions: Sequence[str]) -> GoldPath:
    simulator = Simulator(level)
    answer = simulator.start(level)
    length = 0
    for action in actions:
        if answer.completed or answer.score < 0:
            break
        answer = simulator.step(action)
        length += 1
    simulator.close()
    return GoldPath(tuple(actions[:length]), answer.score)


def plan_from(level: Level, actions: Sequence[str]) -> tuple[str, ...]:
    """Ask the simulator's solver for the actions from the state that `actions` lead to; () where it finds none.

    The solver was not written for such states: it may fail, end the JVM or never return. A JVM that ends, or is ended
    after `PLAN_TIMEOUT_S`, is replaced, and the episodes in it go on by replay.
    """
    from py4j.protocol import Py4JJavaError, Py4JNetworkError

    simulator = Simulator(level)
    simulator.actions = list(actions)
    simulator.look()  # replays
    seat = simulator.seat
    watchdog = threading.Timer(PLAN_TIMEOUT_S, seat.cell.jvm.stop)
    watchdog.daemon = True
    watchdog.start()
    try:
        with seat.entered():
            return tuple(seat.plan(level))
    except (Py4JJavaError, Py4JNetworkError):
        return ()
    finally:
        watchdog.cancel()
        simulator.close()


class SharedJVM(JVM):
    """The JVM of this process with its cells."""

    def __init__(self, executable: str, working_directory: Path) -> None:
        super().__init__(executable, working_directory)
        self._cells: list[Cell] = []
        self._turns = itertools.count()

    def cell(self, count: int) -> "Cell":
        """Return one of the first `count` cells, in turn, making those that are missing."""
        with _lock:
            while len(self._cells) < count:
                self._cells.append(Cell(self))
            return self._cells[next(self._turns) % count]


_lock = threading.RLock()
_shared: SharedJVM | None = None


def shared_jvm() -> SharedJVM:
    """Return the JVM of this process, started if there is none alive; a forked child gets its own."""
    global _shared
    with _lock:
        if _shared is None or not _shared.is_alive():
            _shared = start_jvm(SharedJVM, simulator_folder())
        return _shared


class _Seat:
    """A simulator object in a cell, with the global state that belongs to it."""

    def __init__(self, cell: Cell) -> None:
        self.cell = cell
        with cell.lock:
            cell.vacate()
            self.random = cell.java.util.Random(0)
            cell.random_field.set(cell.random, self.random)
            self.interface = cell.interface_constructor.newInstance(cell.array(cell.java.lang.Object, []))
        self.count = 0
        self.used_simplifications = ""
        self.agent_interface: Any = None
        self.agent: Any = None

    @contextmanager
    def entered(self) -> Iterator[None]:
        """Hold the cell with this simulator's global state in place."""
        cell = self.cell
        with cell.lock:
            if cell.occupant is not self:
                cell.vacate()
                cell.random_field.set(cell.random, self.random)
                cell.set_count(self.count)
                cell.simplifier.parseSimplificationStr(self.used_simplifications)
                cell.occupant = self
            yield

    @contextmanager
    def guarded(self) -> Iterator[None]:
        """Let what is asked draw from a throwaway stream, always the same one."""
        cell = self.cell
        cell.throwaway.setSeed(0)
        cell.random_field.set(cell.random, cell.throwaway)
        try:
            yield
        finally:
            if cell.jvm.is_alive():
                cell.random_field.set(cell.random, self.random)

    def leave(self) -> None:
        """Give the place up."""
        with self.cell.lock:
            if self.cell.occupant is self:
                self.cell.occupant = None

    def load(self, level: Level) -> Answer:
        """Load a level and look around once: before a real step, score and completion are the last episode's."""
        error = str(self.interface.load(level.task, level.variation, level.simplifications, False))
        if error:
            raise SpecError(f"the simulator cannot load {level}: {error}")
        self.used_simplifications = level.simplifications
        self.agent_interface = self.interface.agentInterface().get()
        self.agent = self.interface.agent().get()
        return self.step("look around")

    def replay(self, level: Level, actions: list[str]) -> None:
        """Bring a fresh simulator to where an episode was."""
        self.load(level)
        for action in actions:
            self.step(action)

    def step(self, action: str) -> Answer:
        """Execute one action. Not through the stock `step`, which looks and lists names besides, for its log."""
        from py4j.protocol import Py4JJavaError

        command = action.strip().lower()
        if command in ("help", "objects", "task"):  # answered outside the world by the stock `step`, too
            return self._aside(command)
        try:
            outcome = self.agent_interface.step(action)
            feedback, score, completed = str(outcome._1()), round(100 * outcome._2()), bool(outcome._3())
        except Py4JJavaError as error:
            return Answer(f"ERROR: {error.java_exception.getClass().getName()}", *self._standing(), accepted=False)
        if feedback.startswith(AMBIGUOUS):
            choices = self.agent_interface.inputParser().getNumAmbiguousMatches()
            return Answer(feedback, score, completed, accepted=True, choices=choices)
        return Answer(feedback or UNKNOWN, score, completed, accepted=feedback != NO_MATCH)

    def _aside(self, command: str) -> Answer:
        with self.guarded():
            feedback = str(self.interface.step(command))
        choices = self.agent_interface.inputParser().getNumAmbiguousMatches()
        return Answer(feedback, *self._standing(), accepted=True, choices=choices)

    def _standing(self) -> tuple[int, bool]:
        goals = self.agent_interface.task().goalSequence()
        return round(100 * goals.score()), bool(goals.isCompleted())

    def _accessible(self) -> tuple[Any, Any]:
        """Return the objects here and in the inventory (those the parser knows), and a map of ids to unique names."""
        cell = self.cell
        room = self.agent_interface.getAgentVisibleObjects(False)._2()
        found = cell.parser.collectAccessibleObjects(room, False)
        getattr(found, "$plus$plus$eq")(cell.parser.collectAccessibleObjects(self.agent, False))
        objects = found.toArray(cell.object_tag)
        names = self.agent_interface.inputParser().getAllUniqueReferentsLUTObjList(objects, room, True, True)
        return objects, names

    def objects(self) -> list[str]:
        with self.guarded():
            _, names = self._accessible()
            return sorted(str(names.values().mkString("\n")).split("\n"))

    def commands(self) -> list[str]:
        with self.guarded():
            objects, names = self._accessible()
            found = self.cell.java.util.ArrayList()
            arguments = self.cell.array(self.cell.java.lang.Object, [found, self.agent, objects, names])
            self.cell.add_commands.invokeWithArguments(arguments)
            found.replaceAll(self.cell.worded)
            return sorted(set(self.cell.strings(found)))

    def all_commands(self) -> list[str]:
        with self.guarded():
            return sorted(set(self.cell.strings(self.interface.getValidActionObjectCombinations())))

    def templates(self) -> list[str]:
        return self.cell.strings(self.interface.getPossibleActions())

    def gold(self, level: Level) -> list[str]:
        """Return the simulator's solution; leaves this seat in no usable state but that of a fresh load."""
        self.cell.paths.precomputedExhaustivePaths().clear()
        self.interface.load(level.task, level.variation, level.simplifications, True)
        return self.cell.strings(self.interface.getGoldActionSequence())

    def plan(self, level: Level) -> list[str]:
        """Return the solver's actions from the present state; spends the seat, for it plays them."""
        self.cell.paths.precomputedExhaustivePaths().clear()
        solution = self.interface.taskMaker().createGoldActions(level.task, level.variation, self.interface)
        return list(solution._1())
