"""agentgen-bench score: every score that one run, or several runs with their roles, allow."""

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from agentgen_bench import families
from agentgen_bench.checks import chosen
from agentgen_bench.cli.options import given_path
from agentgen_bench.cli.outputs import check_file
from agentgen_bench.cli.table import aligned
from agentgen_bench.episodes import Episode
from agentgen_bench.errors import ScoreError, SpecError
from agentgen_bench.evaluation.folder import read_run, write_json
from agentgen_bench.evaluation.grid import grid_runs, is_grid
from agentgen_bench.scores.base import ScoreJson, by_setting, family, setting_label
from agentgen_bench.scores.failures import ANALYSES, MODES, FailuresJson, failures_json
from agentgen_bench.scores.lines import Line
from agentgen_bench.scores.study import Study, StudyRun, read_study
from agentgen_bench.scores.study_scores import StudyScores, score_study
from agentgen_bench.scores.units import in_steps, in_units, interval_in_units, interval_over, why_no_interval
from agentgen_bench.seeding import stream
from agentgen_bench.yaml_text import study_text

SettingFailures = dict[str, FailuresJson]  # by the label of the setting

EXAMPLES = """examples:
  agentgen-bench score runs/mine
      success, difficulty slope and failure modes of one policy, and what its other scores lack
  agentgen-bench score --initial runs/start --trained Sokoban=runs/sokoban --trained WebShop=runs/webshop
      generalization tax, retention, OOD ranks with the stability of the ranking
  agentgen-bench score --initial runs/start --stage Sokoban=runs/stage1 --stage WebShop=runs/stage2
      forgetting, backward and forward transfer
  agentgen-bench score runs/grid
      a grid of harnesses (evaluate --harness-grid): each run, and mean and variance of success between harnesses
  agentgen-bench score --study transfer.yaml --output scores.json

A study file:
  study: transfer
  runs:
    - {run: runs/start, role: initial}
    - {run: runs/sokoban-s0, role: trained, source: Sokoban, seed: 0}
    - {run: runs/sokoban-s1, role: trained, source: Sokoban, seed: 1}
    - {run: runs/sokoban-distracted, role: trained, source: Sokoban, augmented: true}
    - {run: runs/sokoban-easy, role: trained, source: Sokoban, difficulty: easy}
    - {run: runs/first, role: stage, stage: 1, source: Sokoban}
    - {run: runs/mixture, role: joint}
Its paths are relative to the file.
"""


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the verb and its options."""
    parser = subparsers.add_parser(
        "score",
        help="compute transfer, forgetting and difficulty scores from runs",
        description="Compute every score that the runs allow; say which others there are and what run each lacks.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("runs", metavar="RUN", nargs="*", help="runs, or grids, of policies scored for themselves")
    parser.add_argument(
        "--study", metavar="FILE", type=given_path, help="a YAML file that names the runs and their roles"
    )
    roles = parser.add_argument_group("roles (a role given twice means several training seeds)")
    roles.add_argument("--initial", metavar="RUN", action="append", default=[], help="before any training")
    for option, text in (
        ("--trained", "after training on a family, or on one difficulty of it"),
        ("--augmented", "the same with augmented training"),
        ("--stage", "after the next stage of a sequence"),
    ):
        roles.add_argument(
            option, metavar="FAMILY[:DIFFICULTY]=RUN", action="append", default=[], type=_source_and_run, help=text
        )
    roles.add_argument("--joint", metavar="RUN", action="append", default=[], help="after training on all families")
    parser.add_argument("--output", metavar="FILE", type=given_path, help="write the scores to FILE as JSON")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Score; returns 0 also where some scores are undefined or lack a run."""
    study, folder = _study(args)
    check_file(args.output)
    runs = {name: read_run(folder / name) for name in study.folders}
    episodes = study.by_run([run.episodes for run in runs.values()])
    _check_sources(study, episodes)
    _warn_of_difficulties(study, episodes)
    _warn_of_prompts(study, {name: run.manifest["prompt"] for name, run in runs.items()})
    scores = score_study(study, episodes)
    failures = {name: _failures(played) for name, played in episodes.items()}
    data = {**scores.to_json(), "failures": failures, "unhealthy": scores.study.unhealthy}
    if args.output is not None:
        write_json(args.output, data)
    print(json.dumps(data, indent=2) if args.json else scores_text(scores, failures))
    return 0


def scores_text(scores: StudyScores, failures: Mapping[str, SettingFailures]) -> str:
    """Return the scores as text: a table per section, failure modes, then what was left out and what is missing."""
    parts = []
    for section in dict.fromkeys(line.section for line in scores.lines):
        lines = [line for line in scores.lines if line.section == section]
        header = (section, "score", "value", "95 % interval", "over", "n")
        parts += ["", *aligned([header, *(_row(line) for line in lines)]), *_remarks(lines)]
    parts += ["", *_failure_table(failures), *_push_table(failures)]
    if scores.study.unhealthy:
        parts += ["", "training that went wrong:", *(f"  {line}" for line in scores.study.unhealthy)]
    if scores.notes:
        parts += ["", "left out:", *(f"  {note}" for note in scores.notes)]
    if scores.missing:
        parts += ["", "not computed, and the run that is missing:", *(f"  {line}" for line in scores.missing)]
    return "\n".join(parts[1:])


def _row(line: Line) -> tuple[str, ...]:
    score = line.score
    numbers = (in_units(score.name, score.value), interval_in_units(score), interval_over(score), str(score.n))
    return (line.subject, score.name, *numbers)


def _remarks(lines: Sequence[Line]) -> list[str]:
    """Return a line for each undefined score, each lack of an interval, each environment that a mean left out."""
    undefined = [f"  {line.subject}, {line.score.name}: {line.score.reason}" for line in lines if line.score.reason]
    left_out = [f"  left out of {line.subject}: {name}" for line in lines for name in line.score.left_out]
    bare: dict[str, list[str]] = {}
    for line in lines:
        if (why := why_no_interval(line.score)) is not None:
            bare.setdefault(why, []).append(line.score.name)
    no_interval = [f"  {', '.join(dict.fromkeys(names))}: {why}" for why, names in bare.items()]
    return undefined + no_interval + list(dict.fromkeys(left_out))


def _failures(episodes: Sequence[Episode]) -> SettingFailures:
    return {
        setting_label(group[0].spec): failures_json(group, stream("scores", "failures", key))
        for key, group in by_setting(episodes).items()
    }


def _failure_table(failures: Mapping[str, SettingFailures]) -> list[str]:
    """Return the share of episodes that show each mode, and the reasons for dashes."""
    rows: list[tuple[str, ...]] = [("failure modes", *(mode.replace("_", " ") for mode in MODES))]
    reasons = []
    for name, settings in failures.items():
        for label, found in settings.items():
            scores = found["scores"]
            rows.append((f"{name}: {label}", *(in_units(mode, scores[mode]["value"]) for mode in MODES)))
            reasons += [f"  {mode}: {scores[mode]['reason']}" for mode in MODES if scores[mode]["reason"]]
    return [*aligned(rows), *dict.fromkeys(reasons)]


def _push_table(failures: Mapping[str, SettingFailures]) -> list[str]:
    """Return Sokoban's first fatal push and regret in steps, with intervals; no line without Sokoban."""
    rows: list[tuple[str, ...]] = [
        (f"{name}: {label}", *(_steps(found["scores"][each]) for each in ANALYSES))
        for name, settings in failures.items()
        for label, found in settings.items()
        if any(found["scores"][each]["value"] is not None for each in ANALYSES)
    ]
    header = ("steps, mean and 95 % interval, levels only", *(each.replace("_", " ") for each in ANALYSES))
    return ["", *aligned([header, *rows])] if rows else []


def _steps(score: ScoreJson) -> str:
    return in_steps(score) if score["value"] is None else f"{in_steps(score)}, n {score['n']}"


def _study(args: argparse.Namespace) -> tuple[Study, Path]:
    """Return the study of the options, and the folder that its runs' paths start from."""
    by_role = args.initial or args.trained or args.augmented or args.stage or args.joint
    if args.study is not None:
        if args.runs or by_role:
            raise SpecError("--study names the runs and their roles itself; give no others")
        return study_from_file(args.study), args.study.parent
    runs = [*_plain_runs(args), *_trained_runs(args.trained, False), *_trained_runs(args.augmented, True)]
    runs += _stage_runs(args.stage)
    if not runs:
        raise SpecError("name a run, runs with roles, or a study; see agentgen-bench score --help")
    return Study("command line", tuple(runs)), Path()


def study_from_file(path: Path) -> Study:
    """Return the study that a YAML file describes; raises ScoreError where it cannot be read."""
    return read_study(study_text(path, ScoreError), str(path))


def _plain_runs(args: argparse.Namespace) -> list[StudyRun]:
    initial = [StudyRun(path, "initial", seed=seed) for seed, path in enumerate(args.initial)]
    joint = [StudyRun(path, "joint", seed=seed) for seed, path in enumerate(args.joint)]
    return [*initial, *(run for path in args.runs for run in _alone_or_grid(path)), *joint]


def _alone_or_grid(path: str) -> list[StudyRun]:
    """Return the run at a path, or those of the grid at it."""
    if not is_grid(Path(path)):
        return [StudyRun(path)]
    return [StudyRun(str(run), grid=path) for run in grid_runs(Path(path)).values()]


def _trained_runs(entries: Sequence[tuple[str, str | None, str]], augmented: bool) -> list[StudyRun]:
    seen: list[tuple[str, str | None]] = []
    runs = []
    for source, difficulty, path in entries:
        seed = seen.count((source, difficulty))
        seen.append((source, difficulty))
        runs.append(StudyRun(path, "trained", source, difficulty, augmented=augmented, seed=seed))
    return runs


def _stage_runs(entries: Sequence[tuple[str, str | None, str]]) -> list[StudyRun]:
    """Return the stages in the order given; an environment named again is another seed of its stage."""
    order = list(dict.fromkeys((source, difficulty) for source, difficulty, _ in entries))
    seen: list[int] = []
    runs = []
    for source, difficulty, path in entries:
        stage = order.index((source, difficulty)) + 1
        runs.append(StudyRun(path, "stage", source, difficulty, stage, seed=seen.count(stage)))
        seen.append(stage)
    return runs


def _source_and_run(text: str) -> tuple[str, str | None, str]:
    """Return family, difficulty and run of FAMILY[:DIFFICULTY]=RUN."""
    target, equals, path = text.partition("=")
    source, _, difficulty = target.partition(":")
    if not equals or not source or not path:
        raise argparse.ArgumentTypeError(f"{text!r} is not FAMILY=RUN or FAMILY:DIFFICULTY=RUN")
    return source, difficulty or None, path


def _check_sources(study: Study, episodes: Mapping[str, Sequence[Episode]]) -> None:
    """Raise SpecError where a policy was trained on a family that is neither here nor in any run: it is misspelt."""
    played = {family(episode.spec) for run in episodes.values() for episode in run}
    known = [*families.names(), *sorted(played - set(families.names()))]
    for entry in study.runs:
        if entry.source is not None:
            chosen("family", entry.source, known, where=f"{entry.run}: ")


def _warn_of_difficulties(study: Study, episodes: Mapping[str, Sequence[Episode]]) -> None:
    """Say where a run was trained on a difficulty that no run was evaluated on: it may be misspelt."""
    played: dict[str, set[str]] = {}
    for episode in (episode for run in episodes.values() for episode in run):
        played.setdefault(family(episode.spec), set()).add(str(episode.spec["difficulty"]))
    for entry in study.runs:
        known = played.get(str(entry.source), set())
        if entry.difficulty is not None and entry.difficulty not in known:
            there = ", ".join(sorted(known)) or "nothing"
            print(
                f"{entry.run}: no run was evaluated on {entry.source} {entry.difficulty!r}, only on: {there}",
                file=sys.stderr,
            )


def _warn_of_prompts(study: Study, prompts: Mapping[str, Mapping[str, object]]) -> None:
    """Say where runs that the scores compare were played under different prompt settings."""
    compared = [name for entry in study.runs if entry.role != "policy" for name in (entry.run, *entry.also)]
    for name in compared[1:]:
        first, own = prompts[compared[0]], prompts[name]
        differing = sorted(key for key in {*first, *own} if first.get(key) != own.get(key))
        if differing:
            print(
                f"{name} was played under other prompt settings than {compared[0]} ({', '.join(differing)}): what "
                "changes between them is not the training's alone",
                file=sys.stderr,
            )
