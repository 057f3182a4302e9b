"""A Session: one episode as text in and text out, for whoever has a loop of their own.

Agents, harnesses and trainers stand on it. What it shows is what a policy sees (`prompts.messages`), what it records is
what evaluation records, so that an episode played through it replays and verifies like any other. The environment
and the oracle stay inside.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Self

from agentgen_bench.answers import read_answer, tools_for
from agentgen_bench.episodes import MAX_STEP_TOKENS, Episode
from agentgen_bench.errors import SessionError, SpecError
from agentgen_bench.make import make
from agentgen_bench.policies.base import Decision
from agentgen_bench.policies.calls import written_calls
from agentgen_bench.prompts import Message, PromptConfig, messages
from agentgen_bench.running import Job, Running, begin, close_env, failed_start
from agentgen_bench.spec import TaskSpec
from agentgen_bench.suites import load_suite
from agentgen_bench.tools import Call, ToolJson

DEFAULT_PROMPT = PromptConfig()


class View(NamedTuple):
    """What a session shows after `start` and after each answer.

    `text` is what is new: the whole prompt under the protocol `window`, the next message of a growing chat under
    `chat` and `tools`; at the end the last observation. `messages` is the whole model input of this step, empty at
    the end. `starts_anew` says that `messages` does not go on from the ones before: always under `window`, in a chat
    at the start and with each task of a pack.
    """

    text: str
    messages: tuple[Message, ...]
    starts_anew: bool
    step: int  # of the answer that is asked for, from 1, in its part of a pack; at the end the number of steps played
    max_steps: int
    done: bool = False
    reward: float = 0.0  # of the answer before
    action: str | None = None  # what was read in it; None at the start, and where it held no action
    reason: str | None = None  # why it held none, a `ParseReason`; at the end of an episode in an error, the error


class Session:
    """One episode of one level, played by answers.

    Examples:
        >>> with Session("AgentGen/Sokoban-v0", seed=3) as session:
        ...     view = session.start()
        ...     while not view.done:
        ...         view = session.answer("<action>up</action>")
        >>> session.episode().ending
        'truncated'
    """

    def __init__(
        self,
        spec: TaskSpec | str,
        seed: int = 0,
        *,
        prompt: PromptConfig = DEFAULT_PROMPT,
        policy: str = "session",
        repeat: int = 0,
        level_id: str | None = None,
    ) -> None:
        """Prepare a session; the environment is made by `start`.

        Args:
            spec: the setting, or an id such as `AgentGen/Sokoban-rich-v0`.
            seed: the level's.
            prompt: protocol, hints, format of the answer: what decides `View.messages` and how answers are read.
            policy: the name of who answers, for the record.
            repeat: which of several episodes on the level this is, for the record.
            level_id: the level that the seed must give; None: any.
        """
        if not isinstance(prompt, PromptConfig):
            raise SpecError(f"prompt is {prompt!r:.60}; give a PromptConfig, such as PromptConfig(protocol='chat')")
        spec = TaskSpec.from_env_id(spec) if isinstance(spec, str) else spec
        self._job = Job(spec, seed, repeat, level_id)
        self.prompt = prompt
        self.policy = policy
        self._running: Running | None = None
        self._episode: Episode | None = None

    @classmethod
    def frozen(
        cls,
        suite: str,
        cell: int = 0,
        index: int = 0,
        *,
        prompt: PromptConfig = DEFAULT_PROMPT,
        policy: str = "session",
        repeat: int = 0,
    ) -> Self:
        """Return the session of a frozen level: number `index` of cell number `cell`, both from 0, of a shipped suite.

        Raises:
            SpecError: an unknown suite, or a number out of range.
        """
        cells = load_suite(suite).cells
        chosen = cells[_in_range("cell", cell, len(cells), suite)]
        number = _in_range("index", index, len(chosen.seeds), f"cell {cell} of {suite}")
        return cls(
            chosen.spec,
            chosen.seeds[number],
            prompt=prompt,
            policy=policy,
            repeat=repeat,
            level_id=chosen.level_ids[number],
        )

    @property
    def spec(self) -> TaskSpec:
        """The setting."""
        return self._job.spec

    @property
    def tools(self) -> tuple[ToolJson, ...]:
        """The functions that the episode's actions make, as chat templates and OpenAI-compatible servers take them."""
        return tuple([tool.schema() for tool in tools_for(self._begun().history())])

    @property
    def success(self) -> bool:
        """Whether the goal is reached; for the harness, no policy sees it."""
        running = self._begun()
        return running.ending != "error" and bool(running.info["success"])

    @property
    def score(self) -> float:
        """Progress in [0, 1], 1.0 exactly when success; for the harness, no policy sees it. It is not the return."""
        running = self._begun()
        return 0.0 if running.ending == "error" else float(running.info["score"])

    def start(self) -> View:
        """Make and reset the environment, and return what the first answer is asked for.

        Raises:
            SessionError: the session was started before.
            AgentGenError: a setting that does not exist here, or another level than the frozen one. This, and whatever
                else an environment raises here, is recorded: `episode` then has it.
        """
        if self._running is not None or self._episode is not None:
            raise SessionError("the session was started before; make a new one for another episode")
        env = None
        try:
            env = make(self._job.spec)
            self._running = begin(self._job, env, self.policy, record_text=True)
        except Exception as error:
            if env is not None:
                close_env(env)
            self._episode = failed_start(self._job, self.policy, error)
            raise
        return self._view()

    def answer(
        self,
        answer: str | Sequence[Call | Mapping[str, Any]],
        *,
        prompt_tokens: int = 0,
        completion_tokens: int = 0,
        finish_reason: str | None = None,
    ) -> View:
        """Take an answer, execute the action in it, and return what comes next.

        An answer without exactly one action uses up the step, as everywhere; `View.reason` says what was wrong.

        Args:
            answer: the whole completion; or under the protocol `tools` the calls it made, each a `Call`, or
                `{"name": ..., "arguments": {...}}`, or that inside `{"function": ...}` as servers send it.
            prompt_tokens: what the step cost, for the record.
            completion_tokens: what the step cost, for the record.
            finish_reason: why the completion ended; `length`: it was cut, and an unfinished action is none.

        Raises:
            SessionError: the session was not started or is over, or the answer is neither text nor calls, or a number
                of tokens is none or more than `MAX_STEP_TOKENS`.
        """
        running = self._begun()
        if self._episode is not None:
            raise SessionError("the episode is over; make a new session for another one")
        for name, count in (("prompt_tokens", prompt_tokens), ("completion_tokens", completion_tokens)):
            if not 0 <= count <= MAX_STEP_TOKENS:
                raise SessionError(f"{name} is {count}; a step takes 0 to {MAX_STEP_TOKENS:,}")
        completion = _completion(answer, self.prompt)
        history = running.history()
        reading = read_answer(completion, history, self.prompt, cut=finish_reason == "length")
        decision = Decision(
            completion=completion,
            action=reading.action,
            reason=reading.reason,
            prompt_chars=sum(len(message.content) for message in messages(history, self.prompt)),
            prompt_tokens=prompt_tokens,
            completion_tokens=completion_tokens,
            finish_reason=finish_reason,
            marks=reading.marks,
        )
        running.advance(decision)
        self._end_if_over(running)
        return self._view(decision)

    def episode(self) -> Episode:
        """Return the record of the finished episode; raises SessionError before its end."""
        if self._episode is None:
            raise SessionError("the episode is not over; answer until the view says done, or close the session")
        return self._episode

    def close(self, reason: str = "the session was closed before its end") -> None:
        """Free the environment; an episode that is not over ends in an error with this reason. May be called twice."""
        if self._running is not None and self._episode is None:
            self._running.fail(SessionError(reason))
            self._end_if_over(self._running)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _begun(self) -> Running:
        if self._running is None:
            raise SessionError("the session was not started; call start() first")
        return self._running

    def _end_if_over(self, running: Running) -> None:
        if running.ending is not None:
            self._episode = running.finish()
            close_env(running.env)

    def _view(self, decision: Decision | None = None) -> View:
        running = self._begun()
        view = View("", (), True, len(running.steps), running.max_steps)
        if decision is not None:
            reason = None if decision.reason is None else str(decision.reason)
            reward = running.steps[-1].reward if running.error is None else 0.0
            view = view._replace(action=decision.action, reason=reason, reward=reward)
        if running.ending is not None:
            return view._replace(text=running.observation, done=True, reason=running.error or view.reason)
        history = running.history()
        chat = tuple(messages(history, self.prompt))
        anew = self.prompt.protocol == "window" or not history.turns
        return view._replace(
            text=chat[-1].content, messages=chat, starts_anew=anew, step=history.step, max_steps=history.max_steps
        )


def _in_range(name: str, number: int, length: int, where: str) -> int:
    if not 0 <= number < length:
        raise SpecError(f"{name}={number} is out of range; {where} has 0 to {length - 1}")
    return number


def _completion(answer: Any, prompt: PromptConfig) -> str:
    """Return an answer as one text: calls are written as those of a server's reply are."""
    if isinstance(answer, str):
        return answer
    if prompt.protocol != "tools":
        raise SessionError(f"an answer under the protocol {prompt.protocol!r} is a text, got a {type(answer).__name__}")
    if not isinstance(answer, Sequence) or not all(isinstance(call, (Call, Mapping)) for call in answer):
        raise SessionError(f"an answer is a text or a list of calls, got a {type(answer).__name__}")
    try:
        return written_calls([call.to_json() if isinstance(call, Call) else call for call in answer])
    except (TypeError, ValueError) as error:
        raise SessionError(f"a call cannot be written as JSON: {error}") from None
