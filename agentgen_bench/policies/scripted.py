"""Policies that need no model: random, noop and the oracle. They bound every score from below and above."""

from collections.abc import Sequence

from agentgen_bench.contract import TextTask
from agentgen_bench.parsing import ParseReason
from agentgen_bench.policies.base import Decision, Description
from agentgen_bench.prompts import History
from agentgen_bench.seeding import stream


class RandomPolicy:
    """Chooses uniformly among the admissible commands; where none is listed, it gives no action."""

    name = "random"

    def __init__(self, seed: int = 0) -> None:
        """Create the policy; its draws come from streams keyed by `seed` and the step."""
        self.seed = seed

    def act(self, histories: Sequence[History]) -> list[Decision]:
        """Return one random admissible command per history."""
        return [self._decide(history) for history in histories]

    def describe(self) -> Description:
        """Return kind and seed."""
        return {"kind": "random", "seed": self.seed}

    def _decide(self, history: History) -> Decision:
        commands = history.admissible_commands
        if not commands:
            return Decision("", None, ParseReason.NO_ACTION)
        command = commands[stream("random-policy", self.seed, *history.key).integers(len(commands))]
        return Decision(command, command)


class NoopPolicy:
    """Never acts: each completion is empty, each step is used up."""

    name = "noop"

    def act(self, histories: Sequence[History]) -> list[Decision]:
        """Return one empty decision per history."""
        return [Decision("", None, ParseReason.EMPTY)] * len(histories)

    def describe(self) -> Description:
        """Return the kind."""
        return {"kind": "noop"}


class OraclePolicy:
    """Plays each family's expert; the only policy that sees the environment."""

    name = "oracle"

    def act_on(self, tasks: Sequence[TextTask]) -> list[Decision]:
        """Return the expert's next action for each environment."""
        actions = [task.expert_action() for task in tasks]
        return [Decision(action, action) for action in actions]

    def describe(self) -> Description:
        """Return the kind."""
        return {"kind": "oracle"}
