"""From `module:name` on the command line to the policy that plays with the user's agent."""

import hashlib
import importlib.util
import inspect
import sys
import threading
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

from agentgen_bench.errors import AgentGenError, SpecError
from agentgen_bench.policies.agent_processes import AgentProcesses
from agentgen_bench.policies.agents import DEFAULT_TIMEOUT_S, AgentInfo, AgentPolicy
from agentgen_bench.prompts import PromptConfig


class _Function:
    """A plain function as an agent."""

    def __init__(self, function: Callable[[str, AgentInfo], Any]) -> None:
        self.act = function


class FoundAgent(NamedTuple):
    """What makes agents, how they are named, and the file that it stands in."""

    factory: Callable[[], Any]
    name: str
    file: Path | None


def load_agent(
    address: str,
    prompt: PromptConfig,
    *,
    timeout_s: float = DEFAULT_TIMEOUT_S,
    processes: bool = False,
    say: Callable[[str], None] | None = None,
) -> AgentPolicy:
    """Return the policy of `module:name` or `file.py:name`: a class, a factory, or a function that acts.

    A function that takes two arguments acts itself, `act(observation, info)`; a class, or a function without
    arguments, makes an agent. Modules are found in the working directory too. With `processes` each agent has a
    process of its own in place of a thread.

    Raises:
        SpecError: there is no such module or name, or it is neither; the module raises when it is imported; or a time
            limit that is none.
    """
    if not 0 < timeout_s < threading.TIMEOUT_MAX:
        raise SpecError(f"the agent's time-out is {timeout_s:g} s; give a positive number of seconds")
    found = agent_at(address)
    digest = None if found.file is None else hashlib.sha256(found.file.read_bytes()).hexdigest()
    factory = AgentProcesses(address) if processes else found.factory
    return AgentPolicy(factory, prompt, name=found.name, timeout_s=timeout_s, source_hash=digest, say=say)


def agent_at(address: str) -> FoundAgent:
    """Return what `module:name` or `file.py:name` stands for; raises SpecError as `load_agent` does."""
    if not isinstance(address, str):  # a Path, say
        raise SpecError(f"the agent is {address!r}; give a text: module:factory or path/to/file.py:factory")
    where, colon, name = address.rpartition(":")
    if not colon or not where or not name:
        raise SpecError(f"--agent is {address!r}; write module:factory or path/to/file.py:factory")
    module = _module(where)
    found = getattr(module, name, None)
    if hasattr(found, "act") and not callable(found):
        raise SpecError(f"{address} is an agent that was made; each episode has its own: name its class, or a factory")
    if not callable(found):
        raise SpecError(f"{where} has no class or function {name!r}")
    file = getattr(module, "__file__", None)
    label = f"{Path(where).stem if where.endswith('.py') else where}.{name}"
    return FoundAgent(_factory(found, address), label, None if file is None else Path(file))


def _module(where: str) -> ModuleType:
    try:
        if not where.endswith(".py"):
            if "" not in sys.path:
                sys.path.insert(0, "")  # a console script does not look into the working directory
            return import_module(where)
        spec = importlib.util.spec_from_file_location(Path(where).stem, where)
        if spec is None or spec.loader is None:
            raise SpecError(f"{where} is no Python file")
        module = importlib.util.module_from_spec(spec)
        sys.modules[spec.name] = module  # dataclasses and pickling look a class's module up
        spec.loader.exec_module(module)
    except AgentGenError:
        raise
    except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever the user's module raises: a key that is not set, say
        raise SpecError(f"cannot import {where!r}: {type(error).__name__}: {error}") from None
    return module


def _factory(found: Callable[..., Any], address: str) -> Callable[[], Any]:
    try:
        parameters = inspect.signature(found).parameters.values()
    except (TypeError, ValueError):
        return found
    needed = [p for p in parameters if p.default is p.empty and p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]
    if not needed:
        return found
    if inspect.isclass(found):
        raise SpecError(
            f"{address} takes {', '.join(p.name for p in needed)}; agents are made without arguments: "
            "give these defaults, or name a function that makes one"
        )
    if len(needed) == 2:
        return lambda: _Function(found)
    raise SpecError(
        f"{address} takes {len(needed)} arguments; a factory takes none, a function that acts takes two: "
        "observation and info"
    )
