"""The boards as a folder of static pages, for any host of files or for none: opened from a disk it works as well.

    index.html                      the page of all boards, as `leaderboard --html` writes it
    <suite>/<entry>/index.html      who, what, how; every episode in a list, each with an address of its own
    <suite>/<entry>/episodes-N.js   the episodes of one setting, fetched when one of them is opened

An episode's page holds what the entry does: actions, completions, rewards. Texts of observations come back by replay
(`agentgen-bench report ENTRY`). Episodes are scripts because a page on a disk may load those and no other files; each
is one call with compressed text, nothing of an entry is ever run. An entry that did not change is not written again.
"""

import base64
import hashlib
import json
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

from agentgen_bench.episodes import Episode, canonical_json, from_json
from agentgen_bench.errors import DataError, EntryError
from agentgen_bench.evaluation.folder import write_text
from agentgen_bench.leaderboard.entry import EPISODES, README, Metadata, digests
from agentgen_bench.leaderboard.harness import harness_card
from agentgen_bench.leaderboard.page import asset, page
from agentgen_bench.leaderboard.safe import parse_json, read_gzip_lines, read_text
from agentgen_bench.leaderboard.studies import StudyOnBoard
from agentgen_bench.leaderboard.study_tables import study_tables
from agentgen_bench.leaderboard.table import Board, Row
from agentgen_bench.scores.base import setting_label
from agentgen_bench.scores.success import succeeded

PAGE = "index.html"
Facts = Sequence[tuple[str, str]]


def write_site(
    folder: Path,
    leaderboards: Path,
    boards: Sequence[Board],
    studies: Sequence[StudyOnBoard],
    on_entry: Callable[[str], None] = lambda name: None,
) -> int:
    """Write the pages into a folder, and return how many entries were written; those that did not change are left.

    Args:
        folder: made where it is missing; pages of entries that are gone stay until somebody deletes them.
        leaderboards: the folder of all boards.
        boards: as read from there.
        studies: as read from there.
        on_entry: told of each entry that is written.

    Raises:
        EntryError: an entry's episodes cannot be read, or the folder is that of the boards themselves.
    """
    if folder.resolve() == leaderboards.resolve() or leaderboards.resolve() in folder.resolve().parents:
        raise EntryError(f"{folder} lies among the entries of {leaderboards}; name a folder of its own for the pages")
    written = 0
    for row in (row for board in boards for row in board.rows):
        written += _written(folder, leaderboards, row.entry, _row_facts(row), on_entry, has_episodes=True)
    for study in studies:
        written += _written(folder, leaderboards, study.entry, _study_facts(study), on_entry, has_episodes=False)
    write_text(folder / PAGE, page(boards, study_tables(studies), PAGE))
    return written


def _written(
    folder: Path, leaderboards: Path, entry: str, facts: Facts, on_entry: Callable[[str], None], *, has_episodes: bool
) -> bool:
    """Write the page of an entry and its episodes, unless they are there already."""
    source, target = leaderboards / entry, folder / entry
    readme = read_text(source / README)
    parts = [asset("entry.html"), asset("page.css"), repr(facts), readme, repr(sorted(digests(source).items()))]
    stamp = hashlib.sha256("\0".join(parts).encode()).hexdigest()
    if (target / PAGE).is_file() and stamp in (target / PAGE).read_text(encoding="utf-8")[:400]:
        return False
    on_entry(entry)
    target.mkdir(parents=True, exist_ok=True)
    settings = list(_settings(source, target)) if has_episodes else []
    write_text(target / PAGE, _entry_page(entry, facts, readme, settings, stamp))
    return True


def _row_facts(row: Row) -> Facts:
    metadata = row.metadata
    card = harness_card(metadata)
    return [
        ("model", metadata.model),
        *_claims(metadata.org, metadata.date, row.trust),
        ("suite", metadata.suite),
        ("policy", str(metadata.policy.get("kind"))),
        ("repeats of each level", str(metadata.repeats)),
        ("success", _percent(row.success.value, row.success.low, row.success.high)),
        *_said(metadata),
        *((f"harness: {name}", value) for name, value in (card.facts if card is not None else ())),
        *(("note", note) for note in row.notes),
    ]


def _study_facts(study: StudyOnBoard) -> Facts:
    metadata = study.metadata
    runs = ", ".join(metadata.runs)
    where = "in the entry's folder" if metadata.episodes_at is None else f"at {metadata.episodes_at}"
    return [
        ("study", metadata.model),
        *_claims(metadata.org, metadata.date, study.trust),
        ("protocol", metadata.suite),
        *(("note", note) for note in study.notes),
        ("runs", runs),
        ("their episodes lie", where),
        *(() if metadata.fresh is None else (("fresh levels drawn from", metadata.fresh.text),)),
    ]


def _claims(org: str, date: str, trust: str) -> Facts:
    return [("submitted by", org), ("date", date), ("trust", trust)]


def _said(metadata: Metadata) -> Iterator[tuple[str, str]]:
    """Yield what an entry says of its run, as far as it is plain text and numbers."""
    for name, value in metadata.versions.items():
        if isinstance(value, (str, int, float)):
            yield f"version of {name}"[:60], str(value)[:80]
    made: Mapping[str, Any] = metadata.made or {}
    for name in ("started", "seconds"):
        if isinstance(value := made.get(name), (str, int, float)):
            yield name, str(value)[:80]


def _percent(value: float | None, low: float | None, high: float | None) -> str:
    if value is None:
        return "unknown"
    ends = "" if low is None or high is None else f" ({100 * low:.1f} to {100 * high:.1f})"
    return f"{100 * value:.1f} %{ends}"


def _entry_page(entry: str, facts: Facts, readme: str, settings: Sequence[Mapping[str, Any]], stamp: str) -> str:
    listed = "".join(f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in facts)
    data = json.dumps(settings, separators=(",", ":")).replace("<", "\\u003c")
    parts = {
        "{stamp}": stamp,
        "{style}": asset("page.css"),
        "{name}": escape(entry),
        "{facts}": listed,
        "{readme}": escape(readme),
        "{hidden}": "" if settings else " hidden",
        "{data}": data,
    }
    text = asset("entry.html")
    pieces = [text]
    for mark, value in parts.items():  # a mark in a value is a stranger's text, not a mark
        pieces = [part for piece in pieces for part in _filled(piece, mark, value)]
    return "".join(map(str, pieces))


class _Value(str):
    """Text that was put in, and is looked through for marks no more."""

    __slots__ = ()


def _filled(piece: str, mark: str, value: str) -> list[str]:
    if isinstance(piece, _Value) or mark not in piece:
        return [piece]
    before, _, after = piece.partition(mark)
    return [before, _Value(value), *_filled(after, mark, value)]


# --- episodes


class _Setting:
    """The episodes of one setting, compressed as they come."""

    def __init__(self, label: str) -> None:
        self.label = label
        self.columns: dict[str, list[Any]] = {"seed": [], "repeat": [], "solved": [], "steps": [], "tokens": []}
        self._packer = zlib.compressobj(9, wbits=31)  # 16 + 15: gzip
        self._packed: list[bytes] = []

    def add(self, episode: Episode) -> None:
        """Add an episode: a line of the list, and the record behind it."""
        tokens = sum(step.completion_tokens for step in episode.steps)
        values = episode.seed, episode.repeat, int(succeeded(episode)), len(episode.steps), tokens
        for column, value in zip(self.columns.values(), values, strict=True):
            column.append(value)
        steps = [
            [step.action, step.completion if step.completion != step.action else None, step.parse_reason, step.reward]
            for step in episode.steps
        ]
        record = {"task": episode.task, "level": episode.level_id, "ending": episode.ending, "steps": steps}
        line = json.dumps(record, separators=(",", ":"))  # ASCII only: a completion may hold lone surrogates
        self._packed.append(self._packer.compress(line.encode() + b"\n"))

    def script(self, number: int) -> str:
        """Return the script that hands the records over."""
        packed = b"".join([*self._packed, self._packer.flush()])
        return f'episodes({number}, "{base64.b64encode(packed).decode()}");\n'


def _settings(source: Path, target: Path) -> Iterator[dict[str, Any]]:
    """Write the episodes of each setting, and yield the list that the page shows."""
    found: dict[str, _Setting] = {}
    where = str(source / EPISODES)
    for number, line in enumerate(read_gzip_lines(source / EPISODES), 1):
        try:
            episode = from_json(parse_json(line, f"{where}, line {number}"))
            key, label = canonical_json(episode.spec), setting_label(episode.spec)
        except DataError as error:
            raise EntryError(f"{where}, line {number}: {error}") from None
        found.setdefault(key, _Setting(label)).add(episode)
    for number, setting in enumerate(found.values()):
        write_text(target / f"episodes-{number}.js", setting.script(number))
        yield {"label": setting.label, **setting.columns}
