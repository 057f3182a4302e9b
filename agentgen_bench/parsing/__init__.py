"""Completion to action. Total: any string gives an action or a reason, never an action the model did not write.

One rule for all formats says what may stand around an action; docs/parsing.md is its page. Every function takes time
in proportion to the text's length: the text is split once, at tags, lines or braces, and each piece is read once.
"""

from typing import get_args

from agentgen_bench.parsing.marks import freed
from agentgen_bench.parsing.objects import object_actions
from agentgen_bench.parsing.react import react_actions
from agentgen_bench.parsing.reading import TAG, ActionFormat, Found, Parsed, ParseReason, Reading, flaw
from agentgen_bench.parsing.tagged import tagged_actions
from agentgen_bench.spaces import MAX_ACTION_CHARS

__all__ = [
    "ACTION_FORMATS",
    "MAX_ACTION_CHARS",
    "PARSING_VERSION",
    "STOP_STRINGS",
    "ActionFormat",
    "ParseReason",
    "Parsed",
    "Reading",
    "after_thought",
    "flaw",
    "parse",
    "read",
    "without_stop",
]
ACTION_FORMATS: tuple[ActionFormat, ...] = get_args(ActionFormat)
PARSING_VERSION = 2  # bumped with any change of what `parse` returns; recorded in every manifest

# Where a model that answers in lines would go on with an observation of its own. Back ends stop there.
STOP_STRINGS: dict[ActionFormat, tuple[str, ...]] = {
    "tagged": (),
    "react": ("\nObservation:",),
    "json": (),
    "choice": (),
}


def parse(completion: str, action_format: ActionFormat = "tagged", *, cut: bool = False) -> Parsed:
    """Return the action that `completion` holds in `action_format`, or the reason why it holds none.

    What stands inside a thought (`<think>..</think>`) is never an action. The same action written twice is one
    action; two different ones are none, because choosing would be ours. In react, what follows the answer's first
    action under a new `Thought:`, `Observation:` or `[Step` is no part of the answer.

    `cut` says that the completion ended because its length was used up. Then an action counts only where it is whole
    and surely no part of a thought: after a closed thought, or where the completion begins in the format asked for. A
    chat template may have opened a thought that the completion does not show.

    Examples:
        >>> parse("<think>a box is above</think><action>up</action>").action
        'up'
        >>> parse("<action>up</action> or <action>down</action>").reason.value
        'several_actions'
        >>> parse("I could go <action>up</action>, but then", cut=True).reason.value
        'unclosed'
    """
    return Parsed(*read(completion, action_format, cut=cut)[:2])


def read(completion: str, action_format: ActionFormat = "tagged", *, cut: bool = False) -> Reading:
    """Return what `parse` returns, with the marks that were taken off the action.

    Examples:
        >>> read("**Action:** `go to cabinet 1`.", "react").marks
        ('backticks', 'full_stop', 'label')
    """
    if not completion or completion.isspace():
        return Reading(None, ParseReason.EMPTY)
    found = _found(completion, action_format, cut)
    if cut and not found.starts:
        return Reading(None, ParseReason.UNCLOSED)
    return _chosen(found)


def _found(completion: str, action_format: ActionFormat, cut: bool) -> Found:
    if action_format == "json":
        return object_actions(completion, cut)
    if action_format != "react":
        return tagged_actions(completion, cut)
    answer, closed = _after_thought(completion)
    return Found([], ParseReason.UNCLOSED) if answer is None else react_actions(answer, cut, closed)


def without_stop(completion: str, action_format: ActionFormat) -> str:
    """Return the completion up to the first stop string of the format; all of it where there is none."""
    places = [place for stop in STOP_STRINGS[action_format] if (place := completion.find(stop)) >= 0]
    return completion[: min(places)] if places else completion


def after_thought(completion: str) -> str | None:
    """Return the text after the last closed thought; None where a thought was opened and never closed."""
    return _after_thought(completion)[0]


def _after_thought(completion: str) -> tuple[str | None, bool]:
    """Return the text after the last closed thought, None where one stays open; and whether any was closed."""
    begin, is_open, closed = 0, False, False
    for tag in TAG.finditer(completion):
        closes, is_thought = tag.groups()
        if is_thought:
            is_open = not closes
            begin, closed = (tag.end(), True) if closes else (begin, closed)
    return (None if is_open else completion[begin:]), closed


def _chosen(found: Found) -> Reading:
    """Return the one action among the candidates, freed of the marks around it."""
    written = [freed(candidate) for candidate in found.candidates]
    actions = {reading.action: reading for reading in written if reading.action}
    if len(actions) > 1:
        return Reading(None, ParseReason.SEVERAL_ACTIONS)
    if not actions:
        return Reading(None, ParseReason.EMPTY_ACTION if written else found.reason)
    (action,) = actions
    reason = flaw(action or "", MAX_ACTION_CHARS)
    return actions[action] if reason is None else Reading(None, reason)
