"""Making an entry from a run: refused where the run is incomplete, of no frozen suite, or edited."""

import gzip
import json
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime
from io import TextIOWrapper
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from agentgen_bench.episodes import canonical_json, to_line
from agentgen_bench.errors import EntryError, SpecError
from agentgen_bench.evaluation.folder import RESULTS as RUN_RESULTS
from agentgen_bench.evaluation.folder import Run, read_run
from agentgen_bench.evaluation.fresh import SEPARATOR, drawn_from, fresh_suite
from agentgen_bench.evaluation.manifest import differences
from agentgen_bench.evaluation.plan import suite_plan
from agentgen_bench.evaluation.protocol import is_protocol
from agentgen_bench.evaluation.sessions import MADE, made, sessions_of
from agentgen_bench.leaderboard.audit import entry_folders
from agentgen_bench.leaderboard.entry import (
    ENTRY_VERSION,
    EPISODES,
    FRESH_EPISODES,
    FRESH_RESULTS,
    METADATA,
    README,
    RESULTS,
    Metadata,
    Named,
    check_claims,
    metadata_from_json,
    named_entries,
)
from agentgen_bench.leaderboard.equal import first_difference
from agentgen_bench.leaderboard.fresh import fresh_results
from agentgen_bench.leaderboard.names import date_problem, known_problems
from agentgen_bench.leaderboard.records import expected_levels, name_of, packed
from agentgen_bench.leaderboard.replay import Replayed
from agentgen_bench.leaderboard.verify import json_text, verify
from agentgen_bench.scores.success import results
from agentgen_bench.suites import Suite, load_suite

PRIVATE = ("path", "base_url")  # of the policy's description: where the submitter's files and servers are
MAX_LISTED = 3


def submit(
    run_path: Path,
    *,
    org: str,
    model: str,
    date: str,
    leaderboards: Path,
    readme: str | None = None,
    suite: Suite | None = None,
    within: str | None = None,
    fresh: Path | None = None,
    workers: int | None = None,
    on_replayed: Callable[[Replayed], None] | None = None,
) -> Path:
    """Make an entry's folder from a run, verify it, and return its path below `leaderboards`.

    The folder appears whole or not at all.

    Args:
        run_path: the run folder.
        org: who submits.
        model: the model's name, as it is to be shown.
        date: YYYY-MM-DD.
        leaderboards: the folder that holds a folder per suite.
        readme: text of the README (default: one made from the metadata).
        suite: the suite (default: the shipped one that the run names).
        within: the name of a suite that is nested in the run's, such as core-mini-v1 in core-v1: the entry is of that
            part of the run.
        fresh: the folder of a run of the same policy on fresh levels of the entry's suite, which goes beside it.
        workers: processes of the verification (default: all cores).
        on_replayed: told of each chunk of episodes.

    Raises:
        EntryError: with every reason why the run cannot be submitted, or with what the verification found.
    """
    named = Named(org, model, date)
    check_claims(*named, "the entry")
    submission = read_submission(run_path, suite, within=within, fresh=fresh)
    if problems := name_problems(submission.suite.name, named, leaderboards):
        raise EntryError(f"{run_path} cannot be submitted so: " + "; ".join(problems))
    place = leaderboards / submission.suite.name
    target = place / _metadata(submission, named).folder
    if target.exists():
        raise EntryError(f"{target} exists; entries are never overwritten, choose another date or model name")
    with beside_entries(place) as folder:
        made = draft_entry(submission, named, folder, readme)
        verification = verify(made, suite=submission.suite, workers=workers, on_replayed=on_replayed)
        if not verification.holds:
            raise EntryError(f"{run_path} does not hold: " + "; ".join(verification.problems))
        put_in_place(made, target)
    return target


@contextmanager
def beside_entries(place: Path) -> Iterator[Path]:
    """Yield a folder to make an entry in, on the file system of the suite's folder `place`.

    Where no entry comes of it, the folders that had to be made for it go too.
    """
    missing = [folder for folder in (place, *place.parents) if not folder.exists()]
    place.mkdir(parents=True, exist_ok=True)
    try:
        with tempfile.TemporaryDirectory(dir=place, prefix=".new-") as folder:
            yield Path(folder)
    finally:
        remove_empty(missing)


def remove_empty(folders: Iterable[Path]) -> None:
    """Remove folders, each before those that it lies in, as far as nothing is in them."""
    with suppress(OSError):
        for folder in folders:
            folder.rmdir()


def put_in_place(made: Path, target: Path) -> None:
    """Give a finished entry its name, on the same file system; raises EntryError where it cannot, or is taken by now.

    `shutil.move` would put it inside the entry that another process has just put there.
    """
    try:
        made.rename(target)
    except OSError as error:
        why = "exists by now; entries are never overwritten" if target.exists() else f"cannot be made: {error.strerror}"
        raise EntryError(f"{target} {why}") from None


class Submission(NamedTuple):
    """What an entry is made of: a complete run of a suite, and where there is one its run on fresh levels."""

    run: Run
    suite: Suite
    fresh: Run | None


def read_submission(
    run_path: Path, suite: Suite | None = None, *, within: str | None = None, fresh: Path | None = None
) -> Submission:
    """Return the runs of an entry as far as they can be checked without replay; arguments are those of `submit`.

    Raises:
        EntryError: with every reason why the run cannot be submitted.
    """
    run = read_run(run_path, texts=False)
    if suite is None:
        suite = _suite_of(run) if within is None else load_suite(within)
    if is_protocol(suite.name):
        raise EntryError(f"{suite.name} takes whole studies, not one run; name the study's folder (docs/studies.md)")
    problems = run_problems(run, suite if within is None else _suite_of(run))
    if problems:
        raise EntryError(f"{run_path} cannot be submitted: " + "; ".join(problems))
    run = run if within is None else nested_run(run, suite)
    fresh_run = None if fresh is None else read_run(fresh, texts=False)
    if fresh_run is not None and (problems := fresh_problems(run, fresh_run, suite)):
        raise EntryError(f"{fresh} cannot go beside {run_path}: " + "; ".join(problems))
    return Submission(run, suite, fresh_run)


def draft_entry(submission: Submission, named: Named, folder: Path, readme: str | None = None) -> Path:
    """Write an entry's folder into another one, unverified, and return its path; the same runs give the same bytes."""
    metadata = _metadata(submission, named)
    path = folder / metadata.folder
    _write_entry(path, submission, metadata, readme or _readme(metadata))
    return path


def nested_run(run: Run, suite: Suite) -> Run:
    """Return the part of a run that plays a suite nested in its own, with as many repeats.

    Raises:
        EntryError: it does not play all levels of that suite.
    """
    played = {cell.spec: set(cell.seeds) for cell in run.plan.cells}
    if not all(set(cell.seeds) <= played.get(cell.spec, set()) for cell in suite.cells):
        raise EntryError(f"{run.path} plays {run.plan.suite_name}, in which {suite.name} is not nested")
    levels = expected_levels(suite, run.plan.repeats)
    kept = tuple(episode for episode in run.episodes if episode.key in levels)
    return replace(run, plan=suite_plan(suite, run.plan.repeats), episodes=kept)


def run_problems(run: Run, suite: Suite) -> list[str]:
    """Return why a run is no submission to a suite: everything at once, each with what to do."""
    problems = []
    if (run.plan.suite_name, run.plan.suite_hash) != (suite.name, suite.hash):
        problems.append(
            f"it was made with another version of {suite.name} (hash {run.plan.suite_hash}); evaluate again"
        )
    if not run.plan.plays_all_of(suite):
        problems.append(f"its plan is not {suite.name} as it is; evaluate without --limit and without other knobs")
        return problems
    missing = sorted(expected_levels(suite, run.plan.repeats).keys() - {episode.key for episode in run.episodes})
    if missing:
        problems.append(f"{len(missing)} episodes are missing; go on with evaluate --resume")
    crashed = [name_of(episode) for episode in run.episodes if episode.ending == "error"]
    if crashed:
        more = f" and {len(crashed) - MAX_LISTED} more" if len(crashed) > MAX_LISTED else ""
        problems.append(f"episodes ended in an error: {', '.join(crashed[:MAX_LISTED])}{more}; play them again")
    return problems or _result_problems(run)


def name_problems(suite: str, named: Named, leaderboards: Path) -> list[str]:
    """Return what the check of a pull request would say of the names and the day."""
    folders = entry_folders(leaderboards) if leaderboards.is_dir() else []
    known = ((other.org, other.model) for other in named_entries(folders))
    found = known_problems(named.org, named.model, known)
    day = date_problem(suite, named.date, datetime.now(UTC).date())
    return [*found, *([day] if day else [])]


def _result_problems(run: Run) -> list[str]:
    path = run.path / RUN_RESULTS
    if not path.exists():
        return [f"it has no {RUN_RESULTS}; finish it with evaluate --resume"]
    claimed = _own_json(path)
    if isinstance(claimed, dict):
        claimed.pop(MADE, None)
    found = first_difference(claimed, json.loads(json_text(results(run.episodes))))
    if found is None:
        return []
    return [
        f"its {RUN_RESULTS} is not what its episodes give ({found}); it was edited, or made by another version, "
        "such as one without scores of packs. The run's command with --resume checks the episodes and writes it anew"
    ]


def _own_json(path: Path) -> Any:
    try:
        return json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise EntryError(f"{path} cannot be read: {error}") from None


def _suite_of(run: Run) -> Suite:
    if run.plan.suite_name is None:
        raise EntryError(f"{run.path} is not a run of a frozen suite; evaluate with --suite NAME")
    try:
        return load_suite(run.plan.suite_name)
    except SpecError as error:
        raise EntryError(f"{run.path}: {error}") from None


def fresh_problems(run: Run, fresh: Run, suite: Suite) -> list[str]:
    """Return why a run cannot go beside another one as its run on fresh levels."""
    drawn = drawn_from(fresh.plan.suite_name or "")
    if drawn is None or drawn[0] != suite.name:
        name = fresh.plan.suite_name or "no suite"
        return [f"it plays {name}; evaluate with --suite {suite.name} --fresh TEXT"]
    here, there = ({name: each.manifest[name] for name in ("policy", "prompt")} for each in (run, fresh))
    problems = differences(here, there)
    if run.plan.repeats != fresh.plan.repeats:
        problems.append(f"it plays each level {fresh.plan.repeats} times, the other run {run.plan.repeats} times")
    return problems or run_problems(fresh, fresh_suite(suite, drawn[1]))


def _metadata(submission: Submission, named: Named) -> Metadata:
    run, suite, fresh = submission
    policy = {name: value for name, value in run.manifest["policy"].items() if name not in PRIVATE}
    data: dict[str, Any] = {
        "entry_version": ENTRY_VERSION,
        "suite": suite.name,
        "suite_hash": suite.hash,
        "repeats": run.plan.repeats,
        **named._asdict(),
        "policy": policy,
        "prompt": run.manifest["prompt"],
        "versions": run.manifest["versions"],
    }
    if (circumstances := made(sessions_of(run.manifest))) is not None:
        data[MADE] = circumstances
    if fresh is not None:
        data["fresh"] = {"text": _text_of(fresh), "suite_hash": fresh.plan.suite_hash}
        if (circumstances := made(sessions_of(fresh.manifest))) is not None:
            data["fresh"][MADE] = circumstances
    return metadata_from_json(data, "the entry")


def _text_of(fresh: Run) -> str:
    _, _, text = (fresh.plan.suite_name or "").partition(SEPARATOR)
    return text


def _write_entry(path: Path, submission: Submission, metadata: Metadata, readme: str) -> None:
    run, _, fresh = submission
    path.mkdir()
    text = yaml.safe_dump(metadata.to_json(), sort_keys=False, allow_unicode=True)
    (path / METADATA).write_text(text, encoding="utf-8")
    (path / RESULTS).write_text(json_text(results(run.episodes)), encoding="utf-8")
    (path / README).write_text(readme.rstrip() + "\n", encoding="utf-8")
    _write_episodes(path / EPISODES, run)
    if fresh is not None:
        _write_episodes(path / FRESH_EPISODES, fresh)
        (path / FRESH_RESULTS).write_text(json_text(fresh_results(run.episodes, fresh.episodes)), encoding="utf-8")


def _write_episodes(path: Path, run: Run) -> None:
    order = {canonical_json(cell.spec.to_json()): i for i, cell in enumerate(run.plan.cells)}
    episodes = sorted(run.episodes, key=lambda episode: (order[episode.key[0]], episode.seed, episode.repeat))
    with (
        path.open("wb") as file,
        gzip.GzipFile(filename="", fileobj=file, mode="wb", mtime=0) as archive,
        TextIOWrapper(archive, encoding="ascii") as lines,
    ):
        lines.writelines(to_line(packed(episode)) + "\n" for episode in episodes)


def _readme(metadata: Metadata) -> str:
    times = "once" if metadata.repeats == 1 else f"{metadata.repeats} times"
    fresh = "" if metadata.fresh is None else f"\nBesides, fresh levels drawn from `{metadata.fresh['text']}`.\n"
    return (
        f"# {metadata.model}\n\n"
        f"Submitted by {metadata.org} on {metadata.date} to {metadata.suite}: every level played {times} by the policy "
        f"`{metadata.policy.get('name')}` (kind: {metadata.policy.get('kind')}).\n{fresh}"
    )
