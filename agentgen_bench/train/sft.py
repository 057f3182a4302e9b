"""Behaviour cloning: make the completions of demonstrations more likely, before reinforcement learning or instead.

The loss is the mean negative log-probability of the completion tokens of a batch, the end-of-turn token included;
prompts are read, not learned, unless `prompt_weight` says so: a model made from nothing learns from them what the
world's text is like. A demonstration is one step, or in a growing chat a whole episode. Environments are mixed by
weight, so that one with long episodes does not take over.
"""

import json
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple, NotRequired, TypedDict

import numpy as np
import torch

from agentgen_bench.errors import DataError
from agentgen_bench.evaluation.training import PlayedLevels
from agentgen_bench.knobs import SpecJson
from agentgen_bench.policies.chat import ChatFormat
from agentgen_bench.seeding import seed_from, stream
from agentgen_bench.train.checkpoints import (
    checkpoint_path,
    last_checkpoint,
    load_state,
    remove_unfinished,
    save_state,
    write_checkpoint,
)
from agentgen_bench.train.demonstrations import Demonstration, read_demonstrations
from agentgen_bench.train.logs import Logs, SilentLogs
from agentgen_bench.train.models import ADAPTER_FOLDER, Lora, load_model, load_tokenizer, save_model, trainable
from agentgen_bench.train.norms import use_fused_norms
from agentgen_bench.train.optimizing import (
    accelerator_for,
    dropout_drawn_from,
    learning_rate,
    out_of_memory_explained,
    set_learning_rate,
    stop_unless_finite,
    tokens_per_pass,
)
from agentgen_bench.train.packing import attention_kernel, set_attention, takes_packs
from agentgen_bench.train.provenance import record_training
from agentgen_bench.train.settings import open_training, to_json
from agentgen_bench.train.sft_config import Config as Config
from agentgen_bench.train.sharding import (
    clip_gradients,
    equal_passes,
    gathered_weights,
    gradients_meet,
    load_optimizer_state,
    optimizer_state,
    prepared,
)
from agentgen_bench.train.tokens import (
    TokenRow,
    dealt,
    joined,
    n_targets,
    packed,
    padded,
    passes,
    row_lists,
    target_logprobs,
)

SHOWN = ("loss", "tokens/per_s")


class DataSourceJson(TypedDict):
    """Where demonstrations come from, as the record of a training names it."""

    environment: str
    split: str
    spec: NotRequired[SpecJson]


class Data(NamedTuple):
    """The demonstrations of each environment, in tokens, how many were too long to be among them, and their levels.

    `sources` are the settings that were shown, as training records name them.
    """

    samples: dict[str, list[TokenRow]]
    left_out: int
    sources: tuple[DataSourceJson, ...]
    level_ids: tuple[str, ...]


def tokenized(items: Sequence[Demonstration], chat: ChatFormat) -> list[TokenRow]:
    """Return the demonstrations in tokens, as the policy of the same folder would read and write them."""
    rows = []
    for item in items:
        samples = chat.answers(item.prompt, item.completion, item.thinking, item.tools)
        for row, places in joined(samples):
            wanted = tuple(span for span, place in zip(row.spans, places, strict=True) if item.is_wanted(place))
            if wanted:
                rows.append(TokenRow(row.ids, wanted))
    return rows


def load_data(config: Config, tokenizer: Any) -> Data:
    """Return all demonstrations in tokens; raises DataError where an environment of the mix has none."""
    chat = ChatFormat(tokenizer)
    by_environment: dict[str, list[Demonstration]] = {}
    for path in config.data:
        for item in read_demonstrations(Path(path)):
            by_environment.setdefault(item.environment, []).append(item)
    for name, _ in config.mix:
        if name not in by_environment:
            found = ", ".join(sorted(by_environment)) or "nothing"
            raise DataError(f"the mix names {name!r}, the demonstrations hold: {found}")
    samples, left_out = {}, 0
    for name in sorted(by_environment):
        tokens = tokenized(by_environment[name], chat)
        samples[name] = [sample for sample in tokens if len(sample.ids) <= config.max_sample_tokens]
        left_out += len(tokens) - len(samples[name])
    items = [item for own in by_environment.values() for item in own]
    mixed = dict(config.mix) or samples
    if not any(samples[name] for name in mixed):
        raise DataError(
            f"no demonstration of {', '.join(mixed)} has at most {config.max_sample_tokens} tokens in "
            f"{', '.join(config.data)}; raise max_sample_tokens"
        )
    return Data(samples, left_out, tuple(_sources(items)), tuple(dict.fromkeys(item.level_id for item in items)))


def _sources(items: Iterable[Demonstration]) -> Iterator[DataSourceJson]:
    """Yield each setting that demonstrations are of, once, sorted."""
    found: dict[str, DataSourceJson] = {}
    for item in items:
        source: DataSourceJson = {"environment": item.environment, "split": item.split}
        if item.spec is not None:
            source["spec"] = item.spec
        found.setdefault(json.dumps(source, sort_keys=True), source)
    yield from (found[key] for key in sorted(found))


def batches(counts: Mapping[str, int], config: Config) -> list[list[tuple[str, int]]]:
    """Return the batch of each step: environment and index of each demonstration, decided by the seed alone.

    Environments are drawn by weight; within one, every demonstration is used once before any is used again.

    Args:
        counts: demonstrations of each environment.
        config: seed, mix, steps and batch.
    """
    weights = dict(config.mix) or {name: float(count) for name, count in counts.items()}
    names = sorted(name for name in weights if counts[name])
    shares = np.array([weights[name] for name in names])
    drawn = stream("sft-mix", config.seed).choice(len(names), size=config.steps * config.batch, p=shares / shares.sum())
    order: list[tuple[str, int]] = [("", 0)] * len(drawn)
    for number, name in enumerate(names):
        places = np.flatnonzero(drawn == number)
        for use, place in zip(_uses(name, counts[name], len(places), config.seed), places.tolist(), strict=True):
            order[place] = (name, use)
    return [order[start : start + config.batch] for start in range(0, len(order), config.batch)]


def _uses(name: str, count: int, n_uses: int, seed: int) -> list[int]:
    """Return `n_uses` indices below `count`, epoch after epoch, each in an order of its own."""
    epochs = -(-n_uses // count)
    orders = [stream("sft-order", seed, name, epoch).permutation(count) for epoch in range(epochs)]
    return np.concatenate(orders)[:n_uses].tolist() if orders else []


def train(config: Config, *, resume: bool = False) -> Path:
    """Train and return the last checkpoint, a Hugging Face folder; with `resume`, go on from the newest one.

    Raises:
        RunError: the folder cannot be used, the disk or the memory is full, or the loss is not a number.
        DataError: the demonstrations are missing or damaged.
    """
    run = Path(config.output)
    accelerator = accelerator_for(config.bf16)
    held = ExitStack()
    if accelerator.is_main_process:
        held = open_training(run, to_json(config), resume, may_change=("output", "tracker", "save_every", "keep"))
        remove_unfinished(run)
    accelerator.wait_for_everyone()
    start = last_checkpoint(run)
    budget = tokens_per_pass(config.micro_batch_tokens, accelerator.device)
    with held, out_of_memory_explained(budget, config.gradient_checkpointing):
        tokenizer = load_tokenizer(config.model)
        data = load_data(config, tokenizer)
        plan = batches({name: len(samples) for name, samples in data.samples.items()}, config)
        model, optimizer, done = _loaded(config, accelerator, start)
        logs: Logs | SilentLogs = SilentLogs()
        if accelerator.is_main_process:
            logs = Logs(run, done, config.tracker, SHOWN, config.steps)
        try:
            for step in range(done + 1, config.steps + 1):
                batch = [data.samples[name][index] for name, index in plan[step - 1]]
                own = seed_from("sft-dropout", config.seed, step, accelerator.process_index)
                with dropout_drawn_from(own, accelerator.device):
                    numbers = _step(accelerator, model, optimizer, batch, config, step)
                logs.write(step, {**numbers, "data/left_out": float(data.left_out)})
                if step % config.save_every == 0 or step == config.steps:
                    _save(accelerator, model, optimizer, tokenizer, config, step, data)
        finally:
            logs.close()
    return checkpoint_path(run, config.steps)


def _step(
    accelerator: Any, model: Any, optimizer: Any, batch: Sequence[TokenRow], config: Config, step: int
) -> dict[str, float]:
    """Make one optimizer step; returns its numbers."""
    began = time.perf_counter()
    lr = learning_rate(
        step, config.steps, config.learning_rate, round(config.warmup_share * config.steps), config.schedule
    )
    set_learning_rate(optimizer, lr)
    weight = sum(loss_weight(row, config.prompt_weight) for row in batch)
    mine = [batch[i] for i in dealt(batch, accelerator.num_processes)[accelerator.process_index]]
    parts = passes(model, mine, tokens_per_pass(config.micro_batch_tokens, accelerator.device))
    n_parts = equal_passes(accelerator, len(parts))
    loss_sum = 0.0
    model.train()
    for number in range(n_parts):
        # Every process makes as many passes as the busiest; one without samples left passes one that counts nothing.
        part, counts = (parts[number], 1.0) if number < len(parts) else ([0], 0.0)
        chosen = [(mine or batch)[i] for i in part]
        with gradients_meet(accelerator, model, is_last=number == n_parts - 1):
            loss = negative_logprobs(model, chosen, takes_packs(model), accelerator.device, config.prompt_weight)
            loss = counts * loss / weight
            # The wrapper averages gradients over processes; we want their sum.
            accelerator.backward(loss * accelerator.num_processes)
        loss_sum += float(loss.detach())
    total = float(accelerator.reduce(torch.tensor(loss_sum, device=accelerator.device)))
    norm = clip_gradients(accelerator, model, config.max_gradient_norm)
    bad_batch = {"samples": [row_lists(row) for row in mine], "step": step}
    stop_unless_finite(total, norm, bad_batch, Path(config.output), step, accelerator.process_index)
    optimizer.step()
    optimizer.zero_grad()
    tokens = sum(len(row.ids) for row in batch)
    return {
        "loss": total,
        "gradient_norm": norm,
        "learning_rate": lr,
        "tokens/step": float(tokens),
        "tokens/per_s": tokens / (time.perf_counter() - began),
    }


def loss_weight(row: TokenRow, prompt_weight: float) -> float:
    """Return what a row's loss is divided by: its completion tokens, and the others but the first by their weight."""
    count = n_targets(row)
    return count + prompt_weight * (len(row.ids) - 1 - count)


def negative_logprobs(
    model: Any, rows: Sequence[TokenRow], packing: bool, device: Any, prompt_weight: float = 0.0
) -> torch.Tensor:
    """Return the sum of -log p over the completion tokens of the rows, from one forward pass.

    Every other token but a row's first adds its own, times `prompt_weight`.
    """
    batch = (packed if packing else padded)(rows, device, with_prompts=prompt_weight > 0)
    weights = batch.completions + prompt_weight * batch.prompts
    return -(target_logprobs(model, batch) * weights).sum()


def _loaded(config: Config, accelerator: Any, start: Path | None) -> tuple[Any, Any, int]:
    """Return model, optimizer and the step to go on from."""
    lora = Lora(config.lora_rank, config.lora_alpha)
    model = load_model(config.model if start is None or lora else start)
    set_attention(model, attention_kernel(config.attention, accelerator), config.packing)
    use_fused_norms(model, accelerator)
    adapter = start / ADAPTER_FOLDER if start is not None else None
    model = trainable(model, lora, adapter, seed_from("lora", config.seed), config.gradient_checkpointing)
    model, optimizer = prepared(accelerator, model, config.weight_decay, config.shard)
    if start is None:
        return model, optimizer, 0
    state = load_state(start)
    load_optimizer_state(model, optimizer, state["optimizer"])
    return model, optimizer, int(state["step"])


def _save(accelerator: Any, model: Any, optimizer: Any, tokenizer: Any, config: Config, step: int, data: Data) -> None:
    weights = gathered_weights(accelerator, model)
    state = {"step": step, "optimizer": optimizer_state(model, optimizer)}
    if accelerator.is_main_process:

        def write(folder: Path) -> None:
            save_model(accelerator.unwrap_model(model), tokenizer, folder, weights)
            save_state(folder, state)
            levels = PlayedLevels()
            levels.add(data.level_ids)
            record_training(
                folder,
                "sft",
                parent=config.model,
                run=Path(config.output),
                step=step,
                settings=to_json(config),
                sources=data.sources,
                levels=levels,
            )

        write_checkpoint(Path(config.output), step, write, config.keep)
    accelerator.wait_for_everyone()
