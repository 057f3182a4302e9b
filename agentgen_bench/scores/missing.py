"""Which scores a study cannot give, and the role of the run that each lacks."""

from collections.abc import Iterator

from agentgen_bench.scores.study import Study

TRANSFER = "generalization tax, retention, held-in and held-out gains"
AUGMENTATION = "OOD change and tax reduction"
DIFFICULTY = "difficulty transfer and recovery"


def missing(study: Study) -> list[str]:
    """Return one line per group of scores: what it lacks is after the colon."""
    return [*_transfer(study), *_augmentation(study), *_difficulty(study), *_sequence(study)]


def _transfer(study: Study) -> Iterator[str]:
    if not any(condition.role == "trained" for condition in study.conditions):
        yield f"{TRANSFER}: a run with role trained, on one family"
    elif study.only("initial") is None:
        yield f"{TRANSFER}: the run with role initial"
    if len(study.trained()) < 2:
        yield "OOD rank scores: runs with role trained on at least two families"


def _augmentation(study: Study) -> Iterator[str]:
    augmented = study.trained(augmented=True)
    if not augmented:
        yield f"{AUGMENTATION}: a run with role trained and augmented: true"
    elif study.only("initial") is None:
        yield "tax reduction: the run with role initial"
    for condition in augmented:
        if condition._replace(augmented=False) not in study.conditions:
            yield f"{AUGMENTATION} on {condition.source}: the run trained on it without augmentation"


def _difficulty(study: Study) -> Iterator[str]:
    trained = [c for c in study.conditions if c.role == "trained" and c.difficulty is not None]
    if not trained:
        yield f"{DIFFICULTY}: runs with role trained and a difficulty"
    elif study.only("initial") is None:
        yield f"{DIFFICULTY}: the run with role initial"
    for condition in trained:
        if [other.source for other in trained].count(condition.source) == 1:
            yield f"recovery on {condition.source}: a run trained on another difficulty of it"


def _sequence(study: Study) -> Iterator[str]:
    if len(study.stages) < 2:
        yield "forgetting and backward transfer: runs with role stage, one per stage of a sequence of at least two"
    elif study.only("initial") is None:
        yield "forward transfer: the run with role initial"
    if study.stages and study.only("joint") is None:
        yield "intransigence: the run with role joint"
