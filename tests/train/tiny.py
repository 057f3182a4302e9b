"""A model of 30,000 parameters and the counting environment, for tests of training."""

from agentgen_bench.policies.scripted import OraclePolicy
from agentgen_bench.prompts import PromptConfig
from agentgen_bench.rollout import Job, play
from agentgen_bench.spec import TaskSpec
from agentgen_bench.train.demonstrations import demonstrations, write_demonstrations
from agentgen_bench.train.init_model import ModelShape, init_model
from agentgen_bench.train.settings import Source
from tests.counting import CountingEnv

SPEC = TaskSpec("Sokoban", split="train")
SOURCES = (Source(SPEC),)
PROMPT = PromptConfig(0, "none", thinking=False)
PROMPT_FIELDS = {"history_length": 0, "action_hints": "none", "thinking": False}


def make_env(spec):
    return CountingEnv(max_steps=5)


def counting_demonstrations(n_levels=9, prompt=PROMPT):
    jobs = [Job(SPEC, seed) for seed in range(n_levels)]
    for episode in play(jobs, OraclePolicy(), make_env=lambda spec: CountingEnv()):
        yield from demonstrations(episode, prompt)


def make_tiny_model(folder):
    texts = [message.content for item in counting_demonstrations() for message in item.prompt]
    shape = ModelShape(layers=1, hidden_size=32, vocab_size=400, context_tokens=256)
    return str(init_model(folder, texts, shape).path)


def write_counting_demonstrations(folder):
    folder.mkdir()
    write_demonstrations(folder / "samples.jsonl", counting_demonstrations())
    return str(folder)
