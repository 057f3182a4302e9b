"""A study: which run is which. Roles are what the scores over several runs need to know about each.

    study: transfer
    runs:
      - {run: runs/start, role: initial}
      - {run: runs/sokoban-s0, role: trained, source: Sokoban, seed: 0}
      - {run: runs/sokoban-s1, role: trained, source: Sokoban, seed: 1}
      - {run: runs/sokoban-distracted, role: trained, source: Sokoban, augmented: true}
      - {run: runs/sokoban-easy, role: trained, source: Sokoban, difficulty: easy}
      - {run: runs/first, role: stage, stage: 1, source: Sokoban}
      - {run: runs/second, role: stage, stage: 2, source: WebShop}
      - {run: runs/mixture, role: joint}

`source` names a family. Several seeds of one role are training seeds of the same recipe. `also: [runs/a-130, ...]`
names runs of further checkpoints of the same training: their episodes count as repeats of the same levels, so that a
rate is the mean over the checkpoints. Runs that name one `grid` are one model under several harnesses. `health: [...]`
says what was wrong with the training, as a study writes it.
"""

import reprlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, NamedTuple, NotRequired, TypedDict, cast

from agentgen_bench.checks import chosen
from agentgen_bench.episodes import Episode
from agentgen_bench.errors import ScoreError
from agentgen_bench.yaml_text import plain_values

ROLES = {
    "initial": "before any training under study",
    "trained": "after training on one family (`source`)",
    "stage": "after stage number `stage` of a sequence, which trained on `source`",
    "joint": "after training on all families at once",
    "policy": "any other policy, scored for itself",
}


class Condition(NamedTuple):
    """What a run is, apart from its training seed."""

    role: str
    source: str | None = None
    difficulty: str | None = None
    stage: int | None = None
    augmented: bool = False
    name: str | None = None  # of a run with role "policy": each is a condition of its own

    @property
    def label(self) -> str:
        """The condition in words, for tables."""
        if self.role == "policy":
            return self.name or "policy"
        target = " ".join(part for part in (self.source, self.difficulty) if part)
        words = {"initial": "initial", "joint": "joint", "trained": f"trained on {target}"}
        text = words.get(self.role, f"stage {self.stage} ({target})")
        return f"{text}, augmented" if self.augmented else text


@dataclass(frozen=True, slots=True)
class StudyRun:
    """One run of a study."""

    run: str
    role: str = "policy"
    source: str | None = None
    difficulty: str | None = None
    stage: int | None = None
    augmented: bool = False
    seed: int = 0
    also: tuple[str, ...] = ()
    health: tuple[str, ...] = ()
    grid: str | None = None

    def __post_init__(self) -> None:
        """Check that the role has what it needs, and nothing that it has no use for."""
        chosen("role", self.role, ROLES, ScoreError, f"{self.run}: ")
        needs = {"trained": ("source",), "stage": ("source", "stage")}.get(self.role, ())
        takes = {"trained": ("difficulty", "augmented"), "stage": ("difficulty",)}.get(self.role, ())
        for name in needs:
            if getattr(self, name) is None:
                raise ScoreError(f"{self.run}: the role {self.role} needs {name!r}")
        for name in ("source", "difficulty", "stage", "augmented"):
            if getattr(self, name) and name not in (*needs, *takes):
                raise ScoreError(f"{self.run}: the role {self.role} takes no {name!r}")
        if self.stage is not None and self.stage < 1:
            raise ScoreError(f"{self.run}: stage {self.stage} is out of range; stages count from 1")

    @property
    def condition(self) -> Condition:
        """What the run is, apart from its seed."""
        name = self.run if self.role == "policy" else None
        return Condition(self.role, self.source, self.difficulty, self.stage, self.augmented, name)


class StudyRunJson(TypedDict):
    """A run as studies' files and entries hold it; what is not said is at its default."""

    run: str
    role: NotRequired[str]
    source: NotRequired[str | None]
    difficulty: NotRequired[str | None]
    stage: NotRequired[int | None]
    augmented: NotRequired[bool]
    seed: NotRequired[int]
    also: NotRequired[list[str]]
    health: NotRequired[list[str]]
    grid: NotRequired[str | None]


class StudyJson(TypedDict):
    """A study as its file and its entry hold it."""

    study: str
    runs: list[StudyRunJson]


@dataclass(frozen=True, slots=True)
class Study:
    """Runs with their roles; each (condition, seed) occurs once, stages count 1 to T without gaps."""

    name: str
    runs: tuple[StudyRun, ...]

    def __post_init__(self) -> None:
        """Check the runs against each other."""
        if not self.runs:
            raise ScoreError(f"the study {self.name!r} names no run")
        names = list(self.folders)
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ScoreError(f"{twice[0]} is named twice; a run has one role")
        seen: dict[tuple[Condition, int], str] = {}
        for run in self.runs:
            other = seen.setdefault((run.condition, run.seed), run.run)
            if other is not run.run:
                raise ScoreError(
                    f"{other} and {run.run} are both {run.condition.label!r} with seed {run.seed}; "
                    "give training seeds different numbers"
                )
        self._check_stages()

    def _check_stages(self) -> None:
        stages = self.stages
        numbers = [condition.stage for condition in stages]
        if numbers != list(range(1, len(numbers) + 1)):
            raise ScoreError(f"the stages are {numbers}; they count from 1 without gaps, one environment each")

    @property
    def folders(self) -> tuple[str, ...]:
        """The folders of all runs in order, each run followed by those of its other checkpoints."""
        return tuple(folder for run in self.runs for folder in (run.run, *run.also))

    def to_json(self) -> StudyJson:
        """Return plain values from which `study_from_data` reads the study again; what is not said is left out."""
        return {"study": self.name, "runs": [_run_json(run) for run in self.runs]}

    def by_run(self, played: Sequence[Sequence[Episode]]) -> dict[str, list[Episode]]:
        """Return the episodes of each run, those of its other checkpoints among them as further repeats.

        Args:
            played: the episodes of each of `folders`, in their order.
        """
        groups = iter(played)
        merged: dict[str, list[Episode]] = {}
        for run in self.runs:
            episodes = merged.setdefault(run.run, [])
            for _ in (run.run, *run.also):
                first = 1 + max((episode.repeat for episode in episodes), default=-1)
                own = next(groups)
                episodes += [replace(one, repeat=first + one.repeat) for one in own] if first else own
        return merged

    @property
    def conditions(self) -> dict[Condition, list[StudyRun]]:
        """The runs by condition, in the order of the study, each in order of its seeds."""
        groups: dict[Condition, list[StudyRun]] = {}
        for run in self.runs:
            groups.setdefault(run.condition, []).append(run)
        return {condition: sorted(runs, key=lambda run: run.seed) for condition, runs in groups.items()}

    @property
    def grids(self) -> dict[str, list[str]]:
        """The runs of each grid of harnesses."""
        names = dict.fromkeys(run.grid for run in self.runs if run.grid is not None)
        return {name: [run.run for run in self.runs if run.grid == name] for name in names}

    @property
    def stages(self) -> list[Condition]:
        """The conditions with role stage, in order."""
        return sorted((c for c in self.conditions if c.role == "stage"), key=lambda c: c.stage or 0)

    @property
    def unhealthy(self) -> list[str]:
        """What went wrong in the trainings behind the runs, `run: what`: these policies did not learn as asked."""
        return [f"{run.run}: {what}" for run in self.runs for what in run.health]

    def only(self, role: str) -> Condition | None:
        """Return the one condition of a role that a study has once, None where it has none."""
        return next((condition for condition in self.conditions if condition.role == role), None)

    def trained(self, augmented: bool = False) -> list[Condition]:
        """Return the conditions trained on one family at whatever difficulty, with or without augmentation."""
        return [c for c in self.conditions if c.role == "trained" and c.augmented == augmented and c.difficulty is None]


def _run_json(run: StudyRun) -> StudyRunJson:
    data = {field.name: getattr(run, field.name) for field in fields(run)}
    data |= {"also": list(run.also), "health": list(run.health)}
    kept = {name: value for name, value in data.items() if value not in (None, False, [])}
    return cast(StudyRunJson, kept if run.seed else {**kept, "seed": 0})


def read_study(text: str, origin: str = "study") -> Study:
    """Return the study written in YAML; `origin` names it in errors.

    Raises:
        ScoreError: not YAML, a key twice, or not of the form that this module's docstring shows.
    """
    return study_from_data(plain_values(text, origin, "a study is a name and a list of runs", ScoreError), origin)


def study_from_data(data: Any, origin: str) -> Study:
    """Return the study of parsed YAML; raises ScoreError as `read_study` does."""
    if not isinstance(data, Mapping) or set(data) != {"study", "runs"}:
        got = sorted(map(str, data)) if isinstance(data, Mapping) else type(data).__name__
        raise ScoreError(f"{origin} needs the keys study and runs, got {got}")
    if not isinstance(data["study"], str) or not isinstance(data["runs"], Sequence) or isinstance(data["runs"], str):
        raise ScoreError(f"{origin}: study is a name and runs is a list")
    return Study(data["study"], tuple(_study_run(entry, origin) for entry in data["runs"]))


def _study_run(entry: Any, origin: str) -> StudyRun:
    types: dict[str, type] = {
        "run": str,
        "role": str,
        "source": str,
        "difficulty": str,
        "stage": int,
        "augmented": bool,
        "seed": int,
        "also": list,
        "health": list,
        "grid": str,
    }
    if not isinstance(entry, Mapping) or "run" not in entry:
        raise ScoreError(f"{origin}: each entry of runs needs the key run, got {_short(entry)}")
    name = entry["run"] if isinstance(entry["run"], str) else _short(entry["run"])
    unknown = sorted(set(map(str, entry)) - {field.name for field in fields(StudyRun)})
    if unknown:
        raise ScoreError(f"{origin}: unknown key {unknown[0]!r} of {name}; keys are: {', '.join(types)}")
    for key, value in entry.items():
        if not isinstance(value, types[key]) or (isinstance(value, bool) and types[key] is not bool):
            raise ScoreError(f"{origin}: {key} of {name} is {_short(value)}, not of type {types[key].__name__}")
    also, health = entry.get("also", []), entry.get("health", [])
    for key, items, right in (("also", also, "run folders"), ("health", health, "texts")):
        if not all(isinstance(item, str) for item in items):
            raise ScoreError(f"{origin}: {key} of {name} is {_short(items)}, not a list of {right}")
    return StudyRun(**{**entry, "also": tuple(also), "health": tuple(health)})


def _short(value: Any) -> str:
    """Return a value as a message shows it: of a few lines of YAML aliases the whole text can be gigabytes."""
    cut = reprlib.Repr()
    cut.maxlevel, cut.maxlist, cut.maxdict = 2, 4, 4
    return cut.repr(value)
