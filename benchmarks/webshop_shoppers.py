"""How hard each WebShop preset is: success of the two reference shoppers and the oracle, with 95 % Wilson intervals.

Run: python benchmarks/webshop_shoppers.py [--episodes 500] [--split test]
"""

import argparse

from agentgen_bench import TaskSpec
from agentgen_bench.policies.scripted import OraclePolicy, RandomPolicy
from agentgen_bench.policies.webshop_shoppers import BuyFirstHit, ReadAllTen
from agentgen_bench.rollout import Job, play
from agentgen_bench.scores.bootstrap import wilson


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--episodes", type=int, default=500, help="episodes per cell (default 500)")
    parser.add_argument("--split", default="test", help="split whose levels are played (default test)")
    arguments = parser.parse_args()
    print(f"{'preset':8} {'policy':22} {'success':>8} {'95 % interval':>16} {'mean score':>11} {'mean steps':>11}")
    for difficulty in ("easy", "medium", "hard"):
        spec = TaskSpec("WebShop", difficulty=difficulty, split=arguments.split)
        for policy in (RandomPolicy(), BuyFirstHit(), ReadAllTen(), OraclePolicy()):
            jobs = [Job(spec, seed) for seed in range(arguments.episodes)]
            episodes = list(play(jobs, policy, record_text=False))
            successes = sum(episode.success for episode in episodes)
            interval = wilson(successes, len(episodes))
            score = sum(episode.score for episode in episodes) / len(episodes)
            steps = sum(len(episode.steps) for episode in episodes) / len(episodes)
            bounds = f"[{interval[0]:.3f}, {interval[1]:.3f}]"
            rate = successes / len(episodes)
            print(f"{difficulty:8} {policy.name:22} {rate:8.3f} {bounds:>16} {score:11.3f} {steps:11.2f}")


if __name__ == "__main__":
    main()
