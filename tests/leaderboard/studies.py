"""A study in a second: a protocol of two small cells, runs by the random policy, made-up training records."""

import hashlib
import json
import shutil
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import yaml

from agentgen_bench.evaluation.folder import write_json
from agentgen_bench.evaluation.freeze import frozen_cell
from agentgen_bench.evaluation.protocol import Protocol, protocol_from_text, protocol_text
from agentgen_bench.evaluation.run import evaluate
from agentgen_bench.evaluation.training import Origin, TrainingRecord
from agentgen_bench.policies.scripted import RandomPolicy
from agentgen_bench.prompts import PromptConfig
from agentgen_bench.scores.study import Condition
from agentgen_bench.spec import TaskSpec
from agentgen_bench.suites import from_text, to_text

NAME = "transfer-smoke"
CELLS = {
    "Sokoban starter": TaskSpec("Sokoban", "lean", "easy", "test", (("boxes", 1), ("pushes", 1), ("max_steps", 6))),
    "Blocks easy": TaskSpec("Blocks", "base", "easy", "test"),
}
TRAINED_ON = {
    "on-sokoban": ("Sokoban", "none"),
    "on-alfworld": ("ALFWorld", "none"),
    "noisy-sokoban": ("Sokoban", "paper-v1"),
}


def small_protocol() -> Protocol:
    suite = from_text(NAME, to_text("small", tuple(frozen_cell(spec, 3) for spec in CELLS.values())))
    roles = [
        Condition("initial"),
        Condition("trained", "Sokoban"),
        Condition("trained", "ALFWorld"),
        Condition("trained", "Sokoban", augmented=True),
    ]
    text = protocol_text("transfer", "small", suite, list(CELLS), roles=roles, seeds=2, temperature=1.0)
    return protocol_from_text(NAME, text, suite)


def weights(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()


def record(name: str, parent: str | None, family: str, distractors: str = "none", seed: int = 0) -> TrainingRecord:
    spec = TaskSpec(family, "lean", "easy", "train", distractors=distractors)
    return TrainingRecord(
        method="grpo" if parent else "sft",
        weights=weights(name),
        parent=None if parent is None else weights(parent),
        adapter=None,
        step=4,
        settings={"steps": 4, "seed": seed},
        sources=({"spec": spec.to_json(), "weight": 1.0},),
        levels={family.lower(): (f"{seed:016x}", "00000000000000ff")},
        versions={"python": "3.11"},
        log=weights("log"),
    )


def origins() -> dict[str, Origin]:
    found = {"initial": Origin(weights("initial"), record("initial", None, "Sokoban"))}
    for name, (family, distractors) in TRAINED_ON.items():
        for seed in (0, 1):
            run = f"{name}-seed-{seed}"
            found[run] = Origin(weights(run), record(run, "initial", family, distractors, seed))
    return found


def roles() -> list[dict[str, object]]:
    entries: list[dict[str, object]] = [{"run": "runs/initial", "role": "initial"}]
    for name, (family, distractors) in TRAINED_ON.items():
        more = {"augmented": True} if distractors != "none" else {}
        for seed in (0, 1):
            entries.append(
                {"run": f"runs/{name}-seed-{seed}", "role": "trained", "source": family, "seed": seed, **more}
            )
    return entries


def write_study(folder: Path, protocol: Protocol) -> Path:
    """Write a complete study into a folder."""
    played = folder / "played"
    evaluate(protocol.plan_for(()), RandomPolicy(), PromptConfig(), played, record_text=False)
    for name, origin in origins().items():
        run = folder / "runs" / name
        shutil.copytree(played, run)
        set_origin(run, origin)
    shutil.rmtree(played)
    (folder / "scores.yaml").write_text(yaml.safe_dump({"study": "small", "runs": roles()}))
    return folder


def set_origin(run: Path, origin: Origin | None) -> None:
    manifest = json.loads((run / "manifest.json").read_text())
    write_json(run / "manifest.json", {**manifest, "origin": None if origin is None else origin.to_json()})


def change_training(study: Path, run: str, **changes: object) -> None:
    """Change the training record of a run."""
    origin = origins()[run]
    assert origin.training is not None
    set_origin(study / "runs" / run, replace(origin, training=replace(origin.training, **changes)))  # type: ignore[arg-type]


def write_fresh(folder: Path, protocol: Protocol, text: str, names: Iterable[str], seed: int = 0) -> Path:
    """Write runs of these policies on the fresh levels of a text into a folder."""
    played = folder / "played"
    plan = protocol.on_fresh_levels(text).plan_for(())
    evaluate(plan, RandomPolicy(seed), PromptConfig(), played, record_text=False)
    for name in names:
        set_origin(Path(shutil.copytree(played, folder / name)), origins()[name])
    shutil.rmtree(played)
    return folder
