"""How an episode becomes model input: the protocols chat and tools, and the action format choice."""

import json
from argparse import ArgumentParser
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentgen_bench.answers import read_answer, read_calls, tools_for
from agentgen_bench.cli.prompt_options import add_prompt_options, prompt_from_args
from agentgen_bench.errors import SpecError
from agentgen_bench.families import ToolStyle
from agentgen_bench.prompts import History, Message, PromptConfig, Turn, messages, numbered_commands
from agentgen_bench.tools import Call, action_of, call_for, calls_in, tools_of
from tests.strategies import histories

CHAT = PromptConfig(protocol="chat")
TOOLS = PromptConfig(protocol="tools")
CHOICE = PromptConfig(action_hints="full", action_format="choice")
SHOP = History(
    key=("webshop:1", 0, 0, 3),
    family="WebShop",
    task="Buy a red mug.",
    step=3,
    max_steps=15,
    observation="[button] Buy Now [button_]",
    turns=(
        Turn("a search page", "search[red mug]", "<think>look</think><action>search[red mug]</action>", ("search[",)),
        Turn("a page of hits", None, "I buy it.", ("click[b1]", "click[b2]")),
    ),
    admissible_commands=("click[b2]", "click[buy now]"),
    action_templates=("search[<query>]", "click[<element>]"),
)


def test_a_chat_says_rules_and_task_once_and_then_grows_by_turns(golden):
    chat = messages(SHOP, CHAT)
    assert [message.role for message in chat] == ["user", "assistant", "user", "assistant", "user"]
    golden("prompts/chat.txt", "\n".join(f"--- {message.role}\n{message.content}" for message in chat) + "\n")


def test_a_tool_calling_chat_answers_calls_with_tool_messages(golden):
    chat = messages(SHOP, TOOLS)
    assert [message.role for message in chat] == ["user", "assistant", "tool", "assistant", "user"]
    golden("prompts/tools.txt", "\n".join(f"--- {message.role}\n{message.content}" for message in chat) + "\n")


@given(histories)
def test_a_chat_shows_every_answer_as_it_was_given(history):
    whole = messages(history, CHAT)
    assert f"Your task: {history.task}" in whole[0].content
    assert [message.content for message in whole[1::2]] == [turn.completion for turn in history.turns]


@given(histories)
def test_a_chat_without_its_last_turn_is_a_prefix(history):
    if not history.turns:
        return
    last = history.turns[-1]
    earlier = History(
        **{
            **{name: getattr(history, name) for name in History.__slots__},
            "turns": history.turns[:-1],
            "step": history.step - 1,
            "observation": last.observation,
            "admissible_commands": last.admissible_commands,
        }
    )
    before = messages(earlier, CHAT)
    assert messages(history, CHAT)[: len(before)] == before


def test_dropping_the_oldest_turns_keeps_task_and_step_numbers():
    chat = messages(SHOP, CHAT, turns=1)
    assert [message.role for message in chat] == ["user", "assistant", "user"]
    assert "Your task: Buy a red mug." in chat[0].content
    assert "Step 2. Observation:\na page of hits" in chat[0].content


def test_a_system_prompt_and_examples_stand_first_under_every_protocol():
    examples = (Message("user", "Hello"), Message("assistant", "<action>look</action>"))
    for protocol in ("window", "chat", "tools"):
        chat = messages(SHOP, PromptConfig(protocol=protocol, system_prompt="Be brief.", examples=examples))
        assert chat[:3] == [Message("system", "Be brief."), *examples]


def test_changes_show_what_is_new_and_what_is_gone():
    config = PromptConfig(protocol="chat", action_hints="full", repeat_hints="changes")
    last = messages(SHOP, config)[-1].content
    assert "Actions possible now that were not before:\nclick[buy now]" in last
    assert "Actions not possible any more:\nclick[b1]" in last
    assert "click[b2]" not in last


def test_a_window_is_recorded_as_before_there_were_other_protocols():
    assert PromptConfig().to_json() == {
        "prompt_version": 1,
        "history_length": 2,
        "action_hints": "templates",
        "thinking": True,
        "action_format": "tagged",
    }


@pytest.mark.parametrize(
    "config",
    [PromptConfig(), CHAT, CHOICE, PromptConfig(protocol="tools", system_prompt="s", examples=(Message("user", "x"),))],
)
def test_recorded_settings_come_back_through_json(config):
    assert PromptConfig.from_json(json.loads(json.dumps(config.to_json()))) == config


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"protocol": "phone"}, "unknown protocol 'phone'; choose one of: window, chat, tools"),
        ({"action_format": "choice"}, "choose action_hints='full'"),
        ({"repeat_hints": "changes"}, "choose chat or tools with 'full'"),
        ({"protocol": "tools", "action_format": "json"}, "answers by calls"),
        ({"examples": ["up"]}, "not a message"),
        ({"examples": [{"role": "system", "content": "x"}]}, "choose one of: user, assistant"),
        ({"system_prompt": "x" * 20_000}, "choose at most 16384"),
    ],
)
def test_settings_that_cannot_be_are_refused(settings, message):
    with pytest.raises(SpecError, match=message):
        PromptConfig(**settings)


def test_choice_numbers_every_command_and_reads_the_number_back():
    prompt = messages(SHOP, CHOICE)[-1].content
    for number, command in enumerate(numbered_commands(SHOP), 1):
        assert f"\n{number}. {command}" in prompt
        assert read_answer(f"<action>{number}</action>", SHOP, CHOICE).action == command


@pytest.mark.parametrize("answer", ["0", "3", "-1", "1.5", "one", "click[b2]", "²", "9" * 400])
def test_a_number_that_is_not_on_the_list_is_no_action(answer):
    parsed = read_answer(f"<action>{answer}</action>", SHOP, CHOICE)
    assert (parsed.action, str(parsed.reason)) == (None, "not_listed")


def test_the_order_of_choices_does_not_follow_what_the_environment_lists_first():
    commands = tuple(f"go to place {i}" for i in range(12))
    firsts = set()
    for step in range(1, 200):
        history = History(("x", 0, 0, step), "ALFWorld", "t", step, 200, "o", (), commands, ("go to <place>",))
        firsts.add(numbered_commands(history)[0])
    assert firsts == set(commands)


def test_each_family_has_typed_tools():
    made = {
        ("Sokoban", ("up", "down", "left", "right")): [("move", "direction", ("up", "down", "left", "right"))],
        ("WebShop", (*SHOP.action_templates, "click[buy now]")): [("search", "query", ()), ("click", "element", ())],
        ("ALFWorld", ("go to <receptacle>", "look")): [("act", "command", ())],
        ("SciWorld", ("open OBJ",)): [("act", "command", ())],
    }
    for (family, templates), expected in made.items():
        history = History((), family, "t", 1, 9, "o", (), (), templates)
        assert [(tool.name, tool.parameter, tool.choices) for tool in tools_for(history)] == expected


def test_a_note_of_a_pack_is_a_tool_beside_the_familys():
    tools = tools_of(ToolStyle("command", "act", ("command",)), ["look", "note: <what to remember>"])
    assert [tool.name for tool in tools] == ["act", "note"]
    assert call_for("note: up is u", tools[1:]) == Call("note", {"text": "up is u"})


@given(st.sampled_from(["up", "left"]))
def test_calls_and_actions_translate_both_ways(action):
    tools = tools_of(ToolStyle("choices", "move", ("direction",)), ["up", "left"])
    call = call_for(action, tools)
    assert call is not None
    history = History((), "Sokoban", "t", 1, 9, "o", (), (), ("up", "left"))
    assert read_calls([call], history).action == action


@pytest.mark.parametrize(
    ("completion", "action", "reason"),
    [
        ('<think>x</think><tool_call>{"name":"search","arguments":{"query":"mug"}}</tool_call>', "search[mug]", None),
        ('[TOOL_CALLS] [{"name":"click","arguments":{"element":"b1"}}]', "click[b1]", None),
        ('[TOOL_CALLS][{"name":"search","arguments":{"query":"[TOOL_CALLS]"}}]', "search[[TOOL_CALLS]]", None),
        ('So[TOOL_CALLS]click[ARGS]{"element": "b1"}', "click[b1]", None),
        ('[TOOL_CALLS]click{"element": "b1"}', "click[b1]", None),
        ('[TOOL_CALLS] click [CALL_ID]123456789[ARGS] {"element": "b1"}\n', "click[b1]", None),
        ('[TOOL_CALLS]search[ARGS]{"query": "[TOOL_CALLS]{"}', "search[[TOOL_CALLS]{]", None),
        ('[TOOL_CALLS]click[ARGS]{"element": "b1"}' * 2, "click[b1]", None),
        ('[TOOL_CALLS]click[ARGS]{"element": "b1"}' * 65, None, "several_calls"),
        ('[TOOL_CALLS]click[ARGS]{"element": "b1"}[TOOL_CALLS]click{"element": "b2"}', None, "several_calls"),
        ('[TOOL_CALLS]click[ARGS]{"element": "b1', None, "bad_json"),
        ('[TOOL_CALLS]click[ARGS]{"element": "b1"} or', None, "bad_json"),
        ('[TOOL_CALLS]click[ARGS][TOOL_CALLS]click[ARGS]{"element": "b1"}', None, "bad_json"),
        ("[TOOL_CALLS]click", None, "bad_json"),
        ('{"name":"click","parameters":{"element":"b1"}}', "click[b1]", None),
        ('<tool_call>{"name":"search","arguments":"{\\"query\\": \\"mug\\"}"}</tool_call>', "search[mug]", None),
        ("I would search.", None, "no_call"),
        ("", None, "empty"),
        ("<think>on and on", None, "unclosed"),
        ("<tool_call>{not json}</tool_call>", None, "bad_json"),
        ('<tool_call>{"name":"fly","arguments":{"x":"y"}}</tool_call>', None, "unknown_tool"),
        ('<tool_call>{"name":"search","arguments":{"text":"mug"}}</tool_call>', None, "bad_arguments"),
        ('<tool_call>{"name":"search","arguments":{"query":7}}</tool_call>', None, "bad_arguments"),
        (
            '<tool_call>{"name":"click","arguments":{"element":"a"}}</tool_call>'
            '<tool_call>{"name":"click","arguments":{"element":"b"}}</tool_call>',
            None,
            "several_calls",
        ),
        (
            '<tool_call>{"name":"click","arguments":{"element":"a"}}</tool_call>'
            '<tool_call>{"name":"click","arguments":{"element":"a"}}</tool_call>',
            "click[a]",
            None,
        ),
    ],
)
def test_the_calls_of_a_completion_are_read(completion, action, reason):
    parsed = read_answer(completion, SHOP, TOOLS)
    assert (parsed.action, parsed.reason and str(parsed.reason)) == (action, reason)


@given(st.text(max_size=200))
def test_any_text_gives_calls_or_none(text):
    calls = calls_in(text)
    assert calls is None or all(isinstance(call, Call) for call in calls)


def test_a_call_may_ask_for_an_action_of_512_characters_and_no_more():
    tools = tools_of(ToolStyle("command", "act", ("command",)), [])
    assert action_of([Call("act", {"command": "u" * 512})], tools) == ("u" * 512, None)
    assert action_of([Call("act", {"command": "u" * 513})], tools) == (None, "too_long")


@pytest.mark.parametrize(
    ("completion", "action"),
    [
        ('<tool_call>{"name": "search", "arguments": {"query": "red', None),
        ('<tool_call>{"name": "search", "arguments": {"query": "red mug"}}</tool_call>', "search[red mug]"),
    ],
)
def test_a_call_that_was_cut_off_is_none(completion, action):
    reading = read_answer(completion, SHOP, TOOLS, cut=True)
    assert (reading.action, reading.reason) == (action, None if action else "unclosed")


UPDATE = replace(SHOP, context_chars=100)
GUESS = "=== CONTEXT ===\nred mugs are b1\n=== END OF CONTEXT ==="


@pytest.mark.parametrize("config", [PromptConfig(), CHAT, TOOLS, CHOICE])
@pytest.mark.parametrize(
    ("completion", "cut", "reason"),
    [
        (f"First idea:\n{GUESS}\nNo wait, that is", True, "unclosed"),
        (f"First idea:\n{GUESS}\nNo wait, that is", False, None),
        (f"\n{GUESS}\nThis says", True, None),
        (f"<think>hm</think>First idea:\n{GUESS}\nThis says", True, None),
        (f"<think>hm\n{GUESS}\nNo wait", True, "unclosed"),
        ("I would keep", True, "no_action"),
    ],
)
def test_a_cut_answer_keeps_no_context_from_the_middle_of_its_prose(config, completion, cut, reason):
    reading = read_answer(completion, UPDATE, config, cut=cut)
    assert (reading.action, reading.reason) == ("red mugs are b1" if reason is None else None, reason)


def test_a_context_is_kept_character_for_character():
    context = "red\u2028mugs\x0care\x85b1"
    assert read_answer(f"=== CONTEXT ===\r\n{context}\r\n=== END OF CONTEXT ===", UPDATE, CHAT).action == context


def test_examples_are_a_json_text_a_line_whatever_their_characters(tmp_path):
    (tmp_path / "shown.jsonl").write_text('{"role": "user", "content": "a\u2028b"}\n', encoding="utf-8")
    parser = ArgumentParser()
    add_prompt_options(parser)
    args = parser.parse_args(["--examples", str(tmp_path / "shown.jsonl")])
    assert prompt_from_args(args).examples == (Message("user", "a\u2028b"),)
