import base64
import gzip
import json
import re
import shutil
import subprocess
import xml.etree.ElementTree as ElementTree
from dataclasses import replace

import pytest

from agentgen_bench.errors import RunError
from agentgen_bench.evaluation.grid import harness_grid, open_grid
from agentgen_bench.evaluation.plan import single_plan
from agentgen_bench.evaluation.run import evaluate
from agentgen_bench.parsing import parse
from agentgen_bench.policies.base import Decision
from agentgen_bench.policies.scripted import NoopPolicy, OraclePolicy, RandomPolicy
from agentgen_bench.prompts import PromptConfig, messages
from agentgen_bench.report.charts import Point, curve, heat_map, shown, small_multiples, svg_file
from agentgen_bench.report.collect import collect, labelled, prompts_of
from agentgen_bench.report.harness import harness_sections
from agentgen_bench.report.page import page, write_report
from agentgen_bench.rollout import Job, play
from agentgen_bench.scores.study import Study, StudyRun
from agentgen_bench.spec import TaskSpec

SPEC = TaskSpec("Sokoban", richness="lean", split="test")
HOSTILE = "</script><script>document.title='owned'</script><img src=x onerror=document.title='owned'>\x1b[31m\u202eevil"
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


class Prompted:
    """Builds prompts and answers as a model would; keeps the prompts it saw."""

    name = "prompted"

    def __init__(self, answer="<think>{thought}</think><action>{action}</action>", config=None):
        self.answer = answer
        self.config = config or PromptConfig()
        self.prompts = []

    def act(self, histories):
        return [self._decide(history) for history in histories]

    def describe(self):
        return {"kind": "prompted"}

    def _decide(self, history):
        prompt = messages(history, self.config)[0].content
        self.prompts.append(prompt)
        completion = self.answer.format(thought=HOSTILE, action=history.admissible_commands[0])
        return Decision(completion, *parse(completion), prompt_chars=len(prompt))


@pytest.fixture
def runs(tmp_path):
    plan = single_plan([SPEC, SPEC.with_(richness="rich")], 3)
    for name, policy in (("random", RandomPolicy()), ("oracle", OraclePolicy()), ("model", Prompted())):
        evaluate(plan, policy, PromptConfig(), tmp_path / name)
    return [tmp_path / name for name in ("random", "oracle", "model")]


def unpacked(report, i=0):
    return json.loads(gzip.decompress(base64.b64decode(report.packed[i])))


@pytest.mark.parametrize("action_hints", ["none", "templates", "full"])
def test_every_prompt_is_rebuilt_from_the_record(action_hints):
    config = PromptConfig(action_hints=action_hints)
    policy = Prompted(config=config)
    (episode,) = play([Job(SPEC, 0)], policy)
    assert prompts_of(episode, config) == policy.prompts


def test_a_scripted_policy_had_no_prompts():
    (episode,) = play([Job(SPEC, 0)], OraclePolicy())
    assert set(prompts_of(episode, PromptConfig())) == {None}


def test_packs_have_their_curves_and_other_runs_no_such_section(tmp_path):
    spec = SPEC.with_(interface="opaque", lifecycle="pack-4")
    evaluate(
        single_plan([spec, spec.with_(lifecycle="pack-4-wiped")], 2), OraclePolicy(), PromptConfig(), tmp_path / "p"
    )
    evaluate(single_plan([SPEC], 2), OraclePolicy(), PromptConfig(), tmp_path / "plain")
    text = page([collect(tmp_path / "p")])
    curves = text[text.index("Packs: score at each position") :]
    assert curves.count("lifecycle pack-4-wiped, 4: 100.0 %") == 1
    worth = curves[curves.index("What memory is worth") :]
    assert "<td>stateful gain</td>" in worth
    assert ">0.0 pp</td>" in worth
    assert "Packs" not in page([collect(tmp_path / "plain")])


def test_a_compact_record_has_no_texts_to_show():
    (episode,) = play([Job(SPEC, 0)], Prompted(), record_text=False)
    assert set(prompts_of(episode, PromptConfig())) == {None}


def test_an_episode_is_packed_whole(runs):
    report = collect(runs[2])
    first = unpacked(report)
    assert len(first["steps"]) == report.index[0]["steps"]
    assert HOSTILE in first["steps"][0]["completion"]
    assert first["steps"][0]["prompt"].startswith("You are solving a Sokoban puzzle.")


def test_the_same_runs_give_the_same_page(runs):
    assert page([collect(run) for run in runs]) == page([collect(run) for run in runs])


def test_the_page_needs_no_network(runs):
    text = page([collect(run) for run in runs])
    assert not re.search(r"(src|href)=", text)
    assert "http://" not in text
    assert "https://" not in text


def test_no_text_of_a_model_can_end_the_data(runs):
    text = page([collect(run) for run in runs])
    assert text.count("</script>") == text.count("<script") == 2


def test_hostile_names_are_escaped_in_the_static_parts(runs):
    manifest = json.loads((runs[0] / "manifest.json").read_text())
    manifest["policy"]["name"] = HOSTILE
    manifest["command"] = HOSTILE
    (runs[0] / "manifest.json").write_text(json.dumps(manifest))
    text = page([collect(runs[0])])
    assert "<img" not in text
    assert "\x1b" not in text
    assert "\u202e" not in text


def test_a_study_adds_its_matrix_its_curves_and_its_scores(runs):
    entries = [
        StudyRun("random", "initial"),
        StudyRun("model", "stage", source="Sokoban", stage=1),
        StudyRun("oracle", "trained", source="Sokoban"),
    ]
    by_name = {run.name: run for run in runs}
    text = page([collect(by_name[entry.run]) for entry in entries], Study("tiny", tuple(entries)))
    matrix = text[text.index("Transfer matrix") : text.index("Success after each stage")]
    assert re.search(r"trained on Sokoban</th><td[^>]*>100.0</td>", matrix)
    assert "delta_held_in" in text
    assert 'aria-label="success % after each stage"' in text


def test_failure_modes_are_counted_per_setting(runs):
    text = page([collect(runs[0])])
    table = text[text.index("Failure modes, % of episodes") : text.index("Sokoban: first fatal push")]
    assert table.count("<tr>") == 1 + 2


def test_two_models_grids_of_one_name_have_a_section_each(tmp_path):
    grid = harness_grid(PromptConfig(), [("thinking", (True, False))])
    for model, policy in (("A", NoopPolicy()), ("B", OraclePolicy())):  # 0 % and 100 % under every harness
        open_grid(tmp_path / model / "grid", grid, resume=False)
        for name, prompt in grid.harnesses.items():
            evaluate(single_plan([SPEC], 2), policy, prompt, tmp_path / model / "grid" / name)
    runs = [tmp_path / model / "grid" / name for model in "AB" for name in grid.harnesses]
    sections = harness_sections(labelled([collect(run) for run in runs]))
    titles = [re.search("Harnesses of (.*): success", section)[1] for section in sections]
    scores = [re.findall(r"<td>harness_(\w+)</td><td[^>]*>([^<]*)<", section) for section in sections]
    assert titles == ["A/grid", "B/grid"]
    assert [dict(found) for found in scores] == [
        {"mean": "0.0 %", "variance": "0"},
        {"mean": "100.0 %", "variance": "0"},
    ]


def test_a_run_without_episodes_makes_a_page(tmp_path, runs):
    (runs[0] / "episodes.jsonl").write_text("")
    assert "Episodes (0)" in page([collect(runs[0])])


def test_a_folder_that_is_no_run_is_refused(tmp_path):
    with pytest.raises(RunError, match=r"is not a run folder: it holds no manifest.json"):
        write_report([tmp_path], tmp_path / "report.html")


def test_a_page_that_cannot_be_written_is_one_clear_line(tmp_path, runs):
    with pytest.raises(RunError, match=r"cannot write .*missing/report.html: No such file or directory"):
        write_report(runs, tmp_path / "missing" / "report.html")


@pytest.mark.parametrize(
    ("text", "safe"), [("<b>", "&lt;b&gt;"), ("\x1b[1m", r"\x1b[1m"), ('"', "&quot;"), ("é√", "é√")]
)
def test_shown_text_is_safe(text, safe):
    assert shown(text) == safe


def test_a_missing_cell_is_a_dash_and_never_zero():
    table = heat_map(["a"], ["x", "y"], {("a", "x"): 0.25})
    assert "25.0" in table
    assert '<td class="missing">-</td>' in table
    assert "0.0<" not in table


def test_a_panel_has_a_mark_and_an_interval_per_point():
    points = [Point("easy", "base", 0.5, 0.4, 0.6, 100), Point("hard", "base", 0.1, 0.05, 0.2, 100)]
    chart = small_multiples({"Sokoban": points}, ["easy", "hard"])
    assert chart.count('class="whisker"') == 2
    assert "base, easy: 50.0 % (40.0 - 60.0)" in chart


def test_a_point_without_an_interval_claims_none():
    chart = curve({"Sokoban": [0.4]}, ["stage 1"], "success % after each stage")
    assert "<title>Sokoban, stage 1: 40.0 %</title>" in chart


def test_a_chart_file_is_one_svg_with_a_panel_per_key_and_each_its_own_categories():
    learning = [Point("1-5", "seed <0>", 0.2, 0.2, 0.2, 0), Point("6-10", "seed <0>", 0.4, 0.4, 0.4, 0)]
    tested = [Point("before", "test", 0.3, 0.25, 0.35, 500)]
    root = ElementTree.fromstring(svg_file({"training": learning, "test split": tested}))
    texts = [element.text for element in root.iter("{http://www.w3.org/2000/svg}text")]
    assert [text for text in texts if text in ("training", "test split")] == ["training", "test split"]
    assert [texts.count(name) for name in ("1-5", "6-10", "before")] == [1, 1, 1]
    assert [texts.count(name) for name in ("seed <0>", "test")] == [1, 1]


def test_a_chart_file_may_show_a_part_of_the_axis():
    half = Point("easy", "base", 0.5, 0.45, 0.55, 100)
    whole, part = (svg_file({"Sokoban": [half]}, axis) for axis in ((0.0, 1.0), (0.5, 0.6)))
    assert [whole.count(f'text-anchor="end">{tick}<') for tick in (0, 50, 100)] == [1, 1, 1]
    assert [part.count(f'text-anchor="end">{tick}<') for tick in (50, 55, 60)] == [1, 1, 1]


def test_a_chart_file_joins_points_where_its_categories_are_an_order():
    points = [Point("Sokoban", "before", 0.5, 0.4, 0.6, 9), Point("ALFWorld", "before", 0.3, 0.2, 0.4, 9)]
    assert [svg_file({"a": points}, joined=joined).count("<polyline") for joined in (True, False)] == [1, 0]


def in_browser(path, tmp_path, script=""):
    """Return the page's DOM after its scripts have run in a headless browser."""
    shown_page = tmp_path / "shown.html"
    shown_page.write_text(path.read_text().replace("</body>", f"<script>{script}</script></body>"))
    flags = ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
    flags += ["--disable-sync", "--disable-component-update", f"--user-data-dir={tmp_path / 'profile'}"]
    command = [CHROMIUM, *flags, "--virtual-time-budget=5000", "--dump-dom", f"file://{shown_page}"]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=120).stdout


needs_browser = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium found; install Debian's package chromium")


@needs_browser
def test_a_browser_shows_an_episode_and_obeys_none_of_its_text(runs, tmp_path):
    write_report(runs, tmp_path / "report.html")
    dom = in_browser(tmp_path / "report.html", tmp_path, "open(visible.find((row) => row.run === 'model'));")
    assert "<title>agentgen-bench: random, oracle, prompted</title>" in dom
    assert "&lt;/script&gt;&lt;script&gt;document.title='owned'" in dom
    assert r"\u001b[31m\u202eevil" in dom
    assert '<span class="task" title="task">' in dom or '<span class="state" title="state">' in dom


@needs_browser
def test_ten_thousand_episodes_are_listed_at_once_but_drawn_few(runs, tmp_path):
    one = collect(runs[1])
    index = tuple({**one.index[0], "seed": seed} for seed in range(10_000))
    (tmp_path / "report.html").write_text(page([replace(one, index=index, packed=one.packed[:1] * 10_000)]))
    dom = in_browser(tmp_path / "report.html", tmp_path, "list.scrollTop = 44 * 7000; drawList();")
    assert "10000 of 10000" in dom
    assert "seed 7000," in dom
    assert dom.count('role="option"') < 60


def test_sokobans_first_fatal_push_and_regret_have_a_table(runs):
    text = page([collect(run) for run in runs[:2]])
    assert '<th scope="col">first fatal push</th><th scope="col">regret moves</th>' in text
    assert '<td class="number">0.0 (0.0 - 0.0)</td>' in text  # the oracle's regret
