"""agentgen-bench evaluate: play a suite or environments with a policy, record every episode, print the results."""

import argparse
import json
import shlex
import sys
from collections.abc import Sequence
from contextlib import redirect_stderr
from dataclasses import replace
from pathlib import Path

from agentgen_bench.address import shown_command
from agentgen_bench.cli.going_on import going_on
from agentgen_bench.cli.harness_grid import add_grid_option, grid_from_args, run_grid
from agentgen_bench.cli.options import given_path, given_text, integer, knob, listed, require_one_source
from agentgen_bench.cli.outputs import check_grid_folder, check_run_folder, distinguished, flat_name
from agentgen_bench.cli.policy_options import (
    add_policy_options,
    check_policy,
    policy_from_args,
    policy_label,
    policy_settings,
)
from agentgen_bench.cli.progress import Progress, say
from agentgen_bench.cli.prompt_options import add_prompt_options, prompt_from_args
from agentgen_bench.cli.table import n_crashed, results_table
from agentgen_bench.errors import AgentGenError, SpecError, UnavailableError
from agentgen_bench.evaluation.answers import Answers
from agentgen_bench.evaluation.folder import RunResultsJson, read_manifest
from agentgen_bench.evaluation.fresh import fresh_suite
from agentgen_bench.evaluation.plan import Plan, crossed, limited, single_plan, suite_plan
from agentgen_bench.evaluation.run import check_makeable, check_playable, evaluate
from agentgen_bench.policies.base import Decision, Player
from agentgen_bench.prompts import PromptConfig
from agentgen_bench.rollout import DEFAULT_WORKERS
from agentgen_bench.spec import TaskSpec
from agentgen_bench.suites import Cell, load_suite, suite_names

EXAMPLES = """examples:
  agentgen-bench evaluate
      play the smoke suite with the random policy; nothing to download
  agentgen-bench evaluate --model PATH --suite core-v1 --temperature 0.4 --output runs/mine
      evaluate a Hugging Face model folder with vLLM, or with transformers where vLLM is not installed
  agentgen-bench evaluate --model PATH --suite core-v1 --fresh "drand 4812345" --output runs/mine-fresh
      the same settings on levels that nobody knew before that string was published
  agentgen-bench evaluate --base-url http://localhost:8000/v1 --model NAME --env AgentGen/Sokoban-rich-v0
      evaluate whatever an OpenAI-compatible server serves
  agentgen-bench evaluate --model PATH --harness-grid protocol=window,chat action-hints=templates,full
      one model under four harnesses on the same levels; the model is loaded once
  agentgen-bench evaluate --agent my_agent.py:Agent --suite core-v1
      evaluate an agent of your own (docs/agents.md)
"""
DEFAULT_EPISODES = 100
CROSSED = ("richness", "distractors", "interface", "lifecycle", "faults")


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the verb and its options."""
    parser = subparsers.add_parser(
        "evaluate",
        help="play a suite or environments with a policy and record every episode",
        description="Play a suite or environments with a policy, record every episode, print success rates.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_policy_options(parser)
    add_environment_options(parser)
    add_prompt_options(parser)
    add_grid_option(parser)
    _add_run_options(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Evaluate; returns 0, or 1 where an episode ended in an error."""
    require_resume(args)
    plan = plan_from_args(args)
    prompt = prompt_from_args(args)
    grid = None if args.harness_grid is None else grid_from_args(args, prompt)
    if args.dry_run:
        return _dry_run(args, plan, 1 if grid is None else len(grid.harnesses))
    # Mistakes first, the quick checks before the slow: no hours, and no loading of a model, for a wrong option.
    check_makeable(plan)
    check_policy(args)
    output = args.output or default_folder(args)
    if grid is None:
        check_run_folder(output, args.resume)
    else:
        check_grid_folder(output)
    if args.model or args.agent:
        check_playable(plan)
    policy = policy_from_args(args, prompt)
    if grid is not None:
        return run_grid(
            args, grid, policy, output, lambda policy, prompt, folder: _played(args, plan, policy, prompt, folder)
        )
    summary = _played(args, plan, policy, prompt, output)
    print(json.dumps(summary, indent=2) if args.json else results_table(summary))
    print(f"episodes, results and settings are in {output}", file=sys.stderr)
    return 1 if n_crashed(summary) else 0


def default_folder(args: argparse.Namespace) -> Path:
    """Return runs/SUITE_POLICY; where another run is in there, that with a digest of this one's settings behind it."""
    levels = args.suite or ("custom" if args.env else "smoke")
    folder = Path("runs") / flat_name(levels if args.fresh is None else f"{levels}-fresh", policy_label(args))
    settings = _deciding(args)
    is_free = not args.harness_grid and (not folder.exists() or _recorded(folder) == settings)
    return folder if is_free else folder.with_name(distinguished(folder.name, settings))


def _deciding(args: argparse.Namespace) -> dict[str, object]:
    """Return what makes a run another run, as far as the options tell."""
    own = {name: getattr(args, name) for name in ("compact", "harness_grid")}
    return {
        **policy_settings(args),
        **own,
        "plan": plan_from_args(args).to_json(),
        "prompt": prompt_from_args(args).to_json(),
    }


def _recorded(folder: Path) -> dict[str, object] | None:
    """Return the same of the run in a folder, by the command that it records; None where none can be told."""
    from agentgen_bench.cli import build_parser

    try:
        with redirect_stderr(None):
            return _deciding(build_parser("evaluate").parse_args(shlex.split(read_manifest(folder)["command"])[1:]))
    except (AgentGenError, SystemExit, KeyError, ValueError, AttributeError):
        return None


def _played(args: argparse.Namespace, plan: Plan, policy: Player, prompt: PromptConfig, output: Path) -> RunResultsJson:
    """Return the results of one run."""
    command = shlex.join(["agentgen-bench", *shown_command(args.words)])
    _announce(plan, policy, output)
    progress = Progress(plan.n_episodes, show=not args.quiet)
    answers = Answers(args.max_tokens, prompt.thinking) if args.model else None

    def on_decisions(batch: Sequence[Decision]) -> None:
        progress.decisions(batch)
        if answers is not None and (trouble := answers.count(batch)) is not None:
            say(trouble)

    with going_on(command, output, progress):
        summary = evaluate(
            plan,
            policy,
            prompt,
            output,
            workers=args.workers,
            resume=args.resume or args.harness_grid is not None,
            retry_errors=args.retry_errors,
            record_text=not args.compact,
            command=command,
            on_start=progress.start,
            on_episode=progress.episode,
            on_decisions=on_decisions,
        )
    if answers is not None and (marks := answers.marks()) is not None:
        print(marks, file=sys.stderr)
    return summary


def plan_from_args(args: argparse.Namespace, n_episodes: int = DEFAULT_EPISODES) -> Plan:
    """Return the plan the options describe: a suite or environments, crossed with the knobs, limited, repeated.

    `n_episodes` is how many levels of each environment are played where the options do not say.
    """
    require_one_source(args.suite, args.env)
    if args.env:
        if args.fresh is not None:
            raise SpecError("--fresh goes with --suite: it draws levels for the settings of a frozen suite")
        return plan_of_ids(args, args.env, n_episodes)
    for option, value in (("--difficulty", args.difficulty), ("--split", args.split), ("--set", args.set)):
        if value:
            raise SpecError(f"{option} goes with --env; a suite's settings are frozen")
    if args.episodes is not None:
        raise SpecError("--episodes goes with --env; a suite's levels are frozen, --limit plays the first of each cell")
    suite = load_suite(args.suite or "smoke")
    return _crossed(suite_plan(suite if args.fresh is None else fresh_suite(suite, args.fresh), args.repeats), args)


def plan_of_ids(args: argparse.Namespace, env_ids: Sequence[str], n_episodes: int) -> Plan:
    """Return the plan of environments by their ids, with what else the options say of them."""
    twice = [name for name, _ in args.set if name in ("difficulty", "split", *CROSSED) and getattr(args, name)]
    if twice:
        raise SpecError(f"{twice[0]} is given twice, by --{twice[0]} and by --set; leave one out")
    own = {"difficulty": args.difficulty, "split": args.split, **dict(args.set)}
    knobs = {name: value for name, value in own.items() if value is not None}
    specs = [TaskSpec.from_env_id(env_id, **{"split": "test", **knobs}) for env_id in env_ids]
    return _crossed(single_plan(specs, args.episodes or n_episodes, args.repeats), args)


def _crossed(plan: Plan, args: argparse.Namespace) -> Plan:
    """Return the plan with each cell at every choice of the options in CROSSED, and its first levels."""
    choices = {name: getattr(args, name) for name in CROSSED}
    plan = crossed(plan, **{name: values for name, values in choices.items() if values})
    return limited(plan, args.limit) if args.limit else plan


def _announce(plan: Plan, policy: Player, output: Path) -> None:
    print(
        f"{plan.suite_name or 'custom'}: {plan.n_episodes} episodes in {len(plan.cells)} settings, "
        f"policy {policy.name}, into {output}",
        file=sys.stderr,
    )


def _dry_run(args: argparse.Namespace, plan: Plan, n_harnesses: int) -> int:
    """Print what would run, and stop; return 2 where a setting cannot be made here, which the run itself would refuse.

    Each cell's first level tells its step limit.
    """
    times = plan.repeats * n_harnesses
    limits = [_limit_here(plan, cell) for cell in plan.cells]
    code = 2 if None in limits else 0
    cells = [
        {"environment": cell.spec.label, "episodes": len(cell.seeds) * times, "max_steps": limit}
        for cell, limit in zip(plan.cells, limits, strict=True)
    ]
    known = [
        len(cell.seeds) * times * limit for cell, limit in zip(plan.cells, limits, strict=True) if limit is not None
    ]
    most = sum(known) if len(known) == len(limits) else None
    model = args.model or args.agent or args.policy or "random"
    outline = {
        "model": model,
        "episodes": plan.n_episodes * n_harnesses,
        "prompts_at_most": most,
        "environments": cells,
    }
    if args.json:
        print(json.dumps(outline, indent=2))
        return code
    for cell in cells:
        limit = "an unknown number of" if cell["max_steps"] is None else f"about {cell['max_steps']}"
        print(f"{cell['episodes']:>7} episodes of at most {limit} steps  {cell['environment']}")
    prompts = "an unknown number of prompts" if most is None else f"about {most} prompts at most"
    print(f"{plan.n_episodes * n_harnesses:>7} episodes, {prompts}, model {model}; nothing was run")
    return code


def _limit_here(plan: Plan, cell: Cell) -> int | None:
    try:
        (limit,) = check_playable(replace(plan, cells=(cell,)))
    except UnavailableError as error:
        print(f"agentgen-bench: error: {cell.spec.label}: {error}", file=sys.stderr)
        return None
    return limit


def add_environment_options(parser: argparse.ArgumentParser, n_episodes: int = DEFAULT_EPISODES) -> None:
    """Add the options that choose environments; `n_episodes` is the default number of levels of each."""
    group = parser.add_argument_group("environments")
    group.add_argument(
        "--suite", metavar="NAME", type=given_text, help=f"one of: {', '.join(suite_names())} (default: smoke)"
    )
    group.add_argument(
        "--fresh",
        metavar="TEXT",
        type=given_text,
        help="play the suite's settings on test levels drawn from this public string (docs/fresh.md), up to minutes",
    )
    group.add_argument("--env", metavar="ID", action="append", default=[], help="an environment id; may be repeated")
    group.add_argument("--difficulty", type=given_text, help="difficulty for --env (default: the family's own)")
    group.add_argument("--split", type=given_text, help="split for --env (default: test)")
    group.add_argument(
        "--set", metavar="NAME=VALUE", type=knob, action="append", default=[], help="a knob for --env, such as size=8"
    )
    group.add_argument(
        "--episodes",
        type=integer(1),
        help=f"levels per environment for --env (default: {n_episodes}); of a suite --limit plays fewer",
    )
    group.add_argument("--richness", metavar="LIST", type=listed, help="play each cell at these: lean,base,rich")
    group.add_argument("--distractors", metavar="LIST", type=listed, help="play each cell with these: none,paper-v1")
    group.add_argument(
        "--interface", metavar="LIST", type=listed, help="each cell with these: original,synonym,opaque,synonym-both"
    )
    group.add_argument(
        "--lifecycle", metavar="LIST", type=listed, help="each cell as packs of tasks: pack-4,cod-4,cod-4-wiped"
    )
    group.add_argument(
        "--faults", metavar="LIST", type=listed, help="each cell with failing steps: none,actions-v1,mixed:0.2"
    )
    group.add_argument("--limit", type=integer(1), help="play only the first N levels of each cell (default: all)")
    group.add_argument("--repeats", type=integer(1), default=1, help="times each level is played (default: 1)")


def add_resume_options(group: "argparse._ArgumentGroup") -> None:
    """Add the options of going on with a run."""
    group.add_argument("--resume", action="store_true", help="go on with the run in the folder, to the same results")
    group.add_argument(
        "--retry-errors",
        action="store_true",
        help="with --resume: play episodes that ended in an error once more; what they were stays in retried.jsonl",
    )


def require_resume(args: argparse.Namespace) -> None:
    """Raise SpecError where errors are to be played again and the run is not to go on."""
    if args.retry_errors and not args.resume:
        raise SpecError("--retry-errors goes with --resume: it plays again what a run has recorded")


def _add_run_options(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("run")
    group.add_argument(
        "--output",
        metavar="DIR",
        type=given_path,
        help="the run folder (default: runs/<suite>_<policy>, and a digest where another run is in there)",
    )
    add_resume_options(group)
    group.add_argument(
        "--workers",
        type=integer(1),
        default=DEFAULT_WORKERS,
        help="environments played at once, hence prompts in a batch; vLLM has seats for 256 "
        f"(default: {DEFAULT_WORKERS})",
    )
    group.add_argument("--compact", action="store_true", help="record hashes of observations, not their text")
    group.add_argument("--dry-run", action="store_true", help="print what would run, and stop")
    group.add_argument("--json", action="store_true", help="print the results as JSON")
    group.add_argument("--quiet", action="store_true", help="no progress bar")
