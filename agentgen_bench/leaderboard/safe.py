"""Reading files that strangers sent: bounded in memory, never followed through links, never executed.

Every reader raises EntryError with one line that names the file.
"""

import gzip
import json
import math
import stat
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

import yaml

from agentgen_bench.errors import EntryError

MAX_YAML_BYTES = 64 * 1024
MAX_YAML_DEPTH = 10  # checked before loading: the loader's time grows with the square of the depth
MAX_JSON_BYTES = 8 * 1024 * 1024
MAX_TEXT_BYTES = 256 * 1024
MAX_LINE_BYTES = 16 * 1024 * 1024  # an episode of 400 steps with 4,000-token completions is about 8 MB
MAX_UNPACKED_BYTES = 8 * 1024**3


def check_plain_file(path: Path, max_bytes: int | None = None) -> None:
    """Raise EntryError unless `path` is a regular file, no link, of at most `max_bytes`."""
    try:
        found = path.lstat()
    except OSError as error:
        raise EntryError(f"{path} is missing: {error.strerror}") from None
    if not stat.S_ISREG(found.st_mode):
        raise EntryError(f"{path} is not a plain file; links, folders and devices are refused")
    if max_bytes is not None and found.st_size > max_bytes:
        raise EntryError(f"{path} has {found.st_size} bytes; at most {max_bytes} are accepted")


def read_text(path: Path, max_bytes: int = MAX_TEXT_BYTES) -> str:
    """Return the text of a small UTF-8 file."""
    check_plain_file(path, max_bytes)
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise EntryError(f"{path} cannot be read: {error}") from None


def read_yaml(path: Path) -> Any:
    """Return the plain values of a small, shallow YAML file without anchors (ten lines of them can mean gigabytes)."""
    text = read_text(path, MAX_YAML_BYTES)
    try:
        depth = 0
        for event in yaml.parse(text):
            if getattr(event, "anchor", None) is not None:
                raise EntryError(f"{path} uses YAML anchors; write the values out")
            depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
            if depth > MAX_YAML_DEPTH:
                raise EntryError(f"{path} is nested more than {MAX_YAML_DEPTH} levels deep")
        return yaml.safe_load(text)
    except (yaml.YAMLError, ValueError) as error:
        raise EntryError(f"{path} is not YAML: {_one_line(error)}") from None


def read_json(path: Path) -> Any:
    """Return the value of a JSON file of bounded size and depth, without NaN or infinity."""
    return parse_json(read_text(path, MAX_JSON_BYTES), str(path))


def parse_json(text: str, where: str) -> Any:
    """Return the value of a JSON text; `where` names it in errors."""
    try:
        return json.loads(text, parse_constant=_refuse_constant, parse_float=_finite)
    except (ValueError, RecursionError) as error:
        raise EntryError(f"{where} is not JSON as we accept it: {_one_line(error)}") from None


def read_gzip_lines(path: Path) -> Iterator[str]:
    """Yield the lines of a gzip file, each with at most `MAX_LINE_BYTES`, in memory of about one line.

    Raises:
        EntryError: not gzip, truncated, a wrong checksum, a line too long, or too much unpacked.
    """
    check_plain_file(path)
    unpacked = 0
    try:
        with gzip.open(path, "rb") as file:
            number = 0
            while line := file.readline(MAX_LINE_BYTES + 1):
                number += 1
                unpacked += len(line)
                if len(line) > MAX_LINE_BYTES:
                    raise EntryError(f"{path}, line {number} is longer than {MAX_LINE_BYTES} bytes")
                if unpacked > MAX_UNPACKED_BYTES:
                    raise EntryError(f"{path} unpacks to more than {MAX_UNPACKED_BYTES} bytes")
                if not line.endswith(b"\n"):
                    raise EntryError(f"{path}, line {number} has no end: the file was cut off")
                yield line.decode()
    except EOFError:
        raise EntryError(f"{path} was cut off: the compressed data ends before its end mark") from None
    except (OSError, zlib.error, UnicodeDecodeError) as error:
        raise EntryError(f"{path} is not a sound gzip file of UTF-8 lines: {_one_line(error)}") from None


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a number")


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text[:40]} is not a finite number")
    return value


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split())[:200]
