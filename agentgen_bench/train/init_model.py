"""init-model: a small language model made on the spot, as an ordinary Hugging Face folder.

The architecture is Qwen3's, so vLLM and transformers load the folder like any other model. The tokenizer is trained
on environment text with one token per symbol of a Sokoban grid: a generic BPE merges neighbouring symbols, and the
columns of the grid no longer line up in tokens. With `tokenizer="words"` every frequent word and every digit is one
token: to name a thing a model then copies one token, where pieces of words would have to be learned first. The same
arguments give the same bytes in every process.
"""

import math
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal, NamedTuple, get_args

from agentgen_bench.errors import AgentGenError, MissingDependencyError, RunError, install_hint
from agentgen_bench.evaluation.training import PlayedLevels
from agentgen_bench.policies.base import Decision, Description
from agentgen_bench.policies.checkpoint import saving_errors
from agentgen_bench.policies.scripted import RandomPolicy
from agentgen_bench.prompts import History, PromptConfig, messages
from agentgen_bench.rollout import Job, play
from agentgen_bench.seeding import seed_from
from agentgen_bench.spec import TaskSpec
from agentgen_bench.train.provenance import of_specs, record_training
from agentgen_bench.train.settings import refuse_held_out_levels

END_OF_TEXT, TURN_START, TURN_END = "<|endoftext|>", "<|im_start|>", "<|im_end|>"
SPECIAL_TOKENS = (END_OF_TEXT, TURN_START, TURN_END)
# Text that the answer format needs, one token each; √ (box on target) is three bytes, and one symbol.
WHOLE_TOKENS = ("<think>", "</think>", "<action>", "</action>", "√")
# Words start with a space or a capital; every other character, a lone capital included, stands alone. So a grid of
# `# _ O √ X P S` (or of XSB's `# @ + $ * .`) is one token per symbol, wherever it stands.
PIECES = r" ?[A-Z]?[a-z]+|[\s\S]"
CHAT_TEMPLATE = (
    "{% if tools %}<|im_start|>system\n{% for tool in tools %}{{ tool | tojson }}\n{% endfor %}<|im_end|>\n{% endif %}"
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
# With whole words, a digit or an opening bracket is a token with or without the space before it, and so is a label of
# capitals in brackets, such as the [SEP] between the parts of a shop's page. Capitals elsewhere and the other signs
# stand alone: they are the squares of grids.
WORDS = r" ?\[[A-Z]+\]| ?[A-Z]?[a-z]+| ?[0-9(\[<]|[\s\S]"
ROLES = ("system", "user", "assistant", "tool")  # of messages: the chat template writes them, no text of a corpus does
BYTE_ALPHABET = 256
TokenizerKind = Literal["pieces", "words"]
TOKENIZERS: tuple[TokenizerKind, ...] = get_args(TokenizerKind)
HEAD_DIM = 32  # the smallest that vLLM's CPU attention has
CORPUS_PROMPTS = (PromptConfig(action_hints="full"), PromptConfig(thinking=False, action_hints="templates"))


@dataclass(frozen=True, slots=True)
class ModelShape:
    """Size of the model. The default has about 0.9 million parameters.

    `vocab_size` is an upper bound: a small corpus yields fewer merges. `hidden_size` is a multiple of 32, the size
    of an attention head. `init_std` is the standard deviation of the initial weights. `tokenizer` says whether tokens
    are learned pieces of words (BPE) or the most frequent words themselves, other words by their bytes.
    """

    layers: int = 4
    hidden_size: int = 128
    vocab_size: int = 1024
    context_tokens: int = 4096
    init_std: float = 0.02
    tokenizer: TokenizerKind = "pieces"

    def __post_init__(self) -> None:
        """Raise AgentGenError for a shape that cannot be."""
        smallest = BYTE_ALPHABET + len(SPECIAL_TOKENS) + len(WHOLE_TOKENS) + len(ROLES) * (self.tokenizer == "words")
        in_range = {
            "layers": (self.layers >= 1, "1 or more"),
            "hidden_size": (self.hidden_size >= HEAD_DIM and self.hidden_size % HEAD_DIM == 0, "a multiple of 32"),
            "vocab_size": (self.vocab_size >= smallest, f"{smallest} or more (bytes and special tokens)"),
            "context_tokens": (self.context_tokens >= 1, "1 or more"),
            "init_std": (0 < self.init_std < math.inf, "a finite number above 0"),
            "tokenizer": (self.tokenizer in TOKENIZERS, f"one of {', '.join(TOKENIZERS)}"),
        }
        for name, (is_right, right) in in_range.items():
            if not is_right:
                raise AgentGenError(f"{name}={getattr(self, name)!r} is out of range; choose {right}")


class InitSummary(NamedTuple):
    """What was made: the folder, the number of parameters and of tokens in the vocabulary."""

    path: Path
    parameters: int
    vocab_size: int


def init_model(
    output: str | Path,
    texts: Iterable[str],
    shape: ModelShape | None = None,
    seed: int = 0,
    sources: Sequence[TaskSpec] = (),
) -> InitSummary:
    """Write a small model with random weights and a tokenizer trained on `texts` to the folder `output`.

    Its training record names the `sources`, whose text that was.

    Raises:
        RunError: the folder exists and is not empty, or cannot be written.
        MissingDependencyError: torch or transformers is not installed.
    """
    shape = shape or ModelShape()
    folder = Path(output)
    check_possible(folder)
    tokenizer = train_tokenizer(texts, shape)
    model = random_model(len(tokenizer), shape, tokenizer, seed)
    with written_whole(folder) as unfinished:
        tokenizer.save_pretrained(unfinished)
        model.save_pretrained(unfinished, safe_serialization=True)
        record_training(
            unfinished,
            "init-model",
            parent=None,
            run=None,
            step=0,
            settings={**asdict(shape), "seed": seed},
            sources=of_specs(sources),
            levels=PlayedLevels(),
        )
    return InitSummary(folder, sum(p.numel() for p in model.parameters()), len(tokenizer))


def check_possible(folder: Path) -> None:
    """Raise as `init_model` does for a folder that is taken, or a package that is not installed; loads none."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise RunError(f"{folder} exists and is not empty; choose another folder or remove it")
    if find_spec("torch") is None or find_spec("transformers") is None:
        raise MissingDependencyError(f"init-model needs torch and transformers: {install_hint('transformers')}")


@contextmanager
def written_whole(folder: Path) -> Iterator[Path]:
    """Give a folder to write a model to, which becomes `folder`, that `check_possible` found free, when it is whole.

    Raises RunError where the model cannot be written. A killed process leaves a hidden folder beside it.
    """
    unfinished = None
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        # A name of its own: a folder that is there is somebody's, whatever it is called.
        unfinished = Path(tempfile.mkdtemp(prefix=".building-", dir=folder.parent))
        yield unfinished
        unfinished.chmod(0o755)  # mkdtemp's are for their owner alone
        unfinished.replace(folder)
    except saving_errors() as error:
        raise RunError(f"cannot write the model to {folder}: {error}") from None
    finally:
        if unfinished is not None:
            shutil.rmtree(unfinished, ignore_errors=True)


def environment_text(specs: Sequence[TaskSpec], episodes: int = 4) -> list[str]:
    """Return the prompts that random play of each setting shows, for training a tokenizer; sorted, no duplicates."""
    refuse_held_out_levels(specs, "training a tokenizer")
    reader = _Reader(RandomPolicy(0))
    jobs = (Job(spec, level) for spec in specs for level in range(episodes))
    failed = [episode for episode in play(jobs, reader, record_text=False) if episode.error is not None]
    if failed:
        raise RunError(f"no text from {failed[0].spec['env_id']}: {failed[0].error}")
    return sorted(reader.texts)


class _Reader:
    """A policy that plays at random and keeps what the prompts say."""

    name = "reader"

    def __init__(self, policy: RandomPolicy) -> None:
        self._policy = policy
        self.texts: set[str] = set()

    def act(self, histories: Sequence[History]) -> list[Decision]:
        for history in histories:
            for config in CORPUS_PROMPTS:
                self.texts.update(message.content for message in messages(history, config))
        return self._policy.act(histories)

    def describe(self) -> Description:
        return {"kind": "reader"}


def train_tokenizer(texts: Iterable[str], shape: ModelShape) -> Any:
    """Return a byte-level tokenizer (transformers' fast one) made from `texts`; any Unicode round-trips."""
    from tokenizers import AddedToken, decoders
    from transformers import PreTrainedTokenizerFast

    tokenizer = (_words if shape.tokenizer == "words" else _pieces)(texts, shape.vocab_size - len(WHOLE_TOKENS))
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_tokens([AddedToken(text, normalized=False, special=False) for text in WHOLE_TOKENS])
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        eos_token=TURN_END,
        pad_token=END_OF_TEXT,
        chat_template=CHAT_TEMPLATE,
        model_max_length=shape.context_tokens,
        clean_up_tokenization_spaces=False,
    )


def _split(pattern: str) -> Any:
    """Return a pre-tokenizer that cuts at the pattern's matches and writes each piece in the byte alphabet."""
    from tokenizers import Regex, pre_tokenizers

    return pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(pattern), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )


def _pieces(texts: Iterable[str], vocab_size: int) -> Any:
    """Return a BPE tokenizer trained on the texts."""
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = _split(PIECES)
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        special_tokens=list(SPECIAL_TOKENS),
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer


def _words(texts: Iterable[str], vocab_size: int) -> Any:
    """Return a tokenizer whose tokens are bytes and the most frequent words of the texts; equal counts by the word."""
    from tokenizers import Tokenizer, models, pre_tokenizers

    split = _split(WORDS)
    counts: Counter[str] = Counter()
    for text in texts:
        counts.update(word for word, _ in split.pre_tokenize_str(text))
    tokens = [*SPECIAL_TOKENS, *sorted(pre_tokenizers.ByteLevel.alphabet()), *ROLES]
    known = set(tokens)
    frequent = sorted((word for word in counts if word not in known), key=lambda word: (-counts[word], word))
    tokens += frequent[: vocab_size - len(tokens)]
    # Without merges a word that is no token falls apart into its bytes; `ignore_merges` takes whole words first.
    vocabulary = {token: number for number, token in enumerate(tokens)}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[], ignore_merges=True))
    tokenizer.pre_tokenizer = split
    tokenizer.add_special_tokens(list(SPECIAL_TOKENS))
    return tokenizer


def random_model(vocab_size: int, shape: ModelShape, tokenizer: Any, seed: int) -> Any:
    """Return a Qwen3 model in float32 whose every parameter is drawn from a stream of its own name and `seed`."""
    import torch
    from transformers import GenerationConfig, Qwen3Config, Qwen3ForCausalLM

    ends = [tokenizer.convert_tokens_to_ids(token) for token in (TURN_END, END_OF_TEXT)]
    config = Qwen3Config(
        vocab_size=vocab_size,
        hidden_size=shape.hidden_size,
        intermediate_size=4 * shape.hidden_size,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.hidden_size // HEAD_DIM,
        num_key_value_heads=shape.hidden_size // HEAD_DIM,
        head_dim=HEAD_DIM,
        max_position_embeddings=shape.context_tokens,
        tie_word_embeddings=True,
        initializer_range=shape.init_std,
        bos_token_id=None,
        eos_token_id=ends[0],
        pad_token_id=ends[1],
        dtype="float32",
    )
    with torch.random.fork_rng(devices=[]):  # the constructor draws from the global stream, to no effect
        model = Qwen3ForCausalLM(config)
    with torch.no_grad():
        for name, parameter in sorted(model.named_parameters()):
            if parameter.ndim == 1:  # the scales of the RMS norms
                parameter.fill_(1.0)
                continue
            generator = torch.Generator().manual_seed(seed_from("init-model", seed, name))
            parameter.normal_(0.0, shape.init_std, generator=generator)
    model.generation_config = GenerationConfig(eos_token_id=ends, pad_token_id=ends[1])
    return model
