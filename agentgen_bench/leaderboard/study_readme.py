"""The README of a study's entry: what was trained, what came of it, and what of that anyone can check."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, cast

from agentgen_bench.evaluation.protocol import Protocol
from agentgen_bench.evaluation.training import Origin
from agentgen_bench.leaderboard.entry import FRESH_RESULTS, SCORES
from agentgen_bench.leaderboard.study_entry import StudyMetadata
from agentgen_bench.scores.study_board import BoardScoreJson, BoardScoresJson
from agentgen_bench.scores.study_fresh import FreshStudyJson

ScoreFiles = Mapping[str, BoardScoresJson | FreshStudyJson]  # by name

SHOWN = {
    "transfer": {
        "held_in_gain": "held-in gain",
        "held_out_change": "held-out change",
        "overall_gain": "overall",
        "tax": "tax",
        "unseen_change": "unseen world",
    },
    "difficulty": {"gain_elsewhere": "gain on other difficulties", "difficulty_drop": "drop, easy to hard"},
    "sequence": {
        "initial": "initial",
        "accuracy_end": "accuracy at the end",
        "backward_transfer": "backward transfer",
        "forgetting_end": "forgetting at the end",
        "forward_transfer": "forward transfer",
        "mixture": "mixture",
        "against_mixture": "against the mixture",
        "unseen_change": "unseen world",
    },
    "lifecycle": {
        "held_in_gain_change": "held-in gain of memory",
        "held_in_score_change": "held-in tasks",
        "held_out_gain_change": "held-out gain of memory",
        "held_out_score_change": "held-out tasks",
        "stateful_gain": "gain over wiped",
    },
}
CLAIM = (
    "Anyone can replay every episode and recompute every score (`agentgen-bench verify`), and check that the hashes of "
    "the weights fit one another as the roles say and that no recorded training level is one of the suite. That the "
    "trainings happened as recorded, and that these weights chose these actions, is the submitter's claim."
)


def study_readme(
    metadata: StudyMetadata, protocol: Protocol, computed: ScoreFiles, origins: Mapping[str, Origin]
) -> str:
    """Return the README as Markdown; percentages and points with 95 % intervals."""
    scores = cast(BoardScoresJson, computed[SCORES])
    parts = [
        f"# {_plain(metadata.model)}: a study of {protocol.kind}",
        f"Submitted by {_plain(metadata.org)} on {metadata.date} to `{protocol.name}`: {len(metadata.runs)} runs, "
        f"{scores['episodes']} episodes, {scores['seeds']} training seeds.",
        "## Success in percent",
        _table(["policy", *_columns(scores)], _success_rows(scores)),
        "## What training gave and cost, in points",
        _table(["policy", *SHOWN[protocol.kind].values()], _score_rows(protocol.kind, scores["rows"])),
        *_fresh_parts(metadata, computed),
        "## Trainings",
        _table(["run", "method", "steps", "started from", "weights", "levels"], _training_rows(metadata, origins)),
        "## What is known and what is claimed",
        CLAIM,
    ]
    return "\n\n".join(parts) + "\n"


def _fresh_parts(metadata: StudyMetadata, computed: ScoreFiles) -> Iterator[str]:
    if metadata.fresh is None:
        return
    fresh = cast(FreshStudyJson, computed[FRESH_RESULTS])
    yield "## On fresh levels, in percent and points"
    yield f"Drawn from `{metadata.fresh.text.replace('`', ' ')}`."
    rows = (
        [_plain(one["policy"]), *(_number(one[name]) for name in ("frozen", "fresh", "change"))]
        for one in fresh["policies"]
    )
    yield _table(["policy", "frozen levels", "fresh levels", "change"], rows)
    if left_out := dict.fromkeys(name for one in fresh["policies"] for name in one["left_out"]):
        yield f"Settings without fresh levels: {', '.join(map(_plain, left_out))}."


def _columns(scores: BoardScoresJson) -> list[str]:
    return list(scores["policies"][0]["cells"])


def _success_rows(scores: BoardScoresJson) -> Iterator[list[str]]:
    for policy in scores["policies"]:
        yield [_plain(policy["policy"]), *(_number(policy["cells"].get(name)) for name in _columns(scores))]


def _score_rows(kind: str, rows: Iterable[Mapping[str, Any]]) -> Iterator[list[str]]:
    for row in rows:
        name = " → ".join(row["order"]) if kind == "sequence" else row["policy"]
        name = f"{row['family']}: {name}" if kind == "difficulty" else name
        yield [_plain(name), *(_number(row[key]) for key in SHOWN[kind])]


def _training_rows(metadata: StudyMetadata, origins: Mapping[str, Origin]) -> Iterator[list[str]]:
    for run in metadata.study.folders:
        origin = origins[run]
        record = origin.training
        if record is None:
            yield [f"`{run}`", "-", "-", "-", f"`{origin.weights[:12]}`", "-"]
            continue
        parent = "random numbers" if record.parent is None else f"`{record.parent[:12]}`"
        levels = str(len(record.level_ids))
        yield [f"`{run}`", record.method, str(record.step), parent, f"`{origin.weights[:12]}`", levels]


def _number(score: BoardScoreJson | None) -> str:
    if score is None or score["value"] is None:
        return "-"
    value = f"{100 * score['value']:.1f}"
    if score["low"] is None or score["high"] is None:
        return value
    return f"{value} ({100 * score['low']:.1f} to {100 * score['high']:.1f})"


def _table(header: Sequence[str], rows: Iterator[list[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _plain(text: str) -> str:
    """Return text that Markdown shows as it is."""
    return "".join(f"\\{char}" if char in "\\`*_{}[]()<>#+!|&~" else char for char in text)
