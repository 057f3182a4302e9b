"""Logs of a training run: JSON lines always, a progress bar on a terminal, TensorBoard or Weights & Biases if asked."""

import json
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal, Protocol

from agentgen_bench.errors import MissingDependencyError, RunError
from agentgen_bench.evaluation.folder import write_text
from agentgen_bench.seeding import key_digest

LOG = "log.jsonl"
Tracker = Literal["tensorboard", "wandb"]


class Logs:
    """Writes one line of plain numbers per step to `log.jsonl`, and the same numbers wherever else they were wanted."""

    def __init__(self, run: Path, last_step: int, tracker: Tracker | None, shown: tuple[str, ...], total: int) -> None:
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
        self._tracker = None if tracker is None else _TRACKERS[tracker](run, last_step)
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
            with suppress(OSError):  # now: `close` would try to write the line again, and fail in place of this error
                self._file.close()
            raise RunError(f"cannot write {self._file.name}: {error.strerror}; free some space, --resume") from None
        if self._tracker is not None:
            self._tracker.write(step, numbers)
        self._bar.update(step - self._bar.n)
        self._bar.set_postfix({name: f"{numbers[name]:.3g}" for name in self._shown if name in numbers})

    def close(self) -> None:
        """Close the file, the bar and the tracker, which may still hold numbers back."""
        self._bar.close()
        self._file.close()
        if self._tracker is not None:
            self._tracker.close()


class SilentLogs:
    """What the processes other than the first write: nothing."""

    def write(self, step: int, numbers: Mapping[str, float]) -> None:
        """Write nothing."""

    def close(self) -> None:
        """Do nothing."""


def read_log(run: Path) -> list[Mapping[str, float]]:
    """Return the lines of a run's log, without a torn last one; empty where there is none."""
    if not (run / LOG).exists():
        return []
    text = (run / LOG).read_text(encoding="utf-8")
    return [json.loads(line) for line in text[: text.rfind("\n") + 1].splitlines()]


def _truncate(path: Path, last_step: int) -> None:
    """Drop the lines of steps that the run will do again."""
    kept = [line for line in read_log(path.parent) if line["step"] <= last_step]
    write_text(path, "".join(json.dumps(line) + "\n" for line in kept))


class _Tracking(Protocol):
    """Where numbers go besides the log."""

    def write(self, step: int, numbers: Mapping[str, float]) -> None: ...

    def close(self) -> None: ...


class _TensorBoard:
    """An event file in the run's folder; a resumed run hides the events of the steps that it does again."""

    def __init__(self, run: Path, last_step: int) -> None:
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError:
            raise MissingDependencyError("--tracker tensorboard needs tensorboard: pip install tensorboard") from None
        self._writer = SummaryWriter(run, purge_step=last_step + 1 if last_step else None)

    def write(self, step: int, numbers: Mapping[str, float]) -> None:
        for name, value in numbers.items():
            self._writer.add_scalar(name, value, step)

    def close(self) -> None:
        self._writer.close()


class _WeightsAndBiases:
    """A run of the project agentgen-bench, named after the folder; a resumed run goes on in the same one."""

    def __init__(self, run: Path, last_step: int) -> None:
        try:
            import wandb
        except ImportError:
            raise MissingDependencyError("--tracker wandb needs wandb: pip install wandb") from None
        # Folders of the same name are many (seed-0): the place makes the id.
        own_id = f"{run.name}-{key_digest(str(run.resolve())).hex()[:8]}"
        self._session = wandb.init(project="agentgen-bench", name=run.name, dir=str(run), id=own_id, resume="allow")

    def write(self, step: int, numbers: Mapping[str, float]) -> None:
        self._session.log(dict(numbers), step=step)

    def close(self) -> None:
        self._session.finish()


_TRACKERS: dict[str, Callable[[Path, int], _Tracking]] = {"tensorboard": _TensorBoard, "wandb": _WeightsAndBiases}


def _bar(done: int, total: int) -> Any:
    from tqdm import tqdm

    interval = 0.2 if sys.stderr.isatty() else 10.0
    return tqdm(initial=done, total=total, unit="step", file=sys.stderr, dynamic_ncols=True, mininterval=interval)
