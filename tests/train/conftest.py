from importlib.util import find_spec

import pytest

# Without the extra `train` the modules under test cannot be imported: their tests are not collected.
MISSING = [name for name in ("torch", "transformers", "accelerate") if find_spec(name) is None]
collect_ignore_glob = ["test_*.py"] if MISSING else []


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory):
    from tests.train.tiny import make_tiny_model

    return make_tiny_model(tmp_path_factory.mktemp("tiny") / "model")


@pytest.fixture(scope="session")
def counting_data(tmp_path_factory):
    from tests.train.tiny import write_counting_demonstrations

    return write_counting_demonstrations(tmp_path_factory.mktemp("tiny") / "demonstrations")


@pytest.fixture(scope="session")
def cloned_model(tiny_model, counting_data, tmp_path_factory):
    """The tiny model after it has seen the counting oracle: solves some levels and not others."""
    from agentgen_bench.train import sft

    output = tmp_path_factory.mktemp("tiny") / "sft"
    config = sft.Config(
        model=tiny_model, output=str(output), data=(counting_data,), steps=60, batch=16, learning_rate=5e-3
    )
    return str(sft.train(config))
