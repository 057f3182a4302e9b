"""What evaluation needs of a policy, what training needs besides, and the Decision."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol, Self, runtime_checkable

from agentgen_bench.contract import TextTask
from agentgen_bench.parsing import ParseReason
from agentgen_bench.policies.sampling import Sampling
from agentgen_bench.prompts import History, PromptConfig

# What a policy says of itself for the manifest, plain JSON: `kind`, and whatever tells one of that kind from another.
# Each kind has its own keys, those of plug-ins too, so readers check what they use.
Description = Mapping[str, object]


class TokenSample(NamedTuple):
    """The tokens behind a completion, for training: prompt ids, sampled ids and the log-probability of each."""

    prompt_ids: tuple[int, ...]
    completion_ids: tuple[int, ...]
    logprobs: tuple[float, ...]


class Decision(NamedTuple):
    """What a policy decided at one step. `action` is None where the completion holds none; `reason` says why.

    A `Step` of the record has all of it but `sample` and `failure`, under the same names (`reason` as `parse_reason`),
    and is no record that holds a Decision: lines of JSON and their readers are flat, versioned and older than what is
    asked of a policy today. tests/test_rollout.py holds the two together.
    """

    completion: str
    action: str | None
    reason: ParseReason | None = None
    prompt_chars: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    dropped_turns: int = 0  # turns of the configured history left out so that the prompt fits the model's context
    sample: TokenSample | None = None
    finish_reason: str | None = None  # why the completion ended: stop, length, ...; None where nobody says
    marks: tuple[str, ...] = ()  # what stood around the action and was taken off, see parsing.marks
    cost_usd: float = 0.0  # as an agent reports it
    failure: str | None = None  # what broke in whoever decides: it ends this episode in an error, and no other


@runtime_checkable
class Policy(Protocol):
    """Stateless and batched over environments: one Decision per History, in order, whatever else is in the batch."""

    name: str

    def act(self, histories: Sequence[History]) -> list[Decision]:
        """Return one decision per history."""
        ...

    def describe(self) -> Description:
        """Return what the manifest records to name this policy: kind, model hash, sampling, back end; plain JSON."""
        ...


@runtime_checkable
class PromptedPolicy(Policy, Protocol):
    """A policy that can be asked under other prompt settings without loading its model anew."""

    def with_prompt(self, prompt_config: PromptConfig) -> Self:
        """Return this policy with other prompt settings; the model is shared, not copied."""
        ...


@runtime_checkable
class EpisodicPolicy(Protocol):
    """A policy with a memory for each episode: it is told which episode a history is of, and when one is over."""

    name: str

    def act_in(self, episodes: Sequence[int], histories: Sequence[History]) -> list[Decision]:
        """Return one decision per history; `episodes` holds a number for each, which no other episode has."""
        ...

    def end(self, episode: int) -> None:
        """Forget the episode; called once for each that was begun."""
        ...

    def describe(self) -> Description:
        """Return what the manifest records to name this policy."""
        ...


@runtime_checkable
class TrainablePolicy(Policy, Protocol):
    """What training needs besides: a policy whose decisions carry their tokens, and whose weights can be replaced."""

    sampling: Sampling

    def with_sampling(self, sampling: Sampling) -> Self:
        """Return this policy with other sampling settings; model and weights are shared, not copied."""
        ...

    def load_weights(self, named_tensors: Iterable[tuple[str, Any]]) -> None:
        """Take over a trainer's weights: pairs of the checkpoint's parameter name and tensor, every one of them."""
        ...

    def token_logprobs(
        self, prompts: Sequence[Sequence[int]], completions: Sequence[Sequence[int]]
    ) -> list[list[float]]:
        """Return the model's log-probability (temperature 1) of every token of given completions."""
        ...


@runtime_checkable
class PrivilegedPolicy(Protocol):
    """A policy that sees the environments themselves: the oracle, and nothing else."""

    name: str

    def act_on(self, tasks: Sequence[TextTask]) -> list[Decision]:
        """Return one decision per environment, from its current state."""
        ...

    def describe(self) -> Description:
        """Return what the manifest records to name this policy."""
        ...


Player = Policy | EpisodicPolicy | PrivilegedPolicy
