"""Making a study's entry from its folder: refused, with every reason, where it is not what its protocol asks for."""

import hashlib
import shutil
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml

from agentgen_bench.errors import EntryError, ScoreError
from agentgen_bench.evaluation.folder import Run, read_run
from agentgen_bench.evaluation.protocol import Protocol, is_protocol, load_protocol
from agentgen_bench.evaluation.sessions import made, sessions_of
from agentgen_bench.evaluation.training import Origin
from agentgen_bench.leaderboard.entry import ENTRY_VERSION, METADATA, README, SCORES, Named, check_claims, slug
from agentgen_bench.leaderboard.replay import Replayed
from agentgen_bench.leaderboard.study_chain import chain_problems, trimmed
from agentgen_bench.leaderboard.study_entry import (
    KIND,
    MAX_ENTRY_BYTES,
    RunFile,
    StudyMetadata,
    episodes_file,
    study_metadata_from_json,
)
from agentgen_bench.leaderboard.study_readme import study_readme
from agentgen_bench.leaderboard.study_records import (
    check_address,
    origin_from_json,
    write_episodes,
    write_origins,
)
from agentgen_bench.leaderboard.study_verify import all_episodes, decoding_problems, study_scores, verify_study
from agentgen_bench.leaderboard.submit import PRIVATE, name_problems, run_problems
from agentgen_bench.leaderboard.verify import json_text
from agentgen_bench.scores.study import Study, StudyRun, read_study

STUDY = "scores.yaml"  # in a study's folder
OWN = ("name", "model", "content_hash")  # of a policy's description; all else is common to a study


def is_study_folder(path: Path) -> bool:
    """Return whether a path is a study's folder, or the file that names its runs."""
    return (path / STUDY).is_file() or (path.is_file() and path.suffix in (".yaml", ".yml"))


def submit_study(
    path: Path,
    claims: Named,
    leaderboards: Path,
    *,
    readme: str | None = None,
    protocol: Protocol | None = None,
    elsewhere: tuple[str, Path] | None = None,
    workers: int | None = None,
    on_replayed: Callable[[Replayed], None] | None = None,
) -> Path:
    """Make the entry of a study, verify it, and return its path below `leaderboards`.

    The folder appears whole or not at all.

    Args:
        path: the study's folder, or its file of runs and roles.
        claims: who submits.
        leaderboards: the folder that holds a folder per suite and protocol.
        readme: text put above the README that is made.
        protocol: the protocol (default: the shipped one that the runs name).
        elsewhere: the address at which the episodes will lie, and the folder that they are written into instead of the
            entry's.
        workers: processes of the verification (default: all cores).
        on_replayed: told of each chunk of episodes.

    Raises:
        EntryError: with every reason why the study cannot be submitted, or with what the verification found.
    """
    study, runs = read_study_folder(path)
    protocol = _protocol_of(runs) if protocol is None else protocol
    origins = {name: _origin(run) for name, run in runs.items()}
    check_claims(*claims, "the entry")
    problems = study_problems(protocol, study, runs, origins)
    problems += name_problems(protocol.name, claims, leaderboards)
    if problems:
        raise EntryError(f"{path} cannot be submitted:\n  " + "\n  ".join(problems))
    if elsewhere is not None:
        check_address(elsewhere[0])
    known = trimmed(study, {name: origin for name, origin in origins.items() if origin is not None})
    target = leaderboards / protocol.name / f"{claims.date.replace('-', '')}_{slug(claims.org)}__{slug(claims.model)}"
    if target.exists():
        raise EntryError(f"{target} exists; entries are never overwritten, choose another date or model name")
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".new-") as folder:
        new = Path(folder) / target.name
        new.mkdir()
        files = new if elsewhere is None else elsewhere[1]
        files.mkdir(parents=True, exist_ok=True)
        metadata = _metadata(protocol, study, runs, known, claims, files, None if elsewhere is None else elsewhere[0])
        _write(new, metadata, protocol, known, files, readme)
        verification = verify_study(new, protocol=protocol, workers=workers, on_replayed=on_replayed, elsewhere=files)
        if not verification.holds:
            raise EntryError(f"{path} does not hold: " + "; ".join(verification.problems))
        shutil.move(new, target)
    return target


def study_problems(
    protocol: Protocol, study: Study, runs: Mapping[str, Run], origins: Mapping[str, Origin | None]
) -> list[str]:
    """Return why a study is none of its protocol: everything at once, each with what to do."""
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
            for key in _common(run).keys() | _common(first).keys()
            if _common(run).get(key) != _common(first).get(key)
        )
        if different or run.manifest["prompt"] != first.manifest["prompt"]:
            what = ", ".join(different) or "the prompt"
            found.append(f"{name}: {what} is not what it is in {first.path.name}; one setting serves a whole study")
    found += decoding_problems(first.manifest["policy"], protocol)
    return found + chain_problems(protocol, study, origins)


def read_study_folder(path: Path) -> tuple[Study, dict[str, Run]]:
    """Return the study under the names that its entry gives to the runs, and the runs by these names."""
    file = path / STUDY if path.is_dir() else path
    try:
        named = read_study(file.read_text(encoding="utf-8"), str(file))
    except OSError as error:
        raise EntryError(f"cannot read the study {file}: {error.strerror}") from None
    except ScoreError as error:
        raise EntryError(str(error)) from None
    names = {folder: slug(Path(folder).name) for folder in named.folders}
    if len(set(names.values())) < len(names):
        raise EntryError(f"{file}: two runs have the same folder name; give each its own")
    runs = {names[folder]: read_run(file.parent / folder, texts=False) for folder in named.folders}
    return Study(named.name, tuple(_renamed(run, names) for run in named.runs)), runs


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


def _common(run: Run) -> Mapping[str, Any]:
    return {name: value for name, value in run.manifest["policy"].items() if name not in (*PRIVATE, *OWN)}


def _metadata(
    protocol: Protocol,
    study: Study,
    runs: Mapping[str, Run],
    origins: Mapping[str, Origin],
    claims: Named,
    files: Path,
    url: str | None,
) -> StudyMetadata:
    """Write the episodes of every run into `files` and return the metadata that names them."""
    first = next(iter(runs.values()))
    found: dict[str, RunFile] = {}
    for name, run in runs.items():
        file = files / episodes_file(name)
        write_episodes(file, run.episodes, protocol.suite)
        own = {key: run.manifest["policy"][key] for key in OWN if key in run.manifest["policy"]}
        digest = hashlib.sha256(file.read_bytes()).hexdigest()
        found[name] = RunFile(own, origins[name].weights, digest, file.stat().st_size)
    total = sum(run.bytes for run in found.values())
    if url is None and total > MAX_ENTRY_BYTES:
        raise EntryError(
            f"the episodes have {total / 2**20:.1f} MB, the repository takes {MAX_ENTRY_BYTES // 2**20}; put them "
            "elsewhere: --episodes-at URL --episodes-in DIR writes them into DIR, for you to upload"
        )
    sessions = [session for run in runs.values() for session in sessions_of(run.manifest)]
    data: dict[str, object] = {
        "entry_version": ENTRY_VERSION,
        "kind": KIND,
        "suite": protocol.name,
        "suite_hash": protocol.suite.hash,
        "protocol_hash": protocol.hash,
        "org": claims.org,
        "model": claims.model,
        "date": claims.date,
        "study": study.to_json(),
        "runs": {name: run._asdict() for name, run in found.items()},
        "policy": _common(first),
        "prompt": first.manifest["prompt"],
        "versions": first.manifest["versions"],
        **({} if url is None else {"episodes_at": url}),
        **({} if (circumstances := made(sessions)) is None else {"made": circumstances}),
    }
    return study_metadata_from_json(data, "the entry")


def _write(
    path: Path,
    metadata: StudyMetadata,
    protocol: Protocol,
    origins: Mapping[str, Origin],
    files: Path,
    readme: str | None,
) -> None:
    text = yaml.dump(metadata.to_json(), Dumper=_NoAliases, sort_keys=False, allow_unicode=True)
    (path / METADATA).write_text(text, encoding="utf-8")
    write_origins(path, origins)
    scores = study_scores(protocol, metadata, all_episodes(path, metadata, protocol, files))
    (path / SCORES).write_text(json_text(scores), encoding="utf-8")
    above = "" if readme is None else readme.rstrip() + "\n\n"
    (path / README).write_text(above + study_readme(metadata, protocol, scores, origins), encoding="utf-8")


class _NoAliases(yaml.SafeDumper):
    """Writes equal values out each time: entries hold no anchors."""

    def ignore_aliases(self, data: Any) -> bool:
        """Return that nothing is an alias."""
        return True
