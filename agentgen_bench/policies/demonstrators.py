"""Demonstrators: named policies that decide from what a prompt shows, and say why in a sentence or two.

Each family has one. What they are for is cloning: an oracle knows what no prompt shows, so a model that imitates it
learns to guess. A demonstrator reads the observations, and its thought says what it saw there, what it looks for and
why this action. Thoughts stand in the completion and nowhere else.
"""

from collections.abc import Sequence
from dataclasses import replace
from importlib import import_module

from agentgen_bench.errors import SpecError
from agentgen_bench.parsing import ParseReason
from agentgen_bench.policies.base import Decision, Description, Policy
from agentgen_bench.prompts import History, PromptConfig, shown_turns

# The demonstrator of each family, read from its own module when asked for: (module, class).
FAMILY_DEMONSTRATORS: dict[str, tuple[str, str]] = {
    "Sokoban": ("agentgen_bench.policies.sokoban_planner", "SokobanPlanner"),
    "WebShop": ("agentgen_bench.policies.webshop_reader", "WebShopReader"),
    "ALFWorld": ("agentgen_bench.policies.alfworld_searcher", "ALFWorldListSearcher"),
    "SciWorld": ("agentgen_bench.policies.sciworld_reader", "SciWorldReader"),
}
# Who finds out the fact of a family's packs and writes it down (docs/lifecycle.md).
FACT_FINDERS: dict[str, tuple[str, str]] = {
    "Sokoban": ("agentgen_bench.policies.sokoban_rule_finder", "SokobanRuleFinder"),
    "WebShop": ("agentgen_bench.policies.webshop_regular", "WebShopRegular"),
    "ALFWorld": ("agentgen_bench.policies.alfworld_housekeeper", "ALFWorldHousekeeper"),
    "SciWorld": ("agentgen_bench.policies.sciworld_assayer", "SciWorldAssayer"),
}
NO_ANSWER = Decision("", None, ParseReason.EMPTY)  # as an empty completion is read


def answer(thought: str, action: str) -> Decision:
    """Return the decision whose completion holds the thought and the action, in the tagged format.

    Examples:
        >>> answer("A box is above.", "up").completion
        '<think>A box is above.</think><action>up</action>'
    """
    return Decision(f"<think>{thought}</think><action>{action}</action>", action)


class Demonstrator:
    """Plays every family as its own demonstrator does."""

    name = "demonstrator"
    players = FAMILY_DEMONSTRATORS

    def __init__(self) -> None:
        """Create the policy; a family's own is made when one of its histories comes."""
        self._by_family: dict[str, Policy] = {}

    def act(self, histories: Sequence[History]) -> list[Decision]:
        """Return one decision per history; a family without a demonstrator gets no action."""
        return [self._of(history.family).act([history])[0] for history in histories]

    def describe(self) -> Description:
        """Return the kind."""
        return {"kind": self.name}

    def _of(self, family: str) -> Policy:
        if family not in self._by_family:
            if family not in self.players:
                known = ", ".join(self.players)
                raise SpecError(f"{family} has no {self.name}; families with one: {known}. Name a policy instead")
            module, player = self.players[family]
            policy: Policy = getattr(import_module(module), player)()
            self._by_family[family] = policy
        return self._by_family[family]


class FactFinder(Demonstrator):
    """Plays every family's packs as the one does who finds out its fact and writes it down."""

    name = "fact-finder"
    players = FACT_FINDERS


def shown(history: History, prompt: PromptConfig) -> History:
    """Return the history less what the prompt does not show: older turns, and commands that are no hints."""
    n_turns = shown_turns(history, prompt)
    return replace(
        history,
        key=(),
        turns=history.turns[len(history.turns) - n_turns :],
        admissible_commands=history.admissible_commands if prompt.action_hints == "full" else (),
        action_templates=history.action_templates if prompt.action_hints == "templates" else (),
    )


class Imitable:
    """A policy that plays as another does, and refuses what the prompt would not let a model imitate.

    At each step the policy is asked twice: with all that happened, and with what the prompt shows. Where the two
    differ, a clone could only guess.
    """

    def __init__(self, policy: Policy, prompt: PromptConfig) -> None:
        """Wrap a policy that is deterministic; `prompt` is what its clone will read."""
        self.name: str = policy.name
        self._policy, self._prompt = policy, prompt

    def act(self, histories: Sequence[History]) -> list[Decision]:
        """Return the policy's decisions.

        Raises:
            SpecError: a decision rests on what the prompt does not show.
        """
        decisions = self._policy.act(histories)
        from_prompt = self._policy.act([shown(history, self._prompt) for history in histories])
        for history, decision, other in zip(histories, decisions, from_prompt, strict=True):
            if decision.action != other.action or (self._prompt.thinking and decision.completion != other.completion):
                raise SpecError(self._refusal(history, decision, other))
        return decisions

    def describe(self) -> Description:
        """Return what the policy says of itself."""
        return self._policy.describe()

    def _refusal(self, history: History, decision: Decision, other: Decision) -> str:
        prompt = self._prompt
        return (
            f"{self.name} cannot be imitated in {history.family} with history_length={prompt.history_length} and "
            f"action_hints={prompt.action_hints}: at step {history.step} of {history.task!r} it answers "
            f"{decision.completion!r}, from what the prompt shows {other.completion!r}. Show more: a longer history "
            f"(up to {history.max_steps}), richer text, or action_hints=full"
        )
