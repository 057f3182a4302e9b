"""lm_eval itself reads what we write: its schema, its table, its file names, its hashes, `datasets`.

Needs lm_eval (pip install lm_eval), which is too heavy for the tests' extra.
"""

import json

import pytest

from agentgen_bench.export.files import write_files
from agentgen_bench.export.lm_eval import lm_eval_files
from agentgen_bench.export.source import read_source

utils = pytest.importorskip("lm_eval.utils")
schema = pytest.importorskip("lm_eval.result_schema")


@pytest.fixture(scope="module")
def folder(talk, tmp_path_factory):
    path = tmp_path_factory.mktemp("lm-eval")
    write_files(path, lm_eval_files(read_source(talk), "2026-01-31"))
    return path / "lab__talker"


@pytest.fixture(scope="module")
def written(folder):
    (name,) = utils.get_results_filenames([str(path) for path in folder.iterdir()])
    with open(name, encoding="utf-8") as file:
        return json.load(file)


def test_its_table_shows_every_task_and_group(written):
    table = utils.make_table(written)
    assert "Sokoban-lean easy test" in table
    assert "±" in table
    assert "agentgen_sokoban_family" in utils.make_table(written, "groups")


def test_its_file_names_are_taken_apart_again(folder):
    samples = utils.get_sample_results_filenames([str(path) for path in folder.iterdir()])
    names = {path.rpartition("/")[2] for path in samples}
    assert {utils.get_file_task_name(name) for name in names} == {"sokoban_lean_easy_test", "sokoban_rich_easy_test"}
    assert {utils.get_file_datetime(name) for name in names} == {"2026-01-31T00-00-00+00-00"}
    assert folder.name == utils.sanitize_model_name("lab/talker")


def test_the_keys_are_those_of_its_schema(written, folder):
    known = set(schema.EvalResults.__annotations__)
    assert set(written) - known == {"agentgen_bench"}
    sample = json.loads(next(folder.glob("samples_*")).read_text(encoding="utf-8").splitlines()[0])
    fixed = set(schema.SampleResult.__annotations__)
    assert fixed <= set(sample)
    assert set(sample) - fixed == set(sample["metrics"])
    assert set(written["config"]) <= set(schema._EvalConfig.__annotations__)


def test_its_hashes_come_out_the_same(written, folder):
    for path in folder.glob("samples_*"):
        samples = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        for sample in samples:
            doc = json.dumps(sample["doc"], indent=2, default=utils.handle_non_serializable, ensure_ascii=False)
            assert sample["doc_hash"] == utils.hash_string(doc)
            assert sample["prompt_hash"] == utils.hash_string(sample["arguments"]["gen_args_0"]["arg_0"])
            assert sample["target_hash"] == utils.hash_string(sample["target"])
        joined = "".join(s["doc_hash"] + s["prompt_hash"] + s["target_hash"] for s in samples)
        assert written["task_hashes"][utils.get_file_task_name(path.name)] == utils.hash_string(joined)


def test_datasets_loads_the_samples_as_the_hub_does(folder, tmp_path):
    datasets = pytest.importorskip("datasets")
    (path,) = folder.glob("samples_sokoban_lean*")
    loaded = datasets.load_dataset("json", data_files=str(path), split="train", cache_dir=str(tmp_path))
    assert len(loaded) == 6
    assert loaded[0]["doc"]["env_id"] == "AgentGen/Sokoban-lean-v0"
