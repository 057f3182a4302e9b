"""What a run says that is stopped: where it is, and the command that goes on with it."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from agentgen_bench.cli.progress import Progress
from agentgen_bench.errors import PolicyError
from agentgen_bench.evaluation.folder import MANIFEST


@contextmanager
def going_on(command: str, output: Path, progress: Progress) -> Iterator[None]:
    """Play a run within; its bar is closed at the end, and what stops it carries how to go on.

    Raises:
        KeyboardInterrupt: at Ctrl-C; its argument is for `main` to print.
        PolicyError: the policy failed.
    """
    try:
        yield
    except KeyboardInterrupt:
        raise KeyboardInterrupt(_how(command, output)) from None
    except PolicyError as error:
        raise PolicyError(f"{error}\n{_how(command, output)}") from None
    finally:
        progress.close()


def _how(command: str, output: Path) -> str:
    if not (output / MANIFEST).exists():
        return f"nothing was played yet; begin again with:\n  {command}"
    resume = command if "--resume" in command else f"{command} --resume"
    return f"what was played is in {output}; go on with:\n  {resume}"
