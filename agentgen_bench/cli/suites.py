"""agentgen-bench suites: list the frozen suites, show or check one, or draw fresh levels for its settings."""

import argparse
import json
import sys

from agentgen_bench.checks import chosen
from agentgen_bench.cli.options import given_path, listed
from agentgen_bench.errors import SpecError
from agentgen_bench.evaluation.folder import write_text
from agentgen_bench.evaluation.freeze import changed_levels
from agentgen_bench.evaluation.fresh import fresh_suite
from agentgen_bench.suites import Suite, load_suite, suite_names, to_text

EXAMPLES = """examples:
  agentgen-bench suites
  agentgen-bench suites smoke --check
  agentgen-bench suites core-v1 --fresh "drand 4812345"
      other test levels for the settings of core-v1, the same for everybody who gives this text (docs/fresh.md)
"""


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the verb and its options."""
    parser = subparsers.add_parser(
        "suites",
        help="list the frozen suites, show or check one, draw fresh levels",
        description="List the frozen suites; with a name, show its cells, check its levels or draw fresh ones.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("name", nargs="?", help="a suite (default: list all)")
    parser.add_argument("--check", action="store_true", help="regenerate every level and compare it with the suite")
    parser.add_argument(
        "--fresh", metavar="TEXT", help="draw the suite's levels anew from this public string, none of the frozen ones"
    )
    parser.add_argument("--output", metavar="FILE", type=given_path, help="with --fresh: write the drawn suite as JSON")
    parser.add_argument(
        "--families", metavar="LIST", type=listed, help="with --check: only these families (default: all)"
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """List, show, check or draw; returns 1 where a level has changed."""
    if args.output is not None and args.fresh is None:
        raise SpecError("--output goes with --fresh; the files of frozen suites come with the package")
    if args.families is not None and not args.check:
        raise SpecError("--families goes with --check: agentgen-bench suites NAME --check --families LIST")
    if args.fresh is not None:
        return _draw(args)
    if args.name is None and args.check:
        raise SpecError("--check regenerates the levels of one suite; name it: agentgen-bench suites NAME --check")
    if args.name is None:
        return _list(args.json)
    if args.check:
        return _check(args.name, args.families)
    return _show(load_suite(args.name), args.json)


def _draw(args: argparse.Namespace) -> int:
    if args.name is None or args.check:
        raise SpecError("--fresh draws levels for one suite: agentgen-bench suites NAME --fresh TEXT, without --check")
    base = load_suite(args.name)
    suite = fresh_suite(base, args.fresh)
    for cell in base.cells:
        drawn = next((len(fresh.seeds) for fresh in suite.cells if fresh.spec == cell.spec), 0)
        if drawn < len(cell.seeds):
            print(f"{cell.spec.label}: {drawn} of {len(cell.seeds)} levels can be drawn anew", file=sys.stderr)
    if args.output is not None:
        write_text(args.output, to_text(suite.description, suite.cells))
    return _show(suite, args.json)


def _show(suite: Suite, as_json: bool) -> int:
    if as_json:
        cells = [{"spec": cell.spec.to_json(), "levels": len(cell.seeds)} for cell in suite.cells]
        print(json.dumps({"name": suite.name, "hash": suite.hash, "cells": cells}, indent=2))
        return 0
    print(f"{suite.name}: {suite.description}\nsha256 {suite.hash}")
    for cell in suite.cells:
        print(f"{len(cell.seeds):>6} levels  {cell.spec.label}")
    return 0


def _list(as_json: bool) -> int:
    suites = [load_suite(name) for name in suite_names()]
    if as_json:
        print(json.dumps([{"name": suite.name, "hash": suite.hash} for suite in suites], indent=2))
        return 0
    for suite in suites:
        n_levels = sum(len(cell.seeds) for cell in suite.cells)
        print(f"{suite.name:<16} {len(suite.cells):>3} cells {n_levels:>6} levels  {suite.description}")
    return 0


def _check(name: str, families: list[str] | None) -> int:
    suite = load_suite(name)
    held = dict.fromkeys(cell.spec.family.lower() for cell in suite.cells)
    wanted = [chosen(f"family of {name}", family.lower(), held) for family in families or held]
    cells = [cell for cell in suite.cells if cell.spec.family.lower() in wanted]
    changed = [line for cell in cells for line in changed_levels(cell)]
    for line in changed:
        print(line)
    n_levels = sum(len(cell.seeds) for cell in cells)
    print(f"{name}: {n_levels} levels checked, {len(changed)} changed", file=sys.stderr)
    return 1 if changed else 0
