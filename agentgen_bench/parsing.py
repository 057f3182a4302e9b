"""Completion to action. Total: any string gives an action or a reason, never an action the model did not write."""

from enum import StrEnum
from typing import Literal, NamedTuple, get_args

ActionFormat = Literal["tagged", "react", "json"]
ACTION_FORMATS: tuple[ActionFormat, ...] = get_args(ActionFormat)
MAX_ACTION_CHARS = 512


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
    PROMPT_TOO_LONG = "prompt_too_long"


class Parsed(NamedTuple):
    """An action, or None and the reason."""

    action: str | None
    reason: ParseReason | None
