"""Making a study's entry from its folder: refused, with every reason, where it is not what its protocol asks for."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from agentgen_bench.errors import EntryError
from agentgen_bench.evaluation.folder import Run
from agentgen_bench.evaluation.protocol import Protocol
from agentgen_bench.evaluation.sessions import made, sessions_of
from agentgen_bench.evaluation.training import Origin
from agentgen_bench.leaderboard.entry import ENTRY_VERSION, METADATA, README, Named, check_claims, slug
from agentgen_bench.leaderboard.replay import Replayed
from agentgen_bench.leaderboard.study_chain import trimmed
from agentgen_bench.leaderboard.study_entry import (
    KIND,
    MAX_ENTRY_BYTES,
    OWN,
    FreshFile,
    FreshRuns,
    RunFile,
    StudyMetadata,
    episodes_file,
    fresh_file,
    study_metadata_from_json,
)
from agentgen_bench.leaderboard.study_folder import (
    StudySubmission,
    common_policy,
    read_study_submission,
    study_problems,
)
from agentgen_bench.leaderboard.study_fresh import all_fresh_episodes, drawn_protocol
from agentgen_bench.leaderboard.study_readme import study_readme
from agentgen_bench.leaderboard.study_records import check_address, write_episodes, write_origins
from agentgen_bench.leaderboard.study_verify import all_episodes, score_files, verify_study
from agentgen_bench.leaderboard.submit import beside_entries, name_problems, put_in_place
from agentgen_bench.leaderboard.verify import json_text

Elsewhere = tuple[str, Path]  # the address at which episodes will lie, and the folder to write them into


def submit_study(
    path: Path,
    claims: Named,
    leaderboards: Path,
    *,
    readme: str | None = None,
    protocol: Protocol | None = None,
    fresh: Path | None = None,
    elsewhere: Elsewhere | None = None,
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
        fresh: the folder of runs of the study's policies on fresh levels, see `read_study_submission`.
        elsewhere: the address at which the episodes will lie, and the folder that they are written into instead of the
            entry's.
        workers: processes of the verification (default: all cores).
        on_replayed: told of each chunk of episodes.

    Raises:
        EntryError: with every reason why the study cannot be submitted, or with what the verification found.
    """
    check_claims(*claims, "the entry")
    submission = read_study_submission(path, protocol, fresh)
    protocol = submission.protocol
    refuse(path, [*study_problems(submission), *name_problems(protocol.name, claims, leaderboards)])
    if elsewhere is not None:
        check_address(elsewhere[0])
    target = leaderboards / protocol.name / _folder(claims)
    if target.exists():
        raise EntryError(f"{target} exists; entries are never overwritten, choose another date or model name")
    with beside_entries(target.parent) as folder:
        new = draft_study(submission, claims, folder, readme, elsewhere)
        files = new if elsewhere is None else elsewhere[1]
        verification = verify_study(new, protocol=protocol, workers=workers, on_replayed=on_replayed, elsewhere=files)
        if not verification.holds:
            raise EntryError(f"{path} does not hold: " + "; ".join(verification.problems))
        put_in_place(new, target)
    return target


def refuse(path: Path, problems: Sequence[str]) -> None:
    """Raise EntryError where anything speaks against a study's submission, with all of it."""
    if problems:
        raise EntryError(f"{path} cannot be submitted:\n  " + "\n  ".join(problems))


def draft_study(
    submission: StudySubmission,
    claims: Named,
    folder: Path,
    readme: str | None = None,
    elsewhere: Elsewhere | None = None,
) -> Path:
    """Write a study's entry into a folder, unverified, and return its path; the same study gives the same bytes.

    Raises:
        EntryError: its episodes are too large for the repository and not to lie elsewhere.
    """
    new = folder / _folder(claims)
    new.mkdir()
    files = new if elsewhere is None else elsewhere[1]
    files.mkdir(parents=True, exist_ok=True)
    known = {name: origin for name, origin in submission.origins.items() if origin is not None}
    known = trimmed(submission.study, known)
    metadata = _metadata(submission, known, claims, files, None if elsewhere is None else elsewhere[0])
    _write(new, metadata, submission.protocol, known, files, readme)
    return new


def _folder(claims: Named) -> str:
    return f"{claims.date.replace('-', '')}_{slug(claims.org)}__{slug(claims.model)}"


def _metadata(
    submission: StudySubmission, origins: Mapping[str, Origin], claims: Named, files: Path, url: str | None
) -> StudyMetadata:
    """Write the episodes of every run into `files` and return the metadata that names them."""
    protocol, study, runs = submission.protocol, submission.study, submission.runs
    first = next(iter(runs.values()))
    found: dict[str, RunFile] = {}
    for name, run in runs.items():
        own = {key: run.manifest["policy"][key] for key in OWN if key in run.manifest["policy"]}
        file = _written(files / episodes_file(name), run, protocol)
        found[name] = RunFile(own, origins[name].weights, file.sha256, file.bytes)
    fresh = _fresh(submission, files)
    files_written = [*found.values(), *(() if fresh is None else fresh.runs.values())]
    total = sum(file.bytes for file in files_written)
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
        "policy": common_policy(first),
        "prompt": first.manifest["prompt"],
        "versions": first.manifest["versions"],
        **({} if url is None else {"episodes_at": url}),
        **({} if (circumstances := made(sessions)) is None else {"made": circumstances}),
        **({} if fresh is None else {"fresh": fresh.to_json()}),
    }
    return study_metadata_from_json(data, "the entry")


def _fresh(submission: StudySubmission, files: Path) -> FreshRuns | None:
    """Write the episodes on fresh levels into `files` and return what the metadata says of them."""
    if (text := submission.fresh_text) is None:
        return None
    drawn = submission.protocol.on_fresh_levels(text)
    found = {name: _written(files / fresh_file(name), run, drawn) for name, run in submission.fresh.items()}
    sessions = [session for run in submission.fresh.values() for session in sessions_of(run.manifest)]
    return FreshRuns(text, drawn.suite.hash, found, made(sessions))


def _written(file: Path, run: Run, protocol: Protocol) -> FreshFile:
    write_episodes(file, run.episodes, protocol.suite)
    return FreshFile(hashlib.sha256(file.read_bytes()).hexdigest(), file.stat().st_size)


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
    played = all_episodes(path, metadata, protocol, files)
    fresh = all_fresh_episodes(path, metadata, drawn_protocol(metadata, protocol), files)
    computed = score_files(protocol, metadata, played, fresh)
    for name, scores in computed.items():
        (path / name).write_text(json_text(scores), encoding="utf-8")
    above = "" if readme is None else readme.rstrip() + "\n\n"
    (path / README).write_text(above + study_readme(metadata, protocol, computed, origins), encoding="utf-8")


class _NoAliases(yaml.SafeDumper):
    """Writes equal values out each time: entries hold no anchors."""

    def ignore_aliases(self, data: Any) -> bool:
        """Return that nothing is an alias."""
        return True
