r"""The one place through which text reaches a terminal, so that nothing that came from outside can command it.

Completions, tasks, folder names, answers of servers and texts of exceptions may hold escape sequences (a terminal
obeys them: it moves the cursor, sets titles, fills the clipboard), reversals of the direction of writing (what is read
is not what is there) and carriage returns (a line overwrites itself). While a verb runs, `guarded` lets stdout and
stderr show each such character as its escape, `\x1b`. Only a progress bar may go back to the beginning of its line.
"""

import re
import sys
import unicodedata
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, TextIO, cast

from agentgen_bench.errors import RunError

_SPECIAL = re.compile(r"[^\n\t -~]")  # printable ASCII needs no look
_HIDDEN = ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")  # control, format, surrogate, private, unassigned, separators


def plain(text: str) -> str:
    r"""Return a text with every character that a terminal would obey, or not show, as its escape; lines stay lines.

    Examples:
        >>> print(plain("a\x1b[31mb\u202ec\rd"))
        a\x1b[31mb\u202ec\rd
    """
    return _SPECIAL.sub(_escaped, text)


def one_line(text: str) -> str:
    r"""Return a text as one line: a name with a line break in it must not look like two lines of ours.

    Examples:
        >>> print(one_line("entry: holds\nother: holds"))
        entry: holds\nother: holds
    """
    return plain(text).replace("\n", r"\n").replace("\t", r"\t")


def _escaped(match: "re.Match[str]") -> str:
    char = match[0]
    return char.encode("unicode_escape").decode() if unicodedata.category(char) in _HIDDEN else char


class PlainStream:
    """A text stream that shows what it is given by `plain`; everything else is the stream's below it."""

    def __init__(self, below: TextIO, name: str = "") -> None:
        """Stand before a stream; with a name, a failure to write is an error that names it, else it is let pass."""
        self.below = below
        self._name = name
        self._may_return = True  # at the beginning of a line, or in one that a bar draws

    def write(self, text: str, /) -> int:
        """Write the text in its plain form; characters that the encoding lacks are escaped too."""
        bar = self._may_return and text.startswith("\r")
        shown = plain(text)
        if bar:
            middle = text.strip("\r")
            shown = "\r" + plain(middle) + ("\r" if len(text) > 1 and text.endswith("\r") else "")
        encoding = getattr(self.below, "encoding", None) or "utf-8"
        with self._failures():
            self.below.write(shown.encode(encoding, "backslashreplace").decode(encoding))
        if text:
            self._may_return = bar or text.endswith("\n")
        return len(text)

    def flush(self) -> None:
        """Hand on what is held back."""
        with self._failures():
            self.below.flush()

    @contextmanager
    def _failures(self) -> Iterator[None]:
        """Raise RunError for a stream that holds results; no run ends because what it says cannot be written."""
        try:
            yield
        except BrokenPipeError:
            if self._name:
                raise
        except OSError as error:
            if self._name:
                raise RunError(f"cannot print results to {self._name}: {error.strerror or error}") from None

    def writelines(self, lines: Iterable[str], /) -> None:
        """Write each of the lines."""
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        """Return what the stream below has; no base class of `io`, which would close that one with this."""
        return getattr(self.below, name)


@contextmanager
def guarded() -> Iterator[None]:
    """Let stdout and stderr show everything by `plain` for a while."""
    before = sys.stdout, sys.stderr
    if sys.stdout is not None and not isinstance(sys.stdout, PlainStream):
        sys.stdout = cast(TextIO, PlainStream(sys.stdout, "stdout"))
    if sys.stderr is not None and not isinstance(sys.stderr, PlainStream):
        sys.stderr = cast(TextIO, PlainStream(sys.stderr))
    try:
        yield
    finally:
        sys.stdout, sys.stderr = before
