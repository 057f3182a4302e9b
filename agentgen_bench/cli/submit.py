"""agentgen-bench submit: make a leaderboard entry from a run, or from a study."""

import argparse
import shutil
import sys
from datetime import UTC, datetime
from pathlib import Path

from agentgen_bench.cli.options import given_path, given_text, integer
from agentgen_bench.cli.outputs import check_folder
from agentgen_bench.cli.verify import Counter
from agentgen_bench.errors import SpecError
from agentgen_bench.evaluation.folder import read_manifest
from agentgen_bench.leaderboard.audit import Event, Record, append, entry_name
from agentgen_bench.leaderboard.branch import branch_name, entry_text, prepare, study_text
from agentgen_bench.leaderboard.entry import Named, digests, slug
from agentgen_bench.leaderboard.safe import read_text
from agentgen_bench.leaderboard.study_folder import first_run, is_study_folder
from agentgen_bench.leaderboard.study_submit import submit_study
from agentgen_bench.leaderboard.study_tables import StudyTable
from agentgen_bench.leaderboard.submit import remove_empty, submit
from agentgen_bench.leaderboard.table import Board
from agentgen_bench.line_file import UnwrittenError

EXAMPLES = """examples:
  agentgen-bench submit runs/core-v1_mine --org "My Lab" --model my-model-4b
  agentgen-bench submit runs/core-v1_mine --org "My Lab" --model my-model-4b --readme notes.md
  agentgen-bench submit runs/core-v1_mine --suite core-mini-v1 --org "My Lab" --model my-model-4b
      the row of core-mini-v1 that the same run gives
  agentgen-bench submit runs/core-v1_mine --fresh runs/core-v1-fresh_mine --org "My Lab" --model my-model-4b
      with a run on fresh levels beside the frozen ones
  agentgen-bench submit runs/core-v1_mine --org "My Lab" --model my-model-4b --pr
      on a branch of its own, of which git push is all that is left
  agentgen-bench submit runs/transfer --org "My Lab" --model my-model-4b
      the folder of a study of a frozen protocol (docs/studies.md)
"""


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the verb and its options."""
    parser = subparsers.add_parser(
        "submit",
        help="make a leaderboard entry from a run or a study",
        description="Make a leaderboard entry from a complete run of a frozen suite, or from a complete study of a "
        "frozen protocol, and verify it by replay.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("run_folder", metavar="RUN", type=given_path, help="the run folder, or that of a study")
    parser.add_argument("--org", required=True, help="who submits: a lab, a company, a name")
    parser.add_argument("--model", required=True, help="the model's name as it is to be shown")
    parser.add_argument("--date", metavar="YYYY-MM-DD", help="day of the submission (default: today, UTC)")
    parser.add_argument(
        "--readme", metavar="FILE", type=given_path, help="text for readers (default: made from the run)"
    )
    parser.add_argument(
        "--leaderboards",
        metavar="DIR",
        type=given_path,
        default=Path("leaderboards"),
        help="the folder of all boards (default: leaderboards)",
    )
    parser.add_argument(
        "--suite",
        metavar="NAME",
        type=given_text,
        help="make the entry of a suite nested in the run's: core-mini-v1 of a run of core-v1 (default: the run's own)",
    )
    parser.add_argument(
        "--fresh",
        metavar="RUN",
        type=given_path,
        help="a run of the same policy made with evaluate --fresh TEXT, to go beside the frozen one; of a study the "
        "folder that study --fresh TEXT made, of which any policies may be there (docs/fresh.md)",
    )
    parser.add_argument(
        "--episodes-at",
        metavar="URL",
        help="studies: where the episodes will lie that are too large for the repository",
    )
    parser.add_argument(
        "--episodes-in", metavar="DIR", type=given_path, help="studies: where to put them for you to upload"
    )
    parser.add_argument(
        "--record", action="store_true", help="also record the replay in the audit trail (maintainers, own baselines)"
    )
    parser.add_argument(
        "--pr",
        action="store_true",
        help="make the entry on a branch of its own in this clone, ready for git push, and print the pull request's "
        "text; the checkout stays as it is",
    )
    parser.add_argument("--workers", type=integer(1), help="processes of the replay (default: all cores)")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Make the entry; prints its folder."""
    check_folder(args.leaderboards)
    if (args.episodes_at is None) != (args.episodes_in is None):
        raise SpecError(
            "--episodes-at and --episodes-in go together: where the episodes will lie, and where to put them"
        )
    args.date = args.date or datetime.now(UTC).date().isoformat()
    if args.pr:
        return _prepare_pull_request(args)
    path = _made(args, args.leaderboards)
    _add_to_trail(path, args)
    print(path)
    print("every episode replayed; commit the folder and open a pull request", file=sys.stderr)
    _say_what_to_upload(args)
    return 0


def _add_to_trail(path: Path, args: argparse.Namespace) -> None:
    """Record the new entry; where the trail takes nothing the entry goes too, so that it can be submitted again."""
    date = f"{path.name[:4]}-{path.name[4:6]}-{path.name[6:8]}"
    events: tuple[Event, ...] = ("added", "verified") if args.record else ("added",)
    now = digests(path)
    try:
        append(args.leaderboards, *(Record(date, event, entry_name(path), digests=now) for event in events))
    except UnwrittenError:
        shutil.rmtree(path)
        remove_empty([path.parent])
        raise


def _prepare_pull_request(args: argparse.Namespace) -> int:
    if args.record:
        raise SpecError("--record is for maintainers, a pull request records additions only; leave one of them out")
    suite = args.suite or _suite_named(
        first_run(args.run_folder) if is_study_folder(args.run_folder) else args.run_folder
    )
    branch = branch_name(suite, f"{args.date.replace('-', '')}_{slug(args.org)}__{slug(args.model)}")
    found = prepare(args.leaderboards, branch, lambda boards: _made(args, boards), _text)
    print(found.text)
    print(
        f"\nthe branch {found.branch} starts from {found.base}; every episode replayed; what is left:", file=sys.stderr
    )
    print(f"  {found.push}", file=sys.stderr)
    _say_what_to_upload(args)
    return 0


def _suite_named(run_folder: Path) -> str:
    return str((read_manifest(run_folder)["plan"]["suite"] or {"name": "none"})["name"])


def _text(board: Board | StudyTable, entry: str) -> str:
    if isinstance(board, StudyTable):
        return study_text(board, entry)
    return entry_text(board, next(row for row in board.rows if row.entry == entry))


def _say_what_to_upload(args: argparse.Namespace) -> None:
    if args.episodes_in is not None:
        print(f"upload the files in {args.episodes_in} to {args.episodes_at}", file=sys.stderr)


def _made(args: argparse.Namespace, leaderboards: Path) -> Path:
    """Return the folder of the entry, made below these leaderboards and replayed."""
    counter = Counter()
    path = (_submitted_study if is_study_folder(args.run_folder) else _submitted)(args, leaderboards, counter)
    counter.close()
    return path


def _submitted(args: argparse.Namespace, leaderboards: Path, counter: Counter) -> Path:
    if args.episodes_at is not None:
        raise SpecError("--episodes-at is for studies; the episodes of one run lie in its entry")
    return submit(
        args.run_folder,
        org=args.org,
        model=args.model,
        date=args.date,
        leaderboards=leaderboards,
        readme=None if args.readme is None else read_text(args.readme),
        within=args.suite,
        fresh=args.fresh,
        workers=args.workers,
        on_replayed=counter.add,
    )


def _submitted_study(args: argparse.Namespace, leaderboards: Path, counter: Counter) -> Path:
    if args.suite is not None:
        raise SpecError("--suite is for runs; the suite of a study is that of its protocol")
    return submit_study(
        args.run_folder,
        Named(args.org, args.model, args.date),
        leaderboards,
        readme=None if args.readme is None else read_text(args.readme),
        fresh=args.fresh,
        elsewhere=None if args.episodes_at is None else (args.episodes_at, args.episodes_in),
        workers=args.workers,
        on_replayed=counter.add,
    )
