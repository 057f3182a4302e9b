"""The run folder as it is written: how episodes survive crashes, a loss of power and full disks."""

import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from agentgen_bench.episodes import Episode, from_line, to_line
from agentgen_bench.errors import RunError, SpecError
from agentgen_bench.evaluation.folder import (
    EPISODES,
    MANIFEST,
    RESULTS,
    ManifestJson,
    RunResultsJson,
    read_manifest,
    write_json,
)
from agentgen_bench.evaluation.grid import check_kind
from agentgen_bench.evaluation.journal import JOURNAL, StepJournal
from agentgen_bench.evaluation.manifest import differences
from agentgen_bench.evaluation.plan import Plan
from agentgen_bench.evaluation.recorded import Line, digest, recorded_lines
from agentgen_bench.evaluation.sessions import MADE, SESSIONS, Session, SessionJson, begin, made, sessions_of
from agentgen_bench.line_file import LineFile, UnwrittenError, sync_folder
from agentgen_bench.rollout import job_key
from agentgen_bench.scores.success import ResultsJson, results

RETRIED = "retried.jsonl"


@dataclass(slots=True)
class Recorder:
    """An open run folder: what it already holds (compact), and where new episodes go.

    `unsealed` are those recorded episodes of which the journal does not say that this is how they were played.
    """

    path: Path
    done: list[Episode]
    unsealed: list[Line]
    journal: StepJournal
    _file: LineFile
    _manifest: ManifestJson  # as it is in the folder
    _n_before: int  # episodes that earlier sessions left
    _session: Session = field(default_factory=begin)

    def append(self, episode: Episode) -> None:
        """Write one episode as one line; on failure the line is taken back, so the file stays whole.

        Raises:
            UnwrittenError: the disk is full, or the file cannot be written; earlier episodes are safe.
        """
        line = to_line(episode).encode()
        self._file.append([line])
        self.done.append(episode.compact())
        self.journal.seal(episode.key, digest(line))
        if self.journal.is_due():
            self._file.sync()
            self.journal.compact()
        if self._session.is_mark_due():
            self.mark()

    def seal(self) -> None:
        """Say in the journal that the unsealed episodes were checked."""
        for line in self.unsealed:
            self.journal.seal(line.episode.key, line.digest)
        self.unsealed.clear()

    def write_results(self, results: ResultsJson) -> RunResultsJson:
        """Write results.json in one move, whole or not at all, and return it: the results, and how they were made.

        The run is then over, and its journal goes.
        """
        self._file.sync()
        self._session.end()
        whole: RunResultsJson = {**results, MADE: made(self._sessions())}
        write_json(self.path / RESULTS, whole)
        self.journal.remove()
        return whole

    def holds_results(self, results: ResultsJson) -> bool:
        """Return whether results.json holds just these, however they were made."""
        return _holds_results(self.path, results)

    @contextmanager
    def marked(self) -> Iterator[None]:
        """Mark the session at its beginning and at its end."""
        self.mark()
        try:
            yield
        finally:
            self.mark()

    def mark(self) -> None:
        """Write into the manifest how long this session has lasted, beside what it held."""
        sessions = self._sessions()
        if sessions:
            with suppress(RunError):  # no reason to lose an episode, or to hide why the run ends
                write_json(self.path / MANIFEST, {**self._manifest, SESSIONS: sessions})

    def holds_nothing(self, error: Exception) -> bool:
        """Return whether nothing that the error left is worth going on with.

        Decisions of episodes under way are; not where the settings are what is wrong, which every resume would meet.
        """
        return not self.done and (isinstance(error, SpecError) or self.journal.is_empty())

    def take_back(self, with_folder: bool) -> None:
        """Remove the run's files, and where it is the run's own the folder too."""
        with suppress(OSError):  # no reason to hide why the run ends
            self.journal.remove()
            for name in (EPISODES, MANIFEST):  # the manifest last: until then the folder says what it is
                (self.path / name).unlink(missing_ok=True)
            if with_folder:
                self.path.rmdir()

    def _sessions(self) -> list[SessionJson]:
        """Return the sessions so far; one that added nothing is none, and half a list would be wrong."""
        before = sessions_of(self._manifest)
        is_begun = len(self.done) > self._n_before or not self._n_before
        is_known = bool(before) or not self._n_before
        return [*before, self._session.to_json()] if is_begun and is_known else before

    @contextmanager
    def telling_what_is_safe(self) -> Iterator[None]:
        """Say, where something cannot be written, how much a resume will find."""
        try:
            yield
        except UnwrittenError as error:
            raise RunError(
                f"{error}; {self._file.n_safe} episodes are safe there. "
                "Free some space and run the same command with --resume"
            ) from None


@contextmanager
def open_run(
    path: Path, manifest: ManifestJson, plan: Plan, *, resume: bool = False, retry_errors: bool = False
) -> Iterator[Recorder]:
    """Create the run folder, or with `resume` go on in it; yields its recorder and holds a lock meanwhile.

    With `retry_errors` the recorded episodes that ended in an error are moved to retried.jsonl, to be played again.

    A new run that an error ends before it holds anything is taken back: with the policy that failed the next one, or
    the same once that is mended, would find its folder taken.

    Raises:
        RunError: the folder holds a run and `resume` is off, or the run has other settings, or another process
            writes to it, or it cannot be created, or it holds a grid of harnesses, or an episode that is not the plan's
            or not as recorded.
    """
    check_kind(path, as_grid=False)
    is_new, has_folder = not (path / MANIFEST).exists(), path.exists()
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RunError(f"cannot create the run folder {path}: {error.strerror or error}") from None
    file = LineFile.open(path / EPISODES)
    journal = None
    try:
        _settle_manifest(path, file, manifest, resume)
        jobs = {job_key(job): job for job in plan.jobs()}
        journal = StepJournal(path / JOURNAL, {key: number for number, key in enumerate(jobs)})
        lines = list(recorded_lines(path / EPISODES, jobs, manifest["policy"]["name"], journal))
        if retry_errors and any(line.episode.ending == "error" for line in lines):
            episodes = [line.episode for line in lines]
            is_vouched_for = len(lines) == plan.n_episodes and _holds_results(path, results(episodes))
            file = _set_errors_aside(path, file)
            lines = [line for line in lines if line.episode.ending != "error"]
            for line in lines if is_vouched_for else ():  # by the results, which are gone now
                journal.seal(line.episode.key, line.digest)
        file.n_safe = len(lines)
        journal.keep_seals({line.episode.key for line in lines})
        unsealed = [line for line in lines if journal.seal_of(line.episode.key) is None]
        done = [line.episode for line in lines]
        recorder = Recorder(path, done, unsealed, journal, file, read_manifest(path), len(done))
        try:
            with recorder.marked():
                yield recorder
        except Exception as error:
            if is_new and recorder.holds_nothing(error):
                recorder.take_back(with_folder=not has_folder)
            raise
    finally:
        if journal is not None:
            journal.close()
        file.close()


def _settle_manifest(path: Path, file: LineFile, manifest: ManifestJson, resume: bool) -> None:
    """Write the manifest, or compare it with that of the run that is to go on."""
    if not (path / MANIFEST).exists():
        if file.size:
            raise RunError(f"{path / EPISODES} has no {MANIFEST} beside it; choose another --output")
        write_json(path / MANIFEST, manifest)
        return
    recorded = read_manifest(path)
    sessions_of(recorded)
    if not resume:
        raise RunError(f"{path} already holds a run; add --resume to go on with it, or choose another --output")
    changed = differences(recorded, manifest)
    if changed:
        raise RunError(
            "cannot resume with other settings:\n  "
            + "\n  ".join(changed)
            + f"\nThe run was started with: {recorded.get('command', '(unknown)')}"
        )


def _holds_results(path: Path, results: ResultsJson) -> bool:
    try:
        found = json.loads((path / RESULTS).read_bytes())
    except (OSError, ValueError, RecursionError):
        return False
    return isinstance(found, dict) and {**found, MADE: None} == {**json.loads(json.dumps(results)), MADE: None}


def _set_errors_aside(path: Path, file: LineFile) -> LineFile:
    """Move the episodes that ended in an error to retried.jsonl, where they stay on record; return the new file.

    Should the process die in between, they are in both files, and are moved once more.
    """
    (path / RESULTS).unlink(missing_ok=True)  # of other episodes than there will be
    retried = LineFile.open(path / RETRIED)
    temporary = path / f"{EPISODES}.tmp"
    temporary.unlink(missing_ok=True)
    kept = LineFile.open(temporary)
    try:
        with (path / EPISODES).open("rb") as lines:
            for line in lines:
                (retried if from_line(line.decode()).ending == "error" else kept).append([line.rstrip(b"\n")])
        retried.sync()
        kept.sync()
        temporary.replace(path / EPISODES)
    except OSError as error:
        raise UnwrittenError(f"cannot write {path / EPISODES}: {error.strerror}") from None
    finally:
        retried.close()
    sync_folder(path)
    file.close()
    return kept
