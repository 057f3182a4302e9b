"""agentgen-bench train: behaviour cloning (sft) and reinforcement learning (grpo)."""

import argparse
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from agentgen_bench.cli.options import integer, listed
from agentgen_bench.cli.training_options import (
    LazyParser,
    add_config_options,
    add_environment_options,
    given,
    spec_changes,
)
from agentgen_bench.errors import RunError, SpecError
from agentgen_bench.train.choices import checked, sources
from agentgen_bench.train.presets import load_preset, preset_names
from agentgen_bench.train.settings import weighted

SFT_EXAMPLES = """examples:
  agentgen-bench collect --envs sokoban --levels 2000 --no-thinking --output data/oracle
  agentgen-bench train sft --model models/tiny --data data/oracle --steps 500 --learning-rate 1e-3 --output runs/sft
  agentgen-bench train sft --model PATH --data data/a --data data/b --mix sciworld=19,alfworld=3,webshop=1
"""
GRPO_EXAMPLES = """examples:
  agentgen-bench train grpo --preset paper-2601.18217 --model PATH --envs webshop --output runs/webshop
  agentgen-bench train grpo --model PATH --envs sokoban=2,alfworld=1 --distractors paper-v1 --output runs/mixture
  agentgen-bench train grpo --model PATH --curriculum sokoban,webshop,alfworld --output runs/sequence
      one stage after the other, all environments evaluated after each; writes the matrix and the forgetting scores
  accelerate launch --num_processes 8 -m agentgen_bench train grpo --model PATH --envs sciworld --sampler vllm
      several GPUs: each plays its own levels and they share the update
"""


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the verb with its two trainers."""
    parser = subparsers.add_parser(
        "train",
        help="train a model: behaviour cloning (sft), reinforcement learning (grpo)",
        description="Train a model on the environments; every checkpoint is a folder that evaluate takes.",
        epilog="examples:\n  agentgen-bench train sft --model models/tiny --data data/oracle --output runs/sft\n"
        "  agentgen-bench train grpo --model runs/sft/checkpoint-000500 --envs sokoban --output runs/grpo",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    trainers = parser.add_subparsers(
        metavar="TRAINER", required=True, parser_class=LazyParser, help="sft or grpo; each has its own --help"
    )
    sft = trainers.add_parser(
        "sft",
        help="behaviour cloning on recorded demonstrations",
        description="Make the completions of demonstrations (see collect) more likely.",
        epilog=SFT_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    sft.fill = _fill_sft
    grpo = trainers.add_parser(
        "grpo",
        help="reinforcement learning with GRPO",
        description="Play levels in groups and make the better episodes of each group more likely.",
        epilog=GRPO_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    grpo.fill = _fill_grpo


def _fill_sft(parser: LazyParser) -> None:
    from agentgen_bench.train.sft import Config

    parser.add_argument("--data", metavar="DIR", action="append", help="demonstrations; may be repeated (required)")
    parser.add_argument("--mix", metavar="LIST", help="weights of environments, such as sciworld=19,alfworld=3")
    _add_common(parser)
    add_config_options(parser, Config, skip=("model", "output"))
    parser.set_defaults(run=_run_sft)


def _fill_grpo(parser: LazyParser) -> None:
    from agentgen_bench.train.grpo import Config

    add_environment_options(parser, "envs")
    parser.add_argument("--curriculum", metavar="LIST", help="environments to train on one after the other")
    parser.add_argument("--seeds", metavar="LIST", type=listed, help="several runs, in DIR/seed-N: 0,1,2")
    parser.add_argument(
        "--episodes", type=integer(1), help="--curriculum: test levels per environment after a stage (default: 100)"
    )
    _add_common(parser)
    add_config_options(parser, Config, skip=("model", "output"))
    parser.set_defaults(run=_run_grpo)


def _add_common(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--model", metavar="PATH", required=True, help="model folder or hub name to start from")
    parser.add_argument("--output", metavar="DIR", required=True, help="the run's folder: settings, log, checkpoints")
    parser.add_argument("--preset", choices=preset_names(), help="settings to start from; other options change them")
    parser.add_argument("--resume", action="store_true", help="go on from the newest checkpoint in the folder")


def _run_sft(args: argparse.Namespace) -> int:
    from agentgen_bench.train import sft

    preset = dict(load_preset(args.preset)["sft"]) if args.preset else {}
    mix = args.mix or preset.pop("mix", None)
    preset.pop("mix", None)
    settings = {**checked(sft.Config, preset, f"preset {args.preset}"), **given(args, sft.Config)}
    settings |= {"model": args.model, "output": args.output, "data": tuple(args.data or ())}
    config = sft.Config(**settings, mix=tuple((name.lower(), weight) for name, weight in weighted(mix)) if mix else ())
    print(sft.train(config, resume=args.resume))
    return 0


def _run_grpo(args: argparse.Namespace) -> int:
    from agentgen_bench.train import grpo

    if bool(args.envs) == bool(args.curriculum):
        raise SpecError("name what to train on: either --envs LIST or --curriculum LIST")
    preset = load_preset(args.preset) if args.preset else {"grpo": {}, "environments": {}}
    chosen = sources(weighted(args.envs or args.curriculum), spec_changes(args), args.set, preset["environments"])
    settings = {**checked(grpo.Config, preset["grpo"], f"preset {args.preset}"), **given(args, grpo.Config)}
    settings |= {"model": args.model, "output": args.output}
    config = grpo.Config(**settings, sources=chosen)
    if args.curriculum:
        return _curriculum(args, config)
    for seed in args.seeds or [None]:
        own = config if seed is None else _with_seed(config, seed)
        _announce(own)
        print(_trained(own, args.resume))
    return 0


def _with_seed(config: Any, text: str) -> Any:
    try:
        seed = int(text)
    except ValueError:
        raise SpecError(f"--seeds holds {text!r}; it takes whole numbers, such as 0,1,2") from None
    return replace(config, seed=seed, output=str(Path(config.output) / f"seed-{seed}"))


def _trained(config: Any, resume: bool) -> Path:
    from agentgen_bench.train import grpo

    try:
        return grpo.train(config, resume=resume)
    except KeyboardInterrupt:
        sys.stderr.write(f"\ncheckpoints are in {config.output}; the same command with --resume goes on\n")
        raise


def _announce(config: Any) -> None:
    rollouts = config.steps * config.levels_per_step * config.group_size
    names = ", ".join(f"{source.spec.label} (weight {source.weight:g})" for source in config.sources)
    sys.stderr.write(
        f"GRPO: {config.steps} steps of {config.levels_per_step} levels x {config.group_size} episodes = "
        f"{rollouts} episodes of {names}; {config.model} -> {config.output}\n"
    )


def _curriculum(args: argparse.Namespace, config: Any) -> int:
    from agentgen_bench.cli.study import run_plan
    from agentgen_bench.train.study_file import curriculum_plan

    if args.seeds and not all(seed.isdigit() for seed in args.seeds):
        raise SpecError(f"--seeds holds {','.join(args.seeds)!r}; it takes whole numbers, such as 0,1,2")
    seeds = tuple(int(seed) for seed in args.seeds) if args.seeds else (config.seed,)
    plan = curriculum_plan(config, seeds, args.episodes or 100)
    if (Path(args.output) / "study.json").exists() and not args.resume:
        raise RunError(f"{args.output} already holds a curriculum; add --resume to go on with it")
    return run_plan(plan, Path(args.output))
