"""Files over HTTP: resumed where they broke off, checked before they count, unpacked without leaving their folder.

Covered: one file at a time, SHA-256 and size, zip archives. Not covered: logins, mirrors, other archive formats.
"""

import errno
import shutil
import stat
import sys
import time
import zipfile
import zlib
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, TextIO

from agentgen_bench.address import shown_url, without_urls_secrets
from agentgen_bench.data.digests import SUMS, record, recorded, sha256
from agentgen_bench.errors import DataError
from agentgen_bench.evaluation.locks import lock_folder

if TYPE_CHECKING:
    import requests

CHUNK_BYTES = 1 << 16
TIMEOUT_S = 60
PACE_S, PACE_BYTES = 60, 1 << 15  # within so many seconds at least so many bytes come, half a KiB a second
ATTEMPTS = 5  # a broken connection, or one without pace, is taken up again this often
MAX_UNPACKED_BYTES = 64 << 30
_GO_ON = "what arrived is kept, run the same command to go on"


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """A file to fetch. Without a digest, the length that the server states is what is checked."""

    url: str
    sha256: str | None = None
    size_bytes: int | None = None

    @property
    def shown(self) -> str:
        """The address for people: without user, password and query."""
        return shown_url(self.url)

    @property
    def name(self) -> str:
        """The last part of the address."""
        return self.url.partition("?")[0].rstrip("/").rpartition("/")[2]


def fetch(remote: RemoteFile, path: Path, progress: TextIO | None = sys.stderr) -> Path:
    """Download a file to `path` unless it is there and right; what arrived before is kept in `path` + `.part`.

    Args:
        remote: where from, and what it must be.
        path: where to; the folder is made.
        progress: where the bar is drawn; None draws none.

    Raises:
        DataError: the server does not give the file, or what it gives is not what `remote` says, or the disk is full.
    """
    with _alone_in(path.parent, progress):
        return _fetched(remote, path, progress)


def _fetched(remote: RemoteFile, path: Path, progress: TextIO | None) -> Path:
    if path.is_file() and _is_right(path, remote):
        return path
    part = path.with_name(f"{path.name}.part")
    for attempt in range(ATTEMPTS):
        if _receive(remote, part, progress, last_attempt=attempt == ATTEMPTS - 1):
            break
    else:
        raise DataError(f"{remote.shown}: the server did not send all of the file in {ATTEMPTS} attempts; {_GO_ON}")
    if not _is_right(part, remote):
        found = f"{part.stat().st_size} bytes, SHA-256 {sha256(part)}"
        part.unlink()
        raise DataError(f"{remote.shown}: got {found}; expected {_expected(remote)}. It was removed; download it again")
    _tag_file(part).unlink(missing_ok=True)
    part.replace(path)
    return path


def fetch_checked(
    remote: RemoteFile,
    path: Path,
    given: Mapping[str, str],
    check: Callable[[Path], object],
    progress: TextIO | None = sys.stderr,
) -> str:
    """Fetch a file whose digest is given, or was recorded beside it by an earlier download; return its digest.

    Args:
        remote: where from.
        path: where to; the digest is recorded in its folder.
        given: digests by file name, which come before those recorded.
        check: raises DataError where the file is not what it should be; its digest is recorded only after that.
        progress: where the bar is drawn; None draws none.

    Raises:
        DataError: as `fetch`; where only the record differs, the message says so.
    """
    with _alone_in(path.parent, progress):
        before = recorded(path.parent).get(path.name)
        expected = given.get(path.name, before)
        try:
            _fetched(replace(remote, sha256=expected), path, progress)
        except DataError as error:
            if expected is None or path.name in given or "expected" not in str(error):
                raise
            raise DataError(
                f"{error}. An earlier download recorded that digest in {path.parent / SUMS}; if the file was changed "
                f"for a good reason, say --sha256 {path.name}=DIGEST"
            ) from None
        digest = expected or sha256(path)
        check(path)
        if digest != before:
            record(path.parent, path.name, digest)
        return digest


def _alone_in(folder: Path, progress: TextIO | None) -> ExitStack:
    """Make a folder and lock it: two downloads of one file at once would cut off each other's part."""
    folder.mkdir(parents=True, exist_ok=True)
    return lock_folder(folder, lambda line: None if progress is None else print(line, file=progress))


def unpack(archive: Path, folder: Path, progress: TextIO | None = sys.stderr) -> list[Path]:
    """Unpack a zip archive below `folder` and return its files; entries already there in full are left alone.

    Raises:
        DataError: a damaged archive, or an entry that is a link or would land outside the folder, or cannot be written.
    """
    from tqdm import tqdm

    try:
        with zipfile.ZipFile(archive) as file:
            entries = [(info, _target(info, folder, archive)) for info in file.infolist() if not info.is_dir()]
            if sum(info.file_size for info, _ in entries) > MAX_UNPACKED_BYTES:
                raise DataError(f"{archive}: unpacks to more than {MAX_UNPACKED_BYTES >> 30} GiB")
            bar = tqdm(entries, desc=f"unpacking {archive.name}", unit="file", file=progress, disable=progress is None)
            for info, target in bar:
                _extract(file, info, target)
    except OSError as error:
        if error.errno not in (None, errno.EINVAL):  # of a damaged archive a place to read at may be none
            raise DataError(f"cannot unpack {archive} into {folder}: {error.strerror}; mend that and repeat") from None
        raise DataError(_damaged(archive, error)) from error
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError) as error:
        raise DataError(_damaged(archive, error)) from error
    return [target for _, target in entries]


def _damaged(archive: Path, error: Exception) -> str:
    return f"{archive}: not a sound zip archive ({error}); remove it and download it again"


# --- receiving


def _receive(remote: RemoteFile, part: Path, progress: TextIO | None, last_attempt: bool) -> bool:
    """Append to `part` what is still missing; return whether the server says that this is all."""
    import requests
    import urllib3

    try:
        with _request(remote, part) as response:
            if response.status_code == requests.codes.requested_range_not_satisfiable:
                return _is_whole(response, part)
            if not response.ok:
                raise DataError(f"{remote.shown}: the server answered {response.status_code} {response.reason}")
            return _append(response, remote, part, progress)
    except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
        if last_attempt:
            raise DataError(f"{remote.shown}: {without_urls_secrets(str(error))}; {_GO_ON}") from None
        return False
    except OSError as error:
        raise DataError(f"cannot fetch {remote.shown} into {part}: {error.strerror or error}; {_GO_ON}") from None


def _request(remote: RemoteFile, part: Path) -> "requests.Response":
    """Ask for the rest of the file, or for all of it where it has changed since."""
    import requests

    headers = {"Accept-Encoding": "identity"}  # so that lengths are those of the file
    tag = _tag_file(part)
    if part.is_file() and part.stat().st_size and tag.is_file():
        headers["Range"] = f"bytes={part.stat().st_size}-"
        headers["If-Range"] = tag.read_text(encoding="utf-8")
    return requests.get(remote.url, headers=headers, stream=True, timeout=TIMEOUT_S)


def _append(response: "requests.Response", remote: RemoteFile, part: Path, progress: TextIO | None) -> bool:
    from tqdm import tqdm

    start = _start_of(response, part)
    validator = response.headers.get("ETag") or response.headers.get("Last-Modified")
    if validator and not validator.startswith("W/"):  # a weak tag cannot vouch for equal bytes
        _tag_file(part).write_text(validator, encoding="utf-8")
    else:
        _tag_file(part).unlink(missing_ok=True)
    length = response.headers.get("Content-Length", "")
    total = start + int(length) if length.isdecimal() else None
    with (
        part.open("r+b" if start else "wb") as file,
        tqdm(
            desc=remote.name,
            total=total,
            initial=start,
            unit="B",
            unit_scale=True,
            file=progress,
            disable=progress is None,
        ) as bar,
    ):
        file.seek(start)
        file.truncate()
        pace = _Pace()
        # As it comes: iter_content would wait for a whole chunk, which a server that drips fills in hours.
        while chunk := response.raw.read1(CHUNK_BYTES, decode_content=True):
            bar.update(file.write(chunk))
            pace.add(len(chunk))
            if remote.size_bytes is not None and file.tell() > remote.size_bytes:
                raise DataError(f"{remote.shown}: the server sends more than the {remote.size_bytes} bytes expected")
    return total is None or part.stat().st_size == total


class _Pace:
    """Ends a connection that brings next to nothing, which no time limit on a single read notices."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._n_bytes = 0

    def add(self, n_bytes: int) -> None:
        """Count what came; raises Timeout where it has been too little for too long."""
        import requests

        self._n_bytes += n_bytes
        if time.monotonic() - self._began < PACE_S:
            return
        if self._n_bytes < PACE_BYTES:
            raise requests.Timeout(
                f"the server sent {self._n_bytes} bytes in {PACE_S} seconds; {PACE_BYTES} are the least to wait for"
            )
        self._began, self._n_bytes = time.monotonic(), 0


def _start_of(response: "requests.Response", part: Path) -> int:
    """Return the offset of the first byte sent: 0 where the server sends the whole file after all."""
    if response.status_code != 206:
        return 0
    stated = response.headers.get("Content-Range", "").removeprefix("bytes ").partition("-")[0]
    have = part.stat().st_size
    return have if stated == str(have) else 0


def _is_whole(response: "requests.Response", part: Path) -> bool:
    """Return whether a refused range means that nothing is missing; else drop what is there and start again."""
    if part.is_file() and response.headers.get("Content-Range", "").rpartition("/")[2] == str(part.stat().st_size):
        return True
    part.unlink(missing_ok=True)
    return False


def _tag_file(part: Path) -> Path:
    return part.with_name(f"{part.name}.etag")


# --- checking


def _is_right(path: Path, remote: RemoteFile) -> bool:
    if remote.size_bytes is not None and path.stat().st_size != remote.size_bytes:
        return False
    return remote.sha256 is None or sha256(path) == remote.sha256


def _expected(remote: RemoteFile) -> str:
    size = "any number of" if remote.size_bytes is None else remote.size_bytes
    return f"{size} bytes, SHA-256 {remote.sha256 or 'any'}"


# --- unpacking


def _target(info: zipfile.ZipInfo, folder: Path, archive: Path) -> Path:
    """Return where an entry belongs; raises DataError where that is not inside the folder."""
    name = PurePosixPath(info.filename.replace("\\", "/"))
    is_link = stat.S_ISLNK(info.external_attr >> 16)
    if is_link or name.is_absolute() or ".." in name.parts or ":" in info.filename:
        raise DataError(f"{archive}: refused, its entry {info.filename!r} is a link or points outside the folder")
    target = folder.joinpath(*name.parts)
    if not target.resolve().is_relative_to(folder.resolve()):
        raise DataError(f"{archive}: refused, its entry {info.filename!r} leads outside {folder} through a link there")
    return target


def _extract(file: zipfile.ZipFile, info: zipfile.ZipInfo, target: Path) -> None:
    """Write one entry; its checksum is checked as it is read, and only whole files get their name."""
    if target.is_file() and target.stat().st_size == info.file_size:
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f"{target.name}.part")
    with file.open(info) as source, part.open("wb") as sink:
        shutil.copyfileobj(source, sink)
    part.replace(target)
