"""An episode under way in one environment: what a policy may know of it, what it decided, and the record at its end."""

import warnings
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import NamedTuple, TypeVar, cast

import gymnasium as gym

from agentgen_bench.contract import Analysis, Fact, Info, Part, TaskRecord, TextTask, text_task
from agentgen_bench.envs.base import NO_ACTION
from agentgen_bench.episodes import Ending, Episode, Step, chain, chars_by_source
from agentgen_bench.errors import LevelChangedError, ScoreError
from agentgen_bench.policies.base import Decision
from agentgen_bench.prompts import History, Turn
from agentgen_bench.spec import TaskSpec

Found = TypeVar("Found")


class Job(NamedTuple):
    """An episode to play: the setting, the seed of its level, which repeat, and the level id it must turn out as.

    `distractor_draw` is 0 where all policies and repeats shall read a level with the same distractors (evaluation);
    each other number is a draw of its own.
    """

    spec: TaskSpec
    seed: int
    repeat: int = 0
    level_id: str | None = None  # None: any
    distractor_draw: int = 0


class Decided(NamedTuple):
    """A decision, and the link of the hash chain at the observation that it answers."""

    link: str
    decision: Decision


@dataclass(slots=True)
class Running:
    """An episode under way; `begin` makes one. The environment stays the caller's, who closes or reuses it."""

    job: Job
    number: int  # no other episode of the same play has it
    policy_name: str
    record_text: bool
    env: gym.Env[str, str]
    task: TextTask  # the same environment as the harness asks it
    first_observation: str
    first_info: Info
    action_templates: tuple[str, ...]
    max_steps: int
    expert_length: int | None
    observation: str
    info: Info
    link: str
    conversation: "_Conversation"  # the one at hand
    turns: list[Turn] = field(default_factory=list)
    dropped_turns: int = 0  # of `turns`, by the last decision
    steps: list[Step] = field(default_factory=list)
    parts: list[Part] = field(default_factory=list)  # those begun of a pack of solve and update episodes
    ending: Ending | None = None
    error: str | None = None
    crash: Exception | None = None  # what the environment raised; `error` is its text

    def history(self) -> History:
        """Return all that a policy may know at this step."""
        spec, seed, repeat = self.job[:3]
        step = len(self.steps) + 1
        whole = History(
            key=(self.first_info["level_id"], seed, repeat, step),
            family=spec.family,
            task=self.info["task"],
            step=step,
            max_steps=self.max_steps,
            observation=self.observation,
            turns=tuple(self.turns),
            admissible_commands=self.info["admissible_commands"],
            action_templates=self.action_templates,
            dropped_turns=self.dropped_turns,
        )
        if not self.parts:
            return whole
        start, task, max_steps, context, context_chars = self.parts[-1]
        return replace(
            whole, task=task, step=step - start, max_steps=max_steps, context=context, context_chars=context_chars
        )

    def advance(self, decision: Decision) -> None:
        """Execute what was decided; an exception of the environment or of who decides ends the episode in an error."""
        if decision.failure is not None:
            self.ending, self.error = "error", decision.failure
            return
        try:
            self._execute(decision)
        except Exception as error:  # noqa: BLE001 - whatever an environment raises is that episode's failure, recorded
            self.crash = error
            self.fail(error)

    def _execute(self, decision: Decision) -> None:
        """Execute a decision and record the step; raises what the environment raises, and where it answers nonsense."""
        action = NO_ACTION if decision.action is None else decision.action
        observation, reward, terminated, truncated, found = self.env.step(action)
        info: Info = found  # type: ignore[assignment]  # Gymnasium says dict[str, Any]
        _check_score(info["score"])
        link = chain(self.link, observation)
        conversation = _conversation(info) if "task_number" in info or "part" in info else _WHOLE
        if conversation == self.conversation:
            self.dropped_turns = decision.dropped_turns
            ids = () if decision.sample is None else decision.sample.completion_ids
            commands = tuple(self.info["admissible_commands"])
            self.turns.append(Turn(self.observation, decision.action, decision.completion, commands, ids))
        else:  # the next task or part of a pack: what the agent keeps of the last is its note or context
            self.turns.clear()
            self.dropped_turns = 0
            self.parts += _parts(info)
            self.conversation = conversation
        self.observation, self.info, self.link = observation, info, link
        self.steps.append(self._step(decision, float(reward)))
        if terminated or truncated:
            self.ending = "terminated" if terminated else "truncated"

    def fail(self, error: Exception) -> None:
        """End the episode in an error, which the record names."""
        self.ending, self.error = "error", _described(error)

    def _step(self, decision: Decision, reward: float) -> Step:
        info = self.info
        return Step(
            action=decision.action,
            completion=decision.completion,
            parse_reason=None if decision.reason is None else str(decision.reason),
            reward=reward,
            score=float(info["score"]),
            is_action_valid=bool(info["is_action_valid"]),
            observation_hash=self.link,
            observation_chars=chars_by_source(info["sections"]),
            n_admissible=len(info["admissible_commands"]),
            prompt_chars=decision.prompt_chars,
            prompt_tokens=decision.prompt_tokens,
            completion_tokens=decision.completion_tokens,
            dropped_turns=decision.dropped_turns,
            finish_reason=decision.finish_reason,
            marks=decision.marks,
            cost_usd=decision.cost_usd,
            sections=info["sections"] if self.record_text else None,
            admissible_commands=tuple(info["admissible_commands"]) if self.record_text else None,
        )

    def finish(self) -> Episode:
        """Return the record; an episode in an error counts as failed, whatever it had reached.

        What the environment raises when it is asked about the episode is the episode's error, as in a step.
        """
        tasks: tuple[TaskRecord, ...] = self._asked(self._tasks, ())
        facts: tuple[Fact, ...] = self._asked(self.task.facts, ())
        parts = tuple(self.parts)
        analysis: Analysis = {} if self.ending == "error" else self._asked(self.task.analysis, {})
        if self.ending == "error":
            begun = [task for task in tasks if task.start <= len(self.steps)]  # the step that crashed is not recorded
            tasks = tuple([task._replace(score=0.0, success=False) for task in begun])
            parts = tuple([part for part in parts if part.start <= len(self.steps)])
        first = self.first_info
        return Episode(
            spec=self.job.spec.to_json(),
            seed=self.job.seed,
            repeat=self.job.repeat,
            policy=self.policy_name,
            level_id=first["level_id"],
            task=first["task"],
            max_steps=self.max_steps,
            first_hash=chain("", self.first_observation),
            first_chars=chars_by_source(first["sections"]),
            first_admissible=len(first["admissible_commands"]),
            steps=tuple(self.steps),
            ending=self.ending or "error",
            success=self.ending != "error" and bool(self.info["success"]),
            score=0.0 if self.ending == "error" else float(self.info["score"]),
            expert_length=self.expert_length,
            analysis=analysis,
            tasks=tasks,
            error=self.error,
            action_templates=self.action_templates,
            first_sections=first["sections"] if self.record_text else None,
            first_commands=tuple(first["admissible_commands"]) if self.record_text else None,
            facts=facts[: len(tasks)],
            parts=parts,
        )

    def _tasks(self) -> tuple[TaskRecord, ...]:
        tasks = self.task.tasks()
        for task in tasks:
            _check_score(task.score)
        return tasks

    def _asked(self, question: Callable[[], Found], otherwise: Found) -> Found:
        """Return what the environment says of the ended episode, `otherwise` where it raises; its first error stays."""
        try:
            return question()
        except Exception as error:  # noqa: BLE001 - whatever an environment raises is that episode's failure, recorded
            if self.ending != "error":
                self.crash = error
                self.fail(error)
            return otherwise


def begin(job: Job, env: gym.Env[str, str], policy_name: str, record_text: bool, number: int = 0) -> Running:
    """Reset `env` for the job; raises LevelChangedError for another level than the job says, and what `env` raises."""
    is_redrawn = job.distractor_draw and job.spec.distractor_spec is not None
    options = {"distractor_draw": job.distractor_draw} if is_redrawn else None
    observation, found = env.reset(seed=job.seed, options=options)
    task, info = text_task(env), cast(Info, found)
    _check_level(job, info["level_id"])
    return Running(
        job=job,
        number=number,
        policy_name=policy_name,
        record_text=record_text,
        env=env,
        task=task,
        first_observation=observation,
        first_info=info,
        action_templates=tuple(task.action_templates),
        max_steps=task.max_steps,
        expert_length=task.expert_length,
        observation=observation,
        info=info,
        link=chain("", observation),
        conversation=_conversation(info),
        parts=_parts(info),
    )


def resume(
    job: Job,
    env: gym.Env[str, str],
    policy_name: str,
    record_text: bool,
    number: int = 0,
    past: Iterable[Decided] = (),
) -> Running:
    """Reset `env` for the job as `begin` does, and execute what was decided before.

    Where an observation is not the one that was answered (the data changed, or this Java does not repeat itself), the
    episode begins anew: decisions for another state are worth nothing.
    """
    running = begin(job, env, policy_name, record_text, number)
    for link, decision in past:
        if running.ending is not None or running.link != link:
            return begin(job, env, policy_name, record_text, number)
        running.advance(decision)
    return running


def _check_score(score: float) -> None:
    """Raise ScoreError for a score that no record can hold: it would be refused where it is read."""
    if not 0 <= score <= 1:  # true for NaN
        raise ScoreError(f"the environment gives the score {score}; a score is a number from 0 to 1, 1 at success")


def _parts(info: Info) -> list[Part]:
    """Return the part of a pack that an observation belongs to; none where the episode is not made of parts."""
    return [info["part"]] if "part" in info else []


_Conversation = tuple[int | None, int]


_WHOLE: _Conversation = (None, 0)  # of an episode that is no pack


def _conversation(info: Info) -> _Conversation:
    """Return what tells one conversation of an episode from the next: the task of a pack, and where its part began."""
    return info.get("task_number"), info["part"].start if "part" in info else 0


def _check_level(job: Job, level_id: str) -> None:
    if job.level_id not in (None, level_id):
        raise LevelChangedError(
            f"seed {job.seed} of {job.spec.label} gives {level_id}, the frozen suite says {job.level_id}; "
            "install the version of agentgen-bench and its data that the suite was made with"
        )


def close_env(env: gym.Env[str, str]) -> None:
    """Close an environment; what it raises then is no episode's failure and must not end the others: a warning."""
    try:
        env.close()
    except Exception as error:  # noqa: BLE001 - whatever an environment raises
        warnings.warn(f"an environment could not be closed: {type(error).__name__}: {error}", stacklevel=2)


def failed_start(job: Job, policy_name: str, error: Exception) -> Episode:
    """Return the record of an episode whose environment could not be made or reset."""
    return Episode(
        spec=job.spec.to_json(),
        seed=job.seed,
        repeat=job.repeat,
        policy=policy_name,
        level_id="",
        task="",
        max_steps=0,
        first_hash="",
        first_chars={},
        first_admissible=0,
        steps=(),
        ending="error",
        success=False,
        score=0.0,
        expert_length=None,
        analysis={},
        error=_described(error),
    )


def _described(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"
