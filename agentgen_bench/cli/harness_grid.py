"""evaluate --harness-grid: one model under several protocols, formats and hints on the same levels, loaded once."""

import argparse
import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypedDict

from agentgen_bench.cli.options import listed
from agentgen_bench.cli.policy_options import policy_from_args
from agentgen_bench.cli.table import aligned, n_crashed, percent
from agentgen_bench.errors import SpecError
from agentgen_bench.evaluation.folder import RESULTS, RunResultsJson, read_run, write_json
from agentgen_bench.evaluation.grid import AXES, Grid, harness_grid, open_grid
from agentgen_bench.policies.base import Player, PromptedPolicy
from agentgen_bench.prompts import PromptConfig
from agentgen_bench.scores.base import ScoreJson, scores_json
from agentgen_bench.scores.harness import HarnessScores, harness_scores
from agentgen_bench.scores.units import in_units, interval_in_units

Play = Callable[[Player, PromptConfig, Path], RunResultsJson]
_SWITCH = {"on": True, "off": False, "true": True, "false": False}


def add_grid_option(parser: argparse.ArgumentParser) -> None:
    """Add the option that names the axes."""
    group = parser.add_argument_group("harness grid")
    group.add_argument(
        "--harness-grid",
        metavar="AXIS=LIST",
        type=_axis,
        nargs="+",
        help="play every combination of these prompt settings, each into a folder of its own inside --output: "
        f"{', '.join(name.replace('_', '-') for name in AXES)}",
    )


def _axis(text: str) -> tuple[str, tuple[Any, ...]]:
    name, equals, values = text.partition("=")
    axis = name.strip().lstrip("-").replace("-", "_")
    if not equals or axis not in AXES or not listed(values):
        raise argparse.ArgumentTypeError(f"{text!r} is not AXIS=VALUE,VALUE with an axis of: {', '.join(AXES)}")
    try:
        return axis, tuple(_value(axis, value) for value in dict.fromkeys(listed(values)))
    except (KeyError, ValueError):
        right = "on and off" if axis == "thinking" else "whole numbers"
        raise argparse.ArgumentTypeError(f"{text!r}: the values of {name} are {right}") from None


def _value(axis: str, value: str) -> Any:
    if axis == "thinking":
        return _SWITCH[value.lower()]
    return int(value) if axis == "history_length" else value


def grid_from_args(args: argparse.Namespace, base: PromptConfig) -> Grid:
    """Return the grid of the options, saying which combinations there cannot be.

    Raises:
        SpecError: the policy reads no prompt, or fewer than two harnesses are left.
    """
    if not (args.model or args.agent):
        raise SpecError("--harness-grid needs --model or --agent: a scripted policy reads no prompt")
    grid = harness_grid(base, args.harness_grid)
    for line in grid.left_out:
        print(f"left out of the grid: {line}", file=sys.stderr)
    print(f"{len(grid.harnesses)} harnesses: {', '.join(grid.harnesses)}", file=sys.stderr)
    return grid


def run_grid(args: argparse.Namespace, grid: Grid, policy: Player, output: Path, play: Play) -> int:
    """Play every harness that is not complete; returns 0, or 1 where an episode ended in an error.

    `policy` was built under the settings of the options, whose model all harnesses share.
    """
    open_grid(output, grid, args.resume)
    n_errors = 0
    for name, prompt in grid.harnesses.items():
        asked = policy.with_prompt(prompt) if isinstance(policy, PromptedPolicy) else policy_from_args(args, prompt)
        n_errors += n_crashed(play(asked, prompt, output / name))
    found = harness_scores({name: read_run(output / name, texts=False).episodes for name in grid.harnesses})
    data = {"harnesses": list(grid.harnesses), "scores": [grid_json(one) for one in found]}
    write_json(output / RESULTS, data)
    print(json.dumps(data, indent=2) if args.json else grid_text(found))
    print(f"the runs of all harnesses are in {output}", file=sys.stderr)
    return 1 if n_errors else 0


class GridJson(TypedDict):
    """The scores of a grid on one family: success by harness, and what they come to."""

    subject: str
    success: Mapping[str, float]
    scores: dict[str, ScoreJson]


def grid_json(one: HarnessScores) -> GridJson:
    """Return the scores of a grid on one family as plain values."""
    return {"subject": one.subject, "success": one.rates, "scores": scores_json(one.scores)}


def grid_text(found: list[HarnessScores]) -> str:
    """Return a grid as text: success by harness, a column per family, then mean and variance with their intervals."""
    header = ("success by harness", *(one.subject for one in found))
    rows = [header, *((name, *(percent(one.rates[name]) for one in found)) for name in found[0].rates)]
    summary = [("harness scores", "score", "value", "95 %, levels only", "levels")]
    summary += [
        (one.subject, score.name, in_units(score.name, score.value), interval_in_units(score), str(score.n))
        for one in found
        for score in one.scores
    ]
    return "\n".join([*aligned(rows), "", *aligned(summary)])
