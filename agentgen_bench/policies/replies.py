"""Chat completions as servers write them: one reader for every shape of a body. Pure; nothing here sends anything."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from agentgen_bench.episodes import MAX_STEP_TOKENS
from agentgen_bench.errors import PolicyError
from agentgen_bench.policies.calls import PART_KINDS, raw_calls
from agentgen_bench.policies.http import Answer, LostRequestError

# Why completions end, in the words of OpenAI's API; other servers' words for the same.
_SAME_REASON = {
    "max_tokens": "length",
    "max_output_tokens": "length",
    "max_length": "length",
    "model_length": "length",
    "token_limit": "length",
    "model_context_window_exceeded": "length",
    "incomplete": "length",
    "eos": "stop",
    "eos_token": "stop",
    "stop_sequence": "stop",
    "end_turn": "stop",
    "tool_call": "tool_calls",
    "tool_use": "tool_calls",
    "function_call": "tool_calls",
    "safety": "content_filter",
}
# The server failed in the middle: what it wrote until then is nobody's answer.
_FAILED = {"error", "abort", "aborted", "cancelled", "server_error", "insufficient_system_resource", "unavailable"}
MAX_REASON_CHARS = 40
# Codes and types of errors that another attempt does not cure, whatever the status.
PERMANENT_CODES = frozenset(
    "insufficient_quota billing_hard_limit_reached invalid_api_key model_not_found account_deactivated "
    "access_terminated insufficient_balance payment_required authentication_error permission_error".split()
)


class Reply(NamedTuple):
    """One choice of a chat completion.

    `thought` is what the server took out of the content as a thought: "" where it says that there was none, None where
    it says nothing of thoughts. `finish_reason` is one of stop, length, tool_calls, content_filter, or the server's own
    word; None where it says none. `tool_calls` are as the server wrote them (`calls.written_calls` reads them). Token
    counts are 0 where the server reports none that are numbers in [0, `MAX_STEP_TOKENS`].
    """

    content: str
    thought: str | None
    finish_reason: str | None
    prompt_tokens: int
    completion_tokens: int
    tool_calls: tuple[Any, ...] = ()

    @property
    def completion(self) -> str:
        """Thought and content as one text; a thought in which the completion was cut stays open."""
        if not self.thought:
            return self.content
        is_open = self.is_cut and not self.tool_calls and not self.content.strip()
        return f"<think>{self.thought}" if is_open else f"<think>{self.thought}</think>{self.content}"

    @property
    def is_cut(self) -> bool:
        """Whether the completion ended because its length was used up."""
        return self.finish_reason == "length"


def read_reply(body: Mapping[str, Any]) -> Reply:
    """Return the first choice of a body.

    Raises:
        LostRequestError: the body holds no completion, or the server says that it failed; worth another attempt.
        PolicyError: the server says that it failed in a way that another attempt does not cure.
    """
    _raise_failure(body.get("error"))
    choices = body.get("choices")
    choice = choices[0] if isinstance(choices, list) and choices else None
    if not isinstance(choice, Mapping):
        raise LostRequestError("an answer without choices")
    _raise_failure(choice.get("error"))
    reason = finish_reason(choice.get("finish_reason"))
    if reason in _FAILED:
        raise LostRequestError(f"the server broke off ({reason})")
    message = choice.get("message")
    if not isinstance(message, Mapping):
        raise LostRequestError("an answer without choices[0].message")
    content, inner_thought = _content(message.get("content"))
    if not content and isinstance(message.get("refusal"), str):
        content = message["refusal"]
    thought = _thought(message)
    usage = body.get("usage")
    counts = usage if isinstance(usage, Mapping) else {}
    return Reply(
        content=content,
        thought=inner_thought or None if thought is None else thought + inner_thought,
        finish_reason=reason,
        prompt_tokens=_count(counts.get("prompt_tokens")),
        completion_tokens=_count(counts.get("completion_tokens")),
        tool_calls=raw_calls(message),
    )


def finish_reason(value: Any) -> str | None:
    """Return why a completion ended in OpenAI's words where they have one; None where nothing is said.

    Examples:
        >>> finish_reason("MAX_TOKENS")
        'length'
    """
    if not isinstance(value, str) or not value.strip():
        return None
    word = value.strip().lower()[:MAX_REASON_CHARS]
    return _SAME_REASON.get(word, word)


def error_words(error: Any) -> tuple[str, str]:
    """Return an error's code (its number, code or type) and what it says, both as texts; "" for what is not there."""
    if isinstance(error, str):
        return "", error
    if not isinstance(error, Mapping):
        return "", ""
    codes = [error.get(name) for name in ("code", "type", "status") if error.get(name)]
    code = next((str(code) for code in codes if str(code) in PERMANENT_CODES), str(codes[0]) if codes else "")
    said = error.get("message") or error.get("detail") or ""
    raw = error.get("metadata")
    inner = raw.get("raw") if isinstance(raw, Mapping) else None  # OpenRouter: the provider's own words
    return code, " ".join(str(part) for part in (said, inner) if part)


def is_permanent(answer: Answer) -> bool:
    """Return whether an answer is a refusal that another attempt does not cure, though its status may say so."""
    code, _ = error_words(answer.body.get("error"))
    return code in PERMANENT_CODES


def _raise_failure(error: Any) -> None:
    if not error:
        return
    code, said = error_words(error)
    words = f"{code} {said}".strip() or "an error without words"
    if code in PERMANENT_CODES or (code.isdecimal() and 400 <= int(code[:4]) < 500 and int(code[:4]) not in _PASSING):
        raise PolicyError(_line(words))
    raise LostRequestError(f"the server failed: {_line(words)}")


_PASSING = (408, 409, 425, 429)


def _line(words: str) -> str:
    return " ".join(words.split())[:500]


def _content(content: Any) -> tuple[str, str]:
    """Return the text of a message's content and the thoughts among its parts."""
    if content is None:
        return "", ""
    if isinstance(content, str):
        return content, ""
    parts = content if isinstance(content, list) else [content]
    texts: list[str] = []
    thoughts: list[str] = []
    for part in parts:
        if part is None:
            continue
        text, is_thought = _part(part)
        (thoughts if is_thought else texts).append(text)
    return "".join(texts), "".join(thoughts)


def _part(part: Any) -> tuple[str, bool]:
    """Return the text of one part of a content, and whether it is a thought."""
    if isinstance(part, str):
        return part, False
    if not isinstance(part, Mapping):
        raise LostRequestError(f"an answer whose content holds a value of type {type(part).__name__}")
    kind = part.get("type")
    if kind in ("thinking", "reasoning", "redacted_thinking"):
        return _joined(part.get("thinking", part.get("reasoning", part.get("text")))), True
    if kind in PART_KINDS:
        return "", False
    text = part.get("text", part.get("refusal"))
    if text is not None and not isinstance(text, str):
        raise LostRequestError(f"an answer whose content holds a text of type {type(text).__name__}")
    if text is None and kind not in ("text", "output_text"):
        raise LostRequestError(f"an answer whose content holds a part of type {str(kind)[:40]!r}")
    return text or "", False


def _joined(value: Any, depth: int = 3) -> str:
    """Return the text of a thought: a string, or parts with texts; what is neither is left out."""
    if isinstance(value, str):
        return value
    if isinstance(value, Mapping) and depth:
        return _joined(value.get("text", value.get("thinking", value.get("summary"))), depth - 1)
    if isinstance(value, list) and depth:
        return "".join(_joined(item, depth - 1) for item in value)
    return ""


def _thought(message: Mapping[str, Any]) -> str | None:
    """Return the thought beside a message's content; None where no field for one holds anything but null."""
    fields = [message.get(name) for name in ("reasoning_content", "reasoning", "reasoning_details")]
    if all(value is None for value in fields):
        return None
    return next((thought for thought in map(_joined, fields) if thought), "")


def _count(value: Any) -> int:
    """Return a token count; 0 for what is none, or more than any step takes."""
    try:
        number = float(value) if isinstance(value, (int, float, str)) and not isinstance(value, bool) else 0.0
    except (ValueError, OverflowError):
        return 0
    return int(number) if 0 < number <= MAX_STEP_TOKENS else 0
