"""agentgen-bench leaderboard: show the leaderboards, keep their README current, write the page and the CSV file."""

import argparse
import json
import sys
from pathlib import Path

from agentgen_bench.cli.options import given_path
from agentgen_bench.errors import EntryError, SpecError
from agentgen_bench.evaluation.folder import write_text
from agentgen_bench.export.boards import boards_csv
from agentgen_bench.leaderboard.columns import board_json
from agentgen_bench.leaderboard.kept import Kept, boards_folder
from agentgen_bench.leaderboard.markdown import EMPTY_DOCUMENT, markdown, with_table
from agentgen_bench.leaderboard.page import page
from agentgen_bench.leaderboard.site import write_site
from agentgen_bench.leaderboard.standing import standing
from agentgen_bench.leaderboard.studies import read_studies
from agentgen_bench.leaderboard.study_folder import is_study_folder
from agentgen_bench.leaderboard.study_standing import study_standing
from agentgen_bench.leaderboard.study_tables import study_table_json, study_tables
from agentgen_bench.leaderboard.table import read_boards

EXAMPLES = """examples:
  agentgen-bench leaderboard
  agentgen-bench leaderboard --update --html leaderboards/index.html
  agentgen-bench leaderboard --site public
  agentgen-bench leaderboard --csv leaderboard.csv
  agentgen-bench leaderboard --mine runs/core-v1_mine
      where a run, or a study, would stand, before anything is submitted
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
        "--leaderboards",
        metavar="DIR",
        type=given_path,
        default=Path("leaderboards"),
        help="the folder of all boards (default: leaderboards)",
    )
    parser.add_argument(
        "--update",
        action="store_true",
        help="put the tables into DIR/README.md, between their marks; made where it is missing",
    )
    parser.add_argument(
        "--html", metavar="FILE", type=given_path, help="write one static HTML page that needs no network"
    )
    parser.add_argument(
        "--site",
        metavar="DIR",
        type=given_path,
        help="write static pages of the boards, of each entry and its episodes",
    )
    parser.add_argument(
        "--csv", metavar="FILE", type=given_path, help="write every row of every suite and study as CSV"
    )
    parser.add_argument(
        "--mine",
        metavar="RUN",
        type=given_path,
        help="show where this run would stand on its suite's board, or this study on its protocol's; writes nothing",
    )
    parser.add_argument("--anew", action="store_true", help="read every episode; nothing kept of earlier runs is used")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print or write the leaderboards."""
    kept = Kept(None if args.anew else boards_folder(), _warn)
    if args.mine is not None:
        return _show_mine(args, kept)
    boards = read_boards(args.leaderboards, kept)
    found = read_studies(args.leaderboards, kept)
    studies = study_tables(found)
    tables = markdown(boards, studies)
    if args.update:
        readme = args.leaderboards / "README.md"
        write_text(readme, with_table(_document(readme, bool(boards or found)), tables))
        print(f"updated {readme}", file=sys.stderr)
    if args.html is not None:
        write_text(args.html, page(boards, studies))
        print(f"wrote {args.html}", file=sys.stderr)
    if args.site is not None:
        written = write_site(args.site, args.leaderboards, boards, found, lambda name: print(name, file=sys.stderr))
        print(f"wrote {args.site / 'index.html'} and {written} entries; the rest is as it was", file=sys.stderr)
    if args.csv is not None:
        write_text(args.csv, boards_csv(boards, studies))
        print(f"wrote {args.csv}", file=sys.stderr)
    if args.json:
        print(json.dumps([*map(board_json, boards), *map(study_table_json, studies)], indent=2))
    elif not (args.update or args.html or args.csv or args.site):
        print(tables)
    return 0


def _show_mine(args: argparse.Namespace, kept: Kept) -> int:
    if args.update or any(option is not None for option in (args.html, args.csv, args.site)):
        raise SpecError("--mine writes nothing; leave out --update, --html, --site and --csv")
    if is_study_folder(args.mine):
        return _show_my_study(args)
    found = standing(args.mine, args.leaderboards, kept=kept)
    if args.json:
        print(json.dumps({"mine": found.row.entry, **board_json(found.board)}, indent=2))
    else:
        print(markdown([found.board]))
        print(found.text, file=sys.stderr)
    return 0


def _show_my_study(args: argparse.Namespace) -> int:
    found = study_standing(args.mine, args.leaderboards)
    if args.json:
        print(json.dumps({"mine": found.rows[0].study.entry, **study_table_json(found.table)}, indent=2))
    else:
        print(markdown([], [found.table]))
        print(found.text, file=sys.stderr)
    return 0


def _warn(line: str) -> None:
    print(f"warning: {line}", file=sys.stderr)


def _document(readme: Path, has_entries: bool) -> str:
    """Return the document that the tables belong into; boards that have entries and no document yet get one."""
    if has_entries and not readme.exists():
        return EMPTY_DOCUMENT
    try:
        return readme.read_text(encoding="utf-8")
    except OSError as error:
        raise EntryError(f"cannot read {readme}: {error.strerror or error}") from None
