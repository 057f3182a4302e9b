"""agentgen-bench verify: replay leaderboard entries and recompute their scores."""

import argparse
import json
import shlex
import sys
import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tqdm import tqdm

from agentgen_bench.cli.options import given_path, given_text, integer
from agentgen_bench.errors import AgentGenError, EntryError, SpecError
from agentgen_bench.evaluation.folder import MANIFEST, read_manifest, read_run
from agentgen_bench.leaderboard.audit import Record, append, entry_name
from agentgen_bench.leaderboard.entry import METADATA, read_metadata
from agentgen_bench.leaderboard.replay import Replayed
from agentgen_bench.leaderboard.rerun import rerun_note
from agentgen_bench.leaderboard.study_amend import rerun_study_note
from agentgen_bench.leaderboard.study_entry import is_study
from agentgen_bench.leaderboard.study_folder import is_study_folder
from agentgen_bench.leaderboard.study_verify import verify_entry
from agentgen_bench.leaderboard.verify import Verification
from agentgen_bench.policies.opening import names_a_folder, open_checkpoint
from agentgen_bench.policies.sampling import Sampling
from agentgen_bench.prompts import PromptConfig
from agentgen_bench.suites import load_suite, suite_names
from agentgen_bench.terminal import one_line

EXAMPLES = """examples:
  agentgen-bench verify leaderboards/core-v1/20260131_My-Lab__my-model-4b
  agentgen-bench verify leaderboards/core-v1/* --workers 4 --json

Replay shows that the recorded actions earn the claimed scores on the frozen levels. It does not show which model
chose the actions. For open weights, --model PATH asks whether the completions were drawn from them
(docs/likelihood.md).
"""


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the verb and its options."""
    parser = subparsers.add_parser(
        "verify",
        help="replay every episode of leaderboard entries and recompute their scores",
        description="Replay every recorded action on this machine's CPU, compare everything, recompute all scores.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("paths", metavar="PATH", nargs="+", type=given_path, help="an entry's folder")
    parser.add_argument("--workers", type=integer(1), help="processes (default: all cores)")
    parser.add_argument(
        "--rerun", metavar="RUN", type=given_path, help="a run of the same model by you, or a study, to compare with"
    )
    parser.add_argument(
        "--episodes-in",
        metavar="DIR",
        type=given_path,
        help="studies whose episodes lie elsewhere: the folder to fetch them into (default: one that is removed again)",
    )
    parser.add_argument(
        "--model",
        metavar="FOLDER",
        type=given_text,
        action="append",
        default=[],
        help="the weights an entry names: were its completions drawn there? Of a study once for each of its runs",
    )
    parser.add_argument("--beacon", default="", help="with --model: a string published after the entry, draws episodes")
    parser.add_argument(
        "--episodes", type=integer(1), default=200, help="with --model: how many episodes are looked at (default: 200)"
    )
    parser.add_argument("--dtype", default="auto", help="with --model: arithmetic, as for evaluate (default: auto)")
    parser.add_argument("--record", action="store_true", help="append the outcome to the audit trail (maintainers)")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Verify each entry; returns 1 where one does not hold, 2 where none of the paths is in a folder of a suite."""
    _check_options(args)
    found = [_verified(path, args) for path in args.paths]
    if args.json:
        print(json.dumps([verification.to_json() for verification in found], indent=2))
    if all(_is_of_no_suite(path) for path in args.paths):
        return 2
    return 0 if all(verification.holds for verification in found) else 1


def _check_options(args: argparse.Namespace) -> None:
    """Raise for what is wrong with what the entries are compared with: to replay them may take minutes."""
    if args.model and args.record and not args.beacon:
        raise SpecError("--model with --record needs --beacon: a public string from after the entry's publication")
    if args.model and args.rerun is not None:
        raise SpecError("--model and --rerun are two questions; ask one after the other")
    if args.beacon and not args.model:
        raise SpecError(
            "--beacon goes with --model: it draws the episodes whose completions the weights are asked about"
        )
    for model in args.model:
        if names_a_folder(model):
            open_checkpoint(model)
    if args.rerun is not None and not is_study_folder(args.rerun):
        read_manifest(args.rerun)


def _verified(path: Path, args: argparse.Namespace) -> Verification:
    counter = Counter(_n_episodes(path))
    try:
        if path.is_dir() and not (path / METADATA).is_file():
            _check_is_entry(path)
        verification = verify_entry(path, workers=args.workers, on_replayed=counter.add, elsewhere=args.episodes_in)
    except (EntryError, SpecError) as error:  # no folder, or of no suite: the next entry is looked at all the same
        verification = Verification(path, None, 0, 0, (str(error),), {})
    counter.close()
    if not args.json:
        _print(verification, counter.seconds)
    if verification.holds and args.model:
        return (_study_likelihood if is_study(path) else _likelihood)(path, args, verification)
    if verification.holds and args.rerun is not None:
        if is_study(path):
            note = rerun_study_note(path.absolute(), args.rerun, args.episodes_in)
        else:
            note = rerun_note(path.absolute(), read_run(args.rerun, texts=False))
        print(one_line(note), file=sys.stderr)
        _record(path, args, Record(_today(), "rerun", entry_name(path), note, verification.digests))
    elif verification.holds:
        _record(path, args, Record(_today(), "verified", entry_name(path), "", verification.digests))
    return verification


def _likelihood(path: Path, args: argparse.Namespace, verification: Verification) -> Verification:
    """Return the verification with what the weights say; they are loaded once for each entry."""
    from agentgen_bench.leaderboard.likelihood import likelihood
    from agentgen_bench.policies.transformers import TransformersPolicy

    if len(args.model) > 1:
        raise SpecError(f"{path} is an entry of one run, from one folder of weights; give --model once")
    policy = TransformersPolicy(args.model[0], PromptConfig(), Sampling(), dtype=args.dtype)
    try:
        found = likelihood(path, policy, n_episodes=args.episodes, beacon=args.beacon)
    except EntryError as error:
        return _not_asked(path, error, verification)
    print(f"{one_line(str(path))}: {found.text}", file=sys.stderr)
    if not found.holds:
        return replace(verification, problems=(found.text,))
    note = f"{policy.describe()['content_hash']}, beacon {args.beacon!r}: {found.text}"
    _record(path, args, Record(_today(), "likelihood", entry_name(path), note, verification.digests))
    return verification


def _study_likelihood(path: Path, args: argparse.Namespace, verification: Verification) -> Verification:
    """Return the verification of a study with what the weights say; on record only where every run was asked."""
    from agentgen_bench.leaderboard.study_likelihood import runs_of_weights, runs_without, study_likelihood
    from agentgen_bench.policies.transformers import TransformersPolicy
    from agentgen_bench.policies.weights import weights_hash

    asked: set[str] = set()
    for folder in args.model:
        policy = TransformersPolicy(folder, PromptConfig(), Sampling(), dtype=args.dtype)
        try:
            for run in runs_of_weights(path, weights_hash(open_checkpoint(folder).path)):
                found = study_likelihood(
                    path, run, policy, n_episodes=args.episodes, beacon=args.beacon, elsewhere=args.episodes_in
                )
                print(f"{one_line(str(path))}, {run}: {found.text}", file=sys.stderr)
                if not found.holds:
                    return replace(verification, problems=(f"{run}: {found.text}",))
                asked.add(run)
        except EntryError as error:
            return _not_asked(path, error, verification)
    if left := runs_without(path, asked):
        print(f"{one_line(str(path))}: not asked of {', '.join(left)}; give their weights too", file=sys.stderr)
    else:
        note = f"all {len(asked)} runs, beacon {args.beacon!r}, {args.episodes} episodes each: these weights"
        _record(path, args, Record(_today(), "likelihood", entry_name(path), note, verification.digests))
    return verification


def _not_asked(path: Path, error: EntryError, verification: Verification) -> Verification:
    """Return the verification with why the weights could not be asked, after saying so."""
    print(f"{one_line(str(path))}: {one_line(str(error))}", file=sys.stderr)
    return replace(verification, problems=(str(error),))


def _check_is_entry(path: Path) -> None:
    """Raise EntryError for a folder that is something else than an entry, with what can be done with it."""
    named = shlex.quote(str(path))
    if (path / MANIFEST).is_file():  # an entry can be made of it, and that replays it too
        raise EntryError(
            "this is a run, not an entry of a leaderboard; to replay it and make an entry: "
            f"agentgen-bench submit {named} --org YOUR-LAB --model NAME; "
            "to look at it: agentgen-bench report, or agentgen-bench score"
        )
    for inside in ("*", "*/*"):
        if next(path.glob(f"{inside}/{METADATA}"), None) is not None:
            raise EntryError(f"this is a folder of entries; name them: agentgen-bench verify {named}/{inside}")
    if _is_of_no_suite(path):
        raise EntryError(
            f"this is no entry of a leaderboard: it holds no {METADATA}; "
            "name a folder like leaderboards/core-v1/20260131_My-Lab__my-model-4b"
        )


def _n_episodes(path: Path) -> int | None:
    """Return how many episodes an entry should hold, for the bar; None where it does not say."""
    try:
        suite = load_suite(path.absolute().parent.name)
        return read_metadata(path, suite).repeats * sum(len(cell.seeds) for cell in suite.cells)
    except (AgentGenError, OSError):
        return None


def _record(path: Path, args: argparse.Namespace, record: Record) -> None:
    if args.record:
        append(path.absolute().parent.parent, record)


def _print(verification: Verification, seconds: float) -> None:
    path = one_line(str(verification.path))
    if verification.holds:
        print(
            f"{path}: holds; {verification.episodes} episodes, {verification.steps} steps replayed "
            f"in {seconds:.0f} s, scores recomputed"
        )
        return
    wrong_usage = not verification.path.is_dir() or _is_of_no_suite(verification.path)
    for problem in verification.problems:
        print(f"{path}: {one_line(problem)}", file=sys.stderr if wrong_usage else sys.stdout)


def _is_of_no_suite(path: Path) -> bool:
    return path.is_dir() and path.absolute().parent.name not in suite_names()


def _today() -> str:
    return datetime.now(UTC).date().isoformat()


class Counter:
    """Shows on stderr how many episodes were replayed, how fast, and how long the rest will take."""

    def __init__(self, total: int | None = None) -> None:
        """Start the clock; `total` is how many episodes there are, None where that is not known."""
        self._steps = 0
        self._start = time.monotonic()
        interval = 0.2 if sys.stderr.isatty() else 10.0
        self._bar: tqdm[Any] = tqdm(
            total=total, unit="episode", file=sys.stderr, dynamic_ncols=True, mininterval=interval, delay=0.5
        )

    @property
    def seconds(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self._start

    def add(self, chunk: Replayed) -> None:
        """Count a chunk."""
        self._steps += chunk.steps
        self._bar.set_postfix_str(f"{self._steps} steps replayed", refresh=False)
        self._bar.update(chunk.episodes)

    def close(self) -> None:
        """End the line."""
        self._bar.close()
