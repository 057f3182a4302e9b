"""How fast the trainers learn on a CPU: packed rows against padded ones, and the share of the machine's product rate.

    python benchmarks/train_speed.py [--threads 1] [--seconds 2] [--bf16]

A fresh model (4 layers, 128 wide, vocabulary of 1,024; then 256 wide) makes whole steps of `train sft` and updates of
`train grpo` over rows of random tokens, in three lengths: short prompts of one step each, windows of a long history,
and chats of whole episodes with many completions. Printed: tokens per CPU-second with rows packed, padded, and packed
under a dense mask; packed over padded; the floating-point operations that the packed step needs (products only,
nothing counted twice) per CPU-second over those of a large float32 product (1,024 rows and columns) on as many threads,
in the same run; and how much of the packed step's time its own products take when made alone, in float32: those of the
linear layers forward, for the inputs and for the weights; of the head the same where a completion is predicted; those
of attention, query by key and weights by value forward and four backward, by stacks of rows, at half their time as
attention is causal. The aim is 60 %.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from transformers.utils import logging

from agentgen_bench.seeding import stream
from agentgen_bench.spec import TaskSpec
from agentgen_bench.train import grpo, sft
from agentgen_bench.train.init_model import HEAD_DIM, ModelShape, init_model
from agentgen_bench.train.models import load_model
from agentgen_bench.train.norms import use_fused_norms
from agentgen_bench.train.optimizing import CPU_TOKENS, accelerator_for, set_learning_rate
from agentgen_bench.train.packing import attention_kernel, packing_of, set_attention
from agentgen_bench.train.settings import Source
from agentgen_bench.train.sharding import prepared
from agentgen_bench.train.tokens import Span, TokenRow, n_targets, packs

PRODUCT = 1024  # rows and columns of the matrices whose product is the machine's rate
AIM = 0.60


class Mix(NamedTuple):
    """Rows of a kind: how many a batch has, tokens at least and at most, and one completion of how many of them."""

    n_rows: int
    shortest: int
    longest: int
    answer: int
    between: int  # tokens between two answers of a row; 0: a row has one, at its end


MIXES = {
    "steps": Mix(64, 60, 180, 12, 0),
    "windows": Mix(16, 300, 1500, 20, 0),
    "chats": Mix(16, 200, 1200, 20, 60),
}


def rows_of(mix: Mix, vocab_size: int) -> list[TokenRow]:
    """Return a batch of rows of random tokens."""
    rng = stream("train-speed", *mix)
    rows = []
    for length in rng.integers(mix.shortest, mix.longest + 1, mix.n_rows).tolist():
        ends = range(length, mix.answer + 1, -(mix.answer + mix.between)) if mix.between else [length]
        spans = tuple(Span(end - mix.answer, end) for end in sorted(ends))
        rows.append(TokenRow(tuple(rng.integers(0, vocab_size, length).tolist()), spans))
    return rows


def operations(rows: Sequence[TokenRow], shape: ModelShape, vocab_size: int) -> float:
    """Return the operations of the products of a forward and backward pass: three times those of the forward pass.

    Attention is causal: half of the square. Logits are needed where a completion is predicted.
    """
    width, tokens = shape.hidden_size, sum(len(row.ids) for row in rows)
    linear = shape.layers * (4 * width * width + 3 * width * 4 * width)
    attention = shape.layers * 2 * width * sum(len(row.ids) ** 2 for row in rows)
    return 3.0 * (2 * tokens * linear + attention + 2 * sum(map(n_targets, rows)) * width * vocab_size)


def per_cpu_second(work: Callable[[], object], seconds: float) -> float:
    """Return how often a CPU-second does the work: the median over runs of at least `seconds` in all."""
    work()
    rates: list[float] = []
    while len(rates) < 3 or sum(1 / rate for rate in rates) < seconds:
        began = time.process_time()
        work()
        rates.append(1 / (time.process_time() - began))
    return statistics.median(rates)


def product_rate(seconds: float) -> float:
    """Return floating-point operations per CPU-second of a large float32 product."""
    a, b = torch.randn(PRODUCT, PRODUCT), torch.randn(PRODUCT, PRODUCT)
    return 2 * PRODUCT**3 * per_cpu_second(lambda: [a @ b for _ in range(10)], seconds) * 10


def seconds_alone(work: Callable[[], object]) -> float:
    """Return the CPU-seconds of the work: the least of four runs."""
    spent = []
    for _ in range(4):
        began = time.process_time()
        work()
        spent.append(time.process_time() - began)
    return min(spent)


def linear_seconds(tokens: int, inputs: int, outputs: int) -> float:
    """Return the CPU-seconds of a linear layer's three products: forward, for the inputs, for the weights."""
    x, w, dy = torch.randn(tokens, inputs), torch.randn(outputs, inputs), torch.randn(tokens, outputs)
    return sum(map(seconds_alone, (lambda: x @ w.T, lambda: dy @ w, lambda: dy.T @ x)))


def attention_seconds(stack: torch.Size, heads: int) -> float:
    """Return half the CPU-seconds of the six products of causal attention, (rows, longest) in a stack."""
    rows, length = stack
    q, p = torch.randn(rows * heads, length, HEAD_DIM), torch.randn(rows * heads, length, length)
    return 1.5 * (seconds_alone(lambda: q @ q.transpose(1, 2)) + seconds_alone(lambda: p @ q))


def products_seconds(rows: Sequence[TokenRow], shape: ModelShape, vocab_size: int) -> float:
    """Return the CPU-seconds of all products of a step, in its passes, made alone."""
    width, seconds = shape.hidden_size, 0.0
    for part in packs(rows, CPU_TOKENS):
        own = [rows[i] for i in part]
        tokens = sum(len(row.ids) for row in own)
        layer = 4 * linear_seconds(tokens, width, width) + 2 * linear_seconds(tokens, width, 4 * width)
        layer += linear_seconds(tokens, 4 * width, width)
        for stack in packing_of([len(row.ids) for row in own]).stacks:
            layer += attention_seconds(stack.shape, width // HEAD_DIM)
        seconds += shape.layers * layer + linear_seconds(sum(map(n_targets, own)), width, vocab_size)
    return seconds


class Trainers:
    """A model with its optimizer, and what a step of each trainer does with a batch."""

    def __init__(self, path: Path, attention: str, bf16: bool) -> None:
        self.accelerator = accelerator_for(bf16)
        model = load_model(path)
        set_attention(model, attention_kernel(None, self.accelerator), packing=attention == "packed")
        use_fused_norms(model, self.accelerator)
        self.model, self.optimizer = prepared(self.accelerator, model, 0.0, False)
        set_learning_rate(self.optimizer, 1e-4)
        common = {"model": str(path), "output": str(path)}
        self.sft = sft.Config(**common, data=("none",), batch=1)
        source = (Source(TaskSpec("Sokoban")),)
        self.grpo = grpo.Config(**common, sources=source, kl_coef=0.0, mini_batch=10_000, importance_cap=None)
        self.learner = grpo.Learner(self.accelerator, self.model, self.optimizer, None)

    def step(self, trainer: str, rows: Sequence[TokenRow]) -> None:
        """Make a step of behaviour cloning, or the update of a step of GRPO."""
        if trainer == "sft":
            sft._step(self.accelerator, self.model, self.optimizer, rows, self.sft, 1)
            return
        drawn = [grpo.Row(row.ids, row.spans, (-1.0,) * n_targets(row), (1.0,) * len(row.spans)) for row in rows]
        grpo.update(self.learner, drawn, self.grpo, 1)


def densely_packed(trainers: Trainers, rows: Sequence[TokenRow]) -> None:
    """Make a step of cloning as it was before: packs of 16,384 tokens under a mask of their square."""
    for part in packs(rows, 16_384):
        loss = sft.negative_logprobs(trainers.model, [rows[i] for i in part], True, "cpu")
        trainers.accelerator.backward(loss / 1000)
    trainers.optimizer.step()
    trainers.optimizer.zero_grad()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=1, help="of torch (default: 1)")
    parser.add_argument("--seconds", type=float, default=2.0, help="CPU seconds of each measurement (default: 2)")
    logging.disable_progress_bar()
    parser.add_argument("--bf16", action="store_true", help="compute in bfloat16; the rate stays that of float32")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    print(f"{torch.backends.cpu.get_cpu_capability()}, {args.threads} thread(s)")
    head = f"{'model':<10}{'trainer':<9}{'rows':<10}{'tokens':>8}{'packed':>10}{'padded':>10}{'dense':>10}"
    print(f"{head}{'packed/padded':>15}{'share of product rate':>23}{'its products':>14}")
    shares, alone = [], []
    with tempfile.TemporaryDirectory() as folder:
        for width in (128, 256):
            shape = ModelShape(hidden_size=width, vocab_size=1024)
            texts = [" ".join(f"{word}{other}" for word in "abcdefghij" for other in "klmnopqrstuvwxyz")]
            made = init_model(Path(folder) / str(width), texts, shape)
            packing, padding = (Trainers(made.path, name, args.bf16) for name in ("packed", "padded"))
            for kind, mix in MIXES.items():
                rows = rows_of(mix, made.vocab_size)
                began = time.process_time()
                densely_packed(padding, rows)  # once: it takes long
                dense = 1 / (time.process_time() - began)
                for trainer in ("sft", "grpo"):
                    rate = product_rate(args.seconds / 2)
                    fast, slow = (
                        per_cpu_second(partial(t.step, trainer, rows), args.seconds) for t in (packing, padding)
                    )
                    shares.append(operations(rows, shape, made.vocab_size) * fast / rate)
                    tokens = sum(len(row.ids) for row in rows)
                    speeds = "".join(f"{tokens * speed:>10,.0f}" for speed in (fast, slow, dense))
                    print(f"4 x {width:<6}{trainer:<9}{kind:<10}{tokens:>8}{speeds}{fast / slow:>15.2f}", end="")
                    alone.append(products_seconds(rows, shape, made.vocab_size) * fast)
                    print(f"{shares[-1]:>15.0%} of {rate / 1e9:.0f} G{alone[-1]:>14.0%}", flush=True)
    for what, found in (("the float32 product rate", shares), ("a step that its products take alone", alone)):
        print(f"share of {what}: {min(found):.0%} to {max(found):.0%}, median {np.median(found):.0%}; aim {AIM:.0%}")


if __name__ == "__main__":
    main()
