"""Reading files that strangers sent: bounded in time and memory, never followed through links, never executed.

Every limit is checked before what it limits is parsed or gathered. Every reader raises EntryError with one line that
names the file. What a line of JSON may cost is known before it is parsed: its length, its values and its depth are
counted in the bytes. An accepted line of 16 MiB takes about 150 MB while it is read, one of 200,000 values 30 MB.
"""

import json
import math
import re
import stat
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

import yaml

from agentgen_bench.errors import EntryError
from agentgen_bench.yaml_text import key_twice, nodes

MAX_YAML_BYTES = 64 * 1024
MAX_YAML_DEPTH = 10  # checked before loading: the loader's time grows with the square of the depth
MAX_JSON_BYTES = 2 * 1024 * 1024  # results.json has about 2 KB a setting
MAX_TEXT_BYTES = 64 * 1024
MAX_LINE_BYTES = 16 * 1024 * 1024  # 1,200 steps, SciWorld's longest, with 3,000-token completions
MAX_COMPRESSED_BYTES = 64 * 1024 * 1024  # what a repository can hold; hosts refuse files of 100 MB
MAX_UNPACKED_BYTES = 2 * 1024**3
MAX_VALUES = 200_000  # of a line: an episode has about 25 a step
MAX_DEPTH = 16  # of a line; an episode has 4
MAX_STRING_CHARS = 4096
MAX_COMPLETION_CHARS = 256 * 1024  # 64,000 tokens in one step
MAX_DIGITS = 15  # of an integer; greater ones lose digits as soon as a float holds them
MAX_NUMBER_CHARS = 25  # Python writes a float in at most 24
BLOCK_BYTES = 256 * 1024
MAX_HEADER_BYTES = 1024

_NOT_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))
# Long numbers are looked for as runs of one character, among texts in which all others are another: `find` takes a
# hundredth of a regular expression's time, which was two thirds of what reading an entry took.
_NUMBER_CHARS = bytes(ord("0") if char in b"0123456789-+.eE" else ord(" ") for char in range(256))
_DIGITS = bytes(ord("0") if char in b"0123456789" else ord(" ") for char in range(256))
_YAML_INTEGER = re.compile(rf"-?\d{{1,{MAX_DIGITS}}}")  # decimal only: YAML 1.1 has six more notations, one of base 60
_YAML_TAGS = tuple(f"tag:yaml.org,2002:{name}" for name in ("str", "int", "float", "bool", "null", "map", "seq"))


def check_plain_file(path: Path, max_bytes: int | None = None) -> None:
    """Raise EntryError unless `path` is a regular file, no link, of at most `max_bytes`."""
    try:
        found = path.lstat()
    except (OSError, ValueError) as error:  # ValueError: a name with a null byte
        raise EntryError(f"{path} is missing: {getattr(error, 'strerror', error)}") from None
    if not stat.S_ISREG(found.st_mode):
        raise EntryError(f"{path} is not a plain file; links, folders and devices are refused")
    if max_bytes is not None and found.st_size > max_bytes:
        raise EntryError(f"{path} has {found.st_size} bytes; at most {max_bytes} are accepted")


def read_bytes(path: Path, max_bytes: int) -> bytes:
    """Return the bytes of a small file; a file that grows meanwhile is refused too."""
    check_plain_file(path, max_bytes)
    try:
        with path.open("rb") as file:
            data = file.read(max_bytes + 1)
    except OSError as error:
        raise EntryError(f"{path} cannot be read: {error.strerror or error}") from None
    if len(data) > max_bytes:
        raise EntryError(f"{path} has more than {max_bytes} bytes, which are accepted at most")
    return data


def read_text(path: Path, max_bytes: int = MAX_TEXT_BYTES) -> str:
    """Return the text of a small UTF-8 file."""
    try:
        return read_bytes(path, max_bytes).decode()
    except UnicodeDecodeError as error:
        raise EntryError(f"{path} cannot be read: {_one_line(error)}") from None


# --- YAML


def read_yaml(path: Path) -> Any:
    """Return the plain values of a small, shallow YAML file: no anchors, no duplicate keys, no tags, no odd numbers.

    Ten lines of anchors can mean gigabytes; `1:1:1:1` is a number to the base of 60, and a hexadecimal one of 60 KB
    can be made but not printed.
    """
    text = read_text(path, MAX_YAML_BYTES)
    try:
        _check_yaml_events(text, path)
        node = yaml.compose(text, yaml.SafeLoader)
        for child in nodes(node):
            _check_yaml_node(child, path)
        return yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise EntryError(f"{path} is not YAML as we accept it: {_one_line(error)}") from None


def _check_yaml_events(text: str, path: Path) -> None:
    depth = 0
    for event in yaml.parse(text):
        if getattr(event, "anchor", None) is not None:
            raise EntryError(f"{path} uses YAML anchors; write the values out")
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > MAX_YAML_DEPTH:
            raise EntryError(f"{path} is nested more than {MAX_YAML_DEPTH} levels deep")


def _check_yaml_node(node: yaml.Node, path: Path) -> None:
    where = f"{path}, line {node.start_mark.line + 1}"
    if node.tag not in _YAML_TAGS:
        raise EntryError(f"{where}: {node.tag[:60]!r} is no plain value; quote it")
    if isinstance(node, yaml.MappingNode):
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode) or not key.tag.endswith(":str"):
                raise EntryError(f"{where}: a key is no text")
        if (twice := key_twice(node)) is not None:
            raise EntryError(f"{where}: the key {twice.value[:60]!r} is there twice")
    if node.tag.endswith(":int") and not _YAML_INTEGER.fullmatch(node.value):
        raise EntryError(f"{where}: {node.value[:40]!r} is no integer of at most {MAX_DIGITS} decimal digits; quote it")
    if node.tag.endswith(":float") and (len(node.value) > MAX_NUMBER_CHARS or not _is_finite(node.value)):
        raise EntryError(f"{where}: {node.value[:40]!r} is no finite number of {MAX_NUMBER_CHARS} characters; quote it")


def _is_finite(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False


# --- JSON


def read_json(path: Path) -> Any:
    """Return the value of a JSON file of bounded size and depth, without NaN, infinity or duplicate keys."""
    return parse_json(read_bytes(path, MAX_JSON_BYTES), str(path))


def parse_json(text: bytes, where: str) -> Any:
    """Return the value of a JSON text in UTF-8; `where` names it in errors.

    Raises:
        EntryError: not JSON, or more values, deeper, with longer strings or numbers than an entry has, or with a key
            twice in an object.
    """
    longest = _check_shape(text, where)
    hook = _object if longest <= MAX_STRING_CHARS else _object_of_long_strings
    try:
        return json.loads(text.decode(), object_pairs_hook=hook, parse_constant=_refuse_constant, parse_float=_finite)
    except (ValueError, RecursionError) as error:
        raise EntryError(f"{where} is not JSON as we accept it: {_one_line(error)}") from None


def _check_shape(text: bytes, where: str) -> int:
    """Raise EntryError where a JSON text would cost much to parse; its values are counted without its strings.

    Returns:
        How many bytes its longest string has at most.
    """
    # A backslash outside a string ends parsing there; of the quotes without one before them every second ends a string.
    quoted = text.replace(rb"\\", b"").replace(rb"\"", b"") if b"\\" in text else text
    if quoted.count(b'"') > 4 * MAX_VALUES:  # two each of a key and its value
        raise EntryError(f"{where} holds more than {MAX_VALUES} values")
    parts = quoted.split(b'"')
    bare = b"".join(parts[::2])
    if sum(map(bare.count, (b",", b"[", b"{"))) > MAX_VALUES:
        raise EntryError(f"{where} holds more than {MAX_VALUES} values")
    if (number := _long_number(bare)) is not None:
        shown = number[:40].decode()
        raise EntryError(f"{where}: the number {shown} is longer than those of an entry ({MAX_DIGITS} digits)")
    brackets = bare.translate(None, _NOT_BRACKETS)
    for _ in range(MAX_DEPTH):
        brackets = brackets.replace(b"[]", b"").replace(b"{}", b"")
    if brackets:
        raise EntryError(f"{where} is not JSON as we accept it: open brackets, or more than {MAX_DEPTH} levels")
    return max(map(len, parts[1::2]), default=0) + len(text) - len(quoted)


def _long_number(bare: bytes) -> bytes | None:
    """Return a number of more than `MAX_NUMBER_CHARS` characters, or an integer of more than `MAX_DIGITS`, or None."""
    for start, end in _runs(bare.translate(_NUMBER_CHARS), MAX_NUMBER_CHARS + 1):
        return bare[start:end]
    for start, end in _runs(bare.translate(_DIGITS), MAX_DIGITS + 1):
        if bare[start - 1 : start] != b"." and bare[end : end + 1] not in (b".", b"e", b"E"):
            return bare[start:end]
    return None


def _runs(marked: bytes, least: int) -> Iterator[tuple[int, int]]:
    """Yield where runs of at least so many zeros begin and end."""
    end = 0
    while (start := marked.find(b"0" * least, end)) >= 0:
        end = marked.find(b" ", start)
        end = len(marked) if end < 0 else end
        yield start, end


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        seen: set[str] = set()
        twice = next(name for name, _ in pairs if name in seen or seen.add(name))  # type: ignore[func-returns-value]
        raise ValueError(f"the key {twice[:60]!r} is there twice")
    return found


def _object_of_long_strings(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    for name, value in pairs:
        if isinstance(value, str) and len(value) > MAX_STRING_CHARS:
            limit = MAX_COMPLETION_CHARS if name == "completion" else MAX_STRING_CHARS
            if len(value) > limit:
                raise ValueError(f"{name[:60]!r} has {len(value)} characters; at most {limit} are accepted")
    return _object(pairs)


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a number")


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text[:40]} is not a finite number")
    return value


# --- gzip


def read_gzip_lines(path: Path) -> Iterator[bytes]:
    """Yield the lines of a gzip file without their ends, each of at most `MAX_LINE_BYTES`, in memory of about one line.

    Raises:
        EntryError: not gzip, several members, truncated, a wrong checksum, a line too long, or too much unpacked.
    """
    number, size = 1, 0
    pieces: list[bytes] = []  # of the line that is not yet whole
    for block in _unpacked(path):
        *whole, rest = block.split(b"\n")
        for end in whole:
            _check_line(size + len(end), path, number)
            yield b"".join([*pieces, end]) if pieces else end
            number, size = number + 1, 0
            pieces.clear()
        size += len(rest)
        _check_line(size, path, number)
        if rest:
            pieces.append(rest)
    if pieces:
        raise EntryError(f"{path}, line {number} has no end: the file was cut off")


def _check_line(size: int, path: Path, number: int) -> None:
    if size > MAX_LINE_BYTES:
        raise EntryError(f"{path}, line {number} is longer than {MAX_LINE_BYTES} bytes")


def _unpacked(path: Path) -> Iterator[bytes]:
    """Yield the blocks of a gzip file of one member; zlib reads its header and checks its checksum and length.

    Python's gzip reads a name in the header byte by byte and goes through any number of empty members without ever
    returning.
    """
    check_plain_file(path, MAX_COMPRESSED_BYTES)
    _check_header(path)
    inflater = zlib.decompressobj(wbits=31)  # 16 + 15: gzip, the greatest window
    total = 0
    try:
        with path.open("rb") as file:
            while not inflater.eof and (data := inflater.unconsumed_tail or file.read(BLOCK_BYTES)):
                block = inflater.decompress(data, BLOCK_BYTES)
                total += len(block)
                if total > MAX_UNPACKED_BYTES:
                    raise EntryError(f"{path} unpacks to more than {MAX_UNPACKED_BYTES} bytes")
                yield block
            more = inflater.unused_data or file.read(1)
    except (OSError, zlib.error) as error:
        raise EntryError(f"{path} is not a sound gzip file of UTF-8 lines: {_one_line(error)}") from None
    if not inflater.eof:
        raise EntryError(f"{path} was cut off: the compressed data ends before its end mark")
    if more:
        raise EntryError(f"{path} holds something after its first gzip member; write it in one")


def _check_header(path: Path) -> None:
    """Raise EntryError where a gzip header has more than a short name in it (RFC 1952, section 2.3)."""
    with path.open("rb") as file:
        head = file.read(MAX_HEADER_BYTES)
    if len(head) < 10 or head[:3] != b"\x1f\x8b\x08":
        raise EntryError(f"{path} is not a sound gzip file of UTF-8 lines: its header is none")
    flags, end = head[3], 10
    if flags & 0b0000_0100:
        end += 2 + int.from_bytes(head[10:12], "little")
    for flag in (0b0000_1000, 0b0001_0000):  # name, comment
        if flags & flag:
            end = head.find(b"\0", end) + 1 or MAX_HEADER_BYTES
    if end >= MAX_HEADER_BYTES:
        raise EntryError(
            f"{path} has a gzip header of more than {MAX_HEADER_BYTES} bytes; leave names and comments out"
        )


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split())[:200]
