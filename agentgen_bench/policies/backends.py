"""Back ends: what runs a model. Each is one file with a `BackEnd` record; an installed package may bring its own.

The built-in ones are named in BUILT_IN; others come through the entry point group `agentgen_bench.policies`, under the
name by which `--backend` asks for them. A plug-in is imported when it is asked for, so a broken one stops nobody else.
"""

import importlib.util
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib import import_module
from importlib.metadata import entry_points

from agentgen_bench.checks import chosen
from agentgen_bench.errors import MissingDependencyError, PolicyError
from agentgen_bench.policies.base import Policy, TrainablePolicy
from agentgen_bench.policies.sampling import Sampling
from agentgen_bench.prompts import PromptConfig

GROUP = "agentgen_bench.policies"
BUILT_IN = {
    "vllm": "agentgen_bench.policies.vllm:BACK_END",
    "transformers": "agentgen_bench.policies.transformers:BACK_END",
    "openai": "agentgen_bench.policies.openai:BACK_END",
}


@dataclass(frozen=True, slots=True)
class Resources:
    """What a model in this process may use; a field that does not concern the chosen back end is ignored.

    `device` concerns transformers, `batch_size` (completions at once) transformers and vLLM's cache on a CPU;
    `tensor_parallel` (GPUs that share the model), `gpu_memory_utilization` (share of each GPU's memory, in (0, 1]) and
    `in_process` (None: on the CPU only) concern vLLM.
    """

    device: str = "auto"
    dtype: str = "auto"
    batch_size: int = 32
    max_model_len: int | None = None
    tensor_parallel: int = 1
    gpu_memory_utilization: float = 0.9
    in_process: bool | None = None


@dataclass(frozen=True, slots=True)
class Server:
    """A server to ask: its root with the version, requests under way at once, seconds for an answer, retries."""

    base_url: str
    concurrency: int = 32
    timeout_s: float = 600.0
    retries: int = 6


def to_stderr(line: str) -> None:
    """Write a line for people."""
    sys.stderr.write(f"{line}\n")


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a back end is asked for.

    Args:
        model: folder, hub name, or the name under which a server serves the model.
        prompt_config: how a history becomes a prompt.
        sampling: how completions are drawn.
        resources: device, dtype and memory.
        server: None for a model in this process.
        with_logprobs: each Decision carries its TokenSample, for training.
        say: takes lines for people: what is waited for, what was left out.
    """

    model: str
    prompt_config: PromptConfig
    sampling: Sampling
    resources: Resources = field(default_factory=Resources)
    server: Server | None = None
    with_logprobs: bool = False
    say: Callable[[str], None] = to_stderr


@dataclass(frozen=True, slots=True)
class BackEnd:
    """What runs a model, as `--backend` names it.

    Args:
        name: as users write it.
        load: makes the policy; raises PolicyError where the model cannot be used.
        package: the module that must be installed, None for none.
        install: the command that installs it.
        behind_server: whether it asks a server (`Wanted.server` is set) or runs the model in this process.
        unusable: says why the installed package cannot be used on this machine, None where it can.
    """

    name: str
    load: Callable[[Wanted], Policy]
    package: str | None = None
    install: str = ""
    behind_server: bool = False
    unusable: Callable[[], str | None] = lambda: None

    def check_installed(self) -> None:
        """Raise MissingDependencyError, with the command that helps, where the package is not there."""
        if self.package is not None and importlib.util.find_spec(self.package) is None:
            raise MissingDependencyError(f"{self.name} is not installed: {self.install}")


def backend_names() -> tuple[str, ...]:
    """Return what `--backend` may name: auto, the built-in back ends, those of plug-ins."""
    return ("auto", *BUILT_IN, *sorted({point.name for point in entry_points(group=GROUP)} - set(BUILT_IN)))


def back_end(name: str) -> BackEnd:
    """Return the back end of that name.

    Raises:
        PolicyError: there is none, or its plug-in is broken.
    """
    chosen("backend", name, backend_names(), PolicyError)
    places = [BUILT_IN[name]] if name in BUILT_IN else [p.value for p in entry_points(group=GROUP) if p.name == name]
    if len(places) > 1:
        raise PolicyError(f"two packages bring a back end {name!r}: {' and '.join(sorted(places))}; uninstall one")
    return _loaded(name, places[0])


def trainable(policy: Policy, name: str) -> TrainablePolicy:
    """Return the policy as one to train with; raises PolicyError where its back end only evaluates."""
    if not isinstance(policy, TrainablePolicy):
        raise PolicyError(f"the backend {name!r} only evaluates; choose one that trains: vllm or transformers")
    return policy


def _loaded(name: str, place: str) -> BackEnd:
    module, _, attribute = place.partition(":")
    try:
        found = getattr(import_module(module), attribute)
    except Exception as error:  # noqa: BLE001 - a plug-in may raise what it likes; it is named with it
        raise PolicyError(f"the backend {name!r} ({place}) cannot be loaded: {type(error).__name__}: {error}") from None
    if not isinstance(found, BackEnd):
        raise PolicyError(f"the backend {name!r} ({place}) is a {type(found).__name__}, not a BackEnd")
    return found
