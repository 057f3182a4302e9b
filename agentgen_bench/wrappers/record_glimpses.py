"""Record the glimpses that cross-environment distractors show: `python -m agentgen_bench.wrappers.record_glimpses`.

A glimpse is the base observation of a generated training level after a few steps of the expert. Glimpses are kept as
data, so that an episode of one family costs no level of another and does not change when another family's text does.
"""

import json
from typing import TypedDict

import gymnasium as gym

from agentgen_bench.contract import text_task
from agentgen_bench.spec import TaskSpec
from agentgen_bench.wrappers.banks import FOLDER

RECORDED = ("ALFWorld", "Sokoban", "WebShop")  # SciWorld's are our own wording: no JVM for a glimpse
N_GLIMPSES = 64
MAX_STEPS = 4
MAX_CHARS = 480


class GlimpsesJson(TypedDict):
    """A data file of glimpses."""

    family: str
    version: int
    split: str
    glimpses: list[str]


def recorded(family: str, version: int = 0) -> GlimpsesJson:
    """Return the glimpses of a family and what they were made from, as the data file holds them."""
    env: gym.Env[str, str] = gym.make(TaskSpec(family, version=version).env_id, split="train")
    found: dict[str, None] = {}
    seed = 0
    while len(found) < N_GLIMPSES:
        found[_shortened(_state(env, seed))] = None
        seed += 1
    env.close()
    return {"family": family, "version": version, "split": "train", "glimpses": list(found)}


def _state(env: gym.Env[str, str], seed: int) -> str:
    """Return the observation after seed % MAX_STEPS steps of the expert, or before the step that ends the episode."""
    observation, _ = env.reset(seed=seed)
    for _ in range(seed % MAX_STEPS):
        following, _, terminated, truncated, _ = env.step(text_task(env).expert_action())
        if terminated or truncated:
            break
        observation = following
    return observation


def _shortened(text: str) -> str:
    """Return at most MAX_CHARS characters of the text on one or more lines, cut between words."""
    text = text.strip()
    return text if len(text) <= MAX_CHARS else f"{text[:MAX_CHARS].rsplit(None, 1)[0]} ..."


def main() -> None:
    """Write the data file of each recorded family."""
    for family in RECORDED:
        text = json.dumps(recorded(family), indent=1, ensure_ascii=False)
        (FOLDER / f"glimpses_{family.lower()}.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
