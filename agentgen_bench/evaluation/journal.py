"""The journal of a run: what was decided in episodes that are not recorded yet, and a seal for each that is.

`steps.jsonl` is there while a run is under way or was interrupted; with the last episode it goes. A line is a decision
(the episode's place in the plan, the step, the link of the hash chain that it answers) or a seal (SHA-256 of the
episode's line in episodes.jsonl). A line that cannot be read counts as lost: its episode goes on from the step before.
"""

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from agentgen_bench.line_file import LineFile, UnwrittenError, sync_folder
from agentgen_bench.parsing import ParseReason
from agentgen_bench.policies.base import Decision, TokenSample
from agentgen_bench.rollout import job_key
from agentgen_bench.running import Decided, Job

JOURNAL = "steps.jsonl"
COMPACT_BYTES = 4 * 2**20  # below, what is no longer needed may stay
COMPACT_RATIO = 4  # above: the file is at most so many times what is needed

Key = tuple[str, int, int]  # `job_key` and `Episode.key`


class StepJournal:
    """The journal of one run folder, which its caller has locked."""

    def __init__(self, path: Path, numbers: Mapping[Key, int]) -> None:
        """Open the journal at `path` and read what it holds; `numbers` gives each episode's place in the plan."""
        self._path = path
        self._numbers = numbers
        self._steps: dict[int, list[Decided]] = {}
        self._seals: dict[int, str] = {}
        self._sizes: dict[int, int] = {}  # bytes of lines that are needed, by episode
        self._file: LineFile | None = None
        for number, line, size in _lines(path):
            self._read(number, line, size)

    def past(self, job: Job) -> Sequence[Decided]:
        """Return what was decided in the job's episode before, in order."""
        return self._steps.pop(self._numbers[job_key(job)], [])

    def write(self, decided: Sequence[tuple[Job, int, Decided]]) -> None:
        """Write decisions; one that reports a failure ends its episode, and the next run asks again."""
        lines = []
        for job, step, (link, decision) in decided:
            number = self._numbers[job_key(job)]
            if decision.failure is None:
                plain = {"episode": number, "step": step, "link": link, "decision": _to_json(decision)}
                lines.append(json.dumps(plain, allow_nan=False).encode())
                self._sizes[number] = self._sizes.get(number, 0) + len(lines[-1]) + 1
        if lines:
            self._append(lines)

    def seal_of(self, key: Key) -> str | None:
        """Return the SHA-256 of the episode's recorded line; None where it is not sealed."""
        return self._seals.get(self._numbers[key])

    def seal(self, key: Key, digest: str) -> None:
        """Note that an episode is recorded, in a line of that SHA-256; its decisions are not needed any more."""
        number = self._numbers[key]
        self._steps.pop(number, None)
        line = json.dumps({"episode": number, "sha256": digest}).encode()
        self._seals[number], self._sizes[number] = digest, len(line) + 1
        self._append([line])

    def keep_seals(self, keys: Collection[Key]) -> None:
        """Forget all seals but those of these episodes: the others are to be played, or played again."""
        kept = {self._numbers[key] for key in keys}
        self._seals = {number: digest for number, digest in self._seals.items() if number in kept}

    def is_empty(self) -> bool:
        """Return whether the file holds no line, or is not there."""
        return not self._path.exists() or self._path.stat().st_size == 0

    def is_due(self) -> bool:
        """Return whether the file holds too much that is no longer needed."""
        size = 0 if self._file is None else self._file.size
        return size > COMPACT_BYTES and size > COMPACT_RATIO * sum(self._sizes.values())

    def compact(self) -> None:
        """Write the file anew with what is needed; the recorded episodes must be on the disk."""
        temporary = self._path.with_name(self._path.name + ".tmp")
        try:
            with temporary.open("wb", buffering=0) as target:
                lines = LineFile(temporary, target)
                for number, line, _ in _lines(self._path):
                    if ("sha256" in line) == (number in self._seals):
                        lines.append([json.dumps(line).encode()])
                lines.sync()
            temporary.replace(self._path)
        except OSError as error:
            raise UnwrittenError(f"cannot write {self._path}: {error.strerror}") from None
        finally:
            temporary.unlink(missing_ok=True)
        sync_folder(self._path.parent)
        self.close()

    def remove(self) -> None:
        """Remove the file: every episode is recorded."""
        self.close()
        self._path.unlink(missing_ok=True)

    def close(self) -> None:
        """Close the file; the next line opens it again."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _read(self, number: int, line: Mapping[str, Any], size: int) -> None:
        if isinstance(line.get("sha256"), str):
            self._seals[number], self._sizes[number] = line["sha256"], size
            return
        decided = _decided(line)
        if decided is None:
            return
        steps = self._steps.setdefault(number, [])
        if line.get("step") == 1:  # where an episode begins anew, what it did before is worth nothing
            steps.clear()
            self._sizes[number] = 0
        if line.get("step") == len(steps) + 1:
            steps.append(decided)
            self._sizes[number] = self._sizes.get(number, 0) + size

    def _append(self, lines: list[bytes]) -> None:
        if self._file is None:
            self._file = LineFile.open(self._path)
        self._file.append(lines)


def _lines(path: Path) -> Iterator[tuple[int, Mapping[str, Any], int]]:
    """Yield the whole, readable lines of a journal: the episode's number, the line, its bytes."""
    if not path.exists():
        return
    with path.open("rb") as file:
        for raw in file:
            try:
                line = json.loads(raw) if raw.endswith(b"\n") else None
            except (ValueError, RecursionError):
                continue
            if isinstance(line, dict) and isinstance(line.get("episode"), int):
                yield line["episode"], line, len(raw)


def _to_json(decision: Decision) -> dict[str, object]:
    """Return what an episode needs of a decision; of its tokens those that the next prompt goes on from."""
    plain = {name: value for name, value in decision._asdict().items() if name not in ("sample", "failure")}
    ids = () if decision.sample is None else decision.sample.completion_ids
    return {**plain, "completion_ids": ids} if ids else plain


def _decided(line: Mapping[str, Any]) -> Decided | None:
    try:
        plain = dict(line["decision"])
        ids = tuple(plain.pop("completion_ids", ()))
        reason = None if plain["reason"] is None else ParseReason(plain["reason"])
        sample = TokenSample((), ids, ()) if ids else None
        read = Decision(**{**plain, "reason": reason, "marks": tuple(plain["marks"]), "sample": sample})
        return Decided(str(line["link"]), read)
    except (TypeError, ValueError, KeyError):
        return None
