"""A study's folder as it is read for submission: its runs with their roles, and why they are no entry of a protocol."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from agentgen_bench.errors import EntryError, ScoreError
from agentgen_bench.evaluation.folder import MANIFEST, ManifestJson, Run, read_run
from agentgen_bench.evaluation.fresh import drawn_from
from agentgen_bench.evaluation.manifest import differences
from agentgen_bench.evaluation.protocol import Protocol, is_protocol, load_protocol
from agentgen_bench.evaluation.training import Origin
from agentgen_bench.leaderboard.entry import slug
from agentgen_bench.leaderboard.study_chain import chain_problems
from agentgen_bench.leaderboard.study_entry import OWN, fresh_roles_problems
from agentgen_bench.leaderboard.study_records import origin_from_json
from agentgen_bench.leaderboard.study_verify import decoding_problems
from agentgen_bench.leaderboard.submit import PRIVATE, run_problems
from agentgen_bench.scores.study import Study, StudyRun, read_study
from agentgen_bench.yaml_text import study_text

STUDY = "scores.yaml"  # in a study's folder


class StudySubmission(NamedTuple):
    """What a study's entry is made of; runs and origins by the names that the entry gives to the runs."""

    protocol: Protocol
    study: Study
    runs: Mapping[str, Run]
    origins: Mapping[str, Origin | None]
    fresh: Mapping[str, Run]  # on fresh levels, of those runs that have any; none where the study has no fresh part

    @property
    def fresh_text(self) -> str | None:
        """The text that drew the fresh levels, as the first of these runs says."""
        drawn = (drawn_from(run.plan.suite_name or "") for run in self.fresh.values())
        return next((found[1] for found in drawn if found is not None), None)


def is_study_folder(path: Path) -> bool:
    """Return whether a path is a study's folder, or the file that names its runs."""
    return (path / STUDY).is_file() or (path.is_file() and path.suffix in (".yaml", ".yml"))


def read_study_submission(path: Path, protocol: Protocol | None = None, fresh: Path | None = None) -> StudySubmission:
    """Return the study in a folder; `study_problems` says what speaks against it.

    Args:
        path: the study's folder, or its file of runs and roles.
        protocol: the protocol (default: the shipped one that the runs name).
        fresh: the folder of runs on fresh levels, each in a folder of the name of the study's run of the same policy.

    Raises:
        EntryError: the study or one of its runs cannot be read, or its runs are of no protocol.
    """
    study, runs = read_study_folder(path)
    protocol = _protocol_of(runs) if protocol is None else protocol
    origins = {name: _origin(run) for name, run in runs.items()}
    return StudySubmission(protocol, study, runs, origins, {} if fresh is None else _read_fresh(fresh))


def _read_fresh(folder: Path) -> dict[str, Run]:
    """Return the runs in a folder by the names that an entry gives them."""
    found = sorted(file.parent for file in folder.glob(f"*/{MANIFEST}")) if folder.is_dir() else []
    if not found:
        raise EntryError(f"{folder} holds no run in a folder of its own; name that of study --fresh (docs/fresh.md)")
    return {slug(path.name): read_run(path, texts=False) for path in found}


def study_problems(submission: StudySubmission) -> list[str]:
    """Return why a study is none of its protocol: everything at once, each with what to do."""
    protocol, study, runs, origins, _ = submission
    found = [f"role: {line}" for line in protocol.missing(study)]
    suite = protocol.cells_for(run.source for run in study.runs if run.source is not None)
    for name, run in runs.items():
        found += [f"{name}: {line}" for line in run_problems(run, suite)]
        if run.plan.repeats != protocol.repeats:
            found.append(
                f"{name}: each level was played {run.plan.repeats} times; {protocol.name} asks for {protocol.repeats}"
            )
    first = next(iter(runs.values()))
    for name, run in runs.items():
        different = sorted(
            key
            for key in common_policy(run).keys() | common_policy(first).keys()
            if common_policy(run).get(key) != common_policy(first).get(key)
        )
        if different or run.manifest["prompt"] != first.manifest["prompt"]:
            what = ", ".join(different) or "the prompt"
            found.append(f"{name}: {what} is not what it is in {first.path.name}; one setting serves a whole study")
    found += decoding_problems(first.manifest["policy"], protocol)
    drawn = _drawn(submission)
    found += chain_problems(protocol, study, origins, drawn)
    return found if drawn is None else found + [f"fresh levels: {line}" for line in _fresh_problems(submission, drawn)]


def _drawn(submission: StudySubmission) -> Protocol | None:
    """Return the protocol on the fresh levels that a study was played on; None where it was on none."""
    if not submission.fresh:
        return None
    protocol, text = submission.protocol, submission.fresh_text
    if text is None:
        raise EntryError(
            f"{next(iter(submission.fresh.values())).path} is no run on fresh levels; play them with study --fresh "
            f"TEXT, or with evaluate --suite {protocol.name} --fresh TEXT"
        )
    return protocol.on_fresh_levels(text)


def _fresh_problems(submission: StudySubmission, drawn: Protocol) -> list[str]:
    """Return why runs on fresh levels cannot go beside those of a study."""
    protocol, study, runs, _, fresh = submission
    found = fresh_roles_problems(study, fresh)
    suite = drawn.cells_for(run.source for run in study.runs if run.source is not None)
    for name in (name for name in fresh if name in runs):
        here, there = (_deciding(each[name].manifest) for each in (runs, fresh))
        found += [f"{name}: {line}" for line in differences(here, there)]
        if fresh[name].plan.suite_name != drawn.suite.name:
            found.append(f"{name}: it plays {fresh[name].plan.suite_name}, other runs play {drawn.suite.name}")
            continue
        if fresh[name].plan.repeats != protocol.repeats:
            found.append(f"{name}: each level was played {fresh[name].plan.repeats} times, not {protocol.repeats}")
        found += [f"{name}: {line}" for line in run_problems(fresh[name], suite)]
    return found


def _deciding(manifest: ManifestJson) -> dict[str, Any]:
    """Return who played: what must be the same on frozen and on fresh levels."""
    policy = {name: value for name, value in manifest["policy"].items() if name not in PRIVATE}
    return {"policy": policy, "prompt": manifest["prompt"], "origin": manifest.get("origin")}


def read_study_folder(path: Path) -> tuple[Study, dict[str, Run]]:
    """Return the study under the names that its entry gives to the runs, and the runs by these names."""
    file, named = _roles(path)
    names = {folder: slug(Path(folder).name) for folder in named.folders}
    if len(set(names.values())) < len(names):
        raise EntryError(f"{file}: two runs have the same folder name; give each its own")
    runs = {names[folder]: read_run(file.parent / folder, texts=False) for folder in named.folders}
    return Study(named.name, tuple(_renamed(run, names) for run in named.runs)), runs


def first_run(path: Path) -> Path:
    """Return the folder of a study's first run, which says what all of them play."""
    file, named = _roles(path)
    return file.parent / named.folders[0]


def _roles(path: Path) -> tuple[Path, Study]:
    """Return the file that names a study's runs, and what it says."""
    file = path / STUDY if path.is_dir() else path
    text = study_text(file, EntryError)
    try:
        return file, read_study(text, str(file))
    except ScoreError as error:
        raise EntryError(str(error)) from None


def _renamed(run: StudyRun, names: Mapping[str, str]) -> StudyRun:
    return replace(run, run=names[run.run], also=tuple(names[other] for other in run.also))


def _protocol_of(runs: Mapping[str, Run]) -> Protocol:
    suites = sorted({str(run.plan.suite_name) for run in runs.values()})
    if len(suites) > 1 or not is_protocol(suites[0]):
        raise EntryError(
            f"the runs play {', '.join(suites)}; a study on the board plays one protocol's suite: name it in the "
            "study's file, `evaluation: {suite: transfer-v1}`"
        )
    return load_protocol(suites[0])


def _origin(run: Run) -> Origin | None:
    data = run.manifest.get("origin")
    return None if data is None else origin_from_json(data, str(run.path))


def common_policy(run: Run) -> Mapping[str, Any]:
    """Return what of a run's description of its policy is the same in every run of a study."""
    return {name: value for name, value in run.manifest["policy"].items() if name not in (*PRIVATE, *OWN)}
