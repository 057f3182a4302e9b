"""A run whose model writes what breaks files, and the tiny entry of the leaderboard's tests."""

from pathlib import Path

import pytest

from agentgen_bench.evaluation.plan import single_plan
from agentgen_bench.evaluation.run import evaluate
from agentgen_bench.parsing import parse
from agentgen_bench.policies.base import Decision
from agentgen_bench.prompts import PromptConfig, messages
from agentgen_bench.spec import TaskSpec
from tests.leaderboard.conftest import made, run_path, suite

__all__ = ["made", "run_path", "suite"]

SPEC = TaskSpec("Sokoban", richness="lean", split="test")
HOSTILE = '=HYPERLINK("http://evil")\r\n@SUM(1),"quoted"\ud800\x00\u2028'


class Talker:
    """Wraps an admissible command in text that CSV, JSON and spreadsheets stumble over."""

    name = "=cmd|'/c calc'!A0"

    def act(self, histories):
        return [self._decide(history) for history in histories]

    def describe(self):
        sampling = {"temperature": 0.7, "top_p": 0.9, "max_tokens": 64, "seed": 0, "top_k": None}
        return {"kind": "model", "model": "lab/talker", "path": "/home/me/secret", "sampling": sampling}

    def _decide(self, history):
        prompt = messages(history, PromptConfig())[0].content
        action = history.admissible_commands[0] if history.step < 3 else f"{HOSTILE}"
        completion = f"<think>{HOSTILE}</think><action>{action}</action>"
        return Decision(completion, *parse(completion), prompt_chars=len(prompt), prompt_tokens=7, completion_tokens=3)


@pytest.fixture(scope="session")
def talk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("runs") / "talk"
    evaluate(single_plan([SPEC, SPEC.with_(richness="rich")], 3, 2), Talker(), PromptConfig(), path)
    return path
