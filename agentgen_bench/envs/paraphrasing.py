"""Paraphrases: a task in other words with its goal unchanged, which reading the goal back from the text proves.

A family writes its task sentences as forms with holes; what fills a hole is taken over as it stands.
"""

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

from agentgen_bench.seeding import stream

_HOLE = re.compile(r"\{([a-z]+)\}")


class Form(NamedTuple):
    """A task sentence and other ways to say it, all with the same holes, such as `{thing}`.

    `hole` is a regular expression for what may fill one; the narrower, the fewer sentences a form is taken for.
    """

    original: str
    others: tuple[str, ...]
    hole: str = ".+?"


def paraphrased(forms: Sequence[Form], task: str, paraphrase: int, family: str, level_id: str) -> str:
    """Return a task in other words, which `paraphrase` (from 1) and the level choose; 0 leaves it as it is.

    A task that fits no form stays as it is: nothing could show that another wording says the same.
    """
    if not paraphrase:
        return task
    for form in forms:
        holes = _read(form.original, form.hole, task)
        if holes is not None:
            draws = stream(family.lower(), "paraphrase", paraphrase, level_id)
            return form.others[int(draws.integers(len(form.others)))].format(**holes)
    return task


def original_of(forms: Sequence[Form], text: str) -> str | None:
    """Return the original sentence of the task that a text states; None where it fits no form.

    Examples:
        >>> original_of([Form("Push {n} boxes.", ("{n} boxes are to be pushed.",))], "3 boxes are to be pushed.")
        'Push 3 boxes.'
    """
    for form in forms:
        for sentence in (form.original, *form.others):
            holes = _read(sentence, form.hole, text)
            if holes is not None:
                return form.original.format(**holes)
    return None


def _read(sentence: str, hole: str, text: str) -> dict[str, str] | None:
    match = _pattern(sentence, hole).fullmatch(text)
    return None if match is None else match.groupdict()


@lru_cache(maxsize=1024)
def _pattern(sentence: str, hole: str) -> re.Pattern[str]:
    """Return the pattern of a sentence; a hole that comes again must hold the same."""
    parts, seen = _HOLE.split(sentence), set[str]()
    pattern = ""
    for i, part in enumerate(parts):
        if i % 2 == 0:
            pattern += re.escape(part)
        else:
            pattern += f"(?P={part})" if part in seen else f"(?P<{part}>{hole})"
            seen.add(part)
    return re.compile(pattern)
