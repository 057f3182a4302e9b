"""agentgen-bench serve: sessions over HTTP, for agents in any language."""

import argparse
import sys

from agentgen_bench.cli.options import given_path, integer
from agentgen_bench.cli.outputs import check_file
from agentgen_bench.cli.prompt_options import add_prompt_options, prompt_from_args
from agentgen_bench.errors import SpecError

EXAMPLES = """examples:
  agentgen-bench serve
      sessions at http://127.0.0.1:8321; docs/sessions.md has the requests
  agentgen-bench serve --port 9000 --protocol chat --max-sessions 200 --output episodes.jsonl
      growing chats, and every finished episode recorded
"""


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the verb and its options."""
    parser = subparsers.add_parser(
        "serve",
        help="play sessions over HTTP, for agents in any language",
        description="Serve sessions over HTTP: POST /sessions starts an episode, POST /sessions/ID/answer plays a "
        "step, GET /sessions/ID/episode returns the record. There is no login: serve to machines that you trust.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    group = parser.add_argument_group("server")
    group.add_argument("--host", default="127.0.0.1", help="the address to listen at (default: 127.0.0.1)")
    group.add_argument("--port", type=integer(0), default=8321, help="0 takes a free one (default: 8321)")
    group.add_argument(
        "--max-sessions", type=integer(1), default=64, help="held at once, finished ones included (default: 64)"
    )
    group.add_argument(
        "--idle",
        type=float,
        metavar="SECONDS",
        default=600.0,
        help="without a request, after which a session is closed (default: 600)",
    )
    group.add_argument("--output", metavar="FILE", type=given_path, help="append every finished episode to FILE")
    add_prompt_options(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Serve until Ctrl-C or SIGTERM."""
    from agentgen_bench.server import Limits, serve  # aiohttp, which no other verb needs at once

    if args.port > 65535:
        raise SpecError(f"--port {args.port} is none; choose 0 to 65535")
    if not 0 < args.idle <= 86_400:
        raise SpecError(f"--idle {args.idle:g} is out of range; choose seconds up to 86400")
    limits = Limits(sessions=args.max_sessions, idle_s=args.idle)
    check_file(args.output)
    serve(args.host, args.port, prompt_from_args(args), limits, args.output, say=_say)
    return 0


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
