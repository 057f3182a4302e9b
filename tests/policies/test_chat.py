"""From history to prompt tokens: templates, and history dropped until the prompt fits."""

from pathlib import Path
from typing import Any

import pytest

from agentgen_bench.policies.chat import ChatFormat, load_chat_format
from agentgen_bench.policies.checkpoint import open_checkpoint
from agentgen_bench.prompts import History, Message, PromptConfig, messages

THINKING_TEMPLATE = (
    "{% for m in messages %}{{ m['role'] }}> {{ m['content'] }}\n{% endfor %}assistant>"
    "{% if enable_thinking is defined and not enable_thinking %} <think></think>{% endif %}"
)
HISTORY_LENGTH = PromptConfig(history_length=3)


@pytest.fixture
def chat(tiny_model: Path) -> ChatFormat:
    return load_chat_format(open_checkpoint(tiny_model))


def with_template(chat: ChatFormat, template: str | None) -> ChatFormat:
    tokenizer: Any = chat.tokenizer
    tokenizer.chat_template = template
    return ChatFormat(tokenizer)


def test_the_tokenizers_template_writes_the_prompt(chat: ChatFormat) -> None:
    text = chat.text([Message("user", "Push.")], thinking=True)
    assert text == "<|im_start|>user\nPush.<|im_end|>\n<|im_start|>assistant\n"


def test_special_tokens_of_the_template_are_single_tokens(chat: ChatFormat) -> None:
    ids = chat.encode("<|im_start|>user\n")
    assert chat.tokenizer.convert_ids_to_tokens(ids)[0] == "<|im_start|>"


def test_a_base_model_gets_the_plain_template(chat: ChatFormat) -> None:
    plain = with_template(chat, None)
    assert plain.text([Message("user", "Push.")], thinking=True) == "User: Push.\n\nAssistant:"


@pytest.mark.parametrize(("thinking", "tail"), [(True, "assistant>"), (False, "assistant> <think></think>")])
def test_thinking_reaches_a_template_that_knows_it(chat: ChatFormat, thinking: bool, tail: str) -> None:
    text = with_template(chat, THINKING_TEMPLATE).text([Message("user", "Push.")], thinking)
    assert text == f"user> Push.\n{tail}"


def test_the_template_hash_tells_templates_apart(chat: ChatFormat) -> None:
    assert chat.template_hash != with_template(chat, None).template_hash


def test_a_thought_opened_by_the_template_belongs_to_the_completion(chat: ChatFormat, histories: list[History]) -> None:
    opened = with_template(chat, "{{ messages[0]['content'] }}\nassistant> <think>\n")
    prompt = opened.prompt(histories[0], HISTORY_LENGTH, 4096)
    assert prompt is not None
    assert prompt.opening == "<think>"


def test_the_oldest_turns_are_dropped_until_the_prompt_fits(chat: ChatFormat, histories: list[History]) -> None:
    history = histories[7]  # three past turns
    lengths = [len(chat.encode(chat.text(messages(history, HISTORY_LENGTH, turns=n), True))) for n in range(4)]
    fitted = [chat.prompt(history, HISTORY_LENGTH, budget) for budget in (lengths[3], lengths[3] - 1, lengths[1])]
    assert [prompt and (len(prompt.ids), prompt.dropped_turns) for prompt in fitted] == [
        (lengths[3], 0),
        (lengths[2], 1),
        (lengths[1], 2),
    ]


def test_a_prompt_that_does_not_fit_without_history_is_none(chat: ChatFormat, histories: list[History]) -> None:
    bare = chat.prompt(histories[7], PromptConfig(history_length=0), 4096)
    assert bare is not None
    assert chat.prompt(histories[7], HISTORY_LENGTH, len(bare.ids) - 1) is None
