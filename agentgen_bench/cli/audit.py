"""agentgen-bench audit: check the leaderboard's audit trail; rescore or remove an entry, with the reason on record."""

import argparse
import sys
from datetime import UTC, datetime
from pathlib import Path

from agentgen_bench.errors import EntryError
from agentgen_bench.leaderboard.amend import remove, rescore
from agentgen_bench.leaderboard.audit import AUDIT, audit_problems, read_audit

EXAMPLES = """examples:
  agentgen-bench audit check
  agentgen-bench audit rescore leaderboards/core-v1/20260131_My-Lab__my-model-4b --reason "intervals of version 0.2"
  agentgen-bench audit remove leaderboards/core-v1/20260131_My-Lab__my-model-4b --reason "trained on test levels"
"""


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the verb, its subcommands and their options."""
    parser = subparsers.add_parser(
        "audit",
        help="check the leaderboard's audit trail; rescore or remove an entry (maintainers)",
        description="Check the audit trail, or do to an entry what must be on record with its reason.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    check = commands.add_parser("check", help="compare the trail with the folders")
    check.add_argument(
        "--leaderboards", metavar="DIR", type=Path, default=Path("leaderboards"), help="default: leaderboards"
    )
    check.set_defaults(run=run_check)
    for name, text, action in (
        ("rescore", "compute an entry's results anew with this version, and record why", run_rescore),
        ("remove", "delete an entry's folder, and record why", run_remove),
    ):
        command = commands.add_parser(name, help=text)
        command.add_argument("path", metavar="ENTRY", type=Path, help="the entry's folder")
        command.add_argument("--reason", metavar="TEXT", required=True, help="one line, published in the trail")
        command.set_defaults(run=action)


def run_check(args: argparse.Namespace) -> int:
    """Print where trail and folders disagree; 1 where they do."""
    if not args.leaderboards.is_dir():
        raise EntryError(f"{args.leaderboards} is not a folder of leaderboards")
    problems = audit_problems(args.leaderboards)
    for problem in problems:
        print(problem)
    if not problems:
        print(f"{args.leaderboards / AUDIT}: {len(read_audit(args.leaderboards))} records, all in keeping")
    return 1 if problems else 0


def run_rescore(args: argparse.Namespace) -> int:
    """Rescore one entry and print what changed."""
    print(f"{args.path}: {rescore(args.path, args.reason, _today())}")
    print("its trust is now claimed; verify --record replays it, leaderboard --update shows it", file=sys.stderr)
    return 0


def run_remove(args: argparse.Namespace) -> int:
    """Remove one entry."""
    remove(args.path, args.reason, _today())
    print(f"{args.path}: removed, and on record; git keeps its files", file=sys.stderr)
    print("leaderboard --update takes it off the tables", file=sys.stderr)
    return 0


def _today() -> str:
    return datetime.now(UTC).date().isoformat()
