"""The two kinds of goal of the official goal library: something lies somewhere, or something is looked at in light.

Covers all goals whose games the official stack loads (movable receptacles are excluded there too), and the sliced
variants that its domain can solve. Anything else is refused when a game is read.
"""

from dataclasses import dataclass

from agentgen_bench.envs.alfworld.pddl import Expression, Fact
from agentgen_bench.errors import DataError

AFFORDANCES = {"clean": "cleanable", "hot": "heatable", "cool": "coolable", "sliced": "sliceable"}
STATES = tuple(AFFORDANCES)  # predicates isclean, ishot, iscool, issliced


@dataclass(frozen=True, slots=True)
class PlaceGoal:
    """`count` different objects of a type, all in the required states, lie in one receptacle of a type."""

    object_type: str  # lower case, without the suffix "type" of the PDDL constants
    receptacle_type: str
    states: tuple[str, ...] = ()  # subset of STATES, sorted
    count: int = 1


@dataclass(frozen=True, slots=True)
class LookGoal:
    """The agent holds an object of a type and stands where a lamp of a type lies that has been turned on."""

    object_type: str
    lamp_type: str


Goal = PlaceGoal | LookGoal


def goal_pddl(goal: Goal) -> str:
    """Return the PDDL condition of a goal, equivalent to the official goal library's."""
    if isinstance(goal, LookGoal):
        return (
            "(and (exists (?ot - object ?r - receptacle ?a - agent ?l - location) (and "
            f"(objectType ?ot {goal.lamp_type}Type) (toggleable ?ot) (isToggled ?ot) (receptacleAtLocation ?r ?l) "
            "(atLocation ?a ?l) (inReceptacle ?ot ?r))) (exists (?o - object ?a - agent) (and "
            f"(objectType ?o {goal.object_type}Type) (holds ?a ?o))))"
        )
    names = [f"?o{number + 1}" for number in range(goal.count)]
    condition = ""
    for position, name in reversed(list(enumerate(names))):
        atoms = [f"(not (= {other} {name}))" for other in names[:position]]
        atoms += [f"({AFFORDANCES[state]} {name}) (is{state.capitalize()} {name})" for state in goal.states]
        atoms += [f"(objectType {name} {goal.object_type}Type)", f"(receptacleType ?r {goal.receptacle_type}Type)"]
        condition = f"(exists ({name} - object) (and {' '.join(atoms)} (inReceptacle {name} ?r){condition}))"
    return f"(and (exists (?r - receptacle) {condition}))"


def parse_goal(expression: Expression) -> Goal:
    """Return the goal that a PDDL condition states; raises DataError for any that is neither kind."""
    atoms = sorted(set(_atoms(expression)))
    goal = _look_goal(atoms) if any(atom[0] == "istoggled" for atom in atoms) else _place_goal(atoms)
    if goal is None:
        raise DataError(
            f"unsupported goal {atoms}; the engine knows the official pick, clean, heat, cool, two, slice and look "
            "goals; use backend='textworld' for others"
        )
    return goal


def _atoms(expression: Expression) -> list[Fact]:
    """Return the atoms of nested and / exists, `(not (= a b))` as ("differ", a, b); raises DataError otherwise."""
    if not isinstance(expression, list) or not expression:
        raise DataError(f"unsupported goal condition {expression!r}")
    head, rest = expression[0], expression[1:]
    if head == "and":
        return [atom for part in rest for atom in _atoms(part)]
    if head == "exists" and len(rest) == 2:
        return _atoms(rest[1])
    if head == "not" and len(rest) == 1 and isinstance(rest[0], list) and rest[0][:1] == ["="]:
        return [("differ", *sorted(str(name) for name in rest[0][1:]))]
    if isinstance(head, str) and all(isinstance(argument, str) for argument in rest):
        return [(head, *(str(argument) for argument in rest))]
    raise DataError(f"unsupported goal condition {expression!r}")


def _place_goal(atoms: list[Fact]) -> PlaceGoal | None:
    objects = [atom[1] for atom in atoms if atom[0] == "inreceptacle"]
    object_types = {atom[2] for atom in atoms if atom[0] == "objecttype"}
    receptacle_types = {atom[2] for atom in atoms if atom[0] == "receptacletype"}
    if not objects or len(object_types) != 1 or len(receptacle_types) != 1:
        return None
    states = tuple(sorted({atom[0][2:] for atom in atoms if atom[0][:2] == "is" and atom[0][2:] in STATES}))
    goal = PlaceGoal(_bare(object_types.pop()), _bare(receptacle_types.pop()), states, len(objects))
    return goal if atoms == _place_atoms(goal, objects) else None


def _place_atoms(goal: PlaceGoal, objects: list[str]) -> list[Fact]:
    """Return the sorted atoms that a goal over these variables has, to compare with what was read."""
    expected: set[Fact] = {("receptacletype", "?r", f"{goal.receptacle_type}type")}
    for name in objects:
        expected |= {("objecttype", name, f"{goal.object_type}type"), ("inreceptacle", name, "?r")}
        expected |= {(f"is{state}", name) for state in goal.states}
        expected |= {(AFFORDANCES[state], name) for state in goal.states}
        expected |= {("differ", *sorted((name, other))) for other in objects if other != name}
    return sorted(expected)


def _look_goal(atoms: list[Fact]) -> LookGoal | None:
    types = {atom[1]: atom[2] for atom in atoms if atom[0] == "objecttype"}
    if set(types) != {"?ot", "?o"}:
        return None
    expected = {("objecttype", name, kind) for name, kind in types.items()} | {
        ("toggleable", "?ot"),
        ("istoggled", "?ot"),
        ("receptacleatlocation", "?r", "?l"),
        ("atlocation", "?a", "?l"),
        ("inreceptacle", "?ot", "?r"),
        ("holds", "?a", "?o"),
    }
    return LookGoal(_bare(types["?o"]), _bare(types["?ot"])) if atoms == sorted(expected) else None


def _bare(constant: str) -> str:
    return constant.removesuffix("type")
