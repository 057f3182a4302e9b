"""agentgen-bench envs: list the registered ids, or show one's manual page and knobs."""

import argparse
import inspect

import gymnasium as gym
from gymnasium.envs.registration import load_env_creator

from agentgen_bench.errors import SpecError
from agentgen_bench.spec import NAMESPACE


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
    if args.id not in ids:
        raise SpecError(f"unknown environment id {args.id!r}; choose one of: {', '.join(ids)}")
    constructor = load_env_creator(str(gym.spec(args.id).entry_point))
    print(inspect.getdoc(constructor))
    print("\nKnobs and their defaults:")
    for parameter in inspect.signature(constructor).parameters.values():
        print(f"  {parameter.name} = {parameter.default!r}")
    return 0
