"""agentgen-bench audit: check the leaderboard's audit trail; rescore or remove an entry, with the reason on record."""

import argparse
import sys
from datetime import UTC, datetime
from pathlib import Path

from agentgen_bench.cli.options import given_path
from agentgen_bench.errors import AgentGenError, EntryError
from agentgen_bench.leaderboard.amend import remove, rescore
from agentgen_bench.leaderboard.audit import AUDIT, audit_problems, entry_name, read_audit
from agentgen_bench.leaderboard.pull_request import one_line, problems

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
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True, help="what to do")
    check = commands.add_parser("check", help="compare the trail with the folders")
    check.add_argument(
        "--leaderboards",
        metavar="DIR",
        type=given_path,
        default=Path("leaderboards"),
        help="the folder of all boards (default: leaderboards)",
    )
    check.set_defaults(run=run_check)
    pull = commands.add_parser("pull-request", help="check a pull request and replay what it adds")
    pull.add_argument("base", metavar="BASE", type=given_path, help="the leaderboards of the base branch")
    pull.add_argument("merged", metavar="MERGED", type=given_path, help="the leaderboards as merging would leave them")
    pull.add_argument(
        "--changed",
        metavar="FILE",
        type=given_path,
        help="the paths that the pull request touches, as git diff --name-only -z writes them",
    )
    pull.set_defaults(run=run_pull_request)
    for name, text, action in (
        ("rescore", "compute an entry's results anew with this version, and record why", run_rescore),
        ("remove", "delete an entry's folder, and record why", run_remove),
    ):
        command = commands.add_parser(name, help=text)
        command.add_argument("path", metavar="ENTRY", type=given_path, help="the entry's folder")
        command.add_argument("--reason", metavar="TEXT", required=True, help="one line, published in the trail")
        command.set_defaults(run=action)


def run_check(args: argparse.Namespace) -> int:
    """Print where trail and folders disagree; 1 where they do."""
    if not args.leaderboards.is_dir():
        raise EntryError(f"{args.leaderboards} is not a folder of leaderboards")
    found = audit_problems(args.leaderboards)
    for problem in found:
        print(problem)
    if not found:
        print(f"{args.leaderboards / AUDIT}: {len(read_audit(args.leaderboards))} records, all in keeping")
    return 1 if found else 0


def run_pull_request(args: argparse.Namespace) -> int:
    """Print what speaks against a pull request; 1 where something does."""
    found = 0
    try:
        for problem in problems(args.base, args.merged, changed=_changed(args.changed), on_entry=_announce):
            print(one_line(problem), flush=True)
            found += 1
    except AgentGenError as error:
        print(one_line(str(error)), flush=True)
        found += 1
    print("the pull request holds" if not found else f"{found} problems")
    return 1 if found else 0


def _changed(file: Path | None) -> list[str]:
    """Return the paths in a file of names that each end with a null byte."""
    if file is None:
        return []
    try:
        return [name for name in file.read_bytes().decode(errors="surrogateescape").split("\0") if name]
    except OSError as error:
        raise EntryError(f"cannot read {file}: {error.strerror or error}") from None


def _announce(entry: Path) -> None:
    print(one_line(f"replaying {entry_name(entry)}"), flush=True)


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
