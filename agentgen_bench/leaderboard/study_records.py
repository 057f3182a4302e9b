"""The files of a study's entry: writing them, finding those that lie elsewhere, and reading them with bounds."""

import gzip
import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from io import TextIOWrapper
from pathlib import Path
from typing import Any

from agentgen_bench.address import shown_url
from agentgen_bench.data.download import RemoteFile, fetch
from agentgen_bench.episodes import Episode, canonical_json, to_line
from agentgen_bench.errors import DataError, EntryError
from agentgen_bench.evaluation.protocol import Protocol
from agentgen_bench.evaluation.training import Origin, training_from_json
from agentgen_bench.leaderboard.entry import TRAINING
from agentgen_bench.leaderboard.records import checked_episodes, packed
from agentgen_bench.leaderboard.safe import check_plain_file, parse_json, read_gzip_lines
from agentgen_bench.leaderboard.study_entry import FreshFile, RunFile, StudyMetadata, episodes_file, fresh_file
from agentgen_bench.suites import Suite

SCHEMES = ("https://", "http://")


def study_suite(protocol: Protocol, metadata: StudyMetadata) -> Suite:
    """Return the cells that every run of the study plays."""
    return protocol.cells_for(run.source for run in metadata.study.runs if run.source is not None)


def run_episodes(
    file: Path, run: str, metadata: StudyMetadata, protocol: Protocol, *, parsed: bool = True
) -> Iterator[Episode]:
    """Yield the checked episodes of a run, as `records.checked_episodes` does."""
    suite = study_suite(protocol, metadata)
    own = metadata.of_run(run, protocol.repeats)
    return checked_episodes(read_gzip_lines(file), str(file), own, suite, parsed=parsed)


def episodes_at(path: Path, run: str, metadata: StudyMetadata, elsewhere: Path | None) -> Path:
    """Return the file with a run's episodes, fetched where it lies elsewhere, after checking its size and digest.

    Args:
        path: the entry's folder.
        run: the run.
        metadata: of the entry.
        elsewhere: the folder for files that do not lie in the entry; those that are there already are not fetched.

    Raises:
        EntryError: it is missing, cannot be fetched, or is another file than the metadata says.
    """
    return _file_at(path, run, episodes_file(run), metadata.runs[run], metadata.episodes_at, elsewhere)


def fresh_episodes_at(path: Path, run: str, metadata: StudyMetadata, elsewhere: Path | None) -> Path:
    """Return `episodes_at` of a run's episodes on fresh levels, which the metadata tells of."""
    if metadata.fresh is None or run not in metadata.fresh.runs:
        raise EntryError(f"{path}: {run} was not played on fresh levels")
    return _file_at(path, run, fresh_file(run), metadata.fresh.runs[run], metadata.episodes_at, elsewhere)


def _file_at(
    path: Path, run: str, name: str, said: RunFile | FreshFile, url: str | None, elsewhere: Path | None
) -> Path:
    if url is None:
        return _checked(path / name, said)
    if elsewhere is None:
        raise EntryError(f"the episodes of {run} lie at {shown_url(url)}; name a folder to fetch into")
    check_address(url)
    remote = RemoteFile(f"{url.rstrip('/')}/{name}", said.sha256, said.bytes)
    try:
        return _checked(fetch(remote, elsewhere / name, progress=None), said)
    except DataError as error:
        raise EntryError(f"the episodes of {run} could not be fetched: {error}") from None


def check_address(url: str) -> None:
    """Raise EntryError unless episodes may be fetched from there: by https or http, without a query or a password."""
    if not url.startswith(SCHEMES) or shown_url(url) != url or len(url) > 500 or not url.isprintable():
        raise EntryError(f"episodes_at is {url[:100]!r}; give an https address of a folder, without password or query")


def _checked(file: Path, said: RunFile | FreshFile) -> Path:
    check_plain_file(file, said.bytes)
    with file.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    if digest != said.sha256:
        raise EntryError(
            f"{file} is another file than the metadata says: SHA-256 {digest[:12]}, not {said.sha256[:12]}"
        )
    return file


def write_episodes(file: Path, episodes: Iterable[Episode], suite: Suite) -> None:
    """Write the episodes of a run in the suite's order; the same episodes give the same bytes."""
    order = {canonical_json(cell.spec.to_json()): i for i, cell in enumerate(suite.cells)}
    ordered = sorted(episodes, key=lambda episode: (order[episode.key[0]], episode.seed, episode.repeat))
    _write_lines(file, (to_line(packed(episode)) for episode in ordered))


def write_origins(path: Path, origins: Mapping[str, Origin]) -> None:
    """Write the origin of every run."""
    lines = ({"run": name, **origin.to_json()} for name, origin in origins.items())
    _write_lines(path / TRAINING, (json.dumps(line, allow_nan=False) for line in lines))


def _write_lines(file: Path, lines: Iterable[str]) -> None:
    with (
        file.open("wb") as raw,
        gzip.GzipFile(filename="", fileobj=raw, mode="wb", mtime=0) as archive,
        TextIOWrapper(archive, encoding="ascii") as text,
    ):
        text.writelines(f"{line}\n" for line in lines)


def read_origins(path: Path, metadata: StudyMetadata) -> dict[str, Origin]:
    """Return the origin of every run of an entry.

    Raises:
        EntryError: a record is damaged, or the runs are not those of the metadata, or weights are others there.
    """
    found: dict[str, Origin] = {}
    for number, line in enumerate(read_gzip_lines(path / TRAINING), 1):
        where = f"{path / TRAINING}, line {number}"
        name, origin = _origin(parse_json(line, where), where)
        if name in found or name not in metadata.runs:
            raise EntryError(f"{where}: {name[:80]!r} is no run of the study, or there twice")
        if origin.weights != metadata.runs[name].weights:
            raise EntryError(f"{where}: {name} has other weights than the metadata says")
        found[name] = origin
    missing = sorted(metadata.runs.keys() - found.keys())
    if missing:
        raise EntryError(f"{path / TRAINING} says nothing about {missing[0]}")
    return found


def _origin(data: Any, where: str) -> tuple[str, Origin]:
    if not isinstance(data, dict) or set(data) != {"run", "weights", "training"}:
        raise EntryError(f"{where} needs the keys run, weights and training")
    if not isinstance(data["run"], str):
        raise EntryError(f"{where}: run is no name")
    return data["run"], origin_from_json({name: data[name] for name in ("weights", "training")}, where)


def origin_from_json(data: Mapping[str, Any], where: str) -> Origin:
    """Return the origin as a manifest or an entry holds it; raises EntryError where it is damaged."""
    if not isinstance(data.get("weights"), str):
        raise EntryError(f"{where}: weights is no hash")
    try:
        training = None if data.get("training") is None else training_from_json(data["training"], where)
    except DataError as error:
        raise EntryError(str(error)) from None
    return Origin(data["weights"], training)
