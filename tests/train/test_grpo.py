import errno
import json
import math
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from agentgen_bench.errors import RunError, SpecError
from agentgen_bench.evaluation.training import read_training
from agentgen_bench.policies.opening import open_checkpoint
from agentgen_bench.policies.sampling import Sampling
from agentgen_bench.policies.scripted import NoopPolicy, RandomPolicy
from agentgen_bench.policies.transformers import TransformersPolicy
from agentgen_bench.policies.weights import weights_hash
from agentgen_bench.rollout import Job, play
from agentgen_bench.spec import LifecycleSpec, TaskSpec
from agentgen_bench.train import grpo, optimizing
from agentgen_bench.train.checkpoints import STATE_FILE, checkpoint_path
from agentgen_bench.train.grpo import Config, make_sampler, play_groups, train, training_rows
from agentgen_bench.train.logs import read_log
from agentgen_bench.train.optimizing import accelerator_for
from agentgen_bench.train.settings import Source, training_jobs
from agentgen_bench.train.tokens import Span
from tests.counting import CountingEnv
from tests.train.tiny import PROMPT, PROMPT_FIELDS, SOURCES, in_two_processes, make_env


def config(model, output, **changes):
    own = {"steps": 3, "levels_per_step": 3, "group_size": 4, "max_tokens": 8, "mini_batch": 20, "save_every": 1}
    own |= {"model": str(model), "output": str(output), "sources": SOURCES, "learning_rate": 1e-3}
    return Config(**{**PROMPT_FIELDS, **own, **changes})


def weights(checkpoint):
    return load_file(checkpoint / "model.safetensors")


def same_parameters(a, b):
    first, second = weights(a), weights(b)
    assert first.keys() == second.keys()
    return all(torch.equal(first[name], second[name]) for name in first)


def test_reward_rises_on_a_task_whose_warm_start_solves_some_levels(cloned_model, tmp_path):
    changes = {"steps": 10, "levels_per_step": 5, "learning_rate": 3e-3, "save_every": 10}
    train(config(cloned_model, tmp_path / "run", **changes), make_env=make_env)
    rewards = [line["reward/mean"] for line in read_log(tmp_path / "run")]
    assert sum(rewards[-3:]) / 3 > sum(rewards[:3]) / 3 + 0.5


class Interrupts:
    """Makes environments until the given one, where the user presses Ctrl-C."""

    def __init__(self, at):
        self.left = at

    def __call__(self, spec):
        self.left -= 1
        if self.left == 0:
            raise KeyboardInterrupt
        return make_env(spec)


def test_an_interrupted_run_goes_on_to_the_same_parameters(cloned_model, tmp_path):
    settings = config(cloned_model, tmp_path / "whole")
    whole = train(settings, make_env=make_env)
    cut = replace(settings, output=str(tmp_path / "cut"))
    with pytest.raises(KeyboardInterrupt):
        train(cut, make_env=Interrupts(at=12 * 2 + 5))
    assert same_parameters(whole, train(cut, resume=True, make_env=make_env))
    assert [line["step"] for line in read_log(tmp_path / "cut")] == [1, 2, 3]
    states = [torch.load(tmp_path / name / "checkpoint-000003" / STATE_FILE) for name in ("whole", "cut")]
    moments = [state["optimizer"]["state"][0]["exp_avg_sq"] for state in states]
    assert torch.equal(*moments)


KILLED_RUN = """
import sys
from dataclasses import replace
from tests.train.test_grpo import config, make_env, train
train(config(sys.argv[1], sys.argv[2], steps=50), make_env=make_env, resume=True)
"""


@pytest.mark.slow
def test_kill_9_at_any_moment_and_resume_give_the_parameters_of_an_uninterrupted_run(cloned_model, tmp_path):
    root = Path(__file__).resolve().parents[2]
    run = tmp_path / "killed"
    for wait_s in (0.0, 0.3, 0.7):
        process = subprocess.Popen([sys.executable, "-c", KILLED_RUN, cloned_model, str(run)], cwd=root)
        lines = len(read_log(run)) if run.exists() else 0
        while process.poll() is None and (not run.exists() or len(read_log(run)) <= lines):
            time.sleep(0.02)
        time.sleep(wait_s)
        process.send_signal(signal.SIGKILL)
        process.wait()
    steps = len(read_log(run)) + 1
    whole = train(config(cloned_model, tmp_path / "whole", steps=steps), make_env=make_env)
    assert same_parameters(whole, train(config(cloned_model, run, steps=steps), make_env=make_env, resume=True))


def test_another_seed_gives_other_parameters(cloned_model, tmp_path):
    runs = [train(config(cloned_model, tmp_path / str(s), steps=1, seed=s), make_env=make_env) for s in (0, 1)]
    assert not same_parameters(*runs)


def test_the_size_of_micro_batches_leaves_the_parameters_alone(cloned_model, tmp_path):
    runs = [
        train(config(cloned_model, tmp_path / str(tokens), steps=1, micro_batch_tokens=tokens), make_env=make_env)
        for tokens in (300, 100_000)
    ]
    for name, tensor in weights(runs[0]).items():
        torch.testing.assert_close(tensor, weights(runs[1])[name], rtol=0, atol=2e-5)


def test_equal_samples_that_share_a_pass_give_the_parameters_of_passes_of_their_own(
    cloned_model, tmp_path, monkeypatch
):
    shared = train(config(cloned_model, tmp_path / "shared", steps=1), make_env=make_env)
    monkeypatch.setattr(grpo, "distinct", lambda samples: (list(range(len(samples))), list(range(len(samples)))))
    own = train(config(cloned_model, tmp_path / "own", steps=1), make_env=make_env)
    for name, tensor in weights(shared).items():
        torch.testing.assert_close(tensor, weights(own)[name], rtol=0, atol=2e-5)


@pytest.mark.parametrize("kernel", ["eager", "blocks"])
def test_other_kernels_of_attention_train_as_the_fused_one_does(kernel, cloned_model, tmp_path):
    runs = [
        train(config(cloned_model, tmp_path / name, steps=1, attention=name), make_env=make_env)
        for name in ("sdpa", kernel)
    ]
    for name, tensor in weights(runs[0]).items():
        torch.testing.assert_close(tensor, weights(runs[1])[name], rtol=0, atol=2e-5)


def test_samples_without_advantage_are_not_read_where_there_is_no_penalty(cloned_model, tmp_path):
    settings = config(cloned_model, tmp_path / "run", kl_coef=0.0)
    rows = [grpo.Row((5, 6, 7, 2), (Span(2, 4),), (-1.0, -1.0), (advantage,)) for advantage in (0.0, 1.0)]
    model, accelerator = make_sampler(settings, cloned_model).model, accelerator_for(False)
    assert [len(values) for values in grpo.logprobs_of(model, rows, settings, accelerator)] == [0, 2]
    assert [len(v) for v in grpo.logprobs_of(model, rows, replace(settings, kl_coef=0.1), accelerator)] == [2, 2]


def test_a_checkpoint_is_a_model_folder_that_plays_as_the_trainer_did(cloned_model, tmp_path):
    checkpoint = train(config(cloned_model, tmp_path / "run", steps=1), make_env=make_env)
    policy = TransformersPolicy(checkpoint, PROMPT, Sampling(max_tokens=8))
    ids = policy.chat.encode("1 of 4")
    assert len(policy.generate([ids], [0])[0].ids) > 0


def test_lora_trains_adapters_and_its_checkpoint_holds_merged_weights(cloned_model, tmp_path):
    pytest.importorskip("peft")
    settings = config(cloned_model, tmp_path / "run", steps=2, lora_rank=4, learning_rate=1e-2)
    whole = train(settings, make_env=make_env)
    initial, trained = weights(Path(cloned_model)), weights(whole)
    assert initial.keys() == trained.keys()
    changed = [name for name in initial if not torch.equal(initial[name], trained[name])]
    assert changed
    assert all("proj" in name for name in changed)


def test_the_adapter_of_a_checkpoint_is_the_same_model(cloned_model, tmp_path, monkeypatch):
    pytest.importorskip("peft")
    monkeypatch.setenv("AGENTGEN_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    base = os.path.relpath(cloned_model)
    whole = train(config(base, tmp_path / "run", steps=1, lora_rank=4, learning_rate=1e-2), make_env=make_env)
    monkeypatch.chdir("/")
    merged = open_checkpoint(whole / "adapter").path
    assert weights_hash(merged) == weights_hash(whole)
    assert read_training(merged) == read_training(whole)


def test_lora_resumes_to_the_same_parameters(cloned_model, tmp_path):
    pytest.importorskip("peft")
    settings = config(cloned_model, tmp_path / "whole", steps=2, lora_rank=4, learning_rate=1e-2)
    whole = train(settings, make_env=make_env)
    cut = replace(settings, output=str(tmp_path / "cut"))
    with pytest.raises(KeyboardInterrupt):
        train(cut, make_env=Interrupts(at=12 + 5))
    assert same_parameters(whole, train(cut, resume=True, make_env=make_env))


@pytest.mark.parametrize(
    "changes",
    [
        {"kl_coef": 0.0, "importance_cap": None, "epochs": 2},
        {"loss_mean": "samples", "clip_high": 0.28, "divide_by_std": False, "step_credit_weight": 1.0},
        {"gradient_checkpointing": True, "bf16": True, "statistics": "rows", "schedule": "cosine"},
    ],
    ids=lambda changes: ",".join(changes),
)
def test_every_option_trains(cloned_model, tmp_path, changes):
    train(config(cloned_model, tmp_path / "run", steps=1, **changes), make_env=make_env)
    (line,) = read_log(tmp_path / "run")
    assert line["updates"] >= 1
    assert all(math.isfinite(value) for value in line.values())


@pytest.mark.parametrize("update", ["note", "episode"])
def test_packs_of_tasks_train_with_credit_for_their_notes(cloned_model, tmp_path, update):
    lifecycle = LifecycleSpec(2, "kept", update=update, trajectory_chars=400)
    pack = TaskSpec("Sokoban", "lean", interface="opaque", lifecycle=lifecycle, knobs=(("max_steps", 2),))
    is_paper = {"clip": "one_side", "reweight_negative": True, "importance_cap": None} if update == "episode" else {}
    settings = config(
        cloned_model, tmp_path / "run", steps=1, sources=(Source(pack),), credit="cod", reward="return", **is_paper
    )
    groups = training_jobs(settings.sources, 0, 1, 1, 2)
    ((first, second), _) = play_groups(groups, make_sampler(settings, cloned_model), 8)
    assert first.episode.level_id == second.episode.level_id
    assert len(first.samples) == 2 + 1 + 2  # two tasks of two steps and a note
    assert len(grpo.advantages([first, second], settings)) == 10
    train(settings)
    (line,) = read_log(tmp_path / "run")
    assert line["episode/steps"] == 5
    assert 0 <= line["pack/position_2"] <= 1
    assert ("pack/unread_contexts" in line) == ("weights/temperature" in line) == (update == "episode")


@pytest.mark.parametrize("bf16", [False, True])
@pytest.mark.parametrize("packing", [False, True])
def test_there_is_no_penalty_before_the_first_update(cloned_model, tmp_path, bf16, packing):
    changes = {"steps": 1, "mini_batch": 1000, "kl_coef": 0.1, "bf16": bf16, "packing": packing}
    train(config(cloned_model, tmp_path / "run", **changes), make_env=make_env)
    assert read_log(tmp_path / "run")[0]["kl"] == 0.0


def test_bf16_is_not_used_on_a_cpu_that_has_no_instructions_for_it(cloned_model, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(optimizing, "has_bf16", lambda device: False)
    runs = [
        train(config(cloned_model, tmp_path / str(bf16), steps=1, bf16=bf16), make_env=make_env)
        for bf16 in (True, False)
    ]
    assert same_parameters(*runs)
    assert "bf16 is off: this CPU has no bfloat16 instructions" in capsys.readouterr().err


def test_packed_rows_train_as_padded_ones_do(cloned_model, tmp_path):
    runs = [
        train(config(cloned_model, tmp_path / str(packing), steps=1, packing=packing), make_env=make_env)
        for packing in (True, False)
    ]
    for name, tensor in weights(runs[0]).items():
        torch.testing.assert_close(tensor, weights(runs[1])[name], rtol=0, atol=2e-5)


def test_a_checkpoint_says_nothing_of_how_it_was_trained(cloned_model, tmp_path):
    path = train(config(cloned_model, tmp_path / "run", steps=1), make_env=make_env)
    assert "agentgen" not in (path / "config.json").read_text()


def test_sampler_and_trainer_agree_on_the_log_probabilities(cloned_model, tmp_path):
    train(config(cloned_model, tmp_path / "run", steps=1, epochs=1), make_env=make_env)
    assert read_log(tmp_path / "run")[0]["logprob_gap"] < 1e-5


def test_crashed_episodes_are_left_out_and_counted(cloned_model, tmp_path):
    settings = config(cloned_model, tmp_path / "run")
    groups = training_jobs(SOURCES, 0, 1, 3, 4)
    broken = groups[0][0].seed
    sampler = make_sampler(settings, cloned_model)
    rollouts, crashed = play_groups(groups, sampler, 8, lambda spec: CountingEnv(crash_seed=broken, max_steps=5))
    assert (len(rollouts), len(crashed)) == (8, 4)
    assert {rollout.group for rollout in rollouts} == {1, 2}
    assert len(training_rows(rollouts, settings)) == sum(len(rollout.episode.steps) for rollout in rollouts)


def test_every_row_holds_what_the_sampler_saw_and_said(cloned_model, tmp_path):
    settings = config(cloned_model, tmp_path / "run")
    sampler = make_sampler(settings, cloned_model)
    rollouts, _ = play_groups(training_jobs(SOURCES, 0, 1, 2, 2), sampler, 8, make_env, with_anchors=True)
    for rollout in rollouts:
        for observation, sample, step in zip(rollout.anchors, rollout.samples, rollout.episode.steps, strict=True):
            assert observation in sampler.chat.decode(sample.prompt_ids)
            assert sampler.chat.decode(sample.completion_ids) == step.completion


def test_a_step_draws_levels_by_weight_and_repeats_each(tmp_path):
    rare, often = SOURCES[0], SOURCES[0]._replace(spec=SOURCES[0].spec.with_(difficulty="hard"), weight=9.0)
    groups = training_jobs((rare, often), 0, 1, 200, 3)
    share = sum(group[0].spec == often.spec for group in groups) / 200
    assert 0.83 < share < 0.97
    assert {tuple(job.repeat for job in group) for group in groups} == {(0, 1, 2)}
    assert len({(group[0].spec, group[0].seed) for group in groups}) == 200


def test_each_rollout_of_a_level_has_a_draw_of_its_own_of_the_distractors():
    spec = TaskSpec("Sokoban", "lean", distractors="paper-v2", knobs=(("max_steps", 1),))
    groups = training_jobs((Source(spec),), 0, 1, 20, 8)
    added, mixed = [], 0
    for group in groups:
        texts = [distractor_text(episode) for episode in sorted(play(group, NoopPolicy()), key=lambda e: e.repeat)]
        mixed += len({bool(text) for text in texts}) == 2
        added += [text for text in texts if text]
        assert len({text for text in texts if text}) == len([text for text in texts if text])
    assert mixed >= 18  # of 20; all eight alike has probability 2 / 2**8
    assert 60 <= len(added) <= 100  # of 160, at probability one half


def test_evaluation_stays_paired_by_level():
    spec = TaskSpec("Sokoban", "lean", distractors="paper-v1", knobs=(("max_steps", 1),))
    first, second = play([Job(spec, 3, repeat) for repeat in (0, 1)], NoopPolicy())
    assert distractor_text(first) == distractor_text(second) != ""


def distractor_text(episode):
    return "".join(section.text for section in episode.first_sections if section.source == "distractor")


def test_the_states_that_step_credit_compares_are_the_same_with_distractors_as_without():
    def anchors(distractors):
        spec = TaskSpec("Sokoban", "lean", distractors=distractors, knobs=(("max_steps", 6),))
        jobs = training_jobs((Source(spec),), 0, 1, 3, 4)
        return [grpo.anchors_of(e) for group in jobs for e in sorted(play(group, RandomPolicy()), key=lambda e: e.key)]

    assert anchors("paper-v1") == anchors("none")


def test_nan_stops_before_the_update_and_saves_the_batch(cloned_model, tmp_path):
    settings = config(cloned_model, tmp_path / "run", success_reward=1e39, divide_by_std=False, reward="score")
    with pytest.raises(RunError, match=r"step 1: loss .* saved the batch to .*bad-batch-000001.pt"):
        train(settings, make_env=make_env)
    assert torch.load(tmp_path / "run" / "bad-batch-000001.pt")["rows"]


def test_out_of_memory_in_the_update_says_what_to_lower(cloned_model, tmp_path, monkeypatch):
    def update(*_):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB")

    monkeypatch.setattr(grpo, "update", update)
    with pytest.raises(RunError, match=r"out of memory: lower micro_batch_tokens \(now 2048\), turn gradient_check"):
        train(config(cloned_model, tmp_path / "run"), make_env=make_env)


def test_a_full_disk_in_a_run_leaves_a_checkpoint_that_it_goes_on_from(cloned_model, tmp_path, monkeypatch):
    settings = config(cloned_model, tmp_path / "run", steps=2, keep=1)
    save_state = grpo.save_state

    def full(folder, state):
        if state["step"] == 2:
            raise OSError(errno.ENOSPC, "No space left on device")
        save_state(folder, state)

    monkeypatch.setattr(grpo, "save_state", full)
    with pytest.raises(RunError, match=r"checkpoint of step 2: .*No space left.*checkpoint-000001, is safe"):
        train(settings, make_env=make_env)
    monkeypatch.undo()
    whole = train(replace(settings, output=str(tmp_path / "whole")), make_env=make_env)
    assert same_parameters(whole, train(settings, resume=True, make_env=make_env))


def test_a_run_is_not_overwritten_nor_resumed_with_other_settings(cloned_model, tmp_path):
    settings = config(cloned_model, tmp_path / "run", steps=1)
    train(settings, make_env=make_env)
    with pytest.raises(RunError, match="already holds a training run; add --resume"):
        train(settings, make_env=make_env)
    with pytest.raises(RunError, match=r"other settings:\n  kl_coef: 0.01 in the folder, 0.5 now"):
        train(replace(settings, kl_coef=0.5), resume=True, make_env=make_env)


def test_a_finished_run_can_be_prolonged(cloned_model, tmp_path):
    settings = config(cloned_model, tmp_path / "run", steps=1, keep=1)
    train(settings, make_env=make_env)
    longer = train(replace(settings, steps=2), resume=True, make_env=make_env)
    assert longer == checkpoint_path(tmp_path / "run", 2)
    assert not checkpoint_path(tmp_path / "run", 1).exists()


def test_a_run_asked_for_fewer_steps_than_it_has_made_says_so_and_stays_as_it_is(cloned_model, tmp_path):
    settings = config(cloned_model, tmp_path / "run", steps=2, keep=1)
    final = train(settings, make_env=make_env)
    before = (tmp_path / "run" / "settings.json").read_bytes()
    with pytest.raises(
        RunError, match=r"already made 2 steps, and steps=1 asks for fewer in all; give 2 or more, or take"
    ):
        train(replace(settings, steps=1), resume=True, make_env=make_env)
    assert (tmp_path / "run" / "settings.json").read_bytes() == before
    assert train(settings, resume=True, make_env=make_env) == final == checkpoint_path(tmp_path / "run", 2)
    assert final.is_dir()


def test_a_run_goes_on_where_its_folder_was_moved_to(cloned_model, tmp_path):
    settings = config(cloned_model, tmp_path / "run", steps=1)
    train(settings, make_env=make_env)
    (tmp_path / "run").rename(tmp_path / "moved")
    moved = replace(settings, output=str(tmp_path / "moved"), steps=2)
    assert train(moved, resume=True, make_env=make_env) == checkpoint_path(tmp_path / "moved", 2)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"group_size": 1}, "group_size=1 is out of range; choose 2 or more"),
        ({"temperature": 0.0}, "temperature=0.0 is out of range; choose a number above 0"),
        ({"clip_low": 1.5}, r"clip_low=1.5 is out of range; choose a number in \(0, 1\]"),
        ({"vllm_memory": 1.5}, r"vllm_memory=1.5 is out of range; choose a number in \(0, 1\]"),
        ({"max_gradient_norm": 0.0}, "max_gradient_norm=0.0 .* a finite number above 0; 1e9 leaves gradients alone"),
    ],
)
def test_settings_out_of_range_are_refused(changes, message):
    with pytest.raises(SpecError, match=message):
        config("m", "o", **changes)


@pytest.mark.parametrize("value", [0.0, -1.0, math.nan, math.inf])
@pytest.mark.parametrize(
    "name", ["learning_rate", "max_gradient_norm", "importance_cap", "success_reward", "clip_high", "temperature"]
)
def test_a_setting_that_would_stop_learning_or_turn_it_round_is_refused(name, value):
    with pytest.raises(SpecError, match=f"{name}={value!r} is out of range; choose a (finite )?number above 0"):
        config("m", "o", **{name: value})


def test_adapters_of_scale_0_which_would_learn_nothing_are_refused():
    with pytest.raises(SpecError, match="lora_alpha=0 is out of range; choose 1 or more"):
        config("m", "o", lora_alpha=0)


def test_the_importance_weight_may_be_left_out():
    assert config("m", "o", importance_cap=None).importance_cap is None


def test_the_log_is_json_lines_with_the_standard_names(cloned_model, tmp_path):
    train(config(cloned_model, tmp_path / "run", steps=1), make_env=make_env)
    line = json.loads((tmp_path / "run" / "log.jsonl").read_text())
    assert {"reward/mean", "success/mean", "kl", "clip_frac", "tokens/prompt", "tokens/per_s"} <= line.keys()


def separate_sampler(settings, takes_weights, monkeypatch):
    """Put a sampler with weights of its own in the place of vLLM."""
    sampling = Sampling(1.0, max_tokens=8, seed=settings.seed)
    sampler = TransformersPolicy(settings.model, settings.prompt, sampling, with_logprobs=True)
    if not takes_weights:
        monkeypatch.setattr(sampler, "load_weights", lambda tensors: None)
    monkeypatch.setattr(grpo, "make_sampler", lambda *_: sampler)


@pytest.mark.parametrize("lora_rank", [0, 2])
def test_a_separate_sampler_gets_the_weights_after_each_step(cloned_model, tmp_path, monkeypatch, lora_rank):
    settings = config(cloned_model, tmp_path / "run", steps=2, sampler="vllm", learning_rate=1e-2, lora_rank=lora_rank)
    separate_sampler(settings, True, monkeypatch)
    train(settings, make_env=make_env)
    for line in read_log(tmp_path / "run"):
        assert line["sync/probe_gap"] < 1e-4
        assert line["logprob_gap"] < 1e-4


def test_a_sampler_that_keeps_its_old_weights_stops_the_run(cloned_model, tmp_path, monkeypatch):
    settings = config(cloned_model, tmp_path / "run", sampler="vllm", learning_rate=1e-2)
    separate_sampler(settings, False, monkeypatch)
    with pytest.raises(RunError, match=r"sampler and trainer differ by .* did not take the new weights"):
        train(settings, make_env=make_env)


TWO_PROCESSES = """
from tests.train.test_grpo import config, make_env, train
train(config(sys.argv[1], sys.argv[2], steps=1, levels_per_step=4, mini_batch=1000), make_env=make_env)
"""


@pytest.mark.slow
def test_two_processes_make_the_step_that_one_makes(cloned_model, tmp_path):
    """The groups are shared out; gradients are summed over all samples, so nothing depends on who played what."""
    in_two_processes(TWO_PROCESSES, cloned_model, tmp_path / "two")
    one = train(config(cloned_model, tmp_path / "one", steps=1, levels_per_step=4, mini_batch=1000), make_env=make_env)
    alone, shared = weights(one), weights(tmp_path / "two" / one.name)
    for name, tensor in alone.items():
        torch.testing.assert_close(tensor, shared[name], rtol=0, atol=2e-5)
    (first,), (second,) = read_log(tmp_path / "one"), read_log(tmp_path / "two")
    assert first["reward/mean"] == second["reward/mean"]
    assert first["gradient_norm"] == pytest.approx(second["gradient_norm"], rel=1e-5)
