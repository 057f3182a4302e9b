"""What reading a completion gives, in the words that all formats share."""

import re
from enum import StrEnum
from typing import Literal, NamedTuple

from agentgen_bench.spaces import is_encodable

ActionFormat = Literal["tagged", "react", "json", "choice"]

# No pattern of this package repeats anything without bound: a match costs a constant.
TAG = re.compile(r"<(/)?(?:(t)hink|action)>", re.IGNORECASE)  # groups: closes, is a thought's
FENCE = "```"


class ParseReason(StrEnum):
    """Why a completion holds no action."""

    EMPTY = "empty"
    NO_ACTION = "no_action"
    UNCLOSED = "unclosed"
    EMPTY_ACTION = "empty_action"
    SEVERAL_ACTIONS = "several_actions"
    TOO_LONG = "too_long"
    BAD_JSON = "bad_json"
    NOT_ENCODABLE = "not_encodable"
    NOT_LISTED = "not_listed"  # a number, or a word, that is on no line of the numbered list
    NO_CALL = "no_call"
    SEVERAL_CALLS = "several_calls"
    UNKNOWN_TOOL = "unknown_tool"
    BAD_ARGUMENTS = "bad_arguments"
    PROMPT_TOO_LONG = "prompt_too_long"  # the prompt did not fit the model's context: nothing was generated


class Parsed(NamedTuple):
    """An action, or None and the reason."""

    action: str | None
    reason: ParseReason | None


class Reading(NamedTuple):
    """What `parse` returns, and which marks were taken off the action, sorted: quotes, bold, full_stop, ..."""

    action: str | None
    reason: ParseReason | None = None
    marks: tuple[str, ...] = ()


def flaw(text: str, max_chars: int) -> ParseReason | None:
    """Return why a text can be no action (or context) of at most `max_chars`: it is too long, or no file can hold it.

    Whether it may be empty is for the caller to say.
    """
    if len(text) > max_chars:
        return ParseReason.TOO_LONG
    return None if is_encodable(text) else ParseReason.NOT_ENCODABLE


class Candidate(NamedTuple):
    """A place where an action may stand, and the marks that were passed over to find it."""

    text: str
    marks: tuple[str, ...] = ()


class Found(NamedTuple):
    """The candidates of an answer; or the reason why there is none.

    `starts` says that the answer surely is no part of a thought: it follows one, or begins in its format.
    """

    candidates: list[Candidate]
    reason: ParseReason
    starts: bool = False
