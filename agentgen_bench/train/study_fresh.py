"""A study's policies on fresh levels: the runs that go beside its frozen ones on the board."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from agentgen_bench.errors import RunError, SpecError
from agentgen_bench.train.checkpoints import checkpoint_path
from agentgen_bench.train.study import (
    SCORES,
    asked_runs,
    counted_steps,
    initial_model,
    play_policy,
    run_name,
    training_config,
)
from agentgen_bench.train.study_file import INITIAL, StudyPlan


def play_fresh(plan: StudyPlan, output: Path, text: str, say: Callable[[str], None], only: Sequence[str] = ()) -> Path:
    """Evaluate policies of a study that was run on levels drawn from a text, and return the folder of these runs.

    They have the names of the study's own runs. What is there already is not played again.

    Args:
        plan: the study.
        output: its folder.
        text: draws the levels, see `evaluation.fresh`.
        say: takes a line on what is done next.
        only: as for `run_study`.

    Raises:
        SpecError: the study is of no protocol, or the text draws no levels.
        RunError: the study in the folder has not been run to its end.
    """
    if plan.evaluation.protocol is None:
        raise SpecError("a study of no protocol has no levels to draw others for; name one (docs/studies.md)")
    if not (output / SCORES).exists():
        raise RunError(f"{output} holds no study that was run to its end; run it first, then play fresh levels")
    asked = asked_runs(plan, only)
    drawn = plan.evaluation.protocol.on_fresh_levels(text)
    folder = output / f"fresh-{drawn.suite.hash[:12]}"
    for name, model in _models(plan, output, say, asked):
        play_policy(plan, drawn.plan_for(plan.trained_families), model, folder / name, say)
    return folder


def _models(plan: StudyPlan, output: Path, say: Callable[[str], None], asked: set[str]) -> Iterator[tuple[str, str]]:
    """Yield the name and the model folder of everything that a study evaluates of these runs."""
    if INITIAL in asked:
        yield INITIAL, initial_model(plan, output, say)
    for seed in plan.seeds:
        for policy in plan.policies:
            name = run_name(policy.name, seed)
            if name not in asked:
                continue
            folder = output / "train" / name
            config = training_config(plan, policy, seed, INITIAL, folder)
            *earlier, last = counted_steps(config, plan)
            yield name, str(checkpoint_path(Path(config.output), last))
            for step in earlier:
                path = checkpoint_path(Path(config.output), step)
                yield f"{name}-{path.name}", str(path)
