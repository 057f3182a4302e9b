"""Whose actions are these, asked of a study: each run is compared with the weights that it names."""

from pathlib import Path

from agentgen_bench.errors import EntryError
from agentgen_bench.evaluation.protocol import load_protocol
from agentgen_bench.leaderboard.likelihood import Likelihood, chosen_episodes, compared
from agentgen_bench.leaderboard.study_entry import StudyMetadata, read_study_metadata
from agentgen_bench.leaderboard.study_records import episodes_at, run_episodes
from agentgen_bench.policies.transformers import TransformersPolicy


def runs_of_weights(path: Path, weights: str) -> list[str]:
    """Return the runs of a study's entry that name these weights.

    Raises:
        EntryError: none does.
    """
    metadata = _metadata(path)
    found = [name for name, run in metadata.runs.items() if run.weights == weights]
    if not found:
        known = ", ".join(f"{name} {run.weights[:12]}" for name, run in metadata.runs.items())
        raise EntryError(f"no run of the study names the weights {weights[:12]}; its runs are {known}")
    return found


def study_likelihood(
    path: Path,
    run: str,
    policy: TransformersPolicy,
    *,
    n_episodes: int,
    beacon: str,
    elsewhere: Path | None = None,
) -> Likelihood:
    """Return whether the completions of a run of a study look drawn from a policy's weights; see `likelihood`.

    Args:
        path: the entry's folder; the folder above it names the protocol.
        run: the run.
        policy: the weights that it names.
        n_episodes: how many of its episodes are looked at.
        beacon: a string that was published after the entry, which decides which ones.
        elsewhere: the folder for episodes that do not lie in the entry.

    Raises:
        EntryError: as `likelihood` does, or the run's episodes are not at hand.
    """
    protocol = load_protocol(path.absolute().parent.name)
    metadata = _metadata(path)
    file = episodes_at(path.absolute(), run, metadata, elsewhere)
    played = list(run_episodes(file, run, metadata, protocol, parsed=False))
    episodes = chosen_episodes(played, n_episodes, metadata.runs[run].sha256, beacon)
    return compared(metadata.of_run(run, protocol.repeats), episodes, policy)


def runs_without(path: Path, runs: set[str]) -> list[str]:
    """Return the runs of a study's entry that are not among these."""
    return [name for name in _metadata(path).runs if name not in runs]


def _metadata(path: Path) -> StudyMetadata:
    path = path.absolute()
    return read_study_metadata(path, load_protocol(path.parent.name))
