"""The recipes of CONTRIBUTING.md, followed to the letter in a copy of the package, and what each must bring about."""

import csv
import gzip
import json
import os
import re
import shutil
import subprocess
import sys
from itertools import islice
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
RECIPES = dict(re.findall(r"^### (.*?)\n(.*?)(?=^### |\Z)", TEXT, re.DOTALL | re.MULTILINE))
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)


class Place:
    """A copy of the repository with every recipe's files and edits; the folder for plug-ins begins empty."""

    def __init__(self, folder: Path, site: Path) -> None:
        self.folder = folder
        bench, offline = f"{sys.executable} -m agentgen_bench", "--no-index --no-deps --no-build-isolation"
        self._prelude = (
            f'set -eu\nagentgen-bench() {{ {bench} "$@"; }}\npython() {{ {sys.executable} "$@"; }}\n'
            f'pip() {{ {sys.executable} -m pip -q "$@" {offline} --target {site}; }}\n'
        )
        paths = os.pathsep.join([str(folder), str(site)])
        self._env = {**os.environ, "PYTHONPATH": paths, "OMP_NUM_THREADS": "1"}

    def write(self, recipe: str) -> None:
        """Make the recipe's files and edits."""
        for language, body in BLOCK.findall(RECIPES[recipe]):
            if language != "sh":
                name, content = re.fullmatch(r"# (\S+)\n(.*)", body, re.DOTALL).groups()
                path = self.folder / name
                path.parent.mkdir(exist_ok=True)
                path.write_text(_edited(path.read_text(), content) if language == "diff" else content)

    def run(self, recipe: str) -> str:
        """Run the recipe's commands and return what they print."""
        script = self._prelude + "\n".join(
            body for language, body in BLOCK.findall(RECIPES[recipe]) if language == "sh"
        )
        done = subprocess.run(["bash", "-c", script], cwd=self.folder, env=self._env, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def episodes(self, run: str) -> list[dict[str, object]]:
        """Return the recorded episodes of a run."""
        return [json.loads(line) for line in (self.folder / run / "episodes.jsonl").read_text().splitlines()]


def _edited(text: str, diff: str) -> str:
    """Return a text after an edit: what the diff keeps and takes away must stand there, once."""
    before = "\n".join(line[1:] for line in diff.splitlines() if line[0] in " -")
    after = "\n".join(line[1:] for line in diff.splitlines() if line[0] in " +")
    assert text.count(before) == 1, f"not there once: {before}"
    return text.replace(before, after)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    folder = tmp_path_factory.mktemp("copy")
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "agentgen_bench", folder / "agentgen_bench", ignore=ignored)
    oracle = next((ROOT / "leaderboards").glob("*/*__oracle"))
    entry = folder / oracle.relative_to(ROOT)
    shutil.copytree(oracle, entry)
    with gzip.open(oracle / "episodes.jsonl.gz", "rt") as whole, gzip.open(entry / "episodes.jsonl.gz", "wt") as file:
        file.writelines(islice(whole, 20))  # a board needs no more to be drawn
    place = Place(folder, tmp_path_factory.mktemp("site"))
    for recipe in RECIPES:
        place.write(recipe)
    return place


def test_there_is_a_recipe_for_everything_that_grows() -> None:
    assert list(RECIPES) == ["A family", "A kind of distractor", "A back end", "A score", "A column"]


def test_the_family_keeps_the_contract_and_is_played(place: Place) -> None:
    assert "Number-base easy test" in place.run("A family")
    assert [episode["success"] for episode in place.episodes("runs/number")] == [True] * 4


def test_the_distractor_is_heard_in_every_state_and_changes_nothing_else(place: Place) -> None:
    place.run("A kind of distractor")
    episodes = place.episodes("runs/radio")
    assert len(episodes) == 4
    for episode in episodes:
        assert "The radio reports " in "".join(text for text, *_ in episode["first_sections"])
        assert all(step["observation_chars"]["distractor"] > 0 for step in episode["steps"])


def test_the_back_end_is_asked_for_by_name(place: Place) -> None:
    place.run("A back end")
    steps = [step for episode in place.episodes("runs/first") for step in episode["steps"]]
    assert all(step["completion"] == f"<think>First.</think><action>{step['action']}</action>" for step in steps)
    assert all(step["prompt_chars"] > 0 for step in steps)
    manifest = json.loads((place.folder / "runs" / "first" / "manifest.json").read_text())
    assert manifest["policy"] == {"name": "first-command", "kind": "first-command"}


def test_the_score_stands_in_score_report_and_export(place: Place) -> None:
    printed = place.run("A score")
    (line,) = [line for line in printed.splitlines() if " detour " in line]
    assert line.split()[-1] == "4"
    assert "<h2>Detour</h2>" in (place.folder / "report.html").read_text()
    rows = list(csv.DictReader((place.folder / "tables" / "scores.csv").open(newline="")))
    (row,) = [row for row in rows if row["score"] == "detour"]
    assert (row["scope"], row["value"]) == ("detour", "1.0")


def test_the_column_stands_in_table_page_json_and_csv(place: Place) -> None:
    table = place.run("A column")
    (header,) = [line for line in table.splitlines() if line.startswith("| rank |")]
    assert " | hints | " in header
    assert '"hints": "templates"' in table
    assert ">hints</button></th>" in (place.folder / "board.html").read_text()
    (row,) = csv.DictReader((place.folder / "board.csv").open(newline=""))
    assert row["hints"] == "templates"
