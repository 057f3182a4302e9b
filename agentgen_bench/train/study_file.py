"""A study as one readable file: the initial policy, what is trained from it on what, how all are evaluated.

    study: transfer
    seeds: [0, 1, 2]
    initial: {model: PATH}                 # or: {make: {layers: 4}, levels: 2000, sft: {steps: 1000}}, and
                                           # demonstrator: NAME, where it shall not be each family's own
    prompt: {history_length: 2, thinking: true}
    environments:                          # names of your own for settings
      sokoban: {env: sokoban, difficulty: easy}
      webshop: {env: webshop}
    evaluation: {episodes: 500, temperature: 0.4}
    grpo: {preset: paper-2601.18217, steps: 150}
                                           # or, to train on demonstrations instead: cloning: {levels: 2000, sft: {...}}
    policies:
      - {name: on-sokoban, role: trained, train_on: sokoban}
      - {name: on-sokoban-noisy, role: trained, augmented: true, train_on: sokoban, with: {distractors: paper-v1}}
      - {name: stage-1, role: stage, train_on: sokoban}
      - {name: stage-2, role: stage, train_on: webshop, from: stage-1}
      - {name: both, role: joint, train_on: {sokoban: 1, webshop: 2}}

Roles are those of `agentgen-bench score --study`. Every policy is evaluated on every environment, on the test split;
with `evaluation: {checkpoints: 4}` its last four checkpoints are, and its rates are their mean.
`evaluation: {suite: transfer-v1}` names a frozen protocol (docs/studies.md): every run then plays just its levels, as
often and at the temperature that it says, and `environments` are for training alone. `base: OTHER.yaml` takes
everything from another file but the keys given; under `prompt`, `evaluation`, `initial`, `grpo` and `cloning`, key by
key.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from agentgen_bench.checks import checked_seed, chosen
from agentgen_bench.errors import SpecError
from agentgen_bench.evaluation.plan import Plan, single_plan
from agentgen_bench.evaluation.protocol import Protocol, load_protocol
from agentgen_bench.make import make
from agentgen_bench.policies.names import DEMONSTRATOR, SCRIPTED
from agentgen_bench.prompts import PromptConfig
from agentgen_bench.rollout import DEFAULT_WORKERS
from agentgen_bench.scores.study import ROLES
from agentgen_bench.spec import TaskSpec
from agentgen_bench.train.choices import SPEC_FIELDS, checked, sources
from agentgen_bench.train.presets import Preset, load_preset
from agentgen_bench.train.settings import Source, check_weight, is_weight, refuse_held_out_levels, to_json
from agentgen_bench.train.study_values import as_list, as_mapping, as_name, only_keys, or_empty
from agentgen_bench.yaml_text import plain_values, study_text

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

    from agentgen_bench.train.grpo_config import Config

INITIAL = "initial"
KEYS = (
    *("study", "base", "seeds", "initial", "prompt", "environments"),
    *("evaluation", "grpo", "cloning", "policies", "tokens_per_s"),
)
NAME = re.compile(r"\w[\w.+-]{0,59}")  # of a policy: with a seed behind it, a folder's name on every system


@dataclass(frozen=True)
class Cloning:
    """Training on demonstrations: of how many levels of each source, who plays them, how they are learned from."""

    where: ClassVar[str] = "cloning"  # the key of the file

    levels: int = 0  # 0: no cloning
    demonstrator: str = DEMONSTRATOR  # by the name that --policy takes
    sft: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Raise SpecError for a demonstrator that is not known, or fewer levels than none."""
        chosen("demonstrator", self.demonstrator, SCRIPTED, where=f"{self.where}: ")
        if self.levels < 0:
            raise SpecError(f"{self.where}: levels={self.levels!r} is out of range; choose 1 or more, 0 for no cloning")


@dataclass(frozen=True)
class Initial(Cloning):
    """The policy before training: a model as it is, or one made on the spot; and what it clones, if anything."""

    where: ClassVar[str] = INITIAL

    model: str | None = None
    make: Mapping[str, Any] = field(default_factory=dict)  # ModelShape


@dataclass(frozen=True)
class Evaluation:
    """How every policy is measured on every environment."""

    episodes: int = 100
    repeats: int = 1
    temperature: float = 0.0
    max_tokens: int = 512
    checkpoints: int = 1  # of each training, the last ones
    suite: str | None = None  # a protocol, which then decides all that decides results, but max_tokens
    workers: int = DEFAULT_WORKERS  # episodes at once, and completions at once; decides time and memory alone

    def __post_init__(self) -> None:
        """Raise SpecError for numbers that measure nothing."""
        for name in ("episodes", "repeats", "checkpoints", "workers"):
            if getattr(self, name) < 1:
                raise SpecError(f"evaluation: {name}={getattr(self, name)!r} is out of range; choose 1 or more")

    @property
    def protocol(self) -> Protocol | None:
        """The protocol that the study is one of; None where it plays levels of its own."""
        return None if self.suite is None else load_protocol(self.suite)


@dataclass(frozen=True)
class PolicyPlan:
    """One trained policy: its role in the scores, what it is trained on and from which policy it starts."""

    name: str
    role: str
    sources: tuple[Source, ...]
    start: str = INITIAL
    grpo: Mapping[str, Any] = field(default_factory=dict)
    difficulty: str | None = None
    augmented: bool = False

    @property
    def specs(self) -> list[TaskSpec]:
        """The settings that it is trained on."""
        return [source.spec for source in self.sources]

    @property
    def family(self) -> str:
        """The family of its first source."""
        return self.sources[0].spec.family


@dataclass(frozen=True)
class StudyPlan:
    """A whole study. `tokens_per_s` is what the user expects of the machine; None: unknown."""

    name: str
    seeds: tuple[int, ...]
    initial: Initial
    prompt: PromptConfig
    environments: tuple[TaskSpec, ...]  # evaluated, on the test split
    evaluation: Evaluation
    grpo: Mapping[str, Any]
    policies: tuple[PolicyPlan, ...]
    tokens_per_s: float | None = None
    cloning: Cloning = Cloning()  # what trains the policies in place of GRPO, where it has levels

    def __post_init__(self) -> None:
        """Raise SpecError for seeds or names that are wrong or clash, a start not before it, or a held-out split."""
        if not self.seeds or len(set(map(checked_seed, self.seeds))) < len(self.seeds):
            raise SpecError(f"seeds is {list(self.seeds)}; it takes different whole numbers, such as [0, 1, 2]")
        if self.cloning.levels and (self.grpo or any(policy.grpo for policy in self.policies)):
            raise SpecError("a study trains by grpo or by cloning; leave out the settings of one of them")
        seen = [INITIAL]
        for policy in self.policies:
            if not NAME.fullmatch(policy.name):
                raise SpecError(
                    f"the policy's name {policy.name!r} cannot name its folder; take at most 60 letters, digits, "
                    "dots, plus, minus and underscores, a letter or digit first"
                )
            if policy.name in seen:
                raise SpecError(f"the policy {policy.name!r} is named twice, or 'initial'; names are unique")
            if policy.start not in seen:
                raise SpecError(f"{policy.name} starts from {policy.start!r}; policies before it: {', '.join(seen)}")
            refuse_held_out_levels((source.spec for source in policy.sources), f"the policy {policy.name}")
            seen.append(policy.name)

    def to_json(self) -> dict[str, object]:
        """Return the plan as plain JSON, which names it when it is resumed."""
        data: dict[str, Any] = json.loads(json.dumps(to_json(self), default=asdict))
        data.pop("tokens_per_s")
        data["evaluation"].pop("workers")
        if data["evaluation"]["suite"] is None:  # studies of before have no such key
            del data["evaluation"]["suite"]
        if not self.cloning.levels:  # nor have those that train by GRPO this one
            del data["cloning"]
        return data

    @property
    def trained_families(self) -> tuple[str, ...]:
        """The families that policies of the role `trained` are trained on; they decide the cells of some protocols."""
        return tuple(policy.family for policy in self.policies if policy.role == "trained")

    @property
    def played(self) -> Plan:
        """What every policy is evaluated on."""
        if (protocol := self.evaluation.protocol) is not None:
            return protocol.plan_for(self.trained_families)
        cells = single_plan(self.environments, self.evaluation.episodes)
        return replace(cells, repeats=self.evaluation.repeats)


def read_plan(path: Path) -> StudyPlan:
    """Return the study of a file; raises SpecError that says which key is wrong."""
    data = _read(path)
    for key in ("study", "initial", "environments", "policies"):
        if not data.get(key):
            raise SpecError(f"{path}: the key {key!r} is missing or empty")
    return _plan(data, path)


def _read(path: Path, above: tuple[Path, ...] = ()) -> dict[str, Any]:
    """Return the keys of a file, on top of those of the file that it names as its base; `above` rest on this one."""
    data = plain_values(study_text(path, SpecError), str(path), f"it needs the keys {', '.join(KEYS)}", SpecError)
    if not isinstance(data, Mapping):
        raise SpecError(f"{path} is not a study; it needs the keys {', '.join(KEYS)}")
    own = only_keys(data, KEYS, str(path))
    if "base" not in own:
        return own
    base_path = (path.parent / as_name(own.pop("base"), f"{path}: base")).resolve()
    if base_path in (*above, path.resolve()):
        raise SpecError(f"{path}: the base {base_path} rests on this file; a study cannot be its own base")
    base = _read(base_path, (*above, path.resolve()))
    for key in ("prompt", "evaluation", "initial", "grpo", "cloning"):
        if key in own:
            below = {} if base.get(key) is None else as_mapping(base[key], f"{base_path}: {key}")
            own[key] = {**below, **as_mapping(own[key], f"{path}: {key}")}
    return {**base, **own}


def _plan(data: Mapping[str, Any], path: Path) -> StudyPlan:
    grpo = dict(as_mapping(or_empty(data.get("grpo")), "grpo"))
    preset = load_preset(grpo.pop("preset", None))
    environments = as_mapping(data["environments"], "environments")
    training = {as_name(name, "an environment"): _spec(entry, preset, name) for name, entry in environments.items()}
    settings = {**preset.grpo, **grpo}
    own = {name: settings.pop(name) for name in _fields(PromptConfig) if name in settings}
    speed = data.get("tokens_per_s")
    if speed is not None and not is_weight(speed):
        raise SpecError(f"tokens_per_s is {speed!r}; give a finite number above 0, or leave it out")
    return StudyPlan(
        name=as_name(data["study"], "study"),
        seeds=(0,) if data.get("seeds") is None else tuple(as_list(data["seeds"], "seeds", "whole numbers: [0, 1, 2]")),
        initial=_initial(data["initial"], path),
        cloning=_cloning(data["cloning"]) if "cloning" in data else Cloning(),
        prompt=_prompt({**own, **only_keys(or_empty(data.get("prompt")), _fields(PromptConfig), "prompt")}),
        environments=tuple(spec.with_(split="test") for spec in training.values()),
        evaluation=_evaluation(only_keys(or_empty(data.get("evaluation")), _fields(Evaluation), "evaluation")),
        grpo=settings,
        policies=tuple(_policy(entry, training) for entry in as_list(data["policies"], "policies", "policies")),
        tokens_per_s=speed,
    )


def _initial(given: Any, path: Path) -> Initial:
    """Return the policy before training; a model whose path begins with a dot lies beside the study's file."""
    initial = Initial(**_cloning_values(Initial, given))
    if initial.model is not None and as_name(initial.model, "initial: model").startswith("."):
        return replace(initial, model=str((path.parent / initial.model).resolve()))
    return initial


def _cloning_values(kind: type[Cloning], given: Any) -> dict[str, Any]:
    """Return the fields of a file's `initial` or `cloning`; those that hold settings may be left empty."""
    values = only_keys(given, _fields(kind), kind.where)
    nested: dict[str, Any] = {name: values.pop(name) for name in ("sft", "make") if name in values}
    held: dict[str, Any] = {
        name: as_mapping(or_empty(value), f"{kind.where}, {name}") for name, value in nested.items()
    }
    return {**checked(kind, values, kind.where), **held}


def _prompt(given: dict[str, Any]) -> PromptConfig:
    examples = given.pop("examples", None)
    shown = () if examples is None else tuple(as_list(examples, "prompt: examples", "messages"))
    return PromptConfig(**checked(PromptConfig, given, "prompt"), examples=shown)


def _cloning(given: Any) -> Cloning:
    """Return what trains the policies in place of GRPO; without levels it would train nothing."""
    cloning = Cloning(**_cloning_values(Cloning, given))
    if cloning.levels < 1:
        raise SpecError(f"cloning: levels={cloning.levels!r} is out of range; choose 1 or more")
    return cloning


def _evaluation(given: Mapping[str, Any]) -> Evaluation:
    """Return how policies are measured; a protocol decides all but the length of completions."""
    given = checked(Evaluation, given, "evaluation")
    if given.get("suite") is None:
        return Evaluation(**given)
    protocol = load_protocol(given["suite"])
    decided = {name: getattr(protocol, name) for name in ("repeats", "temperature", "checkpoints")}
    wrong = [
        name for name in given if name not in ("suite", "max_tokens", "workers") and given[name] != decided.get(name)
    ]
    if wrong:
        right = f"; it is {decided[wrong[0]]}" if wrong[0] in decided else ""
        raise SpecError(f"evaluation: {wrong[0]} is decided by {protocol.name}{right}, leave it out")
    return Evaluation(**{**given, **decided})


def _spec(entry: Any, preset: Preset, name: object) -> TaskSpec:
    where = f"environment {name}"
    only_keys(entry, ("env", "knobs", *SPEC_FIELDS), where)
    if "env" not in entry:
        raise SpecError(f"{where}: the key 'env' is missing; it names a family or an id")
    changes = _changes(entry, where)
    knobs = as_mapping(or_empty(entry.get("knobs")), f"{where}, knobs")
    named = [(as_name(knob, f"{where}, a knob"), value) for knob, value in knobs.items()]
    (source,) = sources([(as_name(entry["env"], f"{where}: env"), 1.0)], changes, named, preset.environments)
    return source.spec


def _changes(entry: Mapping[str, Any], where: str) -> dict[str, str]:
    """Return the fields of a spec that an entry gives; all are names."""
    given = {name: entry[name] for name in SPEC_FIELDS if entry.get(name) is not None}
    return {name: as_name(value, f"{where}: {name}") for name, value in given.items()}


def _policy(entry: Any, training: Mapping[str, TaskSpec]) -> PolicyPlan:
    keys = ("name", "role", "train_on", "with", "from", "grpo", "difficulty", "augmented")
    only_keys(entry, keys, f"policy {entry.get('name') if isinstance(entry, Mapping) else ''}".strip())
    for key in ("name", "role", "train_on"):
        if key not in entry:
            raise SpecError(f"policy {entry.get('name')}: the key {key!r} is missing")
    name = as_name(entry["name"], "a policy's name")
    chosen("role", entry["role"], ROLES, where=f"policy {name}: ")
    augmented, difficulty = entry.get("augmented", False), entry.get("difficulty")
    if not isinstance(augmented, bool):
        raise SpecError(f"policy {name}: augmented is {augmented!r}; choose true or false")
    return PolicyPlan(
        name=name,
        role=str(entry["role"]),
        sources=_sources(entry, name, training),
        start=as_name(entry.get("from", INITIAL), f"policy {name}: from"),
        grpo=as_mapping(or_empty(entry.get("grpo")), f"policy {name}, grpo"),
        difficulty=None if difficulty is None else as_name(difficulty, f"policy {name}: difficulty"),
        augmented=augmented,
    )


def _sources(entry: Mapping[str, Any], policy: str, training: Mapping[str, TaskSpec]) -> tuple[Source, ...]:
    """Return what a policy is trained on: an environment, or several with weights, each with the changes made once."""
    asked = entry["train_on"]
    weights = asked if isinstance(asked, Mapping) and asked else {as_name(asked, f"policy {policy}: train_on"): 1.0}
    where = f"policy {policy}, with"
    changes = _changes(only_keys(or_empty(entry.get("with")), SPEC_FIELDS, where), where)
    found = []
    for given, weight in weights.items():
        name = as_name(given, f"policy {policy}: train_on")
        if name not in training:
            raise SpecError(f"policy {policy} trains on {name!r}; environments are: {', '.join(training)}")
        check_weight(f"{name}, which policy {policy} trains on,", weight)
        found.append(Source(training[name].with_(**changes), float(weight)))
        refuse_held_out_levels([found[-1].spec], f"the policy {policy}")
        if changes:
            make(found[-1].spec).close()
    return tuple(found)


def curriculum_plan(config: "Config", seeds: tuple[int, ...], episodes: int) -> StudyPlan:
    """Return the study that trains on each source of a configuration in turn, and evaluates on all after each."""
    policies: list[PolicyPlan] = []
    for number, source in enumerate(config.sources, 1):
        start = policies[-1].name if policies else INITIAL
        name = f"stage-{number}-{source.spec.family.lower()}"
        policies.append(PolicyPlan(name, "stage", (source._replace(weight=1.0),), start))
    skip = ("model", "output", "sources", "seed", *_fields(PromptConfig))
    return StudyPlan(
        name="curriculum",
        seeds=seeds,
        initial=Initial(model=config.model),
        prompt=config.prompt,
        environments=tuple(dict.fromkeys(source.spec.with_(split="test") for source in config.sources)),
        evaluation=Evaluation(episodes=episodes, max_tokens=config.max_tokens),
        grpo={name: value for name, value in vars(config).items() if name not in skip},
        policies=tuple(policies),
    )


def _fields(kind: "type[DataclassInstance]") -> tuple[str, ...]:
    return tuple(field.name for field in fields(kind))
