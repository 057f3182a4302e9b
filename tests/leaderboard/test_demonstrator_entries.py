"""Entries of scripted policies that say why: the completion holds the action, and must hold this very one."""

import gzip
import json
from pathlib import Path

from agentgen_bench.evaluation.freeze import frozen_cell
from agentgen_bench.evaluation.plan import suite_plan
from agentgen_bench.evaluation.run import evaluate
from agentgen_bench.leaderboard.submit import submit
from agentgen_bench.leaderboard.verify import verify
from agentgen_bench.policies.names import scripted_policy
from agentgen_bench.prompts import PromptConfig
from agentgen_bench.spec import TaskSpec
from agentgen_bench.suites import from_text, to_text


def test_a_searcher_that_says_why_has_an_entry_and_its_reasons_change_no_action(tmp_path: Path) -> None:
    cell = frozen_cell(TaskSpec("ALFWorld", split="test"), 3)
    suite = from_text("tiny-alfworld", to_text("for tests", (cell,)))
    evaluate(suite_plan(suite), scripted_policy("alfworld-searcher"), PromptConfig(), tmp_path / "run")
    entry = submit(
        tmp_path / "run",
        org="us",
        model="searcher",
        date="2026-01-31",
        leaderboards=tmp_path / "board",
        suite=suite,
        workers=1,
    )
    assert verify(entry, suite=suite, workers=1).holds
    path = entry / "episodes.jsonl.gz"
    lines = [json.loads(line) for line in gzip.decompress(path.read_bytes()).splitlines()]
    step = lines[0]["steps"][0]
    assert step["completion"].startswith("<think>")
    step["completion"] = step["completion"].replace(step["action"], "look")
    path.write_bytes(gzip.compress("".join(f"{json.dumps(line)}\n" for line in lines).encode()))
    found = verify(entry, suite=suite, workers=1)
    assert not found.holds
    assert "step 1: the completion of a scripted policy is its action" in found.problems[0]
