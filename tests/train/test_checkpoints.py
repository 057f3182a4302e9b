import errno
import math

import pytest
import torch
from safetensors.torch import save_file

from agentgen_bench.errors import RunError
from agentgen_bench.train.checkpoints import (
    checkpoint_steps,
    last_checkpoint,
    load_state,
    refuse_fewer_steps,
    remove_unfinished,
    write_checkpoint,
)
from agentgen_bench.train.optimizing import out_of_memory_explained, stop_unless_finite
from tests.full_disk import files_of_at_most


def write_text(text):
    return lambda folder: (folder / "weights").write_text(text)


def full_disk(folder):
    (folder / "weights").write_text("half")
    raise OSError(errno.ENOSPC, "No space left on device")


def test_the_newest_checkpoints_are_kept(tmp_path):
    for step in (1, 2, 3):
        write_checkpoint(tmp_path, step, write_text(str(step)), keep=2)
    assert checkpoint_steps(tmp_path) == [2, 3]
    assert (last_checkpoint(tmp_path) / "weights").read_text() == "3"


def test_the_newest_checkpoint_of_a_run_of_millions_of_steps_is_found(tmp_path):
    for step in (999_999, 1_000_000):
        write_checkpoint(tmp_path, step, write_text(str(step)), keep=1)
    assert checkpoint_steps(tmp_path) == [1_000_000]


def test_a_full_disk_leaves_the_last_checkpoint_and_says_so(tmp_path):
    write_checkpoint(tmp_path, 1, write_text("1"), keep=1)
    with pytest.raises(RunError, match=r"step 2: .*No space left.*checkpoint-000001, is safe.*--resume"):
        write_checkpoint(tmp_path, 2, full_disk, keep=1)
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint-000001"]


@pytest.mark.parametrize("library", ["safetensors", "torch"])
def test_a_disk_that_fills_while_tensors_are_saved_is_a_full_disk(tmp_path, library):
    def write(folder):
        tensors = {"weights": torch.zeros(10_000)}
        if library == "torch":
            torch.save(tensors, folder / "weights.pt")
        else:
            save_file(tensors, folder / "weights.safetensors")

    write_checkpoint(tmp_path, 1, write_text("1"), keep=1)
    with files_of_at_most(20_000), pytest.raises(RunError, match=r"step 2: .*checkpoint-000001, is safe.*--resume"):
        write_checkpoint(tmp_path, 2, write, keep=1)
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint-000001"]


def test_torch_reports_a_full_disk_as_a_runtime_error(tmp_path):
    def write(folder):
        raise RuntimeError("[enforce fail at inline_container.cc:659] . unexpected pos 64 vs 0")

    with pytest.raises(RunError, match="there was none before it"):
        write_checkpoint(tmp_path, 1, write, keep=1)


def test_an_unfinished_checkpoint_does_not_count_and_is_removed(tmp_path):
    write_checkpoint(tmp_path, 1, write_text("1"), keep=1)
    (tmp_path / "checkpoint-000002.tmp").mkdir()
    assert checkpoint_steps(tmp_path) == [1]
    remove_unfinished(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint-000001"]


def test_a_checkpoint_written_again_replaces_the_old_one(tmp_path):
    for text in ("old", "new"):
        write_checkpoint(tmp_path, 1, write_text(text), keep=1)
    assert (last_checkpoint(tmp_path) / "weights").read_text() == "new"


def test_steps_count_from_a_runs_beginning_and_are_no_fewer_than_those_made(tmp_path):
    newest = write_checkpoint(tmp_path, 60, write_text("60"), keep=1)
    with pytest.raises(
        RunError, match=r"has already made 60 steps, and steps=59 .*; give 60 or more, or take .*-000060$"
    ):
        refuse_fewer_steps(newest, 59)
    refuse_fewer_steps(newest, 60)
    refuse_fewer_steps(tmp_path / "checkpoint-60", 61)  # a name of transformers'
    refuse_fewer_steps(None, 1)


def test_a_model_without_a_trainers_state_cannot_be_resumed(tmp_path):
    with pytest.raises(RunError, match=r"holds no trainer_state.pt"):
        load_state(tmp_path)


def test_each_process_saves_its_own_part_of_a_bad_batch(tmp_path):
    for process in range(2):
        with pytest.raises(RunError, match=r"step 3: loss nan, gradient norm 1.0; .* saved the batch to"):
            stop_unless_finite(math.nan, 1.0, {"process": process}, tmp_path, 3, process)
    saved = {path.name: torch.load(path) for path in tmp_path.iterdir()}
    assert saved == {"bad-batch-000003.pt": {"process": 0}, "bad-batch-000003-process-1.pt": {"process": 1}}


def test_out_of_memory_says_what_to_lower():
    advice = r"lower micro_batch_tokens \(now 4096\), turn gradient_checkpointing on"
    with pytest.raises(RunError, match=advice), out_of_memory_explained(4096, False):
        raise RuntimeError("DefaultCPUAllocator: not enough memory: you tried to allocate 9999999999 bytes.")


def test_other_errors_pass_unchanged():
    with pytest.raises(RuntimeError, match="shapes"), out_of_memory_explained(4096, False):
        raise RuntimeError("shapes do not match")
