"""agentgen-bench report: one self-contained HTML page from recorded runs."""

import argparse
import sys
import tempfile
from pathlib import Path

from agentgen_bench.cli.options import given_path
from agentgen_bench.cli.outputs import check_file
from agentgen_bench.cli.score import study_from_file
from agentgen_bench.errors import SpecError
from agentgen_bench.evaluation.grid import grid_runs, is_grid
from agentgen_bench.leaderboard.study_entry import is_study
from agentgen_bench.leaderboard.study_unpack import unpack_study
from agentgen_bench.report.page import write_report


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the verb and its options."""
    parser = subparsers.add_parser(
        "report",
        help="write one self-contained HTML page from recorded runs",
        description="Write scores, charts and a browser of episodes as one HTML file that needs no network.",
        epilog="examples:\n  agentgen-bench report runs/smoke_random\n"
        "  agentgen-bench report --study study.yaml --output transfer.html",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "runs", metavar="RUN", type=given_path, nargs="*", help="a run folder, a grid of harnesses, or a study's entry"
    )
    parser.add_argument(
        "--study", metavar="FILE", type=given_path, help="a study file: its runs, and the scores that their roles allow"
    )
    parser.add_argument(
        "--output", metavar="FILE", type=given_path, default=Path("report.html"), help="the page (default: report.html)"
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Write the page."""
    if bool(args.runs) == bool(args.study):
        raise SpecError("name run folders, or one study file with --study")
    check_file(args.output)
    if len(args.runs) == 1 and is_study(args.runs[0]):
        with tempfile.TemporaryDirectory(prefix="agentgen-bench-") as folder:
            _write(args, unpack_study(args.runs[0], Path(folder)))
    else:
        _write(args, args.study)
    return 0


def _write(args: argparse.Namespace, study_file: Path | None) -> None:
    study = study_from_file(study_file) if study_file else None
    if study and study_file:
        runs = [study_file.parent / name for name in study.folders]
    else:
        runs = [run for path in args.runs for run in (grid_runs(path).values() if is_grid(path) else [path])]
    write_report(runs, args.output, study)
    print(f"wrote {args.output}", file=sys.stderr)
