"""The words of a SciWorld observation. The simulator's own texts stand as they are; ours are headings and lists.

Lean is what the simulator answered. Base adds what can be seen and what is carried; rich adds the actions of the
task, the objects within reach and the last look of the two other rooms seen last. Goal progress is never shown.

Which parts of the simulator's text name actions, and where a list of what one sees may have another entry, is read off
it here: its words and its tabs.
"""

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

from agentgen_bench.envs.paraphrasing import paraphrased
from agentgen_bench.envs.sciworld import FAMILY
from agentgen_bench.envs.sciworld.paraphrases import FORMS
from agentgen_bench.text import ENTRY, Command, Richness, Section, Spans, named, starts_of

REMEMBERED_ROOMS = 2
REFUSED_ACTION = "reset task"  # would take back a failure; the simulator lists it, we do not
ACTIONS_HEADING = "Actions (OBJ is an object)"
_ROOM = re.compile(r"called the (.+?)\.")
_STARTS = starts_of(word.name for word in FAMILY.actions.words)
_FOCUS = "focus on"  # the one action that tasks name
_NAMED_IN_TASKS = re.compile(rf"\b{_FOCUS}\b", re.IGNORECASE)
_TASK, _MENU, _INVENTORY = "Your task is", "Ambiguous request", "In your inventory"  # how answers begin


def room_name(look: str) -> str:
    """Return the name of the room a look describes, or the look's first line where it names none.

    Examples:
        >>> room_name("This outside location is called the outside. Here you see: ")
        'outside'
    """
    match = _ROOM.search(look)
    return match[1] if match else look.partition("\n")[0]


def remembered(memory: dict[str, str], look: str) -> dict[str, str]:
    """Return the memory with a look added as the latest; the last look of each room, oldest first."""
    name = room_name(look)
    return {**{room: text for room, text in memory.items() if room != name}, name: look}


class View(NamedTuple):
    """What base adds to the answer: what can be seen, and what is carried."""

    look: str
    inventory: str


class Nearby(NamedTuple):
    """What rich adds: the actions of the task, the objects within reach, the last look of each room."""

    templates: Sequence[str]
    objects: Sequence[str]
    memory: dict[str, str]


def task(described: str, paraphrase: int, level_id: str) -> str:
    """Return the goal in words: the simulator's own, or those that `paraphrase` (from 1) and the level choose."""
    return paraphrased(FORMS, described, paraphrase, "sciworld", level_id)


def sections(task: str | None, answer: str, view: View | None, nearby: Nearby | None) -> tuple[Section, ...]:
    """Return the observation in parts: those of lean, and of base and rich what is given.

    Args:
        task: the goal in words, on the first observation only.
        answer: what the simulator said.
        view: None at lean.
        nearby: None at lean and base.
    """
    found = _answer(task, answer)
    found += [] if view is None else _view(answer, view)
    found += [] if nearby is None else _nearby(nearby)
    return tuple(found)


def _answer(task: str | None, feedback: str) -> list[Section]:
    heading = [Section(f"{task}\n\n", Richness.LEAN, "task", task_spans)] if task is not None else []
    return [*heading, Section(feedback, Richness.LEAN, "state", answer_spans)]


def _view(feedback: str, view: View) -> list[Section]:
    """Return what is seen and carried, each left out where the answer has just said it."""
    texts = [text.rstrip() for text in view if text.strip() != feedback.strip()]
    return [Section(f"\n\n{text}", Richness.BASE, "state", list_spans) for text in texts]


def _nearby(nearby: Nearby) -> list[Section]:
    """Return the actions, the objects within reach, and the rooms remembered (the room one is in comes last)."""
    shown = [template for template in nearby.templates if template != REFUSED_ACTION]
    found = [
        Section((f"\n\n{ACTIONS_HEADING}: ", *_listed(tuple(shown))), Richness.RICH, "hint"),
        Section(f"\n\nObjects within reach: {', '.join(nearby.objects)}", Richness.RICH, "state"),
    ]
    elsewhere = list(nearby.memory.items())[-1 - REMEMBERED_ROOMS : -1]
    found += [
        Section(f"\n\nThe {room}, when you last saw it:\n{look.rstrip()}", Richness.RICH, "history", list_spans)
        for room, look in reversed(elsewhere)
    ]
    return found


@lru_cache(maxsize=1024)
def task_spans(text: str) -> Spans:
    """Return the spans of a task in words, which names one action.

    Examples:
        >>> task_spans("Focus on the thing.")
        ('Focus on', ' the thing.')
    """
    spans: list[str] = []
    end = 0
    for match in _NAMED_IN_TASKS.finditer(text):
        spans += [text[end : match.start()], Command(_FOCUS, is_capital=match[0][0].isupper())]
        end = match.end()
    return tuple([span for span in (*spans, text[end:]) if span])


@lru_cache(maxsize=1024)
def answer_spans(text: str) -> Spans:
    """Return the spans of an answer: the task when asked for it, a menu of readings, or what one sees."""
    if text.startswith(_TASK):
        return task_spans(text)
    return list_spans(text, is_menu=text.startswith(_MENU))


@lru_cache(maxsize=1024)
def list_spans(text: str, is_menu: bool = False) -> Spans:
    """Return the spans of a text in which a tab begins each thing of a list; what is carried takes no entry."""
    if _INVENTORY in text:
        return (text,)
    first, *listed = text.split("\t")
    spans: list[str] = [first] if first else []
    for before, item in zip((first, *listed), listed, strict=False):
        if is_menu and before.endswith(":"):
            command, end, rest = item.partition("\n")
            spans += [ENTRY, "\t", named(command, _STARTS), f"{end}{rest}"]
        else:
            spans += [ENTRY, f"\t{item}"]
    return tuple([span for span in spans if span or span is ENTRY])


@lru_cache(maxsize=64)
def _listed(templates: tuple[str, ...]) -> Spans:
    return tuple([span for template in templates for span in (named(template, _STARTS), ", ")][:-1])


def is_refused(action: str) -> bool:
    """Return whether the simulator would read an action as the refused one (it ignores case, spaces and articles).

    Examples:
        >>> is_refused("Reset  the task"), is_refused("reset task now")
        (True, False)
    """
    words = re.split(r"[\x00-\x20]+", action.lower())
    return " ".join(word for word in words if word not in ("", "a", "an", "the")) == REFUSED_ACTION


def visible_commands(commands: Sequence[str], limit: int) -> tuple[str, ...]:
    """Return at most `limit` of the simulator's one-object commands and those without an object, sorted.

    `mix` is kept for what can be looked into (the simulator accepts it for everything). Beyond the limit, first all
    `look at`, then the last of `focus on`, then the last of all are left out.
    """
    containers = {command.removeprefix("look in ") for command in commands if command.startswith("look in ")}
    rooms = {command.removeprefix("go to ") for command in commands if command.startswith("go to ")}
    chosen = {
        command
        for command in commands
        if not command.startswith("mix ") or command.removeprefix("mix ") in containers - rooms
    }
    chosen |= {"inventory", "look around", "task", "wait", "wait1"}
    if len(chosen) > limit:
        chosen = {command for command in chosen if not command.startswith("look at ")}
    focus = sorted(command for command in chosen if command.startswith("focus on "))
    surplus = max(0, len(chosen) - limit)
    chosen -= set(focus[len(focus) - min(surplus, len(focus)) :])
    return tuple(sorted(chosen)[:limit])
