"""Protocols: what a study on the board must consist of, as frozen data.

A protocol is a JSON file in the folder `protocols` beside this module. It names a suite with its hash and says of each
cell what it is called in tables; which roles a study must fill, each with how many training seeds; which checkpoint of
a training counts; how is decoded and how often a level is played. What stands in no protocol, such as the model, the
prompt, the algorithm and its settings, is the submitter's choice, and recorded.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib import resources
from typing import Any, Literal

from agentgen_bench.checks import chosen
from agentgen_bench.errors import SpecError
from agentgen_bench.evaluation.fresh import fresh_suite
from agentgen_bench.evaluation.plan import Plan
from agentgen_bench.scores.study import Condition, Study
from agentgen_bench.suites import Suite, load_suite

Kind = Literal["transfer", "difficulty", "sequence", "lifecycle"]


@dataclass(frozen=True, slots=True)
class Protocol:
    """A frozen protocol; `hash` is the SHA-256 of its file.

    Args:
        name: also the folder of its entries on the board.
        kind: which table its studies are in.
        description: one line.
        suite: the suite that every run plays.
        labels: what each cell of the suite is called, family first: `Sokoban starter`.
        roles: each must be filled.
        optional: may be filled too, with as many seeds as the others.
        groups: of these at least one must be filled, as a whole; where the question is difficulty, runs play the cells
            of its families only.
        stages: families of which each is one stage, in any order; empty: no sequence.
        seeds: trainings of each role but the initial one, at least.
        checkpoints: of each training, the last ones count.
        repeats: how often each level is played.
        temperature: of decoding; 0: greedy.
        hash: of the file.
    """

    name: str
    kind: Kind
    description: str
    suite: Suite
    labels: tuple[str, ...]
    roles: tuple[Condition, ...]
    optional: tuple[Condition, ...]
    groups: tuple[tuple[Condition, ...], ...]
    stages: tuple[str, ...]
    seeds: int
    checkpoints: int
    repeats: int
    temperature: float
    hash: str

    def cells_for(self, families: Iterable[str]) -> Suite:
        """Return the suite of a study that trains on these families: all of it, or of difficulties theirs."""
        wanted = set(families)
        if self.kind != "difficulty" or not wanted:
            return self.suite
        cells = tuple(cell for cell in self.suite.cells if cell.spec.family in wanted)
        return Suite(self.suite.name, self.suite.description, cells, self.suite.hash)

    def plan_for(self, families: Iterable[str]) -> Plan:
        """Return what each run of such a study plays."""
        return Plan(self.suite.name, self.suite.hash, self.cells_for(families).cells, self.repeats)

    def on_fresh_levels(self, text: str) -> "Protocol":
        """Return the protocol on levels that a text draws for its settings; those whose levels are a list are left out.

        Raises:
            SpecError: the text draws no suite.
        """
        drawn = fresh_suite(self.suite, text)
        kept = {cell.spec for cell in drawn.cells}
        labels = (name for name, cell in zip(self.labels, self.suite.cells, strict=True) if cell.spec in kept)
        return replace(self, suite=drawn, labels=tuple(labels))

    def label(self, spec: Mapping[str, Any]) -> str | None:
        """Return what the cell of a spec in JSON form is called; None where it is none of the suite's."""
        for name, cell in zip(self.labels, self.suite.cells, strict=True):
            if cell.spec.to_json() == spec:
                return name
        return None

    def missing(self, study: Study) -> list[str]:
        """Return a line for each role, stage or training seed that a study lacks, and each run without a place."""
        lines = [line for role in self.roles for line in self._lacks(study, role)]
        lines += [line for role in self.optional if role in study.conditions for line in self._lacks(study, role)]
        lines += self._missing_group(study)
        if self.stages and study.stages:
            sources = [str(stage.source) for stage in study.stages]
            if sorted(sources) != sorted(self.stages):
                lines.append(
                    f"its stages are {', '.join(sources)}; {self.name} has each of {', '.join(self.stages)} once"
                )
            lines += [line for stage in study.stages for line in self._lacks(study, stage)]
        elif self.stages:
            lines.append(f"it has no stages; {self.name} has one for each of {', '.join(self.stages)}")
        return [*lines, *self._strange(study)]

    def _lacks(self, study: Study, role: Condition) -> list[str]:
        runs = study.conditions.get(role, [])
        if not runs:
            return [f"the role {role.label!r} is missing"]
        if role.role == "initial":  # a weaker one beside it would make every gain larger
            folders = [folder for run in runs for folder in (run.run, *run.also)]
            named = f"{role.label!r} is {len(folders)} policies ({', '.join(folders)})"
            return [] if len(folders) == 1 else [f"{named}; all trainings of {self.name} start from one"]
        if len(runs) < self.seeds:
            return [f"{role.label!r} has {len(runs)} training seeds; {self.name} asks for {self.seeds}"]
        return [
            f"{run.run} has {1 + len(run.also)} checkpoints; {self.name} counts {self.checkpoints}"
            for run in runs
            if 1 + len(run.also) != self.checkpoints
        ]

    def _missing_group(self, study: Study) -> list[str]:
        begun = [group for group in self.groups if any(role in study.conditions for role in group)]
        if self.groups and not begun:
            first = ", ".join(repr(role.label) for role in self.groups[0])
            return [f"no group of roles is filled; {self.name} asks for at least one, such as {first}"]
        return [line for group in begun for role in group for line in self._lacks(study, role)]

    def _strange(self, study: Study) -> list[str]:
        known = {*self.roles, *self.optional, *(role for group in self.groups for role in group)}
        return [
            f"{run.run} is {run.condition.label!r}, which is no role of {self.name}"
            for run in study.runs
            if run.condition not in known and not (self.stages and run.role == "stage")
        ]


def protocol_names() -> list[str]:
    """Return the names of all protocols, sorted."""
    return sorted(entry.name.removesuffix(".json") for entry in _folder().iterdir() if entry.name.endswith(".json"))


def is_protocol(name: str) -> bool:
    """Return whether there is a protocol of that name."""
    return name in protocol_names()


def load_protocol(name: str) -> Protocol:
    """Return the protocol of that name.

    Raises:
        SpecError: there is none, or its suite is another than the one it was frozen with.
    """
    file = _folder() / f"{chosen('protocol', name, protocol_names())}.json"
    return protocol_from_text(name, file.read_text(encoding="utf-8"))


def protocol_from_text(name: str, text: str, suite: Suite | None = None) -> Protocol:
    """Return the protocol written by `protocol_text`; `suite` stands for the shipped one of its name."""
    data = json.loads(text)
    suite = load_suite(data["suite"]) if suite is None else suite
    if suite.hash != data["suite_hash"]:
        raise SpecError(f"{name} was frozen with {suite.name} {data['suite_hash'][:12]}, here it is {suite.hash[:12]}")
    return Protocol(
        name=name,
        kind=data["kind"],
        description=data["description"],
        suite=suite,
        labels=tuple(data["labels"]),
        roles=tuple(map(_role, data["roles"])),
        optional=tuple(map(_role, data.get("optional", ()))),  # not in those that were frozen first
        groups=tuple(tuple(map(_role, group)) for group in data["groups"]),
        stages=tuple(data["stages"]),
        seeds=data["seeds"],
        checkpoints=data["checkpoints"],
        repeats=data["repeats"],
        temperature=data["temperature"],
        hash=hashlib.sha256(text.encode()).hexdigest(),
    )


def protocol_text(
    kind: Kind,
    description: str,
    suite: Suite,
    labels: Sequence[str],
    *,
    roles: Sequence[Condition],
    optional: Sequence[Condition] = (),
    groups: Sequence[Sequence[Condition]] = (),
    stages: Sequence[str] = (),
    seeds: int = 3,
    checkpoints: int = 1,
    repeats: int = 1,
    temperature: float,
) -> str:
    """Return the content of a protocol's file."""
    data = {
        "kind": kind,
        "description": description,
        "suite": suite.name,
        "suite_hash": suite.hash,
        "labels": list(labels),
        "roles": [_role_json(role) for role in roles],
        **({"optional": [_role_json(role) for role in optional]} if optional else {}),
        "groups": [[_role_json(role) for role in group] for group in groups],
        "stages": list(stages),
        "seeds": seeds,
        "checkpoints": checkpoints,
        "repeats": repeats,
        "temperature": temperature,
    }
    return json.dumps(data, indent=1) + "\n"


def _folder() -> Any:
    return resources.files("agentgen_bench.evaluation") / "protocols"


def _role(data: Mapping[str, Any]) -> Condition:
    return Condition(**data)


def _role_json(role: Condition) -> dict[str, object]:
    return {name: value for name, value in role._asdict().items() if value not in (None, False)}
