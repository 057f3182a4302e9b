"""The report answers first, tells runs apart, fits every screen, links to episodes, and is readable by everybody."""

import re
from dataclasses import replace
from html.parser import HTMLParser
from importlib import resources
from itertools import pairwise

import pytest

from agentgen_bench.evaluation.plan import single_plan
from agentgen_bench.evaluation.run import evaluate
from agentgen_bench.leaderboard.page import page as board_page
from agentgen_bench.policies.scripted import OraclePolicy, RandomPolicy
from agentgen_bench.prompts import PromptConfig
from agentgen_bench.report.collect import RunReport, collect
from agentgen_bench.report.page import page
from agentgen_bench.spec import TaskSpec
from tests.browser import AXE, CHROMIUM, DRIVER, browser

SPEC = TaskSpec("Sokoban", richness="lean", split="test")
LONG = "an-organisation-with-a-long-name/A-Model-Whose-Name-Goes-On-70B-Instruct-2026-11-28-checkpoint"
WIDTHS = (390, 768, 1024, 1280)
NEEDS_BROWSER = pytest.mark.skipif(
    CHROMIUM is None or DRIVER is None, reason="needs Debian's packages chromium and chromium-driver"
)
NEEDS_AXE = pytest.mark.skipif(AXE is None, reason="needs axe-core: npm install axe-core")


@pytest.fixture(scope="module")
def two(tmp_path_factory) -> list[RunReport]:
    """Two runs of two settings."""
    place = tmp_path_factory.mktemp("runs")
    plan = single_plan([SPEC, SPEC.with_(richness="rich")], 3)
    for name, policy in (("first", RandomPolicy()), ("second", OraclePolicy())):
        evaluate(plan, policy, PromptConfig(), place / name, command="agentgen-bench evaluate " + 30 * "--set long=er ")
    return [collect(place / "first"), collect(place / "second")]


@pytest.fixture(scope="module")
def twelve(two) -> list[RunReport]:
    """Twelve runs with long names, six policies of the same name and some folders too."""
    many = []
    for i in range(12):
        policy = {**two[0].manifest["policy"], "name": LONG if i < 6 else f"{LONG}-{i:06}"}
        many.append(
            replace(
                two[i % 2], name=f"{LONG}-{i // 2}".replace("/", "-"), manifest={**two[0].manifest, "policy": policy}
            )
        )
    return many


class Outline(HTMLParser):
    """The elements of a page in order, with their attributes."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))


def test_the_answer_comes_first(two):
    text = page(two)
    headings = re.findall(r"<h2>(.*?)</h2>", text)
    assert headings[0] == "Result"
    row = text[text.index("Result</h2>") :]
    row = row[row.index('<th scope="row">oracle') : row.index("</section>")]
    assert re.sub("<[^>]*>", " ", row).split()[:5] == ["oracle", "100.0", "43.9", "-", "100.0"]


def test_headings_go_down_one_level_at_a_time(twelve):
    levels = [int(tag[1]) for tag, _ in Outline(page(twelve)).elements if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))


def test_every_header_of_a_table_has_a_scope_and_every_control_a_label(twelve):
    text = page(twelve)
    outline = Outline(text).elements
    assert all(attributes.get("scope") in ("col", "row") for tag, attributes in outline if tag == "th")
    assert not re.search(r"<th[^>]*></th>", text)
    assert text.count("<label>") == sum(tag in ("select", "input") for tag, _ in outline)


def test_what_may_be_wide_scrolls_in_a_region_of_its_own_that_keys_reach(twelve):
    text = page(twelve)
    assert len(re.findall(r"<table", text)) == len(re.findall(r'<div class="scroll"[^>]*><table', text))
    regions = [attributes for _, attributes in Outline(text).elements if attributes.get("class") == "scroll"]
    assert all(region["tabindex"] == "0" and region["role"] == "region" for region in regions)
    names = [region["aria-label"] for region in regions]
    assert len(set(names)) == len(names)


def test_no_two_runs_have_the_same_label(twelve):
    text = page(twelve)
    result = text[text.index("Result</h2>") : text.index("</section>")]
    labels = re.findall(r'<th scope="row">(.*?)</th>', result)
    assert len(labels) == len(set(labels)) == 12


def test_a_run_says_when_how_long_on_what_and_of_which_commit(two):
    made = two[0].manifest["sessions"][0]
    text = page(two)
    assert made["started"] in text
    assert made["hardware"]["cpu"].split(" (")[0] in text
    assert (made["commit"] or "")[:12] in text


def test_a_run_of_before_says_nothing_of_it(two):
    manifest = {name: value for name, value in two[0].manifest.items() if name != "sessions"}
    assert "Runs</h2>" in page([replace(two[0], manifest=manifest)])


def _six_digits(colour: str) -> str:
    return "#" + "".join(2 * digit for digit in colour[1:]) if len(colour) == 4 else colour


def luminance(colour: str) -> float:
    """Of #rrggbb, WCAG 2.2."""
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    r, g, b = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * r + 0.7152 * g + 0.0722 * b


def contrast(one: str, other: str) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def mixed(colour: str, below: str, share: float) -> str:
    pairs = zip((colour[1:3], colour[3:5], colour[5:7]), (below[1:3], below[3:5], below[5:7]), strict=True)
    return "#" + "".join(f"{round(int(a, 16) * share + int(b, 16) * (1 - share)):02x}" for a, b in pairs)


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
def test_texts_of_the_report_stand_out_from_what_is_behind_them(theme):
    css = resources.files("agentgen_bench.report").joinpath("assets", "report.css").read_text()
    colours = {name: found.split(", ")[theme] for name, found in re.findall(r"--(\w+): light-dark\((.*?)\)", css)}
    for text in ("text", "dim", "accent", "good", "bad"):
        for behind in ("back", "panel"):
            assert contrast(colours[text], colours[behind]) >= 4.5, (text, behind)
    assert contrast(colours["text"], colours["mark"]) >= 4.5
    share = float(re.search(r"--share, 0\) \* (\d+)%", css)[1]) / 100
    assert contrast(colours["text"], mixed(colours["accent"], colours["back"], share)) >= 4.5


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
def test_texts_of_the_board_stand_out_from_what_is_behind_them(theme):
    root = re.findall(r":root \{(.*?)\}", board_page([]))[theme]
    colours = dict(re.findall(r"--(\w+): (#\w+)", root))
    colours = {
        name: f"#{''.join(2 * c for c in colour[1:])}" if len(colour) == 4 else colour
        for name, colour in colours.items()
    }
    for text in ("fg", "soft", "good"):
        assert contrast(colours[text], colours["bg"]) >= 4.5, text


def stylesheet(package, *place):
    return resources.files(package).joinpath(*place).read_text()


def test_long_names_break_also_where_they_stand_in_headings_and_lists():
    for css in (stylesheet("agentgen_bench.report", "assets", "report.css"), board_page([])):
        assert "h1, h2, p, li { overflow-wrap: anywhere; }" in css


def test_on_a_phone_what_an_entry_says_stands_below_its_name_not_in_a_sliver_beside_it():
    narrow = stylesheet("agentgen_bench.leaderboard", "page.css").partition("@media (max-width: 40rem)")[2]
    assert ".card dl { display: block; }" in narrow


@pytest.mark.slow
@NEEDS_BROWSER
@pytest.mark.parametrize("number", [1, 12])
def test_no_page_is_wider_than_the_screen(two, twelve, tmp_path, number):
    (tmp_path / "report.html").write_text(page(two[:1] if number == 1 else twelve))
    with browser(tmp_path) as shown:
        for width in WIDTHS:
            shown.width(width)
            shown.open((tmp_path / "report.html").as_uri())
            shown.run("return open(rows[0]);")
            assert shown.run("return document.documentElement.scrollWidth;") <= width


@pytest.mark.slow
@NEEDS_BROWSER
def test_a_link_opens_its_episode_also_from_outside(twelve, tmp_path):
    (tmp_path / "report.html").write_text(page(twelve))
    with browser(tmp_path) as shown:
        shown.open((tmp_path / "report.html").as_uri())
        shown.run("return open(rows[5]);")
        heading = shown.run("return document.querySelector('#episode h3').textContent;")
        address = shown.run("return document.querySelector('#episode a').href;")
        shown.open("about:blank")
        shown.open(address)
        shown.run("return new Promise((done) => setTimeout(done, 500));")
        assert shown.run("return document.querySelector('#episode h3').textContent;") == heading


@pytest.mark.slow
@NEEDS_BROWSER
@NEEDS_AXE
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_axe_finds_nothing(twelve, tmp_path, dark):
    (tmp_path / "report.html").write_text(page(twelve))
    with browser(tmp_path) as shown:
        for width in (390, 1280):
            shown.width(width, dark)
            shown.open((tmp_path / "report.html").as_uri())
            shown.run("return open(rows[0]);")
            assert shown.findings() == []
