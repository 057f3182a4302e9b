"""agentgen-bench init-model: make a small model with random weights and a tokenizer of its own."""

import argparse
from pathlib import Path

from agentgen_bench.cli.options import integer
from agentgen_bench.cli.outputs import check_folder
from agentgen_bench.cli.training_options import add_environment_options, spec_changes
from agentgen_bench.train.choices import sources
from agentgen_bench.train.demonstrations import read_demonstrations
from agentgen_bench.train.init_model import TOKENIZERS, ModelShape, check_possible, environment_text, init_model
from agentgen_bench.train.presets import load_preset, preset_names
from agentgen_bench.train.settings import weighted

EXAMPLES = """examples:
  agentgen-bench init-model models/tiny --envs sokoban --richness lean
  agentgen-bench init-model models/small --envs sokoban,alfworld --layers 6 --hidden-size 256 --context-tokens 4096
"""


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the verb and its options."""
    own = ModelShape()
    parser = subparsers.add_parser(
        "init-model",
        help="make a small model with random weights, as a Hugging Face folder",
        description="Make a small Qwen3 model with random weights, and a tokenizer made from environment text with "
        "one token per grid symbol, as a Hugging Face folder that vLLM and transformers load.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("output", metavar="DIR", type=Path, help="the folder to write; must not exist or be empty")
    add_environment_options(parser, "envs")
    group = parser.add_argument_group("model")
    group.add_argument("--preset", choices=preset_names(), help="take shape and environments from a preset")
    group.add_argument("--layers", type=integer(1), help=f"layers (default: {own.layers})")
    group.add_argument("--hidden-size", type=integer(1), help=f"a multiple of 32 (default: {own.hidden_size})")
    group.add_argument("--vocab-size", type=integer(1), help=f"tokens at most (default: {own.vocab_size})")
    group.add_argument(
        "--tokenizer",
        choices=TOKENIZERS,
        help=f"learned pieces of words, or the most frequent words whole (default: {own.tokenizer})",
    )
    group.add_argument(
        "--data",
        metavar="DIR",
        type=Path,
        nargs="+",
        default=[],
        help="demonstrations whose text the tokenizer is made from as well, as collect writes them",
    )
    group.add_argument("--context-tokens", type=integer(1), help=f"context, in tokens (default: {own.context_tokens})")
    group.add_argument("--episodes", type=integer(1), default=16, help="random episodes read per setting (default: 16)")
    group.add_argument("--seed", type=integer(0), default=0, help="seed of the weights (default: 0)")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Make the model and say how large it is."""
    check_folder(args.output)
    preset = load_preset(args.preset) if args.preset else {}
    shape = dict(preset.get("init_model") or {})
    for name in ("layers", "hidden_size", "vocab_size", "context_tokens", "tokenizer"):
        if getattr(args, name) is not None:
            shape[name] = getattr(args, name)
    model_shape = ModelShape(**shape)
    check_possible(args.output)
    chosen = sources(weighted(args.envs or "sokoban"), spec_changes(args), args.set, preset.get("environments"))
    specs = [source.spec for source in chosen]
    shown = [
        message.content
        for path in args.data
        for item in read_demonstrations(path)
        for message in (*item.prompt, *item.completion)
    ]
    texts = [*environment_text(specs, args.episodes), *shown]
    summary = init_model(args.output, texts, model_shape, args.seed, specs)
    print(f"{summary.path}: {summary.parameters:,} parameters, {summary.vocab_size} tokens in the vocabulary")
    return 0
