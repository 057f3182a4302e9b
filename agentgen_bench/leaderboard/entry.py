"""An entry: the folder `leaderboards/<suite>/<YYYYMMDD>_<org>__<model>/`, what is in it, and what it must be like.

metadata.yaml       who, what, when, on which suite: claims, apart from what the checks here compare
results.json        recomputed from the episodes by every verification
episodes.jsonl.gz   every episode, compact: actions, completions, rewards and the hash chain of the observations
README.md           for readers
"""

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import date
from pathlib import Path
from typing import Any

from agentgen_bench.episodes import Episode, canonical_json, from_json
from agentgen_bench.errors import DataError, EntryError
from agentgen_bench.leaderboard.safe import check_plain_file, parse_json, read_gzip_lines, read_text, read_yaml
from agentgen_bench.parsing import ACTION_FORMATS, ParseReason, parse
from agentgen_bench.suites import Suite

METADATA, RESULTS, EPISODES, README = "metadata.yaml", "results.json", "episodes.jsonl.gz", "README.md"
FILES = (METADATA, RESULTS, EPISODES, README)
ENTRY_VERSION = 1
MAX_REPEATS = 64
MAX_NAME_CHARS = 100
LINK_CHARS = 4  # of a link of the hash chain before the last
MODEL_KINDS = ("model", "server")  # kinds of policy whose actions are parsed from completions
REASONS = tuple(str(reason) for reason in ParseReason)

Key = tuple[str, int, int]  # Episode.key


@dataclass(frozen=True, slots=True)
class Metadata:
    """What metadata.yaml says."""

    entry_version: int
    suite: str
    suite_hash: str
    repeats: int
    org: str
    model: str
    date: str  # YYYY-MM-DD
    policy: Mapping[str, Any]
    prompt: Mapping[str, Any]
    versions: Mapping[str, Any]

    @property
    def folder(self) -> str:
        """The name that the entry's folder must have."""
        return f"{self.date.replace('-', '')}_{slug(self.org)}__{slug(self.model)}"

    def to_json(self) -> dict[str, Any]:
        """Return plain values in the order of the file."""
        return {field.name: getattr(self, field.name) for field in fields(self)}


def slug(name: str) -> str:
    """Return a name as it may stand in a path: letters, digits, dots, plus and minus signs.

    Examples:
        >>> slug("Qwen/Qwen3-4B")
        'Qwen-Qwen3-4B'
    """
    text = re.sub(r"[^A-Za-z0-9.+-]+", "-", name).strip("-.")
    if not text:
        raise EntryError(f"{name!r} holds no letter or digit to name a folder by")
    return text


def metadata_from_json(data: Any, where: str) -> Metadata:
    """Return the metadata of parsed YAML.

    Raises:
        EntryError: a key is missing, unknown or of the wrong type, or the date or a name is not one.
    """
    types = {"entry_version": int, "repeats": int, "policy": dict, "prompt": dict, "versions": dict}
    names = [field.name for field in fields(Metadata)]
    if not isinstance(data, dict) or set(data) != set(names):
        got = sorted(map(str, set(data) ^ set(names))) if isinstance(data, dict) else type(data).__name__
        raise EntryError(f"{where} is not an entry's metadata: missing or unknown {got}")
    for name in names:
        wanted = types.get(name, str)
        if type(data[name]) is not wanted:
            raise EntryError(f"{where}: {name} is {str(data[name])[:60]!r}, not of type {wanted.__name__}")
    metadata = Metadata(**data)
    _check_values(metadata, where)
    return metadata


def _check_values(metadata: Metadata, where: str) -> None:
    if metadata.entry_version != ENTRY_VERSION:
        raise EntryError(f"{where}: entry_version is {metadata.entry_version}; this version reads {ENTRY_VERSION}")
    if not 1 <= metadata.repeats <= MAX_REPEATS:
        raise EntryError(f"{where}: repeats is {metadata.repeats}; 1 to {MAX_REPEATS} are accepted")
    for name, value in (("org", metadata.org), ("model", metadata.model)):
        if len(value) > MAX_NAME_CHARS or not value.isprintable():
            raise EntryError(f"{where}: {name} must be one line of at most {MAX_NAME_CHARS} printable characters")
        slug(value)
    try:
        day = date.fromisoformat(metadata.date).isoformat()
    except ValueError:
        day = ""
    if day != metadata.date:
        raise EntryError(f"{where}: date is {metadata.date[:40]!r}, not a day as YYYY-MM-DD")


def read_metadata(path: Path, suite: Suite) -> Metadata:
    """Return the metadata of the entry in a folder, after checking the folder's files, its name and its suite."""
    if path.is_symlink() or not path.is_dir():
        raise EntryError(f"{path} is not a folder")
    extra = sorted(entry.name for entry in path.iterdir() if entry.name not in FILES)
    if extra:
        raise EntryError(f"{path} holds {extra[0]!r}, which is no part of an entry; it holds {', '.join(FILES)} only")
    for name in FILES:
        check_plain_file(path / name)
    metadata = metadata_from_json(read_yaml(path / METADATA), str(path / METADATA))
    if path.name != metadata.folder:
        raise EntryError(f"{path} should be named {metadata.folder} after its metadata")
    if metadata.suite != suite.name:
        raise EntryError(f"{path} says suite {metadata.suite!r}, but lies among entries of {suite.name!r}")
    if metadata.suite_hash != suite.hash:
        raise EntryError(f"{path} was made with suite hash {metadata.suite_hash[:64]}; {suite.name} has {suite.hash}")
    if not read_text(path / README).strip():
        raise EntryError(f"{path / README} is empty; say what the entry is")
    return metadata


def expected_levels(suite: Suite, repeats: int) -> dict[Key, str]:
    """Return the level id of every episode that an entry must hold, by Episode.key."""
    return {
        (canonical_json(cell.spec.to_json()), seed, repeat): level_id
        for cell in suite.cells
        for seed, level_id in zip(cell.seeds, cell.level_ids, strict=True)
        for repeat in range(repeats)
    }


def checked_episodes(lines: Iterable[str], where: str, metadata: Metadata, suite: Suite) -> Iterator[Episode]:
    """Yield the episodes of an entry's lines, each checked against the suite; at the end, that none is missing.

    Raises:
        EntryError: a line is no episode, an episode is not of the suite, twice there, of another level or policy, or
            has actions that its completions do not hold; or an episode of the suite is missing.
    """
    levels = expected_levels(suite, metadata.repeats)
    left = dict.fromkeys(levels)
    policy = None
    for number, line in enumerate(lines, 1):
        here = f"{where}, line {number}"
        try:
            episode = from_json(parse_json(line, here))
            key = episode.key
        except (DataError, ValueError, RecursionError) as error:
            raise EntryError(f"{here}: {error}") from None
        if key not in levels:
            raise EntryError(
                f"{here}: seed {episode.seed}, repeat {episode.repeat} of {key[0][:200]} is not in the suite"
            )
        if key not in left:
            raise EntryError(f"{here}: {name_of(episode)} is there twice")
        del left[key]
        policy = episode.policy if policy is None else policy
        _check_episode(episode, levels[key], policy, metadata, here)
        yield episode
    if left:
        spec, seed, repeat = next(iter(left))
        raise EntryError(
            f"{where}: {len(left)} episodes of the suite are missing, such as seed {seed}, repeat {repeat} of {spec}"
        )


def _check_episode(episode: Episode, level_id: str, policy: str, metadata: Metadata, here: str) -> None:
    name = name_of(episode)
    if episode.level_id != level_id:
        raise EntryError(f"{here}: {name} has level {episode.level_id[:80]!r}, the suite says {level_id!r}")
    if episode.policy != policy or episode.policy != metadata.policy.get("name"):
        raise EntryError(
            f"{here}: {name} was played by {episode.policy[:80]!r}, not by {metadata.policy.get('name')!r}"
        )
    if episode.ending == "error":
        raise EntryError(f"{here}: {name} ended in an error; an entry holds only whole episodes")
    if episode.first_sections is not None or any(step.sections is not None for step in episode.steps):
        raise EntryError(f"{here}: {name} holds texts of observations; an entry holds their hashes, replay the texts")
    for i, step in enumerate(episode.steps, 1):
        known = step.parse_reason in REASONS if step.action is None else step.parse_reason is None
        if not known:
            raise EntryError(f"{here}: {name}, step {i}: either an action or a known parse reason, not both or neither")
    if metadata.policy.get("kind") in MODEL_KINDS:
        _check_parsed(episode, metadata, f"{here}: {name}")


def _check_parsed(episode: Episode, metadata: Metadata, here: str) -> None:
    """Raise EntryError where an action is not the one that its completion holds."""
    action_format = metadata.prompt.get("action_format")
    if action_format not in ACTION_FORMATS:
        raise EntryError(f"{here}: unknown action format {action_format!r} in the metadata's prompt")
    for i, step in enumerate(episode.steps, 1):
        if step.parse_reason == ParseReason.PROMPT_TOO_LONG and not step.completion and step.action is None:
            continue
        parsed = parse(step.completion, action_format)
        if (step.action, step.parse_reason) != parsed:
            raise EntryError(f"{here}, step {i}: the action {step.action!r} is not what the completion holds")


def packed(episode: Episode) -> Episode:
    """Return the episode as an entry holds it: no texts, and of each link of the hash chain only its beginning.

    The last link stays whole: it commits to every observation before it. The beginnings tell a verification at which
    step an observation differs, at an eighth of the size (hashes do not compress).
    """
    compact = episode.compact()
    steps = [replace(step, observation_hash=step.observation_hash[:LINK_CHARS]) for step in compact.steps[:-1]]
    return replace(compact, steps=(*steps, *compact.steps[-1:]))


def name_of(episode: Episode) -> str:
    """Return how an episode is named in messages."""
    spec = episode.spec
    return f"{spec['env_id']} {spec['difficulty']} seed {episode.seed} repeat {episode.repeat}"


def read_entry_episodes(path: Path, metadata: Metadata, suite: Suite) -> Iterator[Episode]:
    """Yield the checked episodes of an entry's folder."""
    return checked_episodes(read_gzip_lines(path / EPISODES), str(path / EPISODES), metadata, suite)


def digests(path: Path) -> dict[str, str]:
    """Return the SHA-256 of each file of an entry except its README, which may be improved later."""
    found = {}
    for name in (METADATA, RESULTS, EPISODES):
        check_plain_file(path / name)
        with (path / name).open("rb") as file:
            found[name] = hashlib.file_digest(file, "sha256").hexdigest()
    return found


def first_difference(claimed: Any, computed: Any, where: str = "") -> str | None:
    """Return where two plain values first differ, and how; None where they are equal, to the last bit."""
    if isinstance(claimed, dict) and isinstance(computed, dict):
        for key in sorted(map(str, {*claimed, *computed})):
            if key not in claimed or key not in computed:
                return f"{where}.{key} is {'missing' if key not in claimed else 'unknown'}".lstrip(".")
            if (found := first_difference(claimed[key], computed[key], f"{where}.{key}")) is not None:
                return found
        return None
    if isinstance(claimed, Sequence) and isinstance(computed, Sequence) and not isinstance(claimed, str):
        if isinstance(computed, str) or len(claimed) != len(computed):
            return f"{where.lstrip('.')} holds {len(claimed)} items, recomputed {len(computed)}"
        pairs = enumerate(zip(claimed, computed, strict=True))
        return next((found for i, (a, b) in pairs if (found := first_difference(a, b, f"{where}[{i}]"))), None)
    if type(claimed) is not type(computed) or claimed != computed:
        return f"{where.lstrip('.')} is {str(claimed)[:60]}, recomputed {str(computed)[:60]}"
    return None
