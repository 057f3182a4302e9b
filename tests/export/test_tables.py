import csv
import json
import re
from dataclasses import replace
from io import BytesIO, StringIO
from pathlib import Path

import pytest

from agentgen_bench.errors import EntryError, MissingDependencyError, RunError
from agentgen_bench.evaluation.folder import read_run
from agentgen_bench.evaluation.plan import single_plan
from agentgen_bench.evaluation.run import evaluate
from agentgen_bench.export.csv_files import csv_bytes, csv_files
from agentgen_bench.export.parquet import grid_parquet, parquet_files
from agentgen_bench.export.source import read_source
from agentgen_bench.export.tables import Table, tables
from agentgen_bench.policies.scripted import RandomPolicy
from agentgen_bench.prompts import PromptConfig
from agentgen_bench.scores.run_scores import run_scores
from agentgen_bench.scores.success import results
from agentgen_bench.spec import TaskSpec

from .conftest import HOSTILE


def read_csv(content):
    return list(csv.DictReader(StringIO(content.decode(), newline="")))


def test_there_is_a_row_per_episode_with_what_was_recorded(talk):
    rows = read_csv(csv_files(read_source(talk))["episodes.csv"])
    episodes = {episode.key: episode for episode in read_run(talk).episodes}
    assert len(rows) == len(episodes) == 12
    for row, key in zip(rows, sorted(episodes), strict=True):
        episode = episodes[key]
        assert (int(row["seed"]), int(row["repeat"]), row["env_id"]) == (key[1], key[2], episode.spec["env_id"])
        assert float(row["score"]) == episode.score
        assert float(row["episode_return"]) == episode.episode_return
        assert row["success"] == ("true" if episode.success else "false")
        assert int(row["prompt_tokens"]) == 7 * len(episode.steps)
        assert row["last_hash"] == episode.steps[-1].observation_hash
        assert row["level_id"] == episode.level_id


def test_the_scores_are_those_of_results_json(talk):
    rows = read_csv(csv_files(read_source(talk))["scores.csv"])
    found = results(read_run(talk).episodes)
    by_subject = {(row["scope"], row["subject"], row["score"]): row for row in rows}
    assert float(by_subject["overall", "talk", "success"]["value"]) == found["overall"]["success"]["value"]
    for setting in found["settings"]:
        for name, score in setting["scores"].items():
            row = by_subject["setting", setting["setting"], name]
            numbers = [None if row[column] == "" else float(row[column]) for column in ("value", "low", "high")]
            assert numbers == [score["value"], score["low"], score["high"]]
    extra = [score for one in run_scores(read_run(talk).episodes) for score in one.scores]
    assert [row["score"] for row in rows[-len(extra) :]] == [score.name for score in extra]
    assert len(rows) == 2 + 2 + sum(len(setting["scores"]) for setting in found["settings"]) + len(extra)


def test_the_scores_of_a_run_say_how_many_episodes_they_are_of(talk):
    rows = read_csv(csv_files(read_source(talk))["scores.csv"])
    of_repeats = [row for row in rows if row["scope"] == "reliability"]
    assert {row["episodes"] for row in of_repeats} == {"6"}  # three levels, twice each
    assert {row["n"] for row in of_repeats} == {"3"}


def test_packs_have_their_scores(tmp_path):
    spec = TaskSpec("Sokoban", richness="lean", split="test", interface="opaque").with_(lifecycle="pack-4")
    evaluate(single_plan([spec], 2), RandomPolicy(), PromptConfig(), tmp_path / "packs")
    rows = read_csv(csv_files(read_source(tmp_path / "packs"))["scores.csv"])
    packs = [row["score"] for row in rows if row["scope"] == "pack"]
    assert packs == ["position_1", "position_2", "position_3", "position_4", "cod_effect"]


def test_what_a_model_or_player_wrote_cannot_become_a_formula(talk):
    content = csv_files(read_source(talk))["episodes.csv"]
    assert {row["policy"] for row in read_csv(content)} == {"'=cmd|'/c calc'!A0"}
    texts = ["=1", "+1", "-1", "@a", "\t=1", "\r=1", "\n=1", " =1", "＝1", "1=1", "plain"]
    table = Table((("text", "string"),), tuple((text,) for text in texts))
    shown = [row["text"] for row in read_csv(csv_bytes(table))]
    assert shown == [*(f"'{text}" for text in texts[:-2]), "1=1", "plain"]


def test_numbers_keep_their_sign_and_their_bits():
    table = Table((("x", "float"), ("n", "int"), ("unknown", "int")), ((-0.1 - 0.2, -3, None),))
    assert csv_bytes(table) == b"x,n,unknown\r\n-0.30000000000000004,-3,\r\n"


def test_line_breaks_quotes_and_lone_surrogates_stay_within_their_cell():
    table = Table((("a", "string"), ("b", "string")), ((f"x{HOSTILE}", "next"),))
    (row,) = read_csv(csv_bytes(table))
    assert row == {"a": f"x{HOSTILE}".replace("\ud800", "\ufffd"), "b": "next"}


def test_the_order_of_the_record_does_not_matter(talk):
    source = read_source(talk)
    backwards = replace(source, episodes=lambda: iter(list(source.episodes())[::-1]))
    assert csv_files(backwards) == csv_files(source)
    assert parquet_files(backwards) == parquet_files(source)


def test_parquet_holds_the_same_rows_typed_and_unchanged(talk):
    parquet = pytest.importorskip("pyarrow.parquet")
    source = read_source(talk)
    table = tables(source)["episodes"]
    read = parquet.read_table(BytesIO(parquet_files(source)["episodes.parquet"]))
    assert read.column_names == [name for name, _ in table.columns]
    assert [tuple(row.values()) for row in read.to_pylist()] == list(table.rows)
    assert str(read.schema.field("success").type) == "bool"
    assert json.loads(read.schema.metadata[b"agentgen_bench.policy"])["model"] == "lab/talker"


def test_a_grid_whose_runs_share_nothing_is_a_table_without_rows(talk):
    pytest.importorskip("pyarrow")
    source = read_source(talk)
    nothing = replace(source, name="begun", episodes=lambda: iter(()))
    (content,) = grid_parquet("grid", [source, nothing]).values()
    from pyarrow.parquet import read_table

    assert read_table(BytesIO(content)).num_rows == 0


def test_parquet_without_pyarrow_names_the_command_that_installs_it(talk, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    with pytest.raises(MissingDependencyError, match=r"pip install '.\[parquet\]'"):
        parquet_files(read_source(talk))


def test_an_entry_gives_the_rows_of_its_run_but_for_what_only_texts_tell(made, run_path, suite):
    of_entry, of_run = (tables(read_source(path, suite))["episodes"] for path in (made, run_path))
    names = [name for name, _ in of_entry.columns]
    differing = {
        name
        for row_a, row_b in zip(of_entry.rows, of_run.rows, strict=True)
        for name, a, b in zip(names, row_a, row_b, strict=True)
        if a != b
    }
    assert differing == {"run", "model", "mode_repeated_action", "mode_loop"}


def test_a_tampered_entry_is_refused(made, suite, tmp_path):
    copy = tmp_path / made.name
    copy.mkdir()
    for file in made.iterdir():
        (copy / file.name).write_bytes(file.read_bytes())
    (copy / "episodes.jsonl.gz").write_bytes((made / "episodes.jsonl.gz").read_bytes()[:-40])
    with pytest.raises(EntryError, match="was cut off"):
        csv_files(read_source(copy, suite))


def test_the_players_paths_stay_private(talk):
    source = read_source(talk)
    contents = b"".join([*csv_files(source).values(), *parquet_files(source).values()])
    assert b"secret" not in contents


def test_a_run_without_episodes_is_refused(talk, tmp_path):
    (tmp_path / "manifest.json").write_bytes((talk / "manifest.json").read_bytes())
    with pytest.raises(RunError, match="holds no episode to export"):
        csv_files(read_source(tmp_path))


def test_a_folder_that_is_neither_run_nor_entry_is_refused(tmp_path):
    with pytest.raises(RunError, match=r"neither a run folder \(manifest.json\) nor a leaderboard entry"):
        read_source(tmp_path)


def test_the_documentation_names_every_column(talk):
    page = (Path(__file__).parents[2] / "docs" / "export.md").read_text(encoding="utf-8")
    documented = set(re.findall(r"`([a-z_]+)`", page))
    columns = {name for table in tables(read_source(talk)).values() for name, _ in table.columns}
    assert columns <= documented
