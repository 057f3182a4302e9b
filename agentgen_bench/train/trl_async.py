"""GRPO on many GPUs: our rollouts and advantages feed TRL's asynchronous trainer; nothing here is a trainer of ours.

Three parts work at once. vLLM servers draw completions. A few processes of ours play: environments, prompts, parsing,
the rollout loop and the advantages are those of `grpo.py`; each finished group becomes rows in a queue. TRL's
`AsyncGRPOTrainer` (DDP or FSDP2 by accelerate) takes rows from the queue, makes optimizer steps and sends the new
weights to vLLM after each. It takes a worker of our own through its `RolloutWorkerProtocol`, so no private name is used
and no TRL class is subclassed, but for `clip="one_side"`: there its loss is asked for with other gradients.

What the engine does otherwise than `grpo.py`:

- Steps are optimizer steps of `mini_batch` rows; groups are played ahead of them, so a row may be drawn by weights that
  are a few updates old. Each row carries the version of its own step; TRL drops those older than `max_staleness`.
- The ratio is taken against vLLM's log-probabilities (`importance_cap=None` there); there is no KL penalty, and one
  epoch. Settings that ask for anything else are refused.
- `reweight_negative` weights blocks of `mini_batch` rows in the order in which they come. Rows that are dropped as too
  old make the blocks of later steps those of two.
- The loss is a mean over the tokens of each micro-batch, and micro-batches weigh the same; in `grpo.py` every token of
  the mini-batch does. With one micro-batch the two make the same step (a test).
- Two runs with the same seed play the same levels, but are not equal: what is drawn by which weights is a race.

A run goes on from its newest whole checkpoint with new levels, decided by the seed and that checkpoint's step. One that
it was killed in the middle of is set aside (`trl_checkpoints.py`).
"""

import os
import sys
from contextlib import ExitStack
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from agentgen_bench.address import shown_url
from agentgen_bench.errors import MissingDependencyError, SpecError, install_hint
from agentgen_bench.make import make
from agentgen_bench.policies.local import DEFAULT_CONTEXT_TOKENS
from agentgen_bench.seeding import seed_from
from agentgen_bench.train.checkpoints import refuse_fewer_steps
from agentgen_bench.train.grpo_config import Config
from agentgen_bench.train.logs import Logs
from agentgen_bench.train.optimizing import tokens_per_pass
from agentgen_bench.train.players import MakePolicy, RolloutWorker, server_policy
from agentgen_bench.train.provenance import of_sources, played_before, record_training
from agentgen_bench.train.settings import open_training, to_json
from agentgen_bench.train.streaming import MakeEnv
from agentgen_bench.train.trl_checkpoints import keep_newest, set_unfinished_aside, whole_checkpoints
from agentgen_bench.train.trl_config import Engine, check_settings

MAX_EXPONENT = 60.0  # e^60 is finite in float32, and times 0 still 0
INSTALL = f"training by TRL needs TRL: {install_hint('trl')}"


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
    fitting = max(1, tokens_per_pass(config.micro_batch_tokens, "cuda") // longest)
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
        RunError: the folder cannot be used, more steps are done than asked for, or a player failed.
    """
    check_settings(config)
    try:
        from datasets import Dataset
        from transformers import PrinterCallback
        from trl.experimental.async_grpo import AsyncGRPOConfig, AsyncGRPOTrainer
    except ImportError:
        raise MissingDependencyError(INSTALL) from None
    if weight_transfer is None:
        _check_machine(config, engine)
    run = Path(config.output)
    cpu = {} if _has_gpu() else {"use_cpu": True}
    arguments = AsyncGRPOConfig(**trl_settings(config, engine, int(os.environ.get("WORLD_SIZE", "1"))), **cpu)
    is_main = arguments.process_index == 0
    held = ExitStack()
    if is_main:
        settings = {**to_json(config), "engine": {**to_json(engine), "server": shown_url(engine.server)}}
        free = ("output", "tracker", "save_every", "keep", "engine")
        if resume:
            refuse_fewer_steps(next(reversed(whole_checkpoints(run)), None), config.steps)
        held = open_training(run, settings, resume, (*free, "steps") if config.schedule == "constant" else free)
    with held:
        for line in set_unfinished_aside(run) if is_main else ():
            sys.stderr.write(line + "\n")
        whole = whole_checkpoints(run) if resume else []  # the same in every process, before and after that
        start = whole[-1] if whole else None
        done = int(start.name.rsplit("-", 1)[1]) if start else 0
        worker = RolloutWorker(config, engine, seed_from("trl", config.seed, done), make_policy, make_env)
        trainer = one_sided(AsyncGRPOTrainer, config)(
            model=config.model,
            args=arguments,
            train_dataset=Dataset.from_dict({"prompt": ["the worker draws the levels"]}),  # TRL asks for one
            rollout_worker=worker,
            weight_transfer=weight_transfer,
            callbacks=[_log_lines(run, done, config.steps), _records(config, worker, start)] if is_main else [],
        )
        trainer.remove_callback(PrinterCallback)  # it prints every step's numbers; they are in the log
        trainer.train(resume_from_checkpoint=None if start is None else str(start))
    return run / f"checkpoint-{config.steps}"


def one_sided(trainer: Any, config: Config) -> Any:
    """Return TRL's trainer class as it is, or for `clip="one_side"` with the gradient of A log p, without a ratio."""
    if config.clip != "one_side":
        return trainer

    class OneSided(trainer):  # type: ignore[misc]
        """TRL's loss and bounds; what it differentiates has the ratio taken out."""

        def compute_loss(
            self, model: Any, inputs: Any, return_outputs: bool = False, num_items_in_batch: Any = None
        ) -> Any:
            """Return TRL's loss of a model whose log-probabilities have other gradients."""
            return super().compute_loss(*_without_ratio(model, inputs), return_outputs, num_items_in_batch)

    return OneSided


def _without_ratio(model: Any, inputs: Any) -> tuple[Any, Any]:
    """Return the model with the gradient of each log-probability divided by the ratio that TRL's loss multiplies.

    The gradient of A r, with r = exp(log p - old), is A r times that of log p; where it is clipped it stays 0. Rows
    that begin alike share their first positions, each with an `old` of its own; so the model answers for each drawn
    token by itself, and the inputs that go with it say so.
    """
    import torch

    is_drawn = inputs["token_index"] >= 0
    places, old = inputs["token_index"][is_drawn], inputs["old_log_probs"][is_drawn]
    token_index = inputs["token_index"].clone()
    token_index[is_drawn] = torch.arange(len(places), device=places.device, dtype=token_index.dtype)

    def called(**arguments: Any) -> Any:
        outputs = model(**arguments)
        found = outputs.log_probs.flatten()[places]
        held = found.detach()
        outputs.log_probs = held + (found - held) * torch.exp((old - held).clamp(max=MAX_EXPONENT))
        outputs.entropy = outputs.entropy.flatten()[places]
        return outputs

    return called, {**inputs, "token_index": token_index}


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


def _records(config: Config, worker: RolloutWorker, start: Path | None) -> Any:
    """Return a callback that writes each checkpoint's training record: all levels that were finished by then.

    The record is the last that a checkpoint gets; older ones are removed after it, so that one is always whole.
    """
    from transformers import TrainerCallback

    class Records(TrainerCallback):  # type: ignore[misc]
        """A training.json in each checkpoint."""

        def __init__(self) -> None:
            self.levels = played_before(start)

        def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            """Write the record of the checkpoint that was just written."""
            self.levels.add(worker.level_ids())
            record_training(
                Path(args.output_dir) / f"checkpoint-{state.global_step}",
                "trl",
                parent=config.model,
                run=Path(config.output),
                step=state.global_step,
                settings=to_json(config),
                sources=of_sources(config.sources),
                levels=self.levels,
            )
            keep_newest(Path(args.output_dir), config.keep)

    return Records()


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
