import pytest

pytest.importorskip("torch", reason="training needs torch: pip install 'agentgen-bench[train]'")
pytest.importorskip("transformers", reason="training needs transformers: pip install 'agentgen-bench[train]'")
pytest.importorskip("accelerate", reason="training needs accelerate: pip install 'agentgen-bench[train]'")


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
