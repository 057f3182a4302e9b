"""A Hugging Face model run by transformers, on CPU or GPU: for machines without vLLM, and as its second opinion.

The generation loop is written out, because `model.generate` draws a batch from one random stream: a completion
would depend on its neighbours. Here each row inverts its own distribution with its own numbers.
"""

import inspect
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from agentgen_bench.checks import chosen
from agentgen_bench.errors import MissingDependencyError, PolicyError, install_hint
from agentgen_bench.policies.backends import BackEnd, Wanted
from agentgen_bench.policies.base import Description
from agentgen_bench.policies.decoding import Rows, next_tokens
from agentgen_bench.policies.drafts import LONGEST, ORDER, Drafts
from agentgen_bench.policies.local import Batches, Completions, Generation, TrainableLocalPolicy, fitting
from agentgen_bench.policies.memory import memory_bytes
from agentgen_bench.policies.prefixes import Prefix, PrefixStore
from agentgen_bench.policies.sampling import Sampling
from agentgen_bench.policies.threads import leave_cores_free
from agentgen_bench.prompts import PromptConfig

DTYPES = ("auto", "float32", "bfloat16", "float16")
PREFIX_BYTES = 2**30  # at least, for what growing chats have read
PREFIX_SHARE = 0.125  # of a CPU's memory, for the same; a batch under way holds as much again
# Time that one more token a row adds to a pass (Drafts.worth_reading), roughly. On a CPU, which computes as long as it
# reads: from passes of 1 and 6 tokens over 128 rows of 500 with a model of 1.4 million parameters. Elsewhere little, as
# a pass of few tokens waits for memory; not measured.
GUESS_COST = {"cpu": 0.4}
GUESS_COST_ELSEWHERE = 0.05


class TransformersPolicy(TrainableLocalPolicy):
    """The model of a Hugging Face folder, batched, left-padded, with a key-value cache.

    Greedy and sampled completions depend on the prompt, the settings and the step's key alone, as far as the
    arithmetic allows: padding and batch size move the last bits of a logit, which in float32 changes a completion
    practically never and in bfloat16 rarely.
    """

    backend = "transformers"

    def __init__(
        self,
        model: str | Path,
        prompt_config: PromptConfig,
        sampling: Sampling,
        *,
        device: str = "auto",
        dtype: str = "auto",
        batch_size: int = 32,
        max_model_len: int | None = None,
        with_logprobs: bool = False,
    ) -> None:
        """Load the model.

        Args:
            model: the folder, or a hub name.
            prompt_config: how a history becomes a prompt.
            sampling: how completions are drawn.
            device: a torch device; "auto" takes CUDA where there is one, else the CPU.
            dtype: "auto" is float32 on the CPU and the checkpoint's own elsewhere.
            batch_size: completions drawn at once; more need more memory.
            max_model_len: tokens of prompt and completion together; None: the model's limit, at most 16,384.
            with_logprobs: keep each completion's token ids and log-probabilities, for training.
        """
        leave_cores_free()
        super().__init__(model, prompt_config, sampling, max_model_len=max_model_len, with_logprobs=with_logprobs)
        chosen("dtype", dtype, DTYPES, PolicyError)
        if batch_size < 1:
            raise PolicyError(f"batch_size={batch_size} is out of range; choose 1 or more")
        self.batch_size = batch_size
        self.device: Any = _device(device)
        self.model: Any = _loaded(self.checkpoint.path, self.device, dtype)
        self._prefixes = PrefixStore(_room_for_prefixes(self.device))
        self._drafts = Drafts()
        self._known_weights: tuple[int, ...] = ()
        self._keeps_logits = "logits_to_keep" in inspect.signature(self.model.forward).parameters

    def generate(self, prompts: Sequence[Sequence[int]], seeds: Sequence[int]) -> list[Generation]:
        """Return one completion per prompt, in order; prompts of like length share a batch, to pad little."""
        by_length = sorted(range(len(prompts)), key=lambda i: (len(prompts[i]), tuple(prompts[i])))  # equals together
        generations: dict[int, Generation] = {}
        for start in range(0, len(by_length), self.batch_size):
            rows = by_length[start : start + self.batch_size]
            batch = self._within_memory([prompts[i] for i in rows], [seeds[i] for i in rows])
            generations.update(zip(rows, batch, strict=True))
        return [generations[i] for i in range(len(prompts))]

    def completions(self) -> Completions:
        """Return completions that are drawn in batches of `batch_size`: nobody waits for more than one of them."""
        return Batches(self.generate, self.batch_size)

    def token_logprobs(
        self, prompts: Sequence[Sequence[int]], completions: Sequence[Sequence[int]]
    ) -> list[list[float]]:
        """Return the model's log-probability (temperature 1) of every token of given completions."""
        import torch

        results = []
        for prompt, completion in zip(prompts, completions, strict=True):
            ids = torch.tensor([[*prompt, *completion]], device=self.device)  # (1, T)
            with torch.inference_mode():
                logits = self.model(input_ids=ids).logits[0, len(prompt) - 1 : -1]  # (completion, V)
            chosen = ids[0, len(prompt) :, None]
            results.append(torch.log_softmax(logits.float(), dim=-1).gather(-1, chosen)[:, 0].tolist())
        return results

    def _replace_weights(self, named_tensors: Sequence[tuple[str, Any]]) -> None:
        import torch

        own = self.model.state_dict()
        for name, tensor in named_tensors:
            if name not in own or own[name].shape != tensor.shape:
                raise PolicyError(
                    f"{self.name} has no parameter {name!r} of shape {tuple(tensor.shape)}; "
                    "give the parameters of the checkpoint, under its names"
                )
        with torch.no_grad():
            for name, tensor in named_tensors:
                own[name].copy_(tensor)

    def _describe_backend(self) -> Description:
        import torch
        import transformers

        return {
            "backend_version": transformers.__version__,
            "torch_version": torch.__version__,
            "device": str(self.device),
            "dtype": str(self.model.dtype).removeprefix("torch."),
        }

    def _within_memory(self, prompts: Sequence[Sequence[int]], seeds: Sequence[int]) -> list[Generation]:
        import torch

        try:
            return self._complete(prompts, seeds)
        except torch.OutOfMemoryError:
            raise PolicyError(
                f"{self.device} ran out of memory over {len(prompts)} completions at once; choose a smaller batch_size "
                "or max_model_len"
            ) from None

    def _complete(self, prompts: Sequence[Sequence[int]], seeds: Sequence[int]) -> list[Generation]:
        """Return the completions of one batch."""
        import torch

        self._forget_other_weights()
        grows = self.prompt_config.protocol != "window"  # a window's next prompt does not start with the last one
        known = self._known(prompts) if grows else ()
        rows = Rows(prompts, seeds, self.sampling, self.device, known)
        ids: list[list[int]] = [[] for _ in prompts]
        logprobs: list[list[float]] = [[] for _ in prompts]
        guesses: dict[int, list[int]] = {}  # of each row at work, read or not
        with torch.inference_mode():
            while rows.indices:
                drawn, scores = next_tokens(self._next_logits(rows), rows.draws().flatten(), self.sampling)
                tokens, own = (tensor.view(len(rows.indices), rows.width).tolist() for tensor in (drawn, scores))
                for row, (first, *_) in zip(rows.indices, tokens, strict=True):
                    if guesses.get(row):
                        self._drafts.saw(first == guesses[row][0])
                self._take(rows, tokens, own, ids, logprobs)
                ended = [self._has_ended(ids[row]) for row in rows.indices]
                for place, row in enumerate(rows.indices):
                    if ended[place]:
                        self._keep_read(rows, place, prompts[row], ids[row], with_prefix=grows)
                places = [place for place, has_ended in enumerate(ended) if not has_ended]
                going_on = [rows.indices[place] for place in places]
                guesses = {row: self._guesses(rows, prompts[row], ids[row]) for row in going_on}
                cost = GUESS_COST.get(self.device.type, GUESS_COST_ELSEWHERE)
                read = self._drafts.worth_reading(list(guesses.values()), cost)
                rows.go_on(places, [ids[row][-1] for row in going_on], read)
        return [Generation(tuple(i), tuple(lp)) for i, lp in zip(ids, logprobs, strict=True)]

    def _known(self, prompts: Sequence[Sequence[int]]) -> list[Prefix | None]:
        """Return what is known of each prompt's beginning, so much that the rest of none pads that of the others.

        In a batch of chats that have grown by a turn, one that begins, or has dropped its older half, has ten times as
        much left to read. Those read it first, but for the last token, among themselves.
        """
        known = {prompt: self._prefixes.longest(prompt) for prompt in map(tuple, prompts)}
        if any(known.values()):
            left = {prompt: len(prompt) - (len(prefix.ids) if prefix else 0) for prompt, prefix in known.items()}
            order = sorted(left, key=lambda prompt: (left[prompt], prompt))
            together = fitting([left[prompt] for prompt in order])
            while order := order[together:]:
                together = fitting([left[prompt] for prompt in order])
                known.update(self._read(order[:together], [known[prompt] for prompt in order[:together]]))
        return [known[prompt] for prompt in map(tuple, prompts)]

    def _read(
        self, prompts: Sequence[tuple[int, ...]], known: Sequence[Prefix | None]
    ) -> dict[tuple[int, ...], Prefix | None]:
        """Read prompts but for their last tokens, and return what is known of them then."""
        import torch

        with torch.inference_mode():
            rows = Rows([prompt[:-1] for prompt in prompts], [0] * len(prompts), self.sampling, self.device, known)
            self._next_logits(rows)
            layers = [rows.layers_of(place) for place in range(len(prompts))]
        return {
            prompt: None if own is None else Prefix(np.asarray(prompt[:-1]), own)
            for prompt, own in zip(prompts, layers, strict=True)
        }

    def _take(
        self,
        rows: Rows,
        drawn: Sequence[Sequence[int]],
        scores: Sequence[Sequence[float]],
        ids: list[list[int]],
        logprobs: list[list[float]],
    ) -> None:
        """Append what each row has drawn up to its first wrong guess or its end."""
        import torch

        taken = []
        for row, guesses, tokens, own in zip(rows.indices, rows.drafts, drawn, scores, strict=True):
            before = len(ids[row])
            for place, (token, score) in enumerate(zip(tokens, own, strict=True)):
                ids[row].append(token)
                logprobs[row].append(score)
                if place >= len(guesses) or token != guesses[place] or self._has_ended(ids[row]):
                    break
            taken.append(len(ids[row]) - before)
        rows.settle(torch.tensor(taken, device=self.device))

    def _has_ended(self, ids: Sequence[int]) -> bool:
        return len(ids) >= self.sampling.max_tokens or ids[-1] in self.stop_ids or self.holds_stop(ids)

    def _guesses(self, rows: Rows, prompt: Sequence[int], ids: Sequence[int]) -> list[int]:
        """Return guesses of the tokens after `ids`, so many that one more may be drawn."""
        if not rows.can_take_back:
            return []
        return self._drafts.after(
            [*prompt[-ORDER:], *ids[-ORDER:]], min(LONGEST, self.sampling.max_tokens - len(ids) - 1)
        )

    def _forget_other_weights(self) -> None:
        """Forget what other weights have read and written."""
        weights = tuple(parameter._version for parameter in self.model.parameters())  # counts changes in place
        if weights != self._known_weights:
            self._prefixes.clear()
            self._drafts.clear()
            self._known_weights = weights

    def _keep_read(
        self, rows: Rows, place: int, prompt: Sequence[int], ids: Sequence[int], *, with_prefix: bool
    ) -> None:
        """Keep what a row that ends now has written, and what it has read: all but the token drawn last."""
        self._drafts.learn([*prompt[-ORDER:], *ids], len(prompt[-ORDER:]))
        layers = rows.layers_of(place) if with_prefix else None
        if layers is not None:
            self._prefixes.keep([*prompt, *ids[:-1]], layers)

    def _next_logits(self, rows: Rows) -> Any:
        """Return the logits after what this pass reads: (P, V) for prompts, then (P W, V), P at work."""
        only_last = {"logits_to_keep": rows.width} if self._keeps_logits else {}
        output = self.model(
            input_ids=rows.input_ids,
            attention_mask=rows.attention_mask,
            position_ids=rows.position_ids,
            past_key_values=rows.cache,
            use_cache=True,
            **only_last,
        )
        logits = output.logits[:, -rows.width :].float()
        return rows.at_work(logits[rows.owners] if rows.took(output.past_key_values) else logits).flatten(0, 1)


def _device(device: str) -> Any:
    try:
        import torch
    except ImportError:
        raise MissingDependencyError(
            f"running a model needs torch and transformers: {install_hint('transformers')}"
        ) from None
    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        return torch.empty(0, device=device).device
    except (RuntimeError, AssertionError) as error:  # torch without CUDA answers with an AssertionError
        line = next(iter(str(error).splitlines()), type(error).__name__)
        raise PolicyError(f"device {device!r} cannot be used: {line}; choose auto, cpu or cuda") from None


def _loaded(path: Path, device: Any, dtype: str) -> Any:
    from transformers import AutoModelForCausalLM

    from agentgen_bench.policies.attention import share_keys

    wanted = "float32" if dtype == "auto" and device.type == "cpu" else dtype
    try:
        model = AutoModelForCausalLM.from_pretrained(str(path), dtype=wanted, local_files_only=True).to(device).eval()
    except (OSError, ValueError, KeyError, RuntimeError, ImportError) as error:
        line = next(iter(str(error).splitlines()), type(error).__name__)
        raise PolicyError(f"transformers cannot load the model in {path}: {line}") from error
    share_keys(model)
    return model


def _room_for_prefixes(device: Any) -> int:
    """Return the bytes that prefixes may take: a GiB, and on a CPU a share of the memory, the same in each run."""
    return max(PREFIX_BYTES, int(PREFIX_SHARE * memory_bytes())) if device.type == "cpu" else PREFIX_BYTES


def _load(wanted: Wanted) -> TransformersPolicy:
    resources = wanted.resources
    return TransformersPolicy(
        wanted.model,
        wanted.prompt_config,
        wanted.sampling,
        device=resources.device,
        dtype=resources.dtype,
        batch_size=resources.batch_size,
        max_model_len=resources.max_model_len,
        with_logprobs=wanted.with_logprobs,
    )


BACK_END = BackEnd("transformers", _load, package="transformers", install=install_hint("transformers"))
