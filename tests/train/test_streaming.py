import os
import queue
import subprocess
import sys
import time
from importlib.util import find_spec
from itertools import islice
from pathlib import Path

import pytest

from agentgen_bench.errors import MissingDependencyError, SpecError
from agentgen_bench.policies.base import TokenSample
from agentgen_bench.train.grpo import make_sampler, play_groups, training_rows
from agentgen_bench.train.players import Engine, Weighted
from agentgen_bench.train.streaming import Sample, _played, _Seen, endless_groups, played_groups
from agentgen_bench.train.tokens import joined
from agentgen_bench.train.trl_async import check_settings, rows_per_pass, train, trl_settings
from tests.counting import CountingEnv
from tests.train.test_advantages import PACKS, pack
from tests.train.test_grpo import config
from tests.train.tiny import make_env

ASYNCHRONOUS = {"kl_coef": 0.0, "importance_cap": None}


def asynchronous(model, output, **changes):
    return config(model, output, **{**ASYNCHRONOUS, **changes})


def test_the_players_share_all_groups_out(tmp_path):
    settings = asynchronous("m", tmp_path)
    whole = list(islice(endless_groups(settings, 5, 0, 1), 12))
    parts = [list(islice(endless_groups(settings, 5, part, 3), 4)) for part in range(3)]
    assert sorted(group for part in parts for group in part) == whole
    assert [number for number, _ in whole] == list(range(12))


def test_a_stream_of_groups_gives_the_rows_of_the_synchronous_loop(cloned_model, tmp_path):
    settings = asynchronous(cloned_model, tmp_path, workers=5)
    groups = list(islice(endless_groups(settings, 0, 0, 1), 6))
    sampler = make_sampler(settings, cloned_model)
    streamed = list(played_groups(groups, sampler, settings, make_env=make_env))
    rollouts, _ = play_groups([jobs for _, jobs in groups], sampler, 5, make_env)
    expected = sorted(training_rows(rollouts, settings))
    drawn = [sample for played in streamed for sample in played.samples]
    rows = sorted((*joined([sample.tokens])[0].row, sample.advantage) for sample in drawn)
    assert [row[:2] for row in rows] == [row[:2] for row in expected]
    assert [row[2] for row in rows] == pytest.approx([row.advantages[0] for row in expected])
    assert {sample.group for played in streamed for sample in played.samples} == set(range(6))


def test_each_row_says_which_weights_drew_it(cloned_model, tmp_path):
    settings = asynchronous(cloned_model, tmp_path)
    versions = iter(range(100))
    (number, jobs), *_ = islice(endless_groups(settings, 0, 0, 1), 1)
    (played,) = played_groups(
        [(number, jobs)], make_sampler(settings, cloned_model), settings, lambda: next(versions), make_env
    )
    steps = max(sample.version for sample in played.samples)
    assert sorted({sample.version for sample in played.samples}) == list(range(steps + 1))


def test_rows_of_packs_carry_the_credit_of_the_worked_example():
    # SCORES.md: x = [[0,1,1],[0,0,1]], z = [[0,-.1],[0,0]]; see tests/train/test_advantages.py.
    episodes = [pack((0.5, 1.0, 1.0), (True, False)), pack((0.0, 0.9, 1.0), (True, True), (1, 1, 2))]
    group = [
        (one.episode, [_Seen(TokenSample((1,), (k + 2,), (-0.5,)), 0) for k in range(len(one.episode.steps))])
        for one in episodes
    ]
    settings = asynchronous("m", "o", sources=PACKS, credit="cod", success_reward=1.0, invalid_penalty=0.1)
    found = [sample.advantage for sample in _played(0, group, settings).samples]
    first = [1 / 6, 1 / 6, 1 / 6, 1 / 4, -0.025, 0]
    assert found == pytest.approx([*first, -1 / 6, -1 / 6, -1 / 4, 0.025, 0, 0])


def sample_of(advantage, n_tokens):
    return Sample(TokenSample((1,), (2,) * n_tokens, (-0.5,) * n_tokens), advantage, 0, 0)


def test_rows_are_weighted_a_block_at_a_time_and_wait_until_it_is_whole():
    rows, noted = queue.Queue(), []
    weighted = Weighted(rows, 2, noted.append)
    # The first block sums to 1 - 3 < 0: e^(1/T) - 3 e^(-1/T) >= 0 up to T = 2 / ln 3 = 1.8205. The second does not.
    for sample in (sample_of(1.0, 1), sample_of(-1.0, 3), sample_of(0.5, 1), sample_of(-0.5, 1), sample_of(9.0, 1)):
        rows.put(sample)
    found = [weighted.get(timeout=1).advantage for _ in range(4)]
    assert found[0] + 3 * found[1] == pytest.approx(0.0, abs=0.05)
    assert found[0] == pytest.approx(3**0.5, abs=0.03)
    assert found[2:] == [0.5, -0.5]
    assert [numbers["weights/temperature"][0] for numbers in noted] == [pytest.approx(1.8205 - 0.025, abs=0.025), 0.0]
    with pytest.raises(queue.Empty):
        weighted.get(timeout=0.01)
    assert weighted.qsize() == 1
    rows.put(sample_of(8.0, 1))
    assert weighted.get(timeout=1).advantage == 9.0


def test_crashed_episodes_are_left_out_and_counted(cloned_model, tmp_path):
    settings = asynchronous(cloned_model, tmp_path)
    groups = list(islice(endless_groups(settings, 0, 0, 1), 2))
    broken = groups[0][1][0].seed
    sampler = make_sampler(settings, cloned_model)
    first, second = sorted(
        played_groups(groups, sampler, settings, make_env=lambda spec: CountingEnv(crash_seed=broken, max_steps=5)),
        key=lambda played: len(played.samples),
    )
    assert first.samples == []
    assert first.numbers["episode/crashed"] == (4, 4)
    assert second.numbers["episode/crashed"] == (0, 4)
    assert second.numbers["tokens/completion"][1] == len(second.samples)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"kl_coef": 0.01}, r"kl_coef=0.01 is not what TRL's asynchronous trainer does: 0.0"),
        ({"importance_cap": 2.0}, "importance_cap=2.0 is not what .* does: None"),
        ({"loss_mean": "samples"}, "loss_mean='samples' is not"),
        ({"epochs": 2}, "epochs=2 is not"),
    ],
)
def test_settings_that_the_engine_cannot_follow_are_refused(changes, message):
    with pytest.raises(SpecError, match=message):
        check_settings(asynchronous("m", "o", **changes))


@pytest.mark.skipif(find_spec("trl") is not None, reason="TRL is installed")
def test_without_trl_it_says_how_to_install_it():
    with pytest.raises(MissingDependencyError, match=r"needs TRL: pip install '.\[trl\]' in "):
        train(asynchronous("m", "o"), Engine())


def test_an_optimizer_step_has_the_rows_of_a_mini_batch_within_the_memory_of_a_pass():
    settings = asynchronous(
        "m", "o", mini_batch=256, max_prompt_tokens=3072, max_tokens=1024, micro_batch_tokens=16_384
    )
    assert rows_per_pass(settings, 4) == 4
    fields = trl_settings(settings, Engine(), 4)
    assert fields["per_device_train_batch_size"] * fields["gradient_accumulation_steps"] * 4 == 256
    with pytest.raises(SpecError, match="mini_batch=256 cannot be shared by 3 processes; take a multiple"):
        rows_per_pass(settings, 3)


ABANDONED = """
import os, sys, time
from agentgen_bench.train.players import Engine, RolloutWorker
from tests.train.test_streaming import asynchronous, make_env
from tests.train.trl_stand_ins import frozen_policy
if __name__ == "__main__":
    engine = Engine(play_processes=1, queue_rows=8)
    worker = RolloutWorker(asynchronous(sys.argv[1], "o"), engine, 0, frozen_policy, make_env)
    worker.start()
    worker._shared.samples.get(timeout=120)
    print(worker._players[0].pid, flush=True)
    os._exit(1)
"""


def is_running(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_players_end_when_their_trainer_was_killed(cloned_model):
    root = Path(__file__).resolve().parents[2]
    environment = {**os.environ, "PYTHONPATH": str(root), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", ABANDONED, cloned_model]
    killed = subprocess.run(command, cwd=root, env=environment, stdout=subprocess.PIPE, text=True)
    player = int(killed.stdout)
    deadline = time.monotonic() + 60
    while is_running(player) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not is_running(player)


FULL = """
from agentgen_bench.train.players import Engine, RolloutWorker
from tests.train.test_streaming import asynchronous
if __name__ == "__main__":
    worker = RolloutWorker(asynchronous("m", "o"), Engine(), 0)
    for _ in range(20_000):
        worker.metrics_queue.put({"weights/temperature": (1.0, 1.0)})
    worker.stop()
"""


def test_a_trainer_that_stops_does_not_wait_for_a_reader_of_its_last_numbers():
    root = Path(__file__).resolve().parents[2]
    environment = {**os.environ, "PYTHONPATH": str(root), "OMP_NUM_THREADS": "1"}
    subprocess.run([sys.executable, "-c", FULL], cwd=root, env=environment, check=True, timeout=120)
