"""Rows, ranks and their stability, the audit trail, Markdown and the page."""

import csv
import json
import re
import shutil
import subprocess
from html.parser import HTMLParser
from io import StringIO
from pathlib import Path

import pytest
import yaml

from agentgen_bench.cli import main
from agentgen_bench.errors import EntryError
from agentgen_bench.evaluation.folder import read_run
from agentgen_bench.evaluation.plan import crossed, limited, suite_plan
from agentgen_bench.evaluation.run import evaluate
from agentgen_bench.export.boards import boards_csv
from agentgen_bench.leaderboard import likeness
from agentgen_bench.leaderboard.audit import (
    Record,
    append,
    audit_problems,
    entry_name,
    read_audit,
    trust,
)
from agentgen_bench.leaderboard.columns import OPTIONAL, board_json, for_readers, plain_cells, with_families
from agentgen_bench.leaderboard.entry import digests
from agentgen_bench.leaderboard.markdown import markdown, with_table
from agentgen_bench.leaderboard.page import page
from agentgen_bench.leaderboard.pull_request import trail_problems
from agentgen_bench.leaderboard.rerun import rerun_note
from agentgen_bench.leaderboard.submit import submit
from agentgen_bench.leaderboard.table import Board, read_boards
from agentgen_bench.policies.scripted import NoopPolicy, OraclePolicy, RandomPolicy
from agentgen_bench.prompts import PromptConfig
from agentgen_bench.suites import Suite

EVIL = "<script>alert(1)</script> [x](http://y) | a"


@pytest.fixture(scope="module")
def board(suite: Suite, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Oracle, noop and random, submitted; the oracle's entry is recorded as verified."""
    folder = tmp_path_factory.mktemp("board")
    for policy, model in ((OraclePolicy(), "oracle"), (NoopPolicy(), "noop"), (RandomPolicy(), EVIL)):
        run = tmp_path_factory.mktemp("run") / policy.name
        evaluate(suite_plan(suite), policy, PromptConfig(), run)
        path = submit(run, org="us", model=model, date="2026-02-01", leaderboards=folder, suite=suite, workers=1)
        append(folder, Record("2026-02-01", "added", entry_name(path), digests=digests(path)))
    oracle = folder / "tiny-v1" / "20260201_us__oracle"
    append(folder, Record("2026-02-02", "verified", entry_name(oracle), digests=digests(oracle)))
    return folder


@pytest.fixture(scope="module")
def boards(board: Path) -> list[Board]:
    return read_boards(board)


def test_rows_are_ranked_by_overall_success_and_equals_share_a_rank(boards: list[Board]) -> None:
    (tiny,) = boards
    assert [(row.metadata.model, row.rank) for row in tiny.rows] == [("oracle", 1), ("noop", 2), (EVIL, 2)]
    assert tiny.rows[0].success.value == 1.0
    assert tiny.rows[0].families.keys() == {"Sokoban"}


def test_a_rank_carries_the_range_it_takes_in_redraws(boards: list[Board]) -> None:
    (tiny,) = boards
    assert (tiny.rows[0].rank_low, tiny.rows[0].rank_high) == (1, 1)
    assert tiny.stability is not None
    assert tiny.stability.value == 1.0


def test_trust_is_what_was_recorded_of_exactly_these_files(boards: list[Board], board: Path, tmp_path: Path) -> None:
    assert [row.trust for row in boards[0].rows] == ["replayed", "claimed", "claimed"]
    copy = Path(shutil.copytree(board, tmp_path / "board"))
    oracle = copy / "tiny-v1" / "20260201_us__oracle"
    (oracle / "results.json").write_text((oracle / "results.json").read_text() + " ")
    assert trust(oracle, read_audit(copy)) == "claimed"


def test_a_rerun_stands_above_a_replay(board: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(board, tmp_path / "board"))
    oracle = copy / "tiny-v1" / "20260201_us__oracle"
    append(copy, Record("2026-02-03", "rerun", entry_name(oracle), "by hand", digests(oracle)))
    assert trust(oracle, read_audit(copy)) == "rerun"


def test_the_trail_tells_of_what_it_does_not_know(board: Path, tmp_path: Path) -> None:
    assert audit_problems(board) == []
    copy = Path(shutil.copytree(board, tmp_path / "board"))
    suite = copy / "tiny-v1"
    shutil.rmtree(suite / "20260201_us__noop")
    shutil.copytree(suite / "20260201_us__oracle", suite / "20260201_us__stranger")
    with (suite / "20260201_us__oracle" / "results.json").open("a") as file:
        file.write("\n")
    assert audit_problems(copy) == [
        "tiny-v1/20260201_us__oracle has other files than the audit trail's last record of it; see audit rescore",
        "tiny-v1/20260201_us__stranger is there, but the audit trail does not say that it was added",
        "tiny-v1/20260201_us__noop is gone, but the audit trail does not say that it was removed",
    ]
    append(copy, Record("2026-02-04", "removed", "tiny-v1/20260201_us__noop", "asked for by its authors"))
    assert not [problem for problem in audit_problems(copy) if "noop" in problem]


def test_a_submitter_cannot_write_trust_into_the_trail(board: Path, tmp_path: Path) -> None:
    head = Path(shutil.copytree(board, tmp_path / "board"))
    assert trail_problems(board, head) == []
    shutil.copytree(board / "tiny-v1" / "20260201_us__oracle", head / "tiny-v1" / "20260204_me__mine")
    append(head, Record("2026-02-04", "added", "tiny-v1/20260204_me__mine"))
    assert trail_problems(board, head) == []
    append(head, Record("2026-02-04", "verified", "tiny-v1/20260204_me__mine"))
    assert trail_problems(board, head) == [
        "audit.jsonl: a pull request records additions only, not 'verified' of 'tiny-v1/20260204_me__mine'"
    ]
    (head / "audit.jsonl").write_text("")
    assert "earlier records were changed or removed" in trail_problems(board, head)[0]


def renamed(board: Path, entry: str, day: str, model: str, kind: str) -> None:
    """Copy an entry under another name, day and kind of policy, and record its addition."""
    source, target = board / "tiny-v1" / entry, board / "tiny-v1" / f"{day.replace('-', '')}_us__{model}"
    shutil.copytree(source, target)
    metadata = yaml.safe_load((source / "metadata.yaml").read_text())
    metadata |= {"date": day, "model": model, "policy": {**metadata["policy"], "kind": kind}}
    (target / "metadata.yaml").write_text(yaml.safe_dump(metadata))
    append(board, Record("2026-02-04", "added", entry_name(target), "", digests(target)))


def test_the_oracle_is_the_one_that_came_first_not_one_of_an_earlier_day(
    board: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(likeness, "best_solutions", lambda spec, seed: None)
    copy = Path(shutil.copytree(board, tmp_path / "board"))
    renamed(copy, "20260201_us__oracle", "2026-02-04", "learner", "transformers")
    renamed(copy, "20260201_us__noop", "2026-01-02", "decoy", "oracle")
    notes = {row.metadata.model: row.notes for row in read_boards(copy)[0].rows}
    assert any(note.startswith("plays as the oracle in 100 % of the episodes") for note in notes["learner"])


def test_a_line_that_is_no_record_is_refused(tmp_path: Path) -> None:
    (tmp_path / "audit.jsonl").write_text('{"event": "praised"}\n')
    with pytest.raises(EntryError, match="line 1 is not an audit record"):
        read_audit(tmp_path)


def test_a_rerun_with_the_same_actions_is_noted_as_such(board: Path, suite: Suite, tmp_path: Path) -> None:
    evaluate(suite_plan(suite), OraclePolicy(), PromptConfig(), tmp_path / "again")
    note = rerun_note(board / "tiny-v1" / "20260201_us__oracle", read_run(tmp_path / "again"), suite)
    assert note == "rerun with the same actions in 8 of 8 episodes"


def test_a_rerun_that_comes_out_otherwise_is_no_rerun(board: Path, suite: Suite, tmp_path: Path) -> None:
    evaluate(suite_plan(suite), NoopPolicy(), PromptConfig(), tmp_path / "again")
    with pytest.raises(EntryError, match="same actions in 0 of 8 episodes, and success differs"):
        rerun_note(board / "tiny-v1" / "20260201_us__oracle", read_run(tmp_path / "again"), suite)


@pytest.mark.parametrize("spec", [None, {"richness": ["lean"]}])
def test_a_rerun_of_a_part_of_the_suite_is_no_rerun(
    spec: dict[str, list[str]] | None, board: Path, suite: Suite, tmp_path: Path
) -> None:
    plan = limited(suite_plan(suite), 1) if spec is None else crossed(suite_plan(suite), **spec)
    evaluate(plan, OraclePolicy(), PromptConfig(), tmp_path / "again")
    with pytest.raises(EntryError, match=r"is not a complete run of tiny-v1 as it is; .* without --limit"):
        rerun_note(board / "tiny-v1" / "20260201_us__oracle", read_run(tmp_path / "again"), suite)


def test_markdown_shows_names_as_they_are_and_nothing_more(boards: list[Board]) -> None:
    text = markdown(boards)
    assert "| 1 | 1 | [oracle](tiny-v1/20260201_us__oracle) | us | 100.0 (" in text
    assert "<script>" not in text
    evil = next(line for line in text.splitlines() if "alert" in line)
    header = next(line for line in text.splitlines() if line.startswith("| rank"))
    assert evil.replace("\\|", "").count("|") == header.count("|")


def test_table_page_json_and_csv_hold_the_same_columns(boards: list[Board]) -> None:
    (tiny,) = boards
    columns = with_families(tiny.families)
    header = next(line for line in markdown(boards).splitlines() if line.startswith("| rank"))
    shown = for_readers(tiny)
    assert header == f"| {' | '.join(column.name for column in shown if column.place != 'data')} |"
    heads = re.findall(r"<th [^>]*><button[^>]*>([^<]*)</button>", page(boards))
    assert heads == [column.name for column in shown if column.place == "own"]
    assert {column.key for column in columns} - {column.key for column in shown} == set(
        OPTIONAL
    )  # no tokens, no repeats
    expected = [name for column in columns for name in plain_cells(column, tiny.rows[0])]
    header, *lines = csv.reader(StringIO(boards_csv(boards)))
    assert header == ["suite", *expected]
    assert [line[header.index("model")] for line in lines] == ["oracle", "noop", EVIL]
    row = board_json(tiny)["rows"][0]
    assert {name for name in expected if not name.startswith(("success", "Sokoban"))} < row.keys()
    assert row["success"] == tiny.rows[0].success.to_json()
    assert row["families"] == {"Sokoban": tiny.rows[0].families["Sokoban"].to_json()}


def test_a_number_in_the_csv_file_reads_back_to_the_same_bits(boards: list[Board]) -> None:
    header, *lines = csv.reader(StringIO(boards_csv(boards)))
    oracle = dict(zip(header, lines[0], strict=True))
    assert float(oracle["success_low"]) == boards[0].rows[0].success.low
    assert (oracle["rank_low"], oracle["rank_high"], oracle["episodes"]) == ("1", "1", "8")


def test_a_document_gets_its_table_between_the_marks() -> None:
    document = "before\n<!-- table:begin -->\nold\n<!-- table:end -->\nafter\n"
    assert with_table(document, "new") == "before\n<!-- table:begin -->\nnew\n<!-- table:end -->\nafter\n"
    with pytest.raises(EntryError, match="lacks the marks"):
        with_table("nothing here", "new")


def test_a_new_board_gets_its_document_and_a_folder_without_entries_none(
    board: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    new = Path(shutil.copytree(board, tmp_path / "new"))
    update = ["leaderboard", "--update", "--leaderboards"]
    assert main([*update, str(new)]) == 0
    made = (new / "README.md").read_text()
    assert made.startswith("# Leaderboards\n\n<!-- table:begin -->\n### tiny-v1\n")
    assert main([*update, str(new)]) == 0
    assert (new / "README.md").read_text() == made
    (tmp_path / "none").mkdir()
    assert main([*update, str(tmp_path / "none")]) == 1
    assert "README.md: No such file or directory" in capsys.readouterr().err


class _Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.links: list[str] = []
        self.title = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.links += [value or "" for name, value in attrs if name in ("href", "src")]

    def handle_data(self, data: str) -> None:
        if self.tags and self.tags[-1] == "title" and not self.title:
            self.title = data


def test_the_page_escapes_names_and_needs_no_network(boards: list[Board]) -> None:
    text = page(boards)
    tags = _Tags()
    tags.feed(text)
    assert tags.tags.count("script") == 1  # the page's own
    assert len([tag for tag in tags.tags if tag == "tr"]) == 4
    assert not [link for link in tags.links if ":" in link or link.startswith("//")]
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text


def test_the_page_draws_intervals_inside_their_track(boards: list[Board]) -> None:
    assert 'style="left:' in page(boards)
    (oracle,) = [row for row in boards[0].rows if row.metadata.model == "oracle"]
    assert oracle.success.low is not None
    assert f'<i style="left:{100 * oracle.success.low:.2f}%;width:{100 - 100 * oracle.success.low:.2f}%">' in page(
        boards
    )


def test_a_folder_without_entries_says_so(tmp_path: Path) -> None:
    assert markdown(read_boards(tmp_path)) == "No entries yet."
    with pytest.raises(EntryError, match="is not a folder of leaderboards"):
        read_boards(tmp_path / "nothing")


CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


def in_browser(text: str, tmp_path: Path, script: str) -> list[str]:
    """Return the models of the rows that a headless browser shows, in order, after it has run a script."""
    collect = (
        "document.title = JSON.stringify([...document.querySelectorAll('tbody tr')]"
        ".filter((row) => !row.hidden).map((row) => row.cells[1].dataset.sort));"
    )
    shown = tmp_path / "shown.html"
    shown.write_text(text.replace("</body>", f"<script>{script}; {collect}</script></body>"))
    flags = ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", f"--user-data-dir={tmp_path / 'profile'}"]
    command = [str(CHROMIUM), *flags, "--virtual-time-budget=3000", "--dump-dom", f"file://{shown}"]
    dom = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120).stdout
    titles = _Tags()
    titles.feed(dom)
    return list(json.loads(titles.title))


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium found; install Debian's package chromium")
def test_a_browser_sorts_and_filters_and_runs_no_name(boards: list[Board], tmp_path: Path) -> None:
    text = page(boards)
    assert in_browser(text, tmp_path, "") == ["oracle", "noop", EVIL]
    by_model = "document.querySelectorAll('th button')[1].click()"
    assert in_browser(text, tmp_path, by_model) == [EVIL, "noop", "oracle"]
    trusted = "trust.value = '1'; trust.dispatchEvent(new Event('change'))"
    assert in_browser(text, tmp_path, trusted) == ["oracle"]
    other = "suite.append(new Option('x')); suite.value = 'x'; suite.dispatchEvent(new Event('change'))"
    assert (
        in_browser(
            text, tmp_path, f"{other}; document.querySelectorAll('section[hidden] tr').forEach(r => r.hidden = true)"
        )
        == []
    )
