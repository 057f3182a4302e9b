"""agentgen-bench leaderboard: show the leaderboards, keep their README current, write the page."""

import argparse
import json
import sys
from pathlib import Path

from agentgen_bench.errors import EntryError
from agentgen_bench.leaderboard.page import page
from agentgen_bench.leaderboard.table import markdown, read_boards, with_table

EXAMPLES = """examples:
  agentgen-bench leaderboard
  agentgen-bench leaderboard --update --html leaderboards/index.html
"""


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the verb and its options."""
    parser = subparsers.add_parser(
        "leaderboard",
        help="show the leaderboards, as Markdown or as a page",
        description="Print the leaderboards as Markdown, with ranks, intervals and trust.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--leaderboards", metavar="DIR", type=Path, default=Path("leaderboards"), help="default: leaderboards"
    )
    parser.add_argument("--update", action="store_true", help="put the tables into DIR/README.md, between their marks")
    parser.add_argument("--html", metavar="FILE", type=Path, help="write one static HTML page that needs no network")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print or write the leaderboards."""
    boards = read_boards(args.leaderboards)
    tables = markdown(boards)
    try:
        if args.update:
            readme = args.leaderboards / "README.md"
            readme.write_text(with_table(readme.read_text(encoding="utf-8"), tables), encoding="utf-8")
            print(f"updated {readme}", file=sys.stderr)
        if args.html is not None:
            args.html.write_text(page(boards), encoding="utf-8")
            print(f"wrote {args.html}", file=sys.stderr)
    except OSError as error:
        raise EntryError(f"cannot write: {error}") from None
    if args.json:
        print(json.dumps([board.to_json() for board in boards], indent=2))
    elif not args.update and args.html is None:
        print(tables)
    return 0
