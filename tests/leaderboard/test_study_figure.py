import json
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

ROOT = Path(__file__).resolve().parents[2]


def score(value):
    return {"value": value, "low": value - 0.1, "high": value + 0.1, "n": 6, "reason": None, "over": "levels only"}


def policy(role, source, **families):
    named = {"policy": f"{role} {source}", "role": role, "source": source, "augmented": False}
    return {**named, "families": {name: score(value) for name, value in families.items()}}


def test_the_figure_of_a_study_has_worlds_trained_on_apart_from_others(tmp_path):
    scores = {
        "policies": [
            policy("initial", None, Sokoban=0.5, Blocks=0.2),
            policy("trained", "Sokoban", Sokoban=0.7, Blocks=0.1),
        ]
    }
    (tmp_path / "scores.json").write_text(json.dumps(scores))
    output = tmp_path / "figure.svg"
    command = [sys.executable, "examples/study_figure.py", str(tmp_path), "--output", str(output)]
    subprocess.run(command, cwd=ROOT, check=True)
    svg = "{http://www.w3.org/2000/svg}"
    left, right = ElementTree.parse(output).getroot().findall(f"{svg}g")
    titles = [[title.text for title in panel.iter(f"{svg}title")] for panel in (left, right)]
    assert titles == [
        ["before, Sokoban: 50.0 % (40.0 - 60.0)", "on Sokoban, Sokoban: 70.0 % (60.0 - 80.0)"],
        ["before, Blocks: 20.0 % (10.0 - 30.0)", "on Sokoban, Blocks: 10.0 % (0.0 - 20.0)"],
    ]
