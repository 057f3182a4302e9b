"""agentgen-bench data: get the data sets that a family can use but that are not ours to ship."""

import argparse
import os
import sys
from pathlib import Path

from agentgen_bench.cli.options import given_path
from agentgen_bench.data.alfworld import ARCHIVES, OFFICIAL_COUNTS, RELEASES, download_alfworld
from agentgen_bench.data.digests import parsed
from agentgen_bench.data.webshop import FILES, SETS, download_webshop
from agentgen_bench.homes import expanded

WEBSHOP_FOLDER = os.environ.get("AGENTGEN_WEBSHOP_DATA", "~/.cache/agentgen-bench/webshop-data")
ALFWORLD_FOLDER = os.environ.get("ALFWORLD_DATA", "~/.cache/alfworld")


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the verb with one subcommand per data set."""
    parser = subparsers.add_parser(
        "data",
        help="download the official data of a family",
        description="Download data that is not part of this package. No family needs any to run.",
        epilog="examples:\n  agentgen-bench data alfworld\n  agentgen-bench data alfworld --folder /data/alfworld\n"
        "  agentgen-bench data webshop --size all --folder /data/webshop",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    sets = parser.add_subparsers(title="data sets", metavar="NAME", required=True, help="which data set")
    _add_alfworld(sets)
    _add_webshop(sets)


def _add_alfworld(sets: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    alfworld = sets.add_parser(
        "alfworld",
        help="the official ALFWorld games (json_2.1.1)",
        description="Download the official ALFWorld games; goes on where an earlier download broke off.",
    )
    alfworld.add_argument(
        "--folder",
        type=given_path,
        default=Path(ALFWORLD_FOLDER),
        help="where to (default: $ALFWORLD_DATA, else ~/.cache/alfworld)",
    )
    alfworld.add_argument(
        "--everything", action="store_true", help="also trajectories and PDDL files, for alfworld's own scripts"
    )
    alfworld.add_argument("--url", default=RELEASES, help="where the releases are (default: %(default)s)")
    _add_sha256(alfworld)
    alfworld.add_argument("--quiet", action="store_true", help="draw no progress bars")
    alfworld.set_defaults(run=run)


def _add_webshop(sets: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    webshop = sets.add_parser(
        "webshop",
        help="the original WebShop products and instructions",
        description="Download the original WebShop's files; goes on where an earlier download broke off.",
    )
    webshop.add_argument(
        "--folder",
        type=given_path,
        default=Path(WEBSHOP_FOLDER),
        help="where to (default: $AGENTGEN_WEBSHOP_DATA, else ~/.cache/agentgen-bench/webshop-data)",
    )
    webshop.add_argument(
        "--size",
        choices=tuple(SETS),
        default="small",
        help="small: 1,000 products; all: 1.18 million, some 5 GB (default: %(default)s)",
    )
    webshop.add_argument("--url", help="an address that has the files by name (default: the original project's own)")
    _add_sha256(webshop)
    webshop.add_argument("--quiet", action="store_true", help="draw no progress bars")
    webshop.set_defaults(run=run_webshop)


def _add_sha256(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--sha256",
        metavar="NAME=HEX",
        action="append",
        default=[],
        help="what a file must be; may be given for each (default: what the first download recorded in SHA256SUMS)",
    )


def run_webshop(args: argparse.Namespace) -> int:
    """Download, then say what is there and how to use it."""
    folder = expanded(args.folder)  # a default has not been
    progress = None if args.quiet else sys.stderr
    digests = parsed(args.sha256, FILES)
    for file in download_webshop(folder, size=args.size, base_url=args.url, sha256=digests, progress=progress):
        print(f"{file.path.name:<24} {file.size_bytes:>14,} bytes  sha256 {file.sha256}")
    print(f"use it with difficulty='paper' and data={str(folder)!r}, or set AGENTGEN_WEBSHOP_DATA={folder}")
    return 0


def run(args: argparse.Namespace) -> int:
    """Download, then say what is there; returns 1 where fewer games arrived than the official release has."""
    folder = expanded(args.folder)  # a default has not been
    progress = None if args.quiet else sys.stderr
    counts = download_alfworld(
        folder,
        everything=args.everything,
        base_url=args.url,
        sha256=parsed(args.sha256, ARCHIVES),
        progress=progress,
    )
    for count in counts:
        print(f"{count.split:<13} {count.found:>5} games of {count.official}")
    if any(count.found < OFFICIAL_COUNTS[count.split] for count in counts):
        print("agentgen-bench: fewer games than the official release has", file=sys.stderr)
        return 1
    print(f"use it with data={str(folder)!r}, or set ALFWORLD_DATA={folder}")
    return 0
