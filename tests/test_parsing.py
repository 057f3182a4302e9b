import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from agentgen_bench.parsing import ACTION_FORMATS, MAX_ACTION_CHARS, ParseReason, parse

formats = st.sampled_from(ACTION_FORMATS)
actions = (
    st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=60)
    .map(str.strip)
    .filter(lambda action: action and "<" not in action)
)


@given(st.text(), formats)
@example("{" * 100_000, "json")
@example("[" * 100_000, "json")
@example('{"action": ' + "9" * 5_000 + "}", "json")
@example("\ud800", "tagged")
@example("<action>\ud800</action>", "tagged")
@example("<think>" * 1_000, "tagged")
def test_any_string_gives_an_action_or_a_reason_but_never_both(completion, action_format):
    action, reason = parse(completion, action_format)
    assert (action is None) == isinstance(reason, ParseReason)


@given(st.text(), formats)
def test_an_action_is_always_a_part_of_the_completion(completion, action_format):
    action, _ = parse(f"<think></think><action>{completion}</action>\nAction: {completion}", action_format)
    assert action is None or action in completion


@given(actions)
def test_a_tagged_action_comes_back(action):
    assert parse(f"<think>hm</think>\n<action> {action} </action>").action == action


@given(actions.filter(lambda action: len(action.splitlines()) == 1))
def test_a_react_action_comes_back(action):
    assert parse(f"Thought: hm\nAction: {action}", "react").action == action


@given(actions)
def test_a_json_action_comes_back_with_and_without_a_fence(action):
    body = json.dumps({"thought": "hm", "action": action})
    assert parse(body, "json").action == parse(f"```json\n{body}\n```", "json").action == action


@pytest.mark.parametrize(
    ("completion", "action_format", "reason"),
    [
        ("", "tagged", "empty"),
        (" \n", "json", "empty"),
        ("go up", "tagged", "no_action"),
        ("<action>up", "tagged", "unclosed"),
        ("<think>then <action>up</action>", "tagged", "unclosed"),
        ("<action> </action>", "tagged", "empty_action"),
        ("<action>up</action><action>down</action>", "tagged", "several_actions"),
        (f"<action>{'u' * (MAX_ACTION_CHARS + 1)}</action>", "tagged", "too_long"),
        ("<action>\ud800</action>", "tagged", "not_encodable"),
        ("up", "react", "no_action"),
        ("Action: up\nAction: down", "react", "several_actions"),
        ("Action:", "react", "empty_action"),
        ("{up}", "json", "bad_json"),
        ('{"move": "up"}', "json", "no_action"),
        ('{"action": 3}', "json", "no_action"),
        ('["action"]', "json", "no_action"),
    ],
)
def test_each_reason_has_its_cause(completion, action_format, reason):
    assert parse(completion, action_format) == (None, reason)


def test_an_action_inside_a_closed_thought_is_not_an_action():
    assert parse("<think>maybe <action>up</action>?</think><action>down</action>").action == "down"


def test_a_thought_opened_by_the_chat_template_ends_where_the_completion_closes_it():
    assert parse("maybe <action>up</action>?</think><action>down</action>").action == "down"


def test_the_same_action_twice_is_one_action():
    assert parse("<action>up</action> yes, <action>up</action>").action == "up"
