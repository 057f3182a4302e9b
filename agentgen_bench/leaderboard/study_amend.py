"""What a maintainer does to a study's entry: score it again, or compare it with a study run anew."""

import tempfile
from collections.abc import Mapping
from pathlib import Path

from agentgen_bench.errors import EntryError
from agentgen_bench.evaluation.protocol import load_protocol
from agentgen_bench.leaderboard.study_entry import read_study_metadata
from agentgen_bench.leaderboard.study_folder import read_study_folder
from agentgen_bench.leaderboard.study_fresh import all_fresh_episodes, drawn_protocol
from agentgen_bench.leaderboard.study_records import episodes_at, run_episodes, study_suite
from agentgen_bench.leaderboard.study_verify import all_episodes, score_files
from agentgen_bench.scores.base import Interval
from agentgen_bench.scores.comparison import compare
from agentgen_bench.scores.ood import holds_zero
from agentgen_bench.scores.study_board import BoardScoresJson
from agentgen_bench.scores.study_fresh import FreshStudyJson


def computed_scores(path: Path) -> Mapping[str, BoardScoresJson | FreshStudyJson]:
    """Return what this version computes as the scores of a study's entry, from its episodes, by the file's name."""
    protocol = load_protocol(path.parent.name)
    metadata = read_study_metadata(path, protocol)
    with tempfile.TemporaryDirectory(prefix="agentgen-bench-") as folder:
        played = all_episodes(path, metadata, protocol, Path(folder))
        fresh = all_fresh_episodes(path, metadata, drawn_protocol(metadata, protocol), Path(folder))
        return score_files(protocol, metadata, played, fresh)


def rerun_study_note(path: Path, study: Path, elsewhere: Path | None = None) -> str:
    """Return what a study run anew shows about the entry in a folder, as a note for the audit trail.

    Runs are compared by name, level by level; those that the new study lacks are counted and say nothing.

    Raises:
        EntryError: no run is in both, a run is not complete, or a success differs by more than chance explains.
    """
    protocol = load_protocol(path.parent.name)
    metadata = read_study_metadata(path, protocol)
    suite = study_suite(protocol, metadata)
    _, runs = read_study_folder(study)
    shared = [name for name in metadata.study.folders if name in runs]
    if not shared:
        raise EntryError(f"{study} has no run of the names in {path}: {', '.join(metadata.study.folders[:3])}, ...")
    same = alike = total = 0
    with tempfile.TemporaryDirectory(prefix="agentgen-bench-") as folder:
        for name in shared:
            run = runs[name]
            if run.plan.suite_hash != suite.hash or not run.plan.plays_all_of(suite) or not run.is_complete:
                raise EntryError(f"{run.path} is not a complete run of {protocol.name} as it is")
            file = episodes_at(path, name, metadata, elsewhere or Path(folder))
            claimed = list(run_episodes(file, name, metadata, protocol))
            actions = {episode.key: [step.action for step in episode.steps] for episode in run.episodes}
            equal = sum(actions.get(one.key) == [step.action for step in one.steps] for one in claimed)
            difference = compare(claimed, run.episodes).difference
            is_same = equal == len(claimed)
            if not is_same and not holds_zero(Interval(difference.low, difference.high)):
                raise EntryError(
                    f"{path}: success of {name} differs: {difference.value} ({difference.low}, {difference.high})"
                )
            same, alike, total = same + is_same, alike + equal, total + len(claimed)
    return (
        f"rerun of {len(shared)} of {len(metadata.runs)} runs with the same actions in {alike} of {total} episodes; "
        f"{same} runs are the same, the success of the others differs within chance"
    )
