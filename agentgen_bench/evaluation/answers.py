"""What is wrong with a run's answers, said while it can still be stopped: most hold no action, and why."""

from collections import Counter
from collections.abc import Sequence

from agentgen_bench.parsing import ParseReason
from agentgen_bench.policies.base import Decision

# What is wrong with an answer by function calls: it may call, and yet hold no action.
_OF_CALLS = frozenset(
    {ParseReason.NO_CALL, ParseReason.SEVERAL_CALLS, ParseReason.UNKNOWN_TOOL, ParseReason.BAD_ARGUMENTS}
)
FEWEST = 10  # answers before anything is said
SHARE = 0.5  # of them without an action

# By cause: what happened, and what to change.
_ADVICE = {
    "length": ("was cut off at --max-tokens {max_tokens}", "raise --max-tokens{or_think_less}"),
    "tool_calls": ("called functions in place of text", "take --protocol tools, or serve without a tool parser"),
    "content_filter": ("was stopped by the server's content filter", "take another model or server"),
    ParseReason.PROMPT_TOO_LONG: (
        "was never asked for: the prompt does not fit the context",
        "serve or load with a longer context, or lower --max-tokens",
    ),
    ParseReason.EMPTY: ("is empty", "look at the server's log, or take another chat template"),
    ParseReason.UNCLOSED: ("ends inside a thought or an action", "raise --max-tokens{or_think_less}"),
    ParseReason.NO_CALL: (
        "calls no function",
        "take --protocol chat, or serve with the tool parser that the model's template asks for (docs/servers.md)",
    ),
    ParseReason.SEVERAL_CALLS: (
        "calls several functions",
        "take --protocol chat, or a model that makes one call a turn",
    ),
    ParseReason.UNKNOWN_TOOL: ("calls a function that there is not", "take --protocol chat"),
    ParseReason.BAD_ARGUMENTS: ("gives a function other arguments than it has", "take --protocol chat"),
    ParseReason.TOO_LONG: ("has an action of more than 512 characters", "take another --action-format"),
}
_OTHERWISE = ("does not hold one action in the format asked for ({reason})", "take another --action-format")


class Answers:
    """Counts the decisions of a model's run."""

    def __init__(self, max_tokens: int, thinking: bool = True) -> None:
        """Begin to count; limit of a completion, and whether a thought is asked for, are for the message."""
        self._max_tokens, self._thinking = max_tokens, thinking
        self._n = 0
        self._causes: Counter[str] = Counter()
        self._marks: Counter[str] = Counter()
        self._n_marked = 0
        self._has_said = False

    def count(self, batch: Sequence[Decision]) -> str | None:
        """Count a batch; return, once, what is wrong where most answers so far hold no action."""
        self._n += len(batch)
        for decision in batch:
            self._marks.update(decision.marks)
            self._n_marked += bool(decision.marks)
            if decision.action is None:
                self._causes[_cause(decision)] += 1
        if self._has_said or self._n < FEWEST or self._causes.total() <= SHARE * self._n:
            return None
        self._has_said = True
        return self._trouble()

    def marks(self) -> str | None:
        """Return how many actions stood in marks that the parsing rule takes off; None where none did."""
        if not self._n_marked:
            return None
        kinds = ", ".join(f"{name} {n}" for name, n in sorted(self._marks.items()))
        return f"{self._n_marked} of {self._n} answers had marks around the action (docs/parsing.md): {kinds}"

    def _trouble(self) -> str:
        cause, n = min(self._causes.items(), key=lambda item: (-item[1], item[0]))
        happened, advice = _ADVICE.get(cause, _OTHERWISE)
        what = happened.format(max_tokens=self._max_tokens, reason=cause)
        change = advice.format(or_think_less=", or take --no-thinking" if self._thinking else "")
        return (
            f"{self._causes.total()} of the first {self._n} answers hold no action; most often ({n}) the answer "
            f"{what}: {change}"
        )


def _cause(decision: Decision) -> str:
    if decision.reason in _OF_CALLS and decision.finish_reason != "length":
        return str(decision.reason)
    if decision.finish_reason in ("length", "tool_calls", "content_filter"):
        return decision.finish_reason
    return str(decision.reason or ParseReason.NO_ACTION)
