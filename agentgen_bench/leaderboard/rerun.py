"""Rerun: a maintainer's own run of the model behind an entry, compared with the entry level by level."""

from collections.abc import Iterable
from pathlib import Path

from agentgen_bench.episodes import Episode
from agentgen_bench.errors import EntryError
from agentgen_bench.evaluation.folder import Run
from agentgen_bench.leaderboard.entry import read_metadata
from agentgen_bench.leaderboard.records import for_replay, read_entry_episodes
from agentgen_bench.scores.base import Interval
from agentgen_bench.scores.comparison import compare
from agentgen_bench.scores.ood import holds_zero
from agentgen_bench.suites import Suite, load_suite


def rerun_note(path: Path, run: Run, suite: Suite | None = None) -> str:
    """Return what a rerun shows about the entry in a folder, as a note for the audit trail.

    Raises:
        EntryError: the run is not one of the whole suite, or its success differs by more than chance explains.
    """
    suite = load_suite(path.parent.name) if suite is None else suite
    if run.plan.suite_hash != suite.hash or not run.is_complete:
        raise EntryError(f"{run.path} is not a complete run of {suite.name}; evaluate with --suite {suite.name}")
    claimed = list(map(for_replay, read_entry_episodes(path, read_metadata(path, suite), suite)))
    check_levels(claimed, run)
    difference = compare(claimed, run.episodes).difference
    actions = {episode.key: [step.action for step in episode.steps] for episode in run.episodes}
    alike = sum(actions.get(episode.key) == [step.action for step in episode.steps] for episode in claimed)
    text = f"rerun with the same actions in {alike} of {len(claimed)} episodes"
    if alike == len(claimed):
        return text
    if difference.value is None or not holds_zero(Interval(difference.low, difference.high)):
        raise EntryError(
            f"{path}: {text}, and success differs: {difference.value} ({difference.low}, {difference.high})"
        )
    return f"{text}; success differs by {100 * difference.value:+.1f} points, within chance"


def check_levels(claimed: Iterable[Episode], run: Run) -> None:
    """Raise EntryError where a run leaves out a level of an entry, as under --limit: some of them show little."""
    played = {episode.key[:2] for episode in run.episodes}
    wanted = {episode.key[:2] for episode in claimed}
    if missing := wanted - played:
        raise EntryError(
            f"{run.path} lacks {len(missing)} of the entry's {len(wanted)} levels; "
            f"evaluate --suite {run.plan.suite_name} without --limit and without other knobs"
        )
