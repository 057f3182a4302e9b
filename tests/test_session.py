"""A Session plays as evaluation plays: same texts in, same record out."""

import json
from dataclasses import replace

import pytest

from agentgen_bench import PromptConfig, Session, TaskSpec, play
from agentgen_bench.answers import read_answer, tools_for, written_answer
from agentgen_bench.envs.sokoban.env import SokobanEnv
from agentgen_bench.episodes import from_line, to_line
from agentgen_bench.errors import LevelChangedError, SessionError, SpecError, UnavailableError
from agentgen_bench.families import BUILT_IN
from agentgen_bench.leaderboard.records import packed
from agentgen_bench.leaderboard.replay import difference, replay
from agentgen_bench.policies.base import Decision
from agentgen_bench.policies.scripted import OraclePolicy
from agentgen_bench.prompts import messages
from agentgen_bench.rollout import Job
from agentgen_bench.suites import load_suite
from agentgen_bench.tools import call_for

PROMPTS = {
    "window": PromptConfig(),
    "chat": PromptConfig(protocol="chat"),
    "changes": PromptConfig(protocol="chat", action_hints="full", repeat_hints="changes"),
    "choice": PromptConfig(action_hints="full", action_format="choice"),
    "tools": PromptConfig(protocol="tools"),
}
SOKOBAN = TaskSpec("Sokoban", difficulty="easy", split="test")


class Teller:
    """A policy in evaluation that gives the same answers as were given through a session."""

    name = "session"

    def __init__(self, prompt, actions):
        self.prompt, self.actions = prompt, actions
        self.seen = []

    def act(self, histories):
        return [self._decide(history) for history in histories]

    def describe(self):
        return {}

    def _decide(self, history):
        chat = messages(history, self.prompt)
        self.seen.append(tuple(chat))
        completion = written_answer("I see.", self.actions[history.step - 1], history, self.prompt)
        reading = read_answer(completion, history, self.prompt)
        chars = sum(len(message.content) for message in chat)
        return Decision(completion, *reading[:2], prompt_chars=chars, marks=reading.marks)


def expert(spec, seed=0):
    (episode,) = play([Job(spec, seed)], OraclePolicy())
    return episode


@pytest.mark.parametrize(
    ("family", "prompt"),
    # A list of commands numbers no search of words; SciWorld's names things otherwise than its shipped solutions do.
    [
        pytest.param(family, prompt, id=f"{family}-{name}")
        for family in BUILT_IN
        for name, prompt in PROMPTS.items()
        if name != "choice" or family in ("Sokoban", "ALFWorld")
    ],
)
def test_answers_through_a_session_leave_the_record_that_evaluation_leaves(family, prompt):
    spec = TaskSpec(family, difficulty="easy", split="test")
    oracle = expert(spec)
    teller = Teller(prompt, [step.action for step in oracle.steps])
    (evaluated,) = play([Job(spec, 0)], teller)
    with Session(spec, prompt=prompt) as session:
        seen, view = [], session.start()
        while not view.done:
            seen.append(view.messages)
            view = session.answer(evaluated.steps[view.step - 1].completion)
        recorded = session.episode()
    assert seen == teller.seen
    assert to_line(recorded) == to_line(evaluated)
    assert recorded.success
    assert [step.observation_hash for step in recorded.steps] == [step.observation_hash for step in oracle.steps]
    assert (recorded.first_hash, recorded.score, recorded.analysis) == (
        oracle.first_hash,
        oracle.score,
        oracle.analysis,
    )


@pytest.mark.parametrize("family", BUILT_IN)
def test_a_record_replays_like_any_other(family):
    spec = TaskSpec(family, difficulty="easy", split="test", distractors="paper-v1", richness="rich")
    with Session(spec, seed=1) as session:
        session.start()
        for step in expert(spec, 1).steps:
            session.answer(f"<action>{step.action}</action>")
        recorded = from_line(to_line(session.episode()))
    (again,) = replay([recorded])
    assert difference(packed(recorded), packed(again)) is None


def test_a_frozen_level_is_the_suites_own():
    cell = load_suite("core-v1").cells[1]
    with Session.frozen("core-v1", 1, 2) as session:
        session.start()
    assert (session.episode().seed, session.episode().level_id) == (cell.seeds[2], cell.level_ids[2])
    assert session.episode().spec == cell.spec.to_json()


def test_calls_are_answers_in_every_way_of_writing_them():
    action = expert(SOKOBAN).steps[0].action
    call = {"name": "move", "arguments": {"direction": action}}
    texts = []
    for answer in (
        [{"type": "function", "function": {**call, "arguments": json.dumps(call["arguments"])}}],
        [call],
        f"<tool_call>{json.dumps(call)}</tool_call>",
    ):
        with Session(SOKOBAN, prompt=PromptConfig(protocol="tools")) as session:
            session.start()
            assert [tool["function"]["name"] for tool in session.tools] == ["move"]
            view = session.answer(answer)
            texts.append((view.action, view.reason, view.text))
    assert texts == [(action, None, texts[0][2])] * 3


def test_a_call_object_is_an_answer_too_and_two_different_ones_are_none():
    with Session(SOKOBAN, prompt=PromptConfig(protocol="tools")) as session:
        session.start()
        history_tools = tools_for(session._running.history())
        up, down = call_for("up", history_tools), call_for("down", history_tools)
        assert session.answer([up]).action == "up"
        assert session.answer([up, down]).reason == "several_calls"
        assert session.answer([]).reason == "empty"


@pytest.mark.parametrize("inside", ["mug </tool_call> red", "a <think> red", "a <tool_call> red"])
@pytest.mark.parametrize("as_text", [False, True])
def test_no_argument_of_a_call_closes_its_mark_or_opens_a_thought(inside, as_text):
    arguments = {"query": inside}
    call = {"function": {"name": "search", "arguments": json.dumps(arguments) if as_text else arguments}}
    with Session(TaskSpec("WebShop", difficulty="easy", split="test"), prompt=PROMPTS["tools"]) as session:
        session.start()
        view = session.answer([call])
    assert (view.action, view.reason) == (f"search[{inside}]", None)


def test_a_cut_answer_of_a_numbered_list_replays():
    with Session(SOKOBAN, prompt=PROMPTS["choice"]) as session:
        session.start()
        assert session.answer("I could <action>1</action>, but", finish_reason="length").reason == "unclosed"
    recorded = session.episode()
    (again,) = replay([recorded], config=PROMPTS["choice"])
    assert again.steps[0].action is None


def test_an_answer_without_an_action_uses_up_the_step_and_says_why():
    with Session(SOKOBAN) as session:
        first = session.start()
        view = session.answer("up")
    assert (view.action, view.reason, view.step, first.step) == (None, "no_action", 2, 1)
    assert session.episode().steps[0].parse_reason == "no_action"


def test_a_cut_answer_holds_no_action_that_is_not_whole():
    with Session(SOKOBAN) as session:
        session.start()
        view = session.answer("<action>up", prompt_tokens=7, completion_tokens=3, finish_reason="length")
    step = session.episode().steps[0]
    assert (view.action, step.finish_reason, step.prompt_tokens, step.completion_tokens) == (None, "length", 7, 3)


def test_a_chat_shows_what_is_new_and_a_pack_starts_it_anew():
    spec = SOKOBAN.with_(interface="opaque", lifecycle="pack-4-wiped")
    oracle = expert(spec)
    starts = {task.start + 1 for task in oracle.tasks}
    with Session(spec, prompt=PromptConfig(protocol="chat")) as session:
        view = session.start()
        for step in oracle.steps:
            assert view.starts_anew == (view.step in starts)
            assert view.text == view.messages[-1].content
            view = session.answer(f"<action>{step.action}</action>")
    assert session.success
    assert session.score == 1.0


def test_closing_early_records_an_error_with_its_reason():
    session = Session(SOKOBAN)
    session.start()
    session.answer("<action>up</action>")
    session.close("the client went away")
    session.close()
    assert (session.episode().ending, session.episode().score) == ("error", 0.0)
    assert session.episode().error == "SessionError: the client went away"
    assert (session.success, session.score) == (False, 0.0)


def test_an_environment_that_cannot_tell_of_its_episode_ends_it_in_an_error(monkeypatch):
    monkeypatch.setattr(SokobanEnv, "analysis", lambda env: {"moves": 1 // 0})
    session = Session(SOKOBAN)
    view = session.start()
    while not view.done:
        view = session.answer("")
    assert view.reason == session.episode().error == "ZeroDivisionError: integer division or modulo by zero"
    assert (session.episode().ending, session.success, session.score) == ("error", False, 0.0)


def test_an_environment_that_cannot_be_closed_takes_no_episode_with_it(monkeypatch):
    def close(env):
        raise OSError("the simulator has gone")

    monkeypatch.setattr(SokobanEnv, "close", close)
    ended, never_begun = Session(SOKOBAN.with_(max_steps=1)), Session(SOKOBAN, level_id="sokoban:0")
    ended.start()
    with pytest.warns(UserWarning, match="an environment could not be closed: OSError: the simulator has gone"):
        view = ended.answer("")
    assert (view.done, ended.episode().ending) == (True, "truncated")
    with pytest.warns(UserWarning, match="could not be closed"), pytest.raises(LevelChangedError):
        never_begun.start()
    assert never_begun.episode().error.startswith("LevelChangedError")


def test_an_episode_cannot_be_played_out_of_order():
    session = Session(SOKOBAN)
    with pytest.raises(SessionError, match=r"not started; call start\(\)"):
        session.answer("<action>up</action>")
    with pytest.raises(SessionError, match="not over; answer until"):
        session.episode()
    session.start()
    with pytest.raises(SessionError, match="make a new one"):
        session.start()
    session.close()
    with pytest.raises(SessionError, match="the episode is over"):
        session.answer("<action>up</action>")


@pytest.mark.parametrize(
    ("protocol", "answer", "message"),
    [
        ("window", None, "is a text, got a NoneType"),
        ("window", [], "is a text, got a list"),
        ("tools", 3, "a text or a list of calls, got a int"),
        ("tools", [3], "a text or a list of calls"),
        ("tools", [{"name": "move", "arguments": {1}}], "cannot be written as JSON"),
    ],
)
def test_an_answer_of_another_type_is_refused_and_costs_no_step(protocol, answer, message):
    with Session(SOKOBAN, prompt=PromptConfig(protocol=protocol)) as session:
        session.start()
        with pytest.raises(SessionError, match=message):
            session.answer(answer)
        assert session.answer("").step == 2


def test_what_cannot_start_is_raised_and_recorded():
    session = Session(replace(SOKOBAN, version=9))
    with pytest.raises(UnavailableError, match="Sokoban"):
        session.start()
    assert session.episode().ending == "error"
    changed = Session(SOKOBAN, level_id="sokoban:0")
    with pytest.raises(LevelChangedError, match="the frozen suite says sokoban:0"):
        changed.start()
    assert changed.episode().error.startswith("LevelChangedError")


@pytest.mark.parametrize(("cell", "index"), [(99, 0), (-1, 0), (0, 99_999), (0, -1)])
def test_a_level_that_a_suite_does_not_have_is_refused(cell, index):
    with pytest.raises(SpecError, match=r"out of range; .* has 0 to"):
        Session.frozen("smoke", cell, index)


def test_prompt_settings_as_a_dictionary_are_refused_at_once():
    with pytest.raises(SpecError, match=r"prompt is \{'protocol': 'chat'\}; give a PromptConfig"):
        Session("AgentGen/Sokoban-v0", prompt={"protocol": "chat"})
