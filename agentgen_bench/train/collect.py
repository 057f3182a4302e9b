"""collect: play levels of the training split with a policy and turn what it solved into demonstrations."""

from collections.abc import Callable, Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple

from agentgen_bench import families
from agentgen_bench.episodes import Episode, read_episodes
from agentgen_bench.errors import RunError, UnavailableError
from agentgen_bench.evaluation.folder import EPISODES, MANIFEST, read_manifest
from agentgen_bench.evaluation.histories import histories
from agentgen_bench.evaluation.plan import Plan
from agentgen_bench.evaluation.run import evaluate
from agentgen_bench.policies.base import Decision, Player, Policy
from agentgen_bench.policies.demonstrators import Imitable
from agentgen_bench.policies.names import DEMONSTRATORS, scripted_policy, to_be_imitated
from agentgen_bench.prompts import PromptConfig
from agentgen_bench.rollout import DEFAULT_WORKERS
from agentgen_bench.scores.base import family as family_of
from agentgen_bench.train.demonstrations import (
    COLLECTING,
    SAMPLES,
    Demonstration,
    demonstrations,
    write_demonstrations,
)
from agentgen_bench.train.settings import refuse_held_out_levels


class Collected(NamedTuple):
    """What was recorded: the file, its demonstrations, the episodes played and those of them that were used."""

    path: Path
    samples: int
    episodes: int
    used: int


def collect(
    plan: Plan,
    policy: Player,
    prompt: PromptConfig,
    output: Path,
    *,
    only_solved: bool = True,
    workers: int = DEFAULT_WORKERS,
    resume: bool = False,
    retry_errors: bool = False,
    command: str = "",
    on_start: Callable[[Sequence[Episode]], None] | None = None,
    on_episode: Callable[[Episode], None] | None = None,
    on_decisions: Callable[[Sequence[Decision]], None] | None = None,
) -> Collected:
    """Play the plan into the run folder `output` and write its demonstrations to `samples.jsonl` there.

    A demonstrator is held to what the prompt shows: where its answer rests on more, nothing is written.

    The folder is one that `evaluate` writes too: it resumes, and the episodes can be replayed and reported on. Raises
    SpecError where a cell is of the test split, or a demonstrator's answer rests on what the prompt does not show.
    """
    refuse_held_out_levels((cell.spec for cell in plan.cells), COLLECTING)
    held = to_be_imitated(policy, prompt)
    evaluate(
        plan,
        held,
        prompt,
        output,
        workers=workers,
        resume=resume,
        retry_errors=retry_errors,
        command=command,
        on_start=on_start,
        on_episode=on_episode,
        on_decisions=on_decisions,
    )
    return _written(output, prompt, only_solved, output)


def collect_from(run: Path, prompt: PromptConfig, only_solved: bool = True, output: Path | None = None) -> Collected:
    """Write the demonstrations of a recorded run, under any prompt settings, to `samples.jsonl`.

    It stands in the folder `output`, by default in that of the run, and replaces the one that is there.

    Raises:
        RunError: the folder holds no run, or `output` holds another.
        SpecError: a demonstrator played the run, and these prompts do not show what it went by; or levels of the test
            split were played.
        UnavailableError: a family of the run is not here. A record can be read without its family, but a prompt begins
            with the family's own words, and to make some up would be to train on what nobody is asked.
    """
    read_manifest(run)
    if not (run / EPISODES).is_file():
        raise RunError(f"{run} holds no {EPISODES}; name the folder of a run that was played")
    folder = run if output is None else output
    if (folder / MANIFEST).exists() and not folder.samefile(run):
        raise RunError(f"{folder} holds a run of its own, and the demonstrations are of {run}; choose another --output")
    for episode in read_episodes(run / EPISODES):
        _check_is_here(family_of(episode.spec))
        if episode.policy in DEMONSTRATORS and _is_used(episode, only_solved):
            policy = scripted_policy(episode.policy)
            if isinstance(policy, Policy):
                Imitable(policy, prompt).act(list(histories(episode)))
    return _written(run, prompt, only_solved, folder)


@cache
def _check_is_here(name: str) -> None:
    try:
        families.family(name)
    except UnavailableError as error:
        raise UnavailableError(f"the prompts of {name} cannot be written anew without its own words: {error}") from None


def _written(run: Path, prompt: PromptConfig, only_solved: bool, folder: Path) -> Collected:
    """Write the demonstrations of a run to a folder, which is made where it is not there."""
    played = used = 0

    def items() -> Iterator[Demonstration]:
        nonlocal played, used
        for episode in read_episodes(run / EPISODES):
            played += 1
            if _is_used(episode, only_solved):
                used += 1
                yield from demonstrations(episode, prompt, only_solved=only_solved)

    samples = write_demonstrations(folder / SAMPLES, items())
    return Collected(folder / SAMPLES, samples, played, used)


def _is_used(episode: Episode, only_solved: bool) -> bool:
    return episode.ending != "error" and (episode.success or "lifecycle" in episode.spec or not only_solved)
