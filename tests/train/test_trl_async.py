"""Contract with the pinned TRL: its asynchronous trainer, really run on a CPU, over our rollouts and advantages.

TRL's attention kernel needs a Hopper GPU, and its weight transfer two of them; both have stand-ins here. Everything
else is TRL's own: queue, batching, packing, loss, optimizer, checkpoints.
"""

import random
import shutil
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from agentgen_bench.errors import MissingDependencyError, RunError
from agentgen_bench.evaluation.training import read_training
from agentgen_bench.make import make
from agentgen_bench.policies.sampling import Sampling
from agentgen_bench.policies.transformers import TransformersPolicy
from agentgen_bench.policies.weights import weights_hash
from agentgen_bench.spec import LifecycleSpec, TaskSpec
from agentgen_bench.train import trl_async
from agentgen_bench.train.grpo import Learner, Row, make_sampler, update
from agentgen_bench.train.logs import read_log
from agentgen_bench.train.models import load_model
from agentgen_bench.train.optimizing import accelerator_for
from agentgen_bench.train.players import Engine, RolloutWorker, _Rows
from agentgen_bench.train.settings import Source
from agentgen_bench.train.streaming import endless_groups, played_groups
from agentgen_bench.train.tokens import joined
from agentgen_bench.train.trl_async import one_sided, train, trl_settings
from tests.train.test_streaming import asynchronous
from tests.train.tiny import PROMPT, in_two_processes, make_env
from tests.train.trl_stand_ins import FileTransfer, broken_policy, file_policy, stand_in_for_gpus

pytestmark = [
    pytest.mark.trl,
    pytest.mark.skipif(find_spec("trl") is None, reason="needs the extra trl"),
]


@pytest.fixture(scope="module", autouse=True)
def gpu_stand_ins():
    with pytest.MonkeyPatch.context() as patch:
        stand_in_for_gpus(patch)
        yield


ENGINE = Engine(play_processes=1, queue_rows=16, max_staleness=1)


def run(settings, folder, **options):
    """Train; the players' server is a file of weights beside the run."""
    path = f"{folder}/weights.safetensors"
    options = {"make_policy": file_policy, **options}
    options = {"make_env": make_env, **options}
    return train(settings, replace(ENGINE, server=path), weight_transfer=FileTransfer(path), **options)


def settings_of(model, folder, steps):
    return asynchronous(
        model, folder / "run", steps=steps, mini_batch=24, micro_batch_tokens=10**6, learning_rate=3e-3, save_every=25,
        workers=8, levels_per_step=5, reward="score", success_reward=1.0,
    )  # fmt: skip


@pytest.fixture(scope="module")
def finished(cloned_model, tmp_path_factory):
    """The folder of a run of 50 optimizer steps, and its last checkpoint."""
    folder = tmp_path_factory.mktemp("trl")
    return folder, run(settings_of(cloned_model, folder, 50), folder)


def test_reward_rises(finished):
    lines = read_log(finished[0] / "run")
    assert [line["step"] for line in lines] == list(range(1, 51))
    rewards = [line["reward/mean"] for line in lines if "reward/mean" in line]
    assert sum(rewards[-15:]) / 15 > sum(rewards[:15]) / 15 + 0.06  # seen: .17, .19; its standard error is .03


def test_trainer_and_players_agree_on_tokens_and_their_log_probabilities(finished):
    assert read_log(finished[0] / "run")[0]["kl"] < 1e-6


def test_no_row_is_older_than_allowed(finished):
    assert max(line["sample/staleness_max"] for line in read_log(finished[0] / "run")) == ENGINE.max_staleness


def test_a_checkpoint_is_a_model_folder_that_plays(finished):
    policy = TransformersPolicy(finished[1], PROMPT, Sampling(max_tokens=8))
    assert len(policy.generate([policy.chat.encode("1 of 4")], [0])[0].ids) > 0


def test_a_checkpoint_says_where_its_weights_come_from(finished, cloned_model):
    last, before = (read_training(finished[0] / "run" / f"checkpoint-{step}") for step in (50, 25))
    assert (last.method, last.step, last.parent) == ("trl", 50, weights_hash(cloned_model))
    assert last.weights == weights_hash(finished[1]) != before.weights
    assert before.level_ids <= last.level_ids <= {f"counting:{n}" for n in range(1, 10)}
    assert last.level_ids


def test_a_run_goes_on_from_its_newest_checkpoint(finished, cloned_model, tmp_path):
    folder = shutil.copytree(finished[0], tmp_path / "copy")
    longer = settings_of(cloned_model, folder, 51)
    assert run(longer, folder, resume=True) == folder / "run" / "checkpoint-51"
    assert [line["step"] for line in read_log(folder / "run")] == list(range(1, 52))


def test_a_run_killed_while_it_saved_goes_on_from_the_checkpoint_before(finished, cloned_model, tmp_path, capsys):
    folder = shutil.copytree(finished[0], tmp_path / "copy")
    for name in ("trainer_state.json", "training.json"):
        (folder / "run" / "checkpoint-50" / name).unlink()
    assert run(settings_of(cloned_model, folder, 50), folder, resume=True) == folder / "run" / "checkpoint-50"
    assert "checkpoint-50 was not written to its end, trainer_state.json is missing" in capsys.readouterr().err
    assert (folder / "run" / "unfinished-checkpoint-50" / "config.json").exists()


def test_a_run_asked_for_fewer_steps_than_it_has_made_says_so(finished, cloned_model, tmp_path):
    folder = shutil.copytree(finished[0], tmp_path / "copy")
    with pytest.raises(RunError, match="already made 50 steps, and steps=30 asks for fewer in all; give 50 or more"):
        run(settings_of(cloned_model, folder, 30), folder, resume=True)


def test_a_player_that_fails_ends_the_run_with_its_reason(cloned_model, tmp_path):
    settings = asynchronous(cloned_model, tmp_path / "run", steps=1, mini_batch=16)
    with pytest.raises(RunError, match="a player failed: ConnectionError: no server here"):
        run(settings, tmp_path, make_policy=broken_policy)


def test_a_trainer_that_cannot_be_built_lets_go_of_its_folder(cloned_model, tmp_path, monkeypatch):
    def fails(*arguments):
        raise OSError("no process can be started")

    monkeypatch.setattr(trl_async, "RolloutWorker", fails)
    settings = asynchronous(cloned_model, tmp_path / "run", steps=1, mini_batch=16)
    for _ in range(2):
        with pytest.raises(OSError, match="no process can be started"):
            run(settings, tmp_path)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
@pytest.mark.parametrize(
    ("vllm", "message"), [(None, "needs it in the trainer's environment too"), (object(), "train trl needs CUDA GPUs")]
)
def test_a_machine_that_cannot_send_weights_is_refused_at_once(cloned_model, tmp_path, monkeypatch, vllm, message):
    monkeypatch.setattr(trl_async, "find_spec", lambda name: vllm)
    with pytest.raises(MissingDependencyError, match=message):
        train(asynchronous(cloned_model, tmp_path / "run"), ENGINE)
    assert not (tmp_path / "run").exists()


class _Fixed:
    """A worker that hands out rows made beforehand."""

    def __init__(self, samples):
        import queue

        self.samples, self.metrics_queue = queue.Queue(), queue.Queue()
        for sample in [*samples, *samples]:  # accelerate's loader reads ahead of the step
            self.samples.put(sample)
        self.rollout_buffer = _Rows(self.samples)

    def start(self):
        pass

    def stop(self):
        pass

    def update_model_version(self, model_version):
        pass

    def check_health(self, stale_after_s):
        pass


@pytest.mark.parametrize("clip", ["ppo", "one_side"])
def test_trls_step_over_our_rows_is_our_step(cloned_model, tmp_path, clip):
    """The same rows, plain gradient descent: both trainers arrive at the same parameters.

    The sampler's log-probabilities are moved, so that ratios lie within the bounds and beyond them on either side.
    """
    from datasets import Dataset
    from trl.experimental.async_grpo import AsyncGRPOConfig, AsyncGRPOTrainer

    settings = asynchronous(cloned_model, tmp_path / "run", steps=1, mini_batch=40, micro_batch_tokens=10**6, clip=clip)
    groups = endless_groups(settings, 0, 0, 1)
    stream = played_groups(groups, make_sampler(settings, cloned_model), settings, make_env=make_env)
    samples = []
    while len(samples) < 40:
        samples += next(stream).samples
    noise = random.Random(0)
    samples = [
        sample._replace(
            tokens=sample.tokens._replace(logprobs=tuple(p + noise.gauss(0, 0.3) for p in sample.tokens.logprobs))
        )
        for sample in samples[:40]
    ]

    model = load_model(cloned_model)
    learner = Learner(accelerator_for(False), model, torch.optim.SGD(model.parameters(), lr=0.1), None)
    rows = [Row(*joined([s.tokens])[0].row, s.tokens.logprobs, (s.advantage,)) for s in samples]
    update(learner, rows, settings, 1)

    fields = trl_settings(settings, ENGINE, 1) | {"save_strategy": "no", "use_cpu": True}
    arguments = AsyncGRPOConfig(**fields)
    theirs = one_sided(AsyncGRPOTrainer, settings)(
        model=cloned_model, args=arguments, train_dataset=Dataset.from_dict({"prompt": [""]}),
        rollout_worker=_Fixed(samples), weight_transfer=FileTransfer(tmp_path / "weights"),
    )  # fmt: skip
    theirs.optimizer = torch.optim.SGD(theirs.model.parameters(), lr=0.1)
    theirs.lr_scheduler = torch.optim.lr_scheduler.ConstantLR(theirs.optimizer, factor=1.0)
    theirs.train()

    ours, other = dict(model.named_parameters()), dict(theirs.model.named_parameters())
    before = load_file(f"{cloned_model}/model.safetensors")
    moved = max(float((before[name] - tensor.detach()).abs().max()) for name, tensor in ours.items())
    assert moved > 1e-3
    for name, tensor in ours.items():
        torch.testing.assert_close(other[name], tensor, rtol=0, atol=moved * 1e-3)


def test_packs_train_with_credit_and_weights_and_a_clip_on_one_side(cloned_model, tmp_path):
    lifecycle = LifecycleSpec(2, "kept", update="episode", trajectory_chars=400)
    pack = TaskSpec("Sokoban", "lean", interface="opaque", lifecycle=lifecycle, knobs=(("max_steps", 2),))
    settings = asynchronous(
        cloned_model, tmp_path / "run", steps=2, mini_batch=10, micro_batch_tokens=10**6, save_every=2, workers=2,
        levels_per_step=1, group_size=2, sources=(Source(pack),), credit="cod", reward="score", success_reward=1.0,
        divide_by_std=False, clip="one_side", reweight_negative=True,
    )  # fmt: skip
    run(settings, tmp_path, make_env=make)
    lines = read_log(tmp_path / "run")
    assert [line["step"] for line in lines] == [1, 2]
    assert all("weights/temperature" in line for line in lines)


def test_the_worker_has_what_trl_asks_of_one():
    from trl.experimental.async_grpo.async_grpo_trainer import RolloutWorkerProtocol

    methods = {name for name in vars(RolloutWorkerProtocol) if not name.startswith("_")}
    assert methods
    assert methods <= set(dir(RolloutWorker))


TWO_PROCESSES = """
from pathlib import Path
from tests.train.test_trl_async import pytest, run, settings_of, stand_in_for_gpus
if __name__ == "__main__":
    stand_in_for_gpus(pytest.MonkeyPatch())
    run(settings_of(sys.argv[1], Path(sys.argv[2]), 4), Path(sys.argv[2]))
"""


@pytest.mark.slow
def test_two_processes_share_the_rows_that_one_set_of_players_makes(cloned_model, tmp_path):
    in_two_processes(TWO_PROCESSES, cloned_model, tmp_path)
    lines = read_log(tmp_path / "run")
    assert [line["step"] for line in lines] == [1, 2, 3, 4]
    assert lines[0]["kl"] < 1e-6
    assert [line["batch/samples_per_step"] for line in lines] == pytest.approx([24.0] * 4)  # over both processes


def test_the_documented_launch_is_one_that_accelerate_reads():
    from accelerate.commands.config.config_args import load_config_from_file

    path = Path(__file__).resolve().parents[2] / "examples" / "scale_out" / "fsdp2_4gpus.yaml"
    config = load_config_from_file(str(path))
    assert (config.num_processes, config.fsdp_config["fsdp_version"]) == (4, 2)
    assert config.fsdp_config["fsdp_state_dict_type"] == "FULL_STATE_DICT"  # checkpoints are Hugging Face folders
