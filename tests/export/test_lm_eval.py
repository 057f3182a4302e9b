"""The fields of lm_eval 0.4.13's result schema; test_lm_eval_reader.py reads the files with lm_eval itself."""

import hashlib
import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from agentgen_bench.errors import DataError, RunError, SpecError
from agentgen_bench.evaluation.folder import read_run
from agentgen_bench.export.lm_eval import lm_eval_files
from agentgen_bench.export.source import read_source
from agentgen_bench.scores.success import results

RESULTS = "lab__talker/results_2026-01-31T00-00-00+00-00.json"
TASKS = ("sokoban_lean_easy_test", "sokoban_rich_easy_test")


@pytest.fixture(scope="module")
def files(talk):
    return lm_eval_files(read_source(talk), "2026-01-31")


@pytest.fixture(scope="module")
def written(files):
    return json.loads(files[RESULTS])


def samples_of(files, task):
    return [json.loads(line) for line in files[RESULTS.replace("results", f"samples_{task}") + "l"].splitlines()]


def test_the_files_are_named_as_the_harness_names_them(files):
    assert sorted(files) == [
        RESULTS,
        *(f"lab__talker/samples_{task}_2026-01-31T00-00-00+00-00.jsonl" for task in TASKS),
    ]


def test_every_task_has_what_the_harness_writes_of_one(written):
    for name in ("results", "configs", "versions", "n-shot", "higher_is_better", "n-samples", "task_hashes"):
        assert set(TASKS) <= set(written[name])
    assert written["n-samples"][TASKS[0]] == {"original": 6, "effective": 6}
    assert written["versions"][TASKS[0]] == 0
    assert written["group_subtasks"]["agentgen_sokoban_family"] == list(TASKS)
    assert written["group_subtasks"]["agentgen_talk"] == ["agentgen_sokoban_family"]
    assert written["date"] == 1769817600.0  # 2026-01-31T00:00:00Z
    assert written["config"]["model_args"]["pretrained"] == "lab/talker"


def test_values_are_those_of_results_json(written, talk):
    found = results(read_run(talk).episodes)
    assert written["agentgen_bench"]["scores"] == json.loads(json.dumps(found))
    assert written["results"]["agentgen_talk"]["score,action"] == found["overall"]["score"]["value"]
    for setting, task in zip(found["settings"], TASKS, strict=True):
        for name in ("success", "score", "episode_return", "steps"):
            assert written["results"][task][f"{name},action"] == pytest.approx(setting["scores"][name]["value"])


def test_the_standard_error_is_that_of_the_mean_over_levels(files, written):
    levels = {}
    for sample in samples_of(files, TASKS[0]):
        levels.setdefault(sample["doc"]["level_id"], []).append(sample["score"])
    a, b, c = (sum(values) / len(values) for values in levels.values())
    center = (a + b + c) / 3
    expected = (((a - center) ** 2 + (b - center) ** 2 + (c - center) ** 2) / 2 / 3) ** 0.5
    assert written["results"][TASKS[0]]["score_stderr,action"] == pytest.approx(expected)


def test_a_sample_holds_the_first_prompt_every_completion_and_every_action(files, talk):
    episodes = {episode.key: episode for episode in read_run(talk).episodes}
    for task in TASKS:
        for number, sample in enumerate(samples_of(files, task)):
            doc = sample["doc"]
            episode = episodes[doc["spec"], doc["seed"], doc["repeat"]]
            assert sample["doc_id"] == number
            assert len(sample["arguments"]["gen_args_0"]["arg_0"]) == episode.steps[0].prompt_chars
            assert sample["arguments"]["gen_args_0"]["arg_1"]["max_gen_toks"] == 64
            (completions,) = sample["resps"]
            assert completions == [step.completion.replace("\ud800", "\ufffd") for step in episode.steps]
            assert sample["filtered_resps"][0] == episode.steps[0].action
            assert sample["success"] == float(episode.success)
            assert set(sample["metrics"]) <= set(sample)


def test_the_task_hash_covers_every_sample(files, written):
    for task in TASKS:
        hashes = [s["doc_hash"] + s["prompt_hash"] + s["target_hash"] for s in samples_of(files, task)]
        assert written["task_hashes"][task] == hashlib.sha256("".join(hashes).encode()).hexdigest()


def test_an_episode_of_a_setting_that_is_not_played_is_named(talk):
    source = read_source(talk)
    with pytest.raises(RunError, match="talk holds an episode of Sokoban-lean easy test, which it does not play"):
        lm_eval_files(replace(source, planned={}))


def test_a_setting_that_is_no_utf_8_has_a_hash(talk):
    source = read_source(talk)
    odd = [replace(one, spec={**one.spec, "knobs": {"x": "\ud800"}}) for one in source.episodes()]
    planned = dict.fromkeys((one.key[0] for one in odd), 6)
    assert lm_eval_files(replace(source, planned=planned, episodes=lambda: iter(odd)))


def test_without_a_date_nothing_is_dated(talk):
    files = lm_eval_files(replace(read_source(talk), date=None))
    assert json.loads(files["lab__talker/results_undated.json"])["date"] is None


def test_a_run_is_dated_by_the_start_of_its_last_session(talk, tmp_path):
    shutil.copytree(talk, tmp_path / "talk")
    manifest = json.loads((talk / "manifest.json").read_text())
    first = {**manifest["sessions"][0], "started": "2026-01-30T12:00:00+00:00"}
    manifest["sessions"] = [first, {**first, "started": "2026-01-31T00:00:00+00:00"}]
    (tmp_path / "talk" / "manifest.json").write_text(json.dumps(manifest))
    assert RESULTS in lm_eval_files(read_source(tmp_path / "talk"))


def test_system_prompt_and_examples_are_told(talk):
    source = read_source(talk)
    shown = [{"role": role, "content": "x"} for role in ("user", "assistant", "user", "assistant")]
    told = replace(source, prompt={**source.prompt, "system_prompt": "Be brief.", "examples": shown})
    written = json.loads(lm_eval_files(told, "2026-01-31")[RESULTS])
    assert written["system_instruction"] == "Be brief."
    assert written["n-shot"] == dict.fromkeys(TASKS, 2)
    assert [config["num_fewshot"] for config in written["configs"].values()] == [2, 2]


def test_a_run_without_them_is_told_to_be_without(written):
    assert written["system_instruction"] is None
    assert written["n-shot"] == dict.fromkeys(TASKS, 0)


def test_a_prompt_or_a_sampling_that_there_cannot_be_is_an_error_that_names_it(talk):
    source = read_source(talk)
    with pytest.raises(DataError, match=r"the prompt of talk is not that of a run: .*colour"):
        lm_eval_files(replace(source, prompt={**source.prompt, "colour": "red"}))
    with pytest.raises(DataError, match="the policy of talk has the sampling 1; it takes an object of numbers"):
        lm_eval_files(replace(source, policy={**source.policy, "sampling": 1}))


@pytest.mark.parametrize(
    ("sampling", "said"),
    [(None, {}), ({}, {}), ({"temperature": 0}, {"do_sample": False, "temperature": 0}), ({"top_k": 5}, {})],
)
def test_what_is_known_of_the_sampling_is_told(sampling, said, talk):
    source = read_source(talk)
    files = lm_eval_files(replace(source, policy={**source.policy, "sampling": sampling}), "2026-01-31")
    assert json.loads(files[RESULTS])["config"]["gen_kwargs"] == {"until": [], **said}


@pytest.mark.parametrize("model", ["..", ".", "../.."])
def test_no_models_name_leads_out_of_the_folder(model, talk):
    names = lm_eval_files(replace(read_source(talk), model=model))
    assert {Path(name).parts[0] for name in names} <= {"__", "..__.."}
    assert all(len(Path(name).parts) == 2 for name in names)


def test_an_entry_has_its_own_date_and_no_prompts(made, suite):
    files = lm_eval_files(read_source(made, suite))
    samples = next(content for name, content in files.items() if "/samples_sokoban_lean" in name)
    assert all("2026-01-31T00-00-00+00-00" in name for name in files)
    assert json.loads(samples.splitlines()[0])["arguments"]["gen_args_0"]["arg_0"] == ""


def test_the_players_paths_stay_private(files):
    assert b"secret" not in b"".join(files.values())


def test_a_date_that_is_none_is_refused(talk):
    with pytest.raises(SpecError, match=r"'yesterday' is not a date; write 2026-01-31"):
        lm_eval_files(read_source(talk), "yesterday")
