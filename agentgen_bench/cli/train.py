"""agentgen-bench train: behaviour cloning (sft), reinforcement learning (grpo), and the same on many GPUs (trl)."""

import argparse
import json
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import fields, replace
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

from agentgen_bench.cli.options import given_text, integer, listed
from agentgen_bench.cli.outputs import check_folder
from agentgen_bench.cli.progress import Progress
from agentgen_bench.cli.prompt_options import DEFAULT_PROMPT, add_prompt_options, prompt_from_args, system_prompt
from agentgen_bench.cli.study import add_launcher
from agentgen_bench.cli.training_options import (
    add_config_options,
    add_environment_options,
    given,
    spec_changes,
)
from agentgen_bench.errors import MissingDependencyError, RunError, SpecError
from agentgen_bench.evaluation.folder import read_manifest
from agentgen_bench.evaluation.locks import lock_folder
from agentgen_bench.evaluation.plan import Plan, single_plan
from agentgen_bench.homes import expanded
from agentgen_bench.policies.names import DEMONSTRATORS, scripted_policy
from agentgen_bench.policies.opening import names_a_folder, open_checkpoint
from agentgen_bench.prompts import PromptConfig
from agentgen_bench.train.apart import in_own_process, launch
from agentgen_bench.train.checkpoints import checkpoint_path
from agentgen_bench.train.choices import checked, sources
from agentgen_bench.train.collect import collect
from agentgen_bench.train.demonstrations import SAMPLES, read_demonstrations
from agentgen_bench.train.grpo_config import Config as GrpoConfig
from agentgen_bench.train.health import diagnosis
from agentgen_bench.train.logs import read_log
from agentgen_bench.train.models import INSTALL as INSTALL_TRAIN
from agentgen_bench.train.presets import load_preset, preset_names
from agentgen_bench.train.settings import weighted
from agentgen_bench.train.sft_config import Config as SftConfig
from agentgen_bench.train.trl_config import FIXED, Engine, check_settings

SFT_EXAMPLES = """examples:
  agentgen-bench collect --envs sokoban --levels 2000 --no-thinking --output data/sokoban
  agentgen-bench train sft --model models/tiny --data data/sokoban --steps 500 --learning-rate 1e-3 --output runs/sft
  agentgen-bench train sft --model models/tiny --demonstrator demonstrator --envs sokoban,alfworld --protocol chat \\
      --levels 2000 --steps 2000 --output runs/sft
      plays the demonstrations first
  agentgen-bench train sft --model PATH --data data/a --data data/b --mix sciworld=19,alfworld=3,webshop=1 \\
      --output runs/mixed
"""
GRPO_EXAMPLES = """examples:
  agentgen-bench train grpo --preset paper-2601.18217 --model PATH --envs webshop --output runs/webshop
  agentgen-bench train grpo --model PATH --envs sokoban=2,alfworld=1 --distractors paper-v1 --output runs/mixture
  agentgen-bench train grpo --model PATH --curriculum sokoban,webshop,alfworld --output runs/sequence
      one stage after the other, all environments evaluated after each; writes the matrix and the forgetting scores
  accelerate launch --num_processes 8 -m agentgen_bench train grpo --model PATH --envs sciworld --sampler vllm \\
      --output runs/sciworld
      several GPUs: each plays its own levels and they share the update; see docs/training.md
"""
TRL_EXAMPLES = """examples:
  agentgen-bench train trl --model PATH --envs webshop --server http://localhost:8000 --output runs/webshop
      one process; a vLLM server must serve the same model, see docs/training.md
  accelerate launch --config_file examples/scale_out/fsdp2_4gpus.yaml -m agentgen_bench train trl --model PATH \\
      --envs webshop=1,alfworld=1 --max-prompt-tokens 4096 --output runs/mixture
"""
LEVELS, EPISODES = 1000, 100  # of a demonstrator, of a stage
# Settings of the single-file trainer that mean nothing to TRL's.
OTHER_ENGINES = (
    "model",
    "output",
    "sampler",
    "sampler_batch",
    "vllm_memory",
    "lora_alpha",
    "attention",
    "packing",
    "cross_input_every",
)


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the verb with its two trainers."""
    parser = subparsers.add_parser(
        "train",
        help="train a model: behaviour cloning (sft), reinforcement learning (grpo, trl)",
        description="Train a model on the environments; every checkpoint is a folder that evaluate takes.",
        epilog="examples:\n  agentgen-bench train sft --model models/tiny --data data/sokoban --output runs/sft\n"
        "  agentgen-bench train grpo --model runs/sft/checkpoint-000500 --envs sokoban --output runs/grpo",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    trainers = parser.add_subparsers(metavar="TRAINER", required=True, help="sft, grpo or trl; each has its own --help")
    sft = trainers.add_parser(
        "sft",
        help="behaviour cloning on recorded demonstrations",
        description="Make the completions of demonstrations (see collect) more likely.",
        epilog=SFT_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    _fill_sft(sft)
    grpo = trainers.add_parser(
        "grpo",
        help="reinforcement learning with GRPO",
        description="Play levels in groups and make the better episodes of each group more likely.",
        epilog=GRPO_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    _fill_grpo(grpo)
    trl = trainers.add_parser(
        "trl",
        help="GRPO on many GPUs: vLLM servers and TRL's asynchronous trainer",
        description="Play in processes of their own against a vLLM server, while TRL's asynchronous trainer learns "
        "from what they finish. --steps counts optimizer steps of --mini-batch rows.",
        epilog=TRL_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    _fill_trl(trl)


def _fill_sft(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--data", metavar="DIR", action="append", help="demonstrations, as collect writes them")
    group = parser.add_argument_group("demonstrations recorded first", "beside the run, in OUTPUT-demonstrations")
    group.add_argument("--demonstrator", choices=DEMONSTRATORS, help="who plays them, by name; needs --envs")
    group.add_argument("--levels", type=integer(1), help=f"levels of each environment (default: {LEVELS})")
    add_environment_options(parser, "envs")
    add_prompt_options(parser)
    parser.add_argument("--mix", metavar="LIST", help="weights of environments, such as sciworld=19,alfworld=3")
    _add_common(parser)
    add_config_options(parser, SftConfig, skip=("model", "output"))
    parser.set_defaults(run=_run_sft)


def _fill_grpo(parser: argparse.ArgumentParser) -> None:
    add_environment_options(parser, "envs")
    parser.add_argument("--curriculum", metavar="LIST", help="environments to train on one after the other")
    parser.add_argument("--seeds", metavar="LIST", type=listed, help="several runs, in DIR/seed-N: 0,1,2")
    parser.add_argument(
        "--episodes",
        type=integer(1),
        help=f"--curriculum: test levels per environment after a stage (default: {EPISODES})",
    )
    add_launcher(parser)
    _add_common(parser)
    add_config_options(parser, GrpoConfig, skip=("model", "output"))
    parser.set_defaults(run=_run_grpo)


def _fill_trl(parser: argparse.ArgumentParser) -> None:
    add_environment_options(parser, "envs")
    _add_common(parser)
    add_config_options(parser, Engine, title="playing and serving")
    add_config_options(parser, GrpoConfig, skip=(*OTHER_ENGINES, *FIXED))
    parser.set_defaults(run=_run_trl)


def _add_common(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--model", metavar="PATH", type=given_text, required=True, help="model folder or hub name to start from"
    )
    parser.add_argument(
        "--output", metavar="DIR", type=given_text, required=True, help="the run's folder: settings, log, checkpoints"
    )
    parser.add_argument("--preset", choices=preset_names(), help="settings to start from; other options change them")
    parser.add_argument(
        "--resume", action="store_true", help="go on from the newest checkpoint in the folder, up to --steps in all"
    )


def _run_sft(args: argparse.Namespace) -> int:
    preset = dict(load_preset(args.preset).sft)
    mix = args.mix or preset.pop("mix", None)
    preset.pop("mix", None)
    settings = {**checked(SftConfig, preset, f"preset {args.preset}"), **given(args, SftConfig)}
    if args.demonstrator and not args.envs:
        raise SpecError("--demonstrator needs --envs: the environments to play, such as sokoban,alfworld")
    if not args.demonstrator:
        _refuse_what_none_plays(args)
    data = [*(args.data or ()), *([_demonstrations(args)] if args.demonstrator else [])]
    settings |= {"model": args.model, "output": args.output, "data": tuple(data)}
    config = SftConfig(**settings, mix=tuple((name.lower(), weight) for name, weight in weighted(mix)) if mix else ())
    check_start(args)
    for path in args.data or ():
        next(read_demonstrations(Path(path)), None)
    trainer = _trainer("sft")
    if args.demonstrator:
        _record_demonstrations(args)
    with _how_to_go_on(config.output):
        path = trainer.train(config, resume=args.resume)
    if _is_first_process():
        print(path)
    return 0


def _refuse_what_none_plays(args: argparse.Namespace) -> None:
    """Raise SpecError for an option that says what a demonstrator plays or reads, where there is none."""
    played = {"envs": args.envs, **spec_changes(args), "set": args.set or None, "levels": args.levels}
    usual = {field.name: getattr(DEFAULT_PROMPT, field.name) or None for field in fields(PromptConfig)}
    asked = [name for name, value in played.items() if value is not None]
    asked += [name for name in usual if (getattr(args, name) or None) != usual[name]]
    if asked:
        raise SpecError(
            f"--{asked[0].replace('_', '-')} says what a demonstrator plays, and --data is used as it is; "
            "name who plays with --demonstrator, or leave it out"
        )


def _demonstrations(args: argparse.Namespace) -> str:
    return f"{args.output.rstrip('/')}-demonstrations"


def _record_demonstrations(args: argparse.Namespace) -> None:
    """Record the demonstrations that the options ask for, where that is not done; of several processes one does.

    Raises:
        RunError: those that are there are of other options.
    """
    folder = Path(_demonstrations(args))
    presets = load_preset(args.preset).environments
    specs = [source.spec for source in sources(weighted(args.envs), spec_changes(args), args.set, presets)]
    plan, policy, prompt = single_plan(specs, args.levels or LEVELS), args.demonstrator, prompt_from_args(args)
    folder.mkdir(parents=True, exist_ok=True)
    with lock_folder(folder, _say_once):
        if not (folder / SAMPLES).exists():
            _record(plan, policy, prompt, folder)
        recorded = read_manifest(folder)
    asked = {"plan": plan.to_json(), "demonstrator": policy, "prompt": prompt.to_json()}
    there = {"plan": recorded["plan"], "demonstrator": recorded["policy"]["name"], "prompt": recorded["prompt"]}
    if changed := [name for name in asked if json.loads(json.dumps(asked[name])) != there[name]]:
        raise RunError(
            f"{folder} holds other demonstrations: {', '.join(changed)} differ; remove it, or choose another --output"
        )


def _record(plan: Plan, demonstrator: str, prompt: PromptConfig, folder: Path) -> None:
    progress = Progress(plan.n_episodes, show=True)
    try:
        collected = collect(
            plan,
            scripted_policy(demonstrator),
            prompt,
            folder,
            resume=True,
            on_start=progress.start,
            on_episode=progress.episode,
        )
    except KeyboardInterrupt:
        progress.close()
        _say_once(f"\nthe demonstrations so far are in {folder}; the same command goes on")
        raise
    finally:
        progress.close()
    used = f"{collected.samples} rows of {collected.used} of {collected.episodes} episodes"
    print(f"{collected.path}: {used}", file=sys.stderr)


def _trainer(name: str) -> Any:
    """Return a trainer's module; raises MissingDependencyError where what it needs is not installed."""
    try:
        return import_module(f"agentgen_bench.train.{name}")
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("agentgen_bench"):
            raise
        raise MissingDependencyError(INSTALL_TRAIN) from None


def check_start(args: argparse.Namespace) -> None:
    """Raise where the run's folder cannot be written, or there is no such model; before torch is loaded."""
    check_folder(Path(args.output))
    expanded(args.model)  # raises for the home of a user that is not here
    if names_a_folder(args.model):
        open_checkpoint(args.model)


def _run_grpo(args: argparse.Namespace) -> int:
    if bool(args.envs) == bool(args.curriculum):
        raise SpecError("name what to train on: either --envs LIST or --curriculum LIST")
    if args.episodes is not None and not args.curriculum:
        raise SpecError("--episodes are those after each stage of a --curriculum; leave it out")
    if args.seeds is not None and hasattr(args, "seed"):
        raise SpecError("--seed and --seeds exclude each other; name one seed or several")
    config = _grpo_config(args, args.envs or args.curriculum, {})
    check_start(args)
    if args.curriculum:
        return _curriculum(args, config)
    for own in [config] if args.seeds is None else [_with_seed(config, seed) for seed in _seeds(args.seeds)]:
        _announce(own)
        with _how_to_go_on(own.output):
            if args.launcher:
                launch(own, args.resume, args.launcher)
            elif own.sampler == "vllm" and len(args.seeds or ()) > 1:
                in_own_process(partial(_trainer("grpo").train, own, resume=args.resume))
            else:
                _trainer("grpo").train(own, resume=args.resume)
        if _is_first_process():
            for what in diagnosis(read_log(Path(own.output))):
                print(f"health: {what}", file=sys.stderr)
            print(checkpoint_path(Path(own.output), own.steps))
    return 0


def _grpo_config(args: argparse.Namespace, names: str, above_preset: Mapping[str, Any]) -> GrpoConfig:
    """Return the settings: options stand above `above_preset`, that above the preset, that above the defaults."""
    preset = load_preset(args.preset)
    chosen = sources(weighted(names), spec_changes(args), args.set, preset.environments)
    settings = {**checked(GrpoConfig, preset.grpo, f"preset {args.preset}"), **above_preset}
    own = given(args, GrpoConfig)
    if "system_prompt" in own:
        own["system_prompt"] = system_prompt(own["system_prompt"])
    settings |= {**own, "model": args.model, "output": args.output}
    return GrpoConfig(**settings, sources=chosen)


def _run_trl(args: argparse.Namespace) -> int:
    if not args.envs:
        raise SpecError("name what to train on: --envs LIST")
    preset = load_preset(args.preset).grpo
    for name, value in FIXED.items():
        if preset.get(name, value) != value:
            _say_once(
                f"{name} is {value!r}, not the preset's {preset[name]!r}: TRL's asynchronous trainer has no other"
            )
    config = _grpo_config(args, args.envs, FIXED)
    engine = Engine(**given(args, Engine))
    check_settings(config)
    check_start(args)
    names = ", ".join(source.spec.label for source in config.sources)
    _say_once(
        f"TRL: {config.steps} optimizer steps of {config.mini_batch} rows from {names}, played by "
        f"{engine.play_processes} processes against {engine.server}; {config.model} -> {config.output}"
    )
    with _how_to_go_on(config.output):
        path = _trainer("trl_async").train(config, engine, resume=args.resume)
    if _is_first_process():
        print(path)
    return 0


def _seeds(texts: Sequence[str]) -> tuple[int, ...]:
    """Return the seeds of --seeds, all checked before the first trains."""
    seeds = tuple(int(text) for text in texts if text.isdecimal())
    if not seeds or len(set(seeds)) < len(texts):
        raise SpecError(f"--seeds holds {','.join(texts)!r}; it takes different whole numbers, such as 0,1,2")
    return seeds


def _with_seed(config: GrpoConfig, seed: int) -> GrpoConfig:
    return replace(config, seed=seed, output=str(Path(config.output) / f"seed-{seed}"))


@contextmanager
def _how_to_go_on(output: str) -> Iterator[None]:
    """Say on Ctrl-C how the run is taken up again."""
    try:
        yield
    except KeyboardInterrupt:
        _say_once(f"\ncheckpoints are in {output}; the same command with --resume goes on")
        raise


def _announce(config: Any) -> None:
    rollouts = config.steps * config.levels_per_step * config.group_size
    names = ", ".join(f"{source.spec.label} (weight {source.weight:g})" for source in config.sources)
    _say_once(
        f"GRPO: {config.steps} steps of {config.levels_per_step} levels x {config.group_size} episodes = "
        f"{rollouts} episodes of {names}; {config.model} -> {config.output}"
    )


def _is_first_process() -> bool:
    """Return whether this is the first of the processes that a launcher started, or the only one."""
    return os.environ.get("RANK", "0") == "0"


def _say_once(line: str) -> None:
    if _is_first_process():
        sys.stderr.write(line + "\n")


def _curriculum(args: argparse.Namespace, config: Any) -> int:
    from agentgen_bench.cli.study import run_plan
    from agentgen_bench.train.study_file import curriculum_plan

    if any(source.weight != 1 for source in config.sources):
        raise SpecError("--curriculum trains on one environment after the other; leave out the weights")
    seeds = (config.seed,) if args.seeds is None else _seeds(args.seeds)
    plan = curriculum_plan(config, seeds, args.episodes or EPISODES)
    if (Path(args.output) / "study.json").exists() and not args.resume:
        raise RunError(f"{args.output} already holds a curriculum; add --resume to go on with it")
    return run_plan(plan, Path(args.output), args.launcher)
