import json
import math
import os
import re
import signal
import sys
import threading
from contextlib import suppress
from copy import deepcopy
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

from agentgen_bench.cli import main
from agentgen_bench.errors import AgentGenError, RunError, ScoreError, SpecError
from agentgen_bench.evaluation.locks import lock_folder
from agentgen_bench.evaluation.training import read_training
from agentgen_bench.prompts import PromptConfig
from agentgen_bench.scores.study import read_study
from agentgen_bench.suites import load_suite
from agentgen_bench.train import study as study_module
from agentgen_bench.train.apart import in_own_process, launch
from agentgen_bench.train.choices import sources
from agentgen_bench.train.estimates import Estimate, estimate, profile
from agentgen_bench.train.grpo import train
from agentgen_bench.train.settings import Source
from agentgen_bench.train.study import (
    check_settings,
    counted_steps,
    grpo_config,
    initial_model,
    not_of_its_protocol,
    parts,
    run_study,
)
from agentgen_bench.train.study_file import curriculum_plan, read_plan
from tests.processes import run_to_the_end
from tests.train.test_grpo import config

STUDIES = Path(__file__).resolve().parents[2] / "examples" / "studies"
TINY = STUDIES / "difficulty-tiny.yaml"


def changed(tmp_path, **changes):
    data = {**yaml.safe_load(TINY.read_text()), **changes}
    path = tmp_path / "study.yaml"
    path.write_text(yaml.safe_dump(data))
    return path


@pytest.mark.parametrize("path", sorted(STUDIES.glob("*.yaml")), ids=lambda path: path.stem)
def test_every_shipped_study_is_well_formed(path):
    plan = read_plan(path)
    for policy in plan.policies:
        assert grpo_config(plan, policy, 0, "m", Path("o")).sources == policy.sources
    check_settings(plan)


def test_every_full_study_has_a_tiny_variant():
    small = {"transfer-smoke", "lifecycle-smoke"}
    of_the_base = {f"{name}{size}" for name in ("transfer-base-cpu", "memory-cpu") for size in ("", "-small")}
    of_the_base.add("sciworld-task-cpu")
    names = {path.stem for path in STUDIES.glob("*.yaml")} - small - of_the_base
    full = {name for name in names if not name.endswith("-tiny")}
    assert full == {"difficulty", "sequential", "transfer", "transfer-no-thinking"}
    assert {f"{name}-tiny" for name in full} == names - full


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"policy": 1}, "unknown key 'policy'"),
        ({"policies": None}, "the key 'policies' is missing or empty"),
        (
            {"policies": [{"name": "a", "role": "trained", "train_on": "x"}]},
            "trains on 'x'; environments are: far",
        ),
        ({"policies": [{"name": "a", "role": "king", "train_on": "near"}]}, "unknown role 'king'"),
        ({"policies": [{"name": "a", "role": "stage", "train_on": "near", "from": "b"}]}, "a starts from 'b'"),
        (
            {"policies": [{"name": "a", "role": "trained", "train_on": "near", "with": {"split": "test"}}]},
            "the policy a uses Sokoban-lean easy test .*, levels of the test split; choose split train or valid",
        ),
        ({"environments": {"near": {"env": "sokoban", "split": "test"}}}, "training uses .* levels of the test split"),
        ({"evaluation": {"episode": 3}}, "evaluation: unknown key 'episode'"),
        ({"evaluation": {"suite": "core-v1"}}, "unknown protocol 'core-v1'; choose one of: difficulty-v2"),
        (
            {"evaluation": {"suite": "transfer-v1", "temperature": 1.0}},
            "evaluation: temperature is decided by transfer-v1; it is 0.4, leave it out",
        ),
        (
            {"evaluation": {"suite": "transfer-v1", "episodes": 9}},
            "evaluation: episodes is decided by transfer-v1, lea",
        ),
        ({"environments": {"near": {"difficulty": "easy"}}}, "environment near: the key 'env' is missing"),
        ({"cloning": {"levels": 4}}, "a study trains by grpo or by cloning; leave out the settings of one of them"),
        ({"grpo": {}, "cloning": {"sft": {}}}, "cloning: levels=0 is out of range; choose 1 or more"),
        ({"grpo": {}, "cloning": {"level": 4}}, "cloning: unknown key 'level'"),
    ],
)
def test_a_wrong_study_says_which_key_is_wrong(tmp_path, changes, message):
    with pytest.raises(SpecError, match=message):
        read_plan(changed(tmp_path, **changes))


TRAINED = {"name": "p", "role": "trained", "train_on": "near"}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"seeds": 3}, "seeds is 3; it takes a list of whole numbers: "),
        ({"seeds": []}, r"seeds is \[\]; it takes different whole numbers, such as \[0, 1, 2\]"),
        ({"seeds": [0, 0, 1]}, r"seeds is \[0, 0, 1\]; it takes different whole numbers"),
        ({"seeds": ["a"]}, "seed 'a' is out of range; choose an integer from 0"),
        ({"study": ["a"]}, r"study is \['a'\]; give a name"),
        ({"initial": "runs/model"}, "initial is 'runs/model'; it takes keys and values: levels, demonstrator"),
        ({"initial": {"model": True}}, "initial: model is True; it takes str"),
        ({"initial": {"levels": -1}}, "initial: levels=-1 is out of range; choose 1 or more, 0 for no cloning"),
        ({"initial": {"make": {"layers": 1}, "sft": [1]}}, r"initial, sft is \[1\]; it takes keys and values"),
        ({"initial": {"make": {"layers": "1"}}}, "initial, make: layers is '1'; it takes int"),
        ({"environments": ["sokoban"]}, r"environments is \['sokoban'\]; it takes keys and values"),
        ({"environments": {"near": "sokoban"}}, "environment near is 'sokoban'; it takes keys and values: env, knobs"),
        ({"environments": {True: {"env": "sokoban"}}}, "an environment is True; give a name, in quotes where YAML"),
        (
            {"environments": {"near": {"env": "sokoban", "knobs": ["size"]}}},
            r"near, knobs is \['size'\]; it takes keys",
        ),
        ({"environments": {"near": {"env": "sokoban", "knobs": {1: 2}}}}, "Sokoban has no knob '1'"),
        (
            {"environments": {"near": {"env": "sokoban"}, "too": {"env": "sokoban"}}, "policies": [TRAINED]},
            "names the same environment setting twice",
        ),
        ({"evaluation": {"episodes": "100"}}, "evaluation: episodes is '100'; it takes int"),
        ({"evaluation": {"episodes": True}}, "evaluation: episodes is True; it takes int"),
        ({"evaluation": [1]}, r"evaluation is \[1\]; it takes keys and values: episodes"),
        ({"prompt": {"history_length": "two"}}, "prompt: history_length is 'two'; it takes int"),
        ({"prompt": {"examples": "none"}}, "prompt: examples is 'none'; it takes a list of messages"),
        ({"grpo": "fast"}, "grpo is 'fast'; it takes keys and values"),
        ({"grpo": False}, "grpo is False; it takes keys and values"),
        ({"grpo": {"learning_rate": 0}}, "learning_rate=0.0 is out of range; choose a finite number above 0"),
        ({"tokens_per_s": "many"}, "tokens_per_s is 'many'; give a finite number above 0, or leave it out"),
        ({"policies": {"p": "near"}}, "policies is {'p': 'near'}; it takes a list of policies"),
        ({"policies": ["near"]}, "policy is 'near'; it takes keys and values: name, role"),
        (
            {"policies": [{**TRAINED, "name": "../../x"}]},
            r"name '../../x' cannot name its folder; take at most 60 letters",
        ),
        ({"policies": [{**TRAINED, "name": None}]}, "a policy's name is None; give a name"),
        ({"policies": [{**TRAINED, "train_on": ["near"]}]}, r"policy p: train_on is \['near'\]; give a name"),
        ({"policies": [{**TRAINED, "train_on": {}}]}, "policy p: train_on is {}; give a name"),
        (
            {"policies": [{**TRAINED, "train_on": {"near": "much"}}]},
            "weight of near, which policy p .* is 'much'; choose",
        ),
        (
            {"policies": [{**TRAINED, "train_on": {"near": 1, "far": -1}}]},
            "weight of far, which policy p .* is -1; choose",
        ),
        ({"policies": [{**TRAINED, "train_on": {"near": True}}]}, "weight of near, which policy p .* is True; choose"),
        ({"policies": [{**TRAINED, "with": {"difficulty": "huge"}}]}, "difficulty 'huge'"),
        ({"policies": [{**TRAINED, "augmented": "no"}]}, "policy p: augmented is 'no'; choose true or false"),
        ({"policies": [{**TRAINED, "grpo": ["steps"]}]}, r"policy p, grpo is \['steps'\]; it takes keys and values"),
        ({"policies": [{**TRAINED, "from": None}]}, "policy p: from is None; give a name"),
    ],
)
def test_a_mistake_in_a_study_is_found_before_anything_runs(tmp_path, changes, message):
    with pytest.raises(AgentGenError, match=message):
        check_settings(read_plan(changed(tmp_path, **changes)))


@pytest.mark.parametrize(
    ("policies", "message"),
    [
        ([TRAINED, {**TRAINED, "name": "q"}], "p-seed-0 and runs/q-seed-0 are both 'trained on Sokoban' with seed 0"),
        ([{**TRAINED, "role": "joint", "difficulty": "easy"}], "p-seed-0: the role joint takes no 'difficulty'"),
        ([{**TRAINED, "role": "initial"}], "the role initial takes no|are both 'initial' with seed 0"),
    ],
)
def test_runs_that_could_not_be_scored_are_refused_before_hours_are_spent(tmp_path, policies, message):
    plan = read_plan(changed(tmp_path, policies=policies))
    with pytest.raises(ScoreError, match=message):
        run_study(plan, tmp_path / "out", print)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"", "is not a study; it needs the keys study, base"),
        (b"- a\n- b\n", "is not a study"),
        (b"study: [", "is not YAML"),
        (b"study: 2026-13-45", "is not YAML: month must be in 1..12"),
        ("study: über".encode("latin-1"), "cannot read the study .*: 'utf-8' codec"),
        (b"[" * 5000, "is nested too deeply to be read"),
        (b"study: a\nseeds: [0]\nstudy: b\n", "study.yaml, line 3: the key 'study' is there twice; leave one out"),
        (b"study: a\ngrpo:\n  steps: 1\n  steps: 2\n", "study.yaml, line 4: the key 'steps' is there twice"),
        (b"base: [a]\n", r"base is \['a'\]; give a name"),
        (b"base: other.yaml\ngrpo: {steps: 1}\n", r"other.yaml: grpo is \[1\]; it takes keys and values"),
        (b"base: other.yaml\nprompt:\n", "study.yaml: prompt is None; it takes keys and values"),
    ],
)
def test_a_file_that_is_no_study_says_what_it_is(tmp_path, text, message):
    (tmp_path / "other.yaml").write_text("study: other\ngrpo: [1]\n")
    (tmp_path / "study.yaml").write_bytes(text)
    with pytest.raises(SpecError, match=message):
        read_plan(tmp_path / "study.yaml")


PLAIN = st.none() | st.booleans() | st.integers(-2, 3) | st.floats() | st.dates() | st.text(max_size=4) | st.binary()
KEYS_OF_STUDIES = st.sampled_from(["env", "near", "size", "steps", "model", "levels", "episodes", "split", 1, None])
YAML_VALUES = st.recursive(
    PLAIN, lambda inner: st.lists(inner, max_size=2) | st.dictionaries(KEYS_OF_STUDIES, inner, max_size=2), max_leaves=4
)
WHOLE = {
    **yaml.safe_load(TINY.read_text()),
    "tokens_per_s": 100.0,
    "policies": [
        {"name": "a", "role": "trained", "train_on": "near", "difficulty": "easy", "grpo": {"steps": 2}},
        {
            "name": "b",
            "role": "joint",
            "train_on": {"near": 1, "far": 2},
            "with": {"distractors": "paper-v1", "richness": "base"},
            "from": "a",
            "augmented": False,
        },
    ],
}


def places(data, above=()):
    """Yield the path of every value in nested keys and lists."""
    for key, value in data.items() if isinstance(data, dict) else enumerate(data):
        yield (*above, key)
        if isinstance(value, (dict, list)):
            yield from places(value, (*above, key))


def replaced(data, place, value):
    copy = deepcopy(data)
    target = copy
    for key in place[:-1]:
        target = target[key]
    target[place[-1]] = value
    return copy


@settings(deadline=None)
@given(st.sampled_from(sorted(places(WHOLE), key=str)), YAML_VALUES)
@example(("policies", 0, "train_on"), {"near": math.nan})
@example(("environments", "near", "knobs"), {"size": ["a"]})
@example(("environments", "near", "difficulty"), ["easy"])
@example(("policies", 1, "with"), {"split": ["train"]})
def test_whatever_stands_in_a_study_it_is_a_study_or_an_error_of_ours(tmp_path_factory, place, value):
    path = tmp_path_factory.getbasetemp() / "any-study.yaml"
    path.write_text(yaml.safe_dump(replaced(WHOLE, place, value)), encoding="utf-8")
    with suppress(AgentGenError):
        plan = read_plan(path)
        check_settings(plan)
        assert json.loads(json.dumps(plan.to_json())) == plan.to_json()


def test_a_study_on_a_base_changes_what_it_names_and_nothing_else():
    base, own = read_plan(STUDIES / "transfer.yaml"), read_plan(STUDIES / "transfer-no-thinking.yaml")
    assert (base.prompt.thinking, own.prompt.thinking) == (True, False)
    assert own.prompt == replace(base.prompt, thinking=False)
    assert own.evaluation == replace(base.evaluation, max_tokens=64)
    assert own.policies == base.policies
    assert own.grpo == {**base.grpo, "max_tokens": 64}


def test_a_study_cannot_be_its_own_base(tmp_path):
    (tmp_path / "a.yaml").write_text("study: a\nbase: b.yaml\n")
    (tmp_path / "b.yaml").write_text("study: b\nbase: a.yaml\n")
    with pytest.raises(SpecError, match=r"b\.yaml: the base .*a\.yaml rests on this file; a study cannot be its own"):
        read_plan(tmp_path / "a.yaml")


@pytest.mark.parametrize(
    ("text", "message"),
    [("study: 2026-02-30", "is not YAML: day is out of range"), ("study: " + "[" * 3000, "is nested too deeply")],
)
def test_a_file_that_cannot_be_read_as_yaml_is_refused_in_a_line(tmp_path, text, message):
    (tmp_path / "a.yaml").write_text(text)
    with pytest.raises(SpecError, match=message):
        read_plan(tmp_path / "a.yaml")


def test_a_study_of_a_protocol_plays_its_levels_as_it_says(tmp_path):
    plan = read_plan(changed(tmp_path, evaluation={"suite": "difficulty-v2", "max_tokens": 9}))
    assert (plan.evaluation.temperature, plan.evaluation.repeats, plan.evaluation.max_tokens) == (1.0, 1, 9)
    cells = [cell for cell in load_suite("difficulty-v2").cells if cell.spec.family == "Sokoban"]
    assert list(plan.played.cells) == cells
    assert (plan.played.suite_name, plan.played.suite_hash) == ("difficulty-v2", load_suite("difficulty-v2").hash)


def test_what_a_study_lacks_of_its_protocol_is_known_before_it_runs(tmp_path):
    plan = read_plan(changed(tmp_path, evaluation={"suite": "difficulty-v2"}))
    assert not_of_its_protocol(plan) == [
        "'trained on Sokoban easy' has 1 training seeds; difficulty-v2 asks for 3",
        "'trained on Sokoban medium' has 1 training seeds; difficulty-v2 asks for 3",
        "the role 'trained on Sokoban hard' is missing",
    ]
    for name in ("transfer-smoke", "lifecycle-smoke"):
        assert not_of_its_protocol(read_plan(STUDIES / f"{name}.yaml")) == []


def test_the_paper_evaluates_the_last_four_checkpoints():
    plan = read_plan(STUDIES / "transfer.yaml")
    assert counted_steps(grpo_config(plan, plan.policies[0], 0, "m", Path("o")), plan) == [105, 120, 135, 150]


def test_more_checkpoints_than_a_training_leaves_are_refused_before_it_starts(tmp_path):
    plan = read_plan(changed(tmp_path, evaluation={"episodes": 2, "checkpoints": 3}))
    with pytest.raises(
        SpecError, match="checkpoints=3, but a training of 4 steps with save_every=15 and keep=4 leaves 1"
    ):
        run_study(plan, tmp_path / "out", print)
    assert not (tmp_path / "out").exists()


def test_the_expected_amount_counts_every_part(tmp_path):
    plan = read_plan(changed(tmp_path, seeds=[0, 1]))
    rollouts = {part.label: part.estimate.rollouts for part in parts(plan)}
    assert rollouts["demonstrations of demonstrator"] == 400 * 2
    assert rollouts["evaluation of initial"] == 40 * 2
    assert rollouts["training of on-near (2 seeds)"] == 4 * 4 * 4 * 2
    assert rollouts["evaluation of on-near (2 seeds)"] == 40 * 2 * 2


def test_tokens_are_rollouts_times_steps_times_prompt_and_completion():
    one = study_module.Profile(steps=10.0, prompt_chars=400.0)
    assert estimate(3, [one, one], 20) == Estimate(3, 3 * 10 * (100 + 20))


def test_a_profile_reads_the_prompts_that_the_settings_show():
    (source,) = sources([("sokoban", 1)], {"richness": "lean"})
    short, long = (profile(source.spec, PromptConfig(turns)) for turns in (0, 2))
    assert long.prompt_chars > short.prompt_chars > 200
    assert long.steps == short.steps


def test_a_curriculum_is_a_study_of_stages_that_start_from_each_other():
    easy, hard = (source.spec for source in sources([("sokoban", 1)] * 2, {}))
    settings = config("m", "o", steps=7)
    settings = settings.__class__(
        **{**vars(settings), "sources": (Source(easy), Source(hard.with_(difficulty="hard")))}
    )
    plan = curriculum_plan(settings, (0,), episodes=5)
    assert [(policy.name, policy.start) for policy in plan.policies] == [
        ("stage-1-sokoban", "initial"),
        ("stage-2-sokoban", "stage-1-sokoban"),
    ]
    built = grpo_config(plan, plan.policies[1], 3, "m2", Path("o2"))
    assert (built.steps, built.seed, built.model, built.history_length) == (7, 3, "m2", 0)
    assert {spec.split for spec in plan.environments} == {"test"}


SMALL = {
    "initial": {"make": {"layers": 1, "hidden_size": 32, "vocab_size": 400, "context_tokens": 512}, "levels": 4,
                "sft": {"steps": 3, "batch": 4}},
    "evaluation": {"episodes": 2, "temperature": 1.0, "max_tokens": 4, "checkpoints": 2},
    "grpo": {"steps": 2, "save_every": 1, "levels_per_step": 1, "group_size": 2, "max_tokens": 4, "kl_coef": 0.0},
}  # fmt: skip


def test_a_study_runs_resumes_and_names_its_runs_with_their_roles(tmp_path):
    plan = read_plan(changed(tmp_path, **SMALL))
    said = []
    scores = run_study(plan, tmp_path / "out", said.append)
    study = read_study(scores.read_text())
    assert [(run.run, run.role, run.difficulty) for run in study.runs] == [
        ("runs/initial", "initial", None),
        ("runs/on-near-seed-0", "trained", "easy"),
        ("runs/on-far-seed-0", "trained", "medium"),
    ]
    assert study.runs[1].also == ("runs/on-near-seed-0-checkpoint-000001",)
    assert "training on-near-seed-0" in said
    matrix = json.loads((tmp_path / "out" / "matrix.json").read_text())
    assert [(row["policy"], row["run"]) for row in matrix["rows"]] == [
        (run.condition.label, run.run) for run in study.runs
    ]
    assert [len(row["success"]) for row in matrix["rows"]] == [len(matrix["environments"])] * 3 == [2, 2, 2]
    said.clear()
    run_study(plan, tmp_path / "out", said.append)
    assert said == []
    with pytest.raises(RunError, match="holds another study: evaluation differ"):
        run_study(read_plan(changed(tmp_path, **{**SMALL, "evaluation": {"episodes": 3}})), tmp_path / "out", print)


def test_a_study_may_train_by_cloning_and_in_pieces(tmp_path):
    cloning = {"levels": 3, "sft": {"steps": 2, "batch": 2, "save_every": 1, "keep": 2}}
    plan = read_plan(changed(tmp_path, **{**SMALL, "grpo": {}, "cloning": cloning}))
    out, said = tmp_path / "out", []
    with pytest.raises(SpecError, match="only: unknown policy 'on-moon'; choose one of: initial, on-near, on-far"):
        run_study(plan, out, said.append, only=["on-moon"])
    assert run_study(plan, out, said.append, only=["on-far-seed-0"]) is None
    assert {path.name for path in (out / "runs").iterdir()} == {"on-far-seed-0", "on-far-seed-0-checkpoint-000001"}
    record = read_training(out / "train" / "on-far-seed-0" / "checkpoint-000002")
    assert [source["spec"] for source in record.sources] == [spec.to_json() for spec in plan.policies[1].specs]
    assert (record.method, record.settings["seed"], len(record.level_ids)) == ("sft", 0, 3)
    assert record.parent == read_training(out / "initial" / "sft" / "checkpoint-000003").weights
    study = read_study(run_study(plan, out, said.append).read_text())
    assert [run.run for run in study.runs] == ["runs/initial", "runs/on-near-seed-0", "runs/on-far-seed-0"]
    assert [line for line in said if line.startswith("recording demonstrations")] == [
        f"recording demonstrations of demonstrator in {name}" for name in ("demonstrations", "on-far", "on-near")
    ]


def test_pieces_that_begin_together_make_the_initial_policy_once(tmp_path, monkeypatch):
    plan = read_plan(changed(tmp_path, **SMALL))
    made, said, is_waiting = [], [], threading.Event()

    def make(folder, *_, **__):
        made.append(folder)
        folder.mkdir(parents=True)
        (folder / "config.json").write_text("{}")

    def say(line):
        said.append(line)
        is_waiting.set()

    monkeypatch.setattr("agentgen_bench.train.study.init_model", make)
    monkeypatch.setattr("agentgen_bench.train.study._cloned", lambda *_: "cloned")
    (tmp_path / "initial").mkdir()
    with lock_folder(tmp_path / "initial"):  # the first piece, at work
        second = threading.Thread(target=initial_model, args=(plan, tmp_path, say))
        second.start()
        assert is_waiting.wait(30)
        assert said == [f"waiting for another process that writes to {tmp_path / 'initial'}"]
        make(tmp_path / "initial" / "made")
    second.join(30)
    assert made == [tmp_path / "initial" / "made"]


def test_a_curriculum_evaluates_all_environments_after_each_stage(tmp_path, capsys):
    envs, lean = ["--richness", "lean", "--set", "max_steps=3"], ["--no-thinking", "--action-hints", "none"]
    model = str(tmp_path / "model")
    shape = ["--layers", "1", "--hidden-size", "32", "--vocab-size", "400", "--context-tokens", "2048"]
    main(["init-model", model, "--envs", "sokoban,alfworld", "--richness", "lean", *shape, "--episodes", "2"])
    command = ["train", "grpo", "--model", model, "--curriculum", "sokoban,alfworld", *envs, *lean]
    command += [
        "--history-length",
        "0",
        "--max-tokens",
        "4",
        "--kl-coef",
        "0",
        "--steps",
        "1",
        "--levels-per-step",
        "1",
    ]
    command += ["--group-size", "2", "--episodes", "2", "--output", str(tmp_path / "run")]
    assert main(command) == 0
    printed = capsys.readouterr().out
    assert "Sokoban -> ALFWorld" in printed
    assert "forgetting" in printed
    matrix = json.loads((tmp_path / "run" / "matrix.json").read_text())
    assert matrix["environments"] == ["ALFWorld-lean easy test max_steps=3", "Sokoban-lean easy test max_steps=3"]
    assert [row["policy"] for row in matrix["rows"]] == ["initial", "stage 1 (Sokoban)", "stage 2 (ALFWorld)"]
    assert main(command) == 1
    assert "already holds a curriculum; add --resume" in capsys.readouterr().err


@pytest.mark.slow
def test_training_in_a_process_of_its_own_leaves_its_checkpoint_and_raises_its_errors(cloned_model, tmp_path):
    (source,) = sources([("sokoban", 1)], {"richness": "lean"}, [("max_steps", 2)])
    settings = config(cloned_model, tmp_path / "run", steps=1, levels_per_step=1, group_size=2, sources=(source,))
    in_own_process(partial(train, settings))
    assert (tmp_path / "run" / "checkpoint-000001" / "config.json").exists()
    with pytest.raises(RunError, match="already holds a training run; add --resume"):
        in_own_process(partial(train, settings))


def test_a_process_of_its_own_ends_with_the_one_that_is_killed(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(
        "import os, signal, time\n"
        "from agentgen_bench.train.apart import in_own_process\n"
        "def work():\n"
        "    os.kill(os.getppid(), signal.SIGKILL)\n"
        "    time.sleep(600)\n"
        "if __name__ == '__main__':\n"
        "    in_own_process(work)\n"
    )
    done = run_to_the_end(script)
    assert done.returncode == -signal.SIGKILL


def test_a_process_of_its_own_that_is_killed_is_told_in_a_line():
    with pytest.raises(RunError, match="a process of this run was ended from outside; was it out of memory"):
        in_own_process(partial(os._exit, 9))


def test_a_damaged_plan_is_named(tmp_path):
    (tmp_path / "study.json").write_text("{")
    with pytest.raises(RunError, match=r"cannot read .*study.json: Expecting property name"):
        run_study(read_plan(changed(tmp_path, **SMALL)), tmp_path, print)


def test_launched_processes_end_with_the_study_that_is_killed(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(
        "import os, signal, sys, time\n"
        "from agentgen_bench.train import apart, grpo\n"
        "def train(config, resume):\n"
        "    os.kill(config, signal.SIGKILL)\n"
        "    time.sleep(100)\n"
        "if len(sys.argv) > 1:\n"
        "    grpo.train = train\n"
        "    sys.exit(apart.main(sys.argv[-1]))\n"
        "apart.launch(os.getpid(), False, [sys.executable, __file__])\n"
    )
    done = run_to_the_end(script)
    assert done.returncode == -signal.SIGKILL


TWO_PROCESSES = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2"]


@pytest.mark.slow
def test_a_launched_training_leaves_its_checkpoint_and_says_when_it_failed(cloned_model, tmp_path, monkeypatch, capfd):
    monkeypatch.setenv("ACCELERATE_USE_CPU", "true")
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).resolve().parents[2]))
    (source,) = sources([("sokoban", 1)], {"richness": "lean"}, [("max_steps", 2)])
    settings = config(cloned_model, tmp_path / "run", steps=1, levels_per_step=2, group_size=2, sources=(source,))
    launch(settings, False, TWO_PROCESSES)
    assert (tmp_path / "run" / "checkpoint-000001" / "config.json").exists()
    with pytest.raises(RunError, match=r"torch.distributed.run --standalone .* ended with exit code 1"):
        launch(settings, False, TWO_PROCESSES)
    assert "already holds a training run; add --resume" in capfd.readouterr().err


def test_a_launcher_that_is_not_there_is_named(tmp_path):
    with pytest.raises(RunError, match="cannot run 'no-such-launcher': No such file"):
        launch(config("m", tmp_path / "run"), False, ["no-such-launcher"])


def test_a_study_is_not_started_by_a_launcher(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("WORLD_SIZE", "8")
    assert main(["study", str(TINY), "--output", str(tmp_path / "out")]) == 2
    assert "a study runs in one process and starts its trainings itself; give --launcher" in capsys.readouterr().err


@pytest.mark.slow
def test_the_tiny_variant_runs_on_the_command_line_and_ends_in_scores(tmp_path, capsys):
    assert main(["study", str(TINY), "--output", str(tmp_path / "out")]) == 0
    printed = capsys.readouterr()
    assert "trained on Sokoban easy -> Sokoban medium" in printed.out
    assert "training of on-near (1 seeds)" in printed.err
    assert (tmp_path / "out" / "scores.json").exists()


def test_fresh_levels_are_for_studies_of_a_protocol_that_were_run(tmp_path, capsys):
    assert main(["study", str(TINY), "--output", str(tmp_path), "--fresh", "drand 1"]) == 2
    assert "a study of no protocol has no levels to draw others for" in capsys.readouterr().err
    smoke = str(STUDIES / "transfer-smoke.yaml")
    assert main(["study", smoke, "--output", str(tmp_path), "--fresh", "drand 1"]) == 1
    assert "holds no study that was run to its end; run it first" in capsys.readouterr().err
    assert main(["study", smoke, "--output", str(tmp_path), "--fresh", "drand 1", "--dry-run"]) == 2
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_a_study_is_run_played_on_fresh_levels_submitted_and_verified(tmp_path, capsys):
    own = ["study", str(STUDIES / "transfer-smoke.yaml"), "--output", str(tmp_path / "study")]
    assert main(own) == 0
    capsys.readouterr()
    assert main([*own, "--fresh", "drand 1"]) == 0
    fresh = Path(capsys.readouterr().out.strip())
    assert {path.name for path in fresh.iterdir()} == {path.name for path in (tmp_path / "study" / "runs").iterdir()}
    claims = ["--org", "Lab", "--model", "smoke", "--leaderboards", str(tmp_path / "board"), "--workers", "1"]
    assert main(["submit", str(tmp_path / "study"), "--fresh", str(fresh), *claims]) == 0
    entry = capsys.readouterr().out.strip()
    assert main(["verify", entry, "--workers", "1"]) == 0
    assert "holds; 252 episodes" in capsys.readouterr().out


@pytest.mark.slow
def test_a_study_of_packs_is_run_scored_submitted_verified_and_on_the_board(tmp_path, capsys):
    assert main(["study", str(STUDIES / "lifecycle-smoke.yaml"), "--output", str(tmp_path / "study")]) == 0
    scored = capsys.readouterr().out
    for family in ("Sokoban", "ALFWorld"):
        for score in ("held_in_gain_change", "held_out_gain_change"):
            assert re.search(rf"trained on {family} +{score} +-?[0-9.]+ pp .* levels and seeds", scored)
    own = ["--leaderboards", str(tmp_path / "board")]
    claims = ["--org", "Lab", "--model", "smoke", "--workers", "1"]
    assert main(["submit", str(tmp_path / "study"), *claims, *own]) == 0
    assert main(["verify", capsys.readouterr().out.strip().splitlines()[0], "--workers", "1"]) == 0
    assert "holds; 60 episodes" in capsys.readouterr().out
    assert main(["leaderboard", *own]) == 0
    board = capsys.readouterr().out
    assert "### lifecycle-smoke: what training on packs gives to memory" in board
    header, _, *rows = [line.split(" | ") for line in board.splitlines() if line.startswith("|")]
    assert [row[header.index("trained on")] for row in rows] == ["Sokoban", "ALFWorld"]
    assert all("to" in row[header.index("held-in gain of memory")] for row in rows)
