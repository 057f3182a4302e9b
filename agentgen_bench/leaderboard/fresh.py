"""The fresh part of an entry: episodes on levels drawn from a public string, beside those of the frozen suite.

The text stands in the metadata and draws the suite again, so that verification replays these episodes as it does the
others. When the text was published, and that the weights were fixed before, no file can show: see /docs/fresh.md.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path

from agentgen_bench.episodes import Episode
from agentgen_bench.errors import EntryError, SpecError
from agentgen_bench.evaluation.fresh import fresh_suite
from agentgen_bench.leaderboard.entry import FRESH_EPISODES, Metadata
from agentgen_bench.leaderboard.records import checked_episodes
from agentgen_bench.leaderboard.safe import read_gzip_lines
from agentgen_bench.scores.fresh import FreshJson, fresh_comparison
from agentgen_bench.suites import Suite


def read_fresh_episodes(path: Path, metadata: Metadata, suite: Suite, *, parsed: bool = True) -> Iterator[Episode]:
    """Yield the checked episodes on fresh levels of the entry in a folder; none where it has no such part.

    Raises:
        EntryError: the entry's text draws no suite or another one, or a line is not an episode of it.
    """
    if metadata.fresh is None:
        return
    drawn = drawn_suite(metadata, suite)
    where = path / FRESH_EPISODES
    yield from checked_episodes(read_gzip_lines(where), str(where), metadata, drawn, parsed=parsed)


def drawn_suite(metadata: Metadata, suite: Suite) -> Suite:
    """Return the suite that the text of an entry's metadata draws for the settings of its frozen suite.

    Raises:
        EntryError: it draws none, or one with another hash than the entry was played with.
    """
    if metadata.fresh is None:
        raise EntryError("the entry has no fresh levels")
    try:
        drawn = fresh_suite(suite, metadata.fresh["text"])
    except SpecError as error:
        raise EntryError(f"fresh levels: {error}") from None
    if drawn.hash != metadata.fresh["suite_hash"]:
        claimed = metadata.fresh["suite_hash"][:64]
        raise EntryError(f"the suite that its text draws has the hash {drawn.hash}, the entry was made with {claimed}")
    return drawn


def fresh_results(frozen: Iterable[Episode], fresh: Iterable[Episode]) -> FreshJson:
    """Return the content of fresh.json."""
    return fresh_comparison(frozen, fresh).to_json()
