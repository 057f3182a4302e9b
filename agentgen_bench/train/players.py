"""The processes that play for an asynchronous trainer, and the worker through which TRL's trainer sees them.

A player runs the rollout loop over groups of its own without end, asks the server for completions, and puts finished
groups into a queue as rows. Players neither use a GPU nor import TRL; they end when the trainer does, also when it was
killed.
"""

import contextlib
import multiprocessing
import os
import queue
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from multiprocessing.queues import Queue
from typing import Any, Protocol

import numpy as np

from agentgen_bench.errors import RunError
from agentgen_bench.make import make
from agentgen_bench.policies.base import Decision, Policy
from agentgen_bench.policies.sampling import Sampling
from agentgen_bench.policies.token_server import TokenServerPolicy
from agentgen_bench.train.grpo_config import Config
from agentgen_bench.train.reweighting import reweighted, temperature_for, weighted_sum
from agentgen_bench.train.streaming import MakeEnv, Sample, endless_groups, played_groups
from agentgen_bench.train.trl_config import Engine

MakePolicy = Callable[[Config, Engine], Policy]
# What accelerate's launcher sets for its processes; a process that only plays must not take itself for one of them.
LAUNCHER_VARIABLES = ("RANK", "LOCAL_RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")


class _StoppedError(Exception):
    """The trainer has ended."""


@dataclass
class _Shared:
    """What the trainer's process and the players share."""

    samples: "Queue[Sample]"
    numbers: "Queue[dict[str, tuple[float, float]]]"
    failures: "Queue[str]"
    levels: "Queue[str]"  # ids of those played
    version: Any  # of the weights that the server has
    stop: Any
    heartbeats: Any  # by player: time of its last decision


def server_policy(config: Config, engine: Engine) -> Policy:
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
            shared.levels.put(played.level_id)
            for sample in played.samples:
                _put(shared.samples, sample, beat)
    except _StoppedError:
        shared.samples.cancel_join_thread()  # nobody reads what is still in the pipe
        shared.numbers.cancel_join_thread()
        shared.levels.cancel_join_thread()
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


class Samples(Protocol):
    """Where rows come from, as a queue has it."""

    def get(self, *, timeout: float | None = None) -> Sample:
        """Return the next row; raises queue.Empty where none came in time."""
        ...

    def qsize(self) -> int:
        """Return how many rows wait."""
        ...


class Weighted:
    """Rows with the weights of `reweighting`: a block at a time, as many as an optimizer step takes."""

    def __init__(
        self,
        samples: Samples,
        block: int,
        note: Callable[[dict[str, tuple[float, float]]], None] = lambda numbers: None,
    ) -> None:
        """Take rows from `samples`; `note` is told each block's temperature, 0 where it needs no weights."""
        self._samples, self._block, self._note = samples, block, note
        self._coming: list[Sample] = []
        self._ready: deque[Sample] = deque()

    def get(self, *, timeout: float | None = None) -> Sample:
        """Return the next row, once its block is whole; raises queue.Empty where that takes longer."""
        while not self._ready:
            self._coming.append(self._samples.get(timeout=timeout))
            if len(self._coming) == self._block:
                self._weigh()
        return self._ready.popleft()

    def qsize(self) -> int:
        """Return how many rows wait, here and where they come from."""
        return self._samples.qsize() + len(self._coming) + len(self._ready)

    def _weigh(self) -> None:
        credits = [sample.advantage for sample in self._coming]
        tokens = [len(sample.tokens.completion_ids) for sample in self._coming]
        temperature = temperature_for(lambda temperature: weighted_sum(credits, tokens, temperature))
        weighted = reweighted(credits, temperature).tolist()
        self._ready.extend(
            sample._replace(advantage=credit) for sample, credit in zip(self._coming, weighted, strict=True)
        )
        self._coming = []
        self._note({"weights/temperature": (temperature or 0.0, 1.0)})


class _Rows:
    """The queue as TRL reads it: rows of ours turned into its `RolloutSample`s."""

    def __init__(self, samples: Samples) -> None:
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
            levels=spawned.Queue(),
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
        samples: Samples = self._shared.samples
        if config.reweight_negative:
            samples = Weighted(samples, config.mini_batch, self._shared.numbers.put)
        self.rollout_buffer: _Rows = _Rows(samples)
        self.metrics_queue = self._shared.numbers

    def start(self) -> None:
        """Start the players; TRL calls it once the server has the first weights."""
        for part, player in enumerate(self._players):
            self._shared.heartbeats[part] = time.time()
            player.start()

    def level_ids(self) -> list[str]:
        """Return the levels that the players have finished since this was asked last."""
        found: list[str] = []
        with contextlib.suppress(queue.Empty):
            while True:
                found.append(self._shared.levels.get_nowait())
        return found

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
        self._shared.numbers.cancel_join_thread()  # ours are in it too; when nobody reads on, the program's end waits
        for player in self._players:
            if player.pid is not None:
                player.join(timeout=10)
                player.kill()
