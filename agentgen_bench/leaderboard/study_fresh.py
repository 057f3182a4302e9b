"""The fresh part of a study's entry: its policies on levels drawn from a public string, beside the frozen ones.

As in entries of one run (`fresh`), the text stands in the metadata and draws the levels again, so that verification
replays these episodes as it does the others.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import cast

from agentgen_bench.episodes import Episode
from agentgen_bench.errors import EntryError, SpecError
from agentgen_bench.evaluation.protocol import Protocol
from agentgen_bench.leaderboard.study_entry import StudyMetadata
from agentgen_bench.leaderboard.study_records import fresh_episodes_at, run_episodes
from agentgen_bench.leaderboard.verify import json_text, scored
from agentgen_bench.scores.study import Study
from agentgen_bench.scores.study_board import BoardScoresJson
from agentgen_bench.scores.study_fresh import FreshStudyJson, study_fresh

Played = Mapping[str, Sequence[Episode]]


def drawn_protocol(metadata: StudyMetadata, protocol: Protocol) -> Protocol | None:
    """Return the protocol on the levels that the text of a study's metadata draws; None where it has no fresh part.

    Raises:
        EntryError: the text draws none, or other levels than the study was played on.
    """
    if metadata.fresh is None:
        return None
    try:
        drawn = protocol.on_fresh_levels(metadata.fresh.text)
    except SpecError as error:
        raise EntryError(f"fresh levels: {error}") from None
    if drawn.suite.hash != metadata.fresh.suite_hash:
        raise EntryError(
            f"the suite that its text draws has the hash {drawn.suite.hash}, the study was played with "
            f"{metadata.fresh.suite_hash}"
        )
    return drawn


def fresh_scores(study: Study, frozen: Played, fresh: Played, scores: BoardScoresJson) -> FreshStudyJson:
    """Return what `fresh.json` must hold, as the file's plain values.

    Args:
        study: the roles.
        frozen: the episodes of each run, those of other checkpoints too.
        fresh: those on fresh levels, of the runs that have any.
        scores: what `scores.json` must hold.
    """
    known, new = (study.by_run([side.get(name, []) for name in study.folders]) for side in (frozen, fresh))
    return cast(FreshStudyJson, json.loads(json_text(study_fresh(study, known, new, scores))))


def fresh_files(path: Path, metadata: StudyMetadata, elsewhere: Path | None) -> dict[str, Path]:
    """Return the files with the episodes on fresh levels, by run, each of the size and digest that is said of it."""
    runs = {} if metadata.fresh is None else metadata.fresh.runs
    return {run: fresh_episodes_at(path, run, metadata, elsewhere) for run in runs}


def all_fresh_episodes(
    path: Path, metadata: StudyMetadata, drawn: Protocol | None, elsewhere: Path | None
) -> dict[str, list[Episode]]:
    """Return the checked episodes on fresh levels of an entry, with what is scored of each alone."""
    if drawn is None:
        return {}
    files = fresh_files(path, metadata, elsewhere)
    return {
        run: [scored(episode) for episode in run_episodes(file, run, metadata, drawn)] for run, file in files.items()
    }
