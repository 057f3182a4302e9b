"""Every shape of a reply gives a text, another attempt or one clear error."""

import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentgen_bench.errors import PolicyError
from agentgen_bench.policies.http import Answer, LostRequestError
from agentgen_bench.policies.refusals import is_overflow
from agentgen_bench.policies.replies import Reply, finish_reason, read_reply

UP = "<action>up</action>"
values = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["content", "message", "type", "text", "thinking", "error", "code", "finish_reason", "usage"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


def body(message, finish="stop", **more):
    return {"choices": [{"message": message, "finish_reason": finish, **more.pop("choice", {})}], **more}


@given(values)
def test_any_message_is_a_text_another_attempt_or_one_error(value):
    for whole in (body(value), body({"content": value}), body({"content": UP, "reasoning": value, "usage": value})):
        for found in (whole, {**whole, "usage": value}, {**whole, "error": value}, {"choices": value}):
            with suppress(LostRequestError, PolicyError):
                reply = read_reply(found)
                assert isinstance(reply, Reply)
                assert isinstance(reply.completion, str)
                assert reply.prompt_tokens >= 0


@pytest.mark.parametrize(
    ("message", "text"),
    [
        ({"content": [{"type": "text", "text": "<action>"}, {"type": "text", "text": "up</action>"}]}, UP),
        ({"content": [{"type": "thinking", "thinking": "hm"}, {"type": "text", "text": UP}]}, f"<think>hm</think>{UP}"),
        ({"content": [{"type": "thinking", "thinking": [{"text": "hm"}]}, UP]}, f"<think>hm</think>{UP}"),
        ({"content": {"type": "text", "text": UP}}, UP),
        ({"content": UP, "reasoning_details": [{"type": "reasoning.text", "text": "hm"}]}, f"<think>hm</think>{UP}"),
        ({"content": UP, "reasoning": 5}, UP),
        ({"content": None, "refusal": "I cannot help."}, "I cannot help."),
        ({"content": None}, ""),
        ({}, ""),
    ],
)  # fmt: skip
def test_a_content_is_read_in_every_form(message, text):
    assert read_reply(body(message)).completion == text


@pytest.mark.parametrize("content", [5, True, [5], [{"type": "image", "url": "x"}], [{"type": "text", "text": 5}]])
def test_a_content_that_is_no_text_is_asked_for_again(content):
    with pytest.raises(LostRequestError):
        read_reply(body({"content": content}))


@pytest.mark.parametrize(
    ("count", "tokens"),
    [("12.0", 12), (None, 0), (float("nan"), 0), ("many", 0), (-3, 0), (True, 0), (1e400, 0), (10**8, 10**8),
     (10**8 + 1, 0)],
)  # fmt: skip
def test_token_counts_that_are_none_are_0(count, tokens):
    assert read_reply(body({"content": UP}, usage={"prompt_tokens": count})).prompt_tokens == tokens


@pytest.mark.parametrize(
    ("said", "meant"),
    [("stop", "stop"), ("MAX_TOKENS", "length"), ("eos_token", "stop"), ("function_call", "tool_calls"),
     ("SAFETY", "content_filter"), ("repetition", "repetition"), (None, None), (5, None), ("", None)],
)  # fmt: skip
def test_reasons_of_all_servers_have_one_name(said, meant):
    assert finish_reason(said) == meant


def test_a_thought_in_which_the_completion_was_cut_stays_open():
    assert read_reply(body({"content": None, "reasoning": "I could"}, "length")).completion == "<think>I could"
    assert read_reply(body({"content": "So", "reasoning": "hm"}, "length")).completion == "<think>hm</think>So"


@pytest.mark.parametrize(
    "failed",
    [
        body({"content": UP}, "error"),
        body({"content": ""}, "insufficient_system_resource"),
        body({"content": "<act"}, "abort"),
        body({"content": UP}, choice={"error": {"code": 502, "message": "the provider fell over"}}),
        {"error": {"code": 429, "message": "slow down"}},
        {"error": "overloaded", "choices": []},
        {"error": {"message": "no capacity", "type": "server_error"}},
        {"choices": []},
        {"choices": None},
        {},
    ],
)
def test_a_failure_inside_a_200_is_worth_another_attempt(failed):
    with pytest.raises(LostRequestError):
        read_reply(failed)


@pytest.mark.parametrize(
    "error",
    [
        {"code": 402, "message": "Insufficient credits"},
        {"code": "401", "message": "User not found"},
        {"code": "insufficient_quota", "message": "You exceeded your current quota"},
        {"code": 404, "type": "model_not_found", "message": "no such model"},
    ],
)
def test_a_permanent_failure_inside_a_200_is_not(error):
    with pytest.raises(PolicyError, match=error["message"]):
        read_reply({"error": error})


OVERFLOWS = {
    "OpenAI": "This model's maximum context length is 512 tokens. However, your messages resulted in 700 tokens.",
    "vLLM": "The decoder prompt (length 700) is longer than the maximum model length of 512.",
    "SGLang": "Input length (700 tokens) exceeds the maximum allowed length (512 tokens). Use a shorter input.",
    "SGLang, requested": "Requested token count exceeds the model's maximum context length of 512 tokens.",
    "llama.cpp": "request (33056 tokens) exceeds the available context size (32768 tokens), try increasing it",
    "TGI": "`inputs` tokens + `max_new_tokens` must be <= 512. Given: 700 `inputs` tokens and 20 `max_new_tokens`",
    "TGI, inputs": "Input validation error: `inputs` must have less than 1000 tokens. Given: 1200",
    "TensorRT-LLM": "The sum of prompt length (9351.0), query length (0) should not exceed max_num_tokens (8192)",
    "TensorRT-LLM, executor": "Prompt length (5056) exceeds maximum input length (2048).",
    "TensorRT-LLM, sequence": "Cannot process new request: Prompt length (5056) exceeds maximum sequence length (2048)",
    "LMDeploy": "internal error happened, status code ResponseType.INPUT_LENGTH_ERROR",
    "MLC": "Request prompt has 2015 tokens in total, larger than the model input length limit 1416.",
    "Bedrock": "Input is too long for requested model.",
    "Bedrock, Anthropic": "input length and `max_tokens` exceed context limit: 190000 + 20000 > 200000",
    "Bedrock, tokens": "Too many input tokens. Max input tokens: 8192, request input token count: 9000",
    "Gemini": "The input token count (1200000) exceeds the maximum number of tokens allowed (1048576).",
    "Gemini, bare": "The input token count exceeds the maximum number of tokens allowed 1048576.",
    "Vertex": "the input token count is 40000 but model only supports up to 32768",
    "Bedrock, Titan": "expected maxLength: 2048, actual: 9000, please reformat your input and try again.",
    "xAI": "This model's maximum prompt length is 131072 but the request contains 136973 tokens.",
    "Anthropic": "prompt is too long: 202128 tokens > 200000 maximum",
    "Mistral": "Prompt contains 40000 tokens and 0 draft tokens, too large for model with 32768 maximum context length",
    "LM Studio": "Trying to keep the first 111490 tokens when context the overflows.",
    "DeepInfra": "Requested input length 39818 exceeds maximum input length 32767",
    "Groq": "Please reduce the length of the messages or completion.",
}


@pytest.mark.parametrize("status", [400, 413, 422, 500])
@pytest.mark.parametrize("said", OVERFLOWS.values(), ids=OVERFLOWS)
def test_a_context_overflow_is_known_by_the_servers_words(said, status):
    assert is_overflow(Answer(status, {"error": {"message": said}}, said))


def test_a_context_overflow_is_known_by_its_code_under_any_status():
    for name in ("code", "type"):
        error = {"message": "no", name: "context_length_exceeded"}
        assert is_overflow(Answer(200, {"error": error}, "no"))
        assert is_overflow(Answer(400, {"error": error}, "no"))


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (429, "Rate limit reached: too many tokens per minute"),
        (413, "Request too large for model in organization on tokens per minute (TPM): Limit 6000, Requested 9000"),
        (400, "max_tokens is too large: 512. This model supports at most 256 completion tokens."),
        (401, "invalid key"),
        (200, ""),
    ],
)
def test_other_refusals_are_no_overflow(status, said):
    assert not is_overflow(Answer(status, json.loads(json.dumps({"error": {"message": said}})), said))
