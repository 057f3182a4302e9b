"""Memory that a process may have: the machine's, or the control group's where that is less."""

import os
from pathlib import Path

import pytest

from agentgen_bench.policies.memory import memory_bytes


@pytest.fixture(autouse=True)
def small_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the machine one of 500 pages of 4,096 bytes: 2,000 KiB."""
    monkeypatch.setattr(os, "sysconf", {"SC_PAGE_SIZE": 4096, "SC_PHYS_PAGES": 500}.__getitem__)


@pytest.mark.parametrize(("most", "size"), [("max", 2000 * 1024), ("1000000", 1_000_000), ("9000000", 2000 * 1024)])
def test_the_smaller_of_machine_and_group_counts(tmp_path: Path, most: str, size: int) -> None:
    (tmp_path / "memory.max").write_text(f"{most}\n")
    assert memory_bytes(tmp_path) == size


def test_a_machine_without_a_group_has_all_of_it(tmp_path: Path) -> None:
    assert memory_bytes(tmp_path / "nowhere") == 2000 * 1024


@pytest.mark.parametrize("text", ["", "much"])
def test_a_limit_that_cannot_be_read_is_none(tmp_path: Path, text: str) -> None:
    (tmp_path / "memory.max").write_text(text)
    assert memory_bytes(tmp_path) == 2000 * 1024
