"""agentgen-bench init-model: make a small model with random weights and a tokenizer of its own."""

import argparse
from collections.abc import Iterable
from pathlib import Path

from agentgen_bench.cli.options import given_path, integer
from agentgen_bench.cli.outputs import check_folder
from agentgen_bench.cli.training_options import add_environment_options, spec_changes
from agentgen_bench.errors import SpecError
from agentgen_bench.train.choices import sources
from agentgen_bench.train.demonstrations import read_demonstrations
from agentgen_bench.train.grow_model import grow_model
from agentgen_bench.train.init_model import (
    TOKENIZERS,
    InitSummary,
    ModelShape,
    check_possible,
    environment_text,
    init_model,
)
from agentgen_bench.train.presets import load_preset, preset_names
from agentgen_bench.train.settings import weighted

EXAMPLES = """examples:
  agentgen-bench init-model models/tiny --envs sokoban --richness lean
  agentgen-bench init-model models/small --envs sokoban,alfworld --layers 6 --hidden-size 256 --context-tokens 4096
  agentgen-bench init-model models/more-words --grow models/small --data data/packs
      the model as it is, with the words of these demonstrations that its tokenizer would spell
"""
SHAPE = ("layers", "hidden_size", "context_tokens", "tokenizer")  # of the model that grows


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
    parser.add_argument(
        "output", metavar="DIR", type=given_path, help="the folder to write; must not exist or be empty"
    )
    add_environment_options(parser, "envs")
    group = parser.add_argument_group("model")
    group.add_argument("--preset", choices=preset_names(), help="take shape and environments from a preset")
    group.add_argument(
        "--grow",
        metavar="MODEL",
        type=given_path,
        help="start from this folder and add the words of --data to its tokenizer",
    )
    group.add_argument(
        "--like",
        metavar="DIR",
        type=given_path,
        nargs="+",
        default=[],
        help="beside --grow: let each new word begin near one that answers of these demonstrations copy from their "
        "prompts (default: drawn around the mean of all words)",
    )
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
        type=given_path,
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
    summary = _made(args) if args.grow is None else _grown(args)
    print(f"{summary.path}: {summary.parameters:,} parameters, {summary.vocab_size} tokens in the vocabulary")
    return 0


def _grown(args: argparse.Namespace) -> InitSummary:
    for name in SHAPE:
        if getattr(args, name) is not None:
            raise SpecError(f"--{name.replace('_', '-')} is that of the model that grows; leave it out beside --grow")
    if args.preset or args.envs or not args.data:
        raise SpecError("--grow takes its new words from --data alone; name demonstrations, no --envs and no --preset")
    return grow_model(args.output, args.grow, _shown(args.data), args.vocab_size, args.seed, args.like)


def _shown(folders: Iterable[Path]) -> list[str]:
    """Return the texts of demonstrations."""
    items = [item for path in folders for item in read_demonstrations(path)]
    return [message.content for item in items for message in (*item.prompt, *item.completion)]


def _made(args: argparse.Namespace) -> InitSummary:
    if args.like:
        raise SpecError("--like says how the words of --grow begin; name a model to grow, or leave it out")
    preset = load_preset(args.preset)
    shape = dict(preset.init_model)
    for name in ("layers", "hidden_size", "vocab_size", "context_tokens", "tokenizer"):
        if getattr(args, name) is not None:
            shape[name] = getattr(args, name)
    model_shape = ModelShape(**shape)
    check_possible(args.output)
    chosen = sources(weighted(args.envs or "sokoban"), spec_changes(args), args.set, preset.environments)
    specs = [source.spec for source in chosen]
    texts = [*environment_text(specs, args.episodes), *_shown(args.data)]
    return init_model(args.output, texts, model_shape, args.seed, specs)
