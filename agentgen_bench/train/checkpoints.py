"""Checkpoints: Hugging Face folders with the trainer's state inside, there whole or not at all.

A checkpoint is written to a folder beside its place, flushed to the disk, then renamed. kill -9, a power cut or a full
disk leave at worst an unfinished `.tmp` folder, which the next start removes; older checkpoints are deleted only after
the new one has its name.
"""

import contextlib
import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from agentgen_bench.errors import RunError
from agentgen_bench.policies.checkpoint import saving_errors

STATE_FILE = "trainer_state.pt"
_NAME = re.compile(r"checkpoint-(\d{6,})")


def checkpoint_path(run: Path, step: int) -> Path:
    """Return where the checkpoint after `step` updates lies."""
    return run / f"checkpoint-{step:06d}"


def checkpoint_steps(run: Path) -> list[int]:
    """Return the steps of the whole checkpoints in a run folder, ascending."""
    if not run.is_dir():
        return []
    return sorted(int(match[1]) for entry in run.iterdir() if (match := _NAME.fullmatch(entry.name)))


def last_checkpoint(run: Path) -> Path | None:
    """Return the newest whole checkpoint of a run folder; None where there is none."""
    steps = checkpoint_steps(run)
    return checkpoint_path(run, steps[-1]) if steps else None


def refuse_fewer_steps(newest: Path | None, steps: int) -> None:
    """Raise RunError where a run that goes on is asked for fewer steps in all than its newest checkpoint has.

    `newest` is None where there is none. Nothing would be trained, and the checkpoint of the step that was asked for
    need not be there any more, or ever have been.
    """
    done = 0 if newest is None else int(newest.name.rsplit("-", 1)[1])
    if steps < done:
        raise RunError(
            f"the run has already made {done} steps, and steps={steps} asks for fewer in all; give {done} or more, or "
            f"take {newest}"
        )


def write_checkpoint(run: Path, step: int, write: Callable[[Path], None], keep: int) -> Path:
    """Let `write` fill a folder and give it its name once it is whole; then keep the newest `keep` checkpoints.

    Raises:
        RunError: the disk is full or cannot be written; the checkpoints written before are untouched.
    """
    final = checkpoint_path(run, step)
    temporary = final.with_suffix(".tmp")
    shutil.rmtree(temporary, ignore_errors=True)
    try:
        temporary.mkdir(parents=True)
        write(temporary)
        _flush(temporary)
        if final.exists():
            shutil.rmtree(final)  # an earlier attempt at the same step, of which this one is the equal
        temporary.rename(final)
        _flush_folder(run)
    except saving_errors() as error:
        shutil.rmtree(temporary, ignore_errors=True)
        last = last_checkpoint(run)
        safe = f"the last checkpoint, {last}, is safe" if last else "there was none before it"
        line = next(iter(str(error).splitlines()), type(error).__name__)
        raise RunError(
            f"cannot write the checkpoint of step {step}: {line}; {safe}. Free some space and go on with --resume"
        ) from error
    for old in checkpoint_steps(run)[:-keep]:
        shutil.rmtree(checkpoint_path(run, old))
    return final


def remove_unfinished(run: Path) -> None:
    """Remove what an interrupted `write_checkpoint` left behind."""
    for path in sorted(run.glob("checkpoint-*.tmp")):
        shutil.rmtree(path, ignore_errors=True)


def save_state(folder: Path, state: dict[str, Any]) -> None:
    """Write the trainer's state into a checkpoint folder."""
    import torch

    torch.save(state, folder / STATE_FILE)


def load_state(folder: Path) -> dict[str, Any]:
    """Return the trainer's state of a checkpoint folder; raises RunError where there is none."""
    import torch

    if not (folder / STATE_FILE).is_file():
        raise RunError(f"{folder} holds no {STATE_FILE}; it is a model without a trainer's state, start from it anew")
    return dict(torch.load(folder / STATE_FILE, map_location="cpu", weights_only=True))


def _flush(folder: Path) -> None:
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            with path.open("rb") as file:
                os.fsync(file.fileno())
    _flush_folder(folder)


def _flush_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        with contextlib.suppress(OSError):  # some file systems cannot flush a folder
            os.fsync(descriptor)
    finally:
        os.close(descriptor)
