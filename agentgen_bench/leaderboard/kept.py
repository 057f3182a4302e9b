"""What was read off entries, kept between runs: sums, courses, and how alike two entries are.

It lies in `boards/` below `cache_root()`, a folder for each `episodes.jsonl.gz`, named by that file's SHA-256, which is
computed anew from the file by every run: an entry that changed is another name, and is read. Each kept file begins with
the SHA-256 of the rest and with that of the code that made it; what fails either, or contradicts the entry's
`results.json`, is said to fail and is made anew from the episodes. Whoever can write there can write sums that pass; so
the check of a pull request, whose word counts, keeps nothing. Deleting the folder loses nothing but time.
"""

import hashlib
import json
import tempfile
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from agentgen_bench.caches import cache_root
from agentgen_bench.envs import base
from agentgen_bench.leaderboard import courses, likeness, sums
from agentgen_bench.leaderboard.courses import Played
from agentgen_bench.leaderboard.likeness import Alike, AsOracle, Contestant, alike, as_oracle
from agentgen_bench.leaderboard.safe import read_gzip_lines
from agentgen_bench.leaderboard.sums import (
    Reading,
    Sums,
    played_from_json,
    played_json,
    read_lines,
    read_sums,
    sums_from_json,
    sums_json,
)

Warn = Callable[[str], None]
SUMS, COURSES, ALIKE, ORACLE = "sums.json", "courses.json", "alike.json", "oracle.json"


@cache
def _code() -> str:
    """Return the digest of the code that decides what is kept."""
    texts = [Path(str(module.__file__)).read_bytes() for module in (base, courses, likeness, sums)]
    return hashlib.sha256(b"\0".join(texts)).hexdigest()


class Kept:
    """Entries by the digest of their episodes: read where they are not kept, and kept then."""

    def __init__(self, folder: Path | None, warn: Warn = lambda line: None) -> None:
        """Keep things in `folder`; None keeps nothing and reads everything. `warn` is told of damaged files."""
        self._folder = folder
        self._warn = warn
        self._played: dict[str, Sequence[Played]] = {}
        self._pairs: dict[tuple[str, str], dict[str, list[Any]]] = {}  # (digest, file) -> by the other's digest
        self._changed: set[tuple[str, str]] = set()

    def sums(self, path: Path, digest: str, episodes: Mapping[str, tuple[int, float]]) -> Sums:
        """Return the sums of the entry in a folder, whose episodes have this digest.

        Args:
            path: the entry's folder.
            digest: SHA-256 of its episodes.
            episodes: how many episodes `results.json` says of each setting, and their mean success.
        """
        data = self._read(digest, SUMS)
        try:
            found = None if data is None else sums_from_json(data)
        except (ValueError, KeyError, TypeError):
            found = None
            self._warn(f"what was kept of {path} is not what is kept of entries; it is read anew")
        if found is not None and _agrees(found, episodes):
            return found
        reading = read_sums(path)
        if found is not None and found != reading.sums:
            self._warn(f"what was kept of {path} is not what its episodes say; it is read anew")
        self.keep(digest, reading)
        return reading.sums

    def keep(self, digest: str, reading: Reading) -> None:
        """Keep what was read of the episodes of this digest."""
        self._played[digest] = reading.played
        self._write(digest, SUMS, sums_json(reading.sums))
        self._write(digest, COURSES, played_json(reading.played))

    def played(self, file: Path, digest: str) -> Sequence[Played]:
        """Return the courses of a file of episodes, of this digest."""
        if digest not in self._played:
            data = self._read(digest, COURSES)
            try:
                if data is not None:
                    self._played[digest] = played_from_json(data)
            except (ValueError, KeyError, TypeError, IndexError):
                self._warn(f"what was kept of {file} is not what is kept of entries; it is read anew")
            if digest not in self._played:
                self.keep(digest, read_lines(read_gzip_lines(file), str(file)))
        return self._played[digest]

    def alike(self, one: Contestant, other: Contestant) -> list[Alike]:
        """Return `likeness.alike` of two entries; symmetric in no way, so kept for each order."""
        known = self._known(one.digest, ALIKE)
        if other.digest not in known:
            known[other.digest] = [list(found) for found in alike(one, other)]
            self._changed.add((one.digest, ALIKE))
        return [Alike(*found) for found in known[other.digest]]

    def as_oracle(self, one: Contestant, oracle: Contestant) -> list[AsOracle]:
        """Return `likeness.as_oracle` of an entry and the oracle's."""
        known = self._known(one.digest, ORACLE)
        name = f"{oracle.digest} {'scripted' if one.is_scripted else 'model'}"
        if name not in known:
            known[name] = [list(found) for found in as_oracle(one, oracle)]
            self._changed.add((one.digest, ORACLE))
        return [AsOracle(*found) for found in known[name]]

    def flush(self) -> None:
        """Write what was compared."""
        for digest, name in sorted(self._changed):
            self._write(digest, name, self._pairs[digest, name])
        self._changed.clear()

    def _known(self, digest: str, name: str) -> dict[str, list[Any]]:
        if (digest, name) not in self._pairs:
            data = self._read(digest, name)
            self._pairs[digest, name] = data if isinstance(data, dict) else {}
        return self._pairs[digest, name]

    def _read(self, digest: str, name: str) -> Any:
        """Return what is kept under a name; None where there is nothing, or what is there is not what was written."""
        if self._folder is None:
            return None
        file = self._folder / digest / name
        try:
            head, _, body = file.read_bytes().partition(b"\n")
        except OSError:
            return None
        if head != _head(digest, name, body):
            if head.endswith(_code().encode()):  # else it is of another version, which is no fault
                self._warn(f"{file} is damaged or was changed; it is made anew")
            return None
        try:
            return json.loads(body)
        except ValueError:
            return None

    def _write(self, digest: str, name: str, value: Any) -> None:
        """Put a file in its place, whole; where nothing can be written, nothing is kept."""
        if self._folder is None:
            return
        body = json.dumps(value, separators=(",", ":")).encode()
        try:
            place = self._folder / digest
            place.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=place) as folder:  # a full disk leaves nothing behind
                file = Path(folder) / name
                file.write_bytes(_head(digest, name, body) + b"\n" + body)
                file.replace(place / name)
        except OSError:
            return


def boards_folder() -> Path:
    """Return where things are kept."""
    return cache_root() / "boards"


def _head(digest: str, name: str, body: bytes) -> bytes:
    """Return the first line of a kept file: it holds for one entry, one name and one content."""
    text = hashlib.sha256(b"\0".join((digest.encode(), name.encode(), body))).hexdigest()
    return f"{text} {_code()}".encode()


def _agrees(sums: Sums, said: Mapping[str, tuple[int, float]]) -> bool:
    """Return whether the sums are those of `results.json`, as far as it tells."""
    found = {key: (sum(one.played), sum(one.solved) / sum(one.played)) for key, one in sums.items()}
    return found == said
