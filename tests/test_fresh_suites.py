"""Fresh suites: drawn from a text, the same for everybody, without a level of the frozen suite they mirror."""

import os
import subprocess
import sys

import pytest

from agentgen_bench.cli import main
from agentgen_bench.errors import SpecError
from agentgen_bench.evaluation import fresh as fresh_module
from agentgen_bench.evaluation.folder import read_manifest
from agentgen_bench.evaluation.freeze import changed_levels, frozen_cell
from agentgen_bench.evaluation.fresh import drawn_from, fresh_name, fresh_suite, named_suite
from agentgen_bench.spec import TaskSpec
from agentgen_bench.suites import Suite, from_text, load_suite, to_text

TEXT = "drand 4812345"
SMOKE_HASH = "133be8c465d685680536500e9a4d6f4c59f75b0378c1bd2d959c9dd04b33adc4"
LEAN, BASE = (TaskSpec("Sokoban", richness=richness, split="test") for richness in ("lean", "base"))
SHOP = TaskSpec("WebShop", difficulty="easy", split="test")


def frozen(*cells):
    return from_text("tiny-v1", to_text("for tests", tuple(frozen_cell(*cell) for cell in cells)))


@pytest.fixture(scope="module")
def base() -> Suite:
    return frozen((LEAN, 6), (BASE, 6), (SHOP, 5))


def test_a_fresh_suite_has_the_settings_of_the_frozen_one_and_none_of_its_levels(base):
    fresh = fresh_suite(base, TEXT)
    assert [(cell.spec, len(cell.seeds)) for cell in fresh.cells] == [(LEAN, 6), (BASE, 6), (SHOP, 5)]
    known = {level_id for cell in base.cells for level_id in cell.level_ids}
    for cell in fresh.cells:
        assert len(set(cell.level_ids)) == len(cell.seeds)
        assert not known & set(cell.level_ids)
        assert changed_levels(cell) == []


def test_views_of_a_setting_share_their_fresh_levels(base):
    lean, rich, _ = fresh_suite(base, TEXT).cells
    assert (lean.seeds, lean.level_ids) == (rich.seeds, rich.level_ids)


def test_the_levels_depend_on_the_text_and_on_the_name_of_the_frozen_suite(base):
    renamed = from_text("tiny-v2", to_text(base.description, base.cells))
    suites = [fresh_suite(base, TEXT), fresh_suite(base, "drand 4812346"), fresh_suite(renamed, TEXT)]
    assert len({suite.cells[0].seeds for suite in suites}) == 3
    assert len({suite.hash for suite in suites}) == 3


def test_a_text_draws_the_same_bytes_in_every_process():
    program = f"from agentgen_bench.evaluation.fresh import named_suite; print(named_suite('smoke@{TEXT}').hash)"
    found = subprocess.run(
        [sys.executable, "-c", program],
        env=os.environ | {"PYTHONHASHSEED": "7"},
        check=True,
        capture_output=True,
        text=True,
    )
    assert found.stdout.strip() == SMOKE_HASH == named_suite(f"smoke@{TEXT}").hash


def test_a_setting_whose_levels_are_a_list_has_no_fresh_ones():
    smoke, fresh = load_suite("smoke"), named_suite(f"smoke@{TEXT}")
    assert {cell.spec.family for cell in smoke.cells} - {cell.spec.family for cell in fresh.cells} == {"SciWorld"}


def test_a_suite_of_listed_levels_alone_cannot_be_drawn_anew():
    paper = TaskSpec("SciWorld", difficulty="easy", split="test")
    suite = from_text("listed", to_text("", (load_suite("smoke").cells[-1],)))
    assert suite.cells[0].spec == paper
    with pytest.raises(SpecError, match="no cell of listed makes its levels anew"):
        fresh_suite(suite, TEXT)


def test_a_setting_that_runs_out_of_levels_gives_those_that_it_has(monkeypatch):
    monkeypatch.setattr(fresh_module, "MAX_DRAWS", 1)
    (cell,) = fresh_suite(frozen((TaskSpec("Blocks", split="test"), 60)), TEXT).cells
    assert 0 < len(cell.seeds) < 60


@pytest.mark.parametrize("text", ["", " a", "a\nb", "x" * 201, "e\u0301"])
def test_a_text_is_one_plain_line(text, base):
    with pytest.raises(SpecError, match="the text to draw levels from is"):
        fresh_suite(base, text)


def test_the_name_of_a_fresh_suite_says_what_draws_it():
    assert drawn_from(fresh_name("core-v1", "a@b")) == ("core-v1", "a@b")
    assert drawn_from("core-v1") is None


def test_a_run_of_fresh_levels_goes_on_by_the_same_text(tmp_path, capsys):
    own = ["--fresh", TEXT, "--limit", "1", "--quiet", "--workers", "4", "--output", str(tmp_path / "run")]
    assert main(["evaluate", *own]) == 0
    assert main(["evaluate", *own, "--resume"]) == 0
    suite = named_suite(f"smoke@{TEXT}")
    assert read_manifest(tmp_path / "run")["plan"]["suite"] == {"name": suite.name, "hash": suite.hash}
    assert main(["evaluate", "--fresh", "other", *own[2:], "--resume"]) == 1
    assert "plan.suite.name: the run has 'smoke@drand 4812345', now 'smoke@other'" in capsys.readouterr().err


def test_the_verb_shows_and_writes_what_a_text_draws(tmp_path, capsys):
    file = tmp_path / "fresh.json"
    assert main(["suites", "smoke", "--fresh", TEXT, "--output", str(file)]) == 0
    shown = capsys.readouterr()
    suite = named_suite(f"smoke@{TEXT}")
    assert f"smoke@{TEXT}: Levels for the settings of smoke, drawn from '{TEXT}'\nsha256 {suite.hash}" in shown.out
    assert "SciWorld-base easy test: 0 of 5 levels can be drawn anew" in shown.err
    assert from_text(suite.name, file.read_text()) == suite


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["suites", "--fresh", TEXT], "--fresh draws levels for one suite"),
        (["suites", "smoke", "--output", "x"], "--output goes with --fresh"),
        (["evaluate", "--env", "AgentGen/Sokoban-lean-v0", "--fresh", TEXT], "--fresh goes with --suite"),
    ],
)
def test_options_that_do_not_go_together_are_refused(options, message, capsys):
    assert main(options) in (1, 2)
    assert message in capsys.readouterr().err
