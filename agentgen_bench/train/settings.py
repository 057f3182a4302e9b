"""Settings of a training run: fields with docstrings, their JSON, which environments, and the check on resume."""

import ast
import inspect
import json
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import asdict, fields, is_dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypedDict

import numpy as np

from agentgen_bench import families
from agentgen_bench.errors import RunError, SpecError
from agentgen_bench.evaluation.folder import write_json
from agentgen_bench.evaluation.locks import lock_folder
from agentgen_bench.knobs import SpecJson
from agentgen_bench.rollout import Job
from agentgen_bench.seeding import stream
from agentgen_bench.spec import NAMESPACE, TaskSpec

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

SETTINGS = "settings.json"
Schedule = Literal["constant", "cosine", "linear"]  # course of the learning rate after the warm-up
Kernel = Literal["sdpa", "eager", "blocks"]  # of attention
LEVEL_SEEDS = 2**31
LEARNED_SPLITS = ("train", "valid")  # all others are held out: test, and those of other kinds than trained on


class SourceJson(TypedDict):
    """A source as settings and training records hold it."""

    spec: SpecJson
    weight: float


class Source(NamedTuple):
    """An environment to train on and its share of the levels, relative to the other sources."""

    spec: TaskSpec
    weight: float = 1.0

    def to_json(self) -> SourceJson:
        """Return plain values."""
        return {"spec": self.spec.to_json(), "weight": self.weight}


def refuse_held_out_levels(specs: Iterable[TaskSpec], purpose: str) -> None:
    """Raise SpecError for what is held out, a split or a family: what is measured there is not learned there."""
    for spec in specs:
        if families.is_known(spec.family) and families.family(spec.family).evaluation_only:
            raise SpecError(f"{purpose} uses {spec.label}; {spec.family} is for evaluation only, choose another family")
        if spec.split not in LEARNED_SPLITS:
            raise SpecError(
                f"{purpose} uses {spec.label}, levels of the {spec.split} split; choose split train or valid"
            )


def env_id(name: str) -> str:
    """Return the id that `name` means: an id as it is, a family's name in any case its id at base richness.

    Examples:
        >>> env_id("sokoban"), env_id("AgentGen/WebShop-rich-v0")
        ('AgentGen/Sokoban-base-v0', 'AgentGen/WebShop-rich-v0')
    """
    if "/" in name:
        return name
    family = next((family for family in families.names() if family.lower() == name.lower()), None)
    if family is None:
        known = ", ".join(family.lower() for family in families.names())
        raise SpecError(f"unknown environment {name!r}; choose one of: {known}, or an id such as {NAMESPACE}/...")
    return TaskSpec(family).env_id


def weighted(text: str) -> list[tuple[str, float]]:
    """Return names and weights of a list such as `sciworld=19,alfworld=3,webshop`; without a number the weight is 1.

    Examples:
        >>> weighted("sciworld=19,webshop")
        [('sciworld', 19.0), ('webshop', 1.0)]
    """
    pairs = []
    for item in filter(None, (item.strip() for item in text.split(","))):
        name, _, weight = item.partition("=")
        try:
            value = float(weight or 1)
        except ValueError:
            value = -1.0
        if not is_weight(value) or not name:
            raise SpecError(f"{item!r} is not NAME or NAME=WEIGHT with a weight above 0")
        pairs.append((name, value))
    if not pairs:
        raise SpecError("the list of environments is empty; give at least one NAME or NAME=WEIGHT")
    return pairs


def is_weight(value: object) -> bool:
    """Return whether a value is a weight to draw by: a finite number above 0."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and 0 < value < float("inf")


def check_weight(name: str, value: object) -> None:
    """Raise SpecError where a value is no weight; `name` says whose it is."""
    if not is_weight(value):
        raise SpecError(f"the weight of {name} is {value!r}; choose a finite number above 0")


def training_jobs(sources: Sequence[Source], seed: int, step: int, n_levels: int, group_size: int) -> list[list[Job]]:
    """Return the groups of one training step: `n_levels` levels, drawn by weight, each `group_size` times.

    The draw is decided by (seed, step) alone, so a resumed run plays what the interrupted one would have played. The
    episodes of a group share the level and nothing else: each has its own draw of the distractors, and whether there
    are any (arXiv 2601.18217 draws per trajectory).
    """
    rng = stream("train-levels", seed, step)
    weights = np.array([source.weight for source in sources])
    groups: dict[tuple[int, int], list[Job]] = {}
    while len(groups) < n_levels:
        index = int(rng.choice(len(sources), p=weights / weights.sum()))
        level = int(rng.integers(LEVEL_SEEDS))
        groups[index, level] = [
            Job(sources[index].spec, level, repeat, distractor_draw=repeat) for repeat in range(group_size)
        ]
    return list(groups.values())


def field_docs(config: "type[DataclassInstance]") -> dict[str, str]:
    """Return each field's docstring: the string literal that follows it in its class's body, on one line."""
    docs = {}
    for one in [each for each in reversed(config.__mro__) if is_dataclass(each)]:
        (body,) = ast.parse(textwrap.dedent(inspect.getsource(one))).body
        for field, doc in pairwise(ast.iter_child_nodes(body)):
            if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name) and isinstance(doc, ast.Expr):
                docs[field.target.id] = " ".join(str(ast.literal_eval(doc.value)).split())
    return docs


def to_json(config: "DataclassInstance") -> dict[str, object]:
    """Return the settings as plain JSON; specs become what `TaskSpec.to_json` says."""
    return dict(_plain({field.name: getattr(config, field.name) for field in fields(config)}))


def _plain(value: Any) -> Any:
    if isinstance(value, TaskSpec):
        return value.to_json()
    if isinstance(value, Source):
        return value.to_json()
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, Path):
        return str(value)
    return asdict(value) if hasattr(value, "__dataclass_fields__") else value


def open_training(run: Path, settings: Mapping[str, Any], resume: bool, may_change: Sequence[str]) -> ExitStack:
    """Create a training run's folder, or check that its settings are these; returns its lock, for a `with`.

    Where a new run fails within that before it writes anything more, its settings go too: the same with one of them
    put right would be another run, and find the folder taken.

    Args:
        run: the folder.
        settings: as `to_json` gives them.
        resume: whether the folder may hold a run already.
        may_change: names of settings that have no influence on the parameters, or only on when the run ends.

    Raises:
        RunError: the folder holds a run and `resume` is off, or the run has other settings, or another process trains
            there.
    """
    try:
        run.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RunError(f"cannot create the run folder {run}: {error.strerror}") from None
    held = lock_folder(run)
    with held:  # let go of where the settings are refused
        is_new = not (run / SETTINGS).exists()
        _settle_settings(run, settings, resume, may_change)
        if is_new:
            held.push(partial(_take_back, run))
        return held.pop_all()


def _take_back(run: Path, kind: type[BaseException] | None, *_: object) -> None:
    """Remove the settings of a run that ends in an exception and has written nothing else."""
    with suppress(OSError):  # no reason to hide why it ends
        if kind is not None and [path.name for path in run.iterdir()] == [SETTINGS]:
            (run / SETTINGS).unlink()


def _settle_settings(run: Path, settings: Mapping[str, Any], resume: bool, may_change: Sequence[str]) -> None:
    """Write the settings, after comparing them with those of the run that is to go on."""
    path = run / SETTINGS
    if path.exists():
        if not resume:
            raise RunError(f"{run} already holds a training run; add --resume to go on with it, or choose another")
        _check_same(recorded_settings(path), settings, may_change)
    elif any(run.iterdir()) and not resume:
        raise RunError(f"{run} is not empty and holds no {SETTINGS}; choose another --output")
    write_json(path, dict(settings))


def recorded_settings(path: Path) -> dict[str, Any]:
    """Return the JSON object of a file in which a run or a study keeps its settings; raises RunError for another."""
    try:
        recorded = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise RunError(f"cannot read {path}: {error}; choose another --output") from None
    if not isinstance(recorded, dict):
        raise RunError(f"{path} holds a {type(recorded).__name__} in place of settings; choose another --output")
    return recorded


def _check_same(recorded: Mapping[str, Any], settings: Mapping[str, Any], may_change: Sequence[str]) -> None:
    plain = json.loads(json.dumps(settings))
    changed = [
        f"{name}: {recorded.get(name)!r} in the folder, {plain.get(name)!r} now"
        for name in sorted(recorded.keys() | plain.keys())
        if name not in may_change and recorded.get(name) != plain.get(name)
    ]
    if changed:
        raise RunError("cannot resume with other settings:\n  " + "\n  ".join(changed))
