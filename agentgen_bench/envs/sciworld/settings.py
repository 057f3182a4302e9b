"""The 30 tasks, the difficulties by the length of their gold paths, and the simplifications that make levels easier."""

from typing import NamedTuple

from agentgen_bench.checks import checked_text
from agentgen_bench.errors import SpecError


class Task(NamedTuple):
    """A ScienceWorld task: id of the paper, name in the simulator, number of variations, group by gold length."""

    id: str
    name: str
    n_variations: int
    group: str  # short: mean gold of at most 20 actions on test; medium: at most 40; long: above


TASKS = (
    Task("1-1", "boil", 30, "long"),
    Task("1-2", "melt", 30, "long"),
    Task("1-3", "freeze", 30, "long"),
    Task("1-4", "change-the-state-of-matter-of", 30, "long"),
    Task("2-1", "use-thermometer", 540, "short"),
    Task("2-2", "measure-melting-point-known-substance", 436, "medium"),
    Task("2-3", "measure-melting-point-unknown-substance", 300, "long"),
    Task("3-1", "power-component", 20, "short"),
    Task("3-2", "power-component-renewable-vs-nonrenewable-energy", 20, "short"),
    Task("3-3", "test-conductivity", 900, "medium"),
    Task("3-4", "test-conductivity-of-unknown-substances", 600, "medium"),
    Task("4-1", "find-living-thing", 300, "short"),
    Task("4-2", "find-non-living-thing", 300, "short"),
    Task("4-3", "find-plant", 300, "short"),
    Task("4-4", "find-animal", 300, "short"),
    Task("5-1", "grow-plant", 126, "long"),
    Task("5-2", "grow-fruit", 126, "long"),
    Task("6-1", "chemistry-mix", 32, "medium"),
    Task("6-2", "chemistry-mix-paint-secondary-color", 36, "short"),
    Task("6-3", "chemistry-mix-paint-tertiary-color", 36, "medium"),
    Task("7-1", "lifespan-longest-lived", 125, "short"),
    Task("7-2", "lifespan-shortest-lived", 125, "short"),
    Task("7-3", "lifespan-longest-lived-then-shortest-lived", 125, "short"),
    Task("8-1", "identify-life-stages-1", 14, "medium"),
    Task("8-2", "identify-life-stages-2", 10, "short"),
    Task("9-1", "inclined-plane-determine-angle", 168, "long"),
    Task("9-2", "inclined-plane-friction-named-surfaces", 1386, "long"),
    Task("9-3", "inclined-plane-friction-unnamed-surfaces", 162, "long"),
    Task("10-1", "mendelian-genetics-known-plant", 120, "long"),
    Task("10-2", "mendelian-genetics-unknown-plant", 480, "long"),
)
_BY_KEY = {key: task for task in TASKS for key in (task.id, task.name)}

SIMPLIFICATIONS = ("noElectricalAction", "openContainers", "openDoors", "selfWateringFlowerPots", "teleportAction")
PRESETS = {
    "easy": ("short",),
    "medium": ("short", "medium"),
    "hard": ("long",),
    "paper": ("short", "medium", "long"),
}


def task_named(key: str) -> Task:
    """Return the task with that name or id ("4-2"); raises SpecError where there is none."""
    try:
        return _BY_KEY[key]
    except (KeyError, TypeError):
        names = ", ".join(f"{task.id} {task.name}" for task in TASKS)
        raise SpecError(f"unknown SciWorld task {key!r}; choose a name or an id of: {names}") from None


def simplifications(task: Task, difficulty: str, chosen: str | None) -> str:
    """Return the simplifications of a level, sorted and joined by commas.

    Args:
        task: decides what "easy" means: electrical tasks keep their electrical actions.
        difficulty: the preset, which decides where `chosen` is None.
        chosen: "easy", "" for none, or names joined by commas.
    """
    own = "easy" if difficulty == "easy" else ""
    text = own if chosen is None else checked_text("simplifications", chosen, "'easy', '' or names joined by commas")
    names = {name.strip() for name in text.split(",")} - {""}
    is_electrical = "power-component" in task.name or "conductivity" in task.name
    if "easy" in names:
        names = names - {"easy"} | {"teleportAction", "openDoors", "selfWateringFlowerPots"}
        names |= set() if is_electrical else {"noElectricalAction"}
    unknown = sorted(names - set(SIMPLIFICATIONS))
    if unknown:
        raise SpecError(f"unknown simplification {unknown[0]!r}; choose from: easy, {', '.join(SIMPLIFICATIONS)}")
    if is_electrical and "noElectricalAction" in names:
        raise SpecError(f"task {task.name} cannot be solved with 'noElectricalAction'; leave it out")
    return ",".join(sorted(names))
