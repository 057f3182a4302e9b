"""How well the likelihood check tells weights apart: runs of named weights, judged under the same and under others.

    python benchmarks/likelihood.py --run RUN --model FOLDER [--other NAME=FOLDER ...] [--episodes 50 200 1000]

RUN is a run folder that FOLDER played (of any back end and precision). For each number of episodes, the run is judged
under FOLDER in float32 and bfloat16, under each other folder, under other temperatures, and with the oracle's actions
in made-up completions; and, of a sampled run, what is not FOLDER's under the temperature at which its mean is as
expected, as somebody would state who can choose it afterwards. Printed: the statistic and its limit, the same of the
ranks, the verdict, tokens; at the end tokens per CPU-second.
"""

import argparse
import time
from dataclasses import replace
from pathlib import Path

from agentgen_bench.episodes import Episode
from agentgen_bench.errors import EntryError
from agentgen_bench.evaluation.folder import read_run
from agentgen_bench.leaderboard.likelihood import (
    MAX_TEMPERATURE,
    Drawn,
    _Rebuilding,
    chosen_episodes,
    drawn_completions,
    judged,
)
from agentgen_bench.policies.base import Decision
from agentgen_bench.policies.names import scripted_policy
from agentgen_bench.policies.prefill import evidences
from agentgen_bench.policies.sampling import Sampling
from agentgen_bench.policies.transformers import TransformersPolicy
from agentgen_bench.prompts import History, PromptConfig
from agentgen_bench.rollout import Job, play
from agentgen_bench.spec import TaskSpec


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", type=Path, required=True)
    parser.add_argument("--model", required=True)
    parser.add_argument("--other", action="append", default=[], metavar="NAME=FOLDER")
    parser.add_argument("--episodes", type=int, nargs="+", default=[50, 200, 1000])
    args = parser.parse_args()
    run = read_run(args.run, texts=False)
    played = run.manifest["policy"]
    sampling, config = Sampling(**played["sampling"]), PromptConfig.from_json(played["prompt"])
    print(f"{played['backend']} {played['dtype']}, temperature {sampling.temperature}, top_p {sampling.top_p}")
    limits = f"{'mean':>9}{'limit':>7}{'ranks':>9}{'limit':>7}"
    print(f"{'judged as':34}{'episodes':>9}{'tokens':>8}{'left out':>9}{limits}  verdict")
    policies = {
        dtype: TransformersPolicy(args.model, config, sampling, dtype=dtype) for dtype in ("float32", "bfloat16")
    }
    for n in args.episodes:
        episodes = chosen_episodes(run.episodes, n, "benchmark", str(n))
        drawn, left_out = drawn_completions(
            episodes, policies["float32"], config, sampling.max_tokens, played["max_model_len"]
        )
        for dtype, policy in policies.items():
            report(f"the same weights, {dtype}", policy, drawn, sampling, n, left_out)
        same = policies["float32"]
        for other in args.other:
            name, _, folder = other.partition("=")
            weights = TransformersPolicy(folder, config, sampling)
            report(name, weights, drawn, sampling, n, left_out)
            report_best(name, weights, drawn, sampling, n, left_out)
        for factor in (0.8, 0.9, 1.1, 1.25) if not sampling.greedy else ():
            claimed = replace(sampling, temperature=factor * sampling.temperature)
            report(f"{factor} times the temperature", same, drawn, claimed, n, left_out)
        budget = played["max_model_len"] - sampling.max_tokens
        oracle = made_up(episodes, same, config, budget)
        report("the oracle's actions", same, oracle, sampling, n, 0)
        report_best("the oracle's", same, oracle, sampling, n, 0)


class Counting(_Rebuilding):
    """Takes each prompt as long as it comes out: nobody has counted the tokens of what is made up."""

    def _kept(self, history: History, decision: Decision) -> Decision:
        prompt = self._model.chat.prompt(history, self._config, self._budget)
        ids = self._model.chat.tokenizer(decision.completion, add_special_tokens=False)["input_ids"]
        if prompt is not None:
            self.drawn.append(Drawn(prompt.ids, tuple(ids)))
        return decision


def made_up(episodes: list[Episode], policy: TransformersPolicy, config: PromptConfig, budget: int) -> list[Drawn]:
    """Return the oracle's actions as completions of the model's form, each after the prompt of its state."""
    found: list[Drawn] = []
    for episode in episodes:
        job = Job(TaskSpec.from_json(episode.spec), episode.seed, episode.repeat)
        (best,) = play([job], scripted_policy("oracle"), workers=1, record_text=False)
        steps = [replace(step, completion=f"<action>{step.action}</action>") for step in best.steps]
        counting = Counting([replace(best, steps=tuple(steps))], policy, config, budget)
        list(play([job], counting, workers=1, record_text=False))
        found += counting.drawn
    return found


def report_best(
    name: str, policy: TransformersPolicy, drawn: list[Drawn], sampling: Sampling, n: int, left_out: int
) -> None:
    """Report under the temperature at which the mean log-probability is as expected, where there is one up to 2."""
    if sampling.greedy:
        return
    low, high = sampling.temperature / 2, MAX_TEMPERATURE
    for _ in range(9):
        middle = (low + high) / 2
        claimed = replace(sampling, temperature=middle)
        found = judged(evidences(policy, drawn, claimed), claimed, n_episodes=n, left_out=left_out)
        low, high = (low, middle) if found.statistic > 0 else (middle, high)
    report(f"{name}, best at {high:.2f}", policy, drawn, replace(sampling, temperature=high), n, left_out)


def report(
    name: str, policy: TransformersPolicy, drawn: list[Drawn], sampling: Sampling, n: int, left_out: int
) -> None:
    started = time.process_time()
    tokens = evidences(policy, drawn, sampling)
    seconds = time.process_time() - started
    try:
        found = judged(tokens, sampling, n_episodes=n, left_out=left_out)
    except EntryError as error:
        print(f"{name:34}{n:9}  {error}")
        return
    read = sum(len(one.prompt) + len(one.completion) for one in drawn)
    print(
        f"{name:34}{n:9}{found.tokens:8}{left_out:9}{found.statistic:9.4f}{found.threshold:7.4f}"
        f"{found.rank_statistic:9.4f}{found.rank_threshold:7.4f}  "
        f"{'holds' if found.holds else 'found out'} ({read / seconds:.0f} tokens read a CPU-second)",
        flush=True,
    )


if __name__ == "__main__":
    main()
