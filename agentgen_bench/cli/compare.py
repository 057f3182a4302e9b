"""agentgen-bench compare: two runs on the same levels, with paired differences."""

import argparse
import json
from collections.abc import Mapping, Sequence

from agentgen_bench.cli.harness_grid import grid_json
from agentgen_bench.cli.options import given_path, listed
from agentgen_bench.cli.table import aligned
from agentgen_bench.errors import SpecError
from agentgen_bench.evaluation.folder import read_run
from agentgen_bench.evaluation.grid import grid_runs, is_grid
from agentgen_bench.scores.base import Score, scores_json
from agentgen_bench.scores.comparison import Comparison, Comparisons, compare
from agentgen_bench.scores.harness import HarnessScores, harness_difference, harness_scores
from agentgen_bench.scores.levels import VIEWS
from agentgen_bench.scores.packs import PackChanges, pack_changes
from agentgen_bench.scores.units import in_units, interval_in_units

EXAMPLES = """examples:
  agentgen-bench compare runs/before runs/after
      the difference B - A per environment, and the share of levels won and lost by B
  agentgen-bench compare runs/lean runs/rich --across richness
      the same levels, told in lean and in rich text
  agentgen-bench compare runs/grid-before runs/grid-after
      two grids (evaluate --harness-grid): the difference under each harness, and the variance between harnesses
"""


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the verb and its options."""
    parser = subparsers.add_parser(
        "compare",
        help="compare two runs on the same levels",
        description="Compare two runs per environment, on the levels that both have played.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("a", metavar="A", type=given_path, help="a run folder, or a grid of harnesses")
    parser.add_argument("b", metavar="B", type=given_path, help="another")
    parser.add_argument(
        "--across",
        metavar="LIST",
        type=listed,
        default=[],
        help=f"knobs that need not agree: {','.join(VIEWS)} (default: all settings must be the same)",
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Compare; returns 0, or 1 where the runs share no level."""
    unknown = sorted(set(args.across) - set(VIEWS))
    if unknown:
        raise SpecError(f"cannot pair across {unknown[0]!r}; choose among: {', '.join(VIEWS)}")
    if is_grid(args.a) != is_grid(args.b):
        raise SpecError(f"one of {args.a} and {args.b} is a grid of harnesses; compare two runs, or two grids")
    if is_grid(args.a):
        return _compare_grids(args)
    a, b = (read_run(path, texts=False).episodes for path in (args.a, args.b))
    comparisons = compare(a, b, args.across)
    packs = pack_changes([a], [b])
    data = {"a": str(args.a), "b": str(args.b), **comparisons.to_json()}
    if packs:
        data["packs"] = [{"setting": one.setting, "scores": scores_json(one.scores)} for one in packs]
    print(json.dumps(data, indent=2) if args.json else "\n".join([comparisons_text(comparisons), *packs_text(packs)]))
    return 0


def _compare_grids(args: argparse.Namespace) -> int:
    """Compare two grids harness by harness; returns 0."""
    if args.across:
        raise SpecError("--across pairs two runs; two grids are compared on the same settings")
    runs = [grid_runs(path) for path in (args.a, args.b)]
    shared = [name for name in runs[0] if name in runs[1]]
    if not shared:
        raise SpecError(f"the grids share no harness: {', '.join(runs[0])} and {', '.join(runs[1])}")
    a, b = ({name: read_run(paths[name], texts=False).episodes for name in shared} for paths in runs)
    pairs = {name: compare(a[name], b[name]) for name in shared}
    difference = harness_difference(a, b)
    grids = [harness_scores(side) if len(shared) > 1 else [] for side in (a, b)]
    data = {
        "a": str(args.a),
        "b": str(args.b),
        "harnesses": {name: pair.to_json() for name, pair in pairs.items()},
        "difference": difference.to_json(),
        "scores": {side: [grid_json(one) for one in found] for side, found in zip("ab", grids, strict=True)},
    }
    print(json.dumps(data, indent=2) if args.json else _grids_text(pairs, difference, *grids))
    return 0


def _grids_text(
    pairs: Mapping[str, Comparisons], difference: Score, a: Sequence[HarnessScores], b: Sequence[HarnessScores]
) -> str:
    """Return two grids as text: a row per harness, their mean, then mean and variance of each grid."""
    rows: list[tuple[str, ...]] = [("harness", "levels", "B - A", "95 %, levels only")]
    each = [(name, pair.difference) for name, pair in pairs.items()]
    for name, score in [*each, ("mean over harnesses", difference)]:
        rows.append((name, str(score.n), _points(score), _interval(score)))
    ahead = sum((score.value or 0.0) > 0 for _, score in each)
    behind = sum((score.value or 0.0) < 0 for _, score in each)
    said = f"B is ahead under {ahead} of {len(each)} harnesses, behind under {behind}"
    summary = [("grid", "about", "score", "value", "95 %, levels only")]
    summary += [
        (side, one.subject, score.name, in_units(score.name, score.value), interval_in_units(score))
        for side, found in (("A", a), ("B", b))
        for one in found
        for score in one.scores
    ]
    return "\n".join([*aligned(rows), said, "", *aligned(summary)])


def comparisons_text(comparisons: Comparisons) -> str:
    """Return the comparison as text: a row per environment, then the mean, then what was left out."""
    header = ("environment", "levels", "success A", "success B", "B - A", "95 %, levels only", "won", "lost")
    rows = [header, *(_row(comparison) for comparison in comparisons.settings)]
    if len(comparisons.settings) > 1:
        mean = comparisons.difference
        rows.append(("mean over environments", str(mean.n), "", "", _points(mean), _interval(mean), "", ""))
    return "\n".join([*aligned(rows), *_left_out(comparisons)])


def packs_text(packs: Sequence[PackChanges]) -> list[str]:
    """Return what differs in packs of tasks as lines, where any were played: B - A of the scores within packs."""
    rows = [
        (one.setting, score.name, str(score.n), _points(score), _interval(score))
        for one in packs
        for score in one.scores
    ]
    return ["", *aligned([("packs", "score", "packs", "B - A", "95 %, levels only"), *rows])] if rows else []


def _row(comparison: Comparison) -> tuple[str, ...]:
    a, b, difference, won, lost = comparison.scores
    shares = [_percent(score) for score in (a, b)]
    return (
        *(comparison.setting, str(comparison.levels), *shares, _points(difference), _interval(difference)),
        *(_percent(won), _percent(lost)),
    )


def _left_out(comparisons: Comparisons) -> list[str]:
    lines = [f"only in A: {label}" for label in comparisons.only_a]
    lines += [f"only in B: {label}" for label in comparisons.only_b]
    return lines + [
        f"{one.setting}: {one.only_a} levels only in A and {one.only_b} only in B are left out"
        for one in comparisons.settings
        if one.only_a or one.only_b
    ]


def _percent(score: Score) -> str:
    return "-" if score.value is None else f"{100 * score.value:.1f} %"


def _points(score: Score) -> str:
    return "-" if score.value is None else f"{100 * score.value:+.1f} pp"


def _interval(score: Score) -> str:
    return "-" if score.low is None or score.high is None else f"{100 * score.low:+.1f} to {100 * score.high:+.1f}"
