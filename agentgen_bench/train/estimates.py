"""How much a training or an evaluation will play and read, before it starts."""

from collections.abc import Sequence
from typing import NamedTuple

from agentgen_bench.policies.base import Decision
from agentgen_bench.policies.scripted import RandomPolicy
from agentgen_bench.prompts import History, PromptConfig, messages
from agentgen_bench.rollout import Job, play
from agentgen_bench.spec import TaskSpec

CHARS_PER_TOKEN = 4  # of English text under the tokenizers of large models; small vocabularies need more tokens
SAMPLED_EPISODES = 2


class Profile(NamedTuple):
    """What random play of a setting looks like: steps of an episode and characters of a prompt, both means."""

    steps: float
    prompt_chars: float


class Estimate(NamedTuple):
    """Episodes, and tokens of all their prompts and completions."""

    rollouts: int
    tokens: float

    def __add__(self, other: object) -> "Estimate":
        """Return the sum."""
        if not isinstance(other, Estimate):
            return NotImplemented
        return Estimate(self.rollouts + other.rollouts, self.tokens + other.tokens)


def profile(spec: TaskSpec, prompt: PromptConfig) -> Profile:
    """Return the profile of a setting from two episodes of random play: nearly always as long as the limit allows."""
    reader = _Reader(prompt)
    episodes = list(play([Job(spec, seed) for seed in range(SAMPLED_EPISODES)], reader, record_text=False))
    steps = sum(len(episode.steps) for episode in episodes)
    return Profile(steps / len(episodes), reader.chars / max(1, reader.prompts))


def estimate(rollouts: int, profiles: Sequence[Profile], completion_tokens: int) -> Estimate:
    """Return the estimate of `rollouts` episodes spread evenly over settings, each completion as long as allowed."""
    tokens = [one.steps * (one.prompt_chars / CHARS_PER_TOKEN + completion_tokens) for one in profiles]
    return Estimate(rollouts, rollouts * sum(tokens) / len(tokens))


class _Reader:
    """Random play that counts the characters of the prompts it would have shown."""

    name = "reader"

    def __init__(self, prompt: PromptConfig) -> None:
        self.chars = self.prompts = 0
        self._prompt, self._policy = prompt, RandomPolicy()

    def act(self, histories: Sequence[History]) -> list[Decision]:
        for history in histories:
            self.chars += sum(len(message.content) for message in messages(history, self._prompt))
            self.prompts += 1
        return self._policy.act(histories)

    def describe(self) -> dict[str, str]:
        return {"kind": "reader"}
