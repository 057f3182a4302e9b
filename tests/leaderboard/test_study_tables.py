"""The tables of studies: rows in order, the gate, what one seed shows, and the same columns everywhere."""

import csv
import re
from dataclasses import replace
from io import StringIO
from types import SimpleNamespace

import pytest

from agentgen_bench.errors import EntryError
from agentgen_bench.export.boards import boards_csv
from agentgen_bench.leaderboard.markdown import markdown
from agentgen_bench.leaderboard.page import page
from agentgen_bench.leaderboard.studies import StudyOnBoard
from agentgen_bench.leaderboard.study_tables import study_table_json, study_tables
from agentgen_bench.scores.base import family
from agentgen_bench.scores.study import Study, StudyRun
from agentgen_bench.scores.study_board import board_scores
from tests.scores.test_pack_transfer import run as packs_of
from tests.scores.test_study_board import by_difficulty, graded, played

EVIL = "<script>alert(1)</script> | a"


def on_board(kind, runs, label=family, model="tiny"):
    """A study on the board; `runs` are pairs of a role and episodes."""
    study = Study("s", tuple(run for run, _ in runs))
    scores = board_scores(f"{kind}-v9", kind, study, {run.run: episodes for run, episodes in runs}, label)
    metadata = SimpleNamespace(suite=f"{kind}-v9", model=model, org="Lab", date="2026-11-28")
    return StudyOnBoard(f"{kind}-v9/20261128_Lab__tiny", metadata, "replayed", scores)


@pytest.fixture(scope="module")
def transfer():
    """Trained on Sokoban: 30 points there, WebShop loses 10; on WebShop nothing changes at all; ALFWorld gains most."""
    start = {"Sokoban": 0.2, "WebShop": 0.3, "ALFWorld": 0.1}
    runs = [(StudyRun("start", "initial"), played(start, "start", 200))]
    after = {"Sokoban": {"Sokoban": 0.5, "WebShop": 0.2}, "WebShop": {}, "ALFWorld": {"ALFWorld": 0.9}}
    for name, changed in after.items():
        runs.append((StudyRun(name, "trained", name), played(start | changed, name, 200)))
    return on_board("transfer", runs, model=EVIL)


def test_a_study_of_packs_says_what_training_gave_to_memory_held_in_and_out():
    runs = [
        (StudyRun("start", "initial"), packs_of(0.2, 0.0)),
        (StudyRun("a", "trained", "Sokoban"), packs_of(1.0, 0.5)),
        (StudyRun("b", "trained", "WebShop"), packs_of(0.2, 0.0)),
    ]
    (table,) = study_tables([on_board("lifecycle", runs)])
    first, second = table.rows  # most gained first
    assert [row.labels["trained_on"] for row in table.rows] == ["Sokoban", "WebShop"]
    assert first.scores["held_in_gain_change"].value == pytest.approx(0.4)
    assert first.scores["held_out_gain_change"].value == pytest.approx(0.25)
    assert first.scores["kept_score"].value == pytest.approx((0.5 + 0.25) / 2)
    assert first.scores["initial"].value == pytest.approx(0.05)
    assert second.scores["held_in_gain_change"].value == 0
    assert first.scores["ralph_effect"].reason == "no packs of such settings were played"
    (text,) = [line for line in markdown([], [table]).splitlines() if line.startswith("| [tiny]") and "Sokoban" in line]
    assert "| +40.0 (" in text
    assert "held-out gain of memory" in page([], [table])


@pytest.fixture(scope="module")
def difficulty():
    runs = [
        (StudyRun("a", "initial"), graded("a", {"easy": 0.1, "hard": 0.0})),
        (StudyRun("b", "trained", "Sokoban", "easy"), graded("b", {"easy": 0.5, "hard": 0.1})),
        (StudyRun("c", "trained", "Sokoban", "hard"), graded("c", {"easy": 0.3, "hard": 0.4})),
    ]
    return on_board("difficulty", runs, by_difficulty)


@pytest.fixture(scope="module")
def sequence():
    runs = [
        (StudyRun("start", "initial"), played({"Sokoban": 0.1, "WebShop": 0.1}, "start")),
        (StudyRun("s1", "stage", "Sokoban", stage=1), played({"Sokoban": 0.6, "WebShop": 0.2}, "s1")),
        (StudyRun("s2", "stage", "WebShop", stage=2), played({"Sokoban": 0.4, "WebShop": 0.8}, "s2")),
        (StudyRun("all", "joint"), played({"Sokoban": 0.7, "WebShop": 0.8}, "all")),
    ]
    return on_board("sequence", runs)


@pytest.fixture(scope="module")
def tables(transfer, difficulty, sequence):
    return study_tables([transfer, difficulty, sequence])


def lines_of(tables, title):
    """The cells of the table's rows in Markdown, by heading."""
    text = markdown([], tables).split(f"### {title}")[1].split("###")[0]
    head, _, *rows = [line for line in text.splitlines() if line.startswith("| ")]
    names = head.strip("| ").split(" | ")
    return [dict(zip(names, re.split(r"(?<!\\) \| ", row[2:-2]), strict=True)) for row in rows]


def test_transfer_is_ordered_by_what_was_gained_overall_not_by_tax(tables):
    rows = lines_of(tables, "transfer-v9")
    assert [row["trained on"] for row in rows] == ["ALFWorld", "Sokoban", "WebShop"]
    assert rows[1]["overall"].startswith("+6.7 (")
    assert rows[1]["held-out change"].startswith("-5.0 (")
    assert rows[1]["tax"].startswith("+5.0 (")
    assert rows[2]["tax"].startswith("+0.0")  # the lowest tax stands last: nothing was learned


def test_the_held_in_gain_is_the_gate_and_one_seed_says_so(tables):
    rows = lines_of(tables, "transfer-v9")
    assert re.fullmatch(r"\+30\.0 \(\+\d+\.\d to \+\d+\.\d, levels only\)", rows[1]["held-in gain"])
    assert re.fullmatch(r"\+0\.0 \(-\d+\.\d to \+\d+\.\d, levels only, no gain shown\)", rows[2]["held-in gain"])
    assert "levels only" not in rows[0]["initial"]  # there is one initial policy, of no training seed


def test_difficulty_is_a_matrix_ordered_by_the_gain_elsewhere(tables):
    rows = lines_of(tables, "difficulty-v9")
    assert [row["trained on"] for row in rows] == ["hard", "easy", "nothing yet"]
    assert rows[0]["on easy"].startswith("30.0 (")
    assert rows[0]["transfer to easy"].startswith("+20.0 (")
    assert rows[0]["recovery on easy"].startswith("50.0 (")
    assert rows[0]["gain elsewhere"].startswith("+20.0 (")
    assert (rows[0]["recovery on hard"], rows[2]["gain elsewhere"]) == ("-", "-")


def test_sequence_is_ordered_by_accuracy_at_the_end(sequence, tables):
    (row,) = lines_of(tables, "sequence-v9")
    assert row["order of stages"] == "Sokoban → WebShop"
    shown = {name: cell.split(" ")[0] for name, cell in row.items()}
    assert shown["accuracy at the end"] == "60.0"
    assert shown["backward transfer"] == "-20.0"
    assert shown["forgetting at the end"] == "+20.0"
    assert shown["forward transfer"] == "+10.0"
    assert shown["against the mixture"] == "+5.0"
    worse = {**sequence.scores["rows"][0], "forgetting_end": sequence.scores["rows"][0]["initial"]}
    worse["accuracy_end"] = {**worse["accuracy_end"], "value": 0.59}
    other = replace(sequence, entry="sequence-v9/a", scores={**sequence.scores, "rows": [worse]})
    (table,) = study_tables([other, sequence])
    assert [one.study.entry for one in table.rows] == [sequence.entry, "sequence-v9/a"]  # though it forgets more


def test_page_json_and_csv_hold_what_the_table_holds(tables):
    text = page([], tables)
    heads = re.findall(r"<th [^>]*><button[^>]*>([^<]*)</button>", text)
    assert heads == [column.name for table in tables for column in table.columns if column.place == "own"]
    assert "<script>alert" not in text
    assert "transfer to easy +20.0 <small>" in text
    by_name = {table.protocol: study_table_json(table)["rows"] for table in tables}
    assert [row["trained_on"] for row in by_name["transfer-v9"]] == ["ALFWorld", "Sokoban", "WebShop"]
    assert by_name["transfer-v9"][1]["tax"]["over"] == "levels only"
    rows = list(csv.DictReader(StringIO(boards_csv([], tables))))
    assert len(rows) == 3 + 3 + 1
    (sokoban,) = [row for row in rows if row["suite"] == "transfer-v9" and row["trained_on"] == "Sokoban"]
    assert round(float(sokoban["held_in_gain"]), 6) == 0.3
    assert sokoban["accuracy_end"] == ""


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"rows": 3}, "no list of at most 64 rows"),
        ({"rows": [{}]}, "lack what a row needs"),
        ({"rows": [{"order": ["a"], "seeds": 1, "initial": {"value": "1"}}]}, "lack what a row needs"),
        ({"kind": "other"}, "are of kind other"),
    ],
)
def test_scores_of_another_form_are_an_error_that_names_the_study(sequence, change, message):
    with pytest.raises(EntryError, match=f"sequence-v9.*{message}"):
        study_tables([replace(sequence, scores={**sequence.scores, **change})])
