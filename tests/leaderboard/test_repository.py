"""The leaderboards of this repository: current, audited, and one small part of them replayed in every test run."""

from pathlib import Path

import pytest

from agentgen_bench.leaderboard.audit import audit_problems, entry_folders
from agentgen_bench.leaderboard.markdown import markdown, with_table
from agentgen_bench.leaderboard.studies import read_studies
from agentgen_bench.leaderboard.study_tables import study_tables
from agentgen_bench.leaderboard.table import read_boards
from agentgen_bench.leaderboard.verify import verify

LEADERBOARDS = Path(__file__).parents[2] / "leaderboards"


def test_the_readme_shows_the_current_table() -> None:
    text = (LEADERBOARDS / "README.md").read_text(encoding="utf-8")
    tables = markdown(read_boards(LEADERBOARDS), study_tables(read_studies(LEADERBOARDS)))
    assert text == with_table(text, tables), "run agentgen-bench leaderboard --update"


def test_the_audit_trail_knows_every_entry_and_its_files() -> None:
    assert audit_problems(LEADERBOARDS) == []


@pytest.mark.slow
@pytest.mark.parametrize("path", entry_folders(LEADERBOARDS), ids=lambda path: f"{path.parent.name}/{path.name}")
def test_every_entry_holds(path: Path) -> None:
    assert verify(path).problems == ()
