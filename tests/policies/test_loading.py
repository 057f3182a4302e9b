"""Which back end runs a model folder, and what is said about it."""

import importlib
import importlib.util
from collections.abc import Callable
from pathlib import Path

import pytest

from agentgen_bench.errors import MissingDependencyError, PolicyError
from agentgen_bench.policies import vllm
from agentgen_bench.policies.backends import BUILT_IN, Server, backend_names
from agentgen_bench.policies.base import Policy, TrainablePolicy
from agentgen_bench.policies.loading import Choice, choose_backend, load_policy
from agentgen_bench.policies.sampling import Sampling
from agentgen_bench.prompts import History, PromptConfig
from tests.policies.stub_server import StubServer

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
    assert choose_backend() == Choice("transformers", "vllm is not installed")


def test_vllm_for_gpus_is_not_taken_without_one(installed: Install) -> None:
    installed("vllm", "transformers", usable="vLLM is installed for GPUs, and there is none")
    assert choose_backend() == Choice("transformers", "vLLM is installed for GPUs, and there is none")


def test_what_is_asked_for_is_taken(installed: Install) -> None:
    installed("vllm", "transformers")
    assert choose_backend("transformers") == Choice("transformers", "as asked")


def test_with_neither_the_install_command_is_said(installed: Install) -> None:
    installed()
    with pytest.raises(MissingDependencyError, match=r"no back end .* pip install '.\[transformers\]'"):
        choose_backend()


def test_asking_for_what_is_not_installed_says_how_to_install_it(installed: Install) -> None:
    installed("transformers")
    with pytest.raises(MissingDependencyError, match=r"vllm is not installed: pip install '.\[vllm\]'"):
        choose_backend("vllm")


def test_an_unknown_backend_is_refused() -> None:
    with pytest.raises(PolicyError, match="unknown backend 'jax'; choose one of: auto, vllm, transformers, openai"):
        choose_backend("jax")


def test_loading_says_what_it_took(tiny_model: Path, installed: Install) -> None:
    lines: list[str] = []
    installed("transformers")
    policy = load_policy(str(tiny_model), PromptConfig(), Sampling(max_tokens=8), say=lines.append)
    assert policy.name == "tiny"
    assert lines == [f"model {tiny_model}: transformers (vllm is not installed)"]


def test_the_line_goes_to_stderr(tiny_model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    load_policy(str(tiny_model), PromptConfig(), Sampling(max_tokens=8), backend="transformers")
    assert f"model {tiny_model}: transformers (as asked)\n" in capsys.readouterr().err


def test_a_server_has_no_backend_to_choose() -> None:
    with pytest.raises(PolicyError, match="a server chooses its own back end"):
        load_policy("tiny", PromptConfig(), Sampling(), backend="vllm", server=Server("http://localhost:1/v1"))


def test_a_back_end_behind_a_server_needs_its_address() -> None:
    with pytest.raises(PolicyError, match="the backend 'openai' asks a server; name it with --base-url URL"):
        load_policy("tiny", PromptConfig(), Sampling(), backend="openai")


# Plug-ins: installed packages with an entry point, here made on the spot.

ECHO = '''
from agentgen_bench.parsing import parse
from agentgen_bench.policies.backends import BackEnd
from agentgen_bench.policies.base import Decision


class Echo:
    """Answers with the last line of the observation: an evaluation-only policy without a training method."""

    def __init__(self, wanted):
        self.name = wanted.model

    def act(self, histories):
        completions = [f"<action>{history.observation.splitlines()[-1]}</action>" for history in histories]
        return [Decision(completion, *parse(completion)) for completion in completions]

    def describe(self):
        return {"kind": "echo"}


BACK_END = BackEnd("echo", Echo)
NO_BACK_END = 5
'''


@pytest.fixture
def plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Return a maker of an installed distribution with these lines of entry points."""

    def install(points: str, name: str = "echo_plugin") -> None:
        (tmp_path / f"{name}.py").write_text(ECHO)
        info = tmp_path / f"{name}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(f"[agentgen_bench.policies]\n{points}\n")
        monkeypatch.syspath_prepend(tmp_path)

    return install


def test_a_plug_in_brings_a_back_end_that_only_evaluates(
    plugin: Callable[[str], None], histories: list[History]
) -> None:
    plugin("echo = echo_plugin:BACK_END")
    assert backend_names() == ("auto", "vllm", "transformers", "openai", "echo")
    lines: list[str] = []
    policy = load_policy("parrot", PromptConfig(), Sampling(), backend="echo", say=lines.append)
    assert (policy.name, lines) == ("parrot", ["model parrot: echo (as asked)"])
    assert policy.act(histories[:1])[0].action == histories[0].observation.splitlines()[-1]
    with pytest.raises(PolicyError, match="the backend 'echo' only evaluates; choose one that trains"):
        load_policy("parrot", PromptConfig(), Sampling(), backend="echo", with_logprobs=True)


def test_a_broken_plug_in_is_named_and_stops_no_other(plugin: Callable[[str], None], tiny_model: Path) -> None:
    plugin("echo = echo_plugin:BACK_END\nlost = no_such_module:BACK_END\nodd = echo_plugin:NO_BACK_END")
    with pytest.raises(PolicyError, match=r"'lost' \(no_such_module:BACK_END\) cannot be loaded: ModuleNotFoundError"):
        load_policy("x", PromptConfig(), Sampling(), backend="lost")
    with pytest.raises(PolicyError, match=r"'odd' \(echo_plugin:NO_BACK_END\) is a int, not a BackEnd"):
        load_policy("x", PromptConfig(), Sampling(), backend="odd")
    assert load_policy("x", PromptConfig(), Sampling(), backend="echo", say=print).name == "x"
    assert load_policy(str(tiny_model), PromptConfig(), Sampling(max_tokens=8), backend="transformers", say=print)


def test_a_name_that_two_packages_bring_is_refused(plugin: Callable[..., None]) -> None:
    plugin("echo = echo_plugin:BACK_END")
    plugin("echo = other_plugin:BACK_END", "other_plugin")
    with pytest.raises(PolicyError, match="two packages bring a back end 'echo': echo_plugin:BACK_END and other"):
        load_policy("x", PromptConfig(), Sampling(), backend="echo")


def test_every_built_in_back_end_is_a_record_in_a_file_of_its_own() -> None:
    for name, place in BUILT_IN.items():
        assert place == f"agentgen_bench.policies.{name}:BACK_END"
        module, _, attribute = place.partition(":")
        assert getattr(importlib.import_module(module), attribute).name == name


def test_what_runs_in_this_process_trains_and_a_server_does_not(tiny_model: Path, server: StubServer) -> None:
    from agentgen_bench.policies.transformers import TransformersPolicy

    local = TransformersPolicy(tiny_model, PromptConfig(), Sampling(max_tokens=8), device="cpu")
    assert isinstance(local, TrainablePolicy)
    asked = load_policy("tiny", PromptConfig(), Sampling(), server=Server(server.url), say=print)
    assert isinstance(asked, Policy)
    assert not isinstance(asked, TrainablePolicy)
