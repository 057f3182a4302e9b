"""Sessions as rows of plain values: what HTTP clients send, and what the data sets of harnesses and trainers hold.

A row names its level by `suite`, `cell` and `index` (a frozen level), or by `env` (an id) or `spec` (a setting as
records hold it, or its JSON as a string, which every table can store) and `seed`. It may hold `prompt` (settings that
differ from the host's), `policy` and `repeat`.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import fields
from functools import cache
from typing import Any, TypedDict

from agentgen_bench import families
from agentgen_bench.checks import checked_seed, chosen
from agentgen_bench.errors import SpecError
from agentgen_bench.prompts import PromptConfig
from agentgen_bench.session import Session
from agentgen_bench.spec import TaskSpec
from agentgen_bench.suites import load_suite, suite_names

LEVEL_FIELDS = ("suite", "cell", "index", "env", "spec", "seed", "repeat")
SPLITS = ("train", "valid", "test")
END_OF_NUMBERS = 2**31


class LevelRow(TypedDict, total=False):
    """What names a level, as this module makes it; hosts add columns of their own, so readers take any mapping."""

    suite: str
    cell: int
    index: int
    env: str
    spec: str  # JSON of a setting
    seed: int
    repeat: int


def session_of(row: Mapping[str, Any], prompt: PromptConfig) -> Session:
    """Return the session that a row asks for, under `prompt` where it says nothing else.

    Raises:
        SpecError: a row that names no level, or two, or holds a value that cannot be.
    """
    row = {name: value for name, value in row.items() if value is not None}  # tables fill up what a row lacks
    if sum(name in row for name in ("env", "spec", "suite")) != 1:
        raise SpecError("name one of env (an id), spec (a setting as records hold it) and suite")
    kind, others = ("suite", ("seed",)) if "suite" in row else ("env or spec", ("cell", "index"))
    if astray := [name for name in others if name in row]:
        raise SpecError(
            f"{astray[0]} does not go with {kind}: a suite's level has a cell and an index, any other a seed"
        )
    settings = _prompt(row.get("prompt", prompt), prompt)
    policy = row.get("policy", "session")
    if not isinstance(policy, str) or not 0 < len(policy) <= 100:
        raise SpecError("policy is the name of who answers, a string of 1 to 100 characters")
    repeat, cell, index = [whole_number(name, row.get(name, 0)) for name in ("repeat", "cell", "index")]
    if "suite" in row:
        return Session.frozen(str(row["suite"]), cell, index, prompt=settings, policy=policy, repeat=repeat)
    spec = TaskSpec.from_env_id(str(row["env"])) if "env" in row else _spec(row["spec"])
    return Session(spec, checked_seed(row.get("seed", 0)), prompt=settings, policy=policy, repeat=repeat)


def growing_session(row: Mapping[str, Any], prompt: PromptConfig, is_training: bool = False) -> Session:
    """Return the session of a row for a host whose conversation only grows, as those of trainers do.

    The settings are `prompt`: what else a table's row holds, its own `prompt` among it, is the host's.

    Raises:
        SpecError: as `session_of`; and for the protocol `window`, whose prompts do not go on from one another, and for
            packs, whose tasks begin a conversation each; and where it is for training, for a family that no model is
            trained on.
    """
    session = session_of({name: row[name] for name in LEVEL_FIELDS if name in row}, prompt)
    if session.prompt.protocol == "window":
        raise SpecError("the protocol 'window' makes prompts that do not go on from one another; choose chat or tools")
    if session.spec.lifecycle_spec is not None:
        raise SpecError("a pack begins a conversation with each task, which this host cannot; choose lifecycle='none'")
    if is_training and _is_held_out(session.spec.family):
        raise SpecError(f"{session.spec.family} is for evaluation only; choose another family")
    return session


def suite_rows(suite: str) -> list[LevelRow]:
    """Return a row for each frozen level of a suite, cell by cell; raises SpecError for an unknown suite."""
    return [row.copy() for row in _suite_rows(suite)]


@cache
def _suite_rows(suite: str) -> tuple[LevelRow, ...]:
    return tuple(
        [
            {"suite": suite, "cell": number, "index": index}
            for number, cell in enumerate(load_suite(suite).cells)
            for index in range(len(cell.seeds))
        ]
    )


def setting_rows(spec: TaskSpec | str, n_levels: int, first_seed: int = 0) -> list[LevelRow]:
    """Return a row for each of `n_levels` levels of a setting, or of an id such as `AgentGen/Sokoban-v0`."""
    setting = TaskSpec.from_env_id(spec) if isinstance(spec, str) else spec
    text = json.dumps(setting.to_json())
    return [{"spec": text, "seed": seed} for seed in range(first_seed, first_seed + n_levels)]


def split_names() -> list[str]:
    """Return the names of all splits: each family's easy levels (`Sokoban-train`), and the frozen suites."""
    splits = {name: SPLITS[-1:] if _is_held_out(name) else SPLITS for name in families.names()}
    return [*(f"{family}-{split}" for family in splits for split in splits[family]), *suite_names()]


def split_size(split: str) -> int:
    """Return how many levels a split has; a family's are decided by a seed each, in [0, 2**31).

    Raises:
        SpecError: there is no such split.
    """
    chosen("split", split, split_names())
    return len(_suite_rows(split)) if split in suite_names() else END_OF_NUMBERS


def split_row(split: str, index: int) -> LevelRow:
    """Return the row of level number `index`, from 0, of a split; raises SpecError where there is none."""
    size = split_size(split)
    if not 0 <= index < size:
        raise SpecError(f"index={index} is out of range; {split} has 0 to {size - 1}")
    if split in suite_names():
        return _suite_rows(split)[index].copy()
    family, _, name = split.partition("-")
    return setting_rows(TaskSpec(family, split=name), 1, first_seed=index)[0]


def split_rows(split: str) -> Iterator[LevelRow]:
    """Yield the row of each level of a split; the settings of a suite take turns, so that a limit takes from all alike.

    Raises:
        SpecError: there is no such split.
    """
    size = split_size(split)
    if split in suite_names():
        yield from sorted(suite_rows(split), key=lambda row: row["index"])
    else:
        yield from (split_row(split, index) for index in range(size))


def whole_number(name: str, value: Any) -> int:
    """Return a value that must be a whole number in [0, 2**31); raises SpecError naming it."""
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < END_OF_NUMBERS:
        raise SpecError(f"{name} is {str(value)[:40]!r}; send a whole number, 0 or more")
    return value


def _is_held_out(family: str) -> bool:
    return families.is_known(family) and families.family(family).evaluation_only


def _prompt(settings: Any, prompt: PromptConfig) -> PromptConfig:
    if isinstance(settings, Mapping):
        known = [field.name for field in fields(PromptConfig)]
        if unknown := [name for name in settings if name not in (*known, "prompt_version")]:
            raise SpecError(f"prompt holds a setting that there is not: {unknown[0]!r:.60}; choose: {', '.join(known)}")
        settings = PromptConfig.from_json({**prompt.to_json(), **settings})
    if not isinstance(settings, PromptConfig):
        raise SpecError(f"prompt is a {type(settings).__name__}; send an object of settings")
    return settings


def _spec(value: Any) -> TaskSpec:
    try:
        return TaskSpec.from_json(json.loads(value) if isinstance(value, str) else value)
    except SpecError:
        raise
    except (TypeError, AttributeError, RecursionError, ValueError) as error:  # ValueError: of numbers too long to read
        raise SpecError(f"spec is not a setting as records hold it: {error}") from None
