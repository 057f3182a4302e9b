"""Fresh suites: the settings of a frozen suite, on test levels that are drawn from a public string.

The levels of a frozen suite are known to everyone, so weights may have been fitted to them. Levels drawn from a string
that was published after the weights were fixed (the number and hash of a block, a lottery's draw) were known to nobody.
A fresh suite is named `<suite>@<string>`; the name alone decides every byte of it, on any machine.

Not covered: settings whose levels are a list, such as SciWorld's. Everybody can read and train on all of them, so none
is fresh; their cells are left out (/docs/fresh.md).
"""

import unicodedata
from collections.abc import Iterator
from functools import cache

from agentgen_bench.envs.base import TextEnv
from agentgen_bench.episodes import canonical_json
from agentgen_bench.errors import SpecError
from agentgen_bench.evaluation.plan import bare
from agentgen_bench.make import make
from agentgen_bench.seeding import stream
from agentgen_bench.spec import TaskSpec
from agentgen_bench.suites import Cell, Suite, from_text, load_suite, to_text

SEPARATOR = "@"
MAX_TEXT_CHARS = 200
SEEDS = 2**31
MAX_DRAWS = 20  # for each level asked for; a setting that then has too few gives what it has

Drawn = tuple[tuple[int, ...], tuple[str, ...]]  # seeds, and the level id each gives


def fresh_name(suite: str, text: str) -> str:
    """Return the name of the suite that a text draws for the settings of a frozen one.

    Raises:
        SpecError: the text is not one plain line.
    """
    if not 0 < len(text) <= MAX_TEXT_CHARS or not text.isprintable() or text != text.strip():
        raise SpecError(
            f"the text to draw levels from is {text[:60]!r}; it must be one line of 1 to {MAX_TEXT_CHARS} printable "
            "characters without spaces around it"
        )
    if text != unicodedata.normalize("NFC", text):
        raise SpecError(f"the text to draw levels from is {text[:60]!a}, which can be written in two ways; compose it")
    return f"{suite}{SEPARATOR}{text}"


def drawn_from(name: str) -> tuple[str, str] | None:
    """Return the frozen suite and the text in the name of a fresh suite; None where it is the name of no fresh one."""
    suite, separator, text = name.partition(SEPARATOR)
    return (suite, text) if separator else None


def named_suite(name: str) -> Suite:
    """Return a frozen suite by its name, or draw the fresh one of that name; raises SpecError where there is none."""
    drawn = drawn_from(name)
    return load_suite(name) if drawn is None else fresh_suite(load_suite(drawn[0]), drawn[1])


@cache  # one command asks several times, and drawing takes up to minutes
def fresh_suite(base: Suite, text: str) -> Suite:
    """Return the suite that a text draws: the cells of `base`, as many levels each, none of which is in `base`.

    Seeds come from a stream keyed by the name of `base`, the text and the setting, so that views of one setting share
    their levels, as they do in `base`. A cell is smaller where the setting runs out of levels, and left out where they
    are a list.

    Raises:
        SpecError: the text is not one plain line, or no cell is left.
    """
    name = fresh_name(base.name, text)
    known = frozenset(level_id for cell in base.cells for level_id in cell.level_ids)
    found: dict[tuple[TaskSpec, int], Drawn] = {}
    for cell in base.cells:
        setting = (bare(cell.spec), len(cell.seeds))
        if setting not in found:
            found[setting] = _drawn_levels(*setting, base.name, text, known)
    cells = tuple(Cell(cell.spec, *found[bare(cell.spec), len(cell.seeds)]) for cell in base.cells)
    kept = tuple(cell for cell in cells if cell.seeds)
    if not kept:
        raise SpecError(f"no cell of {base.name} makes its levels anew: all are lists that everybody can read")
    return from_text(name, to_text(f"Levels for the settings of {base.name}, drawn from {text!r}", kept))


def _drawn_levels(spec: TaskSpec, n_levels: int, suite: str, text: str, known: frozenset[str]) -> Drawn:
    env = make(spec)
    try:
        if isinstance(env.unwrapped, TextEnv) and env.unwrapped.levels_are_listed:
            return (), ()
        levels: dict[str, int] = {}
        for seed in _seeds(spec, n_levels, suite, text):
            level_id = str(env.reset(seed=seed)[1]["level_id"])
            if level_id not in known:
                levels.setdefault(level_id, seed)
            if len(levels) == n_levels:
                break
        return tuple(levels.values()), tuple(levels)
    finally:
        env.close()


def _seeds(spec: TaskSpec, n_levels: int, suite: str, text: str) -> Iterator[int]:
    rng = stream("fresh", suite, text, canonical_json(spec.to_json()))
    for _ in range(MAX_DRAWS * n_levels):
        yield int(rng.integers(SEEDS))
