"""From history to prompt tokens: templates, and history dropped until the prompt fits."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from agentgen_bench.errors import PolicyError
from agentgen_bench.policies.chat import ChatFormat, load_chat_format
from agentgen_bench.policies.opening import open_checkpoint
from agentgen_bench.prompts import History, Message, PromptConfig, Turn, messages

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


TEXTS = ["", " ", "<|im_start|>user\nPush. <|im_end|>", "a\tb\r\n  c", "café 箱 \U0001f4e6 e\u0301", "up " * 3000]


@pytest.mark.parametrize("add_special_tokens", [False, True])
def test_the_engine_asked_directly_gives_the_tokenizers_ids(chat: ChatFormat, add_special_tokens: bool) -> None:
    chat.tokenizer.backend_tokenizer.enable_truncation(5)  # as a file may say; a call takes it off
    direct = ChatFormat(chat.tokenizer)
    assert direct._engine is not None
    for text in TEXTS:
        whole = chat.tokenizer(text, add_special_tokens=add_special_tokens)["input_ids"]
        assert direct._ids(text, add_special_tokens=add_special_tokens) == tuple(whole)


def test_a_tokenizer_that_does_more_than_its_engine_is_asked_itself(chat: ChatFormat) -> None:
    class Shouting(type(chat.tokenizer)):  # type: ignore[misc]
        def _encode_plus(self, text: str, *args: Any, **options: Any) -> Any:
            return super()._encode_plus(text.upper(), *args, **options)

    chat.tokenizer.__class__ = Shouting
    assert ChatFormat(chat.tokenizer).encode("push") == chat.encode("PUSH")


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


def episode_at(step: int) -> History:
    """Return the history at a step of an episode whose answers hold thoughts, the observations numbered."""
    answers = [f"<think>thought {i}</think><action>{('up', 'left')[i % 2]}</action>" for i in range(1, step)]
    return History(
        key=("Sokoban-base easy test", 0, 0, step),
        family="Sokoban",
        task="Push every box onto a target.",
        step=step,
        max_steps=20,
        observation=f"#P_O{step}#",
        turns=tuple(Turn(f"#P_O{i}#", "up", answer, ("up",)) for i, answer in enumerate(answers, 1)),
        admissible_commands=("up", "left"),
        action_templates=("up", "down", "left", "right"),
    )


def grown(history: History, chat: ChatFormat, sampled: list[tuple[int, ...]]) -> History:
    """Return the history with the tokens of its answers, as a trainer's sampler keeps them."""
    turns = (turn._replace(completion_ids=ids) for turn, ids in zip(history.turns, sampled, strict=False))
    return replace(history, turns=tuple(turns))


CHAT = PromptConfig(protocol="chat")
STRIPPING_TEMPLATE = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n"
    "{% set text = m['content'].split('</think>')[-1] if m['role'] == 'assistant' else m['content'] %}"
    "{{ text }}<|im_end|>\n{% endfor %}<|im_start|>assistant\n"
)


@pytest.mark.parametrize("ends", [True, False])
def test_a_chat_grows_by_what_was_sampled_and_what_is_new(chat: ChatFormat, ends: bool) -> None:
    end = (chat.tokenizer.eos_token_id,) if ends else ()
    # A tokenization of its own: letter by letter, as an untrained model may sample it. It must stay as it was.
    sampled = [
        tuple(i for letter in turn.completion for i in chat.tokenizer(letter, add_special_tokens=False)["input_ids"])
        + end
        for turn in episode_at(9).turns
    ]
    ids: tuple[int, ...] = ()
    for step in range(1, 9):
        prompt = chat.prompt(grown(episode_at(step), chat, sampled), CHAT, 4096)
        assert prompt is not None
        assert prompt.ids[: len(ids)] == ids
        assert prompt.dropped_turns == 0
        ids = prompt.ids + sampled[step - 1]


def test_a_grown_chat_reads_as_the_template_writes_it(chat: ChatFormat) -> None:
    prompt = chat.prompt(episode_at(6), CHAT, 4096)
    assert prompt is not None
    assert prompt.text == chat.text(messages(episode_at(6), CHAT), True)
    assert chat.tokenizer.decode(prompt.ids) == prompt.text


def test_a_cut_answer_is_closed_and_a_whole_one_not_twice(chat: ChatFormat) -> None:
    whole = chat.tokenizer("<action>up</action>", add_special_tokens=False)["input_ids"]
    texts = []
    for ids in (tuple(whole), (*whole, chat.tokenizer.eos_token_id)):
        prompt = chat.prompt(grown(episode_at(2), chat, [ids]), CHAT, 4096)
        assert prompt is not None
        texts.append(chat.tokenizer.decode(prompt.ids))
    assert texts[0] == texts[1]
    assert texts[0].count("<|im_end|>") == 3


def test_a_template_that_drops_thoughts_is_rendered_anew_at_each_step(chat: ChatFormat) -> None:
    stripping = with_template(chat, STRIPPING_TEMPLATE)
    prompt = stripping.prompt(episode_at(4), CHAT, 4096)
    assert prompt is not None
    assert "thought" not in prompt.text.replace("Think step by step", "").replace("reasoning", "")
    assert prompt.text == stripping.text(messages(episode_at(4), CHAT), True)
    kept = stripping.prompt(episode_at(4), PromptConfig(protocol="chat", thinking=False), 4096)
    assert kept is not None  # without thoughts the same template keeps every answer


def test_a_chat_that_is_too_long_drops_its_older_half_and_grows_again(chat: ChatFormat) -> None:
    seventh = chat.prompt(episode_at(7), CHAT, 4096)
    assert seventh is not None
    budget = len(seventh.ids)
    dropped, lengths = [], []
    for step in range(1, 15):
        prompt = chat.prompt(episode_at(step), CHAT, budget)
        assert prompt is not None
        dropped.append(prompt.dropped_turns)
        lengths.append(len(prompt.ids))
        assert f"#P_O{step}#" in prompt.text
        assert "Your task: Push every box" in prompt.text
        assert prompt.text == chat.text(messages(episode_at(step), CHAT, turns=step - 1 - prompt.dropped_turns), True)
    assert max(lengths) <= budget
    assert dropped == sorted(dropped)
    assert 1 < len(set(dropped)) < 6  # it does not drop at every step


def test_a_chat_whose_last_observation_does_not_fit_has_no_prompt(chat: ChatFormat) -> None:
    assert chat.prompt(episode_at(3), CHAT, 20) is None


def test_tools_reach_the_template_and_a_template_without_them_is_refused(chat: ChatFormat) -> None:
    tools = PromptConfig(protocol="tools")
    prompt = chat.prompt(episode_at(2), tools, 4096)
    assert prompt is not None
    assert '"name": "move"' in prompt.text
    assert "<|im_start|>tool\nStep 2. Observation" in prompt.text
    with pytest.raises(PolicyError, match="knows no tools"):
        with_template(chat, STRIPPING_TEMPLATE).prompt(episode_at(2), tools, 4096)


def test_the_marks_of_a_call_are_read_though_they_are_special_tokens(chat: ChatFormat) -> None:
    tokenizer: Any = chat.tokenizer
    tokenizer.add_tokens(["[TOOL_CALLS]", "[ARGS]"], special_tokens=True)
    marked = ChatFormat(tokenizer)
    written = 'up [TOOL_CALLS]move[ARGS]{"direction": "up"}'
    ids = marked._piece(written)
    assert set(tokenizer.convert_tokens_to_ids(["[TOOL_CALLS]", "[ARGS]"])) < set(ids)
    assert marked.decode([*ids, tokenizer.eos_token_id]) == written
