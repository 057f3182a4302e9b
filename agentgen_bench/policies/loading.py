"""From what a user names (a model folder, a server) to a policy, saying which back end took it and why."""

import os
from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

from agentgen_bench.address import shown_url
from agentgen_bench.checks import chosen
from agentgen_bench.errors import MissingDependencyError, PolicyError
from agentgen_bench.policies.backends import (
    BackEnd,
    Resources,
    Server,
    Wanted,
    back_end,
    backend_names,
    to_stderr,
    trainable,
)
from agentgen_bench.policies.base import Policy
from agentgen_bench.policies.sampling import Sampling
from agentgen_bench.prompts import PromptConfig

AUTOMATIC = ("vllm", "transformers")  # tried in this order for a model folder


class Choice(NamedTuple):
    """Which back end runs a model, and why that one."""

    backend: str
    reason: str


def load_policy(
    model: str | os.PathLike[str],
    prompt_config: PromptConfig,
    sampling: Sampling,
    *,
    backend: str = "auto",
    server: Server | None = None,
    resources: Resources | None = None,
    with_logprobs: bool = False,
    say: Callable[[str], None] | None = None,
) -> Policy:
    """Return the policy of a model folder or hub name, or with `server` that of a served model's name.

    Args:
        model: folder, hub name, or the name under which the server serves the model.
        prompt_config: how a history becomes a prompt.
        sampling: how completions are drawn.
        backend: a name of `backend_names`; "auto" takes openai for a server, else vLLM where it is installed and
            usable, else transformers.
        server: an OpenAI-compatible server; None runs the model in this process.
        resources: device, dtype and memory; None: the defaults.
        with_logprobs: keep token ids and log-probabilities, for training (not from a server).
        say: takes the line that tells which back end was taken and why, and later ones; None writes them to stderr.

    Raises:
        PolicyError: the model or the server cannot be used.
        MissingDependencyError: the back end is not installed.
    """
    wanted = Wanted(os.fspath(model), prompt_config, sampling, with_logprobs=with_logprobs, say=say or to_stderr)
    if server is not None:
        return _served(replace(wanted, server=server), "openai" if backend == "auto" else backend)
    choice = choose_backend(backend)
    found = back_end(choice.backend)
    if found.behind_server:
        raise PolicyError(f"the backend {found.name!r} asks a server; name it with --base-url URL")
    wanted.say(f"model {wanted.model}: {choice.backend} ({choice.reason})")
    return _policy(found, replace(wanted, resources=resources or Resources()))


def choose_backend(asked: str = "auto") -> Choice:
    """Return the back end for a model folder; raises where it is unknown or not installed."""
    if chosen("backend", asked, backend_names(), PolicyError) != "auto":
        back_end(asked).check_installed()
        return Choice(asked, "as asked")
    reasons = []
    for name in AUTOMATIC:
        found = back_end(name)
        try:
            found.check_installed()
        except MissingDependencyError as error:
            reasons.append(str(error))
            continue
        if (why_not := found.unusable()) is None:
            return Choice(name, "; ".join(_short(reason) for reason in reasons) or "it is installed")
        reasons.append(why_not)
    raise MissingDependencyError(f"no back end for a model folder: {'; '.join(reasons)}")


def _served(wanted: Wanted, name: str) -> Policy:
    found = back_end(name)
    if not found.behind_server or wanted.with_logprobs:
        raise PolicyError("a server chooses its own back end and returns no tokens to train on; leave these out")
    address = "" if wanted.server is None else shown_url(wanted.server.base_url)
    wanted.say(f"model {wanted.model}: asking the server at {address}")
    return _policy(found, wanted)


def _policy(found: BackEnd, wanted: Wanted) -> Policy:
    policy = found.load(wanted)
    return trainable(policy, found.name) if wanted.with_logprobs else policy


def _short(reason: str) -> str:
    """Return a reason without its install command: the other back end is there."""
    return reason.partition(": pip install")[0]
