import json
import re
import sys
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from agentgen_bench import parsing
from agentgen_bench.parsing import ACTION_FORMATS, MAX_ACTION_CHARS, ParseReason, parse, read, without_stop

formats = st.sampled_from([name for name in ACTION_FORMATS if name != "choice"])
# Without what the rule takes off: marks around it, a list mark before it, a full stop after it.
actions = (
    st.text(st.characters(categories=["L", "N", "Zs"], include_characters="[]:-'/"), min_size=1, max_size=60)
    .map(str.strip)
    .filter(lambda action: action and action[0] not in "-'" and action[-1] not in "'")
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


def in_format(action, action_format):
    """Return a completion that holds the action as the format asks for it."""
    return {
        "tagged": f"<think>hm</think><action>{action}</action>",
        "react": f"Thought: hm\nAction: {action}",
        "json": json.dumps({"thought": "hm", "action": action}),
    }[action_format]


MARKED = [
    ('"go to shelf 1"', "quotes"),
    ("'go to shelf 1'", "quotes"),
    ("“go to shelf 1”", "quotes"),
    ("`go to shelf 1`", "backticks"),
    ("**go to shelf 1**", "bold"),
    ("*go to shelf 1*", "bold"),
    ("- go to shelf 1", "list_mark"),
    ("2) go to shelf 1", "list_mark"),
    ("go to shelf 1.", "full_stop"),
]


@pytest.mark.parametrize("action_format", ["tagged", "react", "json"])
@pytest.mark.parametrize(("written", "mark"), MARKED)
def test_what_may_stand_around_an_action_is_the_same_in_every_format(written, mark, action_format):
    assert read(in_format(written, action_format), action_format) == ("go to shelf 1", None, (mark,))


@pytest.mark.parametrize(
    "action", ['search[5.5 "x]', "focus on it's", "a 'b' c", "'a' or 'b'", "...", "1.5", '"', "**"]
)
def test_what_is_no_mark_stays(action):
    assert parse(in_format(action, "tagged")).action == action


def test_marks_come_off_from_the_outside_in_and_four_at_most():
    assert read("<action>- **`up`**.</action>") == ("up", None, ("backticks", "bold", "full_stop", "list_mark"))
    assert read("<action>'\"`*_up_*`\"'</action>").action == "_up_"


@pytest.mark.parametrize(
    ("completion", "action_format", "action", "marks"),
    [
        ("Thought: hm\n**Action:** up", "react", "up", ("label",)),
        ("Thought: hm\n**Action**: up", "react", "up", ("label",)),
        ("**Action: up**", "react", "up", ("label",)),
        ("- Action: up", "react", "up", ("label",)),
        ("### Action: up", "react", "up", ("label",)),
        ("Thought: hm\nAction:\n\nup", "react", "up", ("next_line",)),
        ("Action:\n```\nup\n```", "react", "up", ("next_line",)),
        ("<action>\n```text\nup\n```\n</action>", "tagged", "up", ("fence",)),
        ('Here it is:\n```json\n{"action": "up"}\n```', "json", "up", ("text_around",)),
        ('{"action": "up"} I hope it helps.', "json", "up", ("text_around",)),
        ('{"thought": "one\ntwo", "action": "up"}', "json", "up", ("raw_line_end",)),
    ],
)
def test_what_may_stand_around_the_format_itself(completion, action_format, action, marks):
    assert read(completion, action_format) == (action, None, marks)


@pytest.mark.parametrize(
    ("completion", "action_format", "parsed"),
    [
        ("I will use <action> tags. <action>up</action>", "tagged", ("up", None)),
        ("Between <action></action>: <action>up</action>", "tagged", ("up", None)),
        ("<THINK>\nmaybe <action>up</action> no", "tagged", (None, "unclosed")),
        ("<Think>maybe <action>up</action></Think><Action>down</ACTION>", "tagged", ("down", None)),
        ('{"action": "up", "action": "down"}', "json", (None, "several_actions")),
        ('{"action": "up", "action": "up"}', "json", ("up", None)),
        ('{"action": "up"} or {"action": "down"}', "json", (None, "several_actions")),
        ('{"thought": "the tag <think> is not asked for", "action": "up"}', "json", ("up", None)),
        ('{"thought": "after </think> I answer", "action": "up"}', "json", ("up", None)),
        ('{"thought": "</think> and <think>", "action": "up"} so.', "json", ("up", None)),
        ('<think>{"action": "up"}</think>', "json", (None, "bad_json")),
        ('say {"action": "up"}</think>{"action": "down"}', "json", ("down", None)),
        ('it is {"action": "odd</think>{"action": "down"}', "json", ("down", None)),
        ('[{"action": "up"}]', "json", (None, "no_action")),
        ('{"answer": {"action": "up"}}', "json", (None, "no_action")),
        ("Action:\nThought: hm", "react", (None, "empty_action")),
    ],
)
def test_an_action_is_what_the_model_wrote_as_its_answer(completion, action_format, parsed):
    assert parse(completion, action_format) == parsed


@pytest.mark.parametrize("next_turn", ["Observation: You moved.", "Thought: Now down.", "[Step 4] Observation: x"])
def test_what_a_model_goes_on_with_after_its_action_is_no_second_action(next_turn):
    assert parse(f"Thought: hm\nAction: up\n{next_turn}\nAction: down", "react").action == "up"


def test_a_stop_string_ends_the_answer():
    assert without_stop("Action: up\nObservation: You moved.", "react") == "Action: up"
    assert without_stop("<action>up</action>\nObservation: x", "tagged").endswith("x")


@pytest.mark.parametrize(
    ("completion", "action_format", "action"),
    [
        ("Okay. I could answer <action>down</action> but then the box is stuck, so let me th", "tagged", None),
        ("<think>I could <action>down</action> but", "tagged", None),
        ("<think>hm</think><action>go to cab", "tagged", None),
        ("<think>hm</think><action>up</action> or <action>do", "tagged", None),
        ("<think>hm</think>So: <action>up</action> beca", "tagged", "up"),
        ("<action>up</action> because the b", "tagged", "up"),
        ("Thought: go\nAction: go to cab", "react", None),
        ("Thought: go\nAction:\ngo to cab", "react", None),
        ("Thought: go\nAction: go to cabinet 1\nObserv", "react", "go to cabinet 1"),
        ("Well. I may say\nAction: up\nbut then", "react", None),
        ('{"thought": "go", "action": "go to cab', "json", None),
        ('{"action": "up"} This is bec', "json", "up"),
        ('I might say {"action": "up"} but then', "json", None),
        ('hm</think>I say {"action": "up"} bec', "json", "up"),
    ],
)
def test_a_completion_that_was_cut_holds_an_action_only_where_it_is_whole_and_no_thought(
    completion, action_format, action
):
    assert parse(completion, action_format, cut=True) == (action, None if action else ParseReason.UNCLOSED)


@pytest.mark.parametrize("action_format", ["tagged", "react", "json"])
def test_an_action_has_512_characters_at_most_marks_not_counted(action_format):
    longest, longer = "u" * 512, "u" * 513
    assert parse(in_format(longest, action_format), action_format) == (longest, None)
    assert parse(in_format(f'"{longest}"', action_format), action_format) == (longest, None)
    assert parse(in_format(longer, action_format), action_format) == (None, ParseReason.TOO_LONG)


@pytest.mark.parametrize(("beside", "action"), [(64, "u" * 512), (65, None)])
def test_marks_and_the_space_between_them_take_64_characters_at_most(beside, action):
    marked = f"**{' ' * (beside - 4)}{'u' * 512}**"
    assert parse(in_format(marked, "tagged"), "tagged").action == action


class Counted(str):
    """A string that adds up how many characters its methods read; what they return counts on."""

    read = 0

    def __getitem__(self, place):
        return self._counted(super().__getitem__(place), 0)

    def _counted(self, result, cost):
        Counted.read += cost + (len(result) if isinstance(result, str) else 0)
        if isinstance(result, str):
            return Counted(result)
        return type(result)(map(Counted, result)) if isinstance(result, list | tuple) else result


def _counting(name):
    return lambda self, *given: self._counted(getattr(str, name)(self, *given), len(self))


for method in ("strip", "rstrip", "lstrip", "lower", "split", "partition", "rpartition", "find", "encode", "replace"):
    setattr(Counted, method, _counting(method))


def work(completion, action_format):
    """Return the lines of the package that ran, plus the characters it handed on, cut out or looked through."""
    total = 0

    def count(frame, event, _):
        nonlocal total
        if "agentgen_bench/parsing" not in frame.f_code.co_filename:
            return None
        if event == "call":
            total += sum(len(value) for value in frame.f_locals.values() if isinstance(value, str))
        total += event == "line"
        return count

    before, Counted.read = sys.gettrace(), 0
    sys.settrace(count)
    try:
        read(Counted(completion), action_format)
    finally:
        sys.settrace(before)
    return total + Counted.read


PIECES = (
    "<action> </action> <think> </think> Action: Thought: Observation: { } \" \\ \n ``` a ** [ ] . - ' ` "
    '{"action": "up"} {"a":'
).split(" ")


@given(st.lists(st.sampled_from(PIECES), min_size=1, max_size=6).map("".join), formats)
@example("<action>", "tagged")
@example("</action><action>", "tagged")
@example("Action:\nThought: a\n", "react")
@example('{"a":', "json")
@example("```\n", "json")
def test_the_work_is_bounded_by_the_length(piece, action_format):
    completion = (piece or " ") * 400
    assert work(completion, action_format) <= 60 * len(completion) + 1000


def test_no_pattern_of_the_package_repeats_without_bound():
    unbounded = re._constants.MAXREPEAT
    modules = [import_module(f"agentgen_bench.parsing.{found.name}") for found in iter_modules(parsing.__path__)]
    patterns = [value for module in modules for value in vars(module).values() if isinstance(value, re.Pattern)]
    assert len(patterns) >= 4
    for pattern in patterns:
        assert str(unbounded) not in str(re._parser.parse(pattern.pattern)), pattern.pattern


DOCS = Path(__file__).parents[1] / "docs" / "parsing.md"


def test_the_documents_table_says_what_the_parser_does():
    table = DOCS.read_text(encoding="utf-8").partition("<!-- ours -->")[2].partition("\n\n")[0].splitlines()[3:]
    assert len(table) == 11
    for row in table:
        completion, ours = (cell.strip() for cell in row.split("|")[1:3])
        text, _, note = completion.strip("`").partition("` ")
        action, reason = parse(text, cut=note == "(cut)")
        assert ours == (action or reason), row
