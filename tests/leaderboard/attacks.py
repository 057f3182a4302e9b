"""Attacks on the verification of an entry: each turns a sound entry into a hostile one of its kind.

`benchmarks/hostile_entries.py` measures what each costs; `test_attacks.py` runs those that are small. All of them are
written here, none is downloaded; an attack may be as large as the limits of `leaderboard/safe.py` allow.
"""

import gzip
import json
import struct
import zlib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple

EPISODES = "episodes.jsonl.gz"
MEGABYTE = 2**20
DEEP = 900  # levels that a parser with a limit of 1,000 accepts, and that pickling then fails on
LONG = 15 * MEGABYTE


class Attack(NamedTuple):
    """What is done to a sound entry, and part of what verification must say."""

    spoil: Callable[[Path], None]
    finding: str


def lines_of(entry: Path) -> list[dict[str, Any]]:
    with gzip.open(entry / EPISODES, "rt") as file:
        return [json.loads(line) for line in file]


def write_raw(entry: Path, lines: Iterable[bytes]) -> None:
    with gzip.open(entry / EPISODES, "wb", compresslevel=1) as file:
        for line in lines:
            file.write(line + b"\n")


def on_episodes(edit: Callable[[list[dict[str, Any]]], None]) -> Callable[[Path], None]:
    """Return an attack that edits the parsed episodes."""

    def spoil(entry: Path) -> None:
        lines = lines_of(entry)
        edit(lines)
        write_raw(entry, (json.dumps(line).encode() for line in lines))

    return spoil


def on_first(edit: Callable[[dict[str, Any]], Any]) -> Callable[[Path], None]:
    return on_episodes(lambda lines: edit(lines[0]))


def on_last(edit: Callable[[dict[str, Any]], Any]) -> Callable[[Path], None]:
    return on_episodes(lambda lines: edit(lines[-1]))


def on_text(old: str, new: str) -> Callable[[Path], None]:
    """Return an attack that replaces text in the first line, which need not stay JSON as Python writes it."""

    def spoil(entry: Path) -> None:
        texts = [json.dumps(line) for line in lines_of(entry)]
        assert old in texts[0], old
        write_raw(entry, [texts[0].replace(old, new, 1).encode(), *(text.encode() for text in texts[1:])])

    return spoil


def on_metadata(old: str, new: str) -> Callable[[Path], None]:
    def spoil(entry: Path) -> None:
        path = entry / "metadata.yaml"
        text = path.read_text()
        assert old in text, old
        path.write_text(text.replace(old, new, 1))

    return spoil


def as_model(entry: Path) -> None:
    """Turn a scripted policy's entry into a model's, whose completions are parsed."""
    path = entry / "metadata.yaml"
    path.write_text(path.read_text().replace("kind: random", "kind: model", 1))
    lines = lines_of(entry)
    for line in lines:
        for step in line["steps"]:
            step["completion"] = f"<action>{step['action']}</action>" if step["action"] else ""
    write_raw(entry, (json.dumps(line).encode() for line in lines))


def completion(text: str) -> Callable[[Path], None]:
    def spoil(entry: Path) -> None:
        as_model(entry)
        on_first(lambda line: line["steps"][0].update(completion=text))(entry)

    return spoil


def everywhere(change: Callable[[dict[str, Any]], Any]) -> Callable[[Path], None]:
    """Return an attack that makes each episode as large as lines may be: what is gathered of them adds up."""
    return on_episodes(lambda lines: [change(line) for line in lines] and None)


# --- gzip


def members(entry: Path) -> None:
    """Follow the sound member by two million empty ones, which hold nothing to return."""
    empty = gzip.compress(b"", mtime=0)
    with (entry / EPISODES).open("ab") as file:
        for _ in range(20):
            file.write(empty * 100_000)


def members_before(entry: Path) -> None:
    sound = (entry / EPISODES).read_bytes()
    (entry / EPISODES).write_bytes(gzip.compress(b"", mtime=0) * 2_000_000 + sound)


def header_name(entry: Path) -> None:
    """Put a file name of 60 MB into the header."""
    sound = (entry / EPISODES).read_bytes()
    (entry / EPISODES).write_bytes(b"\x1f\x8b\x08\x08" + bytes(6) + b"n" * (60 * MEGABYTE) + b"\0" + sound[10:])


def header_extra(entry: Path) -> None:
    """Claim an extra field that is longer than the file."""
    (entry / EPISODES).write_bytes(b"\x1f\x8b\x08\x04" + bytes(6) + struct.pack("<H", 65535) + b"x" * 100)


def oversized(entry: Path) -> None:
    with (entry / EPISODES).open("r+b") as file:
        file.truncate(2**40)  # sparse


def empty_blocks(entry: Path) -> None:
    """Fill 60 MB with stored blocks of no bytes, which inflate to nothing."""
    block = b"\x00\x00\x00\xff\xff"
    body = b"\x1f\x8b\x08\x00" + bytes(6) + block * (12 * MEGABYTE)
    (entry / EPISODES).write_bytes(body + b"\x01\x00\x00\xff\xff" + struct.pack("<II", zlib.crc32(b""), 0))


def bomb(unit: bytes, megabytes: int) -> Callable[[Path], None]:
    """Return an attack by a small file that unpacks to this many megabytes of a repeated unit."""

    def spoil(entry: Path) -> None:
        packer = zlib.compressobj(9, zlib.DEFLATED, 31)
        with (entry / EPISODES).open("wb") as file:
            file.write(packer.compress(unit * max(1, MEGABYTE // len(unit))) + packer.flush(zlib.Z_FULL_FLUSH))
            block = packer.compress(unit * max(1, MEGABYTE // len(unit))) + packer.flush(zlib.Z_FULL_FLUSH)
            for _ in range(megabytes):
                file.write(block)

    return spoil


def sound_then_bomb(entry: Path) -> None:
    """Let a long line follow the sound ones, within one member."""
    with gzip.open(entry / EPISODES, "rb") as file:
        data = file.read()
    with gzip.open(entry / EPISODES, "wb", compresslevel=1) as file:
        file.write(data)
        for _ in range(200):
            file.write(b"a" * MEGABYTE)


# --- lines


def raw_line(line: bytes) -> Callable[[Path], None]:
    return lambda entry: write_raw(entry, [line])


def many_steps(number: int, *, claimed: bool = False) -> Callable[[dict[str, Any]], None]:
    def edit(line: dict[str, Any]) -> None:
        line["steps"] = (line["steps"] * (number // len(line["steps"]) + 1))[:number]
        if claimed:
            line["max_steps"] = number

    return edit


def drawn_out(line: dict[str, Any]) -> None:
    line["steps"] = [*line["steps"], line["steps"][-1]][: line["max_steps"]]


def many_facts(line: dict[str, Any]) -> None:
    line["facts"] = [["", 0, ""]] * 49_000  # as many as a line may hold: 5 MB in memory, 2 KB in the file


def many_tasks(line: dict[str, Any]) -> None:
    line["tasks"] = line["tasks"] * 39_000


def wide(line: dict[str, Any]) -> None:
    for step in line["steps"]:
        step["observation_chars"] = {f"{i:x}": 1 for i in range(5000)}


def long_actions(line: dict[str, Any]) -> None:
    for step in line["steps"]:
        step["action"] = step["completion"] = "a" * 4000


def huge_tokens(line: dict[str, Any]) -> None:
    for step in line["steps"]:
        step["prompt_tokens"] = 10**15 - 1


def nested(depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = [value]
    return value


def duplicated(entry: Path) -> None:
    on_text('"success": ', '"success": true, "success": ')(entry)


def completions_everywhere(entry: Path) -> None:
    """Fill every step of every episode with the longest completion, as far as the line allows."""
    as_model(entry)
    thought = "<think>" + "x" * 150_000 + "</think>"

    def fill(line: dict[str, Any]) -> None:
        for step in line["steps"][:60]:
            step["completion"] = thought + step["completion"]

    everywhere(fill)(entry)
    on_last(lambda line: line.update(score=0.5))(entry)


def many_problems(entry: Path) -> None:
    everywhere(lambda line: line["steps"][0].update(reward=5.0))(entry)


def stray_files(entry: Path) -> None:
    for i in range(20_000):
        (entry / f"{i}.txt").touch()


def results(text: str) -> Callable[[Path], None]:
    return lambda entry: (entry / "results.json").write_text(text) and None


def readme(entry: Path) -> None:
    (entry / "README.md").write_text("a" * (50 * MEGABYTE))


ATTACKS: dict[str, Attack] = {
    # gzip
    "gzip-many-members-after": Attack(members, "after its first gzip member"),
    "gzip-many-members-before": Attack(members_before, "after its first gzip member"),
    "gzip-header-name-60MB": Attack(header_name, "has a gzip header of more than 1024 bytes"),
    "gzip-header-extra": Attack(header_extra, "has a gzip header of more than 1024 bytes"),
    "gzip-sparse-1TB": Attack(oversized, "bytes; at most"),
    "gzip-empty-blocks-60MB": Attack(empty_blocks, "episodes of the suite are missing"),
    "gzip-bomb-one-line-8GB": Attack(bomb(b"a", 8192), "line 1 is longer than"),
    "gzip-bomb-empty-lines-4GB": Attack(bomb(b"\n", 4096), "line 1 is not JSON"),
    "gzip-bomb-spaces-4GB": Attack(bomb(b" " * 65535 + b"\n", 4096), "line 1 is not JSON"),
    "gzip-bomb-after-sound-lines": Attack(sound_then_bomb, "is longer than"),
    # one line
    "line-of-lists": Attack(raw_line(b"[" + b"[]," * (5 * MEGABYTE) + b"[]]"), "values"),
    "line-of-objects": Attack(raw_line(b"[" + b"{}," * (5 * MEGABYTE) + b"{}]"), "values"),
    "line-of-numbers": Attack(raw_line(b"[" + b"1.5," * (3 * MEGABYTE) + b"1]"), "values"),
    "line-of-strings": Attack(raw_line(b"[" + b'"a",' * (3 * MEGABYTE) + b'"a"]'), "values"),
    "line-of-open-brackets": Attack(raw_line(b"[" * LONG), "values"),
    "line-of-open-objects": Attack(raw_line(b'{"a":' * (LONG // 5)), "values"),
    "line-of-escaped-quotes": Attack(raw_line(b'\\"' * (LONG // 2)), "not JSON"),
    "line-of-open-escapes": Attack(raw_line(b'"' + b'\\"' * (LONG // 2) + b"\\"), "not JSON"),
    "line-of-one-string": Attack(raw_line(b'"' + b"\\ud83d\\ude00" * (LONG // 12) + b'"'), "not an episode"),
    "line-not-utf8": Attack(raw_line(b'{"a": "\xff\xfe"}'), "not JSON"),
    "line-of-a-number": Attack(raw_line(b"9" * LONG), "the number 9999"),
    "line-of-a-minus": Attack(raw_line(b"-" * LONG), "the number ----"),
    "line-null": Attack(raw_line(b"null"), "line 1: not an episode"),
    # parts of an episode
    "deep-analysis": Attack(on_first(lambda line: line["analysis"].update(a=nested(DEEP))), "levels"),
    "deep-spec": Attack(on_first(lambda line: line["spec"]["knobs"].update(a=nested(DEEP))), "levels"),
    "deep-within-limits": Attack(on_first(lambda line: line["analysis"].update(a=nested(9))), "field 'a' is [[["),
    "deep-templates": Attack(on_first(lambda line: line.update(action_templates=nested(9))), ""),
    "steps-30000": Attack(on_first(many_steps(30_000)), "values"),
    "steps-many": Attack(on_first(lambda line: many_steps(8_000)(line)), "has 8000 steps of at most"),
    "steps-many-everywhere": Attack(everywhere(many_steps(8_000, claimed=True)), "max_steps is recorded as 8000"),
    "steps-within-limits-everywhere": Attack(everywhere(many_steps(2_000)), "episode"),
    "facts-many": Attack(on_first(many_facts), "49000 facts; an episode of the setting has at most 1"),
    "facts-many-everywhere": Attack(everywhere(many_facts), "49000 facts; an episode of the setting has at most 1"),
    "facts-huge": Attack(on_first(lambda line: line.update(facts=[["house", 0, "f" * LONG]])), "a fact has a name"),
    "tasks-many": Attack(on_first(many_tasks), "39000 tasks; an episode of the setting has at most 1"),
    "tasks-many-everywhere": Attack(everywhere(many_tasks), "39000 tasks; an episode of the setting has at most 1"),
    "note-huge": Attack(on_first(lambda line: line.update(tasks=[[0, 0.0, False, "n" * LONG]])), "a task has a note"),
    "parts-many": Attack(on_first(lambda line: line.update(parts=[[0, "", 1, "", None]] * 3)), "3 parts of a pack"),
    "members-many": Attack(on_first(wide), "observation_chars holds more than"),
    "members-of-analysis": Attack(
        on_first(lambda line: line.update(analysis={str(i): 1 for i in range(100_000)})), "analysis holds more than"
    ),
    "members-huge-name": Attack(
        on_first(lambda line: line["steps"][0].update(observation_chars={"k" * (8 * MEGABYTE): 1})), "observation_chars"
    ),
    "templates-many": Attack(on_first(lambda line: line.update(action_templates=["up"] * 150_000)), "action templates"),
    "templates-huge": Attack(
        on_first(lambda line: line.update(action_templates=["u" * (8 * MEGABYTE)])), "action templates"
    ),
    "task-huge": Attack(on_first(lambda line: line.update(task="t" * LONG)), "'task' has 15728640 characters"),
    "actions-long-everywhere": Attack(everywhere(long_actions), "an action of 4000 characters"),
    "error-text-huge": Attack(on_first(lambda line: line.update(error="e" * LONG, ending="error")), "'error' has"),
    "level-id-object": Attack(on_first(lambda line: line.update(level_id={"a": 1})), "holds a dict"),
    "steps-object": Attack(on_first(lambda line: line.update(steps={"a": 1})), ""),
    "step-null": Attack(on_first(lambda line: line.update(steps=[None])), ""),
    "spec-null-values": Attack(
        on_first(lambda line: line.update(spec=dict.fromkeys(line["spec"]))), "'env_id' is None, not a name"
    ),
    "sections-odd": Attack(on_first(lambda line: line.update(first_sections=[[1, {}, []]])), ""),
    "commands-odd": Attack(on_first(lambda line: line["steps"][0].update(admissible_commands=[{}])), ""),
    "duplicate-keys": Attack(duplicated, "the key 'success' is there twice"),
    "surrogates": Attack(on_text('"policy": "random"', '"policy": "\\ud800"'), "was played by"),
    # numbers
    "number-5000-digits": Attack(on_text('"seed": 0', '"seed": ' + "9" * 5000), "the number 9999"),
    "number-400-digits": Attack(on_text('"max_steps": ', '"max_steps": 1' + "0" * 400), "the number 1000"),
    "number-16-digits": Attack(on_text('"prompt_tokens": 0', '"prompt_tokens": 1' + "0" * 15), "the number 1000"),
    "number-negative": Attack(on_text('"prompt_tokens": 0', '"prompt_tokens": -1'), "'prompt_tokens' is -1, not a"),
    "number-tokens-everywhere": Attack(everywhere(huge_tokens), "prompt_tokens is 999999999999999"),
    "number-huge-float": Attack(on_text('"score": 0.0', '"score": 1e308'), "'score' is 1e+308, not a number"),
    "number-infinite-float": Attack(on_text('"score": 0.0', '"score": 1e999'), "not a finite number"),
    "number-huge-rewards": Attack(
        on_first(lambda line: [step.update(reward=1e308) for step in line["steps"]]), "reward is 1e+308; -1000000 to"
    ),
    "number-minus-zero": Attack(on_text('"score": 0.0', '"score": -0.0'), "score is recorded as -0.0"),
    "number-analysis": Attack(on_first(lambda line: line["analysis"].update(a=1e300)), "analysis is recorded"),
    # completions
    "completion-15MB": Attack(completion("<action>" * (LONG // 8)), "'completion' has 15728640 characters"),
    "completion-tags": Attack(completion("<action>" * (250_000 // 8)), "is not what the completion holds"),
    "completion-thoughts": Attack(completion("<think>" * (250_000 // 7)), "is not what the completion holds"),
    "completion-spaces": Attack(completion("<action>" + " " * 250_000 + "up"), "is not what the completion holds"),
    "completion-lines": Attack(completion("Action:\n" * (250_000 // 8)), "is not what the completion holds"),
    "completions-everywhere": Attack(completions_everywhere, "score is recorded as 0.5"),
    "differs-everywhere": Attack(many_problems, "reward is recorded as 5.0"),
    # other files
    "metadata-deep": Attack(on_metadata("policy:", f"x: {'[' * 5000}{']' * 5000}\npolicy:"), "levels deep"),
    "metadata-integer-60KB": Attack(on_metadata("repeats: 2", "repeats: " + "9" * 60_000), "is no integer"),
    "metadata-integer-hex": Attack(on_metadata("repeats: 2", "repeats: 0x" + "f" * 60_000), "is no integer"),
    "metadata-integer-base-60": Attack(on_metadata("repeats: 2", "repeats: 1" + ":59" * 20_000), "is no integer"),
    "metadata-integer-in-policy": Attack(on_metadata("seed: 3", "seed: 0b" + "1" * 60_000), "is no integer"),
    "metadata-float-infinite": Attack(on_metadata("seed: 3", "seed: .inf"), "is no finite number"),
    "metadata-float-long": Attack(on_metadata("seed: 3", "seed: 1." + "1" * 60_000), "is no finite number"),
    "metadata-duplicate": Attack(on_metadata("repeats: 2", "repeats: 2\nrepeats: 2"), "'repeats' is there twice"),
    "metadata-date-odd": Attack(on_metadata("seed: 3", "seed: 2026-13-45"), "is no plain value"),
    "metadata-key-list": Attack(on_metadata("seed: 3", "[seed]: 3"), "a key is no text"),
    "metadata-anchors": Attack(on_metadata("seed: 3", "a: &a [x, x]\n  b: *a"), "anchors"),
    "metadata-binary": Attack(on_metadata("seed: 3", "seed: !!binary " + "A" * 60_000), "is no plain value"),
    "metadata-set": Attack(on_metadata("seed: 3", "seed: !!set {a, b}"), "is no plain value"),
    "metadata-name-list": Attack(on_metadata("name: random", "name: [random]"), ""),
    "metadata-prompt-odd": Attack(on_metadata("action_format: tagged", "x: 1"), "prompt is none of ours"),
    "metadata-1MB": Attack(on_metadata("seed: 3", "seed: " + "a" * MEGABYTE), "bytes; at most"),
    "results-of-lists": Attack(results("[" + "[]," * 600_000 + "[]]"), "values"),
    "results-deep": Attack(results("[" * DEEP + "]" * DEEP), "levels"),
    "results-number": Attack(results("9" * 5000), "the number 9999"),
    "results-100MB": Attack(results(" " * (100 * MEGABYTE)), "bytes; at most"),
    "results-duplicate": Attack(results('{"a": 1, "a": 1}'), "the key 'a' is there twice"),
    "results-minus-zero": Attack(
        lambda entry: (
            (entry / "results.json").write_text((entry / "results.json").read_text().replace(" 0.0,", " -0.0,", 1))
            and None
        ),
        "is -0.0, recomputed 0.0",
    ),
    "readme-50MB": Attack(readme, "bytes; at most"),
    "folder-of-20000-files": Attack(stray_files, "which is no part of an entry"),
}
