"""Observations as sections. Lean: the feedback. Base: the official text. Rich: plus what the agent has seen so far."""

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache, partial
from typing import NamedTuple

from agentgen_bench.envs.alfworld import FAMILY, wording
from agentgen_bench.envs.alfworld.memory import Memory
from agentgen_bench.envs.alfworld.tasks import TASK_TYPES
from agentgen_bench.text import ENTRY, Richness, Section, Spans, named, starts_of

COMMANDS_HEADING = "Commands you can give now"
_STARTS = starts_of(word.name for word in FAMILY.actions.words)
_SENTENCE = re.compile(r".*?\.(?=\s|$)", re.DOTALL)


class Seen(NamedTuple):
    """What rich text adds to the game's own: the agent's memory, the commands, the steps that are left."""

    memory: Memory
    admissible: tuple[str, ...]
    steps_left: int


def task(task_type: str, object_type: str, destination: str, form: int) -> str:
    """Return the goal in words, the official sentence of a task type; `form` picks one of its two."""
    return TASK_TYPES[task_type].templates[form].format(obj=object_type.lower(), recep=destination.lower())


def sections(said: str, task: str, richness: Richness, seen: Seen | None, *, is_first: bool) -> tuple[Section, ...]:
    """Return the observation in parts, only those shown at `richness`.

    Args:
        said: the view of the room at first, later the feedback to a command.
        task: the goal in words.
        richness: how much is shown.
        seen: what rich text adds; None at the others.
        is_first: whether no command was given yet.
    """
    shown = _first(said, task) if is_first else _later(said, task, richness)
    if richness is Richness.LEAN:
        shown = tuple([section for section in shown if section.richness is Richness.LEAN])
    return shown if seen is None else (*shown, *_seen(*seen))


def _first(room: str, task: str) -> tuple[Section, ...]:
    """Return the official first observation: greeting, view of the room, task."""
    return (
        Section(wording.WELCOME, Richness.BASE, "state"),
        Section(room, Richness.LEAN, "state", feedback_spans),
        Section(f"\n\n{wording.task_text(task)}", Richness.BASE, "task"),
    )


def room_of(observation: str, task: str) -> str:
    """Return the view of the room in an official first observation, without greeting and task."""
    return observation.removeprefix(wording.WELCOME).removesuffix(f"\n\n{wording.task_text(task)}")


def _later(feedback: str, task: str, richness: Richness) -> tuple[Section, ...]:
    """Return the official observation after a command, its feedback; rich repeats the task below it."""
    shown = _feedback(feedback)
    if richness is not Richness.RICH:
        return shown
    return (*shown, Section(f"\n\n{wording.task_text(task)}", Richness.RICH, "task"))


@lru_cache(maxsize=4096)  # the game says the same again and again
def _feedback(text: str) -> tuple[Section, ...]:
    return (Section(text, Richness.LEAN, "state", feedback_spans),)


def _seen(memory: Memory, admissible: Iterable[str], steps_left: int) -> tuple[Section, ...]:
    """Return hand, memory, places not visited, commands, steps left."""
    hand = f"a {_described(memory, memory.held)}" if memory.held else "nothing"
    unvisited = [name for name in memory.receptacles if name not in memory.visited]
    remembered = "".join(
        f"\n- {name}{' (closed)' if name in memory.closed else ''}: {_things(memory, contents)}"
        for name, contents in memory.contents.items()
    )
    sealed = sorted(memory.closed - memory.contents.keys())
    shut = f"\nClosed, not looked into: {', '.join(sealed)}" if sealed else ""
    return (
        Section((f"\n\nYou are carrying: {hand}.", ENTRY), Richness.RICH, "state"),
        Section(f"\nSeen so far:{remembered or ' nothing'}{shut}", Richness.RICH, "history"),
        Section(f"\nNot visited yet: {', '.join(unvisited) or 'nothing'}", Richness.RICH, "history"),
        _commands(memory.shown(admissible)),
        Section(f"\nSteps left: {steps_left}", Richness.RICH, "state"),
    )


@lru_cache(maxsize=4096)
def feedback_spans(text: str) -> Spans:
    """Return the spans of a feedback, which is the official game's text: an entry may follow each sentence.

    Examples:
        >>> feedback_spans("You open the box 1. In it, you see nothing.")
        ('You open the box 1.', '', ' In it, you see nothing.', '')
    """
    if text.lstrip().startswith(wording.HELP_HEADING):
        return _help_spans(text)
    spans: list[str] = []
    end = 0
    for sentence in _SENTENCE.finditer(text):
        spans += [sentence[0], ENTRY]
        end = sentence.end()
    return (*spans, text[end:]) if end < len(text) else tuple(spans)


def _help_spans(text: str) -> Spans:
    """Return the spans of the official help, each of whose lines begins with a command."""
    spans: list[str] = []
    for line in text.splitlines(keepends=True):
        indent, command = ("  ", line[2:]) if line.startswith("  ") else ("", line)
        spans += [indent, named(command, _STARTS)] if indent else [line]
    return tuple(spans)


def _commands(commands: tuple[str, ...]) -> Section:
    text = f"\n{COMMANDS_HEADING}: {', '.join(commands)}"
    return Section(text, Richness.RICH, "hint", partial(_command_spans, commands))


def _command_spans(commands: tuple[str, ...], _text: str) -> Spans:
    spans = [f"\n{COMMANDS_HEADING}: "]
    for command in commands:
        spans += [_named(command), ", "]
    return tuple(spans[:-1] if commands else spans)


@lru_cache(maxsize=4096)
def _named(command: str) -> str:
    return named(command, _STARTS)


def _things(memory: Memory, names: Sequence[str]) -> str:
    return wording.things([_described(memory, name) for name in names] if memory.states else names)


def _described(memory: Memory, name: str) -> str:
    """Return the name with what the agent did to the object, such as `hot potato 1`."""
    return " ".join([*memory.states.get(name, []), name])
