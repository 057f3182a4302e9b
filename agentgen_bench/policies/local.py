"""What the policies that run a model in this process share: prompts in, seeded generation, decisions out.

A back end (vllm.py, transformers.py) writes `generate`; one that is to train too, what `TrainableLocalPolicy` asks for.
"""

import abc
import copy
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple, Protocol, Self

from agentgen_bench.answers import read_answer
from agentgen_bench.errors import PolicyError
from agentgen_bench.parsing import PARSING_VERSION, STOP_STRINGS, ParseReason, without_stop
from agentgen_bench.policies.asking import Answered, Asking, Request
from agentgen_bench.policies.base import Decision, Description, TokenSample
from agentgen_bench.policies.chat import ChatFormat, Prompt, load_chat_format
from agentgen_bench.policies.checkpoint import Checkpoint, content_hash, stop_token_ids, tensor_names
from agentgen_bench.policies.opening import open_checkpoint
from agentgen_bench.policies.sampling import Sampling
from agentgen_bench.policies.template import PROBE, Around, around
from agentgen_bench.prompts import History, Message, PromptConfig

# Tokens of prompt and completion together, unless asked otherwise. The prompts here stay below 8,000 tokens; a
# model's own limit of 40,000 or more would only reserve memory.
DEFAULT_CONTEXT_TOKENS = 16_384


PADDING = 0.5  # of a batch's tokens: a few long rows would otherwise make all others as long


class Generation(NamedTuple):
    """One completion: its token ids (the stop token included) and, where asked for, the log-probability of each.

    A log-probability is that of the distribution the token was drawn from: after temperature, top_k and top_p; for
    greedy decoding that of the model itself.
    """

    ids: tuple[int, ...]
    logprobs: tuple[float, ...]


class Completions(Protocol):
    """Completions under way in a back end, each with a number of the caller's."""

    def add(self, number: int, prompt: Sequence[int], seed: int) -> None:
        """Ask for a completion of a prompt of token ids, drawn from its own seed."""
        ...

    def take(self) -> list[tuple[int, Generation]]:
        """Go on until a completion has ended, and return all that have; called while one is asked for."""
        ...

    def close(self) -> None:
        """Give up what is under way."""
        ...


class Batches:
    """Completions of a back end that draws whole batches: as many as one takes, of those that wait.

    The one that waits longest is among them, and those whose prompts are nearest to its in length, to pad little: a
    batch reads as much padding as it must, and no row joins whose length would make it much more.
    """

    def __init__(
        self, generate: Callable[[Sequence[Sequence[int]], Sequence[int]], list[Generation]], size: int | None = None
    ) -> None:
        """Take the function that draws a batch of at most `size`; None: of any size."""
        self._generate, self._size = generate, size
        self._waiting: list[tuple[int, Sequence[int], int]] = []

    def add(self, number: int, prompt: Sequence[int], seed: int) -> None:
        """Ask for a completion, in one of the next batches."""
        self._waiting.append((number, prompt, seed))

    def take(self) -> list[tuple[int, Generation]]:
        """Draw a batch."""
        lengths = [len(prompt) for _, prompt, _ in self._waiting]
        near = sorted(range(len(lengths)), key=lambda i: (i != 0, abs(lengths[i] - lengths[0]), i))
        chosen = sorted(near[: fitting([lengths[i] for i in near[: self._size]])])
        batch = [self._waiting[i] for i in chosen]
        self._waiting = [one for i, one in enumerate(self._waiting) if i not in set(chosen)]
        drawn = self._generate([prompt for _, prompt, _ in batch], [seed for _, _, seed in batch])
        return [(number, generation) for (number, _, _), generation in zip(batch, drawn, strict=True)]

    def close(self) -> None:
        """Nothing is under way between batches."""


def fitting(lengths: Sequence[int]) -> int:
    """Return how many of the rows, from the first on, share a batch without more padding than PADDING of them."""
    longest = total = 0
    for number, length in enumerate(lengths, 1):
        longest, total = max(longest, length), total + length
        if number * longest > (1 + PADDING) * total:
            return number - 1
    return len(lengths)


@dataclass(slots=True)
class _Weights:
    """Whether the model still holds the checkpoint's weights; shared by all views of one model."""

    from_checkpoint: bool = True


class LocalPolicy(abc.ABC):
    """A language model in this process."""

    backend: str

    def __init__(
        self,
        model: str | Path,
        prompt_config: PromptConfig,
        sampling: Sampling,
        *,
        max_model_len: int | None = None,
        with_logprobs: bool = False,
    ) -> None:
        """Check the folder and load its tokenizer; a back end's constructor calls this first.

        `max_model_len` is in tokens of prompt and completion together; None takes the model's own limit, at most
        16,384. `with_logprobs` makes each Decision carry its TokenSample.
        """
        self.checkpoint: Checkpoint = open_checkpoint(model)
        self.chat: ChatFormat = load_chat_format(self.checkpoint)
        self.stop_ids: tuple[int, ...] = stop_token_ids(self.checkpoint, self.chat.tokenizer.eos_token_id)
        self.prompt_config = prompt_config
        self.sampling = sampling
        self.with_logprobs = with_logprobs
        self.name: str = self.checkpoint.name
        self.max_model_len: int = _context(self.checkpoint.context_tokens, max_model_len)
        self._weights = _Weights()
        _check_room(sampling, self.max_model_len)

    @abc.abstractmethod
    def generate(self, prompts: Sequence[Sequence[int]], seeds: Sequence[int]) -> list[Generation]:
        """Return one completion per prompt of token ids, in order, each drawn from its own seed."""

    @abc.abstractmethod
    def _describe_backend(self) -> Description:
        """Return version, device and dtype of the back end."""

    def act(self, histories: Sequence[History]) -> list[Decision]:
        """Return one decision per history, from one batch of completions."""
        prompts = [self.prompt(history) for history in histories]
        asked = [(prompt, history) for prompt, history in zip(prompts, histories, strict=True) if prompt is not None]
        seeds = [self.sampling.request_seed(history.key) for _, history in asked]
        generations = iter(self.generate([prompt.ids for prompt, _ in asked], seeds) if asked else [])
        return [
            TOO_LONG if prompt is None else self.decision(history, prompt, next(generations))
            for prompt, history in zip(prompts, histories, strict=True)
        ]

    def completions(self) -> Completions:
        """Return completions under way; a back end that can take one while it draws others says how."""
        return Batches(self.generate)

    def asking(self) -> Asking:
        """Return a way of asking in which each request goes to the back end as it comes."""
        return _Asking(self)

    def describe(self) -> Description:
        """Return kind, model (name and content hash), template hash, prompt, sampling and back end; plain JSON."""
        return {
            "kind": "model",
            "model": self.name,
            "content_hash": self._content_hash if self._weights.from_checkpoint else None,  # a trainer's have no file
            "chat_template": "tokenizer" if self.chat.has_template else "plain",
            "chat_template_hash": self.chat.template_hash,
            "template_writes": None if (writes := self._template_writes()) is None else writes.to_json(),
            "prompt": self.prompt_config.to_json(),
            "sampling": self.sampling.to_json(),
            "max_model_len": self.max_model_len,
            "backend": self.backend,
            "parsing_version": PARSING_VERSION,
            **self._describe_backend(),
        }

    def with_prompt(self, prompt_config: PromptConfig) -> Self:
        """Return this policy with other prompt settings; model and weights are shared, not copied."""
        view = copy.copy(self)
        view.prompt_config = prompt_config
        return view

    @property
    def origin(self) -> Path | None:
        """The folder whose weights play; None once a trainer has given others."""
        return self.checkpoint.path if self._weights.from_checkpoint else None

    @property
    def stop_strings(self) -> tuple[str, ...]:
        """Texts at which a completion ends, beside the stop tokens: none in most action formats."""
        return STOP_STRINGS[self.prompt_config.action_format]

    def holds_stop(self, ids: Sequence[int]) -> bool:
        """Return whether a stop string stands at the end of these sampled tokens."""
        if not self.stop_strings:
            return False
        tail = self.chat.decode(ids[-max(map(len, self.stop_strings)) :])  # no token is shorter than a character
        return any(stop in tail for stop in self.stop_strings)

    def _template_writes(self) -> Around | None:
        config = self.prompt_config
        system = [Message("system", config.system_prompt)] if config.system_prompt else []
        return around(self.chat.text([*system, Message("user", PROBE)], config.thinking))

    @cached_property
    def _content_hash(self) -> str:
        return content_hash(self.checkpoint)

    def prompt(self, history: History) -> Prompt | None:
        """Return the prompt of a history; None where none leaves room for a completion."""
        return self.chat.prompt(history, self.prompt_config, self.max_model_len - self.sampling.max_tokens)

    def decision(self, history: History, prompt: Prompt, generation: Generation) -> Decision:
        """Return what a completion decides."""
        written = self.chat.decode(generation.ids)
        completion = prompt.opening + without_stop(written, self.prompt_config.action_format)
        ended = generation.ids[-1:] and generation.ids[-1] in self.stop_ids
        finish_reason = "stop" if ended or self.holds_stop(generation.ids) else "length"
        parsed = read_answer(completion, history, self.prompt_config, cut=finish_reason == "length")
        return Decision(
            completion=completion,
            action=parsed.action,
            reason=parsed.reason,
            prompt_chars=len(prompt.text),
            prompt_tokens=len(prompt.ids),
            completion_tokens=len(generation.ids),
            dropped_turns=prompt.dropped_turns,
            sample=TokenSample(prompt.ids, *generation) if self.with_logprobs else None,
            finish_reason=finish_reason,
            marks=parsed.marks,
        )


class TrainableLocalPolicy(LocalPolicy):
    """A language model in this process that a trainer draws from and gives new weights."""

    @abc.abstractmethod
    def token_logprobs(
        self, prompts: Sequence[Sequence[int]], completions: Sequence[Sequence[int]]
    ) -> list[list[float]]:
        """Return the model's log-probability (temperature 1) of every token of given completions."""

    @abc.abstractmethod
    def _replace_weights(self, named_tensors: Sequence[tuple[str, Any]]) -> None:
        """Put the tensors, named as in the checkpoint, in the place of the model's."""

    def with_sampling(self, sampling: Sampling) -> Self:
        """Return this policy with other sampling settings; model and weights are shared, not copied."""
        _check_room(sampling, self.max_model_len)
        view = copy.copy(self)
        view.sampling = sampling
        return view

    def load_weights(self, named_tensors: Iterable[tuple[str, Any]]) -> None:
        """Take over a trainer's weights: pairs of the checkpoint's parameter name and tensor, every one of them."""
        tensors = list(named_tensors)
        self._check_complete({name for name, _ in tensors})
        self._replace_weights(tensors)
        self._weights.from_checkpoint = False

    def _check_complete(self, given: set[str]) -> None:
        """Raise PolicyError where the checkpoint has a parameter that is not given: it would silently stay old."""
        missing = (tensor_names(self.checkpoint) or frozenset()) - given
        if missing:
            raise PolicyError(f"no weights for {min(missing)!r} of {self.name}; give every parameter of the checkpoint")


class _Asking:
    """Requests of one loop to a model in this process."""

    def __init__(self, policy: LocalPolicy) -> None:
        self._policy = policy
        self._completions = policy.completions()
        self._asked: dict[int, tuple[History, Prompt]] = {}
        self._too_long: list[int] = []
        self.close = self._completions.close

    def submit(self, requests: Sequence[Request]) -> None:
        for number, history in requests:
            prompt = self._policy.prompt(history)
            if prompt is None:
                self._too_long.append(number)
                continue
            self._asked[number] = history, prompt
            self._completions.add(number, prompt.ids, self._policy.sampling.request_seed(history.key))

    def poll(self) -> list[Answered]:
        if self._too_long:
            numbers, self._too_long = self._too_long, []
            return [Answered(number, TOO_LONG) for number in numbers]
        ended = self._completions.take()
        return [Answered(number, self._policy.decision(*self._asked.pop(number), one)) for number, one in ended]


TOO_LONG = Decision("", None, ParseReason.PROMPT_TOO_LONG)


def _check_room(sampling: Sampling, max_model_len: int) -> None:
    if sampling.max_tokens >= max_model_len:
        raise PolicyError(
            f"max_tokens={sampling.max_tokens} leaves no room for a prompt in a context of {max_model_len} tokens; "
            "choose fewer"
        )


def _context(own: int | None, asked: int | None) -> int:
    if asked is None:
        return min(own or DEFAULT_CONTEXT_TOKENS, DEFAULT_CONTEXT_TOKENS)
    if asked < 1 or (own is not None and asked > own):
        raise PolicyError(f"max_model_len={asked} is out of range; choose 1 to {own or 'any'} (the model's own limit)")
    return asked
