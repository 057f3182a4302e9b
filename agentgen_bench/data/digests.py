"""SHA-256 of downloaded files: what each must be, and what was found, in `SHA256SUMS` beside them.

Neither the ALFWorld nor the WebShop project publishes digests. So a digest comes from the user (`--sha256`), or from
the first download, which records it in the format of `sha256sum`: a later download that differs is refused.
"""

import hashlib
import re
from collections.abc import Mapping
from pathlib import Path

from agentgen_bench.errors import DataError, SpecError

SUMS = "SHA256SUMS"
_LINE = re.compile(r"([0-9a-f]{64}) [ *](.+)")
_DIGEST = re.compile(r"[0-9a-f]{64}")


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file as 64 hex digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def recorded(folder: Path) -> dict[str, str]:
    """Return the digests recorded in a folder, by file name.

    Raises:
        DataError: the record is not one of `sha256sum`.
    """
    path = folder / SUMS
    if not path.exists():
        return {}
    found = {}
    for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), 1):
        if (match := _LINE.fullmatch(line)) is None:
            raise DataError(f"{path}, line {number}: {line[:60]!r} is not 64 hex digits, two spaces and a file's name")
        found[match[2]] = match[1]
    return found


def record(folder: Path, name: str, digest: str) -> None:
    """Add a digest to a folder's record, or change it."""
    lines = recorded(folder) | {name: digest}
    part = folder / f"{SUMS}.part"
    part.write_text("".join(f"{lines[each]}  {each}\n" for each in sorted(lines)), encoding="utf-8")
    part.replace(folder / SUMS)


def parsed(pairs: list[str], known: Mapping[str, object]) -> dict[str, str]:
    """Return digests given as NAME=HEX.

    Raises:
        SpecError: not of that form, or of a file that is not downloaded.
    """
    found = {}
    for pair in pairs:
        name, _, digest = pair.partition("=")
        if name not in known or not _DIGEST.fullmatch(digest.lower()):
            raise SpecError(f"--sha256 {pair!r} is not NAME=HEX with 64 hex digits and one of: {', '.join(known)}")
        found[name] = digest.lower()
    return found
