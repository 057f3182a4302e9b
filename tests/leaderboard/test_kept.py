"""What is kept of entries is never trusted over them: every change of an entry or of what is kept of it is noticed."""

import gzip
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentgen_bench.leaderboard import kept as kept_module
from agentgen_bench.leaderboard.audit import Record, append, entry_name
from agentgen_bench.leaderboard.columns import board_json
from agentgen_bench.leaderboard.entry import EPISODES, RESULTS, digests
from agentgen_bench.leaderboard.kept import ALIKE, SUMS, Kept
from agentgen_bench.leaderboard.sums import played_from_json, played_json, read_sums, sums_from_json, sums_json
from agentgen_bench.leaderboard.table import read_boards
from agentgen_bench.scores.bootstrap import Clusters, drawn_together, level_picks


@pytest.fixture
def leaderboards(made: Path, tmp_path: Path) -> Path:
    """Two entries: one of a random policy as it is, one that claims to be a model, which is the same actions."""
    folder = tmp_path / "leaderboards"
    shutil.copytree(made, folder / "tiny-v1" / made.name)
    model = Path(shutil.copytree(made, folder / "tiny-v1" / "20260201_Some-Lab__other"))
    text = (model / "metadata.yaml").read_text()
    (model / "metadata.yaml").write_text(
        text.replace("kind: random", "kind: vllm").replace("lab/random-3", "other").replace("2026-01-31", "2026-02-01")
    )
    lines = read_lines(model)
    write_lines(model, [line.replace('"policy": "random"', '"policy": "other"') for line in lines])
    return folder


def read_lines(entry: Path) -> list[str]:
    return gzip.decompress((entry / EPISODES).read_bytes()).decode().splitlines(keepends=True)


def write_lines(entry: Path, lines: list[str]) -> None:
    (entry / EPISODES).write_bytes(gzip.compress("".join(lines).encode(), mtime=0))


def boards(leaderboards: Path, cache: Path | None) -> tuple[list[object], list[str]]:
    """Return the boards as JSON, and what was said of damaged files."""
    said: list[str] = []
    found = read_boards(leaderboards, Kept(cache, said.append))
    return [board_json(board) for board in found], said


def test_sums_and_courses_read_back_as_they_were(made: Path) -> None:
    reading = read_sums(made)
    assert sums_from_json(json.loads(json.dumps(sums_json(reading.sums)))) == reading.sums
    assert played_from_json(json.loads(json.dumps(played_json(reading.played)))) == reading.played
    assert sum(sum(one.played) for one in reading.sums.values()) == 16


def test_a_board_from_what_is_kept_is_that_from_the_episodes(leaderboards: Path, tmp_path: Path, monkeypatch) -> None:
    plain = boards(leaderboards, None)
    assert boards(leaderboards, tmp_path / "cache") == plain
    monkeypatch.setattr(kept_module, "read_sums", lambda path: pytest.fail(f"{path} was read again"))
    monkeypatch.setattr(kept_module, "alike", lambda one, other: pytest.fail("compared again"))
    assert boards(leaderboards, tmp_path / "cache") == plain
    assert plain[1] == []


def test_a_changed_entry_is_read_anew(leaderboards: Path, tmp_path: Path, made: Path) -> None:
    boards(leaderboards, tmp_path / "cache")
    entry = leaderboards / "tiny-v1" / made.name
    write_lines(entry, [line.replace('"prompt_tokens": 0', '"prompt_tokens": 7') for line in read_lines(entry)])
    after, said = boards(leaderboards, tmp_path / "cache")
    assert (after, said) == boards(leaderboards, None)
    assert said == []  # another file is another name: nothing kept is about it


def flipped(file: Path) -> None:
    data = bytearray(file.read_bytes())
    data[-3] ^= 1
    file.write_bytes(data)


def emptied(file: Path) -> None:
    file.write_bytes(file.read_bytes().partition(b"\n")[0] + b"\n")


@pytest.mark.parametrize("change", [flipped, emptied])
@pytest.mark.parametrize("name", [SUMS, ALIKE])
def test_a_damaged_file_is_named_and_made_anew(
    leaderboards: Path, tmp_path: Path, name: str, change: Callable[[Path], None]
) -> None:
    plain, _ = boards(leaderboards, tmp_path / "cache")
    files = sorted((tmp_path / "cache").glob(f"*/{name}"))
    before = files[0].read_bytes()
    change(files[0])
    after, said = boards(leaderboards, tmp_path / "cache")
    assert after == plain
    assert said == [f"{files[0]} is damaged or was changed; it is made anew"]
    assert files[0].read_bytes() == before


def test_sums_that_are_signed_anew_but_are_not_those_of_the_results_are_noticed(
    leaderboards: Path, tmp_path: Path, made: Path
) -> None:
    plain, _ = boards(leaderboards, tmp_path / "cache")
    digest = digests(made)[EPISODES]
    file = tmp_path / "cache" / digest / SUMS
    body = json.loads(file.read_bytes().partition(b"\n")[2])
    body[0]["solved"] = body[0]["played"]
    text = json.dumps(body, separators=(",", ":")).encode()
    file.write_bytes(kept_module._head(digest, SUMS, text) + b"\n" + text)
    after, said = boards(leaderboards, tmp_path / "cache")
    assert after == plain
    assert len(said) == 1
    assert said[0].endswith("is not what its episodes say; it is read anew")


def test_what_is_kept_of_one_entry_is_not_taken_for_another(leaderboards: Path, tmp_path: Path) -> None:
    plain, _ = boards(leaderboards, tmp_path / "cache")
    one, other = sorted((tmp_path / "cache").glob(f"*/{SUMS}"))
    other.write_bytes(one.read_bytes())
    after, said = boards(leaderboards, tmp_path / "cache")
    assert after == plain
    assert said == [f"{other} is damaged or was changed; it is made anew"]


def test_changed_results_take_the_trust_away_though_sums_are_kept(leaderboards: Path, tmp_path: Path) -> None:
    entry = next(path for path in sorted((leaderboards / "tiny-v1").iterdir()))
    append(leaderboards, Record("2026-02-02", "verified", entry_name(entry), digests=digests(entry)))
    (before,), _ = boards(leaderboards, tmp_path / "cache")
    (entry / RESULTS).write_text((entry / RESULTS).read_text() + " ")
    (after,), _ = boards(leaderboards, tmp_path / "cache")
    assert [row["trust"] for row in before["rows"]].count("replayed") == 1
    assert [row["trust"] for row in after["rows"]].count("replayed") == 0


def test_nothing_is_kept_where_nothing_can_be_written(leaderboards: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    assert boards(leaderboards, tmp_path / "file" / "cache") == boards(leaderboards, None)


@given(
    st.lists(
        st.lists(st.tuples(st.integers(0, 64), st.integers(0, 64)), min_size=5, max_size=5), min_size=1, max_size=4
    )
)
def test_ratios_drawn_together_are_those_drawn_one_by_one(table: list[list[tuple[int, int]]]) -> None:
    levels = [f"level:{i}" for i in range(5)]
    clusters = [Clusters.of([float(a) / 3 for a, _ in row], [n for _, n in row]) for row in table]
    together = drawn_together(clusters, levels)
    for each, draws in zip(clusters, together, strict=True):
        np.testing.assert_array_equal(draws, each.draws(level_picks(levels)))
