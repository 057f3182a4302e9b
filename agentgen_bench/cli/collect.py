"""agentgen-bench collect: record demonstrations of a scripted policy or of a model, for behaviour cloning."""

import argparse
import shlex
import sys
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path

from agentgen_bench.address import shown_command
from agentgen_bench.cli.evaluate import add_resume_options, require_resume
from agentgen_bench.cli.going_on import going_on
from agentgen_bench.cli.options import given_path, integer, refuse_others
from agentgen_bench.cli.outputs import check_folder, check_run_folder, distinguished, flat_name
from agentgen_bench.cli.policy_options import (
    add_policy_options,
    check_policy,
    policy_from_args,
    policy_label,
    policy_settings,
)
from agentgen_bench.cli.progress import Progress, say
from agentgen_bench.cli.prompt_options import add_prompt_options, prompt_from_args
from agentgen_bench.cli.training_options import add_environment_options, spec_changes
from agentgen_bench.errors import SpecError
from agentgen_bench.evaluation.answers import Answers
from agentgen_bench.evaluation.plan import single_plan
from agentgen_bench.policies.base import Decision
from agentgen_bench.policies.names import DEMONSTRATOR
from agentgen_bench.prompts import PromptConfig
from agentgen_bench.rollout import DEFAULT_WORKERS
from agentgen_bench.train.choices import sources
from agentgen_bench.train.collect import Collected, collect, collect_from
from agentgen_bench.train.demonstrations import COLLECTING
from agentgen_bench.train.settings import weighted

EXAMPLES = """examples:
  agentgen-bench collect --envs sokoban,alfworld --levels 500 --history-length 50 --output data/shown
      what each family's demonstrator does on 500 training levels, and why; it needs what the prompts show, no more
  agentgen-bench collect --model PATH --envs webshop --levels 1000 --temperature 1 --output data/own
      what a model did on the levels that it solved (rejection sampling)
  agentgen-bench collect --from data/shown --protocol chat --no-thinking --output data/shown-as-chats
      write the demonstrations of a recorded run anew, under other prompt settings
"""
OF_A_RECORD = {"recorded", "output", "unsolved", "quiet", *(field.name for field in fields(PromptConfig))}


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the verb and its options."""
    parser = subparsers.add_parser(
        "collect",
        help="record demonstrations of a scripted policy or of a model, to train on",
        description="Play levels of the training split and write the steps of solved episodes to samples.jsonl, in "
        "the conversational prompt-completion format. Without --model and --policy each family's demonstrator plays; "
        "one whose answers rest on what the prompt does not show is refused. The oracle is not: it knows what no "
        "prompt shows, and a model that clones it learns to guess.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_environment_options(parser, "envs")
    add_policy_options(parser)
    add_prompt_options(parser)
    group = parser.add_argument_group("run")
    group.add_argument("--levels", type=integer(1), default=100, help="levels of each environment (default: 100)")
    group.add_argument(
        "--unsolved",
        action="store_true",
        help="use the steps of unsolved episodes too; of packs, which are used task by task, those of unsolved tasks",
    )
    group.add_argument(
        "--from", dest="recorded", metavar="RUN", type=given_path, help="use the episodes of a recorded run"
    )
    group.add_argument(
        "--output",
        metavar="DIR",
        type=given_path,
        help="the run folder (default: runs/collected_<policy>, with a digest behind it of what else was chosen); with "
        "--from the folder of samples.jsonl (default: that of the run, where it replaces the run's own)",
    )
    add_resume_options(group)
    group.add_argument("--workers", type=integer(1), default=DEFAULT_WORKERS, help="environments at once (default: 32)")
    group.add_argument("--quiet", action="store_true", help="no progress bar")
    parser.set_defaults(run=run, policy=None)


def run(args: argparse.Namespace) -> int:
    """Collect, and say how much."""
    prompt = prompt_from_args(args)
    if args.recorded is not None:
        refuse_others(
            add_parser, args, "--from", OF_A_RECORD, "the run was played, and its episodes are used as they are"
        )
        check_folder(args.output or args.recorded)
        _report(collect_from(args.recorded, prompt, not args.unsolved, args.output))
        return 0
    require_resume(args)
    if not args.envs:
        raise SpecError("--envs is missing; name environments such as sokoban,alfworld, or a recorded run with --from")
    if not args.policy and not args.model and not args.agent:
        args.policy = DEMONSTRATOR
    chosen = sources(weighted(args.envs), spec_changes(args), args.set, purpose=COLLECTING)
    plan = single_plan([source.spec for source in chosen], args.levels)
    check_policy(args)
    output = args.output or Path("runs") / distinguished(
        flat_name("collected", policy_label(args)),
        {**policy_settings(args), "plan": plan.to_json(), "prompt": prompt.to_json(), "unsolved": args.unsolved},
    )
    check_run_folder(output, args.resume)
    policy = policy_from_args(args, prompt)
    print(
        f"{plan.n_episodes} episodes in {len(plan.cells)} settings, policy {policy.name}, into {output}",
        file=sys.stderr,
    )
    progress = Progress(plan.n_episodes, show=not args.quiet)
    answers = Answers(args.max_tokens, prompt.thinking) if args.model else None

    def on_decisions(batch: Sequence[Decision]) -> None:
        progress.decisions(batch)
        if answers is not None and (trouble := answers.count(batch)) is not None:
            say(trouble)

    command = shlex.join(["agentgen-bench", *shown_command(args.words)])
    with going_on(command, output, progress):
        collected = collect(
            plan,
            policy,
            prompt,
            output,
            only_solved=not args.unsolved,
            workers=args.workers,
            resume=args.resume,
            retry_errors=args.retry_errors,
            command=command,
            on_start=progress.start,
            on_episode=progress.episode,
            on_decisions=on_decisions,
        )
    _report(collected)
    return 0


def _report(collected: Collected) -> None:
    print(f"{collected.path}: {collected.samples} steps of {collected.used} of {collected.episodes} episodes")
