"""agentgen-bench suites: list the frozen suites, show one, or check that its levels are still the same."""

import argparse
import json
import sys

from agentgen_bench.cli.options import listed
from agentgen_bench.evaluation.freeze import changed_levels
from agentgen_bench.suites import load_suite, suite_names


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the verb and its options."""
    parser = subparsers.add_parser(
        "suites",
        help="list the frozen suites, show or check one",
        description="List the frozen suites; with a name, show its cells or check its levels.",
        epilog="examples:\n  agentgen-bench suites\n  agentgen-bench suites smoke --check",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("name", nargs="?", help="a suite (default: list all)")
    parser.add_argument("--check", action="store_true", help="regenerate every level and compare it with the suite")
    parser.add_argument("--families", metavar="LIST", type=listed, help="check only these families (default: all)")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """List, show or check; returns 1 where a level has changed."""
    if args.name is None:
        return _list(args.json)
    if args.check:
        return _check(args.name, args.families)
    suite = load_suite(args.name)
    if args.json:
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
    cells = [cell for cell in suite.cells if families is None or cell.spec.family in families]
    changed = [line for cell in cells for line in changed_levels(cell)]
    for line in changed:
        print(line)
    n_levels = sum(len(cell.seeds) for cell in cells)
    print(f"{name}: {n_levels} levels checked, {len(changed)} changed", file=sys.stderr)
    return 1 if changed else 0
