"""Unknown substances with properties that stay: which of them conduct electricity, over a pack of tasks.

In the simulator's task of unknown substances each variation draws anew whether its substance conducts. A fact says it
for a few substances of the split, and a level under it is one of the variations in which that is so. Whoever knows it
puts the substance into the right box; whoever does not can only guess, as there is no time to build a circuit.
"""

import re
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from agentgen_bench.envs.sciworld.levels import Level, variations
from agentgen_bench.envs.sciworld.rooms import is_shut, room_of, way
from agentgen_bench.envs.sciworld.settings import task_named
from agentgen_bench.seeding import stream

TASK = "test-conductivity-of-unknown-substances"
ROOM = "workshop"  # where the substance, the boxes and the parts of circuits are, in all variations
N_SUBSTANCES = {"easy": 2, "medium": 3, "hard": 4}
# The quickest circuit is three actions (battery, substance and a bulb at each other): with two to spare it is too slow.
SPARE_STEPS = 2

# Of each substance its 25 variations, one after the other in the simulator's order, c: it conducts, n: it does not.
# Found by playing (tests/sciworld/test_substances.py plays them again).
_VARIATIONS_EACH = 25
_CONDUCTS: dict[str, str] = {
    "B": "ncccncnccnnccncnncncncncc", "C": "cnnnccncncccnncccnnccnncc",
    "D": "ncncncncnccnnccncncncncnc", "E": "nncncncncncnccncncncncnnn",
    "F": "nnnnncnnccccccccccccccccn", "G": "ccnnccnnnnccccnncncncnccn",
    "H": "ncnccccnnncnncnccccnnnncc", "J": "nccncnnccnnnnccccnnnnccnc",
    "K": "cnncnncccnncnnncncccnccnn", "L": "nccnnccnnccnnccnccnnccnnc",
    "M": "nnnnncnnncnccncccncnnccnn", "N": "nnnccccncnncnnncnccncnncn",
    "O": "cnncccnnccnnccnncnnnnnccn", "P": "nnnccccnnnnccncnnnnccccnn",
    "Q": "nnnnccnncccnncccnncnncccn", "R": "nncncncncnccnncncncnccnnn",
    "S": "nnnncccccnccnnnnccccnnnnn", "T": "ccncnncncccnccnccnncnnccn",
    "U": "ncnnncncccnccncnncncccncc", "V": "cccncccnnnnccccncnncnncnn",
    "W": "ncnncccccccccnccnnnnnnnnc", "X": "nncnnnccccncnncnccccnncnc",
    "Y": "ncnccncnnccnncnccccnnnncn", "Z": "ncnncnccncnncnccnnnncnccn",
}  # fmt: skip
_ASKED = re.compile(
    r"if unknown substance ([A-Z]) is electrically conductive\..*it is electrically conductive, place it in the "
    r"([a-z]+ box)\..*electrically nonconductive, place it in the ([a-z]+ box)\."
)
_SAID = re.compile(r"unknown substance ([A-Z]) (conducts electricity|does not conduct electricity)")


class Asked(NamedTuple):
    """What a task of this kind asks for."""

    substance: str  # its letter
    conductive_box: str
    nonconductive_box: str

    @property
    def focus(self) -> str:
        """The action that has to come before the substance is put away."""
        return f"focus on unknown substance {self.substance}"

    def put_away(self, conducts: bool) -> str:
        """Return the action that ends the task: the substance goes into one of the boxes."""
        box = self.conductive_box if conducts else self.nonconductive_box
        return f"move unknown substance {self.substance} to {box}"


def asked(task: str) -> Asked | None:
    """Return what a task in the simulator's words asks for; None where it is of another kind."""
    match = _ASKED.search(task)
    return Asked(*match.groups()) if match else None


def substances_of(fact_seed: int, difficulty: str, split: str) -> dict[str, bool]:
    """Return the substances of a fact, and of each whether it conducts electricity."""
    draws = stream("sciworld", "substances", split, fact_seed)
    letters = [letter for letter in _CONDUCTS if _first_variation(letter) in variations(task_named(TASK), split)]
    chosen = sorted(draws.permutation(letters)[: N_SUBSTANCES[difficulty]].tolist())
    return dict(zip(chosen, (draws.integers(0, 2, len(chosen)) == 1).tolist(), strict=True))


def variation_under(substances: Mapping[str, bool], split: str, fact_seed: int, level_seed: int) -> int:
    """Return the variation that a level plays under a fact: one substance, with the property that the fact says.

    Levels that follow one another play different variations as long as there are any (at least ten a substance).
    """
    letters = list(substances)
    letter = letters[int(stream("sciworld", "substance", split, level_seed).integers(len(letters)))]
    first, wanted = _first_variation(letter), "c" if substances[letter] else "n"
    fitting = [first + i for i, conducts in enumerate(_CONDUCTS[letter]) if conducts == wanted]
    order = stream("sciworld", "substance", "order", fact_seed, letter).permutation(fitting)
    return int(order[level_seed % len(order)])


def _first_variation(letter: str) -> int:
    return list(_CONDUCTS).index(letter) * _VARIATIONS_EACH


def substances_text(substances: Mapping[str, bool]) -> str:
    """Return in words which substances conduct electricity.

    Examples:
        >>> substances_text({"U": True, "W": False})
        'unknown substance U conducts electricity; unknown substance W does not conduct electricity'
    """
    said = {True: "conducts electricity", False: "does not conduct electricity"}
    return "; ".join([f"unknown substance {letter} {said[conducts]}" for letter, conducts in substances.items()])


def read_substances(text: str) -> dict[str, bool]:
    """Return what `substances_text` says; substances that a text does not name are left out."""
    return {letter: said.startswith("conducts") for letter, said in _SAID.findall(text)}


def shortest_length(look: str, level: Level) -> int:
    """Return the number of actions from what is seen at a level's start to its end, for whoever knows the fact."""
    eased = level.simplifications.split(",")
    rooms = way(room_of(look), ROOM)
    moving = min(1, len(rooms)) if "teleportAction" in eased else len(rooms) * (1 if "openDoors" in eased else 2)
    return moving + 2  # focus on the substance, and put it away


def next_action(look: str, task: Asked, conducts: bool, done: Iterable[str], teleports: bool) -> str:
    """Return the next action of whoever knows whether the substance conducts: go there, focus, put it away.

    Args:
        look: the room one is in.
        task: what is asked for.
        conducts: whether the substance does.
        done: the actions so far, in lower case.
        teleports: whether one can.
    """
    room = room_of(look)
    if room != ROOM:
        following = way(room, ROOM)[0]
        if teleports:
            return f"teleport to {ROOM}"
        return f"open door to {following}" if is_shut(look, following) else f"go to {following}"
    return task.put_away(conducts) if task.focus.lower() in done else task.focus
