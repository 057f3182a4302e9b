"""huggingface_hub reads both files back."""

import shutil
from dataclasses import replace

import pytest
import yaml

from agentgen_bench.errors import RunError, SpecError
from agentgen_bench.evaluation.folder import read_run
from agentgen_bench.export.hub import HubOptions, hub_files
from agentgen_bench.export.source import read_source
from agentgen_bench.scores.success import results

OPTIONS = HubOptions("lab/agentgen-bench", "5503434ddd", source_url="https://example.org/entry", source_name="Entry")


@pytest.fixture(scope="module")
def files(made, suite):
    return hub_files(read_source(made, suite), OPTIONS)


@pytest.fixture(scope="module")
def expected(run_path):
    found = results(read_run(run_path).episodes)
    values = [found["overall"], found["families"]["Sokoban"], *(setting["scores"] for setting in found["settings"])]
    return [round(100 * scores["success"]["value"], 4) for scores in values]


TASK_IDS = ["tiny_v1", "sokoban_family", "sokoban_base_easy_test", "sokoban_lean_easy_test"]


def test_huggingface_hub_parses_the_eval_results_and_writes_the_same(files, expected):
    hub = pytest.importorskip("huggingface_hub")
    items = yaml.safe_load(files[".eval_results/agentgen-bench-tiny-v1.yaml"])
    entries = hub.parse_eval_result_entries(items)
    assert [entry.task_id for entry in entries] == TASK_IDS
    assert [entry.value for entry in entries] == expected
    assert {(entry.dataset_id, entry.dataset_revision) for entry in entries} == {("lab/agentgen-bench", "5503434ddd")}
    assert {(entry.date, entry.source_url, entry.verify_token) for entry in entries} == {
        ("2026-01-31", "https://example.org/entry", None)
    }
    assert hub.eval_result_entries_to_yaml(entries) == items


def test_huggingface_hub_reads_the_model_index_within_a_card(files, expected):
    hub = pytest.importorskip("huggingface_hub")
    card = hub.ModelCard(f"---\n{files['model-index.yaml'].decode()}---\n\n# Model\n")
    assert card.data.model_name == "lab/random-3"
    assert [result.metric_value for result in card.data.eval_results] == expected
    assert [result.dataset_config for result in card.data.eval_results] == TASK_IDS
    assert {result.dataset_type for result in card.data.eval_results} == {"lab/agentgen-bench"}
    again = hub.repocard_data.eval_results_to_model_index("lab/random-3", card.data.eval_results)
    assert hub.repocard_data.model_index_to_eval_results(again)[1] == card.data.eval_results


def test_notes_say_what_the_number_rests_on(files):
    (whole, *_) = yaml.safe_load(files[".eval_results/agentgen-bench-tiny-v1.yaml"])
    assert whole["notes"].startswith("success %, 95 % interval (levels only) ")
    assert ", 16 episodes, suite tiny-v1 " in whole["notes"]


def test_a_run_without_a_date_gives_results_without_one(run_path):
    items = yaml.safe_load(
        hub_files(replace(read_source(run_path), date=None), HubOptions("a/b"))[
            ".eval_results/agentgen-bench-tiny-v1.yaml"
        ]
    )
    assert all(set(item) == {"dataset", "value", "notes"} for item in items)


def test_an_incomplete_run_is_not_published(run_path, tmp_path):
    shutil.copytree(run_path, tmp_path / "run")
    lines = (run_path / "episodes.jsonl").read_text().splitlines(keepends=True)
    (tmp_path / "run" / "episodes.jsonl").write_text("".join(lines[1:]))
    with pytest.raises(RunError, match="holds 15 of 16 episodes; finish it with evaluate --resume"):
        hub_files(read_source(tmp_path / "run"), HubOptions("a/b"))


def test_a_run_with_a_crash_is_not_published(run_path, tmp_path):
    shutil.copytree(run_path, tmp_path / "run")
    text = (run_path / "episodes.jsonl").read_text()
    crashed = text.replace('"ending": "truncated"', '"ending": "error"', 1)
    (tmp_path / "run" / "episodes.jsonl").write_text(crashed)
    with pytest.raises(RunError, match="1 episodes of run ended in an error"):
        hub_files(read_source(tmp_path / "run"), HubOptions("a/b"))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"dataset_id": "agentgen"}, "no dataset of the Hub; write ORG/NAME"),
        ({"dataset_id": "a/b", "source_name": "x"}, "add --source-url"),
        ({"dataset_id": "a/b", "source_url": "javascript:alert(1)"}, "is no address"),
        ({"dataset_id": "a/b", "date": "soon"}, "is not a date"),
    ],
)
def test_what_the_hub_would_refuse_is_refused_here(options, message):
    with pytest.raises(SpecError, match=message):
        HubOptions(**options)
