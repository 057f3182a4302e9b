"""How the rollout loop asks a policy: requests go in as episodes need them, decisions come out as they are made.

A policy that can work on some requests while others come in has `asking`; of any other, a round is made: all that is
asked for, at once.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol, runtime_checkable

from agentgen_bench.errors import PolicyError
from agentgen_bench.policies.base import Decision, Description, EpisodicPolicy, Policy
from agentgen_bench.prompts import History


class Request(NamedTuple):
    """A wanted decision: the number of its episode, of which nothing else is asked meanwhile, and what it may know."""

    number: int
    history: History


class Answered(NamedTuple):
    """A decision, and the number of its episode."""

    number: int
    decision: Decision


class Asking(Protocol):
    """One loop's requests to a policy. In which order decisions come never changes what they are."""

    def submit(self, requests: Sequence[Request]) -> None:
        """Ask for decisions; returns at once, or nearly so."""
        ...

    def poll(self) -> list[Answered]:
        """Wait until a decision is there, and return all that are; called while something is asked for.

        Raises:
            PolicyError: the policy failed for good; decisions made before were returned before.
        """
        ...

    def close(self) -> None:
        """Give up what is asked for; called once, at the end."""
        ...


@runtime_checkable
class ContinuousPolicy(Protocol):
    """A policy that takes requests while it works on others."""

    name: str

    def asking(self) -> Asking:
        """Return an `Asking` of this policy, for one loop."""
        ...

    def describe(self) -> Description:
        """Return what the manifest records to name this policy."""
        ...


class Rounds:
    """Asks in rounds, each for all that was submitted: the slowest decision of a round keeps the others waiting."""

    def __init__(self, name: str, decide: Callable[[Sequence[Request]], list[Decision]]) -> None:
        """Take the function that decides, and the policy's name for what it may do wrong."""
        self._name, self._decide = name, decide
        self._waiting: list[Request] = []

    def submit(self, requests: Sequence[Request]) -> None:
        """Ask for decisions, in the next round."""
        self._waiting += requests

    def poll(self) -> list[Answered]:
        """Make a round."""
        asked, self._waiting = self._waiting, []
        decisions = self._decide(asked)
        _check_decisions(decisions, len(asked), self._name)
        return [Answered(number, decision) for (number, _), decision in zip(asked, decisions, strict=True)]

    def close(self) -> None:
        """Nothing is under way between rounds."""


def asking(policy: Policy | EpisodicPolicy) -> Asking:
    """Return how a policy is asked: as it says itself, else in rounds."""
    if isinstance(policy, ContinuousPolicy):
        return policy.asking()
    if isinstance(policy, EpisodicPolicy):
        act_in = policy.act_in
        return Rounds(policy.name, lambda asked: act_in([one.number for one in asked], [one.history for one in asked]))
    act = policy.act
    return Rounds(policy.name, lambda asked: act([one.history for one in asked]))


class Watched:
    """A policy that plays as another does; `asked` is told of each request before it goes in, `decided` of its end."""

    def __init__(
        self,
        policy: Policy,
        decided: Callable[[History, Decision], None],
        asked: Callable[[History], None] = lambda history: None,
    ) -> None:
        """Wrap a policy."""
        self.name: str = policy.name
        self._policy, self._asked, self._decided = policy, asked, decided

    def act(self, histories: Sequence[History]) -> list[Decision]:
        """Return the policy's decisions."""
        for history in histories:
            self._asked(history)
        decisions = self._policy.act(histories)
        for history, decision in zip(histories, decisions, strict=True):
            self._decided(history, decision)
        return decisions

    def asking(self) -> Asking:
        """Return the policy's way of being asked, watched."""
        return _Watching(asking(self._policy), self._asked, self._decided)

    def describe(self) -> Description:
        """Return what the policy says of itself."""
        return self._policy.describe()


class _Watching:
    def __init__(
        self, inner: Asking, asked: Callable[[History], None], decided: Callable[[History, Decision], None]
    ) -> None:
        self._inner, self._asked, self._decided = inner, asked, decided
        self._histories: dict[int, History] = {}
        self.close = inner.close

    def submit(self, requests: Sequence[Request]) -> None:
        for number, history in requests:
            self._asked(history)
            self._histories[number] = history
        self._inner.submit(requests)

    def poll(self) -> list[Answered]:
        answered = self._inner.poll()
        for number, decision in answered:
            self._decided(self._histories.pop(number), decision)
        return answered


def _check_decisions(decisions: object, wanted: int, name: str) -> None:
    """Raise PolicyError where a policy, which may be anyone's, did not return a decision for each episode."""
    if not isinstance(decisions, list) or not all(isinstance(decision, Decision) for decision in decisions):
        kinds = sorted({type(item).__name__ for item in decisions}) if isinstance(decisions, list) else None
        got = f"a list of {', '.join(kinds)}" if kinds else f"a {type(decisions).__name__}"
        raise PolicyError(f"the policy {name} returned {got}; act returns a list with one Decision per history")
    if len(decisions) != wanted:
        raise PolicyError(f"the policy {name} returned {len(decisions)} decisions for {wanted} histories")
