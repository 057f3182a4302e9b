"""agentgen-bench study: run a whole design from one file: initial policy, training, evaluations, scores."""

import argparse
import os
import shlex
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from agentgen_bench.cli.options import given_path
from agentgen_bench.cli.outputs import check_folder, distinguished, flat_name
from agentgen_bench.cli.table import aligned
from agentgen_bench.errors import MissingDependencyError, SpecError
from agentgen_bench.train.models import INSTALL

if TYPE_CHECKING:
    from agentgen_bench.train.estimates import Estimate
    from agentgen_bench.train.study_file import StudyPlan

EXAMPLES = """examples:
  agentgen-bench study examples/studies/transfer-tiny.yaml --dry-run
  agentgen-bench study examples/studies/transfer-tiny.yaml --output runs/transfer-tiny
      the same command again goes on where it stopped
  agentgen-bench study examples/studies/transfer-tiny.yaml --only initial,on-sokoban
  agentgen-bench study examples/studies/transfer-smoke.yaml --output runs/smoke --fresh "drand 4812345"
      its policies on levels that nobody knew before that string was published
  agentgen-bench study examples/studies/transfer.yaml --launcher 'accelerate launch --num_processes 8'
"""


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the verb and its options."""
    parser = subparsers.add_parser(
        "study",
        help="run a whole design from one file: training on each source, evaluations, scores",
        description="Run a study: make or take the initial policy, train on each source, evaluate every policy on "
        "every environment, compute the scores. Says first how much it will play; resumes by itself.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("file", metavar="FILE", type=given_path, help="the study, in YAML; see examples/studies")
    parser.add_argument(
        "--output",
        metavar="DIR",
        type=given_path,
        help="the study's folder (default: runs/<name of FILE>, and a digest where another study is in there)",
    )
    parser.add_argument(
        "--only",
        metavar="LIST",
        type=lambda text: text.split(","),
        default=[],
        help="a piece of the study: policies by name, one seed of one (NAME-seed-0), or initial; several processes may "
        "each run one at a time, and the command without it then ends with the scores",
    )
    parser.add_argument(
        "--fresh",
        metavar="TEXT",
        help="play every policy of the study, which was run before, on levels drawn from this public string: into "
        "DIR/fresh-..., for submit --fresh (docs/fresh.md)",
    )
    parser.add_argument("--dry-run", action="store_true", help="print what would be played, and stop")
    add_launcher(parser)
    parser.set_defaults(run=run)


def add_launcher(parser: argparse.ArgumentParser) -> None:
    """Add the option that starts trainings in several processes."""
    parser.add_argument(
        "--launcher",
        metavar="COMMAND",
        type=shlex.split,
        default=[],
        help="what starts the processes of each GRPO training, such as 'accelerate launch --num_processes 8' "
        "(default: none, one process)",
    )


def run(args: argparse.Namespace) -> int:
    """Run the study, or say how much it would play."""
    from agentgen_bench.train.study import check_settings
    from agentgen_bench.train.study_file import read_plan

    plan = read_plan(args.file)
    check_settings(plan)
    output = args.output or _default_folder(args.file, plan)
    if args.fresh is None:
        return run_plan(plan, output, args.launcher, args.dry_run, args.only)
    if args.dry_run:
        raise SpecError("--fresh plays a study that was run; leave out --dry-run")
    from agentgen_bench.train.study_fresh import play_fresh

    print(play_fresh(plan, output, args.fresh, _say, args.only))
    return 0


def _default_folder(file: Path, plan: "StudyPlan") -> Path:
    """Return runs/NAME of the file; where another study is in there, that with a digest of this one behind it."""
    from agentgen_bench.train.study import holds_another

    folder = Path("runs") / flat_name(file.stem)
    return folder.with_name(distinguished(folder.name, plan.to_json())) if holds_another(folder, plan) else folder


def run_plan(
    plan: "StudyPlan", output: Path, launcher: Sequence[str], dry_run: bool = False, only: Sequence[str] = ()
) -> int:
    """Say how much the plan plays, run it, print its scores and write them to scores.json."""
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise SpecError("a study runs in one process and starts its trainings itself; give --launcher 'COMMAND' to it")
    from agentgen_bench.cli import main
    from agentgen_bench.train.study import measured_tokens_per_s, parts, run_study

    speed = plan.tokens_per_s or measured_tokens_per_s(output)
    rows = [(part.label, part.estimate) for part in parts(plan)]
    _print_expected(rows, speed)
    if dry_run:
        return 0
    check_folder(output)
    if find_spec("torch") is None:
        raise MissingDependencyError(INSTALL)
    path = run_study(plan, output, _say, launcher, only)
    _say(f"runs, checkpoints{'' if path is None else ' and scores'} are in {output}")
    if path is None:
        return 0
    return main(["score", "--study", str(path), "--output", str(output / "scores.json")])


def _print_expected(rows: "list[tuple[str, Estimate]]", tokens_per_s: float | None) -> None:
    """Print episodes, tokens and hours, part by part; upper bounds, as random play rarely ends early."""
    total = rows[0][1]
    for _, one in rows[1:]:
        total = total + one
    table = [("part", "episodes", "tokens at most about", "hours")]
    for label, one in [*rows, ("all", total)]:
        hours = "?" if tokens_per_s is None else f"{one.tokens / tokens_per_s / 3600:.2f}"
        table.append((label, str(one.rollouts), f"{one.tokens:.2g}", hours))
    print("\n".join(aligned(table)), file=sys.stderr)
    if tokens_per_s is None:
        _say("hours are unknown before a first step; give tokens_per_s in the file, or look again once it runs")


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
