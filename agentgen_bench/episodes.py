"""Episodes as recorded, and their JSON lines: everything scored, plotted or published comes from these alone."""

import hashlib
import json
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import MISSING, dataclass, fields, replace
from pathlib import Path
from typing import Any, Literal, NamedTuple, get_args

from agentgen_bench.checks import chosen
from agentgen_bench.contract import Fact, Part, TaskRecord
from agentgen_bench.errors import DataError
from agentgen_bench.text import Richness, Section

# A version only adds fields, each with a default. So a record of an older version reads with the defaults of what it
# lacks, and one of a newer version without what is not known here. Version 2 added `tasks`, and to a step
# `finish_reason`, `marks` and `cost_usd`; the cost and `facts` stand in a line only where there are some.
SCHEMA_VERSION = 2
Ending = Literal["terminated", "truncated", "error"]
ENDINGS: tuple[Ending, ...] = get_args(Ending)

# More is a mistake of who counts: no model reads so much at once. Sums over a run's levels are taken in 64 bits.
MAX_STEP_TOKENS = 10**8

Sections = tuple[Section, ...]


@dataclass(frozen=True, slots=True)
class Step:
    """One decision and what came of it; `observation_hash` and what follows it belong to the observation after it."""

    action: str | None  # as executed; None where the completion held none
    completion: str
    parse_reason: str | None
    reward: float
    score: float
    is_action_valid: bool
    observation_hash: str  # link of the chain
    observation_chars: Mapping[str, int]  # characters by section source
    n_admissible: int
    prompt_chars: int
    prompt_tokens: int
    completion_tokens: int
    dropped_turns: int
    sections: Sections | None = None  # absent from compact records, as the commands; replay brings them back
    admissible_commands: tuple[str, ...] | None = None
    finish_reason: str | None = None  # why the completion ended: stop, length, ...; None where nobody says
    marks: tuple[str, ...] = ()  # what stood around the action and was taken off: quotes, label, ...
    cost_usd: float = 0.0  # as an agent reports it


@dataclass(frozen=True, slots=True)
class Episode:
    """One episode, from reset to its end."""

    spec: Mapping[str, Any]
    seed: int
    repeat: int
    policy: str
    level_id: str
    task: str
    max_steps: int
    first_hash: str  # link of the chain for the observation of reset
    first_chars: Mapping[str, int]
    first_admissible: int
    steps: tuple[Step, ...]
    ending: Ending
    success: bool
    score: float
    expert_length: int | None
    analysis: Mapping[str, float | int | str | None]
    tasks: tuple[TaskRecord, ...] = ()  # those begun, in order: several in a pack, else one
    error: str | None = None
    action_templates: tuple[str, ...] = ()
    first_sections: Sections | None = None
    first_commands: tuple[str, ...] | None = None
    facts: tuple[Fact, ...] = ()  # of the tasks begun, in order; empty where there is none (docs/lifecycle.md)
    parts: tuple[Part, ...] = ()  # those begun of a pack of solve and update episodes, in order; empty in all others

    @property
    def key(self) -> tuple[str, int, int]:
        """What names the episode within a run: (spec as JSON, seed, repeat)."""
        return (canonical_json(self.spec), self.seed, self.repeat)

    @property
    def episode_return(self) -> float:
        """Sum of the rewards."""
        return sum(step.reward for step in self.steps)

    def compact(self) -> "Episode":
        """Return the episode without the texts of its observations; their hashes stay."""
        steps = tuple(replace(step, sections=None, admissible_commands=None) for step in self.steps)
        return replace(self, steps=steps, first_sections=None, first_commands=None)


def chain(previous: str, observation: str) -> str:
    """Return the next link of the hash chain over an episode's observations: 32 hex digits; the first follows ''."""
    return hashlib.sha256(f"{previous}\n{observation}".encode()).hexdigest()[:32]


def chars_by_source(sections: Sections) -> dict[str, int]:
    """Return the number of characters of each source that occurs."""
    counts: dict[str, int] = {}
    for section in sections:
        source = section[2]
        counts[source] = counts.get(source, 0) + len(section[0])
    return counts


def canonical_json(value: Any) -> str:
    """Return the one JSON text of a plain value: sorted keys, no spaces, no NaN."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def to_line(episode: Episode) -> str:
    """Return the episode as one line of JSON, without the line break."""
    data = {name: getattr(episode, name) for name in _EPISODE_FIELDS}
    data["steps"] = [_step_json(step) for step in episode.steps]
    if not episode.facts:
        del data["facts"]
    if not episode.parts:
        del data["parts"]
    # ASCII only: a completion may hold lone surrogates, which no encoding of a file accepts. Nothing in a record holds
    # itself; to look for that takes a tenth of the time.
    return json.dumps({"schema_version": SCHEMA_VERSION, **data}, allow_nan=False, check_circular=False)


def _step_json(step: Step) -> dict[str, Any]:
    data = {name: getattr(step, name) for name in _STEP_FIELDS}
    if not step.cost_usd:
        del data["cost_usd"]
    return data


def from_line(line: str) -> Episode:
    """Return the episode written by `to_line`.

    Raises:
        DataError: the line is not JSON, or lacks or mistypes a field of its schema version, or holds a number that
            none can be: NaN, a negative count, a score outside [0, 1].
    """
    try:
        data = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise DataError(f"not a line of JSON: {error}") from None
    return from_json(data)


def from_json(data: Any) -> Episode:
    """Return the episode of a parsed line; raises DataError as `from_line` does."""
    version = data.get("schema_version") if isinstance(data, dict) else None
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        raise DataError("not an episode: no schema version")
    is_newer = version > SCHEMA_VERSION
    plain = _fields("episode", {name: data[name] for name in data if name != "schema_version"}, _EPISODE, is_newer)
    if version == 1:
        plain = _with_tasks(plain)
    steps = []
    for recorded in plain["steps"]:
        step = _fields("step", recorded, _STEP, is_newer)
        if not _is_step_possible(step):
            _refuse_step(step)
        _check_chars("step", "observation_chars", step["observation_chars"])
        step["sections"] = _sections(step["sections"])
        step["admissible_commands"] = _strings(step["admissible_commands"])
        step["marks"] = _strings(step["marks"]) or ()
        steps.append(Step(**step))
    chosen("ending", plain["ending"], ENDINGS, DataError)
    _check_episode_values(plain)
    return Episode(
        **{
            **plain,
            "steps": tuple(steps),
            "tasks": tuple([_task(task) for task in plain["tasks"]]),
            "action_templates": _strings(plain["action_templates"]) or (),
            "first_sections": _sections(plain["first_sections"]),
            "first_commands": _strings(plain["first_commands"]),
            "facts": tuple([_fact(fact) for fact in plain["facts"]]),
            "parts": tuple([_part(part) for part in plain["parts"]]),
        }
    )


def read_episodes(path: Path) -> Iterator[Episode]:
    """Yield the episodes of a file; a last line without its line break is torn and left out.

    Raises:
        DataError: another line is not an episode; the message names file and line.
    """
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            if not line.endswith(b"\n"):
                return
            try:
                yield from_line(line.decode())
            except (DataError, UnicodeDecodeError) as error:
                raise DataError(f"{path}, line {number}: {error}") from None


_EPISODE_FIELDS = tuple(field.name for field in fields(Episode))
_STEP_FIELDS = tuple(field.name for field in fields(Step))
_NUMBER = (int, float)
_INT = frozenset({int})  # no bool
MAX_COUNT = 2**53 - 1  # all bits set; above it a float no longer holds every integer
LARGEST = sys.float_info.max
_STEP_COUNTS = ("n_admissible", "prompt_chars", "prompt_tokens", "completion_tokens", "dropped_turns")
_EPISODE_COUNTS = ("repeat", "max_steps", "first_admissible", "expert_length")
_OPTIONAL_STR = (str, type(None))
_OPTIONAL_LIST = (list, type(None))
_STEP_TYPES: dict[str, tuple[type, ...]] = {
    "action": _OPTIONAL_STR,
    "completion": (str,),
    "parse_reason": _OPTIONAL_STR,
    "reward": _NUMBER,
    "score": _NUMBER,
    "is_action_valid": (bool,),
    "observation_hash": (str,),
    "observation_chars": (dict,),
    "n_admissible": (int,),
    "prompt_chars": (int,),
    "prompt_tokens": (int,),
    "completion_tokens": (int,),
    "dropped_turns": (int,),
    "sections": _OPTIONAL_LIST,
    "admissible_commands": _OPTIONAL_LIST,
    "finish_reason": _OPTIONAL_STR,
    "marks": (list, tuple),
    "cost_usd": _NUMBER,
}
_EPISODE_TYPES: dict[str, tuple[type, ...]] = {
    "spec": (dict,),
    "seed": (int,),
    "repeat": (int,),
    "policy": (str,),
    "level_id": (str,),
    "task": (str,),
    "max_steps": (int,),
    "first_hash": (str,),
    "first_chars": (dict,),
    "first_admissible": (int,),
    "steps": (list,),
    "ending": (str,),
    "success": (bool,),
    "score": _NUMBER,
    "expert_length": (int, type(None)),
    "analysis": (dict,),
    "tasks": (list, tuple),
    "error": _OPTIONAL_STR,
    "action_templates": (list,),
    "first_sections": _OPTIONAL_LIST,
    "first_commands": _OPTIONAL_LIST,
    "facts": (list, tuple),
    "parts": (list, tuple),
}


class _Record(NamedTuple):
    """The fields of a kind of record: the types each may have, and what stands for those that may be missing."""

    types: Mapping[str, tuple[type, ...]]
    defaults: Mapping[str, Any]


def _record(kind: type[Episode] | type[Step], types: Mapping[str, tuple[type, ...]]) -> _Record:
    return _Record(types, {field.name: field.default for field in fields(kind) if field.default is not MISSING})


_EPISODE = _record(Episode, _EPISODE_TYPES)
_STEP = _record(Step, _STEP_TYPES)


def _fields(what: str, data: Any, record: _Record, is_newer: bool) -> dict[str, Any]:
    """Return the checked fields of a record; what `is_newer` adds to the schema is left out."""
    if not isinstance(data, dict):
        raise DataError(f"not {what} fields: {type(data).__name__}")
    unknown = set() if is_newer else data.keys() - record.types.keys()
    wrong = unknown | (record.types.keys() - data.keys() - record.defaults.keys())
    if wrong:
        raise DataError(f"not {what} fields: missing or unknown {sorted(wrong)}")
    found = {}
    for name, allowed in record.types.items():
        value = found[name] = data[name] if name in data else record.defaults[name]
        if name in data and (not isinstance(value, allowed) or (isinstance(value, bool) and bool not in allowed)):
            raise DataError(f"{what} field {name!r} holds a {type(value).__name__}")
    return found


def _is_step_possible(step: Mapping[str, Any]) -> bool:
    """Return whether counts and numbers are in range. Steps are many: one comparison is for all counts.

    A bit of any count is a bit of all of them joined by `|`, and so is the sign of a negative one.
    """
    counts = (
        step["n_admissible"]
        | step["prompt_chars"]
        | step["prompt_tokens"]
        | step["completion_tokens"]
        | step["dropped_turns"]
    )
    return bool(
        0 <= counts <= MAX_COUNT
        and -LARGEST <= step["reward"] <= LARGEST  # false for NaN
        and 0 <= step["score"] <= 1
        and -LARGEST <= step["cost_usd"] <= LARGEST
    )


def _refuse_step(step: Mapping[str, Any]) -> None:
    """Raise DataError that names what makes a step impossible."""
    _check_counts("step", step, _STEP_COUNTS)
    _check_score("step", step["score"])
    for name in ("reward", "cost_usd"):
        if not _is_finite(step[name]):
            raise DataError(f"step field {name!r} is {_short(step[name])}, not a finite number")


def _check_counts(what: str, data: Mapping[str, Any], names: Iterable[str]) -> None:
    for name in names:
        if data[name] is not None and not 0 <= data[name] <= MAX_COUNT:
            raise DataError(f"{what} field {name!r} is {_short(data[name])}, not a count from 0")


def _check_chars(what: str, name: str, chars: Mapping[str, Any]) -> None:
    if not _INT.issuperset(map(type, chars.values())) or min(chars.values(), default=0) < 0:
        raise DataError(f"{what} field {name!r} is {_short(chars)}, not a number of characters for each source")


def _check_score(what: str, value: float) -> None:
    if not 0 <= value <= 1:  # true for NaN
        raise DataError(f"{what} field 'score' is {_short(value)}, not a number from 0 to 1")


def _check_episode_values(data: Mapping[str, Any]) -> None:
    """Raise DataError for a number out of range, and for a spec that names no setting."""
    _check_counts("episode", data, _EPISODE_COUNTS)
    _check_chars("episode", "first_chars", data["first_chars"])
    _check_score("episode", data["score"])
    for name, value in data["analysis"].items():
        if not (value is None or isinstance(value, str) or _is_finite(value)):
            raise DataError(f"episode field {name!r} is {_short(value)}, not a finite number")
    spec = data["spec"]
    for name in ("env_id", "difficulty", "split"):
        if not isinstance(spec.get(name), str):
            raise DataError(f"spec field {name!r} is {_short(spec.get(name))}, not a name")
    if not isinstance(spec.get("knobs"), dict):
        raise DataError(f"spec field 'knobs' is {_short(spec.get('knobs'))}, not an object")
    try:
        canonical_json(spec)  # what episodes are grouped by
    except ValueError:
        raise DataError("the spec holds a number that none can be: NaN or infinity") from None


def _is_finite(value: Any) -> bool:
    return isinstance(value, _NUMBER) and -LARGEST <= value <= LARGEST


def _short(value: Any) -> str:
    """Return a value as an error shows it; an integer may have more digits than Python writes."""
    try:
        text = repr(value)
    except ValueError:
        return "a number of thousands of digits"
    return text if len(text) <= 40 else f"{text[:37]}..."


def _task(value: Any) -> TaskRecord:
    match value:
        case [int(start), int(score) | float(score), bool(success), str() | None as note] if (
            start is not True and start >= 0 and 0 <= score <= 1
        ):
            return TaskRecord(start, score, success, note)
    raise DataError("a task is not a list of start, score, success and note")


def _fact(value: Any) -> Fact:
    match value:
        case [str(name), int(seed), str(text)] if not isinstance(seed, bool):
            return Fact(name, seed, text)
    raise DataError("a fact is not a list of name, seed and value")


def _part(value: Any) -> Part:
    match value:
        case [int(start), str(task), int(max_steps), str(context), int() | None as chars]:
            if bool not in map(type, (start, max_steps, chars)) and min(start, max_steps, chars or 0) >= 0:
                return Part(start, task, max_steps, context, chars)
    raise DataError("a part is not a list of start, task, max_steps, context and context_chars")


def _with_tasks(data: dict[str, Any]) -> dict[str, Any]:
    """Return an episode's fields of schema version 1 with `tasks`, which was not there.

    A pack said `pack_score_k` and `pack_start_k` among its analyses; a crashed one did not say where its tasks begin.
    """
    if not data["first_hash"]:  # it crashed before its first observation
        return data
    lifecycle = data["spec"].get("lifecycle")
    if lifecycle is None:
        return {**data, "tasks": [[0, data["score"], data["success"], None]]}
    is_wiped = lifecycle.get("context") == "wiped" if isinstance(lifecycle, dict) else lifecycle == "pack-4-wiped"
    starts, scores = (_numbered(data["analysis"], name) for name in ("pack_start", "pack_score"))
    notes = [None if is_wiped else _note(data["steps"], start) for start in starts[1:]] + [None]
    tasks = [list(task) for task in zip(starts, scores, (score == 1.0 for score in scores), notes, strict=False)]
    return {**data, "analysis": {}, "tasks": tasks}


def _numbered(analysis: Mapping[str, Any], name: str) -> list[Any]:
    """Return the values of `name_1`, `name_2` and so on."""
    return [analysis[key] for k in range(1, len(analysis) + 1) if (key := f"{name}_{k}") in analysis]


def _note(steps: list[Any], start: Any) -> str:
    """Return the note that a step before the next task took, in a record of schema version 1."""
    if isinstance(start, int) and 0 < start <= len(steps) and isinstance(steps[start - 1], dict):
        action = steps[start - 1].get("action")
        if isinstance(action, str) and steps[start - 1].get("is_action_valid"):
            return action.strip()[len("note:") :].strip()
    return ""


def _sections(value: Any) -> Sections | None:
    if value is None:
        return None
    try:
        return tuple(Section(str(text), Richness(richness), source) for text, richness, source in value)
    except (TypeError, ValueError):
        raise DataError("sections are not lists of text, richness and source") from None


def _strings(value: Any) -> tuple[str, ...] | None:
    if value is None:
        return None
    if not all(isinstance(item, str) for item in value):
        raise DataError("a list of commands holds something other than strings")
    return tuple(value)
