"""Running a study: make or take the initial policy, train, evaluate; each part once, whatever interrupts it.

A study's folder holds `study.json` (the plan), `initial/`, `train/NAME-seed-N/`, one run folder of `evaluate` per
policy and seed (and checkpoint, where several count) in `runs/`, `scores.yaml`, which names the runs with their roles
for `agentgen-bench score`, and `matrix.json`: the success of every policy on every environment.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple, TypedDict

import yaml

from agentgen_bench.checks import chosen
from agentgen_bench.errors import RunError, SpecError
from agentgen_bench.evaluation.folder import read_run, write_json, write_text
from agentgen_bench.evaluation.fresh import drawn_from
from agentgen_bench.evaluation.locks import lock_folder
from agentgen_bench.evaluation.plan import Plan, single_plan
from agentgen_bench.evaluation.run import evaluate
from agentgen_bench.policies.backends import Resources
from agentgen_bench.policies.loading import load_policy
from agentgen_bench.policies.names import scripted_policy
from agentgen_bench.policies.sampling import Sampling
from agentgen_bench.scores.base import by_setting, setting_label
from agentgen_bench.scores.study import Study, StudyRun
from agentgen_bench.scores.success import succeeded
from agentgen_bench.spec import TaskSpec
from agentgen_bench.train.apart import in_own_process, launch
from agentgen_bench.train.checkpoints import checkpoint_path
from agentgen_bench.train.choices import checked
from agentgen_bench.train.collect import collect
from agentgen_bench.train.demonstrations import SAMPLES
from agentgen_bench.train.estimates import Estimate, Profile, estimate, profile
from agentgen_bench.train.grpo_config import Config as GrpoConfig
from agentgen_bench.train.health import diagnosis
from agentgen_bench.train.init_model import ModelShape, environment_text, init_model
from agentgen_bench.train.logs import read_log
from agentgen_bench.train.settings import recorded_settings
from agentgen_bench.train.sft_config import Config as SftConfig
from agentgen_bench.train.study_file import INITIAL, Cloning, PolicyPlan, StudyPlan

PLAN, SCORES, MATRIX = "study.json", "scores.yaml", "matrix.json"


class Part(NamedTuple):
    """A part of a study: what it is, and how much it plays."""

    label: str
    estimate: Estimate


def training_specs(plan: StudyPlan) -> list[TaskSpec]:
    """Return the settings that the study trains on, each once."""
    return list(dict.fromkeys(source.spec for policy in plan.policies for source in policy.sources))


def grpo_config(plan: StudyPlan, policy: PolicyPlan, seed: int, model: str, output: Path) -> GrpoConfig:
    """Return the settings of one policy's training; raises SpecError for unknown or mistyped ones."""
    settings = checked(GrpoConfig, {**plan.grpo, **policy.grpo}, f"policy {policy.name}, grpo")
    if plan.prompt.examples:
        raise SpecError("training shows no examples; leave examples out of the study's prompt")
    prompt = {name: getattr(plan.prompt, name) for name in plan.prompt.__dataclass_fields__ if name != "examples"}
    own = {**settings, **prompt, "model": model, "output": str(output), "seed": seed}
    return GrpoConfig(**own, sources=policy.sources)


def sft_config(plan: StudyPlan, policy: PolicyPlan, seed: int, model: str, output: Path) -> SftConfig:
    """Return the settings of one policy's training on demonstrations; raises SpecError for wrong ones."""
    data = output.parent.parent / "demonstrations" / policy.name
    return _cloning_config(plan.cloning, "cloning, sft", model, data, output, seed)


def training_config(plan: StudyPlan, policy: PolicyPlan, seed: int, model: str, output: Path) -> GrpoConfig | SftConfig:
    """Return the settings of one policy's training, by whichever of the two the study trains."""
    return (sft_config if plan.cloning.levels else grpo_config)(plan, policy, seed, model, output)


def check_settings(plan: StudyPlan) -> None:
    """Raise for a setting of any part that is wrong, before hours are spent; loads nothing.

    Raises:
        SpecError: a setting is unknown, mistyped or out of range.
        ScoreError: two runs would have one name or one role with one seed, or a role lacks what it needs.
    """
    for policy in plan.policies:
        counted_steps(training_config(plan, policy, 0, INITIAL, Path()), plan)
    ModelShape(**checked(ModelShape, plan.initial.make, "initial, make"))
    _cloning_config(plan.initial, "initial, sft", INITIAL, Path(), Path())
    planned_study(plan)  # raises where its runs could not be scored beside each other
    if plan.evaluation.protocol is None:
        single_plan(plan.environments, 1)  # raises where two environments are one
    measure = plan.evaluation
    Sampling(measure.temperature, max_tokens=measure.max_tokens)


def parts(plan: StudyPlan) -> list[Part]:
    """Return what the study will play, part by part, from two random episodes of each setting."""
    check_settings(plan)
    specs = {*training_specs(plan), *(cell.spec for cell in plan.played.cells)}
    profiles = {spec: profile(spec, plan.prompt) for spec in sorted(specs, key=lambda spec: spec.label)}
    return [*_initial_parts(plan, profiles), *_policy_parts(plan, profiles)]


def _initial_parts(plan: StudyPlan, profiles: dict[TaskSpec, Profile]) -> Iterator[Part]:
    specs = training_specs(plan)
    if plan.initial.levels:
        rollouts = plan.initial.levels * len(specs)
        yield Part(f"demonstrations of {plan.initial.demonstrator}", Estimate(rollouts, 0.0))
    yield Part(f"evaluation of {INITIAL}", _evaluation_estimate(plan, profiles))


def _policy_parts(plan: StudyPlan, profiles: dict[TaskSpec, Profile]) -> Iterator[Part]:
    n = len(plan.seeds)
    for policy in plan.policies:
        if plan.cloning.levels:
            shown = Estimate(plan.cloning.levels * len(policy.sources), 0.0)
            yield Part(f"demonstrations for {policy.name}", shown)
        else:
            config = grpo_config(plan, policy, 0, "model", Path("output"))
            rollouts = config.steps * config.levels_per_step * config.group_size
            one = estimate(rollouts, [profiles[source.spec] for source in policy.sources], config.max_tokens)
            yield Part(f"training of {policy.name} ({n} seeds)", Estimate(n * one.rollouts, n * one.tokens))
        measured, times = _evaluation_estimate(plan, profiles), n * plan.evaluation.checkpoints
        total = Estimate(times * measured.rollouts, times * measured.tokens)
        yield Part(f"evaluation of {policy.name} ({n} seeds)", total)


def _evaluation_estimate(plan: StudyPlan, profiles: dict[TaskSpec, Profile]) -> Estimate:
    played = plan.played
    return estimate(played.n_episodes, [profiles[cell.spec] for cell in played.cells], plan.evaluation.max_tokens)


def measured_tokens_per_s(output: Path) -> float | None:
    """Return the median speed that the study's own training logs show; None where there is none yet."""
    speeds = sorted(
        line["tokens/per_s"] for log in sorted(output.glob("train/*/log.jsonl")) for line in read_log(log.parent)
    )
    return speeds[len(speeds) // 2] if speeds else None


def run_study(
    plan: StudyPlan, output: Path, say: Callable[[str], None], launcher: Sequence[str] = (), only: Sequence[str] = ()
) -> Path | None:
    """Run what is missing of the study and return its `scores.yaml`; None where only a piece was asked for.

    Two processes may run pieces of one study at the same time, in one folder, as long as no training is in both.

    Args:
        plan: the study.
        output: its folder.
        say: takes a line on what is done next.
        launcher: the command that starts the processes of each GRPO training; empty: one process.
        only: policies, "initial" among them, to train and evaluate, or one seed of one, `NAME-seed-N`; empty: all, and
            the scores.

    Raises:
        RunError: the folder holds another study.
        SpecError: settings of a training are wrong, or it leaves fewer checkpoints than are to be evaluated.
    """
    check_settings(plan)
    asked = asked_runs(plan, only)
    needed = _with_ancestors(plan, asked)
    _open(plan, output, say)
    for line in not_of_its_protocol(plan):
        say(f"{plan.evaluation.suite}: {line}; the study can be run, but not submitted")
    models = {INITIAL: initial_model(plan, output, say)}
    runs = []
    if INITIAL in asked:
        runs = [StudyRun(_run(plan, models[INITIAL], output, INITIAL, say), INITIAL)]
    for seed in plan.seeds:
        stage = 0
        for policy in plan.policies:
            name = run_name(policy.name, seed)
            if name not in needed:
                continue
            start = models[INITIAL] if policy.start == INITIAL else models[run_name(policy.start, seed)]
            config = training_config(plan, policy, seed, start, output / "train" / name)
            if isinstance(config, SftConfig):
                models[name] = _cloned(plan, plan.cloning, policy.specs, config, say)
            else:
                models[name] = _trained(config, output / "train" / name, launcher, say)
            stage += policy.role == "stage"
            wrong = diagnosis(read_log(Path(config.output)))
            for what in wrong:
                say(f"{name}: {what}")
            run = _run(plan, models[name], output, name, say)
            earlier = [checkpoint_path(Path(config.output), step) for step in counted_steps(config, plan)[:-1]]
            also = [_run(plan, str(one), output, f"{name}-{one.name}", say) for one in earlier]
            runs.append(_run_of(policy, seed, stage, run, also, wrong))
    if only:
        return None
    study = Study(plan.name, tuple(runs))
    write_text(output / SCORES, yaml.safe_dump(study.to_json(), sort_keys=False))
    write_json(output / MATRIX, success_matrix(study, output))
    return output / SCORES


def run_name(policy: str, seed: int) -> str:
    """Return the name of a policy's run with one training seed."""
    return f"{policy}-seed-{seed}"


def asked_runs(plan: StudyPlan, only: Sequence[str]) -> set[str]:
    """Return the runs that a piece of a study names: by policy, by policy and seed, or "initial"; of no names: all.

    Raises:
        SpecError: a name is none of the study's.
    """
    runs = {run_name(policy.name, seed): policy.name for seed in plan.seeds for policy in plan.policies}
    names = [INITIAL, *(policy.name for policy in plan.policies), *runs]
    asked = {chosen("policy", name, names, where="only: ") for name in only} or set(names)
    return {run for run, policy in {INITIAL: INITIAL, **runs}.items() if asked & {run, policy}}


def _with_ancestors(plan: StudyPlan, runs: set[str]) -> set[str]:
    """Return the runs and those that they start from."""
    needed = set(runs)
    for policy in reversed(plan.policies):  # a policy starts from one before it
        needed |= {run_name(policy.start, seed) for seed in plan.seeds if run_name(policy.name, seed) in needed}
    return needed


def planned_study(plan: StudyPlan) -> Study:
    """Return the runs that a study will have, with their roles."""
    runs = [StudyRun(f"runs/{INITIAL}", INITIAL)]
    for seed in plan.seeds:
        stage = 0
        for policy in plan.policies:
            stage += policy.role == "stage"
            name = f"runs/{run_name(policy.name, seed)}"
            also = [f"{name}-{number}" for number in range(1, plan.evaluation.checkpoints)]
            runs.append(_run_of(policy, seed, stage, name, also))
    return Study(plan.name, tuple(runs))


def not_of_its_protocol(plan: StudyPlan) -> list[str]:
    """Return a line for whatever keeps the study from being one of its protocol; none where it names none."""
    protocol = plan.evaluation.protocol
    return [] if protocol is None else protocol.missing(planned_study(plan))


def counted_steps(config: GrpoConfig | SftConfig, plan: StudyPlan) -> list[int]:
    """Return the steps of the checkpoints that are evaluated, the last one at the end.

    Raises:
        SpecError: the training writes or keeps fewer than the study asks for.
    """
    written = sorted({*range(config.save_every, config.steps + 1, config.save_every), config.steps})
    wanted, kept = plan.evaluation.checkpoints, min(len(written), config.keep)
    if wanted > kept:
        raise SpecError(
            f"evaluation: checkpoints={wanted}, but a training of {config.steps} steps with save_every="
            f"{config.save_every} and keep={config.keep} leaves {kept}; lower save_every, or raise keep"
        )
    return written[-wanted:]


class MatrixRowJson(TypedDict):
    """A run's row of the matrix."""

    policy: str
    seed: int
    run: str
    health: list[str]
    success: list[float | None]


class MatrixJson(TypedDict):
    """The success of every run on every environment, as the study's folder holds it."""

    study: str
    environments: list[str]
    rows: list[MatrixRowJson]


def success_matrix(study: Study, folder: Path) -> MatrixJson:
    """Return the success of every run on every environment, as plain JSON: the matrix R of the forgetting scores.

    A row per run in the order of the study, a column per setting; None where a run was not evaluated on it.
    """
    played = study.by_run([read_run(folder / name).episodes for name in study.folders])
    rates = {
        run: {
            setting_label(group[0].spec): sum(map(succeeded, group)) / len(group) for group in by_setting(own).values()
        }
        for run, own in played.items()
    }
    environments = sorted({name for row in rates.values() for name in row})
    return {
        "study": study.name,
        "environments": environments,
        "rows": [
            {
                "policy": run.condition.label,
                "seed": run.seed,
                "run": run.run,
                "health": list(run.health),
                "success": [rates[run.run].get(name) for name in environments],
            }
            for run in study.runs
        ],
    }


def holds_another(output: Path, plan: StudyPlan) -> bool:
    """Return whether a folder holds a study other than this one."""
    return bool(_changed(output, plan))


def _changed(output: Path, plan: StudyPlan) -> list[str]:
    """Return the keys in which the study of a folder differs; none where the folder holds none."""
    path, data = output / PLAN, plan.to_json()
    if not path.exists():
        return []
    recorded = recorded_settings(path)
    return sorted(key for key in recorded.keys() | data.keys() if recorded.get(key) != data.get(key))


def _open(plan: StudyPlan, output: Path, say: Callable[[str], None]) -> None:
    output.mkdir(parents=True, exist_ok=True)
    with lock_folder(output, say):  # pieces of a study may begin together
        if not (output / PLAN).exists():
            write_json(output / PLAN, plan.to_json())
        elif changed := _changed(output, plan):
            raise RunError(f"{output} holds another study: {', '.join(changed)} differ; choose another --output")


def _run_of(
    policy: PolicyPlan, seed: int, stage: int, run: str, also: Sequence[str] = (), health: Sequence[str] = ()
) -> StudyRun:
    """Return a trained policy's run with its role."""
    return StudyRun(
        run=run,
        role=policy.role,
        source=policy.family if policy.role in ("trained", "stage") else None,
        difficulty=policy.difficulty,
        stage=stage if policy.role == "stage" else None,
        augmented=policy.augmented,
        seed=seed,
        also=tuple(also),
        health=tuple(health),
    )


def initial_model(plan: StudyPlan, output: Path, say: Callable[[str], None]) -> str:
    """Return the initial policy's folder, made and cloned where the plan says so; waits for a piece that does it."""
    folder = output / "initial"
    if plan.initial.model is not None and not plan.initial.levels:
        return plan.initial.model
    folder.mkdir(parents=True, exist_ok=True)
    with lock_folder(folder, say):
        return _made_initial_model(plan, folder, say)


def _made_initial_model(plan: StudyPlan, folder: Path, say: Callable[[str], None]) -> str:
    initial = plan.initial
    model = initial.model
    if model is None:
        made = folder / "made"
        if not (made / "config.json").exists():
            say("making the initial model")
            specs = training_specs(plan)
            init_model(made, environment_text(specs, 8), ModelShape(**initial.make), sources=specs)
        model = str(made)
    if not initial.levels:
        return model
    config = _cloning_config(initial, "initial, sft", model, folder / "demonstrations", folder / "sft")
    return _cloned(plan, initial, training_specs(plan), config, say)


def _cloning_config(
    cloning: Cloning, where: str, model: str, data: Path, output: Path, seed: int | None = None
) -> SftConfig:
    own = {"model": model, "output": str(output), "data": (str(data),)}
    seeded = {} if seed is None else {"seed": seed}
    return SftConfig(**{**checked(SftConfig, cloning.sft, where), **own, **seeded})


def _cloned(
    plan: StudyPlan, cloning: Cloning, specs: Sequence[TaskSpec], config: SftConfig, say: Callable[[str], None]
) -> str:
    """Return the checkpoint that learned from demonstrations of these settings, recorded where they are not yet."""
    (data,), output = map(Path, config.data), Path(config.output)
    data.mkdir(parents=True, exist_ok=True)
    with lock_folder(data, say):  # the seeds of a policy learn from the same demonstrations
        if not (data / SAMPLES).exists():
            say(f"recording demonstrations of {cloning.demonstrator} in {data.name}")
            policy = scripted_policy(cloning.demonstrator)
            collect(single_plan(specs, cloning.levels), policy, plan.prompt, data, resume=True)
    final = checkpoint_path(output, config.steps)
    if not final.exists():
        from agentgen_bench.train import sft

        say(f"cloning {cloning.demonstrator} into {output.name}")
        sft.train(config, resume=output.exists())
    return str(final)


def _trained(config: GrpoConfig, output: Path, launcher: Sequence[str], say: Callable[[str], None]) -> str:
    final = checkpoint_path(output, config.steps)
    if not final.exists():
        from agentgen_bench.train import grpo

        say(f"training {output.name}")
        train = partial(grpo.train, config, resume=output.exists())
        if launcher:
            launch(config, output.exists(), launcher)
        elif config.sampler == "vllm":
            in_own_process(train)
        else:
            train()
    return str(final)


def play_policy(plan: StudyPlan, cells: Plan, model: str, path: Path, say: Callable[[str], None]) -> None:
    """Evaluate a policy into a run's folder, where that is not done."""
    if not (path / "results.json").exists():
        levels = "" if cells.suite_name is None or drawn_from(cells.suite_name) is None else " on fresh levels"
        say(f"evaluating {path.name}{levels}: {cells.n_episodes} episodes")
        work = partial(_evaluate, plan, cells, model, path)
        in_own_process(work) if find_spec("vllm") is not None else work()


def _run(plan: StudyPlan, model: str, output: Path, name: str, say: Callable[[str], None]) -> str:
    """Evaluate a policy on the study's levels, and return its run's folder within the output."""
    play_policy(plan, plan.played, model, output / "runs" / name, say)
    return f"runs/{name}"


def _evaluate(plan: StudyPlan, cells: Plan, model: str, path: Path) -> None:
    measure = plan.evaluation
    sampling = Sampling(measure.temperature, max_tokens=measure.max_tokens)
    resources = Resources(batch_size=measure.workers)
    policy = load_policy(model, plan.prompt, sampling, resources=resources, say=lambda line: None)
    evaluate(cells, policy, plan.prompt, path, workers=measure.workers, resume=path.exists())
