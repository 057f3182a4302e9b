"""Logs of a training run: JSON lines always, a progress bar on a terminal, TensorBoard or Weights & Biases if asked."""

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from agentgen_bench.errors import MissingDependencyError, RunError

LOG = "log.jsonl"
TRACKERS = ("tensorboard", "wandb")


class Logs:
    """Writes one line of plain numbers per step to `log.jsonl`, and the same numbers wherever else they were wanted."""

    def __init__(self, run: Path, last_step: int, tracker: str | None, shown: tuple[str, ...], total: int) -> None:
        """Open the logs of a run that has done `last_step` steps; lines after that step will be written anew.

        Args:
            run: the run's folder.
            last_step: the step of the checkpoint from which the run goes on; 0 for a new run.
            tracker: "tensorboard", "wandb" or None.
            shown: names of the numbers beside the progress bar.
            total: steps of the whole run, for the bar.
        """
        self._shown = shown
        _truncate(run / LOG, last_step)
        self._file = (run / LOG).open("a", encoding="utf-8")
        self._tracker = _tracker(tracker, run)
        self._bar = _bar(last_step, total)

    def write(self, step: int, numbers: Mapping[str, float]) -> None:
        """Write the numbers of one step.

        Raises:
            RunError: the disk is full.
        """
        try:
            self._file.write(json.dumps({"step": step, **numbers}) + "\n")
            self._file.flush()
        except OSError as error:
            raise RunError(f"cannot write {self._file.name}: {error.strerror}; free some space, --resume") from None
        if self._tracker is not None:
            self._tracker(step, numbers)
        self._bar.update(step - self._bar.n)
        self._bar.set_postfix({name: f"{numbers[name]:.3g}" for name in self._shown if name in numbers})

    def close(self) -> None:
        """Close the file and the bar."""
        self._bar.close()
        self._file.close()


class SilentLogs:
    """What the processes other than the first write: nothing."""

    def write(self, step: int, numbers: Mapping[str, float]) -> None:
        """Write nothing."""

    def close(self) -> None:
        """Do nothing."""


def read_log(run: Path) -> list[dict[str, Any]]:
    """Return the lines of a run's log, without a torn last one; empty where there is none."""
    if not (run / LOG).exists():
        return []
    text = (run / LOG).read_text(encoding="utf-8")
    return [json.loads(line) for line in text[: text.rfind("\n") + 1].splitlines()]


def _truncate(path: Path, last_step: int) -> None:
    """Drop the lines of steps that the run will do again."""
    kept = [line for line in read_log(path.parent) if line["step"] <= last_step]
    temporary = path.with_suffix(".tmp")
    temporary.write_text("".join(json.dumps(line) + "\n" for line in kept), encoding="utf-8")
    temporary.replace(path)


def _tracker(name: str | None, run: Path) -> Any:
    """Return a function of (step, numbers) that reports to the tracker."""
    if name is None:
        return None
    if name == "tensorboard":
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError:
            raise MissingDependencyError("--tracker tensorboard needs tensorboard: pip install tensorboard") from None
        writer = SummaryWriter(run)
        return lambda step, numbers: [writer.add_scalar(key, value, step) for key, value in numbers.items()]
    if name == "wandb":
        try:
            import wandb
        except ImportError:
            raise MissingDependencyError("--tracker wandb needs wandb: pip install wandb") from None
        session = wandb.init(project="agentgen-bench", name=run.name, dir=run, resume="allow", id=run.name)
        return lambda step, numbers: session.log(dict(numbers), step=step)
    raise RunError(f"unknown tracker {name!r}; choose one of: {', '.join(TRACKERS)}")


def _bar(done: int, total: int) -> Any:
    from tqdm import tqdm

    return tqdm(initial=done, total=total, unit="step", file=sys.stderr, disable=None)
