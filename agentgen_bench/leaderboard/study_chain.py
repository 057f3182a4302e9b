"""What the training records of a study must say of one another: the chain of weights, and what was trained on.

That the hashes fit is checked; that the training happened as recorded nobody can check, and it is called a claim.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise

from agentgen_bench import families
from agentgen_bench.evaluation.protocol import Protocol
from agentgen_bench.evaluation.training import Origin, TrainingRecord
from agentgen_bench.scores.study import Study, StudyRun

LEARNED_SPLITS = ("train", "valid")
MAX_SHOWN = 3
SEEDED = ("seed", "model")  # settings in which trainings of one role differ


def chain_problems(
    protocol: Protocol, study: Study, origins: Mapping[str, Origin | None], drawn: Protocol | None = None
) -> list[str]:
    """Return a line for each broken link and each training that is not what its role says.

    Args:
        protocol: whose levels no training may have seen.
        study: the roles.
        origins: by run, where its weights come from; None where the run does not say.
        drawn: the protocol on the fresh levels that were played too; no training may have seen these either.
    """
    silent = [name for name in study.folders if origins.get(name) is None]
    if silent:
        return [
            f"{name} does not say which weights played; evaluate the model folder itself, not a server or a script"
            for name in silent
        ]
    known = {name: origin for name, origin in origins.items() if origin is not None}
    played = (protocol,) if drawn is None else (protocol, drawn)
    suite = {level for one in played for cell in one.suite.cells for level in cell.level_ids}
    found = [line for name in study.folders for line in _learned_elsewhere(name, known[name], suite)]
    for run in study.runs:
        for name in (run.run, *run.also):
            found += _link_problems(study, run, name, known)
            found += _not_on_packs(name, known[name]) if protocol.kind == "lifecycle" and run.role != "initial" else ()
    return [*found, *_seed_problems(study, known)]


def trimmed(study: Study, origins: Mapping[str, Origin]) -> dict[str, Origin]:
    """Return the origins with each record going back to the run that its training started from, and no further.

    What lies before stands in that run's own record.
    """
    found = dict(origins)
    for run in study.runs:
        parent = _parent(study, run)
        for name in (run.run, *run.also):
            record = origins[name].training
            if record is not None and parent is not None and run.role != "initial":
                found[name] = replace(origins[name], training=record.since(origins[parent].weights))
    return found


def _learned_elsewhere(name: str, origin: Origin, suite: set[str]) -> Iterator[str]:
    """Yield why a training was not on levels to learn from: another split, a held-out family, the suite's levels."""
    record = origin.training
    if record is None:
        return
    if record.weights != origin.weights:
        yield f"{name}: its training record is of other weights than those that played"
    for earlier, later in pairwise(record.chain):
        if later.parent != earlier.weights:
            there = _short(earlier.weights)
            yield f"{name}: the chain is broken, {later.method} started from {_short(later.parent)}, not from {there}"
    if held_out := sorted({split for part in record.chain for split in part.splits} - set(LEARNED_SPLITS)):
        yield f"{name} was trained on the split {held_out[0]}; only {' and '.join(LEARNED_SPLITS)} are learned from"
    for family in sorted({family for part in record.chain for family in part.families} & _evaluation_only()):
        yield f"{name} was trained on {family}, which is for evaluation only"
    if seen := sorted({level for part in record.chain for level in part.level_ids} & suite):
        more = f" and {len(seen) - MAX_SHOWN} more" if len(seen) > MAX_SHOWN else ""
        yield f"{name} was trained on levels of the suite: {', '.join(seen[:MAX_SHOWN])}{more}"


def _evaluation_only() -> set[str]:
    return {name.lower() for name in families.EVALUATION_ONLY}


def _link_problems(study: Study, run: StudyRun, name: str, origins: Mapping[str, Origin]) -> Iterator[str]:
    if run.role == "initial":
        return
    record, parent = origins[name].training, _parent(study, run)
    if record is None:
        yield f"{name} has no training.json; what was trained with this package carries one"
        return
    if record.method == "init-model":
        yield f"{name} is {run.condition.label!r}, but was made from random numbers and never trained"
    if parent is None:
        yield f"{name}: the run that its training started from is not in the study"
        return
    parts = record.since(origins[parent].weights).chain
    if parts[0].parent != origins[parent].weights:
        there = _short(origins[parent].weights)
        yield f"{name}: the chain is broken, it was trained from {_short(parts[0].parent)}, but {parent} is {there}"
        parts = parts[-1:]
    yield from _role_problems(study, run, name, parts)


def _parent(study: Study, run: StudyRun) -> str | None:
    """Return the run whose weights a training must have started from: the initial one, or the stage before."""
    before = [
        other.run
        for other in study.runs
        if (other.role == "stage" and other.stage == (run.stage or 0) - 1 and other.seed == run.seed)
        or (run.role != "stage" or run.stage == 1) * (other.role == "initial")
    ]
    return before[0] if before else None


def _role_problems(study: Study, run: StudyRun, name: str, parts: Sequence[TrainingRecord]) -> Iterator[str]:
    """Yield where a training is not what its role says: its families, its difficulty, its distractors.

    `parts` are those of the training since the weights that it started from.
    """
    wanted = {str(run.source).lower()} if run.source else {str(stage.source).lower() for stage in study.stages}
    families_of = {family for part in parts for family in part.families}
    if families_of != wanted:
        yield f"{name} is {run.condition.label!r}, but was trained on {_listed(families_of)}, not {_listed(wanted)}"
    if not all(part.level_ids for part in parts):
        yield f"{name}: its training record names no level that was played"
    specs = [source["spec"] for part in parts for source in part.sources if "spec" in source]
    if run.difficulty is not None and {spec.get("difficulty") for spec in specs} != {run.difficulty}:
        got = _listed({str(spec.get("difficulty")) for spec in specs})
        yield f"{name} is {run.condition.label!r}, but its training was on {got}"
    distracted = {spec.get("distractors", "none") != "none" for spec in specs}
    if run.role == "trained" and distracted != {run.augmented}:
        how = "without" if run.augmented else "with"
        yield f"{name} is {run.condition.label!r}, but its training was {how} distractors"


def _not_on_packs(name: str, origin: Origin) -> Iterator[str]:
    """Yield where a study of life cycles trained on single tasks."""
    sources = () if origin.training is None else origin.training.sources
    if any("lifecycle" not in source["spec"] for source in sources if "spec" in source):
        yield f"{name} was trained on single tasks; a study of this kind trains on packs (lifecycle cod-4, ...)"


def _seed_problems(study: Study, origins: Mapping[str, Origin]) -> Iterator[str]:
    """Yield where training seeds of one role are one training twice, or trainings with other settings."""
    for condition, runs in study.conditions.items():
        records = [(run.run, record) for run in runs if (record := origins[run.run].training) is not None]
        if condition.role == "initial" or len(records) < 2:
            continue
        for i, (name, record) in enumerate(records):
            twin = next((other for other, its in records[:i] if its.weights == record.weights != record.parent), None)
            if twin is not None:
                yield f"{twin} and {name} are the same weights; each training seed is a training of its own"
        first, settings = records[0][0], _settings(records[0][1])
        for name, record in records[1:]:
            own = _settings(record)
            other = sorted(key for key in settings.keys() | own.keys() if settings.get(key) != own.get(key))
            if other or record.method != records[0][1].method:
                yield f"{first} and {name} were trained with other settings: {', '.join(other) or 'method'}"


def _settings(record: TrainingRecord) -> dict[str, object]:
    return {name: value for name, value in record.settings.items() if name not in SEEDED}


def _listed(names: Iterable[str]) -> str:
    return ", ".join(sorted(names)) or "nothing"


def _short(weights: str | None) -> str:
    return "random numbers" if weights is None else weights[:12]
