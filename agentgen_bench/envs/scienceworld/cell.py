"""A class loader with a copy of the simulator in it, and what Python needs a handle on there.

What is global to the simulator (a random stream, a counter of object ids, the chosen simplifications, a cache of
paths) is global to its class loader. Who may be in a cell and when is not decided here: see `backend`.
"""

import threading
from importlib import metadata
from pathlib import Path
from typing import Any, Protocol

from agentgen_bench.envs.scienceworld.java import JVM
from agentgen_bench.errors import MissingDependencyError

SIMULATOR_VERSION = "1.2.3"  # 1.3.0 changes trajectories

# Actions of at most one object whose validity the simulator can tell for all visible objects in one pass. Left out:
# `disconnect`, which it accepts for everything.
ONE_OBJECT_ACTIONS = tuple(
    f"scienceworld.actions.Action{name}"
    for name in (
        "Activate CloseDoor Deactivate Eat Flush Focus LookAt LookIn Mix MoveThroughDoor OpenDoor "
        "PickUpObjectIntoInventory PutDownObjectIntoInventory Read"
    ).split()
)


class Occupant(Protocol):
    """Whose global state is in place; keeps its own count of object ids while it is not."""

    count: int


class Cell:
    """One isolated copy of the simulator's classes, and with it of their global state. One thread at a time."""

    def __init__(self, jvm: JVM) -> None:
        self.jvm = jvm
        self.lock = threading.RLock()
        self.occupant: Occupant | None = None
        self.gateway = jvm.connect()
        java = self.java = self.gateway.jvm.java
        jar = java.io.File(str(simulator_folder() / "scienceworld.jar")).toURI().toURL()
        platform = java.lang.ClassLoader.getPlatformClassLoader()
        self.loader = java.net.URLClassLoader(self.array(java.net.URL, [jar]), platform)
        self.random = self.module("scala.util.Random")
        self.random_field = self.loader.loadClass("scala.util.Random").getDeclaredField("self")
        self.random_field.setAccessible(True)
        self.throwaway = java.util.Random()
        self.identifiers = self.module("util.UniqueIdentifier")
        self.set_count = getattr(self.identifiers, "count_$eq")
        self.simplifier = self.module("main.scala.scienceworld.runtime.SimplifierProcessor")
        self.paths = self.module("scienceworld.goldagent.PathFinder")
        self.parser = self.module("scienceworld.input.InputParser")
        self.object_tag = self.module("scala.reflect.ClassTag").apply(
            self.loader.loadClass("scienceworld.struct.EnvObject")
        )
        interface = self.loader.loadClass("scienceworld.runtime.pythonapi.PythonInterface")
        self.interface_constructor = interface.getConstructor(self.array(java.lang.Class, []))
        self.add_commands, self.worded = _command_handles(self)

    def module(self, name: str) -> Any:
        """Return the Scala object of that name."""
        return self.loader.loadClass(f"{name}$").getField("MODULE$").get(None)

    def array(self, kind: Any, items: list[Any]) -> Any:
        """Return a Java array of `kind`."""
        array = self.gateway.new_array(kind, len(items))
        for i, item in enumerate(items):
            array[i] = item
        return array

    def vacate(self) -> None:
        """Save what the occupant needs back; from here on nobody's state is in place."""
        if self.occupant is not None:
            self.occupant.count = self.identifiers.count()
        self.occupant = None

    def strings(self, java_list: Any) -> list[str]:
        """Return a Java list of strings, fetched in one round trip."""
        text = str(self.java.lang.String.join("\n", java_list))
        return text.split("\n") if text else []


def _command_handles(cell: Cell) -> tuple[Any, Any]:
    """Return a handle (list, agent, objects, names) -> void that adds the valid actions to the list, and their wording.

    A chain of method handles inside the JVM: fetched one by one, 14 generators and some 100 actions would cost more
    round trips than a step.
    """
    lang = cell.java.lang
    handles, lookup = lang.invoke.MethodHandles, lang.invoke.MethodHandles.publicLookup()

    def signature(result: Any, *parameters: Any) -> Any:
        return lang.invoke.MethodType.methodType(result, cell.array(lang.Class, list(parameters)))

    collection, items = lang.Class.forName("java.util.Collection"), lang.Class.forName("[Ljava.lang.Object;")
    thing = cell.loader.loadClass("scienceworld.struct.EnvObject")
    things = lang.reflect.Array.newInstance(thing, 0).getClass()
    names = cell.loader.loadClass("scala.collection.immutable.Map")
    utilities = lang.Class.forName("java.util.Collections")
    add_all = lookup.findStatic(utilities, "addAll", signature(lang.Boolean.TYPE, collection, items)).asFixedArity()
    chain = None
    for name in ONE_OBJECT_ACTIONS:
        action = cell.module(name)
        method = next(m for m in action.getClass().getMethods() if m.getName() == "generatePossibleValidActions")
        generate = lookup.unreflect(method).bindTo(action).asType(signature(items, thing, things, names))
        add = handles.collectArguments(add_all, 1, generate)
        add = add.asType(signature(lang.Void.TYPE, collection, thing, things, names))
        chain = add if chain is None else handles.foldArguments(add, chain)
    possible_action = cell.loader.loadClass("scienceworld.actions.PossibleAction")
    to_text = lookup.findVirtual(
        possible_action, "mkHumanReadableStr", signature(lang.Class.forName("java.lang.String"))
    )
    operator = lang.Class.forName("java.util.function.UnaryOperator")
    return chain, lang.invoke.MethodHandleProxies.asInterfaceInstance(operator, to_text)


def simulator_folder() -> Path:
    """Return where scienceworld is installed; raises MissingDependencyError for any version but the pinned one."""
    try:
        package = metadata.distribution("scienceworld")
    except metadata.PackageNotFoundError:
        package = None
    if package is None or package.version != SIMULATOR_VERSION:
        found = "none is installed" if package is None else f"found {package.version}"
        raise MissingDependencyError(
            f"SciWorld needs scienceworld {SIMULATOR_VERSION} exactly, {found}; "
            f"install it with: pip install scienceworld=={SIMULATOR_VERSION}"
        )
    return Path(str(package.locate_file("scienceworld")))
