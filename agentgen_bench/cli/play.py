"""agentgen-bench play: play a level yourself, in the terminal, as the agent sees it."""

import argparse
from collections.abc import Mapping
from typing import Any

import gymnasium as gym

from agentgen_bench.cli.options import integer, knob
from agentgen_bench.contract import text_task
from agentgen_bench.make import make
from agentgen_bench.spec import TaskSpec

HELP = "type an action; '?' lists what is possible, '!' does what the oracle would do, 'q' stops"


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the verb and its options."""
    parser = subparsers.add_parser(
        "play",
        help="play a level yourself, as the agent sees it",
        description=f"Play a level in the terminal: {HELP}.",
        epilog="examples:\n  agentgen-bench play AgentGen/Sokoban-base-v0\n"
        "  agentgen-bench play AgentGen/Sokoban-rich-v0 --seed 7 --set difficulty=hard",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("id", help="an environment id; `agentgen-bench envs` lists them")
    parser.add_argument("--seed", type=integer(0), default=0, help="which level of the split (default: 0)")
    parser.add_argument(
        "--set", metavar="NAME=VALUE", type=knob, action="append", default=[], help="a knob, such as difficulty=hard"
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Play until the episode or the input ends."""
    env = make(TaskSpec.from_env_id(args.id, **dict(args.set)))
    try:
        _play(env, args.seed)
    except EOFError:
        print()
    finally:
        env.close()
    return 0


def _play(env: gym.Env[str, str], seed: int) -> None:
    observation, info = env.reset(seed=seed)
    print(f"Task: {info['task']}\n({HELP})")
    ended = False
    while not ended:
        print(f"\n{observation}")
        action = _ask(env, info)
        if action is None:
            return
        observation, reward, terminated, truncated, info = env.step(action)
        ended = terminated or truncated
        print(f"[reward {reward:g}{'' if info['is_action_valid'] else ', invalid action'}]")
    print(f"\n{observation}\n\n{'Solved.' if info['success'] else 'Not solved.'} Score {info['score']:.2f}.")


def _ask(env: gym.Env[str, str], info: Mapping[str, Any]) -> str | None:
    """Return the next action, or None to stop."""
    while True:
        line = input("> ")
        if line == "q":
            return None
        if line == "!":
            line = text_task(env).expert_action()
            print(f"(oracle: {line})")
        if line != "?":
            return line
        print("\n".join(info["admissible_commands"]))
