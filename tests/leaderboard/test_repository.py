"""The leaderboards of this repository: current, audited, and one small part of them replayed in every test run."""

from pathlib import Path

import pytest
import yaml

from agentgen_bench.leaderboard.audit import audit_problems, entry_folders
from agentgen_bench.leaderboard.table import markdown, read_boards, with_table
from agentgen_bench.leaderboard.verify import verify

REPOSITORY = Path(__file__).parents[2]
LEADERBOARDS = REPOSITORY / "leaderboards"


def test_the_readme_shows_the_current_table() -> None:
    text = (LEADERBOARDS / "README.md").read_text(encoding="utf-8")
    assert text == with_table(text, markdown(read_boards(LEADERBOARDS))), "run agentgen-bench leaderboard --update"


def test_the_audit_trail_knows_every_entry_and_its_files() -> None:
    assert audit_problems(LEADERBOARDS) == []


@pytest.mark.slow
@pytest.mark.parametrize("path", entry_folders(LEADERBOARDS), ids=lambda path: f"{path.parent.name}/{path.name}")
def test_every_entry_holds(path: Path) -> None:
    assert verify(path).problems == ()


def test_the_workflow_judges_with_the_base_branchs_code_and_may_only_read() -> None:
    workflow = yaml.safe_load((REPOSITORY / ".github" / "workflows" / "verify-entries.yml").read_text())
    assert workflow["permissions"] == {"contents": "read"}
    commands = [step["run"] for step in workflow["jobs"]["verify"]["steps"] if "run" in step]
    assert commands[0] == "pip install ./base"
    assert "pull_request_target" not in workflow[True]  # YAML 1.1 reads the key `on` as true
    assert "leaderboard.audit base/leaderboards head/leaderboards" in commands[1]
    assert "agentgen-bench verify" in commands[2]
