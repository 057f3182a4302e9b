"""agentgen-bench report: one self-contained HTML page from recorded runs."""

import argparse
import sys
from pathlib import Path

from agentgen_bench.report.page import write_report


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the verb and its options."""
    parser = subparsers.add_parser(
        "report",
        help="write one self-contained HTML page from recorded runs",
        description="Write scores, charts and a browser of episodes as one HTML file that needs no network.",
        epilog="examples:\n  agentgen-bench report runs/smoke_random\n"
        "  agentgen-bench report runs/before runs/after --output transfer.html",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("runs", metavar="RUN", type=Path, nargs="+", help="a run folder")
    parser.add_argument(
        "--output", metavar="FILE", type=Path, default=Path("report.html"), help="the page (default: report.html)"
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Write the page."""
    write_report(args.runs, args.output)
    print(f"wrote {args.output}", file=sys.stderr)
    return 0
