"""On what a run is played: processor, graphics cards, and the commit of this package where it runs from a clone."""

import json
import os
import platform
import shutil
import subprocess
from functools import cache
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import NamedTuple, TypedDict

# Instructions that choose other kernels of numerical libraries, and with them other last digits of a model's numbers.
INSTRUCTIONS = frozenset(
    "sse4_2 avx avx2 fma avx512f avx512_bf16 avx512_vnni avx512_fp16 amx_bf16 amx_int8 "
    "asimd asimdhp asimddp bf16 i8mm sve sve2".split()
)
CPU_INFO = Path("/proc/cpuinfo")
TIMEOUT_S = 10  # of a program that is asked; one that hangs must not hold a run back
PACKAGE = Path(__file__).resolve().parents[1]


class HardwareJson(TypedDict):
    """A machine as manifests hold it."""

    cpu: str
    instructions: list[str]
    cores: int
    gpus: list[str]


class Hardware(NamedTuple):
    """The machine that plays; of a model behind a server, not the server's."""

    cpu: str
    instructions: tuple[str, ...]
    cores: int  # that this process may use
    gpus: tuple[str, ...]  # names, those that CUDA_VISIBLE_DEVICES leaves


@cache
def hardware() -> Hardware:
    """Return what this process runs on."""
    cpu, instructions = _cpu()
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return Hardware(cpu, instructions, cores, _gpus())


@cache
def commit() -> str | None:
    """Return the git commit of this package, `-dirty` behind it where tracked files were changed; None for a release.

    A clone is asked for it (an editable install too); an install from a git address holds it in its metadata.
    """
    is_ours = _said_by("git", "-C", str(PACKAGE), "ls-files", "--error-unmatch", "__init__.py")
    if not is_ours:  # site-packages inside the clone of another project
        return _installed_commit()
    return _said_by("git", "-C", str(PACKAGE), "describe", "--always", "--abbrev=40", "--dirty", "--exclude=*")


def _installed_commit() -> str | None:
    try:
        origin = distribution("agentgen-bench").read_text("direct_url.json")
        found = json.loads(origin or "{}").get("vcs_info", {}).get("commit_id")
    except (PackageNotFoundError, ValueError, AttributeError):
        return None
    return found if isinstance(found, str) else None


def _cpu() -> tuple[str, tuple[str, ...]]:
    """Return the processor's name and those of INSTRUCTIONS that it has, sorted."""
    facts: dict[str, str] = {}
    try:
        for line in CPU_INFO.read_text(encoding="utf-8", errors="replace").splitlines():
            name, _, value = line.partition(":")
            facts.setdefault(name.strip().lower(), value.strip())
    except OSError:  # not Linux
        return _said_by("sysctl", "-n", "machdep.cpu.brand_string") or platform.machine(), ()
    flags = facts.get("flags", facts.get("features", "")).split()
    name = facts.get("model name") or platform.machine()
    if "cpu family" in facts:  # virtual machines shorten the name, never these
        name += f" (family {facts['cpu family']}, model {facts.get('model', '?')})"
    return name, tuple(sorted(INSTRUCTIONS.intersection(flags)))


def _gpus() -> tuple[str, ...]:
    rows = _said_by("nvidia-smi", "--query-gpu=index,uuid,name", "--format=csv,noheader")
    cards = [line.split(", ", 2) for line in (rows or "").splitlines() if line.count(", ") >= 2]
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    chosen = None if visible is None else {name.strip() for name in visible.split(",")}
    return tuple(name for index, uuid, name in cards if chosen is None or chosen & {index, uuid})


def _said_by(*command: str) -> str | None:
    """Return what a program prints; None where it is not here, fails or takes too long."""
    if shutil.which(command[0]) is None:
        return None
    try:
        done = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=TIMEOUT_S, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip() or None


def to_json(machine: Hardware) -> HardwareJson:
    """Return plain values."""
    return {
        "cpu": machine.cpu,
        "instructions": list(machine.instructions),
        "cores": machine.cores,
        "gpus": list(machine.gpus),
    }
