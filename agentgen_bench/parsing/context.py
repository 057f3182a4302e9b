"""A completion to the context that it holds: what an agent keeps for the tasks to come of a pack.

The context stands between two lines that say so, each there once; everything else is the model's own. One way for all
protocols and action formats: a context has several lines, and no function call and no JSON string says it better.
"""

from agentgen_bench.parsing.reading import ParseReason, Reading, flaw

CONTEXT_BEGIN = "=== CONTEXT ==="
CONTEXT_END = "=== END OF CONTEXT ==="


def read_context(answer: str | None, max_chars: int, *, cut: bool = False) -> Reading:
    r"""Return the context that the text after any thought holds, or the reason why it holds none.

    Args:
        answer: the completion without its thoughts; None where a thought was never closed.
        max_chars: how long a context may be; a longer one is none, because what to leave out would be ours to choose.
        cut: that the completion ended because its length was used up and closed no thought. The context then has to be
            what the answer begins with: in the middle of prose it may be part of a thought that the template opened.

    Examples:
        >>> read_context("=== CONTEXT ===\nfraz is up\n=== END OF CONTEXT ===", 100).action
        'fraz is up'
        >>> read_context("fraz is up", 100).reason.value
        'no_action'
    """
    if answer is None:
        return Reading(None, ParseReason.UNCLOSED)
    if not answer.strip():
        return Reading(None, ParseReason.EMPTY)
    lines = answer.split("\n")
    begins, ends = (
        [i for i, line in enumerate(lines) if line.strip() == mark] for mark in (CONTEXT_BEGIN, CONTEXT_END)
    )
    if not begins:
        return Reading(None, ParseReason.NO_ACTION)
    if len(begins) > 1 or len(ends) > 1:
        return Reading(None, ParseReason.SEVERAL_ACTIONS)
    is_in_prose = any(line.strip() for line in lines[: begins[0]])
    if not ends or ends[0] < begins[0] or (cut and is_in_prose):
        return Reading(None, ParseReason.UNCLOSED)
    return whole_context("\n".join(lines[begins[0] + 1 : ends[0]]), max_chars)


def whole_context(text: str, max_chars: int) -> Reading:
    """Return the context that a text is as a whole, as agents and scripted policies give it, or why it is none."""
    context = text.strip()
    if not context:
        return Reading(None, ParseReason.EMPTY_ACTION)
    reason = flaw(context, max_chars)
    return Reading(context if reason is None else None, reason)


def written_context(thought: str, context: str) -> str:
    """Return the completion that says a context; the inverse of `read_context`, for demonstrations."""
    return f"{thought}{CONTEXT_BEGIN}\n{context}\n{CONTEXT_END}"
