"""Reading and writing PDDL problems of the Alfred domain: text <-> facts and goal. Knows syntax, no game rules."""

import re
from collections.abc import Iterable
from typing import NamedTuple

from agentgen_bench.errors import DataError

Fact = tuple[str, ...]  # predicate, then its arguments, all in lower case as Fast Downward reads them
Expression = str | list["Expression"]

_TOKEN = re.compile(r"[()]|[^\s()]+")
_COMMENT = re.compile(r";[^\n]*")


class Problem(NamedTuple):
    """A parsed problem: the facts that hold at the start, and the goal as a nested list of symbols."""

    facts: tuple[Fact, ...]
    goal: Expression


def parse_problem(text: str) -> Problem:
    """Return the initial facts and the goal of a PDDL problem; raises DataError where it is not one."""
    sections: dict[str, list[Expression]] = {}
    for part in _parse(text)[1:]:
        if not isinstance(part, list) or not part or not isinstance(part[0], str):
            raise DataError(f"not a PDDL problem: unexpected {part!r} at top level")
        sections[part[0]] = part[1:]
    if ":init" not in sections or len(sections.get(":goal", [])) != 1:
        raise DataError(f"not a PDDL problem: it needs :init and one :goal, got the sections {sorted(sections)}")
    return Problem(tuple(_facts(sections[":init"])), sections[":goal"][0])


def write_problem(name: str, objects: Iterable[tuple[str, str]], facts: Iterable[Fact], goal: str) -> str:
    """Return the PDDL text of a problem; `objects` are pairs of identifier and PDDL type."""
    declared = "\n".join(f"        {identifier} - {kind}" for identifier, kind in objects)
    init = "\n".join(f"        ({' '.join(fact)})" for fact in facts)
    return (
        f"(define (problem {name})\n    (:domain alfred)\n    (:objects\n{declared}\n    )\n"
        f"    (:init\n{init}\n    )\n    (:goal {goal})\n)\n"
    )


def _facts(items: list[Expression]) -> Iterable[Fact]:
    for item in items:
        if not isinstance(item, list) or not item:
            raise DataError(f"not a fact: {item!r} in :init")
        if item[0] == "=":  # distances between locations and total-cost: no text or rule depends on them
            continue
        if not all(isinstance(symbol, str) for symbol in item):
            raise DataError(f"not a fact: {item!r} in :init; only plain atoms are supported")
        yield tuple(str(symbol) for symbol in item)


def _parse(text: str) -> list[Expression]:
    stack: list[list[Expression]] = [[]]
    for token in _TOKEN.findall(_COMMENT.sub("", text).lower()):
        if token == "(":
            stack.append([])
        elif token != ")":
            stack[-1].append(token)
        elif len(stack) == 1:
            raise DataError("not a PDDL problem: a ')' without its '('")
        else:
            closed = stack.pop()
            stack[-1].append(closed)
    if len(stack) != 1 or len(stack[0]) != 1 or not isinstance(stack[0][0], list):
        raise DataError("not a PDDL problem: it should be one expression in balanced parentheses")
    return stack[0][0]
