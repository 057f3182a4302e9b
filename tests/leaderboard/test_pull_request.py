"""The check of a pull request: what it may touch, and what is said about the rest."""

import shutil
from pathlib import Path

import pytest
import yaml

from agentgen_bench.errors import EntryError
from agentgen_bench.leaderboard import likeness
from agentgen_bench.leaderboard.audit import Record, append, entry_name
from agentgen_bench.leaderboard.entry import digests, slug
from agentgen_bench.leaderboard.markdown import BEGIN, END, markdown, with_table
from agentgen_bench.leaderboard.page import page
from agentgen_bench.leaderboard.pull_request import one_line, problems
from agentgen_bench.leaderboard.table import read_boards
from agentgen_bench.leaderboard.verify import verify
from agentgen_bench.suites import Suite
from tests.leaderboard.attacks import as_model


def update_table(board: Path) -> None:
    text = with_table(f"{BEGIN}\n{END}\n", markdown(read_boards(board)))
    (board / "README.md").write_text(text, encoding="utf-8")


def record(path: Path, event: str = "added") -> None:
    append(path.parent.parent, Record("2026-02-01", event, entry_name(path), "", digests(path)))  # type: ignore[arg-type]


def record_anew(merged: Path, entry: Path) -> None:
    """Let the trail's last line be the addition of the entry as it is now, and the tables be current."""
    lines = (merged / "audit.jsonl").read_bytes().splitlines(keepends=True)
    (merged / "audit.jsonl").write_bytes(b"".join(lines[:-1]))
    record(entry)
    update_table(merged)


@pytest.fixture
def base(made: Path, tmp_path: Path) -> Path:
    """The leaderboards of the base branch: one entry on record."""
    board = tmp_path / "base"
    entry = Path(shutil.copytree(made, board / "tiny-v1" / made.name))
    record(entry)
    update_table(board)
    return board


@pytest.fixture
def merged(base: Path, made: Path, tmp_path: Path) -> Path:
    """What merging a sound pull request gives: the same with a second entry."""
    board = Path(shutil.copytree(base, tmp_path / "merged"))
    entry = Path(shutil.copytree(made, board / "tiny-v1" / "20260131_Some-Lab__second"))
    metadata = (entry / "metadata.yaml").read_text().replace("lab/random-3", "second")
    (entry / "metadata.yaml").write_text(metadata)
    record(entry)
    update_table(board)
    return board


@pytest.fixture
def check(suite: Suite, monkeypatch: pytest.MonkeyPatch, base: Path):
    monkeypatch.setattr("agentgen_bench.leaderboard.verify.load_suite", lambda name: suite)
    return lambda merged, on_entry=None: list(problems(base, merged, workers=1, on_entry=on_entry))


def test_a_sound_addition_holds_and_only_it_is_replayed(check, merged):
    replayed = []
    assert check(merged, replayed.append) == []
    assert replayed == [merged / "tiny-v1" / "20260131_Some-Lab__second"]


def test_an_entry_that_does_not_hold_is_refused(check, merged):
    entry = merged / "tiny-v1" / "20260131_Some-Lab__second"
    (entry / "results.json").write_text((entry / "results.json").read_text().replace('"n": 16', '"n": 17', 1))
    record(entry)
    update_table(merged)
    (found,) = check(merged)
    assert "overall.success.n is 17, recomputed 16" in found


@pytest.mark.parametrize("file", ["README.md", "metadata.yaml"])
def test_an_entry_that_is_there_cannot_be_changed_even_with_a_record_of_it(file, check, merged):
    entry = next((merged / "tiny-v1").glob("*random-3"))
    (entry / file).write_text((entry / file).read_text() + "\n")
    record(entry)
    assert check(merged) == [f"tiny-v1/{entry.name} is changed; submit it anew, as an entry beside it"]


def test_an_entry_of_others_cannot_be_removed(check, merged):
    shutil.rmtree(next((merged / "tiny-v1").glob("*random-3")))
    assert any("is removed; that is for maintainers to do" in problem for problem in check(merged))


def test_an_entry_must_be_on_record(check, base, merged):
    shutil.copy(base / "audit.jsonl", merged / "audit.jsonl")
    assert check(merged) == [
        "tiny-v1/20260131_Some-Lab__second is there, but the audit trail does not say that it was added"
    ]


def test_trust_cannot_be_claimed(check, merged):
    record(merged / "tiny-v1" / "20260131_Some-Lab__second", "verified")
    assert "records additions only, not 'verified'" in check(merged)[0]


def test_a_copy_under_a_new_name_is_refused_and_its_row_says_so(check, merged, monkeypatch):
    monkeypatch.setattr(likeness, "COPY_LEVELS", 4)  # of the 8 of the tiny suite
    entry = merged / "tiny-v1" / SECOND
    as_model(entry)
    record_anew(merged, entry)
    (found,) = check(merged)
    same = "makes the same mistakes as tiny-v1/20260131_Some-Lab__lab-random-3 (8 of 8 in Sokoban)"
    said = f"{same}: a copy, the same model, or one that learned from the same demonstrations"
    assert found.startswith(f"tiny-v1/{SECOND} {said}")
    boards = read_boards(merged)
    assert "makes the same mistakes as tiny" in markdown(boards).replace("\\", "")
    assert said in page(boards)


def test_a_table_of_ones_own_is_refused(check, merged):
    path = merged / "README.md"
    path.write_text(path.read_text().replace("| 1 |", "| 0 |"))
    assert check(merged) == [
        "the tables in README.md are not those of the entries; run agentgen-bench leaderboard --update"
    ]


@pytest.mark.parametrize("place", ["tiny-v1/link", "elsewhere", "tiny-v1/20260131_Some-Lab__second/results.json"])
def test_links_are_refused_before_anything_is_read(place, check, merged, tmp_path):
    path = merged / place
    path.unlink(missing_ok=True)
    path.symlink_to(tmp_path)
    assert check(merged) == [f"{place} is a link or a device; leaderboards hold plain files only"]


def test_a_folder_of_no_suite_is_refused(base, merged):
    (found, *_) = list(problems(base, merged, workers=1))  # without the fixture: tiny-v1 is not shipped
    assert "unknown suite 'tiny-v1'" in found


def test_a_trail_of_nonsense_is_one_line(check, merged):
    with (merged / "audit.jsonl").open("a") as file:
        file.write('{"date": "d", "event": "added", "entry": {}, "note": "", "digests": {}}\n')
    with pytest.raises(EntryError, match="line 3 is not an audit record"):
        check(merged)


SECOND = "20260131_Some-Lab__second"


@pytest.mark.parametrize(
    "place",
    [
        ".gitattributes",
        "notes.txt",
        "tiny-v1/.gitattributes",
        "tiny-v1/notes.txt",
        "tiny-v1/.hidden/README.md",
        ".hidden/x/README.md",
        "tiny-v1/" + SECOND + "/.gitattributes",
        "tiny-v1/" + SECOND + "/setup.py",
        "tiny-v1/" + SECOND + "/deep/README.md",
        "a/b/c/README.md",
    ],
)
def test_a_file_that_is_no_part_of_an_entry_is_refused(place, check, merged):
    (merged / place).parent.mkdir(parents=True, exist_ok=True)
    (merged / place).write_text("* linguist-generated")
    assert any(problem.startswith(f"{place} is no file of an entry") for problem in check(merged))


def test_a_file_of_the_base_is_neither_changed_nor_removed(check, base, merged):
    for board in (base, merged):
        (board / "logo.svg").write_text("<svg/>")
        (board / "page.css").write_text("a {}")
    (merged / "logo.svg").write_text("<svg onload='x()'/>")
    (merged / "page.css").unlink()
    assert check(merged)[:2] == [
        "logo.svg is changed; a pull request changes the tables and adds to the trail",
        "page.css is removed; a pull request removes nothing",
    ]


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        (BEGIN, f"hello\n{BEGIN}", "README.md is changed outside the marks of its tables"),
        (END, f"{END}\nhello", "README.md is changed outside the marks of its tables"),
        (END, f"{END}\n{BEGIN}\n{END}", f"README.md holds the mark {BEGIN} 2 times; once is right"),
        (BEGIN, "", f"README.md holds the mark {BEGIN} 0 times; once is right"),
    ],
)
def test_text_outside_the_marks_is_refused(old, new, problem, check, merged):
    path = merged / "README.md"
    path.write_text(path.read_text().replace(old, new))
    assert problem in check(merged)


def appended(board, line: bytes) -> None:
    with (board / "audit.jsonl").open("ab") as file:
        file.write(line)


def test_a_record_of_another_entry_is_refused(check, merged):
    record(next((merged / "tiny-v1").glob("*random-3")))
    assert check(merged) == [
        "audit.jsonl: records 'tiny-v1/20260131_Some-Lab__lab-random-3', which the pull request does not add"
    ]


def test_a_record_of_no_entry_is_refused(check, merged):
    append(merged, Record("2026-02-01", "added", "tiny-v1/20260131_Some-Lab__ghost", "", {}))
    assert "audit.jsonl: records 'tiny-v1/20260131_Some-Lab__ghost', which the pull request does not add" in check(
        merged
    )


@pytest.mark.parametrize(
    ("edit", "problem"),
    [
        (lambda line: line.replace(b'"note": ""', b'"note": "' + b"x" * 2000 + b'"'), "its note is no short line"),
        (lambda line: line.replace(b'"note": ""', b'"note": "' + b"x" * 4000 + b'"') * 20, "bytes are added; at most"),
        (lambda line: line.replace(b'"note": ""', b'"note": "a\\nb"'), "its note is no short line"),
        (lambda line: line.replace(b'"note": ""', b'"note":   ""'), "a record is not written as submit writes it"),
        (lambda line: line[:-1], "a record is not written as submit writes it"),
        (lambda line: line.replace(b'"note": ""', b'"note": "", "note": ""'), "'note' is there twice"),
    ],
)
def test_a_record_is_written_in_one_way(edit, problem, check, base, merged):
    before = (base / "audit.jsonl").read_bytes()
    own = (merged / "audit.jsonl").read_bytes()[len(before) :]
    (merged / "audit.jsonl").write_bytes(before + edit(own))
    try:
        found = check(merged)
    except EntryError as error:
        found = [str(error)]
    assert any(problem in line for line in found), found


def test_the_trail_is_compared_as_bytes(check, base, merged):
    path = merged / "audit.jsonl"
    path.write_bytes(path.read_bytes().replace(b'"event": "added"', b'"event":  "added"', 1))
    assert check(merged)[0] == "audit.jsonl: earlier records were changed or removed; the trail is only appended to"


def renamed(merged: Path, key: str, value: str) -> Path:
    """Give the second entry another name, its folder and the records and tables that belong to it."""
    entry = merged / "tiny-v1" / SECOND
    text = (entry / "metadata.yaml").read_text()
    data = yaml.safe_load(text) | {key: value}
    (entry / "metadata.yaml").write_text(yaml.safe_dump(data, sort_keys=False, allow_unicode=True))
    place = f"{data['date'].replace('-', '')}_{slug(data['org'])}__{slug(data['model'])}"
    return entry.rename(entry.with_name(place))


@pytest.mark.parametrize(
    ("key", "value", "problem"),
    [
        ("org", "Sоme Lab", "mixes the scripts CYRILLIC, LATIN"),
        ("org", "some-lab", "the org 'some-lab' looks like 'Some Lab', which is on the board"),
        ("org", "Sorne Lab", "the org 'Sorne Lab' looks like 'Some Lab'"),
        ("org", "Some\u200bLab", "must be one line of at most 100 printable characters"),
        ("org", "Some\u3164Lab", "characters that stand for others"),
        ("org", "Some\u1160Lab", "which is neither a letter of a script we know nor plain ASCII"),
        ("org", "Sóme Lab", "the org 'S\\xf3me Lab' looks like 'Some Lab'"),
        ("org", "Ｓome Lab", "characters that stand for others"),
        ("model", "Lab/Random-3", "the model 'Lab/Random-3' looks like 'lab/random-3'"),
        ("model", "1ab/random-3", "the model '1ab/random-3' looks like 'lab/random-3'"),
        ("date", "2031-01-01", "its date is 2031-01-01; tiny-v1 is of"),
    ],
)
def test_names_are_told_apart_and_days_can_be(key, value, problem, check, merged, suite):
    entry = renamed(merged, key, value)
    record(entry)
    found = [*check(merged), *verify(entry, suite=suite, workers=1).problems]
    assert any(problem in line for line in found), found


def test_entries_come_alone(check, base, merged):
    (found,) = problems(base, merged, changed=["leaderboards/README.md", "agentgen_bench/spec.py"], workers=1)
    assert found.startswith("agentgen_bench/spec.py is changed together with entries")
    same = list(problems(base, base, changed=["agentgen_bench/spec.py"], workers=1))
    assert same == []


def test_a_repository_within_the_leaderboards_is_refused(base):
    (base / "tiny-v1" / "module").mkdir()  # what a checkout leaves of one
    (found, *_) = problems(base, base, changed=["leaderboards/README.md", "leaderboards/tiny-v1/module"], workers=1)
    assert found == "leaderboards/tiny-v1/module is no file; leaderboards hold no repositories"


def test_what_is_printed_is_one_line_that_no_runner_obeys():
    assert one_line("a\n::set-output name=x::y\x1b[31m\u2028b") == "- a ::set-output name=x::y [31m b"
    assert len(one_line("x" * 10_000)) < 600
