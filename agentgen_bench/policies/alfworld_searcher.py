"""The reference searcher of ALFWorld as a policy: a scripted agent that reads what any agent reads.

It remembers all it has seen, and says in a thought what it looks for, where it has looked and why it goes on so.
Its mean length labels the difficulty of generated levels (`envs/alfworld/searcher.py`); played as a policy it gives
every ALFWorld setting a score between random and oracle.
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from agentgen_bench.envs.alfworld.searcher import Searcher
from agentgen_bench.policies.base import Decision, Description
from agentgen_bench.policies.demonstrators import NO_ANSWER, answer
from agentgen_bench.prompts import History


class ALFWorldSearcher:
    """Looks where common sense expects things first; ties in an order drawn from `order_seed`."""

    name = "alfworld-searcher"

    def __init__(self, order_seed: int | None = 0) -> None:
        """Create the policy; without an order seed, ties go in the order in which the room lists its places."""
        self.order_seed = order_seed

    def act(self, histories: Sequence[History]) -> list[Decision]:
        """Return one decision per history, from its observations alone."""
        return [self._decide(history) for history in histories]

    def describe(self) -> Description:
        """Return kind and order seed."""
        return {"kind": self.name, "order_seed": self.order_seed}

    def _decide(self, history: History) -> Decision:
        if history.family != "ALFWorld":
            return NO_ANSWER
        searcher = recalled(history, self.order_seed)
        command = searcher.act()
        return answer(searcher.reason(command), command)


class ALFWorldListSearcher(ALFWorldSearcher):
    """The same, with ties in the order in which the room lists its places: an order that a clone can read."""

    name = "alfworld-list-searcher"

    def __init__(self) -> None:
        """Create the policy."""
        super().__init__(None)


def recalled(history: History, order_seed: int | None = 0, usual: Mapping[str, str] = MappingProxyType({})) -> Searcher:
    """Return a searcher that has lived through the history, and looks for a kind of object where `usual` says first."""
    is_older = any(template.startswith("put ") for template in history.action_templates)
    put = "put {item} in/on {receptacle}" if is_older else "move {item} to {receptacle}"
    searcher = Searcher(history.task, order_seed, put, usual)
    seen = [*(turn.observation for turn in history.turns), history.observation]
    searcher.begin(seen[0])
    for turn, observation in zip(history.turns, seen[1:], strict=True):
        if turn.action is not None:
            searcher.observe(turn.action, feedback_of(observation))
    return searcher


def feedback_of(observation: str) -> str:
    """Return the part of an observation that answers the command: all before rich's first own paragraph."""
    return observation.partition("\n\nYour task is to: ")[0]
