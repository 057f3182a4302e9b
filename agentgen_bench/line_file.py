"""A file of lines that grows: a line is whole or not there, and safe once it has reached the disk."""

import contextlib
import errno
import fcntl
import os
import time
from io import FileIO
from pathlib import Path
from typing import Self

from agentgen_bench.errors import RunError

BLOCK_BYTES = 2**16
SYNC_SHARE = 0.05  # of the time, at most, is spent waiting for the disk
UNSUPPORTED = frozenset({errno.EINVAL, errno.ENOTSUP, errno.ENOSYS})  # a file system that cannot sync


class UnwrittenError(RunError):
    """The disk is full, or refuses."""


class LineFile:
    """Appends lines to an open file and syncs them.

    A line is synced at once where lines come slowly, as those of models do. Where they come faster than the disk
    takes them, several share a sync. `n_safe` counts the lines that a loss of power leaves.
    """

    def __init__(self, path: Path, file: FileIO, whole_bytes: int = 0) -> None:
        """Take a file opened for writing whose first `whole_bytes` are whole lines; what follows is cut off."""
        self.path = path
        self.size = whole_bytes
        self.n_safe = 0
        self._file = file
        self._n_unsafe = 0
        self._synced_at = self._sync_s = 0.0
        file.truncate(whole_bytes)

    @classmethod
    def open(cls, path: Path) -> Self:
        """Open or make the file at `path`, for this process alone; a torn last line is cut off.

        Raises:
            UnwrittenError: it cannot be opened for writing.
            RunError: another process is writing to it.
        """
        try:
            file = path.open("ab+", buffering=0)
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.fstat(file.fileno()).st_ino != path.stat().st_ino:  # another process has just put a new one there
                raise BlockingIOError
            return cls(path, file, _whole_bytes(file))
        except BlockingIOError:
            raise RunError(
                f"another process is writing to {path.parent}; wait for it or choose another --output"
            ) from None
        except OSError as error:
            raise UnwrittenError(f"cannot write {path}: {error.strerror}") from None

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def append(self, lines: list[bytes]) -> None:
        """Write lines, each without its line break; on failure they are taken back.

        Raises:
            UnwrittenError: the disk is full, or the file cannot be written.
        """
        content = b"".join(line + b"\n" for line in lines)
        try:
            if self._file.write(content) != len(content):  # an unbuffered write may stop short where the disk fills up
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        except OSError as error:
            with contextlib.suppress(OSError):  # the torn line is then left out by the next resume
                os.ftruncate(self._file.fileno(), self.size)
            with contextlib.suppress(UnwrittenError):
                self.sync()
            raise self._unwritten(error) from None
        self.size += len(content)
        self._n_unsafe += len(lines)
        if time.monotonic() - self._synced_at >= self._sync_s / SYNC_SHARE:
            self.sync()

    def sync(self) -> None:
        """Wait until every line is on the disk; raises UnwrittenError where the disk refuses."""
        if not self._n_unsafe:
            return
        began = time.monotonic()
        try:
            sync(self._file.fileno())
        except OSError as error:
            raise self._unwritten(error) from None
        self._synced_at = time.monotonic()
        self._sync_s = self._synced_at - began
        self.n_safe, self._n_unsafe = self.n_safe + self._n_unsafe, 0

    def _unwritten(self, error: OSError) -> UnwrittenError:
        return UnwrittenError(f"cannot write {self.path}: {error.strerror}")


def _whole_bytes(file: FileIO) -> int:
    """Return the length of a file up to the end of its last whole line."""
    end = file.seek(0, os.SEEK_END)
    while end:
        start = max(0, end - BLOCK_BYTES)
        file.seek(start)
        found = file.read(end - start).rfind(b"\n")
        if found >= 0:
            return start + found + 1
        end = start
    return 0


def sync(descriptor: int) -> None:
    """Wait until what was written to an open file is on the disk, where the file system can; raises OSError."""
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in UNSUPPORTED:
            raise


def sync_folder(path: Path) -> None:
    """Wait until a folder's names (of files made, renamed or removed) are on the disk, where the system can."""
    with contextlib.suppress(OSError):
        folder = os.open(path, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
