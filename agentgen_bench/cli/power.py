"""agentgen-bench power: how many levels, repeats and seeds it takes to show a difference."""

import argparse
import json

from agentgen_bench.cli.table import aligned
from agentgen_bench.errors import ScoreError, SpecError
from agentgen_bench.scores.power import Assumptions, levels_needed

SEEDS, REPEATS = (1, 3, 5, 10, 20, 40), (1, 4)
EXAMPLES = """examples:
  agentgen-bench power --detect 3
      levels that show a difference of 3 points of success in 80 of 100 studies, by seeds and repeats
  agentgen-bench power --detect 5 --success 20 --seed-spread 2 --seeds 3 --json
"""
NOTES = """\
levels per recipe, two-sided 95 % interval, detected in 80 of 100 studies; {assumptions}.
paired: both recipes play the same levels. -: these seeds differ too much for any number of levels.
1 seed compares these very weights: whether another seed of the recipe would do the same, it cannot say."""


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the verb and its options."""
    parser = subparsers.add_parser(
        "power",
        help="say how many levels, repeats and seeds a difference needs",
        description="Say how many levels, repeats and training seeds show a difference of success between two recipes.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--detect", metavar="POINTS", type=float, required=True, help="true difference, points")
    parser.add_argument("--success", metavar="PERCENT", type=float, default=50.0, help="of the recipes (default: 50)")
    parser.add_argument(
        "--seed-spread",
        metavar="POINTS",
        type=float,
        default=3.0,
        help="standard deviation of true success between training seeds, points (default: 3)",
    )
    parser.add_argument(
        "--level-share",
        metavar="PERCENT",
        type=float,
        default=50.0,
        help="of an outcome's variance that lies between levels (default: 50)",
    )
    parser.add_argument("--seeds", metavar="N", type=int, help="only this number of seeds (default: several)")
    parser.add_argument("--repeats", metavar="N", type=int, help="only this number of repeats (default: 1 and 4)")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print the table; returns 0."""
    _check_units(args)
    try:
        given = Assumptions(args.detect / 100, args.success / 100, args.seed_spread / 100, args.level_share / 100)
        rows = [
            {
                "seeds": seeds,
                "repeats": repeats,
                "levels_paired": levels_needed(given, seeds=seeds, repeats=repeats, paired=True),
                "levels_unpaired": levels_needed(given, seeds=seeds, repeats=repeats, paired=False),
            }
            for seeds in ([args.seeds] if args.seeds is not None else SEEDS)
            for repeats in ([args.repeats] if args.repeats is not None else REPEATS)
        ]
    except ScoreError as error:
        raise SpecError(str(error)) from None
    print(json.dumps({"assumptions": _assumptions(given), "rows": rows}, indent=2) if args.json else _text(given, rows))
    return 0


def _check_units(args: argparse.Namespace) -> None:
    """Raise SpecError for what is out of range, in the units of the options."""
    for option, value, most in (("--detect", args.detect, 100), ("--success", args.success, 100)):
        if not 0 < value < most:
            raise SpecError(f"{option} is {value:g}; choose more than 0 and less than {most}")
    for option, value, most in (("--seed-spread", args.seed_spread, 50), ("--level-share", args.level_share, 100)):
        if not 0 <= value <= most:
            raise SpecError(f"{option} is {value:g}; choose 0 to {most}")


def _assumptions(given: Assumptions) -> dict[str, float]:
    names = ("detect", "success", "seed_spread", "level_share")
    return {name: getattr(given, name) for name in names} | {"power": 0.8, "confidence": 0.95}


def _text(given: Assumptions, rows: list[dict[str, int | None]]) -> str:
    words = (
        f"success {100 * given.success:g} %, difference {100 * given.detect:g} points, seeds spread by "
        f"{100 * given.seed_spread:g} points, {100 * given.level_share:g} % of the variance between levels"
    )
    header = ("seeds", "repeats", "levels, paired", "levels, unpaired")
    table = [header, *(tuple("-" if cell is None else f"{cell:,}" for cell in row.values()) for row in rows)]
    return "\n".join([*aligned(table), NOTES.format(assumptions=words)])
