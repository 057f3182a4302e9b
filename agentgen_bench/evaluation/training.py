"""training.json: where a checkpoint's weights come from. It lies in the model folder and goes with it.

A chain of them leads from a policy back to the weights nobody here trained: `parent` of one is `weights` of the one
before. That weights have these hashes anyone can check; that the training happened as said is a claim.
"""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, TypedDict

from agentgen_bench.errors import DataError
from agentgen_bench.policies.checkpoint import TRAINING
from agentgen_bench.policies.weights import weights_hash

TRAINING_VERSION = 1
MAX_CHAIN = 64  # records before another
METHODS = ("init-model", "sft", "grpo", "trl")
_HASH = re.compile(r"[0-9a-f]{64}")

Levels = Mapping[str, tuple[str, ...]]


class TrainingJson(TypedDict):
    """A `TrainingRecord` as the file holds it."""

    method: str
    weights: str
    parent: str | None
    adapter: str | None
    step: int
    settings: Mapping[str, Any]
    sources: list[Mapping[str, Any]]
    levels: dict[str, list[str]]
    versions: Mapping[str, str]
    log: str | None
    before: list["TrainingJson"]
    training_version: int


class OriginJson(TypedDict):
    """An `Origin` as manifests hold it."""

    weights: str
    training: TrainingJson | None


@dataclass(frozen=True, slots=True)
class TrainingRecord:
    """What made a checkpoint. Hashes are those of `policies.weights.weights_hash`."""

    method: str  # one of METHODS
    weights: str  # of this checkpoint
    parent: str | None  # of the weights that the training started from; None: random numbers
    adapter: str | None  # of the LoRA adapters alone, which are merged into the weights
    step: int
    settings: Mapping[str, Any]  # of its method, each at its own version: free form
    sources: tuple[Mapping[str, Any], ...]  # what was trained on: a spec with its weight, or family and split
    levels: Levels  # those played, by the family's part of the level id, in the order of the first play
    versions: Mapping[str, str]
    log: str | None  # SHA-256 of the lines of log.jsonl up to this step
    before: tuple["TrainingRecord", ...] = ()  # of the weights that it started from, the oldest first
    training_version: int = TRAINING_VERSION

    def to_json(self) -> TrainingJson:
        """Return plain values in the order of the file."""
        return {
            "method": self.method,
            "weights": self.weights,
            "parent": self.parent,
            "adapter": self.adapter,
            "step": self.step,
            "settings": self.settings,
            "sources": [dict(source) for source in self.sources],
            "levels": {family: list(ids) for family, ids in self.levels.items()},
            "versions": self.versions,
            "log": self.log,
            "before": [record.to_json() for record in self.before],
            "training_version": self.training_version,
        }

    @property
    def chain(self) -> tuple["TrainingRecord", ...]:
        """All records that lead to these weights, the oldest first and this one last."""
        return (*self.before, replace(self, before=()))

    def since(self, weights: str) -> "TrainingRecord":
        """Return the record with only those before it that follow on the given weights; unchanged where none does."""
        for i in reversed(range(len(self.chain))):
            if self.chain[i].parent == weights:
                return replace(self, before=self.before[i:])
        return self

    @property
    def level_ids(self) -> frozenset[str]:
        """The ids of all levels played, as episodes and suites write them."""
        return frozenset(f"{family}:{digits}" for family, ids in self.levels.items() for digits in ids)

    @property
    def splits(self) -> frozenset[str]:
        """The splits of the sources."""
        return frozenset(str(_split(source)) for source in self.sources)

    @property
    def families(self) -> frozenset[str]:
        """The families of the sources, in lower case."""
        return frozenset(_family(source) for source in self.sources)


def _split(source: Mapping[str, Any]) -> Any:
    return source["spec"]["split"] if "spec" in source else source.get("split")


def _family(source: Mapping[str, Any]) -> str:
    if "spec" not in source:
        return str(source.get("environment"))
    return str(source["spec"]["env_id"]).partition("/")[2].partition("-")[0].lower()


class PlayedLevels:
    """The levels that a training has played, each once, in the order of its first play."""

    def __init__(self, levels: Levels | None = None) -> None:
        """Start from those of an earlier part of the same training."""
        self._levels = {family: dict.fromkeys(ids) for family, ids in (levels or {}).items()}

    def add(self, level_ids: Iterable[str]) -> None:
        """Add level ids, as episodes write them; empty ones, of episodes that never began, are left out."""
        for level_id in filter(None, level_ids):
            family, _, digits = level_id.partition(":")
            self._levels.setdefault(family, {})[digits] = None

    def to_levels(self) -> Levels:
        """Return them as a record holds them, families sorted."""
        return {family: tuple(self._levels[family]) for family in sorted(self._levels)}


def read_training(folder: Path) -> TrainingRecord | None:
    """Return the record of a model folder; None where it has none.

    Raises:
        DataError: it is damaged.
    """
    path = folder / TRAINING
    if not path.is_file():
        return None
    try:
        return training_from_json(json.loads(path.read_text(encoding="utf-8")), str(path))
    except (OSError, ValueError, RecursionError) as error:
        raise DataError(f"{path} cannot be read: {error}") from None


def write_training(folder: Path, record: TrainingRecord) -> None:
    """Write the record into a model folder."""
    text = json.dumps(record.to_json(), indent=1, ensure_ascii=False, allow_nan=False)
    (folder / TRAINING).write_text(text + "\n", encoding="utf-8")


def training_from_json(data: Any, where: str) -> TrainingRecord:
    """Return the record of parsed JSON; raises DataError that names the key which is missing or wrong."""
    names = [field.name for field in fields(TrainingRecord)]
    if isinstance(data, dict):
        data = {"before": [], **data}  # a record of one link need not say so
    if not isinstance(data, dict) or set(data) != set(names):
        got = sorted(map(str, set(data) ^ set(names))) if isinstance(data, dict) else type(data).__name__
        raise DataError(f"{where} is no training record: missing or unknown {str(got)[:200]}")
    _check_values(data, where)
    levels = {str(family): tuple(map(str, ids)) for family, ids in data["levels"].items()}
    if not isinstance(data["before"], list) or len(data["before"]) > MAX_CHAIN:
        raise DataError(f"{where}: before is no list of at most {MAX_CHAIN} records")
    before = tuple(training_from_json(record, f"{where}, before") for record in data["before"])
    if any(record.before for record in before):
        raise DataError(f"{where}: the records before hold records before them; they stand in one list")
    return TrainingRecord(**{**data, "sources": tuple(data["sources"]), "levels": levels, "before": before})


def _check_values(data: Mapping[str, Any], where: str) -> None:
    if data["training_version"] != TRAINING_VERSION:
        raise DataError(f"{where}: training_version is {data['training_version']!r}; this one reads {TRAINING_VERSION}")
    if data["method"] not in METHODS:
        raise DataError(f"{where}: method is {str(data['method'])[:40]!r}; one of {', '.join(METHODS)}")
    for name in ("weights", "parent", "adapter", "log"):
        value = data[name]
        if not (value is None and name != "weights") and not (isinstance(value, str) and _HASH.fullmatch(value)):
            raise DataError(f"{where}: {name} is {str(value)[:80]!r}, not a SHA-256 of 64 hex digits")
    if type(data["step"]) is not int or data["step"] < 0:
        raise DataError(f"{where}: step is {str(data['step'])[:40]!r}, not a number of steps")
    for name in ("settings", "versions", "levels"):
        if not isinstance(data[name], dict):
            raise DataError(f"{where}: {name} is no table of names and values")
    if not isinstance(data["sources"], list) or not all(map(_is_source, data["sources"])):
        raise DataError(f"{where}: sources is no list of settings, each with its split")
    if not all(isinstance(ids, list) and all(isinstance(one, str) for one in ids) for ids in data["levels"].values()):
        raise DataError(f"{where}: levels is no table of lists of level ids")


def _is_source(source: Any) -> bool:
    if not isinstance(source, dict):
        return False
    own = source.get("spec", source)
    return isinstance(own, dict) and isinstance(own.get("split"), str) and isinstance(_named(source), str)


def _named(source: Mapping[str, Any]) -> Any:
    return source["spec"].get("env_id") if "spec" in source else source.get("environment")


@dataclass(frozen=True, slots=True)
class Origin:
    """What a run's manifest says of the model that played: the hash of its weights, and their training record."""

    weights: str
    training: TrainingRecord | None

    def to_json(self) -> OriginJson:
        """Return plain values."""
        return {"weights": self.weights, "training": None if self.training is None else self.training.to_json()}


def origin_of(folder: Path) -> Origin:
    """Return the origin of a model folder.

    Raises:
        DataError: its training record is damaged, or is that of other weights.
    """
    training, weights = read_training(folder), weights_hash(folder)
    if training is not None and training.weights != weights:
        raise DataError(
            f"{folder / TRAINING} is of the weights {training.weights[:12]}, those in the folder are {weights[:12]}; "
            "take it away from a model that was changed since"
        )
    return Origin(weights, training)
