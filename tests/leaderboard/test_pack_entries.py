"""Entries of packs of solve and update episodes: played, submitted, replayed; and what is changed in one is refused."""

import csv
import gzip
import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from io import StringIO
from pathlib import Path
from typing import Any

import pytest

from agentgen_bench import Answer, PromptConfig, scripted_policy
from agentgen_bench.episodes import from_json, to_line
from agentgen_bench.errors import EntryError
from agentgen_bench.evaluation.freeze import frozen_cell
from agentgen_bench.evaluation.plan import suite_plan
from agentgen_bench.evaluation.run import evaluate
from agentgen_bench.export.boards import boards_csv
from agentgen_bench.leaderboard.columns import board_json, for_readers
from agentgen_bench.leaderboard.markdown import markdown
from agentgen_bench.leaderboard.page import page
from agentgen_bench.leaderboard.submit import submit
from agentgen_bench.leaderboard.table import read_boards
from agentgen_bench.leaderboard.verify import scored, verify
from agentgen_bench.parsing.context import CONTEXT_BEGIN, CONTEXT_END
from agentgen_bench.policies.agents import AgentPolicy
from agentgen_bench.scores.success import results
from agentgen_bench.spec import LifecycleSpec, TaskSpec
from agentgen_bench.suites import Suite, from_text, to_text

FULL = PromptConfig(action_hints="full")
LIFECYCLE = LifecycleSpec(3, update="episode", context_chars=1500)


class Writer:
    """Takes the first command; writes a longer context after each task, and after the second one that has no end."""

    def act(self, observation: str, info: Any) -> Answer:
        text = f"<action>{info['admissible_commands'][0]}</action>"
        if info["context_chars"] is not None:
            text = f"{CONTEXT_BEGIN}\n" + "what I saw\n" * 90
            text += "" if info["context"] else CONTEXT_END
        return Answer(text, is_completion=True, prompt_tokens=5, completion_tokens=7)


@pytest.fixture(scope="module")
def packs() -> Suite:
    spec = TaskSpec("Sokoban", split="test", interface="opaque", lifecycle=LIFECYCLE, knobs=(("max_steps", 4),))
    return from_text("packs-v1", to_text("for tests", (frozen_cell(spec, 2),)))


@pytest.fixture(scope="module")
def lines(packs: Suite, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[dict[str, Any]]]:
    folder = tmp_path_factory.mktemp("packs")
    evaluate(suite_plan(packs), AgentPolicy(Writer, FULL, name="writer"), FULL, folder / "run")
    entry = submit(
        folder / "run", org="Lab", model="w", date="2026-01-31", leaderboards=folder / "b", suite=packs, workers=1
    )
    with gzip.open(entry / "episodes.jsonl.gz", "rt") as file:
        return entry, [json.loads(line) for line in file]


def test_an_entry_of_packs_holds(packs: Suite, lines: tuple[Path, list[dict[str, Any]]]) -> None:
    entry, episodes = lines
    assert verify(entry, suite=packs, workers=1).holds
    assert [len(task[3] or "") for task in episodes[0]["tasks"]] == [989, 0, 0]
    assert [step["parse_reason"] for step in episodes[0]["steps"] if step["parse_reason"]] == ["unclosed"]


def test_a_run_that_knows_no_scores_of_packs_is_written_anew_by_resuming_it(
    packs: Suite, lines: tuple[Path, list[dict[str, Any]]], tmp_path: Path
) -> None:
    """So it is with results.json of a run from before there were such scores."""
    run = tmp_path / "run"
    shutil.copytree(lines[0].parents[2] / "run", run)
    old = json.loads((run / "results.json").read_text())
    old.pop("packs")
    (run / "results.json").write_text(json.dumps(old))
    named = {"org": "Lab", "model": "w", "date": "2026-01-31", "leaderboards": tmp_path / "b"}
    with pytest.raises(
        EntryError, match=r"\(packs is missing\).* with --resume checks the episodes and writes it anew"
    ):
        submit(run, **named, suite=packs, workers=1)  # type: ignore[arg-type]
    evaluate(suite_plan(packs), AgentPolicy(Writer, FULL, name="writer"), FULL, run, resume=True)
    submit(run, **named, suite=packs, workers=1)  # type: ignore[arg-type]


def test_a_row_of_packs_has_its_columns_and_curves_wherever_it_is_shown(
    lines: tuple[Path, list[dict[str, Any]]],
) -> None:
    entry, _ = lines
    (board,) = read_boards(entry.parent.parent)
    (row,) = board.rows
    names = ["kept_score", "first_position", "last_position", "cod_effect", "memory_tokens"]
    assert list(row.packs) == names  # no twin without a context, no task again and again
    assert row.packs["memory_tokens"].value == 24  # two updates a pack
    assert [name for name in row.curves[0].scores if name.startswith("position")] == [
        "position_1",
        "position_2",
        "position_3",
    ]
    shown = for_readers(board)
    assert {"kept_score", "cod_effect", "memory_tokens"} < {column.key for column in shown}
    header = next(line for line in markdown([board]).splitlines() if line.startswith("| rank"))
    assert "| tasks, context kept | CoD effect | first position | last position | gain over wiped |" in header
    assert '<small class="under">first position 0.0 <small>0.0' in page([board])
    assert board_json(board)["rows"][0]["packs"] == {name: row.packs[name].to_json() for name in names}
    (written,) = csv.DictReader(StringIO(boards_csv([board])))
    assert float(written["memory_tokens"]) == 24
    assert float(written["cod_effect_low"]) == row.packs["cod_effect"].low


def test_who_finds_out_facts_has_a_row_that_holds(tmp_path: Path) -> None:
    packs = [LifecycleSpec(3, context, update="episode") for context in ("kept", "wiped")]
    specs = [
        TaskSpec(family, difficulty="easy", split="test", knobs=(("fact", fact),), lifecycle=pack)
        for family, fact in (("Sokoban", "rule"), ("ALFWorld", "house"))
        for pack in packs
    ]
    suite = from_text("facts-v1", to_text("for tests", tuple(frozen_cell(spec, 2) for spec in specs)))
    evaluate(suite_plan(suite), scripted_policy("fact-finder"), PromptConfig(), tmp_path / "run")
    entry = submit(
        tmp_path / "run", org="Lab", model="f", date="2026-01-31", leaderboards=tmp_path / "b", suite=suite, workers=1
    )
    assert verify(entry, suite=suite, workers=1).holds
    (row,) = read_boards(tmp_path / "b")[0].rows
    assert row.packs["stateful_gain"].value is not None
    assert row.packs["stateful_gain"].value > 0
    assert row.packs["first_position"].value < row.packs["last_position"].value  # type: ignore[operator]


def change(*path: Any, to: Any) -> Callable[[dict[str, Any]], None]:
    def edit(episode: dict[str, Any]) -> None:
        target: Any = episode
        for key in path[:-1]:
            target = target[key]
        target[path[-1]] = to

    return edit


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (change("steps", 4, "action", to="what I did not write"), "is not what the completion holds"),
        (change("steps", 4, "completion", to="nothing"), "is not what the completion holds"),
        (change("tasks", 0, 3, to="another context"), "tasks is recorded as"),
        (change("parts", 2, 3, to="another context"), "parts is recorded as"),
        (change("parts", 1, 4, to=10**6), "a context of more than 8192"),
        (change("parts", 1, 4, to=10), "an action of 989 characters; at most 10"),
    ],
)
def test_whatever_is_changed_of_a_context_is_refused(
    edit: Callable[[dict[str, Any]], None],
    message: str,
    packs: Suite,
    lines: tuple[Path, list[dict[str, Any]]],
    tmp_path: Path,
) -> None:
    entry, episodes = lines
    changed = [json.loads(json.dumps(episode)) for episode in episodes]
    edit(changed[0])
    copy = tmp_path / entry.parent.name / entry.name
    copy.mkdir(parents=True)
    for file in entry.iterdir():
        (copy / file.name).write_bytes(file.read_bytes())
    with gzip.open(copy / "episodes.jsonl.gz", "wt") as target:
        target.writelines(json.dumps(episode) + "\n" for episode in changed)
    verified = verify(copy, suite=packs, workers=1)
    assert not verified.holds
    assert message in "; ".join(verified.problems)


def test_scoring_keeps_no_text_of_a_pack_and_finds_the_same_scores(lines: tuple[Path, list[dict[str, Any]]]) -> None:
    episodes = [from_json(line) for line in lines[1]]
    kept = [scored(episode) for episode in episodes]
    assert all("what I saw" in to_line(episode) for episode in episodes)
    assert [len(to_line(replace(episode, steps=(), spec={}))) < 1000 for episode in kept] == [True, True]
    assert results(kept) == results(episodes)
