"""Rerun: a maintainer's own run of the model behind an entry, compared with the entry level by level."""

from pathlib import Path

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
    if run.plan.suite_hash != suite.hash or not run.plan.plays_all_of(suite) or not run.is_complete:
        raise EntryError(
            f"{run.path} is not a complete run of {suite.name} as it is; evaluate with --suite {suite.name}, without "
            "--limit and without other knobs"
        )
    claimed = list(map(for_replay, read_entry_episodes(path, read_metadata(path, suite), suite)))
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
