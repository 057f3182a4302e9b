"""Shortest plans from any state: one best-first search over all ways to choose objects and destination.

A choice (an assignment) fixes which objects, which destination, which blade; what is left is a small state, so the
search is exact: A* with an admissible estimate, all assignments in one queue, equivalent ones dropped beforehand.
Every action costs 1, as it does in an episode.
"""

import heapq
from collections.abc import Callable, Iterable, Iterator
from itertools import combinations, count
from typing import NamedTuple, TypeVar

from agentgen_bench.envs.alfworld.engine import Engine
from agentgen_bench.envs.alfworld.gamefile import Dialect
from agentgen_bench.envs.alfworld.goals import LookGoal
from agentgen_bench.envs.alfworld.scene import CLEAN, COOL, HOT, NOTHING, NOWHERE, SLICED, STATE_BITS, TOGGLED, Scene

T = TypeVar("T")

_TRANSFORMS = (("clean", CLEAN, 0), ("heat", HOT, COOL), ("cool", COOL, HOT))


class Assignment(NamedTuple):
    """One way to reach the goal. Objects are numbered by their place in `items` within the search."""

    items: tuple[int, ...]  # targets first, then lamp or blade, then whatever else is held
    n_targets: int
    destination: int  # receptacle, or NOWHERE for a look task, whose items[1] is the lamp
    blade: int  # index into items, or NOTHING
    needed: int  # states every target must have
    receptacles: tuple[int, ...]  # all that can matter: sources, destination, tools, places to drop something
    places: tuple[int, ...]  # their locations


class State(NamedTuple):
    """What an assignment leaves open."""

    location: int
    held: int  # index into items, or NOTHING
    opened: frozenset[int]
    inside: tuple[tuple[int, ...], ...]  # by item: the receptacles it lies in
    states: tuple[int, ...]  # by item


def shortest_plan(engine: Engine) -> tuple[str, ...] | None:
    """Return the shortest sequence of commands from the engine's state to the goal; None where there is none."""
    if engine.won:
        return ()
    scene, order = engine.scene, count()
    assignments = tuple(_assignments(engine))
    queue: list[tuple[int, int, int, State, int, tuple[str, ...]]] = []
    best: dict[tuple[int, State], int] = {}
    for number, assignment in enumerate(assignments):
        state = _state(engine, assignment)
        queue.append((_estimate(scene, assignment, state), next(order), 0, state, number, ()))
    heapq.heapify(queue)
    while queue:
        _, _, cost, state, number, plan = heapq.heappop(queue)
        assignment = assignments[number]
        if _reached(scene, assignment, state):
            return plan
        for command, following in _moves(scene, assignment, state):
            key = (number, following)
            if best.get(key, cost + 2) > cost + 1:
                best[key] = cost + 1
                bound = cost + 1 + _estimate(scene, assignment, following)
                heapq.heappush(queue, (bound, next(order), cost + 1, following, number, (*plan, command)))
    return None


# --- assignments


def _assignments(engine: Engine) -> Iterator[Assignment]:
    scene, goal = engine.scene, engine.scene.goal
    if isinstance(goal, LookGoal):
        for item in _distinct(engine, scene.target_objects, 1):
            for lamp in scene.target_lamps:
                yield _assignment(engine, (item, lamp), 1, NOWHERE, NOTHING, 0)
        return
    needed = sum(STATE_BITS[state] for state in goal.states)
    items = _distinct(engine, scene.target_objects, goal.count)
    to_slice = needed & SLICED and any(not engine.states[o] & SLICED for o in items)
    blades = [o for o in range(len(scene.blades)) if scene.blades[o]] if to_slice else []
    for destination in _distinct_destinations(engine, items, needed):
        for targets in combinations(items, goal.count):
            if not any(not engine.states[o] & SLICED for o in targets) or not to_slice:
                yield _assignment(engine, targets, goal.count, destination, NOTHING, needed)
                continue
            for blade in _distinct(engine, tuple(o for o in blades if o not in targets), 1):
                yield _assignment(engine, (*targets, blade), goal.count, destination, goal.count, needed)


def _assignment(
    engine: Engine, items: tuple[int, ...], n_targets: int, destination: int, blade: int, needed: int
) -> Assignment:
    scene, places = engine.scene, engine.scene.receptacle_location
    if engine.held != NOTHING and engine.held not in items:
        items = (*items, engine.held)
    relevant = {r for item in items for r in _holders(engine, item)}
    relevant |= {destination} - {NOWHERE}
    relevant |= {r for verb, bit, _ in _TRANSFORMS if needed & bit for r, fits in enumerate(scene.tools[verb]) if fits}
    near = {places[r] for r in relevant} | {engine.location}
    for item in items:
        relevant |= set(_places_to_drop(engine, item, near))
    receptacles = tuple(sorted(r for r in relevant if places[r] != NOWHERE))
    return Assignment(
        items, n_targets, destination, blade, needed, receptacles, tuple(sorted({places[r] for r in receptacles}))
    )


def _places_to_drop(engine: Engine, item: int, near: set[int]) -> Iterable[int]:
    """Return where an item could be put down: all receptacles near at hand, and one elsewhere, open if possible."""
    scene, kind = engine.scene, engine.scene.object_types[item]
    fitting = [r for r, kinds in enumerate(scene.accepts) if kind in kinds and scene.receptacle_location[r] != NOWHERE]
    yield from (r for r in fitting if scene.receptacle_location[r] in near)
    elsewhere = [r for r in fitting if scene.receptacle_location[r] not in near]
    yield from sorted(elsewhere, key=lambda r: not engine.is_accessible(r))[:1]


def _distinct(engine: Engine, items: tuple[int, ...], at_most: int) -> tuple[int, ...]:
    """Return the items without those that are interchangeable with `at_most` others: same place, same states."""
    seen: dict[tuple[object, ...], int] = {}
    kept = []
    for item in items:
        key = (engine.held == item, tuple(_holders(engine, item)), engine.states[item])
        seen[key] = seen.get(key, 0) + 1
        if seen[key] <= at_most:
            kept.append(item)
    return tuple(kept)


def _distinct_destinations(engine: Engine, items: tuple[int, ...], needed: int) -> list[int]:
    """Return the destinations without those interchangeable with another: no visit to them could save a step."""
    scene, places = engine.scene, engine.scene.receptacle_location
    marked = {engine.location} | {places[r] for item in items for r in _holders(engine, item)}
    marked |= {places[r] for verb, _, _ in _TRANSFORMS for r, fits in enumerate(scene.tools[verb]) if fits}
    if needed & SLICED:
        blades = [o for o, is_blade in enumerate(scene.blades) if is_blade]
        marked |= {places[r] for item in blades for r in _holders(engine, item)}
    if engine.held != NOTHING:  # dropping what is held may coincide with the visit
        marked |= {places[r] for r in scene.target_receptacles if scene.object_types[engine.held] in scene.accepts[r]}
    seen = set()
    kept = []
    for r in scene.target_receptacles:
        place = places[r]
        key = (engine.is_accessible(r), place if place in marked else NOWHERE)
        if place != NOWHERE and (key[1] != NOWHERE or key not in seen):
            seen.add(key)
            kept.append(r)
    return kept


def _holders(engine: Engine, item: int) -> list[int]:
    return [r for r, inside in enumerate(engine.contents) if item in inside]


def _state(engine: Engine, assignment: Assignment) -> State:
    return State(
        location=engine.location,
        held=assignment.items.index(engine.held) if engine.held != NOTHING else NOTHING,
        opened=frozenset(r for r in assignment.receptacles if engine.is_accessible(r)),
        inside=tuple(tuple(_holders(engine, item)) for item in assignment.items),
        states=tuple(engine.states[item] for item in assignment.items),
    )


# --- search


def _reached(scene: Scene, assignment: Assignment, state: State) -> bool:
    if assignment.destination == NOWHERE:
        lit = state.states[1] & TOGGLED and any(scene.receptacle_location[r] == state.location for r in state.inside[1])
        return state.held == 0 and bool(lit)
    return all(
        assignment.destination in state.inside[i] and state.states[i] & assignment.needed == assignment.needed
        for i in range(assignment.n_targets)
    )


def _estimate(scene: Scene, assignment: Assignment, state: State) -> int:
    """Return a number of steps that no plan from here undercuts."""
    if assignment.destination == NOWHERE:
        return _look_estimate(scene, state)
    goal_place, visits = scene.receptacle_location[assignment.destination], set[int]()
    steps, arrivals, to_slice, to_put = 0, 0, False, False
    for i in range(assignment.n_targets):
        missing = assignment.needed & ~state.states[i]
        if missing or assignment.destination not in state.inside[i]:
            if missing == SLICED and assignment.destination in state.inside[i]:  # sliced where it lies
                steps, to_slice = steps + 1, True
                continue
            own_steps, own_visits = _target_estimate(scene, state, i, missing)
            steps, to_put = steps + own_steps, True
            visits |= own_visits
            # It must be carried to the destination from elsewhere: one arrival there for each such object.
            arrivals += bool(own_visits - {goal_place}) or (state.held == i and state.location != goal_place)
            to_slice = to_slice or bool(missing & SLICED)
    if not steps:
        return 0
    steps += to_put and assignment.destination not in state.opened
    if to_slice and state.held != assignment.blade:
        steps += 1  # taking the blade, which need not be put down again where slicing comes last
        if len(state.inside[assignment.blade]) == 1:
            visits.add(scene.receptacle_location[state.inside[assignment.blade][0]])
    if state.held >= assignment.n_targets and not (to_slice and state.held == assignment.blade):
        steps += 1  # the hand must be freed first
    return steps + len(visits - {goal_place, state.location}) + arrivals


def _target_estimate(scene: Scene, state: State, i: int, missing: int) -> tuple[int, set[int]]:
    """Return the steps one target still needs, moves apart, and the places that must be visited for it."""
    places, inside = scene.receptacle_location, state.inside[i]
    steps = 1 + missing.bit_count()  # putting it there, and each state it lacks
    visits = set[int]()
    if state.held != i:
        steps += 1
        if len(inside) == 1:
            steps += inside[0] not in state.opened
            visits.add(places[inside[0]])
    for verb, bit, _ in _TRANSFORMS:
        if missing & bit:
            tools = [places[r] for r, fits in enumerate(scene.tools[verb]) if fits]
            if len(tools) == 1:
                visits.add(tools[0])
    return steps, visits


def _look_estimate(scene: Scene, state: State) -> int:
    places, steps = scene.receptacle_location, int(not state.states[1] & TOGGLED)
    lamp_place = places[state.inside[1][0]] if len(state.inside[1]) == 1 else state.location
    if state.held == 0:
        return steps + (state.location != lamp_place)
    steps += 1 + (state.held != NOTHING)
    if len(state.inside[0]) != 1:
        return steps
    source = state.inside[0][0]
    steps += source not in state.opened
    if places[source] == lamp_place:
        return steps + (state.location != lamp_place)
    return steps + 1 + (state.location != places[source])


def _moves(scene: Scene, assignment: Assignment, state: State) -> Iterator[tuple[str, State]]:
    """Yield the commands worth trying in a state, each with the state it leads to."""
    names, places = scene.receptacle_names, scene.receptacle_location
    here = [r for r in assignment.receptacles if places[r] == state.location]
    for place in assignment.places:
        if place != state.location:
            face = min(
                (r for r in assignment.receptacles if places[r] == place),
                key=lambda r: (not any(r in inside for inside in state.inside), r != assignment.destination, r),
            )
            yield f"go to {names[face]}", state._replace(location=place)
    for r in here:
        if r not in state.opened:
            yield f"open {names[r]}", state._replace(opened=state.opened | {r})
    if state.held == NOTHING:
        yield from _takes(scene, assignment, state, here)
    else:
        yield from _uses_of_hand(scene, assignment, state, here)
    is_dark = assignment.destination == NOWHERE and not state.states[1] & TOGGLED
    if is_dark and any(places[r] == state.location for r in state.inside[1]):
        states = _with(state.states, 1, state.states[1] | TOGGLED)
        yield f"use {scene.object_names[assignment.items[1]]}", state._replace(states=states)


def _takes(scene: Scene, assignment: Assignment, state: State, here: list[int]) -> Iterator[tuple[str, State]]:
    for i, item in enumerate(assignment.items):
        for r in here:
            if r in state.inside[i] and r in state.opened and scene.pickupable[item]:
                left = tuple(holder for holder in state.inside[i] if holder != r)
                command = f"take {scene.object_names[item]} from {scene.receptacle_names[r]}"
                yield command, state._replace(held=i, inside=_with(state.inside, i, left))


def _uses_of_hand(scene: Scene, assignment: Assignment, state: State, here: list[int]) -> Iterator[tuple[str, State]]:
    i, item = state.held, assignment.items[state.held]
    name, put = scene.object_names[item], _put_command(scene)
    for r in here:
        if r in state.opened and scene.object_types[item] in scene.accepts[r]:
            inside = _with(state.inside, i, tuple(sorted({*state.inside[i], r})))
            yield put(name, scene.receptacle_names[r]), state._replace(held=NOTHING, inside=inside)
        for verb, gained, lost in _TRANSFORMS:
            if assignment.needed & gained and scene.tools[verb][r] and scene.transforms[verb][item]:
                states = _with(state.states, i, (state.states[i] | gained) & ~lost)
                yield f"{verb} {name} with {scene.receptacle_names[r]}", state._replace(states=states)
    if i == assignment.blade:
        for target in range(assignment.n_targets):
            if any(scene.receptacle_location[r] == state.location for r in state.inside[target]):
                states = _with(state.states, target, state.states[target] | SLICED)
                yield f"slice {scene.object_names[assignment.items[target]]} with {name}", state._replace(states=states)


def _put_command(scene: Scene) -> Callable[[str, str], str]:
    if scene.dialect is Dialect.V04:
        return lambda item, receptacle: f"move {item} to {receptacle}"
    return lambda item, receptacle: f"put {item} in/on {receptacle}"


def _with(values: tuple[T, ...], index: int, value: T) -> tuple[T, ...]:
    return (*values[:index], value, *values[index + 1 :])
