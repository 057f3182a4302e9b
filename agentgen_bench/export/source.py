"""What is exported: a run folder or the folder of a leaderboard entry, read through one door."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from agentgen_bench.episodes import Episode, canonical_json, read_episodes
from agentgen_bench.errors import DataError, RunError
from agentgen_bench.evaluation.folder import EPISODES, MANIFEST, plan_of, prompt_from, read_manifest
from agentgen_bench.evaluation.plan import Plan, suite_plan
from agentgen_bench.evaluation.protocol import load_protocol
from agentgen_bench.evaluation.sessions import sessions_of
from agentgen_bench.leaderboard.entry import METADATA, metadata_from_json, read_metadata
from agentgen_bench.leaderboard.records import read_entry_episodes
from agentgen_bench.leaderboard.safe import read_yaml
from agentgen_bench.leaderboard.study_entry import read_study_metadata
from agentgen_bench.leaderboard.study_records import episodes_at, run_episodes, study_suite
from agentgen_bench.leaderboard.submit import PRIVATE
from agentgen_bench.prompts import PromptConfig
from agentgen_bench.suites import Suite, load_suite


@dataclass(frozen=True, slots=True)
class Source:
    """A recorded run: who played what, and its episodes. Paths and servers of the player are left out."""

    name: str  # of the folder
    model: str
    date: str | None  # ISO 8601: of an entry its own, of a run the start of its last session; None of older runs
    suite: str | None
    suite_hash: str | None
    repeats: int
    planned: Mapping[str, int]  # episodes by setting, a setting as its spec in canonical JSON
    policy: Mapping[str, Any]
    prompt: Mapping[str, Any]
    versions: Mapping[str, str]
    episodes: Callable[[], Iterator[Episode]]  # in the order of the file, one at a time

    @property
    def n_planned(self) -> int:
        """Number of episodes of the whole plan."""
        return sum(self.planned.values())

    @property
    def config(self) -> PromptConfig:
        """The prompt settings; raises DataError where they are damaged."""
        return prompt_from(self.prompt, f"the prompt of {self.name}")

    @property
    def sampling(self) -> Mapping[str, float | None]:
        """How completions were drawn, empty for what draws none; raises DataError where it is no object of numbers."""
        found = self.policy.get("sampling") or {}
        if not isinstance(found, Mapping) or not all(isinstance(one, int | float | None) for one in found.values()):
            raise DataError(f"the policy of {self.name} has the sampling {found!r:.60}; it takes an object of numbers")
        return found


def read_source(path: Path, suite: Suite | None = None) -> Source:
    """Return the source in a run folder, or in the folder of a leaderboard entry.

    Args:
        path: the folder.
        suite: the suite of an entry (default: the shipped one that the entry names).

    Raises:
        RunError: the folder is neither.
        EntryError, DataError: a file of it is not as it must be.
        SpecError: this version does not ship the entry's suite.
    """
    if (path / MANIFEST).is_file():
        return _run_source(path)
    if (path / METADATA).is_file():
        return _entry_source(path.absolute(), suite)
    raise RunError(f"{path} is neither a run folder ({MANIFEST}) nor a leaderboard entry ({METADATA})")


def study_sources(path: Path, elsewhere: Path) -> dict[str, Source]:
    """Return the source of each run of a study's entry, by the run's name.

    Args:
        path: the entry's folder.
        elsewhere: the folder for episodes that do not lie in the entry.

    Raises:
        EntryError: a file of it is not as it must be, or episodes cannot be fetched.
    """
    path = path.absolute()
    protocol = load_protocol(path.parent.name)
    metadata = read_study_metadata(path, protocol)
    suite = study_suite(protocol, metadata)
    found = {}
    for run in metadata.study.folders:
        own, file = metadata.of_run(run, protocol.repeats), episodes_at(path, run, metadata, elsewhere)
        found[run] = Source(
            name=f"{path.name}-{run}",
            model=f"{metadata.model}-{run}",
            date=metadata.date,
            suite=suite.name,
            suite_hash=suite.hash,
            repeats=protocol.repeats,
            planned=_planned(suite_plan(suite, protocol.repeats)),
            policy=_public(own.policy),
            prompt=own.prompt,
            versions=own.versions,
            episodes=partial(run_episodes, file, run, metadata, protocol),
        )
    return found


def _run_source(path: Path) -> Source:
    manifest = read_manifest(path)
    plan, policy = plan_of(path, manifest), manifest["policy"]
    file = path / EPISODES
    return Source(
        name=path.resolve().name,
        model=str(policy.get("model", policy["name"])),
        date=sessions[-1]["started"] if (sessions := sessions_of(manifest)) else None,
        suite=plan.suite_name,
        suite_hash=plan.suite_hash,
        repeats=plan.repeats,
        planned=_planned(plan),
        policy=_public(policy),
        prompt=manifest["prompt"],
        versions=manifest["versions"],
        episodes=lambda: read_episodes(file) if file.exists() else iter(()),
    )


def _entry_source(path: Path, suite: Suite | None) -> Source:
    named = metadata_from_json(read_yaml(path / METADATA), str(path / METADATA))
    suite = load_suite(named.suite) if suite is None else suite
    metadata = read_metadata(path, suite)
    return Source(
        name=path.name,
        model=metadata.model,
        date=metadata.date,
        suite=suite.name,
        suite_hash=suite.hash,
        repeats=metadata.repeats,
        planned=_planned(suite_plan(suite, metadata.repeats)),
        policy=_public(metadata.policy),
        prompt=metadata.prompt,
        versions=metadata.versions,
        episodes=lambda: read_entry_episodes(path, metadata, suite),
    )


def _planned(plan: Plan) -> dict[str, int]:
    return {canonical_json(cell.spec.to_json()): plan.repeats * len(cell.seeds) for cell in plan.cells}


def _public(policy: Mapping[str, Any]) -> Mapping[str, Any]:
    return {name: value for name, value in policy.items() if name not in PRIVATE}
