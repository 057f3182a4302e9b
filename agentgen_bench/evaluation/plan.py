"""What a run plays: cells of a suite or of the command line, crossed with the knobs, times repeats."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypedDict

from agentgen_bench.errors import SpecError
from agentgen_bench.knobs import SpecJson
from agentgen_bench.rollout import Job
from agentgen_bench.spec import TaskSpec
from agentgen_bench.suites import Cell, Suite


class PlannedSuiteJson(TypedDict):
    """The suite that a plan plays."""

    name: str
    hash: str


class PlannedCellJson(TypedDict):
    """A setting of a plan, and its levels."""

    spec: SpecJson
    seeds: list[int]


class PlanJson(TypedDict):
    """A plan as manifests hold it; `suite` is None where the cells are no suite's."""

    suite: PlannedSuiteJson | None
    cells: list[PlannedCellJson]
    repeats: int


@dataclass(frozen=True, slots=True)
class Plan:
    """Episodes to play, in order. `suite_name` and `suite_hash` are None where the cells are not a suite's."""

    suite_name: str | None
    suite_hash: str | None
    cells: tuple[Cell, ...]
    repeats: int = 1

    def __post_init__(self) -> None:
        """Raise SpecError for a plan without episodes or with a cell twice."""
        if self.repeats < 1:
            raise SpecError(f"repeats={self.repeats} is out of range; choose 1 or more")
        if not any(cell.seeds for cell in self.cells):
            raise SpecError("the plan holds no episode; choose a suite, or an environment and at least 1 episode")
        specs = [cell.spec for cell in self.cells]
        if len(set(specs)) < len(specs):
            raise SpecError("the plan names the same environment setting twice")

    @property
    def n_episodes(self) -> int:
        """Number of episodes of the whole plan."""
        return self.repeats * sum(len(cell.seeds) for cell in self.cells)

    def plays_all_of(self, suite: Suite) -> bool:
        """Return whether the cells are a suite's as they are: all its levels, under no other knobs."""
        return [(cell.spec, cell.seeds) for cell in self.cells] == [(cell.spec, cell.seeds) for cell in suite.cells]

    def jobs(self) -> Iterator[Job]:
        """Yield the episodes in order: cell by cell, level by level, repeat by repeat."""
        for cell in self.cells:
            level_ids = cell.level_ids or (None,) * len(cell.seeds)
            for seed, level_id in zip(cell.seeds, level_ids, strict=True):
                for repeat in range(self.repeats):
                    yield Job(cell.spec, seed, repeat, level_id)

    def to_json(self) -> PlanJson:
        """Return what the manifest records."""
        suite: PlannedSuiteJson | None = None
        if self.suite_name is not None and self.suite_hash is not None:
            suite = {"name": self.suite_name, "hash": self.suite_hash}
        return {
            "suite": suite,
            "cells": [{"spec": cell.spec.to_json(), "seeds": list(cell.seeds)} for cell in self.cells],
            "repeats": self.repeats,
        }


def plan_from_json(data: PlanJson) -> Plan:
    """Return the plan a manifest records; level ids are not among it."""
    suite = data["suite"]
    cells = tuple(Cell(TaskSpec.from_json(cell["spec"]), tuple(cell["seeds"]), ()) for cell in data["cells"])
    name, suite_hash = (None, None) if suite is None else (suite["name"], suite["hash"])
    return Plan(name, suite_hash, cells, data["repeats"])


def suite_plan(suite: Suite, repeats: int = 1) -> Plan:
    """Return the plan that plays the suite as it is."""
    return Plan(suite.name, suite.hash, suite.cells, repeats)


def single_plan(specs: Sequence[TaskSpec], n_episodes: int, repeats: int = 1) -> Plan:
    """Return the plan that plays levels 0 to n_episodes - 1 of each setting.

    Raises:
        SpecError: one of them is no setting, such as an id, which leaves the split open.
    """
    for spec in specs:
        if not isinstance(spec, TaskSpec):
            raise SpecError(f"{spec!r} is no setting; give a TaskSpec, such as TaskSpec.from_env_id(ID, split='test')")
    return Plan(None, None, tuple(Cell(spec, tuple(range(n_episodes)), ()) for spec in specs), repeats)


def crossed(plan: Plan, **choices: Sequence[Any]) -> Plan:
    """Return the plan with each cell in every combination of the given spec fields, over the same levels.

    Richness, distractors, interface and faults leave the level alone, so the cells are paired. Choosing a difficulty,
    split or lifecycle changes the levels: the frozen level ids then no longer apply.
    """
    cells = plan.cells
    for name, values in choices.items():
        keeps_levels = name in ("richness", "distractors", "interface", "faults")
        cells = tuple(
            Cell(cell.spec.with_(**{name: value}), cell.seeds, cell.level_ids if keeps_levels else ())
            for cell in cells
            for value in values
        )
    return replace(plan, cells=tuple(dict.fromkeys(cells)))


def limited(plan: Plan, limit: int) -> Plan:
    """Return the plan with the first `limit` levels of each cell."""
    if limit < 1:
        raise SpecError(f"limit={limit} is out of range; choose 1 or more levels per environment setting")
    cells = tuple(Cell(cell.spec, cell.seeds[:limit], cell.level_ids[:limit]) for cell in plan.cells)
    return replace(plan, cells=cells)


def bare(spec: TaskSpec) -> TaskSpec:
    """Return the setting without what leaves its levels alone; the naming of the actions is part of a pack."""
    spec = spec.with_(richness="base", distractors="none")
    if spec.lifecycle_spec is None:
        return spec.with_(interface="original")
    return spec.with_(lifecycle=replace(spec.lifecycle_spec, context="kept"))
