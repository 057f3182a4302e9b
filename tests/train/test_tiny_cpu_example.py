import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SMALL = "--levels 20 --sft-steps 3 --grpo-steps 2 --episodes 5 --seeds 0,1".split()


def run(folder):
    command = [sys.executable, "examples/tiny_cpu.py", "--folder", str(folder), *SMALL]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout


@pytest.mark.slow
def test_the_example_trains_tests_and_draws_and_does_nothing_twice(tmp_path):
    first = run(tmp_path)
    assert first.count("$ agentgen-bench") == 9  # model, oracle, SFT, two trainings, four tests
    table = first[first.index("success on the test split") :]
    assert [line.split()[0] for line in table.splitlines()[2:6]] == ["random-weights", "sft", "grpo-0", "grpo-1"]
    assert "seed 1" in (tmp_path / "tiny_cpu.svg").read_text(encoding="utf-8")
    again = run(tmp_path)
    assert "$ agentgen-bench" not in again
    assert again.strip() == table.strip()


@pytest.mark.parametrize("script", [("examples/tiny_cpu.py", "--help"), ("examples/base_cpu.py", "--time")])
def test_the_presets_that_examples_rest_on_hold_what_they_read(script):
    done = subprocess.run([sys.executable, *script], cwd=ROOT, capture_output=True, text=True, check=True)
    assert "cores" in done.stdout
