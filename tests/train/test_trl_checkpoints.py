import json

import pytest

from agentgen_bench.train.trl_checkpoints import keep_newest, set_unfinished_aside, whole_checkpoints

FILES = ("config.json", "model.safetensors", "trainer_state.json", "training.json")  # in the order of being written


def checkpoint(run, step, n_files=4):
    """Make the folder of a checkpoint that was killed after so many files."""
    folder = run / f"checkpoint-{step}"
    folder.mkdir(parents=True)
    for name in FILES[:n_files]:
        (folder / name).write_text(json.dumps({"step": step}))
    return folder


@pytest.mark.parametrize("n_files", range(len(FILES)))
def test_a_run_goes_on_from_its_newest_whole_checkpoint_whenever_it_was_killed(tmp_path, n_files):
    whole = [checkpoint(tmp_path, step) for step in (9, 30)]
    checkpoint(tmp_path, 60, n_files)
    assert whole_checkpoints(tmp_path) == whole


@pytest.mark.parametrize("name", ["trainer_state.json", "training.json"])
def test_a_file_that_was_cut_off_is_not_whole(tmp_path, name):
    folder = checkpoint(tmp_path, 30)
    (folder / name).write_text('{"step": 3')
    assert whole_checkpoints(tmp_path) == []


def test_what_was_killed_is_set_aside_with_its_weights_and_said(tmp_path):
    whole = checkpoint(tmp_path, 30)
    checkpoint(tmp_path, 60, n_files=3)
    (line,) = set_unfinished_aside(tmp_path)
    assert line == (
        f"{tmp_path}/checkpoint-60 was not written to its end, training.json is missing or cut off; "
        "it is now unfinished-checkpoint-60"
    )
    assert (tmp_path / "unfinished-checkpoint-60" / "model.safetensors").exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["checkpoint-30", "unfinished-checkpoint-60"]
    assert set_unfinished_aside(tmp_path) == []
    assert whole_checkpoints(tmp_path) == [whole]


def test_what_is_killed_twice_at_one_step_is_set_aside_once(tmp_path):
    for n_files in (1, 2):
        checkpoint(tmp_path, 60, n_files)
        set_unfinished_aside(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["unfinished-checkpoint-60"]
    assert (tmp_path / "unfinished-checkpoint-60" / "model.safetensors").exists()


def test_the_newest_whole_checkpoints_are_kept(tmp_path):
    for step in (9, 30, 120):
        checkpoint(tmp_path, step)
    checkpoint(tmp_path, 150, n_files=1)
    keep_newest(tmp_path, 1)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["checkpoint-120", "checkpoint-150"]


def test_a_folder_without_checkpoints_has_none(tmp_path):
    (tmp_path / "checkpoint-30").write_text("a file")
    (tmp_path / "checkpoint-best").mkdir()
    assert whole_checkpoints(tmp_path) == whole_checkpoints(tmp_path / "nowhere") == []
