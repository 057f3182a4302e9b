"""Rows of plain values name levels, for HTTP clients and for the tables of other tools."""

import json

import pytest

from agentgen_bench import PromptConfig, TaskSpec
from agentgen_bench.adapters import measures
from agentgen_bench.errors import SpecError
from agentgen_bench.rows import (
    growing_session,
    session_of,
    setting_rows,
    split_names,
    split_row,
    split_size,
    suite_rows,
)
from agentgen_bench.suites import load_suite

WINDOW, CHAT = PromptConfig(), PromptConfig(protocol="chat")
RICH = TaskSpec("Sokoban", richness="rich", difficulty="hard", split="test")


def level_of(session):
    with session:
        session.start()
    episode = session.episode()
    return episode.spec, episode.seed, episode.level_id


def test_the_rows_of_a_setting_survive_a_table_of_strings_and_numbers():
    rows = json.loads(json.dumps(setting_rows(RICH, 2, first_seed=5)))
    assert [type(value) for row in rows for value in row.values()] == [str, int] * 2
    assert [level_of(session_of(row, WINDOW))[:2] for row in rows] == [(RICH.to_json(), 5), (RICH.to_json(), 6)]


def test_the_rows_of_a_suite_are_its_frozen_levels():
    cells = load_suite("smoke").cells
    rows = suite_rows("smoke")
    assert len(rows) == sum(len(cell.seeds) for cell in cells) == 55
    last = level_of(session_of(rows[9], WINDOW))
    assert last == (cells[0].spec.to_json(), cells[0].seeds[9], cells[0].level_ids[9])


def test_what_a_table_fills_up_with_nothing_is_not_there():
    row = {"suite": None, "cell": None, "index": None, **setting_rows(RICH, 1)[0]}
    assert level_of(session_of(row, WINDOW))[0] == RICH.to_json()


def test_a_growing_session_leaves_the_hosts_columns_alone():
    row = {**setting_rows(RICH, 1)[0], "prompt": [{"role": "user", "content": ""}], "policy": 3, "uid": "a"}
    assert growing_session(row, CHAT).prompt == CHAT


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"seed": 3}, "name one of env"),
        ({"spec": "{"}, "spec is not a setting as records hold it"),
        ({"spec": "[" * 100_000}, "spec is not a setting as records hold it"),
        ({"spec": '{"seed": ' + "1" * 5000 + "}"}, "spec is not a setting as records hold it"),
        ({"spec": "7"}, "not a task spec: expected the keys"),
        ({"suite": "smoke", "index": 10}, "index=10 is out of range; cell 0 of smoke has 0 to 9"),
        ({"suite": "smoke", "seed": 3}, "seed does not go with suite: a suite's level has a cell and an index"),
        ({"env": "AgentGen/Sokoban-v0", "index": 3}, "index does not go with env or spec: .* any other a seed"),
        ({"suite": "smoke", "cell": True}, "cell is 'True'; send a whole number"),
    ],
)
def test_a_row_that_names_no_level_is_refused(row, message):
    with pytest.raises(SpecError, match=message):
        session_of(row, CHAT)


def test_windows_do_not_grow():
    with pytest.raises(SpecError, match="the protocol 'window' makes prompts that do not go on from one another"):
        growing_session(setting_rows(RICH, 1)[0], WINDOW)


def test_measures_tell_the_share_of_useless_steps_and_a_session_that_was_left():
    with growing_session(setting_rows(RICH, 1)[0], CHAT) as session:
        session.start()
        for answer in ("<action>fly</action>", "", "<action>up</action>", "<action>down</action>"):
            session.answer(answer)
    found = measures(session)
    assert (found["steps"], found["success"], found["score"], found["error"]) == (4.0, 0.0, 0.0, 1.0)
    assert found["invalid"] >= 0.5
    assert found["return"] == pytest.approx(session.episode().episode_return)


def test_a_split_is_a_familys_easy_levels_or_a_suite():
    assert split_names()[:3] == ["Sokoban-train", "Sokoban-valid", "Sokoban-test"]
    assert (split_size("smoke"), split_size("Sokoban-train")) == (55, 2**31)
    assert split_row("smoke", 12) == {"suite": "smoke", "cell": 1, "index": 2}
    assert level_of(session_of(split_row("Sokoban-test", 4), WINDOW))[:2] == (
        TaskSpec("Sokoban", split="test").to_json(),
        4,
    )


@pytest.mark.parametrize(("split", "index"), [("smoke", 55), ("smoke", -1), ("Sokoban-train", 2**31), ("Sokoban", 0)])
def test_a_level_beyond_a_split_is_refused(split, index):
    with pytest.raises(SpecError, match=r"is out of range|unknown split"):
        split_row(split, index)


def test_a_family_for_evaluation_only_is_not_trained_on():
    (row,) = setting_rows(TaskSpec("Blocks", split="test"), 1)
    assert growing_session(row, CHAT).spec.family == "Blocks"
    assert [name for name in split_names() if name.startswith("Blocks")] == ["Blocks-test"]
    with pytest.raises(SpecError, match="Blocks is for evaluation only"):
        growing_session(row, CHAT, is_training=True)
