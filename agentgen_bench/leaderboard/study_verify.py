"""Verification of a study's entry: every run replayed, every score recomputed, the chain of weights walked.

It shows that the recorded actions earn the scores on the protocol's levels, that the hashes of the weights fit one
another as the roles say, and that no recorded training level is one of the suite. It does not show that the trainings
happened as recorded, nor which weights chose the actions: these are claims.
"""

import json
import tempfile
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any, cast

from agentgen_bench.episodes import Episode
from agentgen_bench.errors import EntryError
from agentgen_bench.evaluation.protocol import Protocol, load_protocol
from agentgen_bench.leaderboard.entry import FRESH_RESULTS, SCORES, digests
from agentgen_bench.leaderboard.equal import first_difference
from agentgen_bench.leaderboard.records import SCRIPTED_KINDS, for_replay, prompt_of
from agentgen_bench.leaderboard.replay import PROCESS_ENDED, Replayed, replay_all
from agentgen_bench.leaderboard.safe import read_json
from agentgen_bench.leaderboard.study_chain import chain_problems
from agentgen_bench.leaderboard.study_entry import StudyMetadata, is_study, read_study_metadata
from agentgen_bench.leaderboard.study_fresh import (
    Played,
    all_fresh_episodes,
    drawn_protocol,
    fresh_files,
    fresh_scores,
)
from agentgen_bench.leaderboard.study_records import episodes_at, read_origins, run_episodes
from agentgen_bench.leaderboard.verify import Findings, Verification, json_text, scored, verify
from agentgen_bench.make import check_available
from agentgen_bench.scores.study_board import BoardScoresJson, board_scores
from agentgen_bench.scores.study_fresh import FreshStudyJson


def verify_study(
    path: Path,
    *,
    protocol: Protocol | None = None,
    workers: int | None = None,
    on_replayed: Callable[[Replayed], None] | None = None,
    elsewhere: Path | None = None,
) -> Verification:
    """Return what is wrong with the study's entry in a folder.

    Args:
        path: the entry's folder; the folder above it names the protocol.
        protocol: the protocol to verify against (default: the shipped one of that name).
        workers: processes (default: all cores).
        on_replayed: told of each chunk of episodes.
        elsewhere: the folder for episodes that do not lie in the entry (default: one that is taken away again).

    Raises:
        EntryError: there is no such folder.
        SpecError: there is no protocol of the name of the folder above.
        UnavailableError: the suite has versions or families that are not here to replay.
    """
    path = path.absolute()
    if not path.is_dir():
        raise EntryError(f"{path} is not a folder; name that of an entry")
    protocol = load_protocol(path.parent.name) if protocol is None else protocol
    for cell in protocol.suite.cells:
        check_available(cell.spec)
    found = Findings()
    with tempfile.TemporaryDirectory(prefix="agentgen-bench-") as temporary:
        try:
            _verify(path, protocol, found, workers, on_replayed, elsewhere or Path(temporary))
        except BrokenProcessPool:
            found.problems.append(PROCESS_ENDED)
        except EntryError as error:
            found.problems.append(str(error))
        except Exception as error:  # noqa: BLE001 - a stranger's files: what we did not think of must not hide the rest
            text = " ".join(str(error).split())[:200]
            found.problems.append(f"{path} cannot be verified: {type(error).__name__}: {text}")
    return found.verification(path)


def verify_entry(
    path: Path,
    *,
    workers: int | None = None,
    on_replayed: Callable[[Replayed], None] | None = None,
    elsewhere: Path | None = None,
) -> Verification:
    """Return what is wrong with an entry of either kind, see `verify` and `verify_study`."""
    if is_study(path):
        return verify_study(path, workers=workers, on_replayed=on_replayed, elsewhere=elsewhere)
    return verify(path, workers=workers, on_replayed=on_replayed)


def _verify(
    path: Path,
    protocol: Protocol,
    found: Findings,
    workers: int | None,
    on_replayed: Callable[[Replayed], None] | None,
    elsewhere: Path,
) -> None:
    metadata = read_study_metadata(path, protocol)
    claimed = {name: read_json(path / name) for name in _score_files(metadata)}
    found.digests = digests(path)
    drawn = drawn_protocol(metadata, protocol)
    found.problems += record_problems(path, metadata, protocol, drawn)
    if found.problems:
        return
    # Each run is read twice: what is malformed is found before minutes of replay, and only scores are gathered.
    kept = all_episodes(path, metadata, protocol, elsewhere)
    fresh = all_fresh_episodes(path, metadata, drawn, elsewhere)
    played = [(run, episodes_at(path, run, metadata, elsewhere), protocol) for run in metadata.study.folders]
    if drawn is not None:
        played += [(run, file, drawn) for run, file in fresh_files(path, metadata, elsewhere).items()]
    for run, file, levels in played:
        for chunk in _replayed(file, run, metadata, levels, workers):
            where = run if levels is protocol else f"{run} on fresh levels"
            found.add(chunk._replace(differences=[f"{where}: {line}" for line in chunk.differences]))
            if on_replayed is not None:
                on_replayed(chunk)
            if found.is_full:
                return
    if not found.problems:
        computed = score_files(protocol, metadata, kept, fresh)
        pairs = ((name, first_difference(claimed[name], value)) for name, value in computed.items())
        found.problems += [f"{name}: {difference}" for name, difference in pairs if difference is not None]
    if digests(path) != found.digests:
        found.problems.append(f"{path} was changed while it was verified")


def _score_files(metadata: StudyMetadata) -> tuple[str, ...]:
    return (SCORES,) if metadata.fresh is None else (SCORES, FRESH_RESULTS)


def record_problems(
    path: Path, metadata: StudyMetadata, protocol: Protocol, drawn: Protocol | None = None
) -> list[str]:
    """Return what is wrong with a study before any episode is read: roles, decoding, the chain of weights."""
    found = protocol.missing(metadata.study)
    found += decoding_problems(metadata.policy, protocol)
    return found + chain_problems(protocol, metadata.study, read_origins(path, metadata), drawn)


def decoding_problems(policy: Mapping[str, Any], protocol: Protocol) -> list[str]:
    """Return a line where a policy's decoding is not the protocol's; scripts draw nothing."""
    if policy.get("kind") in SCRIPTED_KINDS:
        return []
    sampling = policy.get("sampling")
    temperature = sampling.get("temperature") if isinstance(sampling, dict) else None
    if temperature == protocol.temperature:
        return []
    return [f"the policies decode at temperature {temperature}; {protocol.name} asks for {protocol.temperature}"]


def _replayed(
    file: Path, run: str, metadata: StudyMetadata, protocol: Protocol, workers: int | None
) -> Iterator[Replayed]:
    config = prompt_of(metadata.of_run(run, protocol.repeats))
    again = run_episodes(file, run, metadata, protocol, parsed=False)
    return replay_all((for_replay(episode, config) for episode in again), workers, config)


def study_scores(protocol: Protocol, metadata: StudyMetadata, played: Played) -> BoardScoresJson:
    """Return what `scores.json` must hold, as the file's plain values.

    Args:
        protocol: the protocol.
        metadata: whose roles count.
        played: the episodes of each run, those of other checkpoints too.
    """
    study = metadata.study
    runs = study.by_run([played[name] for name in study.folders])
    scores = board_scores(protocol.name, protocol.kind, study, runs, protocol.label)
    return cast(BoardScoresJson, json.loads(json_text(scores)))


def score_files(
    protocol: Protocol, metadata: StudyMetadata, played: Played, fresh: Played
) -> Mapping[str, BoardScoresJson | FreshStudyJson]:
    """Return what each file of scores of an entry must hold, by its name; arguments are those of `study_scores`."""
    scores = study_scores(protocol, metadata, played)
    if metadata.fresh is None:
        return {SCORES: scores}
    return {SCORES: scores, FRESH_RESULTS: fresh_scores(metadata.study, played, fresh, scores)}


def all_episodes(path: Path, metadata: StudyMetadata, protocol: Protocol, elsewhere: Path) -> dict[str, list[Episode]]:
    """Return the checked episodes of the runs of an entry, with what is scored of each alone."""
    return {
        run: [
            scored(episode)
            for episode in run_episodes(episodes_at(path, run, metadata, elsewhere), run, metadata, protocol)
        ]
        for run in metadata.study.folders
    }
