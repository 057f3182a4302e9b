"""The contract with TRL: its GRPOTrainer samples, calls the tools of `environment_factory` and makes steps."""

import copy
import json
import runpy
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from agentgen_bench import PromptConfig, Session
from agentgen_bench.adapters import trl as adapter
from agentgen_bench.answers import tools_for
from agentgen_bench.rows import growing_session
from agentgen_bench.tools import call_for
from tests.adapters.playing import FAMILIES, SEED, expert, hashes, row_of, spec_of

pytestmark = [
    pytest.mark.trl,
    pytest.mark.skipif(find_spec("trl") is None, reason="needs TRL: pip install 'agentgen-bench[trl]'"),
]
EXAMPLES = Path(__file__).parents[2] / "examples"
QUIET = PromptConfig(protocol="tools", thinking=False)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A model of random weights whose tokenizer has Qwen2.5's template for calls."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from trl.chat_template_utils import add_response_schema, qwen2_5_chat_template

    from agentgen_bench.train.init_model import ModelShape, init_model

    folder = tmp_path_factory.mktemp("models") / "random"
    texts = [growing_text(family) for family in FAMILIES]
    init_model(folder, texts, ModelShape(layers=1, hidden_size=32, vocab_size=600, context_tokens=8192))
    tokenizer = AutoTokenizer.from_pretrained(folder)
    tokenizer.chat_template = qwen2_5_chat_template
    tokenizer.save_pretrained(folder)
    torch.manual_seed(0)
    return AutoModelForCausalLM.from_pretrained(folder), add_response_schema(tokenizer), folder


def growing_text(family):
    with growing_session(row_of(family), QUIET) as session:
        return session.start().text


def trainer(model, folder, family, rewards=(), **options):
    """Return TRL's trainer with the episode's return as the reward, and whatever `rewards` add."""
    import trl
    from datasets import Dataset

    settings = trl.GRPOConfig(
        output_dir=str(folder), report_to=[], use_cpu=True, bf16=False, num_generations=2, logging_steps=1,
        per_device_train_batch_size=2, learning_rate=1e-3, save_strategy="no", beta=0.0, scale_rewards="none",
        reward_weights=[1.0, 0.0, 0.0, *(1.0 for _ in rewards)],
        **{"max_completion_length": 6000, **options},
    )  # fmt: skip
    rows = [{"prompt": [{"role": "user", "content": ""}], **row_of(family)}] * 4
    return trl.GRPOTrainer(
        model=copy.deepcopy(model[0]), processing_class=model[1], args=settings, train_dataset=Dataset.from_list(rows),
        environment_factory=adapter.environment_for(spec_of(family), QUIET),
        reward_funcs=[adapter.episode_return, adapter.score, adapter.success, *rewards],
    )  # fmt: skip


def scripted(built, monkeypatch, completions, others=None):
    """Let the trainer sample these texts in place of the model's, turn by turn; return those it took.

    With `others`, the second rollout of two says these instead, as long as there are any.
    """
    tokenizer = built.processing_class
    taken = []

    def turn(prompt_ids, images, multimodal_fields, num_generations, has_tool_images=False):
        text = completions[len(taken)] if len(taken) < len(completions) else "I am done."
        texts = [text] * len(prompt_ids)
        if others is not None and len(prompt_ids) == 2:
            texts[1] = others[len(taken)] if len(taken) < len(others) else "I am done."
        taken.append(text)
        ended = [each + tokenizer.eos_token for each in texts]
        return tokenizer(ended, add_special_tokens=False)["input_ids"], None

    monkeypatch.setattr(built, "_generate_single_turn", turn)
    return taken


def calls(family):
    """Return the oracle's episode, and its actions as Qwen2.5's template has calls written."""
    oracle = expert(family)
    with Session(spec_of(family), SEED, prompt=QUIET) as session:
        session.start()
        tools = tools_for(session._running.history())
    found = [call_for(step.action, tools) for step in oracle.steps]
    return oracle, [f"<tool_call>\n{json.dumps(call.to_json())}\n</tool_call>" for call in found]


@pytest.mark.parametrize("family", FAMILIES)
def test_the_oracles_calls_solve_a_level_and_are_trained_on(model, tmp_path, monkeypatch, family):
    oracle, completions = calls(family)
    built = trainer(model, tmp_path, family, max_steps=1)
    taken = scripted(built, monkeypatch, completions)
    built.train()
    assert len(taken) == len(completions) + 1
    (log,) = [entry for entry in built.state.log_history if "rewards/success/mean" in entry]
    assert (log["rewards/success/mean"], log["rewards/score/mean"]) == (1.0, 1.0)
    assert log["rewards/episode_return/mean"] == pytest.approx(oracle.episode_return)
    assert (log["tools/failure_frequency"], log["tools/call_frequency"]) == (0.0, len(completions))
    for environment in built.environments:
        assert hashes(environment.session.episode()) == hashes(oracle)


def test_a_step_makes_the_better_of_two_episodes_likelier(model, tmp_path, monkeypatch):
    import torch

    oracle, completions = calls("Sokoban")
    built = trainer(model, tmp_path, "Sokoban", max_steps=1)
    scripted(built, monkeypatch, completions, others=["I give up."])
    rows = []
    compute = built._compute_loss
    monkeypatch.setattr(built, "_compute_loss", lambda model, inputs: rows.append(inputs) or compute(model, inputs))

    def likelihood():
        """Mean log-probability of the sampled tokens of both rollouts, (2,); what tools said is not among them."""
        (row,) = rows
        ids = torch.cat([row["prompt_ids"], row["completion_ids"]], 1)
        attention = torch.cat([row["prompt_mask"], row["completion_mask"]], 1)
        with torch.no_grad():
            logits = built.model(input_ids=ids, attention_mask=attention).logits[:, :-1]
        logprobs = torch.log_softmax(logits, -1).gather(-1, ids[:, 1:, None])[..., 0]
        width = row["completion_ids"].shape[1]
        mask = row["completion_mask"] * row["tool_mask"]
        return (logprobs[:, -width:] * mask).sum(-1) / mask.sum(-1)

    before = copy.deepcopy(built.model.state_dict())
    built.train()
    after = likelihood()
    built.model.load_state_dict(before)
    gained = after - likelihood()
    assert gained[0] > gained[1]
    (log,) = [entry for entry in built.state.log_history if "reward" in entry]
    assert log["reward"] == pytest.approx(oracle.episode_return / 2)
    text = built.processing_class.decode(rows[0]["completion_ids"][0][rows[0]["tool_mask"][0].bool()])
    assert text.count("<tool_call>") == len(completions)
    assert "<tool_response>" not in text


def test_a_model_of_random_weights_trains_for_a_few_steps(model, tmp_path):
    def late_tokens(completion_ids, **_):
        return [sum(ids) / 100 for ids in completion_ids]

    built = trainer(model, tmp_path, "Sokoban", [late_tokens], max_steps=3, max_completion_length=12)
    before = built.model.lm_head.weight.detach().clone()
    built.train()
    logs = [entry for entry in built.state.log_history if "rewards/success/mean" in entry]
    assert [log["step"] for log in logs] == [1, 2, 3]
    assert {log["rewards/success/mean"] for log in logs} == {0.0}
    assert not built.model.lm_head.weight.equal(before)


@pytest.mark.parametrize("family", FAMILIES)
def test_the_tools_are_those_of_the_session(family):
    from transformers.utils import get_json_schema

    made = adapter.environment_for(spec_of(family), QUIET)()
    with growing_session(row_of(family), QUIET) as session:
        session.start()
        offered = session.tools
    for tool in offered:
        found = get_json_schema(getattr(made, tool["function"]["name"]))["function"]
        ((name, parameter),) = found["parameters"]["properties"].items()
        assert parameter.pop("description") == f"The {name}."
        assert {key: found[key] for key in tool["function"]} == tool["function"]


def test_what_a_model_makes_up_uses_up_a_step():
    made = adapter.environment_for(spec_of("Sokoban"), QUIET)()
    assert made.reset(**row_of("Sokoban"), prompt=[]) == growing_text("Sokoban")
    made.move(way="up")
    made.move(direction="sideways")
    made.session.close()
    steps = made.session.episode().steps
    assert [(step.parse_reason, step.is_action_valid) for step in steps] == [("bad_arguments", False), (None, False)]
    made.reset(**row_of("Sokoban"))
    assert made.episode_return == 0.0
    with Session(spec_of("Sokoban"), SEED, prompt=QUIET) as session:
        limit = session.start().max_steps
    texts = [made.move(direction="sideways") for _ in range(limit)]
    assert [text.endswith("The episode is over.") for text in texts] == [False] * (limit - 1) + [True]


def test_the_example_trains_and_saves_a_model(model, tmp_path, monkeypatch):
    options = {"family": "Sokoban", "levels": 2, "steps": 2, "group": 2, "tokens": 12, "output": tmp_path / "tuned"}
    arguments = [word for name, value in options.items() for word in (f"--{name}", str(value))]
    monkeypatch.setattr(sys, "argv", ["trl_trainer.py", str(model[2]), *arguments])
    runpy.run_path(str(EXAMPLES / "trl_trainer.py"), run_name="__main__")
    assert (tmp_path / "tuned" / "model.safetensors").exists()
