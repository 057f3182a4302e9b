"""Agents of the user's own: Python objects with a memory, tools and model calls that are none of our business.

A factory makes one agent per episode, and in a pack one per task, because all that passes from one task of a pack to
the next is its note.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from concurrent.futures import TimeoutError as FutureTimeoutError
from time import monotonic
from typing import Any, NamedTuple, TypedDict

from agentgen_bench.answers import read_answer, tools_for, whole_answer
from agentgen_bench.episodes import MAX_STEP_TOKENS
from agentgen_bench.errors import PolicyError
from agentgen_bench.policies.agent_processes import AgentProcesses
from agentgen_bench.policies.asking import Answered, Asking, Request
from agentgen_bench.policies.base import Decision, Description
from agentgen_bench.policies.calls import WireMessage, wire_messages
from agentgen_bench.policies.seats import AgentFailureError, Loop, NotAnAgentError, Seat, shown
from agentgen_bench.prompts import History, PromptConfig, messages
from agentgen_bench.tools import ToolJson

DEFAULT_TIMEOUT_S = 600.0


class AgentInfo(TypedDict):
    """What an agent is told beside the observation: what the prompt settings show a model, and no more.

    `action_templates` and `admissible_commands` are empty where `action_hints` does not show them. `messages` is the
    whole model input under the chosen protocol, `tools` under the protocol of that name the functions that actions
    make; both are as OpenAI-compatible servers take them. `context` is what was kept of earlier tasks of a pack, "" in
    all other episodes; where `context_chars` is a number, a new context of at most so many characters is asked for.
    """

    family: str
    task: str
    step: int  # 1 for the first decision
    max_steps: int
    action_templates: tuple[str, ...]
    admissible_commands: tuple[str, ...]
    messages: list[WireMessage]
    tools: list[ToolJson]
    context: str
    context_chars: int | None


class Answer(NamedTuple):
    """What an agent may return in place of a bare action: a completion to be read, and what it spent.

    With `is_completion` the text is read as a model's would be, under the prompt settings; else it is the action.
    Tokens are counts of 0 to 10^8.
    """

    text: str
    is_completion: bool = False
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost_usd: float = 0.0


class AgentPolicy:
    """Plays with agents that `factory` makes. An agent's exception or time-out ends its episode in an error."""

    def __init__(
        self,
        factory: Callable[[], Any] | AgentProcesses,
        prompt_config: PromptConfig,
        *,
        name: str,
        timeout_s: float = DEFAULT_TIMEOUT_S,
        source_hash: str | None = None,
        say: Callable[[str], None] | None = None,
    ) -> None:
        """Create the policy.

        Args:
            factory: called without arguments; returns an object with `act(observation, info) -> str | Answer` and
                optionally `reset(task, info)` and `close()`, each of which may be a coroutine function. Or the
                processes that such agents are to be made in.
            prompt_config: what an agent is shown, and how a completion is read.
            name: of the agent, for the record.
            timeout_s: seconds for one answer, the making of the agent included in the first.
            source_hash: SHA-256 of the agent's source, for the manifest.
            say: takes a line about an agent whose `close` failed; None drops it.
        """
        self.name = name
        self._factory = factory
        self._prompt = prompt_config
        self._timeout_s = timeout_s
        self._source_hash = source_hash
        self._say = say or (lambda line: None)
        self._seats: dict[int, Seat] = {}
        self._loop = Loop()

    def act_in(self, episodes: Sequence[int], histories: Sequence[History]) -> list[Decision]:
        """Return one decision per episode; raises PolicyError where an agent returns something else than an answer."""
        asked = [self.ask(number, history) for number, history in zip(episodes, histories, strict=True)]
        return [self.decided(one) for one in asked]

    def asking(self) -> Asking:
        """Return a way of asking in which no agent waits for another."""
        return _Asking(self)

    def ask(self, episode: int, history: History) -> "Asked":
        """Ask the episode's agent, which is made with its first question."""
        if not history.turns and int(history.key[-1]) > 1:
            self.end(episode)  # the next task or part of a pack
        if episode not in self._seats:
            self._seats[episode] = self._seat()
        answer = self._seats[episode].ask(history.observation, info_of(history, self._prompt))
        return Asked(episode, history, answer, monotonic() + self._timeout_s)

    def decided(self, asked: "Asked") -> Decision:
        """Return the decision, once there is an answer or its time is over."""
        try:
            answer = as_answer(asked.answer.result(max(0.0, asked.deadline - monotonic())))
        except NotAnAgentError as error:
            raise PolicyError(f"{self.name}: {error}") from None
        except BaseException as error:
            if asked.answer.done() and asked.answer.exception() is error:
                said = "" if isinstance(error, AgentFailureError) else f"the agent raised {type(error).__name__}: "
                return _failed(f"{said}{error}")
            if not isinstance(error, FutureTimeoutError):
                raise  # of this thread: Ctrl-C
            self.abandon(asked.number)
            return _failed(f"TimeoutError: the agent gave no answer within {self._timeout_s:g} s")
        return decision_of(answer, asked.history, self._prompt)

    def abandon(self, episode: int) -> None:
        """Leave an agent that is answering to itself."""
        self._seats.pop(episode).abandon()

    def end(self, episode: int) -> None:
        """Close the episode's agent."""
        if (seat := self._seats.pop(episode, None)) is not None and (trouble := seat.leave()) is not None:
            self._say(f"{self.name}: close() failed: {trouble}")

    def _seat(self) -> Seat:
        if isinstance(self._factory, AgentProcesses):
            return self._factory.seat(self._loop)
        return Seat(self._factory, self._loop)

    def describe(self) -> Description:
        """Return kind, prompt and time limit."""
        return {
            "kind": "agent",
            "prompt": self._prompt.to_json(),
            "timeout_s": self._timeout_s,
            "source_hash": self._source_hash,
        }


class Asked(NamedTuple):
    """A question to an agent: its episode, what it may know, the answer to come, and when it must be there."""

    number: int
    history: History
    answer: "Future[Any]"
    deadline: float


class _Asking:
    """Requests of one loop to agents."""

    def __init__(self, policy: AgentPolicy) -> None:
        self._policy = policy
        self._asked: list[Asked] = []

    def submit(self, requests: Sequence[Request]) -> None:
        self._asked += [self._policy.ask(number, history) for number, history in requests]

    def poll(self) -> list[Answered]:
        soonest = min(asked.deadline for asked in self._asked)
        wait([asked.answer for asked in self._asked], max(0.0, soonest - monotonic()), FIRST_COMPLETED)
        now = monotonic()
        over = [asked for asked in self._asked if asked.answer.done() or asked.deadline <= now]
        numbers = {asked.number for asked in over}
        self._asked = [asked for asked in self._asked if asked.number not in numbers]
        return [Answered(asked.number, self._policy.decided(asked)) for asked in over]

    def close(self) -> None:
        for asked in self._asked:
            if not asked.answer.done():
                self._policy.abandon(asked.number)
        self._asked.clear()


def info_of(history: History, prompt: PromptConfig) -> AgentInfo:
    """Return what an agent is told at one step under these settings."""
    return {
        "family": history.family,
        "task": history.task,
        "step": history.step,
        "max_steps": history.max_steps,
        "action_templates": history.action_templates if prompt.action_hints != "none" else (),
        "admissible_commands": history.admissible_commands if prompt.action_hints == "full" else (),
        "messages": wire_messages(messages(history, prompt)),
        "tools": [tool.schema() for tool in tools_for(history)] if prompt.protocol == "tools" else [],
        "context": history.context,
        "context_chars": history.context_chars,
    }


def as_answer(value: Any) -> Answer:
    """Return what `act` returned as an answer; raises NotAnAgentError where it is none."""
    answer = Answer(value) if isinstance(value, str) else value
    if not isinstance(answer, Answer) or not isinstance(answer.text, str):
        raise NotAnAgentError(f"act returned {shown(value)}; return the action as a str, or an agentgen_bench.Answer")
    _check_spent(answer)
    return answer


def decision_of(answer: Answer, history: History, prompt: PromptConfig) -> Decision:
    """Return the decision that an agent's answer holds."""
    text = answer.text
    reading = read_answer(text, history, prompt) if answer.is_completion else whole_answer(text, history)
    return Decision(
        completion=answer.text,
        action=reading.action,
        reason=reading.reason,
        prompt_tokens=answer.prompt_tokens,
        completion_tokens=answer.completion_tokens,
        cost_usd=float(answer.cost_usd),
        marks=reading.marks,
    )


def _check_spent(answer: Answer) -> None:
    for field in ("prompt_tokens", "completion_tokens"):
        value = getattr(answer, field)
        if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= MAX_STEP_TOKENS:
            raise NotAnAgentError(f"an answer's {field} is {shown(value)}; give a count of 0 to {MAX_STEP_TOKENS:,}")
    cost = answer.cost_usd
    if not isinstance(cost, (int, float)) or isinstance(cost, bool) or not 0 <= cost < float("inf"):
        raise NotAnAgentError(f"an answer's cost_usd is {shown(cost)}; give US dollars, 0 or more")


def _failed(failure: str) -> Decision:
    return Decision("", None, failure=failure)
