"""A SciWorld player for the short tasks (difficulty easy): it reads what it sees and remembers it.

What it knows beforehand is what any reader knows: the rooms of the house, that animals are outside, how long they
live, which paints mix to which, how a circuit is closed. Tasks it does not know get no action.
"""

import re
from collections.abc import Callable, Sequence
from typing import NamedTuple

from agentgen_bench.envs.paraphrasing import original_of
from agentgen_bench.envs.sciworld.paraphrases import FORMS
from agentgen_bench.envs.sciworld.rooms import way
from agentgen_bench.policies.base import Decision, Description
from agentgen_bench.policies.demonstrators import NO_ANSWER, answer
from agentgen_bench.policies.sciworld_memory import Memory, remembered
from agentgen_bench.prompts import History

# Years that an animal lives at most, about.
LIFE_SPANS = {
    "giant tortoise": 175, "elephant": 75, "parrot": 65, "crocodile": 60, "bear": 30, "brown bear": 30, "wolf": 14,
    "beaver": 12, "turtle": 50, "toad": 11, "frog": 10, "chameleon": 6, "hedgehog": 5, "blue jay": 9, "dove": 8,
    "chipmunk": 8, "rabbit": 6, "mouse": 2, "moth": 0.1, "butterfly": 0.15, "dragonfly": 0.6, "bee": 0.3, "ant": 0.4,
    "spider": 1.5, "cockroach": 1,
}  # fmt: skip
MIXTURES = {"orange": ("red", "yellow"), "green": ("blue", "yellow"), "violet": ("red", "blue")}
PAINT_ROOMS = ("art studio", "workshop", "living room", "bedroom", "kitchen", "hallway", "bathroom", "greenhouse")
STAGES = ("seed", "seedling", "adult", "reproducing")
RENEWABLE = ("solar panel", "wind generator")
NONRENEWABLE = ("nuclear generator", "gas generator")
_ANIMAL = re.compile(r"^an? ((?:baby|juvenile|adult) [a-z ]+|[a-z ]+ egg)$")
_PLANT = re.compile(r"((?:self watering )?flower pot \d+) \(containing an? ([a-z ]+) in the ([a-z]+) stage")
_SEED = re.compile(r"((?:self watering )?flower pot \d+) \(containing an? ([a-z ]+ seed)[,)]")
_THING = re.compile(r"^an? ([a-z ]+?)(?: \(containing|, |\. |\.?$)")
# The goal itself, liquids, what lives or lived, and what does not come off the wall or the floor.
_NOT_MOVED = re.compile(
    r"\bbox$|^substance|\bdead\b|flower pot|egg$|bath ?tub|sink|toilet|fountain|pit$|stove|oven|furnace|hive|bed$|"
    r"cupboard|closet|fridge|freezer|counter|couch"
)
_EMPTY = re.compile(r"(?:^|, |: )an? ([a-z ]+) \(containing nothing\)", re.MULTILINE)
_DEGREES = re.compile(r"temperature of (-?[\d.]+) degrees")


class Step(NamedTuple):
    """What to do next, and why."""

    why: str
    action: str


Seek = Callable[[Sequence[str]], str | None]  # from what a room holds to what is sought, if it is there
Player = Callable[[Memory, re.Match[str]], Step | None]


class SciWorldReader:
    """Plays the tasks of difficulty easy from what it reads."""

    name = "sciworld-reader"

    def act(self, histories: Sequence[History]) -> list[Decision]:
        """Return one decision per history, from its observations alone."""
        return [decided(history) for history in histories]

    def describe(self) -> Description:
        """Return the kind."""
        return {"kind": self.name}


def decided(history: History) -> Decision:
    """Return the decision at one step of a task by itself."""
    if history.family != "SciWorld":
        return NO_ANSWER
    memory, task = remembered(history), original_of(FORMS, history.task) or history.task
    for pattern, player in PLAYERS:
        if match := pattern.search(task):
            step = player(memory, match) if memory.room else Step("I do not know where I am.", "look around")
            return NO_ANSWER if step is None else answer(step.why, step.action)
    return NO_ANSWER


# --- moving about


def _to(memory: Memory, room: str, why: str) -> Step | None:
    """Return the next step of the way to a room, and a look around once there; None where it has been seen."""
    if memory.room != room:
        following = way(memory.room, room)[0]
        action = f"go to {following}"
        if memory.actions and memory.actions[-1] == action:  # it did not lead there
            return Step(f"{why} The way to the {following} is closed.", f"open door to {following}")
        through = "" if following == room else f" through the {following}"
        return Step(f"{why} From the {memory.room} I go{through} to the {room}.", action)
    if room not in memory.views:
        return Step(f"{why} I look around the {room}.", "look around")
    return None


def _searched(memory: Memory, rooms: Sequence[str], seek: Seek, why: str) -> Step | str:
    """Return what `seek` finds in the view of a room, being in that room; or the next step of the search."""
    for room in rooms:
        if room not in memory.views:
            return _to(memory, room, why) or Step(why, "look around")
        if found := seek(memory.views[room]):
            return _to(memory, room, f"{why} The {room} has one.") or found
    return Step(f"{why} I have not seen any.", "look around")


# --- find and put into a box


def _find(memory: Memory, match: re.Match[str]) -> Step | None:
    kind, box, place = match.groups()
    why = f"I look for {'an' if kind == 'animal' else 'a'} {kind}."
    focused = [action.removeprefix("focus on ") for action in memory.actions if action.startswith("focus on ")]
    if not memory.focused:
        rooms, seek = _HABITATS[kind]
        found = _searched(memory, rooms or (place,), seek, why)
        if isinstance(found, Step):
            return found
        return Step(f"{why} I see {found}.", f"focus on {found}")
    thing = focused[-1]
    carrier = thing.partition(" in ")[2] or thing  # a plant is carried in its pot
    if rooms_of(kind, place) != [place] and not memory.holding:
        return Step(f"I have focused on it and take {carrier} along.", f"pick up {carrier}")
    step = _to(memory, place, f"The {box} is in the {place}.") if memory.room != place else None
    return step or Step(f"I am in the {place}, where the {box} is.", f"move {carrier} to {box}")


def rooms_of(kind: str, place: str) -> list[str]:
    """Return where a kind of thing is looked for; things without life are everywhere, also where the box is."""
    return list(_HABITATS[kind][0]) or [place]


def _animal(view: Sequence[str]) -> str | None:
    return next((match[1] for line in view if (match := _ANIMAL.match(line))), None)


def _plant(view: Sequence[str]) -> str | None:
    return next((f"{match[2]} in {match[1]}" for line in view if (match := _PLANT.search(line))), None)


def _living(view: Sequence[str]) -> str | None:
    return _animal(view) or _plant(view)


def _lifeless(view: Sequence[str]) -> str | None:
    things = [match[1] for line in view if (match := _THING.match(line)) and not _living([line])]
    return next((thing for thing in things if not _NOT_MOVED.search(thing)), None)


_HABITATS: dict[str, tuple[tuple[str, ...], Seek]] = {
    "animal": (("outside",), _animal),
    "plant": (("greenhouse", "outside"), _plant),
    "living thing": (("outside", "greenhouse"), _living),
    "non-living thing": ((), _lifeless),
}


# --- life spans and stages


def _life_span(memory: Memory, match: re.Match[str]) -> Step | None:
    wanted = re.findall(r"(longest|shortest)", match[1])
    order = list(dict.fromkeys(wanted))
    if len(memory.focused) >= len(order):
        return None
    end = order[len(memory.focused)]
    why = f"The animal with the {end} life span is sought."
    if step := _to(memory, "outside", f"{why} Animals are outside."):
        return step
    seen = {found[1]: _years(found[1]) for line in memory.here if (found := _ANIMAL.match(line))}
    if not seen:
        return Step(f"{why} I see none.", "look around")
    chosen = (max if end == "longest" else min)(seen, key=lambda name: seen[name])
    others = ", ".join(name for name in seen if name != chosen)
    return Step(f"{why} I see {chosen}, {others}." if others else f"{why} I see {chosen}.", f"focus on {chosen}")


def _years(name: str) -> float:
    kind = re.sub(r"^(?:baby|juvenile|adult) | egg$", "", name)
    return LIFE_SPANS.get(kind, 10.0)


def _life_stages(memory: Memory, match: re.Match[str]) -> Step | None:
    plant, stage = match[1], STAGES[min(len(memory.focused), len(STAGES) - 1)]
    why = f"The {stage} stage of the {plant} is next."
    if step := _to(memory, "outside", f"{why} The plants are outside."):
        return step
    if memory.age["outside"] > 0:
        return Step(f"{why} I look how they have grown.", "look around")
    for line in memory.here:
        if stage == "seed" and (found := _SEED.search(line)) and found[2].startswith(plant):
            return Step(f"{why} I see it.", f"focus on {found[2]} in {found[1]}")
        if (found := _PLANT.search(line)) and found[2].startswith(plant) and found[3] == stage:
            return Step(f"{why} I see it.", f"focus on {found[2]} in {found[1]}")
    return Step(f"{why} None is so far yet.", "wait1")


# --- paint


def _paint(memory: Memory, match: re.Match[str]) -> Step | None:
    color = match[1]
    if color not in MIXTURES:
        return None
    first, second = MIXTURES[color]
    why = f"{first.capitalize()} and {second} make {color}."
    rooms = sorted(PAINT_ROOMS, key=lambda room: room not in memory.views)
    if not any(action.startswith("pour ") for action in memory.actions):
        found = _searched(memory, rooms, lambda view: _cups(view, first, second), f"{why} I look for paints.")
        if isinstance(found, Step):
            return found
    empty = _EMPTY.findall("\n".join(memory.first_views.get(memory.room, [])))
    one, two = (f"cup containing {paint} paint" for paint in (first, second))
    vessel = empty[0] if empty else two
    steps = [Step(f"{why} The {first} one first.", f"pour {one} in {vessel}")]
    steps += [Step(f"{why} Now the {second} one.", f"pour {two} in {vessel}")] if empty else []
    steps += [Step(f"{why} Both are in it.", f"mix {vessel}")]
    steps += [Step(f"I have {color} paint.", f"focus on {color} paint")]
    return _next(memory, steps)


def _cups(view: Sequence[str], first: str, second: str) -> str | None:
    text = "\n".join(view)
    return "paints" if all(f"cup (containing {paint} paint)" in text for paint in (first, second)) else None


def _next(memory: Memory, steps: Sequence[Step]) -> Step | None:
    """Return the first step that has not been made."""
    return next((step for step in steps if not memory.did(step.action)), None)


# --- circuits


def _circuit(memory: Memory, match: re.Match[str]) -> Step | None:
    device, source = match[1], match[2]
    moving = source == "renewable"
    if not memory.focused:
        found = _searched(memory, ("workshop",), lambda view: device, "Parts of circuits are in the workshop.")
        if isinstance(found, Step):
            return found
        return Step(f"I see the {device}.", f"focus on {device}")
    shop = "\n".join(memory.first_views.get("workshop", []))
    wires = re.findall(r"([a-z]+ wire)\b", shop)[:2]
    sources = {"renewable": RENEWABLE, "nonrenewable": NONRENEWABLE}.get(source or "", ("battery",))
    power = next((name for name in sources if name in shop), None)
    if power is None or len(wires) < 2:
        return None
    parts = [device, power, *wires]
    if moving:
        steps = [Step(f"The {part} is needed outside, where the {power} works.", f"pick up {part}") for part in parts]
        if step := _next(memory, steps):
            return step
        if memory.room != "outside":
            return _to(memory, "outside", f"The {power} works outside.")
        steps = [Step("Here the circuit is built.", f"put down {part}") for part in parts]
        if step := _next(memory, steps):
            return step
    return _next(memory, _connections(device, power, wires, source == "nonrenewable"))


def _connections(device: str, power: str, wires: Sequence[str], needs_starting: bool) -> list[Step]:
    one, two = wires
    steps = [
        Step(f"One end of the {power} to the {one}.", f"connect {power} anode to {one} terminal 1"),
        Step(f"The other end to the {two}.", f"connect {power} cathode to {two} terminal 1"),
        Step(f"The {one} to the {device}.", f"connect {one} terminal 2 to cathode in {device}"),
        Step(f"The {two} closes the circuit.", f"connect {two} terminal 2 to anode in {device}"),
    ]
    steps += [Step(f"The {power} has to run.", f"activate {power}")] if needs_starting else []
    return [*steps, Step("The circuit is closed. I wait for the light.", "wait1"), Step("I wait on.", "wait")]


# --- temperature


def _temperature(memory: Memory, match: re.Match[str]) -> Step | None:
    thing, place, threshold, hot_box, cold_box, box_place = match.groups()
    if "thermometer" not in memory.holding:
        step = _to(memory, "kitchen", "The thermometer is in the kitchen.")
        return step or Step("I see the thermometer.", "pick up thermometer")
    if not memory.focused:
        return Step("I hold the thermometer.", "focus on thermometer in inventory")
    if thing not in memory.holding:
        step = _to(memory, place, f"The {thing} is in the {place}.")
        return step or Step(f"I am where the {thing} is.", f"pick up {thing}")
    if len(memory.focused) < 2:
        return Step(f"I hold the {thing}.", f"focus on {thing} in inventory")
    if memory.room != box_place and (step := _to(memory, box_place, f"The boxes are in the {box_place}.")):
        return step
    measured = next((m[1] for text in reversed(memory.answers) if (m := _DEGREES.search(text))), None)
    if measured is None:
        return Step(f"I measure the {thing}.", f"use thermometer in inventory on {thing} in inventory")
    is_hot = float(measured) > float(threshold)
    box = hot_box if is_hot else cold_box
    side = "above" if is_hot else "below"
    why = f"It is {measured} degrees, {side} {threshold}: it goes into the {box}."
    return Step(why, f"move {thing} in inventory to {box}")


_FIND = re.compile(
    r"find a\(n\) ([a-z -]+)\. First, focus on the thing\. Then, move it to the ([a-z]+ box) in the ([a-z ]+)\."
)
_SPANS = re.compile(r"(find the animal with the (?:longest|shortest) life span.*)")
_STAGES = re.compile(r"life stages of the ([a-z ]+) plant, starting from earliest")
_PAINTS = re.compile(r"use chemistry to create ([a-z]+) paint")
_LIGHT = re.compile(r"turn on the ([a-z ]+?)(?: by powering it using a (renewable|nonrenewable) power source)?\.")
_MEASURE = re.compile(
    r"measure the temperature of (.+?), which is located around the ([a-z ]+)\..*above (-?[\d.]+) degrees celsius, "
    r"place it in the ([a-z]+ box)\..*place it in the ([a-z]+ box)\. The boxes are located around the ([a-z ]+)\."
)
PLAYERS: tuple[tuple[re.Pattern[str], Player], ...] = (
    (_FIND, _find),
    (_SPANS, _life_span),
    (_STAGES, _life_stages),
    (_PAINTS, _paint),
    (_LIGHT, _circuit),
    (_MEASURE, _temperature),
)
