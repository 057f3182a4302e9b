"""The manifest: all that decides the bytes of a run, written before its first episode and never changed.

Beside it the file keeps the run's sessions (see `sessions`), which decide nothing and grow.
"""

import platform
from collections.abc import Iterable, Iterator, Mapping
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from agentgen_bench.episodes import SCHEMA_VERSION
from agentgen_bench.evaluation.folder import ManifestJson
from agentgen_bench.evaluation.plan import Plan
from agentgen_bench.evaluation.sessions import SESSIONS
from agentgen_bench.evaluation.training import Origin, origin_of
from agentgen_bench.policies.base import Player
from agentgen_bench.policies.local import LocalPolicy
from agentgen_bench.prompts import PromptConfig

FREE = frozenset({"command", "policy.base_url"})  # for readers: a server's address decides no byte of a run
# What a server tells or keeps to itself: behind another gateway the same server may be silent.
KNOWN_OR_NOT = frozenset({"policy.template_writes", "origin"})  # runs of earlier releases do not say their origin
PACKAGES = ("agentgen-bench", "gymnasium", "numpy", "rapidfuzz", "scienceworld", "alfworld", "textworld")


def manifest(plan: Plan, policy: Player, prompt: PromptConfig, record_text: bool, command: str) -> ManifestJson:
    """Return the manifest of a run as plain JSON. A resume compares all but FREE."""
    return {
        "schema_version": SCHEMA_VERSION,
        "command": command,
        "plan": plan.to_json(),
        "policy": {"name": policy.name, **policy.describe()},
        "prompt": prompt.to_json(),
        "record_text": record_text,
        "versions": {"python": platform.python_version(), **installed(PACKAGES)},
        "origin": None if (origin := _origin(policy)) is None else origin.to_json(),
    }


def differences(recorded: Mapping[str, object], asked: Mapping[str, object]) -> list[str]:
    """Return one line per setting that differs: `prompt.thinking: the run has true, now false`; no line if none."""
    return [
        f"{path}: the run has {_short(old)}, now {_short(new)}"
        for path, old, new in _walk("", _deciding(recorded), _deciding(asked))
        if path not in FREE and not (path in KNOWN_OR_NOT and None in (old, new))
    ]


def _deciding(manifest: Mapping[str, object]) -> dict[str, object]:
    return {name: value for name, value in manifest.items() if name != SESSIONS}


def _origin(policy: Player) -> Origin | None:
    """Return where the weights come from; None where none are here: a script, an agent, a server."""
    folder = policy.origin if isinstance(policy, LocalPolicy) else None
    return None if folder is None else origin_of(folder)


def installed(packages: Iterable[str]) -> dict[str, str]:
    """Return the versions of those of the packages that are installed."""
    found = {}
    for package in packages:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def _walk(path: str, old: Any, new: Any) -> Iterator[tuple[str, Any, Any]]:
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for key in sorted(old.keys() | new.keys()):
            yield from _walk(f"{path}.{key}" if path else key, old.get(key), new.get(key))
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        for i, (a, b) in enumerate(zip(old, new, strict=True)):
            yield from _walk(f"{path}[{i}]", a, b)
    elif old != new:
        yield path, old, new


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
