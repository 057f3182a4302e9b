"""evaluate: play what is missing of a plan, record it, compute the results."""

import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from agentgen_bench.contract import text_task
from agentgen_bench.episodes import Episode
from agentgen_bench.evaluation.folder import RunResultsJson
from agentgen_bench.evaluation.manifest import manifest
from agentgen_bench.evaluation.outage import Outage
from agentgen_bench.evaluation.plan import Plan
from agentgen_bench.evaluation.recorded import check_played
from agentgen_bench.evaluation.recorder import Recorder, open_run
from agentgen_bench.make import make
from agentgen_bench.policies.base import Decision, Player
from agentgen_bench.prompts import PromptConfig
from agentgen_bench.rollout import DEFAULT_WORKERS, job_key, play
from agentgen_bench.scores.success import results


def evaluate(
    plan: Plan,
    policy: Player,
    prompt: PromptConfig,
    path: str | os.PathLike[str],
    *,
    workers: int = DEFAULT_WORKERS,
    resume: bool = False,
    retry_errors: bool = False,
    record_text: bool = True,
    command: str = "",
    on_start: Callable[[Sequence[Episode]], None] | None = None,
    on_episode: Callable[[Episode], None] | None = None,
    on_decisions: Callable[[Sequence[Decision]], None] | None = None,
) -> RunResultsJson:
    """Play every episode of the plan that the folder lacks, and return the results of all, also written there.

    Under "made" they tell when, how long, on what and from which commit the run was played; the rest is decided by the
    episodes alone.

    `prompt` is what the policy was built with; it is recorded, not used. The callbacks report progress: the episodes
    already there, each new one, and each batch of decisions.

    With `resume` a run goes on where it stopped, also within episodes: their decisions are in its journal and are
    executed again. With `retry_errors` too, episodes that ended in an error are played once more.

    Raises:
        SpecError, MissingDependencyError, DataError: a setting of the plan cannot be played at all; nothing is written.
        RunError: the folder cannot be used, see `open_run`; or a recorded episode is not as it was played; or the
            run cannot go on, because the disk is full, or its environments crash one after the other.
        PolicyError: the model or its server failed; what was played before is recorded.
    """
    check_makeable(plan)
    plan_by_length = _longest_first(plan, check_playable(plan))
    settings = manifest(plan, policy, prompt, record_text, command)
    with open_run(Path(path), settings, plan, resume=resume, retry_errors=retry_errors) as recorder:
        if on_start is not None:
            on_start(recorder.done)
        with recorder.telling_what_is_safe():
            _check_recorded(plan, recorder)
            _play_missing(plan_by_length, policy, recorder, workers, record_text, on_episode, on_decisions)
            return recorder.write_results(results(recorder.done))


def _check_recorded(plan: Plan, recorder: Recorder) -> None:
    """Play again what nothing vouches for: neither the journal, nor the results of a run that is complete."""
    if not recorder.unsealed:
        return
    is_complete = len(recorder.done) == plan.n_episodes
    if is_complete and recorder.holds_results(results(recorder.done)):
        return
    by_key = {line.episode.key: line.episode for line in recorder.unsealed}
    for cell in plan.cells:
        jobs = [job for job in replace(plan, cells=(cell,)).jobs() if job_key(job) in by_key]
        if jobs:
            env = make(cell.spec)
            try:
                for job in jobs:
                    check_played(by_key[job_key(job)], job, env)
            finally:
                env.close()
    recorder.seal()


def check_makeable(plan: Plan) -> None:
    """Raise where a setting of the plan is wrong, as far as it shows without a level: no simulator starts."""
    for cell in plan.cells:
        make(cell.spec).close()


def check_playable(plan: Plan) -> list[int]:
    """Return the step limit of each cell's first level; raises where a setting is wrong or lacks what it needs.

    A mistake in a setting concerns every episode of its cell: better to hear of it before the first.
    """
    limits = []
    for cell in plan.cells:
        env = make(cell.spec)
        try:
            env.reset(seed=cell.seeds[0])
            limits.append(text_task(env).max_steps)
        finally:
            env.close()
    return limits


def _longest_first(plan: Plan, limits: Sequence[int]) -> Plan:
    """Return the plan with the cells of long episodes in front: played last, these would leave most workers idle."""
    pairs = sorted(zip(limits, plan.cells, strict=True), key=lambda pair: -pair[0])
    return replace(plan, cells=tuple(cell for _, cell in pairs))


def _play_missing(
    plan: Plan,
    policy: Player,
    recorder: Recorder,
    workers: int,
    record_text: bool,
    on_episode: Callable[[Episode], None] | None,
    on_decisions: Callable[[Sequence[Decision]], None] | None,
) -> None:
    done = {episode.key for episode in recorder.done}
    jobs = [job for job in plan.jobs() if job_key(job) not in done]
    outage = Outage()

    def record(ended: Sequence[Episode]) -> None:
        for episode in ended:
            recorder.append(episode)
            if on_episode is not None:
                on_episode(episode)

    for episode in play(
        jobs,
        policy,
        workers=workers,
        record_text=record_text,
        on_decisions=on_decisions,
        on_crash=outage.crashed,
        journal=recorder.journal,
    ):
        record(outage.through(episode))
    record(outage.rest())
