"""Memory that a process may have: the machine's, or the control group's where that is less."""

from pathlib import Path

import pytest

from agentgen_bench.policies.memory import memory_bytes

MEMINFO = "MemTotal:           2000 kB\nMemFree:         1000 kB\nMemAvailable:    1500 kB\n"


@pytest.mark.parametrize(("most", "size"), [("max", 2000 * 1024), ("1000000", 1_000_000), ("9000000", 2000 * 1024)])
def test_the_smaller_of_machine_and_group_counts(tmp_path: Path, most: str, size: int) -> None:
    (tmp_path / "meminfo").write_text(MEMINFO)
    (tmp_path / "memory.max").write_text(f"{most}\n")
    assert memory_bytes(tmp_path / "meminfo", tmp_path) == size


def test_a_machine_without_a_group_has_all_of_it(tmp_path: Path) -> None:
    (tmp_path / "meminfo").write_text(MEMINFO)
    assert memory_bytes(tmp_path / "meminfo", tmp_path / "nowhere") == 2000 * 1024


@pytest.mark.parametrize("text", ["", "MemTotal:\n", "MemTotal: much kB\n"])
def test_what_cannot_be_read_is_not_known(tmp_path: Path, text: str) -> None:
    (tmp_path / "meminfo").write_text(text)
    assert memory_bytes(tmp_path / "meminfo", tmp_path) is None
    assert memory_bytes(tmp_path / "nowhere", tmp_path) is None
