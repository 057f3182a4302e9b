"""Which back end runs a model folder, and what is said about it."""

import importlib.util
from collections.abc import Callable
from pathlib import Path

import pytest

from agentgen_bench.errors import MissingDependencyError, PolicyError
from agentgen_bench.policies import loading, vllm
from agentgen_bench.policies.loading import Choice, choose_backend, load_policy
from agentgen_bench.policies.sampling import Sampling
from agentgen_bench.prompts import PromptConfig

Install = Callable[..., None]


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> Install:
    """Return a setter of which packages seem installed."""

    def install(*packages: str, usable: str | None = None) -> None:
        monkeypatch.setattr(importlib.util, "find_spec", lambda name: object() if name in packages else None)
        monkeypatch.setattr(vllm, "unusable_reason", lambda: usable)

    return install


def test_vllm_is_taken_where_it_is_installed(installed: Install) -> None:
    installed("vllm", "transformers")
    assert choose_backend() == Choice("vllm", "it is installed")


def test_without_vllm_transformers_is_taken_and_the_reason_said(installed: Install) -> None:
    installed("transformers")
    assert choose_backend() == Choice("transformers", "vLLM is not installed")


def test_vllm_for_gpus_is_not_taken_without_one(installed: Install) -> None:
    installed("vllm", "transformers", usable="vLLM is installed for GPUs, and there is none")
    assert choose_backend() == Choice("transformers", "vLLM is installed for GPUs, and there is none")


def test_what_is_asked_for_is_taken(installed: Install) -> None:
    installed("vllm", "transformers")
    assert choose_backend("transformers") == Choice("transformers", "as asked")


def test_with_neither_the_install_command_is_said(installed: Install) -> None:
    installed()
    with pytest.raises(MissingDependencyError, match=r"no back end .* pip install 'agentgen-bench\[transformers\]'"):
        choose_backend()


def test_asking_for_what_is_not_installed_says_how_to_install_it(installed: Install) -> None:
    installed("transformers")
    with pytest.raises(MissingDependencyError, match=r"vllm is not installed: pip install 'agentgen-bench\[vllm\]'"):
        choose_backend("vllm")


def test_an_unknown_backend_is_refused() -> None:
    with pytest.raises(PolicyError, match="unknown backend 'jax'; choose one of: auto, vllm, transformers"):
        choose_backend("jax")


def test_loading_says_what_it_took(tiny_model: Path, installed: Install) -> None:
    lines: list[str] = []
    installed("transformers")
    policy = load_policy(str(tiny_model), PromptConfig(), Sampling(max_tokens=8), say=lines.append)
    assert policy.name == "tiny"
    assert lines == [f"model {tiny_model}: transformers (vLLM is not installed)"]


def test_the_line_goes_to_stderr(tiny_model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    load_policy(str(tiny_model), PromptConfig(), Sampling(max_tokens=8), backend="transformers")
    assert f"model {tiny_model}: transformers (as asked)\n" in capsys.readouterr().err


def test_a_server_has_no_backend_to_choose() -> None:
    with pytest.raises(PolicyError, match="a server chooses its own back end"):
        load_policy("tiny", PromptConfig(), Sampling(), backend="vllm", base_url="http://localhost:1/v1")


def test_the_names_of_back_ends_are_those_of_the_packages() -> None:
    assert loading.BACKENDS == ("auto", "vllm", "transformers")
