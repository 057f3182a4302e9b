"""The settings of GRPO, apart from the trainer: reading and checking them needs no torch."""

import math
from dataclasses import dataclass
from typing import Literal

from agentgen_bench.errors import SpecError
from agentgen_bench.parsing import ActionFormat
from agentgen_bench.prompts import ActionHints, PromptConfig, Protocol, RepeatHints
from agentgen_bench.rollout import DEFAULT_WORKERS
from agentgen_bench.train.settings import Schedule, Source, check_weight, refuse_held_out_levels
from agentgen_bench.train.update_config import UpdateConfig, check_above_0, check_counts, check_from_0, check_setting


@dataclass(frozen=True, kw_only=True)
class Config(UpdateConfig):
    """Everything that decides a run; equal settings give equal parameters on a CPU."""

    sources: tuple[Source, ...]
    """The environments to train on, with weights."""

    steps: int = 150
    """Training steps; each plays new episodes and learns from them."""
    levels_per_step: int = 16
    """Groups per step, over all processes: levels drawn from the sources by weight."""
    group_size: int = 8
    """Episodes of each level."""
    seed: int = 0
    """Decides levels, sampling and the order of samples."""

    history_length: int = 2
    """Past steps shown in each prompt."""
    action_hints: ActionHints = "templates"
    """Whether prompts show no actions, what they look like, or all admissible ones."""
    thinking: bool = True
    """Ask for reasoning before the action."""
    action_format: ActionFormat = "tagged"
    """How the answer marks its action."""
    protocol: Protocol = "window"
    """Each step a prompt of its own, one growing chat, or a chat that answers by function calls."""
    repeat_hints: RepeatHints = "all"
    """In a chat with full hints: all of them in each turn, or what changed since the turn before."""
    system_prompt: str = ""
    """A system message before all else; empty: none. On the command line @FILE reads it."""

    temperature: float = 1.0
    """Of sampling, above 0; log-probabilities and ratios are of the distribution at this temperature."""
    max_tokens: int = 512
    """Tokens of a completion at most."""
    max_prompt_tokens: int | None = None
    """Tokens of a prompt at most; older steps are left out to fit. None: what the model's context leaves."""
    sampler: Literal["transformers", "vllm"] = "transformers"
    """What draws the completions: transformers shares the trainer's weights, vllm gets them after each step."""
    sampler_batch: int = 64
    """Completions that the transformers sampler draws at once."""
    vllm_memory: float = 0.4
    """Share of each GPU's memory for vLLM, in (0, 1]; the trainer needs the rest."""
    workers: int = DEFAULT_WORKERS
    """Environments that run at once, per process."""

    reward: Literal["success", "score", "return"] = "success"
    """What an episode earns: success_reward if solved, success_reward times its score, or the environment's rewards."""
    success_reward: float = 10.0
    """Reward of a solved episode, at its last step; above 0."""
    invalid_penalty: float = 0.1
    """Taken off for each step without a valid action; 0 or more."""
    unread_penalty: float = 0.1
    """Taken off for an update episode that holds no context that can be read (packs cod-4, ralph-full-4, ...)."""
    invalid_penalty_on: Literal["episode", "row"] = "episode"
    """Whose reward it is taken off: the episode's, so all its steps share it, or that of the invalid step alone."""
    divide_by_std: bool = True
    """Divide a group's advantages by its standard deviation."""
    statistics: Literal["episodes", "rows"] = "episodes"
    """Whether mean and deviation of a group are taken over episodes or over their steps."""
    credit: Literal["episode", "cod"] = "episode"
    """Rewards that a step is credited with: its episode's; in packs (lifecycle cod-4, pack-4), its own and later
    tasks'."""
    step_credit_weight: float = 0.0
    """Weight of GiGPO's step-level advantage; 0 turns it off."""
    negative_weight: float = 1.0
    """Factor on advantages below 0; 0 learns only from what went better than its group (arXiv 2506.01347)."""
    step_discount: float = 0.95
    """Discount per step of the returns that GiGPO compares, in [0, 1]."""

    clip: Literal["ppo", "one_side"] = "ppo"
    """Whether the gradient holds the ratio, clipped; or no ratio, and none from tokens beyond the bound already."""
    clip_low: float = 0.2
    """The ratio is clipped at 1 - clip_low."""
    clip_high: float = 0.2
    """The ratio is clipped at 1 + clip_high."""
    reweight_negative: bool = False
    """Weight advantages by exp(A / temperature) where their sum over a step's tokens is negative, so that it is not."""
    kl_coef: float = 0.01
    """Weight of the KL penalty to the initial policy; 0 keeps no copy of it in memory."""
    loss_mean: Literal["tokens", "samples"] = "tokens"
    """Whether the loss is a mean over tokens, or over samples of their token means."""
    importance_cap: float | None = 2.0
    """Cap of the weight trainer / sampler of a token, above 0; None: the sampler's log-probabilities stand in the
    ratio."""
    mini_batch: int = 256
    """Samples per optimizer step, over all processes."""
    epochs: int = 1
    """Passes over the samples of a step."""

    learning_rate: float = 1e-6
    """Peak learning rate of AdamW."""
    schedule: Schedule = "constant"
    """Course of the learning rate after the warm-up."""
    warmup_steps: int = 0
    """Steps over which the learning rate rises to its peak."""

    cross_input_every: int = 5
    """Steps between measurements of how far completions depend on their prompts (template collapse); 0: never."""
    save_every: int = 15
    """Steps between checkpoints; the last step always has one."""
    keep: int = 4
    """Newest checkpoints kept."""

    def __post_init__(self) -> None:
        """Raise SpecError for values out of range."""
        super().__post_init__()
        if not self.sources:
            raise SpecError("sources is empty; name at least one environment to train on")
        refuse_held_out_levels((source.spec for source in self.sources), "training")
        for source in self.sources:
            check_weight(source.spec.label, source.weight)
        check_counts(self, "steps", "levels_per_step", "mini_batch", "epochs", "workers", "save_every", "keep")
        check_counts(self, "max_tokens", "sampler_batch")
        if self.max_prompt_tokens is not None:
            check_counts(self, "max_prompt_tokens")
        check_from_0(self, "kl_coef", "step_credit_weight", "negative_weight", "warmup_steps", "cross_input_every")
        check_from_0(self, "history_length", "invalid_penalty", "unread_penalty")
        check_above_0(self, "learning_rate", "success_reward", "clip_high")
        if self.importance_cap is not None:
            check_above_0(self, "importance_cap")
        compares = 2 <= self.group_size < math.inf
        check_setting("group_size", self.group_size, compares, "2 or more: one episode has nothing to compare to")
        is_finite = 0 < self.temperature < math.inf
        check_setting("temperature", self.temperature, is_finite, "a number above 0: greedy play does not vary")
        check_setting("clip_low", self.clip_low, 0 < self.clip_low <= 1, "a number in (0, 1]")
        check_setting("step_discount", self.step_discount, 0 <= self.step_discount <= 1, "a number in [0, 1]")
        check_setting("vllm_memory", self.vllm_memory, 0 < self.vllm_memory <= 1, "a number in (0, 1]")
        packs = [source.spec.lifecycle_spec for source in self.sources]
        kept = all(pack is not None and pack.context == "kept" for pack in packs)
        check_setting(
            "credit", self.credit, self.credit != "cod" or kept, "episode, or lifecycle pack-4 or cod-4 for all sources"
        )
        on_row = self.invalid_penalty_on == "row"
        check_setting("invalid_penalty_on", "row", not (on_row and self.credit == "cod"), "episode where credit is cod")

    @property
    def shares_weights(self) -> bool:
        """Whether the sampler draws with the very weights that are trained; else it is given them after each step."""
        return self.sampler == "transformers" and not self.shard

    @property
    def prompt(self) -> PromptConfig:
        """How a history becomes a prompt."""
        return PromptConfig(
            self.history_length,
            self.action_hints,
            self.thinking,
            self.action_format,
            self.protocol,
            self.repeat_hints,
            self.system_prompt,
        )
