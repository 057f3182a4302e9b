"""The command line: one module per verb, each with `add_parser(subparsers)` and `run(args) -> exit code`.

Results go to stdout, progress and warnings to stderr. Exit codes: 0 done, 1 failed, 2 wrong usage, 130 interrupted.
"""

import argparse
import os
import sys
import traceback
from collections.abc import Sequence
from contextlib import suppress
from importlib import import_module

from agentgen_bench import __version__
from agentgen_bench.cli.options import Parser
from agentgen_bench.cli.outputs import check_streams
from agentgen_bench.errors import AgentGenError, MissingDependencyError, RunError, SpecError
from agentgen_bench.terminal import guarded

VERBS = (
    *("evaluate", "score", "compare", "power", "profile", "report", "export"),
    *("submit", "verify", "leaderboard", "audit"),
    *("init-model", "collect", "train", "study"),
    *("suites", "envs", "play", "serve", "data"),
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one verb and return its exit code; a user's mistake is one line on stderr, never a trace.

    Whatever is printed meanwhile goes through `terminal.plain`, a trace of a fault of ours included.
    """
    with guarded():
        code = _main(argv)
        if code != 0:
            _let_go_of_stdout()
        return code


def _main(argv: Sequence[str] | None) -> int:
    try:
        check_streams()
        try:
            words = sys.argv[1:] if argv is None else list(argv)
            named = words[0] if words and words[0] in VERBS else None
            args = build_parser(named).parse_args(words)  # within: a Ctrl-C may come while a verb is imported
            args.words = words  # for records of how a run was started
            code = int(args.run(args))
        finally:
            sys.stdout.flush()  # within too: what cannot be written is known only now
        return code
    except (SpecError, MissingDependencyError) as error:
        return _fail(error, 2)
    except AgentGenError as error:
        return _fail(error, 1)
    except KeyboardInterrupt as stop:
        print("; ".join(["interrupted", *map(str, stop.args)]), file=sys.stderr)  # a verb may say how to go on
        return 130
    except BrokenPipeError:  # the reader of our output went away, as `| head` does
        return 1
    except Exception as error:  # noqa: BLE001 - left to the interpreter, its text would reach the terminal raw
        if isinstance(error, OSError) and error.filename is not None:  # a path that cannot be used, such as a long one
            return _fail(f"cannot use {error.filename}: {error.strerror}", 1)
        traceback.print_exc()  # a fault of ours
        return 1


def build_parser(verb: str | None = None) -> argparse.ArgumentParser:
    """Return the parser of the command line, of one verb alone where it is named: the others are not imported."""
    parser = Parser(
        prog="agentgen-bench",
        description="Measure what LLM agents generalize, forget and transfer, over four text environments.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="examples:\n  agentgen-bench evaluate\n  agentgen-bench evaluate --model PATH --suite core-v1",
    )
    parser.add_argument("--version", action="version", version=f"agentgen-bench {__version__}")
    subparsers = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for name in VERBS if verb is None else (verb,):
        import_module(f"agentgen_bench.cli.{name.replace('-', '_')}").add_parser(subparsers)
    return parser


def _let_go_of_stdout() -> None:
    """Send what could not be printed nowhere: the interpreter would try again at its end, and complain."""
    try:
        sys.stdout.flush()
    except (OSError, RunError):
        with suppress(OSError, ValueError, AttributeError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _fail(error: Exception | str, code: int) -> int:
    print(f"agentgen-bench: error: {error}", file=sys.stderr)
    return code
