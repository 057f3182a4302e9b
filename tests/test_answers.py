"""A run whose answers are no use says so at once, with the commonest cause."""

import pytest

from agentgen_bench.evaluation.answers import Answers
from agentgen_bench.parsing import ParseReason
from agentgen_bench.policies.base import Decision

UP = Decision("<action>up</action>", "up")
CUT = Decision("<think>so", None, ParseReason.UNCLOSED, finish_reason="length")
CALL = Decision("", None, ParseReason.EMPTY, finish_reason="tool_calls")
PROSE = Decision("I go up.", None, ParseReason.NO_ACTION, finish_reason="stop")


@pytest.mark.parametrize(
    ("decisions", "said"),
    [
        ([CUT] * 9 + [CALL], "10 of the first 10 answers hold no action; most often (9) the answer was cut off at "
         "--max-tokens 64: raise --max-tokens, or take --no-thinking"),
        ([CALL] * 6 + [UP] * 4, "6 of the first 10 answers hold no action; most often (6) the answer called functions "
         "in place of text: take --protocol tools, or serve without a tool parser"),
        ([PROSE] * 12, "12 of the first 12 answers hold no action; most often (12) the answer does not hold one action "
         "in the format asked for (no_action): take another --action-format"),
    ],
)  # fmt: skip
def test_the_commonest_cause_is_said_with_what_to_change(decisions, said):
    assert Answers(64).count(decisions) == said


def test_who_asks_for_no_thought_is_not_told_to_leave_it_out():
    said = Answers(64, thinking=False).count([CUT] * 10)
    assert said is not None
    assert said.endswith("the answer was cut off at --max-tokens 64: raise --max-tokens")


def test_it_is_said_once_and_not_before_ten_answers():
    answers = Answers(64)
    assert [bool(answers.count([CUT] * 4)) for _ in range(5)] == [False, False, True, False, False]


def test_a_run_with_enough_actions_says_nothing():
    assert Answers(64).count([UP] * 10 + [PROSE] * 10) is None


def test_marks_are_counted():
    answers = Answers(64)
    assert answers.marks() is None
    answers.count([UP, UP._replace(marks=("bold", "quotes")), UP._replace(marks=("bold",))])
    assert answers.marks() == "2 of 3 answers had marks around the action (docs/parsing.md): bold 2, quotes 1"
