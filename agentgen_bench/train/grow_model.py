"""init-model --grow: the same model with more words in its vocabulary, before it is trained on text that has them.

A tokenizer of whole words spells a word that it does not know byte by byte, and a small model that has to copy such a
word learns that slowly or not at all. Only tokenizers made with `tokenizer="words"` can grow: in learned pieces a new
token would change how other words are cut.
"""

import json
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

from agentgen_bench.errors import AgentGenError
from agentgen_bench.evaluation.training import PlayedLevels
from agentgen_bench.seeding import seed_from
from agentgen_bench.train.init_model import InitSummary, check_possible
from agentgen_bench.train.provenance import of_specs, record_training

TOKENIZER = "tokenizer.json"
# Of a new row, the share of its deviation that is its own. The rest it has in common with the same word after a space:
# to read the one and write the other is then near to copying.
OWN_SHARE = 0.1


class Grown(NamedTuple):
    """A tokenizer with more words: its JSON, the words in the order of their numbers, and the number of the first."""

    text: str
    words: tuple[str, ...]
    first: int


def grow_model(
    output: str | Path,
    model: str | Path,
    texts: Iterable[str],
    vocab_size: int | None = None,
    seed: int = 0,
) -> InitSummary:
    """Write the model folder `model` to `output` with the words of `texts` that its tokenizer spells as new tokens.

    The most frequent come first, up to `vocab_size` tokens in all (None: all of them). Other tokens keep their
    embeddings; a new word's is drawn around the mean of theirs, with their deviation. What the model answers to text
    without the new words changes only by their share of the softmax.

    Raises:
        AgentGenError: the tokenizer is not one of whole words.
        RunError: the output folder exists and is not empty.
        MissingDependencyError: torch or transformers is not installed.
    """
    folder, start = Path(output), Path(model)
    check_possible(folder)
    from transformers import AutoModelForCausalLM, AutoTokenizer

    grown = grown_tokenizer(_tokenizer_text(start), texts, vocab_size)
    network = AutoModelForCausalLM.from_pretrained(start)
    _widen(network, grown, seed)
    network.save_pretrained(folder, safe_serialization=True)
    AutoTokenizer.from_pretrained(start).save_pretrained(folder)
    (folder / TOKENIZER).write_text(grown.text)
    record_training(
        folder,
        "init-model",
        parent=str(start),
        run=None,
        step=0,
        settings={"model": str(start), "words": list(grown.words), "seed": seed},
        sources=of_specs(()),
        levels=PlayedLevels(),
    )
    return InitSummary(folder, sum(p.numel() for p in network.parameters()), network.config.vocab_size)


def _tokenizer_text(start: Path) -> str:
    try:
        return (start / TOKENIZER).read_text()
    except OSError as error:
        raise AgentGenError(f"no model to grow: {error}; name a folder with {TOKENIZER}") from None


def grown_tokenizer(text: str, texts: Iterable[str], vocab_size: int | None = None) -> Grown:
    """Return the tokenizer of a JSON text with the words of `texts` that it has no token for.

    New words come after the other words and before the added tokens, whose numbers move up.

    Raises:
        AgentGenError: it is not one of whole words.
    """
    from tokenizers import Tokenizer

    data: dict[str, Any] = json.loads(text)
    words = data["model"]
    if words["type"] != "BPE" or words["merges"] or not words.get("ignore_merges"):
        raise AgentGenError("only tokenizers of whole words can grow; make the model with --tokenizer words")
    split = Tokenizer.from_str(text).pre_tokenizer
    counts: Counter[str] = Counter()
    for shown in texts:
        counts.update(word for word, _ in split.pre_tokenize_str(shown))
    known = {*words["vocab"], *(token["content"] for token in data["added_tokens"])}
    # A single character outside ASCII is several bytes: such symbols are added tokens, or stay spelled.
    unknown = [word for word in counts if word not in known and word.removeprefix("Ġ").isascii()]
    unknown.sort(key=lambda word: (-counts[word], word))
    first, room = len(words["vocab"]), None
    if vocab_size is not None:
        room = max(0, vocab_size - len(known))
    chosen = tuple(unknown[:room])
    words["vocab"].update({word: first + place for place, word in enumerate(chosen)})
    for token in data["added_tokens"]:
        if token["id"] >= first:
            token["id"] += len(chosen)
    return Grown(json.dumps(data, ensure_ascii=False), chosen, first)


def _widen(network: Any, grown: Grown, seed: int) -> None:
    """Give the network's embeddings, and its output's where that has its own, rows for the new words."""
    import torch

    before = [network.get_input_embeddings(), network.get_output_embeddings()]
    rows = [layer.weight.detach().clone() for layer in before]
    network.resize_token_embeddings(len(rows[0]) + len(grown.words), mean_resizing=False)
    with torch.no_grad():
        for layer, old in zip((network.get_input_embeddings(), network.get_output_embeddings()), rows, strict=True):
            new = [_drawn(word, old, seed) for word in grown.words]
            layer.weight.copy_(torch.cat([old[: grown.first], *[row[None] for row in new], old[grown.first :]]))


def _drawn(word: str, rows: Any, seed: int) -> Any:
    """Return a row for a word, from streams of the word without the space before it, and of the word."""
    import torch

    def normal(key: str) -> Any:
        generator = torch.Generator().manual_seed(seed_from("grow-model", seed, key))
        return torch.randn(rows.shape[1], generator=generator)

    shared, own = normal(word.removeprefix("Ġ")), normal(word)
    return rows.mean(0) + rows.std(0) * ((1 - OWN_SHARE) ** 0.5 * shared + OWN_SHARE**0.5 * own)
