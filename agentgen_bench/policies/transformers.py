"""A Hugging Face model run by transformers, on CPU or GPU: for machines without vLLM, and as its second opinion.

The generation loop is written out, because `model.generate` draws a batch from one random stream: a completion
would depend on its neighbours. Here each row inverts its own distribution with its own numbers.
"""

import inspect
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from agentgen_bench.errors import MissingDependencyError, PolicyError
from agentgen_bench.policies.local import Generation, LocalPolicy
from agentgen_bench.policies.sampling import Sampling
from agentgen_bench.policies.threads import leave_cores_free
from agentgen_bench.prompts import PromptConfig
from agentgen_bench.seeding import stream

DTYPES = ("auto", "float32", "bfloat16", "float16")


class TransformersPolicy(LocalPolicy):
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
        if dtype not in DTYPES:
            raise PolicyError(f"unknown dtype {dtype!r}; choose one of: {', '.join(DTYPES)}")
        if batch_size < 1:
            raise PolicyError(f"batch_size={batch_size} is out of range; choose 1 or more")
        self.batch_size = batch_size
        self.device = _device(device)
        self.model = _loaded(self.checkpoint.path, self.device, dtype)
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

    def _describe_backend(self) -> dict[str, Any]:
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

        sampling = self.sampling
        rows = _Rows(prompts, seeds, sampling, self.device)
        stops = torch.tensor(self.stop_ids, device=self.device)
        ids: list[list[int]] = [[] for _ in prompts]
        logprobs: list[list[float]] = [[] for _ in prompts]
        with torch.inference_mode():
            for t in range(sampling.max_tokens):
                tokens, scores = next_tokens(self._next_logits(rows), rows.uniforms[:, t], sampling)
                for row, token, score in zip(rows.indices, tokens.tolist(), scores.tolist(), strict=True):
                    ids[row].append(token)
                    logprobs[row].append(score)
                rows.advance(tokens, ~torch.isin(tokens, stops))
                if not rows.indices:
                    break
        return [Generation(tuple(i), tuple(lp)) for i, lp in zip(ids, logprobs, strict=True)]

    def _next_logits(self, rows: "_Rows") -> Any:
        only_last = {"logits_to_keep": 1} if self._keeps_logits else {}
        output = self.model(
            input_ids=rows.input_ids,
            attention_mask=rows.attention_mask,
            position_ids=rows.position_ids,
            past_key_values=rows.cache,
            use_cache=True,
            **only_last,
        )
        is_prompt, rows.cache = rows.cache is None, output.past_key_values
        if is_prompt:
            rows.share()
        logits = output.logits[:, -1].float()
        return logits[rows.owners] if is_prompt else logits  # (B, V)


class _Rows:
    """The unfinished rows of a batch: what the model reads next, and each row's own random numbers.

    Equal prompts, which episodes of one level share, are read once: until `share` the tensors have a row for each
    distinct prompt (D), then one for each completion (B).
    """

    def __init__(self, prompts: Sequence[Sequence[int]], seeds: Sequence[int], sampling: Sampling, device: Any) -> None:
        import torch

        width = max(map(len, prompts))
        places: dict[tuple[int, ...], int] = {}
        owners = [places.setdefault(tuple(prompt), len(places)) for prompt in prompts]
        self.indices = list(range(len(prompts)))
        self.owners = torch.tensor(owners, device=device)  # (B,), which distinct prompt is each completion's
        self.input_ids = torch.tensor([[0] * (width - len(p)) + list(p) for p in places], device=device)  # (D, T)
        self.attention_mask = torch.tensor(
            [[0] * (width - len(p)) + [1] * len(p) for p in places], device=device
        )  # (D, T)
        self.position_ids = (self.attention_mask.cumsum(-1) - 1).clamp(min=0)
        draws = np.stack([stream("completion", seed).random(sampling.max_tokens) for seed in seeds])
        self.uniforms = torch.from_numpy(draws).to(device)  # (B, max_tokens), in [0, 1)
        self.cache: Any = None

    def share(self) -> None:
        """Give each completion its own copy of what was read of its prompt."""
        if len(self.attention_mask) == len(self.owners):
            return
        self.cache.batch_select_indices(self.owners)
        self.attention_mask = self.attention_mask[self.owners]
        self.position_ids = self.position_ids[self.owners]

    def advance(self, tokens: Any, going_on: Any) -> None:
        """Append the tokens and drop the rows that are finished, cache included."""
        import torch

        self.attention_mask = torch.cat([self.attention_mask, torch.ones_like(tokens)[:, None]], dim=-1)
        self.position_ids = self.position_ids[:, -1:] + 1
        self.input_ids = tokens[:, None]
        if bool(going_on.all()):
            return
        keep = going_on.nonzero()[:, 0]
        self.indices = [self.indices[i] for i in keep.tolist()]
        for name in ("attention_mask", "position_ids", "input_ids", "uniforms"):
            setattr(self, name, getattr(self, name)[keep])
        if self.indices:
            self.cache.batch_select_indices(keep)


def next_tokens(logits: Any, uniforms: Any, sampling: Sampling) -> tuple[Any, Any]:
    """Return each row's next token and its log-probability under the distribution it was drawn from.

    Args:
        logits: float tensor, (B, V).
        uniforms: one number in [0, 1) per row, which inverts the row's cumulative distribution; (B,).
        sampling: temperature, top_k and top_p, applied in this order, as vLLM does.
    """
    import torch

    if sampling.greedy:
        tokens = logits.argmax(dim=-1)
    else:
        logits = _nucleus(logits / sampling.temperature, sampling)
        cumulative = logits.softmax(dim=-1).double().cumsum(dim=-1)  # (B, V)
        total = cumulative[:, -1]
        target = torch.minimum(uniforms * total, torch.nextafter(total, torch.zeros_like(total)))
        tokens = torch.searchsorted(cumulative, target[:, None], right=True)[:, 0]
    return tokens, logits.log_softmax(dim=-1).gather(-1, tokens[:, None])[:, 0]


def _nucleus(logits: Any, sampling: Sampling) -> Any:
    """Return the logits with those outside top_k and top_p at minus infinity; ties at the border stay in."""
    if sampling.top_k is not None and sampling.top_k < logits.shape[-1]:
        border = logits.topk(sampling.top_k, dim=-1).values[:, -1:]
        logits = logits.masked_fill(logits < border, -float("inf"))
    if sampling.top_p < 1:
        ordered, order = logits.sort(dim=-1, descending=True)
        probabilities = ordered.softmax(dim=-1)
        outside = probabilities.cumsum(dim=-1) - probabilities >= sampling.top_p  # the mass before it suffices
        logits = logits.masked_fill(outside.scatter(-1, order, outside), -float("inf"))
    return logits


def _device(device: str) -> Any:
    try:
        import torch
    except ImportError:
        raise MissingDependencyError(
            "running a model needs torch and transformers: pip install 'agentgen-bench[transformers]'"
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

    wanted = "float32" if dtype == "auto" and device.type == "cpu" else dtype
    try:
        model = AutoModelForCausalLM.from_pretrained(str(path), dtype=wanted, local_files_only=True)
        return model.to(device).eval()
    except (OSError, ValueError, KeyError, RuntimeError, ImportError) as error:
        line = next(iter(str(error).splitlines()), type(error).__name__)
        raise PolicyError(f"transformers cannot load the model in {path}: {line}") from error
