"""Observations as sections. Lean: the feedback. Base: the official text. Rich: plus what the agent has seen so far."""

from collections.abc import Iterable

from agentgen_bench.envs.alfworld import wording
from agentgen_bench.envs.alfworld.memory import Memory
from agentgen_bench.text import Richness, Section


def first_sections(room: str, task: str) -> tuple[Section, ...]:
    """Return the official first observation in parts: greeting, view of the room, task."""
    return (
        Section(wording.WELCOME, Richness.BASE, "state"),
        Section(room, Richness.LEAN, "state"),
        Section(f"\n\n{wording.task_text(task)}", Richness.BASE, "task"),
    )


def room_of(observation: str, task: str) -> str:
    """Return the view of the room in an official first observation, without greeting and task."""
    return observation.removeprefix(wording.WELCOME).removesuffix(f"\n\n{wording.task_text(task)}")


def later_sections(feedback: str, task: str, richness: Richness) -> tuple[Section, ...]:
    """Return the official observation after a command, its feedback; rich repeats the task below it."""
    shown = (Section(feedback, Richness.LEAN, "state"),)
    if richness is not Richness.RICH:
        return shown
    return (*shown, Section(f"\n\n{wording.task_text(task)}", Richness.RICH, "task"))


def rich_sections(memory: Memory, admissible: Iterable[str], steps_left: int) -> tuple[Section, ...]:
    """Return what rich adds: hand, memory, places not visited, commands, steps left."""
    hand = f"a {_described(memory, memory.held)}" if memory.held else "nothing"
    unvisited = [name for name in memory.receptacles if name not in memory.visited]
    commands = ", ".join(command for command in admissible if memory.shows(command))
    remembered = "".join(
        f"\n- {name}{' (closed)' if name in memory.closed else ''}: {_things(memory, contents)}"
        for name, contents in memory.contents.items()
    )
    sealed = sorted(memory.closed - memory.contents.keys())
    shut = f"\nClosed, not looked into: {', '.join(sealed)}" if sealed else ""
    return (
        Section(f"\n\nYou are carrying: {hand}.", Richness.RICH, "state"),
        Section(f"\nSeen so far:{remembered or ' nothing'}{shut}", Richness.RICH, "history"),
        Section(f"\nNot visited yet: {', '.join(unvisited) or 'nothing'}", Richness.RICH, "history"),
        Section(f"\nCommands you can give now: {commands}", Richness.RICH, "hint"),
        Section(f"\nSteps left: {steps_left}", Richness.RICH, "state"),
    )


def _things(memory: Memory, names: Iterable[str]) -> str:
    return wording.things([_described(memory, name) for name in names])


def _described(memory: Memory, name: str) -> str:
    """Return the name with what the agent did to the object, such as `hot potato 1`."""
    return " ".join([*memory.states.get(name, []), name])
