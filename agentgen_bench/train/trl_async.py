"""GRPO on many GPUs: our rollouts and advantages feed TRL's asynchronous trainer; nothing here is a trainer of ours.

Three parts work at once. vLLM servers draw completions. A few processes of ours play: environments, prompts, parsing,
the rollout loop and the advantages are those of `grpo.py`; each finished group becomes rows in a queue. TRL's
`AsyncGRPOTrainer` (DDP or FSDP2 by accelerate) takes rows from the queue, makes optimizer steps and sends the new
weights to vLLM after each. It takes a worker of our own through its `RolloutWorkerProtocol`, so no TRL class is
subclassed and no private name is used.

What the engine does otherwise than `grpo.py`:

- Steps are optimizer steps of `mini_batch` rows; groups are played ahead of them, so a row may be drawn by weights that
  are a few updates old. Each row carries the version of its own step; TRL drops those older than `max_staleness`.
- The ratio is taken against vLLM's log-probabilities (`importance_cap=None` there); there is no KL penalty, and one
  epoch. Settings that ask for anything else are refused.
- The loss is a mean over the tokens of each micro-batch, and micro-batches weigh the same; in `grpo.py` every token of
  the mini-batch does. With one micro-batch the two make the same step (a test).
- Two runs with the same seed play the same levels, but are not equal: what is drawn by which weights is a race.

A run goes on from its newest checkpoint with new levels, decided by the seed and that checkpoint's step.
"""

import multiprocessing
import os
import queue
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from multiprocessing.queues import Queue
from pathlib import Path
from typing import Any

import numpy as np

from agentgen_bench.errors import MissingDependencyError, RunError, SpecError
from agentgen_bench.make import make
from agentgen_bench.policies.base import Decision
from agentgen_bench.policies.local import DEFAULT_CONTEXT_TOKENS, LocalPolicy
from agentgen_bench.policies.sampling import Sampling
from agentgen_bench.policies.token_server import TokenServerPolicy
from agentgen_bench.seeding import seed_from
from agentgen_bench.train.grpo import Config
from agentgen_bench.train.logs import Logs
from agentgen_bench.train.settings import open_training, to_json
from agentgen_bench.train.streaming import MakeEnv, Sample, endless_groups, played_groups

INSTALL = "training by TRL needs TRL: pip install 'agentgen-bench[trl]'"
MakePolicy = Callable[[Config, "Engine"], LocalPolicy]
# What accelerate's launcher sets for its processes; a process that only plays must not take itself for one of them.
LAUNCHER_VARIABLES = ("RANK", "LOCAL_RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")
# What TRL's asynchronous trainer does and cannot do otherwise.
FIXED: dict[str, Any] = {"kl_coef": 0.0, "importance_cap": None, "loss_mean": "tokens", "epochs": 1, "lora_rank": 0}


@dataclass(frozen=True)
class Engine:
    """What the asynchronous trainer needs beside a `grpo.Config`."""

    server: str = "http://localhost:8000"
    """Root of the vLLM server, which serves the same model."""
    play_processes: int = 4
    """Processes that play, each with a loop of its own and the config's `workers` environments."""
    max_staleness: int = 4
    """Rows drawn by weights more updates old than this are dropped."""
    queue_rows: int = 1024
    """Rows that wait for the trainer at most; the players wait while it is full."""
    heartbeat_s: float = 1800.0
    """Seconds without a decision after which a player counts as hung."""

    def __post_init__(self) -> None:
        """Raise SpecError for values out of range."""
        for name in ("play_processes", "queue_rows"):
            if getattr(self, name) < 1:
                raise SpecError(f"{name}={getattr(self, name)!r} is out of range; choose 1 or more")
        if self.max_staleness < 0:
            raise SpecError(f"max_staleness={self.max_staleness!r} is out of range; choose 0 or more")


# --------------------------------------------------------------------------------------------------------------------
# The processes that play, and the worker through which TRL sees them
# --------------------------------------------------------------------------------------------------------------------


class _StoppedError(Exception):
    """The trainer has ended."""


@dataclass
class _Shared:
    """What the trainer's process and the players share."""

    samples: "Queue[Sample]"
    numbers: "Queue[dict[str, tuple[float, float]]]"
    failures: "Queue[str]"
    version: Any  # of the weights that the server has
    stop: Any
    heartbeats: Any  # by player: time of its last decision


def server_policy(config: Config, engine: Engine) -> LocalPolicy:
    """Return the policy that asks the server."""
    context = None if config.max_prompt_tokens is None else config.max_prompt_tokens + config.max_tokens
    sampling = Sampling(config.temperature, max_tokens=config.max_tokens, seed=config.seed)
    return TokenServerPolicy(
        config.model, engine.server, config.prompt, sampling, max_model_len=context, concurrency=config.workers
    )


def _play_for_ever(
    config: Config,
    engine: Engine,
    shared: _Shared,
    part: int,
    stream_seed: int,
    make_policy: MakePolicy,
    make_env: MakeEnv,
) -> None:
    """Play until told to stop: what runs in a player."""
    import signal

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole process group; the trainer tells us
    os.environ["CUDA_VISIBLE_DEVICES"] = ""
    for name in LAUNCHER_VARIABLES:
        os.environ.pop(name, None)

    trainer = multiprocessing.parent_process()

    def beat(decisions: Sequence[Decision] = ()) -> None:
        if shared.stop.is_set() or (trainer is not None and not trainer.is_alive()):
            raise _StoppedError
        shared.heartbeats[part] = time.time()

    try:
        policy = make_policy(config, engine)
        groups = endless_groups(config, stream_seed, part, engine.play_processes)
        for played in played_groups(groups, policy, config, lambda: int(shared.version.value), make_env, beat):
            shared.numbers.put(played.numbers)
            for sample in played.samples:
                _put(shared.samples, sample, beat)
    except _StoppedError:
        shared.samples.cancel_join_thread()  # nobody reads what is still in the pipe
        shared.numbers.cancel_join_thread()
    except Exception as error:  # noqa: BLE001 - whatever ends a player, the trainer must hear of it
        shared.failures.put(f"{type(error).__name__}: {error}")


def _put(samples: "Queue[Sample]", sample: Sample, beat: Callable[[], None]) -> None:
    """Put a row into the queue, waiting while it is full."""
    while True:
        beat()
        try:
            return samples.put(sample, timeout=1.0)
        except queue.Full:
            pass


class _Rows:
    """The queue as TRL reads it: rows of ours turned into its `RolloutSample`s."""

    def __init__(self, samples: "Queue[Sample]") -> None:
        self._samples = samples

    def get(self, timeout: float | None = None) -> Any:
        from trl.experimental.async_grpo.async_rollout_worker import RolloutSample

        sample = self._samples.get(timeout=timeout)
        prompt, completion, logprobs = sample.tokens
        return RolloutSample(
            prompt=[],  # messages, which TRL only logs
            completion=[],
            input_ids=np.array([*prompt, *completion], dtype=np.int64),
            completion_mask=np.array([0] * len(prompt) + [1] * len(completion), dtype=np.int64),
            old_log_probs=np.array([0.0] * len(prompt) + list(logprobs), dtype=np.float32),
            advantage=sample.advantage,
            model_version=sample.version,
            group_id=sample.group,
            metrics={},
        )

    def qsize(self) -> int:
        return self._samples.qsize()


class RolloutWorker:
    """TRL's `RolloutWorkerProtocol` over processes that play; lives in the trainer's first process."""

    def __init__(
        self,
        config: Config,
        engine: Engine,
        stream_seed: int,
        make_policy: MakePolicy = server_policy,
        make_env: MakeEnv = make,
    ) -> None:
        """Prepare; nothing is started. `stream_seed` decides the levels; the makers must be picklable."""
        spawned = multiprocessing.get_context("spawn")  # a fork of a process that uses CUDA cannot work
        self._engine = engine
        self._shared = _Shared(
            samples=spawned.Queue(engine.queue_rows),
            numbers=spawned.Queue(),
            failures=spawned.Queue(),
            version=spawned.Value("q", 0),
            stop=spawned.Event(),
            heartbeats=spawned.Array("d", engine.play_processes),
        )
        self._players = [
            spawned.Process(
                target=_play_for_ever,
                args=(config, engine, self._shared, part, stream_seed, make_policy, make_env),
                daemon=True,
            )
            for part in range(engine.play_processes)
        ]
        self.rollout_buffer = _Rows(self._shared.samples)
        self.metrics_queue = self._shared.numbers

    def start(self) -> None:
        """Start the players; TRL calls it once the server has the first weights."""
        for part, player in enumerate(self._players):
            self._shared.heartbeats[part] = time.time()
            player.start()

    def update_model_version(self, model_version: int) -> None:
        """Note which weights the server has from now on."""
        self._shared.version.value = model_version

    def check_health(self, stale_after_s: float) -> None:
        """Raise RunError where a player has failed, or made no decision for `stale_after_s` seconds."""
        try:
            raise RunError(f"a player failed: {self._shared.failures.get_nowait()}")
        except queue.Empty:
            pass
        for part, player in enumerate(self._players):
            if player.exitcode is not None:
                raise RunError(f"player {part} ended with exit code {player.exitcode}; was it out of memory?")
            silent_s = time.time() - self._shared.heartbeats[part]
            if silent_s > stale_after_s:
                raise RunError(f"player {part} has made no decision for {silent_s:.0f} s; does the server answer?")

    def stop(self) -> None:
        """End the players."""
        self._shared.stop.set()
        for player in self._players:
            if player.pid is not None:
                player.join(timeout=10)
                player.kill()


# --------------------------------------------------------------------------------------------------------------------
# The trainer
# --------------------------------------------------------------------------------------------------------------------


def check_settings(config: Config) -> None:
    """Raise SpecError for settings that TRL's asynchronous trainer cannot follow."""
    for name, value in FIXED.items():
        if getattr(config, name) != value:
            raise SpecError(f"{name}={getattr(config, name)!r} is not what TRL's asynchronous trainer does: {value!r}")


def rows_per_pass(config: Config, n_processes: int) -> int:
    """Return how many rows a process takes in one forward pass: as many as fit and divide its mini-batch evenly.

    Raises:
        SpecError: the mini-batch cannot be shared out evenly.
    """
    own, rest = divmod(config.mini_batch, n_processes)
    if rest or not own:
        raise SpecError(f"mini_batch={config.mini_batch} cannot be shared by {n_processes} processes; take a multiple")
    longest = DEFAULT_CONTEXT_TOKENS
    if config.max_prompt_tokens is not None:
        longest = config.max_prompt_tokens + config.max_tokens
    fitting = max(1, config.micro_batch_tokens // longest)
    return max(rows for rows in range(1, min(own, fitting) + 1) if own % rows == 0)


def trl_settings(config: Config, engine: Engine, n_processes: int) -> dict[str, Any]:
    """Return the fields of TRL's AsyncGRPOConfig that say what `config` says."""
    rows = rows_per_pass(config, n_processes)
    schedule = "constant_with_warmup" if config.schedule == "constant" and config.warmup_steps else config.schedule
    return {
        "output_dir": config.output,
        "max_steps": config.steps,
        "seed": config.seed,
        "per_device_train_batch_size": rows,
        "gradient_accumulation_steps": config.mini_batch // (rows * n_processes),
        "token_budget": -1,  # batches by number of rows, so that a step has mini_batch of them
        "learning_rate": config.learning_rate,
        "lr_scheduler_type": schedule,
        "warmup_steps": config.warmup_steps,
        "weight_decay": config.weight_decay,
        "max_grad_norm": config.max_gradient_norm,
        "epsilon": config.clip_low,
        "epsilon_high": config.clip_high,
        "temperature": config.temperature,
        "max_completion_length": config.max_tokens,
        "num_generations": config.group_size,
        "bf16": config.bf16,
        "gradient_checkpointing": config.gradient_checkpointing,
        "ddp_find_unused_parameters": False,
        "vllm_server_base_url": engine.server,
        "max_staleness": engine.max_staleness,
        "heartbeat_stale_after_s": engine.heartbeat_s,
        "save_steps": config.save_every,
        "save_total_limit": config.keep,
        "report_to": [config.tracker] if config.tracker else "none",
        "logging_steps": 1,
        "disable_tqdm": True,
    }


def train(
    config: Config,
    engine: Engine,
    *,
    resume: bool = False,
    weight_transfer: Any = None,
    make_policy: MakePolicy = server_policy,
    make_env: MakeEnv = make,
) -> Path:
    """Train and return the last checkpoint, a Hugging Face folder.

    Run it under `accelerate launch` for several GPUs. `weight_transfer` replaces TRL's own, which broadcasts the
    weights to the vLLM server over NCCL.

    Raises:
        SpecError: settings that TRL's asynchronous trainer cannot follow.
        MissingDependencyError: TRL, vLLM or a GPU is missing.
        PolicyError: the server does not answer, or serves with too small a context.
        RunError: the folder cannot be used, or a player failed.
    """
    check_settings(config)
    try:
        from datasets import Dataset
        from transformers import PrinterCallback
        from transformers.trainer_utils import get_last_checkpoint
        from trl.experimental.async_grpo import AsyncGRPOConfig, AsyncGRPOTrainer
    except ImportError:
        raise MissingDependencyError(INSTALL) from None
    if weight_transfer is None:
        _check_machine(config, engine)
    run = Path(config.output)
    cpu = {} if _has_gpu() else {"use_cpu": True}
    arguments = AsyncGRPOConfig(**trl_settings(config, engine, int(os.environ.get("WORLD_SIZE", "1"))), **cpu)
    is_main = arguments.process_index == 0
    if is_main:
        settings = {**to_json(config), "engine": to_json(engine)}
        free = ("output", "tracker", "save_every", "keep", "engine")
        open_training(run, settings, resume, (*free, "steps") if config.schedule == "constant" else free)
    start = get_last_checkpoint(str(run)) if resume else None
    done = int(start.rsplit("-", 1)[1]) if start else 0
    trainer = AsyncGRPOTrainer(
        model=config.model,
        args=arguments,
        train_dataset=Dataset.from_dict({"prompt": ["the worker draws the levels"]}),  # TRL asks for one
        rollout_worker=RolloutWorker(config, engine, seed_from("trl", config.seed, done), make_policy, make_env),
        weight_transfer=weight_transfer,
        callbacks=[_log_lines(run, done, config.steps)] if is_main else [],
    )
    trainer.remove_callback(PrinterCallback)  # it prints every step's numbers; they are in the log
    trainer.train(resume_from_checkpoint=start)
    return run / f"checkpoint-{config.steps}"


def _check_machine(config: Config, engine: Engine) -> None:
    """Raise, before a model is loaded, where weights could not reach the server."""
    if find_spec("vllm") is None:
        raise MissingDependencyError(
            "sending weights to vLLM needs it in the trainer's environment too: pip install vllm"
        )
    if not _has_gpu():
        raise MissingDependencyError(
            "train trl needs CUDA GPUs, which torch does not see here; take train grpo on a CPU"
        )
    if os.environ.get("RANK", "0") == "0":
        server_policy(config, engine)


def _has_gpu() -> bool:
    import torch

    return bool(torch.cuda.is_available())


def _log_lines(run: Path, done: int, steps: int) -> Any:
    """Return a callback that writes TRL's numbers of each step to `log.jsonl`, with a bar on a terminal."""
    from transformers import TrainerCallback

    class LogLines(TrainerCallback):  # type: ignore[misc]
        """A line of plain numbers per step, as of every training run."""

        def __init__(self) -> None:
            self.logs = Logs(run, done, None, ("reward/mean", "success/mean", "kl", "sample/staleness_mean"), steps)

        def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, Any] | None = None, **_: Any) -> None:
            """Write the numbers of the step that has ended; the summary after the last step is left out."""
            if logs and "loss" in logs:
                numbers = {name: float(value) for name, value in logs.items() if isinstance(value, (int, float))}
                self.logs.write(state.global_step, numbers)

        def on_train_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            """Close the file."""
            self.logs.close()

    return LogLines()
