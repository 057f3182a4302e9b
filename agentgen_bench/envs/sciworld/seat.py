"""A place in a cell: one episode's objects in the JVM, and its global state put in place on entry.

What is asked runs in `desk/Desk.java`, a call a question. Not covered: what happens when the JVM dies (`backend`).
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from agentgen_bench.envs.sciworld.cell import Cell
from agentgen_bench.envs.sciworld.levels import Level
from agentgen_bench.envs.sciworld.phrases import phrases
from agentgen_bench.envs.sciworld.registration import IDS, registration
from agentgen_bench.errors import SpecError
from agentgen_bench.spaces import is_encodable

PART = "\n\x1e\n"  # between the lists of a listing


class Answer(NamedTuple):
    """What the simulator said to one action.

    Attributes:
        feedback: its text, as it stands.
        score: -100 to 100; negative once the wrong thing was focused on.
        completed: whether every goal of the task is met.
        accepted: whether its parser understood the action; otherwise nothing changed, but that an open question of
            the simulator is closed.
        choices: how many readings the simulator asks to choose from; 0 when it asks nothing.
    """

    feedback: str
    score: int
    completed: bool
    accepted: bool
    choices: int = 0


class Listing(NamedTuple):
    """What can be named and done: unique names of the objects within reach; valid actions of at most one object."""

    objects: tuple[str, ...]
    commands: tuple[str, ...]


class View(NamedTuple):
    """What the agent sees, carries, can name and do."""

    look: str
    inventory: str
    listing: Listing


class Seat:
    """A simulator object in a cell, with the global state that belongs to it."""

    def __init__(self, cell: Cell) -> None:
        self.cell = cell
        with cell.lock:
            self.desk: Any = cell.new("Desk")

    @contextmanager
    def entered(self) -> Iterator[None]:
        """Hold the cell with this simulator's global state in place."""
        cell = self.cell
        with cell.lock:
            if cell.occupant is not self.desk:
                self.desk.enter(cell.occupant)
                cell.occupant = self.desk
            yield

    def leave(self) -> None:
        """Give the place up. A forked child has none, and its copy of the lock may never be let go of."""
        if not self.cell.jvm.is_alive():
            return
        with self.cell.lock:
            if self.cell.occupant is self.desk:
                self.cell.occupant = None

    def load(self, level: Level) -> Answer:
        """Load a level and look around once: before a real step, goals that hold at once are not noticed."""
        family, ids_before, seed = registration(level)
        error = str(self.desk.load(*level, self.cell.maker, family, ids_before, IDS, seed))
        if error:
            raise SpecError(f"the simulator cannot load {level}: {error}")
        return self.step("look around")

    def replay(self, level: Level, actions: list[str]) -> None:
        """Bring a fresh simulator to where an episode was."""
        self.load(level)
        for action in actions:
            self.step(action)

    def step(self, action: str) -> Answer:
        """Execute one action; one that is no Unicode text (half a surrogate pair) is sent as a blank."""
        from py4j.protocol import Py4JJavaError

        action = action if is_encodable(action) else ""
        command = action.strip().lower()
        if command in ("help", "objects", "task"):  # answered outside the world by the stock `step`, too
            return _answer(self.desk.standing())._replace(feedback=self._aside(command))
        try:
            answer = _answer(self.desk.step(action))
        except Py4JJavaError as error:
            feedback = f"ERROR: {error.java_exception.getClass().getName()}"
            return _answer(self.desk.standing())._replace(feedback=feedback, accepted=False, choices=0)
        said = phrases()
        if answer.feedback.startswith(said.ambiguous):
            return answer
        accepted = answer.feedback not in ("", said.no_match)
        return answer._replace(feedback=answer.feedback or said.unknown, accepted=accepted, choices=0)

    def _aside(self, command: str) -> str:
        if command == "task":
            return f"{phrases().task}{self.desk.description()}"
        if command == "help":
            return "\n\t".join([phrases().actions.rstrip("\n\t"), *self.templates()])
        return "\n\t".join([phrases().objects.rstrip("\n\t"), *_lines(self.desk.visible())])

    def listing(self) -> Listing:
        """Return what can be named and done in the present state; changes nothing."""
        return _listing(str(self.desk.listing()))

    def view(self) -> View:
        """Return what is seen, carried, and `listing`, in one call; changes nothing."""
        look, inventory, listing = str(self.desk.view()).split(PART, 2)
        return View(look, inventory, _listing(listing))

    def all_commands(self) -> list[str]:
        """Return every valid action as the simulator lists them, sorted; changes nothing."""
        return sorted(set(_lines(self.desk.allCommands())))

    def templates(self) -> list[str]:
        """Return what actions look like."""
        return _lines(self.desk.templates())

    def gold(self, level: Level) -> list[str]:
        """Return the simulator's solution; leaves this seat in no usable state but that of a fresh load."""
        interface = self._interface(level, with_gold=True)
        return list(interface.getGoldActionSequence())

    def plan(self, level: Level, actions: list[str]) -> list[str]:
        """Return the solver's actions from where `actions` lead to; spends the seat, for it plays them."""
        interface = self._interface(level, with_gold=False)
        self.desk.adopt(interface.agentInterface().get(), level.simplifications)
        for action in ("look around", *actions):
            self.step(action)
        solution = interface.taskMaker().createGoldActions(level.task, level.variation, interface)
        return list(solution._1())

    def _interface(self, level: Level, with_gold: bool) -> Any:
        """Return the simulator's own interface, which its solver needs, with a level loaded."""
        self.cell.module("scienceworld.goldagent.PathFinder").precomputedExhaustivePaths().clear()
        interface = self.cell.new("scienceworld.runtime.pythonapi.PythonInterface")
        interface.load(*level, with_gold)
        return interface


def _answer(text: str) -> Answer:
    """Read what the desk returns: score, completion and choices in lines, then the feedback."""
    score, completed, choices, feedback = str(text).split("\n", 3)
    return Answer(feedback, round(100 * float(score)), completed == "true", accepted=True, choices=int(choices))


def _listing(text: str) -> Listing:
    objects, commands = text.split(PART[:-1])
    return Listing(tuple(sorted(_lines(objects))), tuple(sorted(set(_lines(commands[1:])))))


def _lines(text: Any) -> list[str]:
    """Return the lines of a text; none of an empty one."""
    return str(text).split("\n") if text else []
