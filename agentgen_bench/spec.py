"""TaskSpec: everything that decides an environment, convertible to an env id with kwargs, and to JSON."""

import json
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from agentgen_bench import families
from agentgen_bench.checks import checked_mapping, chosen
from agentgen_bench.errors import SpecError
from agentgen_bench.knobs import PACKS, WRAPPER_DEFAULTS, WRITTEN_WHERE_ON, SpecJson
from agentgen_bench.text import Richness

NAMESPACE = "AgentGen"
NEWEST = -1  # stands for the family's newest version that is here; of a family that is not here, version 0

Knob = str | int | float | bool | None | tuple[Any, ...]

Preset = TypeVar("Preset")

_ENV_ID = re.compile(
    rf"(?:agentgen_bench:)?{NAMESPACE}/(?P<family>\w+?)(?:-(?P<richness>[a-z]+))?-v(?P<version>\d{{1,9}})"
)


def _check_name(name: str, value: Any, kind: type | None = None) -> None:
    if not isinstance(value, str if kind is None else (str, kind)) or value == "":
        wanted = "a name" if kind is None else f"a name or a {kind.__name__}"
        raise SpecError(f"{name} is {value!r}; give {wanted}")


def _check_integer(name: str, value: Any, high: int | None = None, low: int = 0) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or value < low or (high is not None and value > high):
        wanted = f"an integer from {low}" if high is None else f"an integer from {low} to {high}"
        raise SpecError(f"{name} {value!r} is out of range; choose {wanted}")


ALIASES = ("original", "synonym", "opaque")
MAX_VOLUME = 1000


@dataclass(frozen=True, slots=True)
class DistractorSpec:
    """Explicit distractor settings: kind, volume, probability that an episode has them, seed of their text."""

    kind: str = "contextual"
    volume: int = 80
    probability: float = 1.0
    seed: int = 0

    def __post_init__(self) -> None:
        """Raise SpecError for a kind that is no name or a number out of range."""
        _check_name("distractor kind", self.kind)
        _check_integer("distractor volume", self.volume, MAX_VOLUME)
        _check_integer("distractor seed", self.seed)
        number = isinstance(self.probability, (int, float)) and not isinstance(self.probability, bool)
        if not number or not 0 <= self.probability <= 1:
            raise SpecError(f"distractor probability {self.probability!r} is out of range; choose a number in [0, 1]")


@dataclass(frozen=True, slots=True)
class InterfaceSpec:
    """Explicit interface settings: which aliases replace the action words, and the seed of their permutation.

    `accepts` says which names are actions: the `aliases` alone, or `both` aliases and originals.
    """

    aliases: str = "original"
    seed: int = 0
    accepts: str = "aliases"

    def __post_init__(self) -> None:
        """Raise SpecError for a scheme that is no name or a seed that is none."""
        _check_name("aliases", self.aliases)
        _check_integer("interface seed", self.seed)
        _check_name("accepts", self.accepts)


INTERFACE_PRESETS = {f"{aliases}-both": InterfaceSpec(aliases, accepts="both") for aliases in ("synonym", "opaque")}
INTERFACES = (*ALIASES, *INTERFACE_PRESETS)
ACCEPTS = ("aliases", "both")


MIN_IRRELEVANT = 4  # tasks, of which one in so many is irrelevant
UPDATES = ("note", "episode")
MAX_PACK = 100
MAX_CONTEXT_CHARS, MAX_TRAJECTORY_CHARS = 8192, 65_536


@dataclass(frozen=True, slots=True)
class LifecycleSpec:
    """A pack: how many tasks an episode holds, what is kept from one to the next, and whether all share one fact.

    `context` is "kept" (the agent's note), "wiped" (nothing) or "told" (each task is headed by what the fact is).
    `stream` is "same", "irrelevant" (one task in four has no fact) or "changing" (another fact from the middle on).

    `update` says how the context comes about: "note" (a step after each task, in the same prompt) or "episode" (each
    task is a solve episode of its own, with an update episode after it). `strategy` says which levels the tasks are:
    "cod" different ones, "ralph_full" level n of the split again and again in pack n, "ralph_sample" the first level of
    the pack that "cod" plays under the same number. A context of an update episode has at most `context_chars`
    characters, the task as it was played is shown in at most `trajectory_chars`.
    """

    tasks: int = 4
    context: str = "kept"
    stream: str = "same"
    update: str = "note"
    strategy: str = "cod"
    context_chars: int = 2000
    trajectory_chars: int = 8000

    def __post_init__(self) -> None:
        """Raise SpecError for a pack of fewer than two tasks, of four for an irrelevant one, or what is no name."""
        if isinstance(self.tasks, bool) or not isinstance(self.tasks, int) or not 2 <= self.tasks <= MAX_PACK:
            raise SpecError(f"pack of {self.tasks!r} tasks is out of range; choose an integer from 2 to {MAX_PACK}")
        _check_name("context", self.context)
        _check_name("stream", self.stream)
        _check_name("update", self.update)
        _check_name("strategy", self.strategy)
        _check_integer("context_chars", self.context_chars, MAX_CONTEXT_CHARS, 1)
        _check_integer("trajectory_chars", self.trajectory_chars, MAX_TRAJECTORY_CHARS, 1)
        if self.stream == "irrelevant" and self.tasks < MIN_IRRELEVANT:
            raise SpecError(
                f"pack of {self.tasks} tasks is too small for an irrelevant one between others; "
                f"choose at least {MIN_IRRELEVANT}"
            )
        if self.stream != "same" and self.strategy != "cod":
            raise SpecError(
                f"the stream {self.stream!r} changes the fact between tasks, and the strategy {self.strategy!r} plays "
                "one task again and again; choose the stream 'same', or the strategy 'cod'"
            )


LIFECYCLE_PRESETS = {name: LifecycleSpec(**fields) for name, fields in PACKS.items()}


FAULTS = ("action", "late", "repeated", "observation", "mixed")
MAX_RATE = 0.5


@dataclass(frozen=True, slots=True)
class FaultSpec:
    """Explicit faults: what fails, the share of the steps that are struck, and the seed of which ones."""

    kind: str = "mixed"
    rate: float = 0.1
    seed: int = 0

    def __post_init__(self) -> None:
        """Raise SpecError for a kind that is no name or a number out of range."""
        _check_name("fault kind", self.kind)
        _check_integer("fault seed", self.seed)
        number = isinstance(self.rate, (int, float)) and not isinstance(self.rate, bool)
        if not number or not 0 <= self.rate <= MAX_RATE:
            raise SpecError(f"fault rate {self.rate!r} is out of range; choose a number in [0, {MAX_RATE}]")


FAULT_PRESETS = {
    "actions-v1": FaultSpec("action", 0.1),
    "observations-v1": FaultSpec("observation", 0.1),
    "mixed-v1": FaultSpec("mixed", 0.1),
}


class DistractorPreset(NamedTuple):
    """What a preset says of every family; a volume of None is the family's own for that preset."""

    kind: str
    probability: float
    volume: int | None


# arXiv 2601.18217, appendix C, gives volumes for three families: V1 in every episode, V2 in half of them.
DISTRACTOR_PRESETS = {
    "paper-v1": DistractorPreset("contextual", 1.0, None),
    "paper-v2": DistractorPreset("contextual", 0.5, None),
    "cross-env-v1": DistractorPreset("cross_env", 1.0, 100),
}


@dataclass(frozen=True, slots=True)
class TaskSpec:
    """One environment setting. Together with an integer seed it decides an episode's level and text, byte for byte.

    It may name a version or family that is not here, and presets that only another release knows: records and suites
    do. `make` refuses what it cannot make.

    `knobs` are the family's own constructor arguments (a Sokoban `size`, a WebShop `n_options`), kept sorted by name.
    `distractors` is a preset's name, `"none"` or a DistractorSpec; `interface` an alias scheme's name or an
    InterfaceSpec; `lifecycle` a preset's name, `"none"` or a LifecycleSpec, and then each pack draws its own naming of
    the actions and its own fact of the world (the family's knob `fact`), which is what its tasks share; `faults` a
    preset's name, `"none"` or a FaultSpec.
    """

    family: str
    richness: Richness = Richness.BASE
    difficulty: str = "easy"
    split: str = "train"
    knobs: tuple[tuple[str, Knob], ...] = ()
    distractors: str | DistractorSpec = "none"
    interface: str | InterfaceSpec = "original"
    lifecycle: str | LifecycleSpec = "none"
    version: int = NEWEST
    faults: str | FaultSpec = "none"

    if TYPE_CHECKING:  # what may be given is more than what is kept: `richness="rich"`

        def __init__(
            self,
            family: str,
            richness: str | int | Richness = Richness.BASE,
            difficulty: str = "easy",
            split: str = "train",
            knobs: Iterable[tuple[str, Knob | list[Any] | os.PathLike[str]]] = (),
            distractors: str | DistractorSpec = "none",
            interface: str | InterfaceSpec = "original",
            lifecycle: str | LifecycleSpec = "none",
            version: int = NEWEST,
            faults: str | FaultSpec = "none",
        ) -> None: ...

    def __post_init__(self) -> None:
        """Bring richness, knobs and version into their one normal form; whether it can be made, `make` finds out."""
        for name in ("family", "difficulty", "split"):
            _check_name(name, getattr(self, name))
        object.__setattr__(self, "richness", Richness.parse(self.richness))
        object.__setattr__(self, "knobs", tuple(sorted((name, _frozen(value)) for name, value in self.knobs)))
        self._check_knob_names()
        if self.version == NEWEST:
            known = families.is_known(self.family)
            object.__setattr__(self, "version", families.family(self.family).current if known else 0)
        _check_integer("version", self.version)
        _check_name("distractors", self.distractors, DistractorSpec)
        _check_name("interface", self.interface, InterfaceSpec)
        _check_name("lifecycle", self.lifecycle, LifecycleSpec)
        _check_name("faults", self.faults, FaultSpec)
        if self.lifecycle != "none":
            self._check_pack()

    def _check_knob_names(self) -> None:
        """Raise SpecError for a field among the knobs: the family would take it, and the setting say something else."""
        mistaken = sorted({field.name for field in fields(self)} & {name for name, _ in self.knobs})
        if mistaken:
            raise SpecError(
                f"{mistaken[0]!r} is a field of the setting and no knob of the family; the id says family, richness "
                "and version, the rest have options and arguments of their own"
            )

    def _check_pack(self) -> None:
        """Raise SpecError for a pack whose tasks share nothing, or less than it says."""
        if self.fact != "none":
            return
        if self.interface_spec is None:
            raise SpecError(
                f"the tasks of a pack share the names of the actions, which the interface {self.interface!r} leaves as "
                "they are; choose the interface synonym or opaque, or the family's knob fact"
            )
        if self.interface_spec.accepts == "both":
            raise SpecError(
                "the tasks of a pack share names that the agent has to learn, and one that accepts both names "
                "leaves nothing to learn; choose the interface synonym or opaque, or the family's knob fact"
            )
        known = isinstance(self.lifecycle, LifecycleSpec) or self.lifecycle in LIFECYCLE_PRESETS
        pack = self.lifecycle_spec if known else None
        if pack is not None and (pack.context == "told" or pack.stream != "same"):
            raise SpecError(
                f"the context 'told' and the streams irrelevant and changing are about a fact, and {self.family} plays "
                "without one; choose the family's knob fact, or context kept or wiped with stream 'same'"
            )

    @property
    def fact(self) -> str:
        """What the family's knob `fact` says; `none` where it is not given."""
        return str(dict(self.knobs).get("fact", "none"))

    @property
    def env_id(self) -> str:
        """The registered Gymnasium id, such as `AgentGen/Sokoban-rich-v0`."""
        return f"{NAMESPACE}/{self.family}-{self.richness.label}-v{self.version}"

    @property
    def kwargs(self) -> dict[str, Any]:
        """Keyword arguments for `gym.make(spec.env_id, **spec.kwargs)`; of the wrappers those that are on."""
        wrappers = {name: _wrapper_json(getattr(self, name)) for name in WRAPPER_DEFAULTS}
        chosen_ones = {name: value for name, value in wrappers.items() if value != WRAPPER_DEFAULTS[name]}
        return {"difficulty": self.difficulty, "split": self.split, **dict(self.knobs), **chosen_ones}

    @property
    def distractor_spec(self) -> DistractorSpec | None:
        """What the distractors of this family are in full, with presets looked up; None where nothing is added.

        Raises:
            SpecError: no such preset, or the family is not here or gives no volume for it.
        """
        chosen = self.distractors
        if isinstance(chosen, str):
            if chosen == "none":
                return None
            preset = _preset("distractors", chosen, DISTRACTOR_PRESETS)
            volume = self._own_volume(chosen) if preset.volume is None else preset.volume
            chosen = DistractorSpec(preset.kind, volume, preset.probability)
        return chosen if chosen.volume and chosen.probability else None

    def _own_volume(self, preset: str) -> int:
        volumes = families.family(self.family).volumes
        if preset not in volumes:
            raise SpecError(f"{self.family} gives no volume for the distractors {preset!r}; choose a DistractorSpec")
        return volumes[preset]

    @property
    def interface_spec(self) -> InterfaceSpec | None:
        """What the interface is in full; None where the actions keep their own words."""
        chosen = self.interface
        if isinstance(chosen, str):
            chosen = INTERFACE_PRESETS.get(chosen, InterfaceSpec(chosen))
        return None if chosen.aliases == "original" else chosen

    @property
    def lifecycle_spec(self) -> LifecycleSpec | None:
        """What the pack is in full; None where an episode is one task. Raises SpecError for an unknown preset."""
        if isinstance(self.lifecycle, LifecycleSpec):
            return self.lifecycle
        return None if self.lifecycle == "none" else _preset("lifecycle", self.lifecycle, LIFECYCLE_PRESETS)

    @property
    def fault_spec(self) -> FaultSpec | None:
        """What the faults are in full: of a preset, or of `kind:rate`, such as `action:0.2`; None where nothing fails.

        Raises:
            SpecError: an unknown preset, or a rate out of range.
        """
        chosen = self.faults
        if isinstance(chosen, str):
            if chosen == "none":
                return None
            kind, colon, rate = chosen.partition(":")
            chosen = FaultSpec(kind, _rate(rate)) if colon else _preset("faults", chosen, FAULT_PRESETS)
        return chosen if chosen.rate else None

    @classmethod
    def from_env_id(cls, env_id: str, /, **knobs: Any) -> "TaskSpec":
        """Return the spec of a registered id and keyword arguments (any field of TaskSpec, or a family's knob).

        Raises:
            SpecError: no such id, a value that there cannot be, or another richness than the id names.
        """
        match = _ENV_ID.fullmatch(env_id) if isinstance(env_id, str) else None
        if match is None:
            raise SpecError(f"unknown environment id {env_id!r:.100}; ids look like '{NAMESPACE}/Sokoban-rich-v0'")
        given = {"richness": match["richness"] or Richness.BASE, **knobs}
        if match["richness"] and Richness.parse(given["richness"]) != Richness.parse(match["richness"]):
            raise SpecError(f"{env_id} names its richness, got richness={knobs['richness']!r} too; leave one out")
        return cls.of(match["family"], int(match["version"]), **given)

    @classmethod
    def of(cls, family: str, version: int = NEWEST, /, **settings: Any) -> "TaskSpec":
        """Return the spec of a family and keyword arguments; a wrapper's may be a mapping, as `to_json` writes it."""
        own = {f.name for f in fields(cls)} - {"knobs", "family", "version"}
        fitting = {name: settings.pop(name) for name in sorted(own & settings.keys())}
        for name, kind in _WRAPPER_SPECS.items():
            if isinstance(fitting.get(name), Mapping):
                fitting[name] = _wrapper_from_json(fitting[name], kind)
        return cls(family=family, version=version, knobs=tuple(settings.items()), **fitting)

    def with_(self, /, **changes: Any) -> "TaskSpec":
        """Return a copy with the named fields replaced; `spec.with_(richness="rich")` is its paired view.

        A name that is no field is a knob of the family, and goes beside those that the spec has: `spec.with_(size=8)`.
        """
        given = {name: changes.pop(name) for name in sorted(changes.keys() - {f.name for f in fields(self)})}
        if given:
            changes["knobs"] = tuple({**dict(changes.get("knobs", self.knobs)), **given}.items())
        return replace(self, **changes)

    def to_json(self) -> SpecJson:
        """Return a plain dictionary from which `from_json` rebuilds an equal spec; some wrappers only where on."""
        data: SpecJson = {
            "env_id": self.env_id,
            "difficulty": self.difficulty,
            "split": self.split,
            "knobs": {name: _thawed(value) for name, value in self.knobs},
            "distractors": _wrapper_json(self.distractors),
            "interface": _wrapper_json(self.interface),
        }
        if self.lifecycle != WRAPPER_DEFAULTS["lifecycle"]:
            data["lifecycle"] = _wrapper_json(self.lifecycle)
        if self.faults != WRAPPER_DEFAULTS["faults"]:
            data["faults"] = _wrapper_json(self.faults)
        return data

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "TaskSpec":
        """Return the spec written by `to_json`; raises SpecError on unknown or missing keys."""
        expected = {"env_id", "difficulty", "split", "knobs", "distractors", "interface"}
        if not isinstance(data, Mapping) or set(data) - {*WRITTEN_WHERE_ON} != expected:
            got = sorted(map(str, data)) if isinstance(data, Mapping) else type(data).__name__
            raise SpecError(f"not a task spec: expected the keys {sorted(expected)}, got {got}")
        spec = cls.from_env_id(data["env_id"])
        return spec.with_(
            difficulty=data["difficulty"],
            split=data["split"],
            knobs=tuple(checked_mapping("not a task spec: its knobs", data["knobs"]).items()),
            distractors=_wrapper_from_json(data["distractors"], DistractorSpec),
            interface=_wrapper_from_json(data["interface"], InterfaceSpec),
            lifecycle=_wrapper_from_json(data.get("lifecycle", "none"), LifecycleSpec),
            faults=_wrapper_from_json(data.get("faults", "none"), FaultSpec),
        )

    @property
    def label(self) -> str:
        """A short name for tables: `Sokoban-base easy test`, with whatever differs from the defaults appended."""
        version = f"-v{self.version}" if self.version else ""
        parts = [f"{self.family}-{self.richness.label}{version}", self.difficulty, self.split]
        parts += [f"{name}={json.dumps(_thawed(value))}" for name, value in self.knobs]
        for name, default in WRAPPER_DEFAULTS.items():
            if getattr(self, name) != default:
                parts.append(f"{name}={json.dumps(_wrapper_json(getattr(self, name)))}")
        return " ".join(parts)


def _frozen(value: Any) -> Knob:
    """Return `value` with lists turned into tuples, so that a spec is hashable, and paths into strings."""
    if isinstance(value, os.PathLike):
        value = os.fspath(value)
    if isinstance(value, (list, tuple)):
        return tuple(_frozen(item) for item in value)
    if value is not None and not isinstance(value, (str, int, float, bool)):
        raise SpecError(f"a knob holds plain values only, got {value!r} of type {type(value).__name__}")
    return value


def _thawed(value: Knob) -> Any:
    return [_thawed(item) for item in value] if isinstance(value, tuple) else value


WrapperSpec = DistractorSpec | InterfaceSpec | LifecycleSpec | FaultSpec


def _wrapper_json(value: str | WrapperSpec) -> Any:
    if isinstance(value, str):
        return value
    data = {f.name: getattr(value, f.name) for f in fields(value)}
    return {name: setting for name, setting in data.items() if _LATER.get(name) != setting}


# By field: the value that records before there was the field have.
_LATER = {
    "accepts": "aliases",
    "stream": "same",
    "update": "note",
    "strategy": "cod",
    "context_chars": 2000,
    "trajectory_chars": 8000,
}


_WRAPPER_SPECS: dict[str, type[WrapperSpec]] = {
    "distractors": DistractorSpec,
    "interface": InterfaceSpec,
    "lifecycle": LifecycleSpec,
    "faults": FaultSpec,
}


def _wrapper_from_json(value: Any, kind: type[WrapperSpec]) -> Any:
    if isinstance(value, str):
        return value
    try:
        return kind(**value)
    except TypeError:
        raise SpecError(f"not a {kind.__name__}: {value!r}") from None


def _rate(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise SpecError(f"fault rate {text!r} is no number; write kind:rate, such as action:0.2") from None


def _preset(name: str, value: str, presets: Mapping[str, Preset]) -> Preset:
    return presets[value if value in presets else chosen(name, value, ("none", *presets))]
