import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentgen_bench.errors import SpecError
from agentgen_bench.prompts import History, PromptConfig, Turn, messages, shown_turns
from tests.strategies import histories, prompt_configs

HISTORY = History(
    key=("Sokoban", 0, 0, 4),
    family="Sokoban",
    task="Push all boxes onto targets.",
    step=4,
    max_steps=30,
    observation="#P_X#",
    turns=(Turn("first", "up"), Turn("second", None), Turn("third", "left")),
    admissible_commands=("left", "right"),
    action_templates=("up", "down", "left", "right"),
)


@given(histories, prompt_configs)
def test_a_prompt_is_one_user_message_that_holds_task_and_observation(history, config):
    (message,) = messages(history, config)
    assert message.role == "user"
    assert history.task in message.content
    assert history.observation in message.content


@given(histories, prompt_configs, st.integers(0, 9))
def test_dropping_turns_never_makes_a_prompt_longer(history, config, turns):
    shorter = messages(history, config, turns)[0].content
    longer = messages(history, config, turns + 1)[0].content
    assert len(shorter) <= len(longer)


@given(histories, prompt_configs)
def test_the_number_of_turns_shown_is_the_smaller_of_what_there_is_and_what_is_asked(history, config):
    assert shown_turns(history, config) == min(len(history.turns), config.history_length)


def test_the_default_prompt_reads_as_the_golden_file_says(golden):
    golden("prompts/default.txt", messages(HISTORY, PromptConfig())[0].content)


@pytest.mark.parametrize("action_format", ["tagged", "react", "json"])
@pytest.mark.parametrize("thinking", [True, False])
def test_each_format_reads_as_its_golden_file_says(golden, action_format, thinking):
    config = PromptConfig(0, "full", thinking, action_format)
    name = f"prompts/{action_format}-{'thinking' if thinking else 'acting'}.txt"
    golden(name, messages(HISTORY, config)[0].content)


def test_hints_none_shows_no_action():
    assert "right" not in messages(HISTORY, PromptConfig(0, "none"))[0].content


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"history_length": -1}, "history_length=-1 is negative"),
        ({"action_hints": "all"}, "unknown action_hints 'all'; choose one of: none, templates, full"),
        ({"action_format": "xml"}, "unknown action_format 'xml'; choose one of: tagged, react, json"),
    ],
)
def test_a_wrong_setting_is_refused(settings, message):
    with pytest.raises(SpecError, match=message):
        PromptConfig(**settings)
