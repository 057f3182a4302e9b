"""What a server's refusal means: a prompt that does not fit, a parameter it does not take, or neither. Pure."""

import json
import re
from collections.abc import Mapping

from agentgen_bench.policies.http import Answer
from agentgen_bench.policies.replies import error_words

# Codes and types of errors, as they stand in `error.code` or `error.type`.
_OVERFLOW_CODES = frozenset(
    "context_length_exceeded exceed_context_size_error context_window_exceeded prompt_too_long input_too_long "
    "model_context_window_exceeded max_context_length_exceeded".split()
)
# How servers say that a prompt is longer than the context, with where the wording comes from.
_OVERFLOW_WORDS = re.compile(
    "|".join(
        (
            r"context[_ ](?:length|size|window|limit)",  # OpenAI, vLLM, SGLang, llama.cpp, Ollama, LM Studio, Mistral
            r"maximum model length|max_model_len|longer than the (?:maximum )?model",  # vLLM
            r"input length .{0,80}exceeds the maximum allowed",  # SGLang
            r"\binputs?\b.{0,3}tokens?.{0,60}must be|\binputs\b.{0,3}must have less than",  # TGI
            r"prompt length .{0,40}(?:exceeds? max|should not exceed)",  # TensorRT-LLM, its executor
            r"sum of prompt length .{0,120}should not exceed",  # TensorRT-LLM, its LLM API
            r"max_(?:num_tokens|seq_len|input_len)\b",  # TensorRT-LLM
            r"larger than the model input length",  # MLC
            r"input_length_error|session[_ ]len",  # LMDeploy
            r"input is too long|too many (?:input )?tokens|input exceeds the max",  # Bedrock, Cohere
            r"prompt is too long|request_too_large",  # Anthropic, also behind Bedrock and Vertex
            r"input token count (?:is|.{0,40}exceeds)|exceeds the maximum number of (?:input )?tokens",  # Gemini
            r"expected maxlength",  # Bedrock's Titan
            r"maximum prompt length",  # xAI
            r"exceeds? (?:the )?(?:model'?s )?max(?:imum)? (?:input|prompt|sequence|total tokens)",  # others
            r"reduce the length",  # OpenAI, Groq, Cerebras
            r"keep the first \d+ tokens when",  # LM Studio
        )
    ),
    re.IGNORECASE,
)
_REFUSAL_WORDS = re.compile(
    r"unsupported|not (?:be |one of the )?(?:supported|permitted|allowed|accepted|available|compatible)"
    r"|do(?:es)?(?: not|n't) support|unknown|unrecognized|unexpected|extra_forbidden|extra (?:inputs|fields)"
    r"|cannot both|only the default|deprecated|instead|mutually exclusive|invalid (?:parameter|argument|field)",
    re.IGNORECASE,
)
_SCANNED_CHARS = 4000  # of a refusal's body


def is_overflow(answer: Answer) -> bool:
    """Return whether an answer says that prompt and completion do not fit the model's context.

    By its code under any status, 200 included; by its words under any refusal but a rate limit's, which counts tokens
    too.
    """
    error = answer.body.get("error")
    if isinstance(error, Mapping) and {str(error.get("code")), str(error.get("type"))} & _OVERFLOW_CODES:
        return True
    if answer.is_success:
        return bool(error) and _OVERFLOW_WORDS.search(error_words(error)[1]) is not None
    return answer.status not in (401, 402, 403, 404, 429) and _OVERFLOW_WORDS.search(answer.message) is not None


def refused_parameter(answer: Answer, sent: Mapping[str, object]) -> str | None:
    """Return which parameter of a request the server does not take; None where the refusal is about something else.

    Of several that it names ("temperature and top_p cannot both be specified"), the one that asks for no more than
    what is usual anyway, else the last.

    Args:
        answer: the refusal.
        sent: the parameters of the request that may be left out, with their values.
    """
    if answer.status not in (400, 404, 405, 422, 501):
        return None
    text = f"{answer.message} {json.dumps(answer.body)[:_SCANNED_CHARS]}"
    if not _REFUSAL_WORDS.search(text):
        return None
    error = answer.body.get("error")
    named = error.get("param") if isinstance(error, Mapping) else None
    if isinstance(named, str) and named in sent and "both" not in text:
        return named
    found = [name for name in sent if _names(text, name) or (name in _ALSO and _names(text, _ALSO[name]))]
    if not found:
        return None
    return next((name for name in found if sent[name] == USUAL.get(name, _NOTHING)), found[-1])


def _names(text: str, parameter: str) -> bool:
    return re.search(rf"(?<![\w-]){re.escape(parameter)}(?![\w-])", text) is not None


# What else refusals call a parameter: vLLM's of Mistral tokenizers name the one beside it, which we never send.
_ALSO = {"chat_template_kwargs": "chat_template"}

# What OpenAI's API does where a parameter is not sent.
USUAL = {"temperature": 1.0, "top_p": 1.0}
_NOTHING = object()
