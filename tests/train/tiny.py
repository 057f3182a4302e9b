"""A model of 30,000 parameters and the counting environment, for tests of training."""

import os
import subprocess
import sys
from pathlib import Path

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


def in_two_processes(program, *arguments):
    """Run a program in two processes on the CPU, as `accelerate launch` would start them."""
    root = Path(__file__).resolve().parents[2]
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2", "--no-python"]
    environment = {**os.environ, "ACCELERATE_USE_CPU": "true", "OMP_NUM_THREADS": "1", "PYTHONPATH": str(root)}
    command = [*launcher, sys.executable, "-c", "import sys\n" + program, *map(str, arguments)]
    subprocess.run(command, cwd=root, env=environment, check=True)
