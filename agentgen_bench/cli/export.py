"""agentgen-bench export: a run or a leaderboard entry in the formats of other tools."""

import argparse
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from agentgen_bench.cli.options import given_path
from agentgen_bench.cli.outputs import check_folder
from agentgen_bench.episodes import Episode
from agentgen_bench.errors import SpecError
from agentgen_bench.evaluation.grid import grid_runs, is_grid
from agentgen_bench.export.atif import atif_files
from agentgen_bench.export.chat import chat_files
from agentgen_bench.export.csv_files import csv_files, grid_csv
from agentgen_bench.export.every_eval_ever import every_eval_ever_files
from agentgen_bench.export.files import write_files
from agentgen_bench.export.hub import HubOptions, hub_files
from agentgen_bench.export.lm_eval import lm_eval_files
from agentgen_bench.export.parquet import grid_parquet, parquet_files
from agentgen_bench.export.source import Source, read_source, study_sources
from agentgen_bench.leaderboard.study_entry import is_study

FORMATS = ("csv", "parquet", "lm-eval", "hf-eval-results", "atif", "every-eval-ever", "chat")
DATED = ("lm-eval", "hf-eval-results", "every-eval-ever")
HUB_ONLY = ("dataset_id", "dataset_revision", "source_url", "source_name")
EXAMPLES = """examples:
  agentgen-bench export runs/mine --format csv
  agentgen-bench export runs/mine --format lm-eval --date 2026-01-31 --output lm-eval-results
  agentgen-bench export leaderboards/core-v1/20260131_My-Lab__my-model-4b --format hf-eval-results \\
      --dataset-id my-lab/agentgen-bench --output path/to/model-repository

csv, parquet     episodes and scores: a row per episode, a row per score
lm-eval          MODEL/results_DATE.json and MODEL/samples_TASK_DATE.jsonl, as lm-evaluation-harness writes them
atif             a trajectory per episode, ATIF v1.7: SETTING/SEED-REPEAT.json
every-eval-ever  data/agentgen-bench/DEVELOPER/MODEL/UUID.json, a record of that schema
chat             chat.jsonl: solved episodes as messages, for tools that fine-tune
hf-eval-results  .eval_results/*.yaml and model-index.yaml, for a model's repository on the Hugging Face Hub
docs/export.md describes every file.
"""


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the verb and its options."""
    parser = subparsers.add_parser(
        "export",
        help="write a run or an entry in the formats of other tools: tables, results, trajectories, chats",
        description="Write a run, or a leaderboard entry, in the format of another tool.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "path",
        metavar="RUN",
        type=given_path,
        help="a run folder, a grid of harnesses, or the folder of a leaderboard entry",
    )
    parser.add_argument("--format", required=True, choices=FORMATS, help="the format")
    parser.add_argument(
        "--output", metavar="DIR", type=given_path, help="folder to write into (default: exports/RUN-FORMAT)"
    )
    parser.add_argument("--overwrite", action="store_true", help="replace files of the same names")
    parser.add_argument(
        "--date",
        metavar="DATE",
        help="lm-eval, hf-eval-results, every-eval-ever: when it was evaluated, ISO 8601 (default: as the entry "
        "says, or the start of the run's last session)",
    )
    hub = parser.add_argument_group("hf-eval-results")
    hub.add_argument("--dataset-id", metavar="ORG/NAME", help="the benchmark's dataset on the Hub (required)")
    hub.add_argument("--dataset-revision", metavar="COMMIT", help="the commit of that dataset")
    hub.add_argument("--source-url", metavar="URL", help="where the evidence is: the entry, traces, a paper")
    hub.add_argument("--source-name", metavar="TEXT", help="what the link is called")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Write the files and print their paths."""
    _check_options(args)
    output = args.output or Path("exports") / f"{args.path.resolve().name}-{args.format}"
    check_folder(output)
    grid = grid_runs(args.path) if is_grid(args.path) else {}
    counted = {f"{name}/": _Counted(read_source(run)) for name, run in grid.items()}
    with tempfile.TemporaryDirectory(prefix="agentgen-bench-") as folder:
        if is_study(args.path):
            counted = {f"{name}/": _Counted(one) for name, one in study_sources(args.path, Path(folder)).items()}
        counted = counted or {"": _Counted(read_source(args.path))}
        return _export(args, output, counted, len(grid))


def _export(args: argparse.Namespace, output: Path, counted: "Mapping[str, _Counted]", n_harnesses: int) -> int:
    files = {place + name: text for place, one in counted.items() for name, text in _files(one.source, args).items()}
    if n_harnesses > 1 and args.format in ("csv", "parquet"):
        of_grid = grid_csv if args.format == "csv" else grid_parquet
        files |= of_grid(args.path.resolve().name, [one.source for one in counted.values()])
    written = write_files(output, files, args.overwrite)
    for one in counted.values():
        _warn(one, args)
    print("\n".join(str(path) for path in written))
    return 0


def _files(source: Source, args: argparse.Namespace) -> Mapping[str, bytes]:
    if args.format == "csv":
        return csv_files(source)
    if args.format == "parquet":
        return parquet_files(source)
    if args.format == "atif":
        return atif_files(source)
    if args.format == "chat":
        return chat_files(source)
    if args.format == "every-eval-ever":
        return every_eval_ever_files(source, args.date)
    if args.format == "lm-eval":
        return lm_eval_files(source, args.date)
    return hub_files(source, HubOptions(**{name: getattr(args, name) for name in (*HUB_ONLY, "date")}))


def _check_options(args: argparse.Namespace) -> None:
    """Raise SpecError for an option that the format has no use for, or lacks."""
    given = [name for name in HUB_ONLY if getattr(args, name) is not None]
    if given and args.format != "hf-eval-results":
        raise SpecError(f"--{given[0].replace('_', '-')} belongs to --format hf-eval-results, not to {args.format}")
    if args.date is not None and args.format not in DATED:
        raise SpecError(f"--date belongs to --format {', '.join(DATED)}; not to {args.format}")
    if args.format == "hf-eval-results" and args.dataset_id is None:
        raise SpecError("hf-eval-results needs --dataset-id ORG/NAME: the Hub files results under a benchmark dataset")


class _Counted:
    """A source that counts the episodes read from it."""

    def __init__(self, source: Source) -> None:
        self.episodes = 0
        self.source = replace(source, episodes=lambda: self._read(source))

    def _read(self, source: Source) -> Iterator[Episode]:
        self.episodes = 0
        for episode in source.episodes():
            self.episodes += 1
            yield episode


def _warn(counted: _Counted, args: argparse.Namespace) -> None:
    source = counted.source
    if counted.episodes < source.n_planned:
        print(f"the run is incomplete: {counted.episodes} of {source.n_planned} episodes", file=sys.stderr)
    if args.format == "lm-eval" and (args.date or source.date) is None:
        print("the run records no date, so the files are named undated; add --date to name one", file=sys.stderr)
