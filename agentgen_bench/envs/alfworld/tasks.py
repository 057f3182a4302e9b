"""The task types: how each words its goal, which rooms it needs, and reading a task sentence back.

Wording as in alfworld 0.4.2, gen/goal_library.py.
"""

import re
from functools import cache
from typing import NamedTuple

from agentgen_bench.envs.alfworld.goals import Goal, LookGoal, PlaceGoal


class TaskType(NamedTuple):
    """A kind of task: the states its objects need, how many there are, and its official sentences."""

    states: tuple[str, ...]
    n_targets: int
    templates: tuple[str, ...]
    rooms: tuple[str, ...]


_ALL_ROOMS = ("kitchen", "livingroom", "bedroom", "bathroom")

TASK_TYPES: dict[str, TaskType] = {
    "pick_and_place_simple": TaskType((), 1, ("put a {obj} in {recep}.", "put some {obj} on {recep}."), _ALL_ROOMS),
    "look_at_obj_in_light": TaskType(
        (), 1, ("look at {obj} under the {recep}.", "examine the {obj} with the {recep}."), ("livingroom", "bedroom")
    ),
    "pick_clean_then_place_in_recep": TaskType(
        ("clean",),
        1,
        ("put a clean {obj} in {recep}.", "clean some {obj} and put it in {recep}."),
        ("kitchen", "bathroom"),
    ),
    "pick_heat_then_place_in_recep": TaskType(
        ("hot",), 1, ("put a hot {obj} in {recep}.", "heat some {obj} and put it in {recep}."), ("kitchen",)
    ),
    "pick_cool_then_place_in_recep": TaskType(
        ("cool",), 1, ("put a cool {obj} in {recep}.", "cool some {obj} and put it in {recep}."), ("kitchen",)
    ),
    "pick_two_obj_and_place": TaskType(
        (), 2, ("put two {obj} in {recep}.", "find two {obj} and put them in {recep}."), _ALL_ROOMS
    ),
    "pick_three_obj_and_place": TaskType(
        (), 3, ("put three {obj} in {recep}.", "find three {obj} and put them in {recep}."), _ALL_ROOMS
    ),
    "pick_and_place_simple_slice": TaskType(
        ("sliced",), 1, ("slice {obj} and put in {recep}.", "put sliced {obj} in {recep}."), ("kitchen",)
    ),
    "pick_clean_then_place_in_recep_slice": TaskType(
        ("clean", "sliced"),
        1,
        ("put a clean slice of {obj} in {recep}.", "clean some sliced {obj} and put it in {recep}."),
        ("kitchen",),
    ),
    "pick_heat_then_place_in_recep_slice": TaskType(
        ("hot", "sliced"),
        1,
        ("put a hot slice of {obj} in {recep}.", "heat some sliced {obj} and put it in {recep}."),
        ("kitchen",),
    ),
    "pick_cool_then_place_in_recep_slice": TaskType(
        ("cool", "sliced"),
        1,
        ("put a cool slice of {obj} in {recep}.", "cool some sliced {obj} and put it in {recep}."),
        ("kitchen",),
    ),
}
OFFICIAL_TASK_TYPES = tuple(TASK_TYPES)[:6]
SLICE_TASK_TYPES = tuple(name for name in TASK_TYPES if name.endswith("_slice"))
LOOK = "look_at_obj_in_light"


def task_goal(task_type: str, object_type: str, destination: str) -> Goal:
    """Return the goal of a task type; `destination` is the lamp's type for the look task, else a receptacle's."""
    if task_type == LOOK:
        return LookGoal(object_type.lower(), destination.lower())
    kind = TASK_TYPES[task_type]
    return PlaceGoal(object_type.lower(), destination.lower(), kind.states, kind.n_targets)


def read_task(sentence: str) -> Goal | None:
    """Return the goal that an official task sentence states, or None for free wording.

    Examples:
        >>> read_task("put a hot potato in sinkbasin.")
        PlaceGoal(object_type='potato', receptacle_type='sinkbasin', states=('hot',), count=1)
    """
    for pattern, task_type in _patterns():
        match = pattern.fullmatch(sentence.strip())
        if match is not None:
            return task_goal(task_type, match["obj"], match["recep"])
    return None


@cache
def _patterns() -> tuple[tuple[re.Pattern[str], str], ...]:
    holes = {"obj": "(?P<obj>[a-z]+)", "recep": "(?P<recep>[a-z]+)"}
    return tuple(
        (re.compile(template.removesuffix(".").format(**holes) + r"\.?"), name)
        for name, kind in TASK_TYPES.items()
        for template in kind.templates
    )
