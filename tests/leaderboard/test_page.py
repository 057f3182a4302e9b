"""What a row cost, two rows in a pair, success against tokens, and the site of static pages."""

import base64
import gzip
import json
import re
import shutil
from dataclasses import replace
from html.parser import HTMLParser
from itertools import combinations, pairwise
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from agentgen_bench.errors import EntryError
from agentgen_bench.evaluation.plan import suite_plan
from agentgen_bench.evaluation.run import evaluate
from agentgen_bench.leaderboard.columns import Amount
from agentgen_bench.leaderboard.costs import costs
from agentgen_bench.leaderboard.entry import read_metadata
from agentgen_bench.leaderboard.page import page
from agentgen_bench.leaderboard.pairs import Side, paired, side, tenths
from agentgen_bench.leaderboard.plot import Point, frontier, scatter
from agentgen_bench.leaderboard.records import read_entry_episodes
from agentgen_bench.leaderboard.site import write_site
from agentgen_bench.leaderboard.submit import submit
from agentgen_bench.leaderboard.sums import SettingSums
from agentgen_bench.leaderboard.table import Board, Row, read_boards
from agentgen_bench.policies.scripted import NoopPolicy, OraclePolicy, RandomPolicy
from agentgen_bench.prompts import PromptConfig
from agentgen_bench.scores.bootstrap import won_and_lost
from agentgen_bench.scores.comparison import compare
from agentgen_bench.suites import Suite
from tests.browser import AXE, CHROMIUM, DRIVER, browser

SETTING = {"env_id": "AgentGen/Sokoban-lean-v0", "difficulty": "easy", "split": "test"}
NEEDS_BROWSER = pytest.mark.skipif(
    CHROMIUM is None or DRIVER is None, reason="needs Debian's packages chromium and chromium-driver"
)
NEEDS_AXE = pytest.mark.skipif(AXE is None, reason="needs axe-core: npm install axe-core")
LONG = "A-Model-Whose-Name-Goes-On-70B-Instruct-2026-11-28-checkpoint"


@pytest.fixture(scope="module")
def leaderboards(suite: Suite, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four entries of two plays a level; two of them never do anything."""
    folder = tmp_path_factory.mktemp("board")
    policies = [(OraclePolicy(), "oracle"), (RandomPolicy(1), "random-1"), (NoopPolicy(), "noop"), (NoopPolicy(), LONG)]
    for policy, model in policies:
        run = tmp_path_factory.mktemp("run") / "run"
        evaluate(suite_plan(suite, repeats=2), policy, PromptConfig(), run)
        submit(run, org="us", model=model, date="2026-02-01", leaderboards=folder, suite=suite, workers=1)
    return folder


@pytest.fixture(scope="module")
def board(leaderboards: Path) -> Board:
    (found,) = read_boards(leaderboards)
    return found


def many(board: Board, number: int) -> Board:
    """Return a board of so many rows, with tokens, made of those of another."""
    rows: list[Row] = []
    for i in range(number):
        row = board.rows[i % len(board.rows)]
        name = f"tiny-v1/20260201_us__{LONG}-{i}"
        spent = replace(row.costs, generated=100.0 * (i + 1), read=5000.0, per_success=300.0 * (i + 1))
        metadata = replace(row.metadata, model=f"{LONG}-{i}")
        rows.append(replace(row, entry=name, metadata=metadata, costs=spent, rank=i + 1))
    sources = [board.rows[i % len(board.rows)].entry for i in range(number)]
    return replace(
        board,
        rows=tuple(rows),
        sums={row.entry: board.sums[name] for row, name in zip(rows, sources, strict=True)},
        draws={row.entry: board.draws[name] for row, name in zip(rows, sources, strict=True)},
    )


def test_costs_are_means_over_settings_and_tokens_per_success_counts_failures_too() -> None:
    one = SettingSums(SETTING, ("a", "b"), (2, 1), (2, 2), (10, 20), (1000, 3000), (100, 300))
    other = SettingSums(SETTING, ("a", "b"), (0, 0), (2, 2), (4, 4), (0, 0), (40, 0))
    found = costs({"one": one, "other": other})
    assert found.steps == (30 / 4 + 8 / 4) / 2
    assert found.generated == (400 / 4 + 40 / 4) / 2
    assert found.read == 4000 / 4 / 2
    assert found.per_success == 440 / 3
    assert found.k == 2
    assert found.pass_hat_k is not None
    assert found.pass_hat_k.value == (0.5 + 0) / 2  # a is solved twice; C(1, 2) = 0


def test_without_repeats_or_tokens_there_is_nothing_to_say() -> None:
    found = costs({"one": SettingSums(SETTING, ("a", "b"), (1, 0), (1, 1), (3, 5), (0, 0), (0, 0))})
    assert (found.pass_hat_k, found.generated, found.read, found.per_success) == (None, None, None, None)


def test_a_paired_interval_is_that_of_compare(board: Board, leaderboards: Path, suite: Suite) -> None:
    """One episode a level or several, and where all levels tie."""
    episodes = {
        row.entry: list(
            read_entry_episodes(leaderboards / row.entry, read_metadata(leaderboards / row.entry, suite), suite)
        )
        for row in board.rows
    }
    for a, b in combinations([row.entry for row in board.rows], 2):
        found, expected = paired(side(board, a), side(board, b)), compare(episodes[a], episodes[b]).difference
        assert found.value == pytest.approx(expected.value, abs=1e-12)
        assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=1e-6)


def test_a_pair_that_no_redraw_tells_apart_is_inside_its_interval() -> None:
    a, b = (Side(value, np.full(100, value), np.full(24, value), 48) for value in (0.0, 0.5))
    score = paired(a, b)  # of each level one repeat of two was won
    assert (score.value, score.low, score.high) == (0.5, *won_and_lost(12, 0, 24))


def test_pairs_stand_in_the_order_of_the_rows(board: Board) -> None:
    names = [row.entry for row in board.rows]
    expected = [paired(side(board, a), side(board, b)) for a, b in combinations(names, 2)]
    assert list(tenths(board)) == [(round(1000 * s.low), round(1000 * s.high)) for s in expected]


def test_the_frontier_is_what_none_beats_at_fewer_tokens() -> None:
    points = [
        Point("a", 90, 0.5, 0, 1),
        Point("b", 50, 0.4, 0, 1),
        Point("c", 70, 0.3, 0, 1),
        Point("d", 50, 0.4, 0, 1),
    ]
    assert [point.name for point in frontier([*points, Point("no tokens", None, 1, 1, 1)])] == ["b", "a"]


def test_the_plot_is_sound_and_runs_no_name() -> None:
    evil = "<script>alert(1)</script>\"'&"
    root = ElementTree.fromstring(scatter([Point(evil, 10, 0.2, 0.1, 0.3), Point("b", 2e6, 0.9, 0.8, 1.0)], "tokens"))
    marks = [float(circle.attrib["cx"]) for circle in root.iter("circle")]
    assert marks == sorted(marks)
    assert len(marks) == 2
    assert [text.text for text in root.iter("text") if text.attrib.get("class") == "name"] == ["b", evil]
    assert "not beaten" in root.attrib["aria-label"].lower()


def test_names_that_would_cover_one_another_are_left_to_the_title() -> None:
    root = ElementTree.fromstring(
        scatter([Point("a", 100, 0.80, 0, 1), Point("b", 105, 0.81, 0, 1), Point("c", 90, 0.2, 0, 1)], "tokens")
    )
    assert [text.text for text in root.iter("text") if text.attrib.get("class") == "name"] == ["b", "c"]
    assert len(list(root.iter("title"))) == 3


def test_without_two_rows_that_counted_tokens_there_is_no_plot(board: Board) -> None:
    assert scatter([Point("a", 10, 0.2, 0.1, 0.3), Point("b", None, 1, 1, 1)], "tokens") == ""
    assert "<svg" not in page([board])
    assert page([many(board, 6)]).count("<svg") == 1


def test_amounts_are_shown_with_the_digits_that_count() -> None:
    assert [Amount(value).text for value in (12345.6, 99.94, 7)] == ["12,346", "99.9", "7.0"]


# --- the site


class _Links(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.scripts = 0
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.scripts += tag == "script"
        self.links += [value or "" for name, value in attrs if name in ("href", "src")]


@pytest.fixture(scope="module")
def site(leaderboards: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    assert write_site(folder, leaderboards, read_boards(leaderboards), []) == 4
    return folder


def test_every_link_of_the_site_leads_to_a_file_of_it(site: Path) -> None:
    pages = sorted(site.rglob("*.html"))
    assert len(pages) == 5
    for file in pages:
        links = _Links(file.read_text()).links
        assert links
        assert all((file.parent / link).is_file() for link in links), (file, links)


def test_the_site_holds_every_episode_as_it_is_recorded(
    site: Path, leaderboards: Path, board: Board, suite: Suite
) -> None:
    for row in board.rows:
        text = (site / row.entry / "index.html").read_text()
        data = json.loads(re.search(r'id="data">(.*?)</script>', text)[1])
        shown = []
        for number, setting in enumerate(data):
            script = (site / row.entry / f"episodes-{number}.js").read_text()
            packed = re.fullmatch(rf'episodes\({number}, "([A-Za-z0-9+/=]*)"\);\n', script)[1]
            records = map(json.loads, gzip.decompress(base64.b64decode(packed)).decode().splitlines())
            for seed, repeat, solved, record in zip(
                setting["seed"], setting["repeat"], setting["solved"], records, strict=True
            ):
                shown.append((record["level"], seed, repeat, solved, [step[0] for step in record["steps"]]))
        metadata = read_metadata(leaderboards / row.entry, suite)
        assert shown == [
            (e.level_id, e.seed, e.repeat, int(e.success), [step.action for step in e.steps])
            for e in read_entry_episodes(leaderboards / row.entry, metadata, suite)
        ]


def test_the_site_holds_an_answer_that_is_no_utf_8(leaderboards: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(leaderboards, tmp_path / "leaderboards"))
    file = next(copy.glob("*/*__oracle")) / "episodes.jsonl.gz"
    first, *others = map(json.loads, gzip.decompress(file.read_bytes()).splitlines())
    first["steps"][0]["completion"] = "half a \ud83d"
    file.write_bytes(gzip.compress("".join(f"{json.dumps(line)}\n" for line in (first, *others)).encode()))
    write_site(tmp_path / "site", copy, read_boards(copy), [])
    (script,) = (tmp_path / "site").glob("*/*__oracle/episodes-0.js")
    packed = re.search(r'"([A-Za-z0-9+/=]*)"', script.read_text())[1]
    record = json.loads(gzip.decompress(base64.b64decode(packed)).splitlines()[0])
    assert record["steps"][0][1] == "half a \ud83d"


def test_an_entry_that_did_not_change_is_not_written_again(leaderboards: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(leaderboards, tmp_path / "leaderboards"))
    written: list[str] = []
    write_site(tmp_path / "site", copy, read_boards(copy), [], written.append)
    assert len(written) == 4
    oracle = next(copy.glob("*/*__oracle"))
    (oracle / "README.md").write_text("</pre><script>alert(1)</script> {data} {facts}")
    write_site(tmp_path / "site", copy, read_boards(copy), [], written.append)
    assert written[4:] == ["tiny-v1/20260201_us__oracle"]
    text = (tmp_path / "site" / written[4] / "index.html").read_text()
    assert "&lt;script&gt;alert(1)&lt;/script&gt; {data} {facts}" in text
    assert _Links(text).scripts == 2  # the data and the page's own


def test_a_site_is_no_part_of_the_boards(leaderboards: Path, board: Board) -> None:
    for folder in (leaderboards, leaderboards / "site"):
        with pytest.raises(EntryError, match="lies among the entries"):
            write_site(folder, leaderboards, [board], [])


# --- in a browser


@pytest.mark.slow
@NEEDS_BROWSER
@pytest.mark.parametrize("number", [1, 6, 30])
def test_no_board_is_wider_than_the_screen(board: Board, tmp_path: Path, number: int) -> None:
    (tmp_path / "board.html").write_text(page([many(board, number)]))
    with browser(tmp_path) as shown:
        for width in (390, 768, 1280):
            shown.width(width)
            shown.open((tmp_path / "board.html").as_uri())
            assert shown.run("return document.documentElement.scrollWidth;") <= width


@pytest.mark.slow
@NEEDS_BROWSER
def test_two_rows_are_compared_in_either_order(board: Board, tmp_path: Path) -> None:
    (tmp_path / "board.html").write_text(page([board]))
    said = "return document.querySelector('.compare output').textContent;"
    choose = (
        "const [a, b] = document.querySelectorAll('.compare select'); a.value = {}; b.value = {};"
        "b.dispatchEvent(new Event('change'));"
    )
    first, second = (row.entry for row in board.rows[:2])
    score = paired(side(board, first), side(board, second))
    numbers = [f"{100 * value:+.1f}" for value in (score.value, score.low, score.high)]
    with browser(tmp_path) as shown:
        shown.open((tmp_path / "board.html").as_uri())
        assert "{} points, 95 % interval {} to {}".format(*numbers) in shown.run(said)
        shown.run(choose.format(1, 0))
        value, low, high = (f"{-100 * value:+.1f}" for value in (score.value, score.low, score.high))
        assert f"{value} points, 95 % interval {high} to {low}" in shown.run(said)
        shown.run(choose.format(2, 3))
        assert shown.run(said).endswith("no difference is shown.")
        shown.run(choose.format(1, 1))
        assert shown.run(said) == "Choose two rows."


@pytest.mark.slow
@NEEDS_BROWSER
def test_an_episode_opens_from_its_address_without_a_network(site: Path, tmp_path: Path) -> None:
    address = (next(site.glob("*/*__oracle")) / "index.html").as_uri()
    with browser(tmp_path) as shown:
        for width in (390, 1280):
            shown.width(width)
            shown.open("about:blank")
            shown.open(f"{address}#1-2")
            shown.run("return new Promise((done) => setTimeout(done, 1500));")
            assert "solved in" in shown.run("return document.querySelector('#episode h3').textContent;")
            assert shown.run("return document.querySelectorAll('#episode tbody tr').length;") > 0
            shown.run("for (const one of document.querySelectorAll('details')) one.open = true;")
            shown.run("return new Promise((done) => setTimeout(done, 500));")
            assert shown.run("return document.querySelectorAll('details.setting a').length;") == 16
            assert shown.run("return document.documentElement.scrollWidth;") <= width


@pytest.mark.slow
@NEEDS_BROWSER
@NEEDS_AXE
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_axe_finds_nothing(board: Board, site: Path, tmp_path: Path, dark: bool) -> None:
    (tmp_path / "board.html").write_text(page([many(board, 6)]))
    entry = f"{(next(site.glob('*/*__oracle')) / 'index.html').as_uri()}#0-0"
    with browser(tmp_path) as shown:
        for width in (390, 1280):
            for address in ((tmp_path / "board.html").as_uri(), entry):
                shown.width(width, dark)
                shown.open("about:blank")
                shown.open(address)
                shown.run("return new Promise((done) => setTimeout(done, 1000));")
                assert shown.findings() == []


def test_headings_of_the_pages_go_down_one_level_at_a_time(board: Board, site: Path) -> None:
    for text in (page([many(board, 6)]), (next(site.glob("*/*__oracle")) / "index.html").read_text()):
        levels = [int(level) for level in re.findall(r"<h([1-6])", text)]
        assert levels[0] == 1
        assert all(after <= before + 1 for before, after in pairwise(levels))
