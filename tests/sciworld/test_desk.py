"""What our Java does in the simulator's place is the same: levels loaded, actions read, commands listed."""

import random
import re
import shutil
import subprocess

import pytest

from agentgen_bench.envs.sciworld.backend import shared_jvm
from agentgen_bench.envs.sciworld.cell import DESK, simulator_folder
from agentgen_bench.envs.sciworld.gold import gold_path
from agentgen_bench.envs.sciworld.levels import Level, level_order
from agentgen_bench.envs.sciworld.registration import MAKERS, registration
from agentgen_bench.envs.sciworld.seat import Seat
from agentgen_bench.envs.sciworld.settings import TASKS, simplifications, task_named
from agentgen_bench.errors import SpecError

COMMANDS = (
    "Activate CloseDoor Deactivate Eat Flush Focus LookAt LookIn Mix MoveThroughDoor OpenDoor "
    "PickUpObjectIntoInventory PutDownObjectIntoInventory Read"
).split()
slow = pytest.mark.slow
ODD = (
    "wait",
    "0",
    "xyzzy",
    "go the  KITCHEN",
    "move",
    "teleport",
    "teleport to kitchen",
    "look in a door",
    "pour x in",
)


class StockSeat(Seat):
    """A seat whose levels are loaded, and whose actions are read, by the simulator's own interface."""

    def load(self, level):
        self.interface = self.cell.new("scienceworld.runtime.pythonapi.PythonInterface")
        self.interface.load(*level, False)
        self.desk.adopt(self.interface.agentInterface().get(), level.simplifications)
        return self.step("look around")

    def listing(self):
        """Return what `Seat.listing` does, from the simulator's own functions, one by one."""
        agent_interface, agent = self.interface.agentInterface().get(), self.interface.agent().get()
        parser = self.cell.module("scienceworld.input.InputParser")
        tag = self.cell.module("scala.reflect.ClassTag").apply(
            self.cell.loader.loadClass("scienceworld.struct.EnvObject")
        )
        room = agent_interface.getAgentVisibleObjects(False)._2()
        found = parser.collectAccessibleObjects(room, False)
        getattr(found, "$plus$plus$eq")(parser.collectAccessibleObjects(agent, False))
        objects = found.toArray(tag)
        stream = stream_of(self.cell)
        before = stream.get(self.cell.module("scala.util.Random"))
        stream.set(self.cell.module("scala.util.Random"), self.cell.java.util.Random(0))
        names = agent_interface.inputParser().getAllUniqueReferentsLUTObjList(objects, room, True, True)
        actions = [
            action.mkHumanReadableStr()
            for name in COMMANDS
            for action in self.cell.module(f"scienceworld.actions.Action{name}").generatePossibleValidActions(
                agent, objects, names
            )
        ]
        stream.set(self.cell.module("scala.util.Random"), before)
        return tuple(sorted(names.values().mkString("\n").split("\n"))), tuple(sorted(set(actions)))


def stream_of(cell):
    field = cell.loader.loadClass("scala.util.Random").getDeclaredField("self")
    field.setAccessible(True)
    return field


def world(seat):
    """Return all there is: the tree of objects, the next object id, the next random number."""
    agent = seat.cell.loader.loadClass("Desk").getDeclaredField("agent")
    agent.setAccessible(True)
    random_numbers = seat.cell.module("scala.util.Random")
    with seat.entered():
        tree = agent.get(seat.desk).universe().toJSON()
        return tree, seat.cell.module("util.UniqueIdentifier").count(), random_numbers.nextLong()


@pytest.fixture
def seats():
    cell = shared_jvm().cell(1)
    pair = Seat(cell), StockSeat(cell)
    yield pair
    for seat in pair:
        seat.leave()


def of_both(seats, ask):
    """Return what two seats answer, each with its global state in place."""
    answers = []
    for seat in seats:
        with seat.entered():
            answers.append(ask(seat))
    return answers


def assert_the_same_worlds(seats, levels):
    for level in levels:
        ours, stock = of_both(seats, lambda seat, level=level: seat.load(level))
        assert ours == stock, level
        assert world(seats[0]) == world(seats[1]), level


def a_variation(task, draw):
    return Level(task, draw.randrange(task_named(task).n_variations), draw.choice(("", "openDoors,teleportAction")))


def test_a_level_of_each_maker_of_tasks_is_loaded_as_the_simulator_loads_it(seats):
    draw = random.Random(0)
    assert_the_same_worlds(seats, [a_variation(draw.choice(maker.tasks), draw) for maker in MAKERS])


@slow
def test_twelve_levels_of_each_task_are_loaded_as_the_simulator_loads_them(seats):
    draw = random.Random(1)
    assert_the_same_worlds(seats, [a_variation(task.name, draw) for task in TASKS for _ in range(12)])


@pytest.mark.parametrize(
    ("task", "eased"),
    [("4-1", False), ("2-1", True), ("3-2", False), *(pytest.param(t.id, False, marks=slow) for t in TASKS)],
)
def test_actions_are_read_and_listed_as_the_simulator_reads_and_lists_them(seats, task, eased):
    draw = random.Random(task)
    named = task_named(task)
    level = Level(named.name, named.n_variations - 2, simplifications(named, "easy" if eased else "hard", None))
    ours, stock = of_both(seats, lambda seat: seat.load(level))
    for i in range(18):
        ours, stock = of_both(seats, lambda seat: tuple(seat.listing()))
        assert ours == stock
        pool = seats[0].all_commands() if i % 3 == 0 else ours[1]
        action = ODD[i // 3] if i % 3 == 1 else draw.choice([c for c in pool if not c.startswith("focus")])
        ours, stock = of_both(seats, lambda seat, action=action: seat.step(action))
        assert ours == stock, action
    assert world(seats[0]) == world(seats[1])


def goals_met(seat):
    """Return of each goal, in order, the simulator's kind and whether it is met."""
    agent = seat.cell.loader.loadClass("Desk").getDeclaredField("agent")
    agent.setAccessible(True)
    lines = agent.get(seat.desk).task().goalSequence().getProgressString().split("\n")
    cells = [line.split("\t") for line in lines if line.count("\t") >= 3]
    return [(kind.strip(), met == "true") for _, met, kind, *_ in cells]


@pytest.mark.parametrize(
    ("task", "quick"),
    [
        ("5-2", {"GoalLifeStageAnywhere", "GoalSpecificObjectInDirectContainer"}),
        ("9-1", {"GoalActivateDeviceWithName", "GoalDeactivateDeviceWithName", "GoalSpecificObjectInDirectContainer"}),
        *(pytest.param(t.id, set(), marks=slow) for t in TASKS if t.group == "long"),
    ],
)
def test_goals_are_met_when_the_simulators_are(seats, task, quick):
    named = task_named(task)
    level = Level(*level_order("hard", "test", named.name)[0], simplifications(named, "hard", None))
    path = gold_path(level).actions
    of_both(seats, lambda seat: seat.load(level))
    for action in path:
        ours, stock = of_both(seats, lambda seat, action=action: seat.step(action))
        assert ours == stock, action
    ours, stock = of_both(seats, goals_met)
    assert [met for _, met in ours] == [met for _, met in stock]
    assert quick <= {kind for kind, met in stock if met}
    assert not quick & {kind for kind, _ in ours}  # or nothing was compared
    assert world(seats[0]) == world(seats[1])


def test_one_call_shows_what_three_do_and_changes_nothing(seats):
    named = task_named("2-1")
    level = Level(named.name, 3, simplifications(named, "easy", None))
    of_both(seats[:1], lambda seat: seat.load(level))
    for action in ("open cupboard", "pick up thermometer", "xyzzy"):
        of_both(seats[:1], lambda seat, action=action: seat.step(action))
        before = world(seats[0])
        (one,) = of_both(seats[:1], lambda seat: seat.view())
        (three,) = of_both(seats[:1], lambda seat: (seat.desk.look(), seat.desk.inventory(), seat.listing()))
        assert one == three
        assert world(seats[0])[:2] == before[:2]


def test_the_makers_have_all_tasks_once():
    assert sorted(name for maker in MAKERS for name in maker.tasks) == sorted(task.name for task in TASKS)


def test_an_unknown_task_is_refused_by_name():
    with pytest.raises(SpecError, match=r"cannot load .*Unknown task \(knit\)"):
        registration(Level("knit", 0, ""))


def test_the_class_files_are_those_of_the_sources(tmp_path):
    """By the compiler they were made with (17); another's may differ in form."""
    javac = shutil.which("javac")
    if javac is None or not re.match(
        r"javac 17\b", subprocess.run([javac, "-version"], capture_output=True, text=True).stdout
    ):
        pytest.skip("needs javac 17")
    jar = simulator_folder() / "scienceworld.jar"
    sources = sorted(DESK.glob("*.java"))
    command = [javac, "--release", "11", "-g:none", "-cp", jar, "-d", tmp_path, *sources]
    subprocess.run(command, check=True, capture_output=True)
    made = {path.name: path.read_bytes() for path in tmp_path.glob("*.class")}
    assert made == {path.name: path.read_bytes() for path in DESK.glob("*.class")}
