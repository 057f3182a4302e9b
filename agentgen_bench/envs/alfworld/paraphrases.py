"""The official task sentences in other words."""

from agentgen_bench.envs.alfworld.tasks import LOOK, TASK_TYPES
from agentgen_bench.envs.paraphrasing import Form

# By the states and the number of the objects: which are meant. Every pair of these and what follows is a paraphrase.
_OBJECTS = {
    ((), 1): ("one {obj}", "a single {obj}", "any {obj} you come across"),
    ((), 2): ("2 {obj}s", "a pair of {obj}s", "two different {obj}s"),
    ((), 3): ("3 {obj}s", "three different {obj}s", "a set of three {obj}s"),
    (("clean",), 1): ("one {obj} that you have cleaned", "a freshly washed {obj}", "a {obj} without any dirt"),
    (("hot",), 1): ("one {obj} that you have heated", "a warmed up {obj}", "a {obj} straight from the heat"),
    (("cool",), 1): ("one {obj} that you have cooled", "a chilled {obj}", "a {obj} straight from the cold"),
    (("sliced",), 1): ("one {obj} that is cut up", "a cut piece of {obj}", "one piece of a sliced {obj}"),
    (("clean", "sliced"), 1): ("a washed piece of sliced {obj}", "one cut piece of {obj} that you have cleaned"),
    (("hot", "sliced"), 1): ("a warmed up piece of sliced {obj}", "one cut piece of {obj} that you have heated"),
    (("cool", "sliced"), 1): ("a chilled piece of sliced {obj}", "one cut piece of {obj} that you have cooled"),
}
_PLACED = (
    "see to it that {things} can be found at the {recep}.",
    "bring {things} to the {recep} and leave the lot there.",
    "find {things}; the {recep} is where that belongs.",
    "make the {recep} the place of {things}.",
)
_LOOKED_AT = (
    "take the {obj} and inspect it by the light of the {recep}.",
    "with the {recep} switched on, have a close look at the {obj}.",
    "use the light of the {recep} to study the {obj}.",
)


def _others(task_type: str) -> tuple[str, ...]:
    if task_type == LOOK:
        return _LOOKED_AT
    kind = TASK_TYPES[task_type]
    things = _OBJECTS[kind.states, kind.n_targets]
    return tuple(placed.replace("{things}", thing) for placed in _PLACED for thing in things)


FORMS = tuple(
    Form(template, _others(name), hole="[a-z]+?") for name, kind in TASK_TYPES.items() for template in kind.templates
)
