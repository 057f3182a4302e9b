"""The checkpoints of TRL's trainer, which writes them in place: which are whole, and what becomes of the others.

transformers writes a checkpoint's model first and `trainer_state.json` near the end, and our `training.json` comes
after that; a run killed in between leaves a folder that has its number and cannot be gone on from.
"""

import json
import re
import shutil
from pathlib import Path

from agentgen_bench.policies.checkpoint import TRAINING

TRAINER_STATE = "trainer_state.json"  # transformers' name
_NAME = re.compile(r"checkpoint-(\d+)")


def whole_checkpoints(run: Path) -> list[Path]:
    """Return the checkpoints of a run's folder that can be gone on from, oldest first; reads alone."""
    return [folder for folder in _numbered(run) if not _lacks(folder)]


def set_unfinished_aside(run: Path) -> list[str]:
    """Rename the checkpoints that a run was killed in the middle of, and return a line for each.

    They are kept, because all that a short run has may be the weights of one. Where an earlier one was set aside under
    the same name, it makes way.
    """
    lines = []
    for folder in _numbered(run):
        if lacks := _lacks(folder):
            aside = folder.with_name(f"unfinished-{folder.name}")
            shutil.rmtree(aside, ignore_errors=True)
            folder.rename(aside)
            lines.append(f"{folder} was not written to its end, {lacks} is missing or cut off; it is now {aside.name}")
    return lines


def keep_newest(run: Path, keep: int) -> None:
    """Remove all whole checkpoints but the newest `keep`, of which there is at least one."""
    for old in whole_checkpoints(run)[:-keep]:
        shutil.rmtree(old)


def _numbered(run: Path) -> list[Path]:
    """Return the folders with a checkpoint's name, by their number."""
    found = {path: match for path in run.glob("checkpoint-*") if (match := _NAME.fullmatch(path.name))}
    return sorted((path for path in found if path.is_dir()), key=lambda path: int(found[path][1]))


def _lacks(folder: Path) -> str | None:
    """Return the file that a checkpoint lacks or holds a part of; None: it is whole."""
    for name in (TRAINER_STATE, TRAINING):
        try:
            json.loads((folder / name).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return name
    return None
