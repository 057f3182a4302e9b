"""The harness card: a readable line, details on the page, and nothing that a stranger could smuggle in."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentgen_bench.evaluation.plan import suite_plan
from agentgen_bench.evaluation.run import evaluate
from agentgen_bench.leaderboard.columns import board_json
from agentgen_bench.leaderboard.entry import Metadata
from agentgen_bench.leaderboard.harness import harness_card
from agentgen_bench.leaderboard.markdown import markdown
from agentgen_bench.leaderboard.page import page
from agentgen_bench.leaderboard.submit import submit
from agentgen_bench.leaderboard.table import read_boards
from agentgen_bench.policies.sampling import Sampling
from agentgen_bench.prompts import Message, PromptConfig
from agentgen_bench.suites import Suite
from tests.policies.stub_server import StubServer, policy

GREEDY = Sampling().to_json()


def metadata(prompt: object, policy: object) -> Metadata:
    return Metadata(1, "tiny-v1", "0", 1, "us", "m", "2026-01-31", policy, prompt, {})  # type: ignore[arg-type]


def line(config: PromptConfig, sampling: Sampling | None = None) -> str:
    card = harness_card(metadata(config.to_json(), {"kind": "model", "sampling": (sampling or Sampling()).to_json()}))
    assert card is not None
    return card.text


@pytest.mark.parametrize(
    ("config", "sampling", "text"),
    [
        (PromptConfig(), None, "window of 2, tags, action templates, thinking, greedy"),
        (
            PromptConfig(protocol="chat", action_hints="full", repeat_hints="changes", thinking=False),
            Sampling(0.4, 0.9, top_k=20),
            "chat, tags, all commands as they change, no thinking, T 0.4 top-p 0.9 top-k 20",
        ),
        (
            PromptConfig(protocol="tools", system_prompt="Be brief.", examples=(Message("user", "x"),)),
            Sampling(1.0),
            "tools, action templates, thinking, system prompt, 1 example message, T 1",
        ),
        (
            PromptConfig(5, "full", action_format="choice"),
            None,
            "window of 5, numbered choice, all commands, thinking, greedy",
        ),
    ],
)
def test_a_harness_is_one_readable_line(config: PromptConfig, sampling: Sampling | None, text: str) -> None:
    assert line(config, sampling) == text


@pytest.mark.parametrize(("temperature", "text"), [(1e12, "T 1e+12"), (1e300, "T 1e+300"), (10**14, "T 1e+14")])
def test_no_temperature_is_too_high_to_be_shown(temperature: float, text: str) -> None:
    assert line(PromptConfig(), Sampling(temperature)).endswith(f", {text}")


def test_who_reads_no_prompt_has_no_card_and_an_agent_its_own() -> None:
    assert harness_card(metadata(PromptConfig().to_json(), {"kind": "oracle", "name": "oracle"})) is None
    card = harness_card(metadata(PromptConfig().to_json(), {"kind": "agent"}))
    assert card is not None
    assert card.text == "its own"


values = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)
NAMES = ("history_length", "action_hints", "thinking", "protocol", "system_prompt", "examples", "sampling", "refused")
FIELDS = st.dictionaries(st.sampled_from((*NAMES, "temperature", "template_writes", "backend")), values, max_size=6)


@given(FIELDS, FIELDS, values)
def test_whatever_an_entry_says_there_is_a_short_card_or_none(prompt: dict, policy: dict, sampling: object) -> None:
    card = harness_card(metadata(prompt, {"kind": "model", **policy, "sampling": sampling}))
    assert card is None or (len(card.text) < 200 and sum(len(value) for _, value in card.facts) < 20_000)


@pytest.fixture
def server() -> Iterator[StubServer]:
    stub = StubServer()
    yield stub
    stub.close()


def test_every_board_shows_the_card(server: StubServer, suite: Suite, tmp_path: Path) -> None:
    evil = "<script>alert(1)</script> | [x](y)"
    config = PromptConfig(protocol="chat", system_prompt=evil)
    evaluate(suite_plan(suite), policy(server, prompt=config), config, tmp_path / "run")
    submit(
        tmp_path / "run", org="us", model="m", date="2026-01-31", leaderboards=tmp_path / "b", suite=suite, workers=1
    )
    boards = read_boards(tmp_path / "b")
    text = "chat, tags, action templates, thinking, system prompt, greedy"
    assert f"| {text} |" in markdown(boards)
    shown = page(boards)
    assert f'<details class="card"><summary>{text}</summary>' in shown
    assert "<dt>system prompt</dt><dd>&lt;script&gt;" in shown
    assert evil not in shown
    row = json.loads(json.dumps(board_json(boards[0])))["rows"][0]
    assert row["harness"] == text
    assert (row["harness_card"]["system prompt"], row["harness_card"]["protocol"]) == (evil, "chat")
