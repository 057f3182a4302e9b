"""agentgen-bench envs: list the registered ids, or show one's manual page and knobs."""

import argparse
import inspect

import gymnasium as gym

from agentgen_bench import families
from agentgen_bench.checks import chosen
from agentgen_bench.knobs import CONTEXTS, STREAMS, WRAPPER_DEFAULTS
from agentgen_bench.make import knobs_of
from agentgen_bench.spec import DISTRACTOR_PRESETS, FAULT_PRESETS, INTERFACES, LIFECYCLE_PRESETS, NAMESPACE, TaskSpec


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the verb and its options."""
    parser = subparsers.add_parser(
        "envs",
        help="list the environment ids, or show what one is and which knobs it has",
        description="List the registered environment ids; with an id, print its manual page and its knobs.",
        epilog="examples:\n  agentgen-bench envs\n  agentgen-bench envs AgentGen/Sokoban-rich-v0",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("id", nargs="?", help="an environment id (default: list all)")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """List ids or print one environment's page."""
    ids = sorted(env_id for env_id in gym.registry if env_id.startswith(f"{NAMESPACE}/"))
    if args.id is None:
        print("\n".join(ids))
        return 0
    chosen("environment id", args.id, ids)
    spec = TaskSpec.from_env_id(args.id)
    version = families.family(spec.family).version(spec.version)
    print(inspect.getdoc(families.load(version.entry_point)))
    print("\nKnobs and their defaults:")
    for name, default in {"richness": spec.richness.label, **knobs_of(spec), "render_mode": None}.items():
        print(f"  {name} = {default!r}")
    print("\nKnobs that every family has, and what they take:")
    for name, (default, choices) in wrapper_knobs(spec.family).items():
        print(f"  {name} = {default!r}: {', '.join(choices)}")
    return 0


def wrapper_knobs(family: str) -> dict[str, tuple[str, tuple[str, ...]]]:
    """Return the default and the choices of each knob that is a wrapper's; presets that the family lacks left out."""
    volumes = families.family(family).volumes
    presets = [name for name, preset in DISTRACTOR_PRESETS.items() if preset.volume is not None or name in volumes]
    choices = {
        "distractors": ("none", *presets, "or a DistractorSpec"),
        "interface": (*INTERFACES, "or an InterfaceSpec"),
        "lifecycle": ("none", *_packs(), "or a LifecycleSpec"),
        "faults": ("none", *FAULT_PRESETS, "or a FaultSpec"),
    }
    return {name: (default, choices[name]) for name, default in WRAPPER_DEFAULTS.items()}


def _packs() -> tuple[str, ...]:
    """Return the packs by their size, and once what may follow each."""
    streams, contexts = (" or ".join([f"-{name}" for name in names[1:]]) for names in (STREAMS, CONTEXTS))
    plain = [name for name, pack in LIFECYCLE_PRESETS.items() if (pack.stream, pack.context) == ("same", "kept")]
    return (*plain, f"each also (but ralph) with {streams} and then {contexts}")
