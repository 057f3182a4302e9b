import json
import shutil
import threading

import pytest

from agentgen_bench.cli import build_parser, main
from agentgen_bench.cli.train import _record_demonstrations
from agentgen_bench.errors import RunError
from agentgen_bench.evaluation.locks import lock_folder

LEAN = ["--history-length", "0", "--action-hints", "none", "--no-thinking", "--max-tokens", "6"]
CLONING = ["train", "sft", "--model", "m", "--data", "d", "--output", "o"]
GRPO = ["train", "grpo", "--model", "m", "--output", "o"]


def test_from_nothing_to_a_trained_and_evaluated_model(tmp_path, capsys):
    envs = ["--envs", "sokoban", "--difficulty", "paper", "--richness", "lean"]
    model, data, sft, grpo = (str(tmp_path / name) for name in ("model", "data", "sft", "grpo"))
    shape = ["--layers", "1", "--hidden-size", "32", "--vocab-size", "400", "--episodes", "2"]
    assert main(["init-model", model, *envs, *shape]) == 0
    assert main(["collect", *envs, "--levels", "5", "--output", data, "--quiet", *LEAN]) == 0
    assert (
        main(["train", "sft", "--model", model, "--data", data, "--steps", "2", "--batch", "4", "--output", sft]) == 0
    )
    step = ["--steps", "1", "--levels-per-step", "1", "--group-size", "2", "--set", "max_steps=3"]
    start = f"{sft}/checkpoint-000002"
    assert main(["train", "grpo", "--model", start, *envs, *step, *LEAN, "--output", grpo]) == 0
    final = capsys.readouterr().out.splitlines()[-1]
    assert final == f"{grpo}/checkpoint-000001"
    env = ["--env", "AgentGen/Sokoban-lean-v0", "--episodes", "1", "--set", "max_steps=3"]
    assert main(["evaluate", "--model", final, *env, *LEAN, "--output", str(tmp_path / "run"), "--quiet"]) == 0
    settings = json.loads((tmp_path / "grpo" / "settings.json").read_text())
    assert settings["sources"][0]["spec"]["difficulty"] == "paper"


def test_options_stand_above_the_preset_and_the_preset_above_the_defaults(tmp_path, monkeypatch, tiny_model):
    from agentgen_bench.train import grpo

    seen = []
    monkeypatch.setattr(grpo, "train", lambda config, resume: seen.append(config) or tmp_path)
    command = [
        "train",
        "grpo",
        "--model",
        tiny_model,
        "--output",
        str(tmp_path),
        "--envs",
        "sokoban=2,AgentGen/Sokoban-rich-v0",
    ]
    main([*command, "--preset", "paper-2601.18217", "--steps", "7", "--distractors", "none", "--seeds", "0,4"])
    first, second = seen
    assert (first.steps, first.kl_coef, first.levels_per_step, first.workers) == (7, 0.01, 16, 32)
    assert [(source.spec.richness.label, source.weight) for source in first.sources] == [("base", 2.0), ("rich", 1.0)]
    assert (second.seed, second.output) == (4, str(tmp_path / "seed-4"))


def test_a_system_prompt_in_a_file_is_read_for_training_too(tmp_path, monkeypatch, capsys, tiny_model):
    from agentgen_bench.train import grpo

    seen = []
    monkeypatch.setattr(grpo, "train", lambda config, resume: seen.append(config) or tmp_path)
    (tmp_path / "role.txt").write_text("You are a patient player.")
    command = ["train", "grpo", "--model", tiny_model, "--output", str(tmp_path / "out"), "--envs", "sokoban"]
    main([*command, "--system-prompt", f"@{tmp_path / 'role.txt'}"])
    assert seen[0].prompt.system_prompt == "You are a patient player."
    assert main([*command, "--system-prompt", "@not-here"]) == 1
    assert "not-here" in capsys.readouterr().err


@pytest.mark.parametrize("seeds", ["0,x", "0,0", "1,-1"])
@pytest.mark.parametrize("what", ["--envs", "--curriculum"])
def test_seeds_that_are_wrong_are_refused_before_the_first_trains(
    tmp_path, monkeypatch, capsys, tiny_model, seeds, what
):
    from agentgen_bench.train import grpo

    monkeypatch.setattr(grpo, "train", None)
    command = ["train", "grpo", "--model", tiny_model, "--output", str(tmp_path / "run"), what, "sokoban"]
    assert main([*command, "--seeds", seeds]) == 2
    assert f"--seeds holds '{seeds}'; it takes different whole numbers, such as 0,1,2" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_trls_trainer_gets_the_same_settings_less_what_it_cannot_do(tmp_path, monkeypatch, capsys, tiny_model):
    from agentgen_bench.train import trl_async

    seen = []
    monkeypatch.setattr(trl_async, "train", lambda *both, resume: seen.extend(both) or tmp_path)
    options = ["--preset", "paper-2601.18217", "--server", "http://host:1", "--max-staleness", "2"]
    assert main(["train", "trl", "--model", tiny_model, "--output", "o", "--envs", "sokoban", *options]) == 0
    config, engine = seen
    assert (config.group_size, config.kl_coef, config.importance_cap, config.statistics) == (8, 0.0, None, "rows")
    assert (engine.server, engine.max_staleness, engine.play_processes) == ("http://host:1", 2, 4)
    trl_async.check_settings(config)
    assert "kl_coef is 0.0, not the preset's 0.01" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["train", "grpo", "--model", "m", "--output", "o"], "either --envs LIST or --curriculum LIST"),
        (["train", "trl", "--model", "m", "--output", "o"], "--envs LIST"),
        (["train", "sft", "--model", "m", "--output", "o"], "data is empty"),
        ([*CLONING, "--envs", "sokoban"], "--envs says what a demonstrator plays, and --data is used as it is"),
        ([*CLONING, "--levels", "5"], "--levels says what a demonstrator plays"),
        ([*CLONING, "--set", "size=7"], "--set says what a demonstrator plays"),
        ([*CLONING, "--richness", "rich"], "--richness says what a demonstrator plays"),
        ([*CLONING, "--history-length", "0"], "--history-length says what a demonstrator plays"),
        ([*CLONING, "--no-thinking"], "--thinking says what a demonstrator plays"),
        ([*GRPO, "--envs", "sokoban", "--episodes", "5"], "--episodes are those after each stage of a --curriculum"),
        ([*GRPO, "--envs", "sokoban", "--seed", "1", "--seeds", "0,1"], "--seed and --seeds exclude each other"),
        (["train", "grpo", "--model", "m", "--output", "o", "--envs", "chess"], "unknown environment 'chess'"),
        (["collect", "--output", "o"], "--envs is missing"),
        (["study", "nowhere.yaml"], "cannot read the study nowhere.yaml"),
    ],
)
def test_a_users_mistake_is_one_line(arguments, message, capsys):
    assert main(arguments) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


def test_stages_that_follow_each_other_have_no_weights(tiny_model, tmp_path, capsys):
    command = ["train", "grpo", "--model", tiny_model, "--output", str(tmp_path / "run")]
    assert main([*command, "--curriculum", "sokoban=3,alfworld"]) == 2
    assert "--curriculum trains on one environment after the other; leave out the weights" in capsys.readouterr().err


def test_help_shows_each_setting_with_its_docstring(capsys):
    with pytest.raises(SystemExit):
        main(["train", "grpo", "--help"])
    text = " ".join(capsys.readouterr().out.split())
    assert "Weight of the KL penalty to the initial policy; 0 keeps no copy of it in memory (default: 0.01)" in text


def test_cloning_takes_a_demonstrator_by_name_and_records_it_once(tiny_model, tmp_path, capsys):
    run = tmp_path / "sft"
    who = ["--demonstrator", "sokoban-planner", "--envs", "sokoban", "--richness", "lean", "--levels", "4"]
    command = ["train", "sft", "--model", tiny_model, *who, "--protocol", "chat", "--batch", "2", "--output", str(run)]
    assert main([*command, "--steps", "1", "--max-sample-tokens", "100000"]) == 0
    assert "4 rows of 4 of 4 episodes" in capsys.readouterr().err
    recorded = (tmp_path / "sft-demonstrations" / "episodes.jsonl").read_bytes()
    assert main([*command, "--steps", "1", "--max-sample-tokens", "100000", "--resume"]) == 0
    assert (tmp_path / "sft-demonstrations" / "episodes.jsonl").read_bytes() == recorded
    other = ["--model", tiny_model, "--output", f"{tmp_path}/with-a-slash/"]
    assert main([*command, *other, "--steps", "1", "--max-sample-tokens", "100000"]) == 0
    assert (tmp_path / "with-a-slash-demonstrations" / "samples.jsonl").exists()
    assert main(["train", "sft", "--model", "m", "--demonstrator", "demonstrator", "--output", "o"]) == 2
    assert "--demonstrator needs --envs" in capsys.readouterr().err


def test_cloning_that_is_interrupted_says_how_it_goes_on(tiny_model, tmp_path, capsys, monkeypatch):
    from agentgen_bench.train import sft

    def interrupted(*args, **settings):
        raise KeyboardInterrupt

    who = ["--demonstrator", "sokoban-planner", "--envs", "sokoban", "--richness", "lean", "--levels", "4"]
    size = ["--batch", "2", "--steps", "1", "--max-sample-tokens", "100000"]
    command = ["train", "sft", "--model", tiny_model, *who, *size, "--output", str(tmp_path / "sft")]
    with monkeypatch.context() as patch:
        patch.setattr("agentgen_bench.cli.train.collect", interrupted)
        assert main(command) == 130
    so_far = (
        f"\nthe demonstrations so far are in {tmp_path}/sft-demonstrations; the same command goes on\ninterrupted\n"
    )
    assert capsys.readouterr().err.endswith(so_far)
    with monkeypatch.context() as patch:
        patch.setattr(sft, "_step", interrupted)
        assert main(command) == 130
    checkpoints = f"\ncheckpoints are in {tmp_path}/sft; the same command with --resume goes on\ninterrupted\n"
    assert capsys.readouterr().err.endswith(checkpoints)
    assert main([*command, "--resume"]) == 0


def test_processes_that_begin_together_record_the_demonstrations_once(tmp_path, monkeypatch, capsys):
    said, is_waiting = [], threading.Event()

    def say(line):
        said.append(line)
        is_waiting.set()

    def arguments(folder, levels="2"):
        who = ["--demonstrator", "sokoban-planner", "--envs", "sokoban", "--protocol", "chat", "--levels", levels]
        return build_parser("train").parse_args(["train", "sft", "--model", "m", *who, "--output", str(folder / "run")])

    monkeypatch.setattr("agentgen_bench.cli.train._say_once", say)
    _record_demonstrations(arguments(tmp_path))
    folder, second_folder = tmp_path / "run-demonstrations", tmp_path / "second" / "run-demonstrations"
    second_folder.mkdir(parents=True)
    with lock_folder(second_folder):  # the first process, at work
        second = threading.Thread(target=_record_demonstrations, args=[arguments(tmp_path / "second")])
        second.start()
        assert is_waiting.wait(30)
        shutil.copytree(folder, second_folder, dirs_exist_ok=True)
    second.join(30)
    assert said == [f"waiting for another process that writes to {second_folder}"]
    assert capsys.readouterr().err.count("2 rows of 2 of 2 episodes") == 1
    with pytest.raises(RunError, match="run-demonstrations holds other demonstrations: plan differ; remove it, or"):
        _record_demonstrations(arguments(tmp_path, levels="3"))
