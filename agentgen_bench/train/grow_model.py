"""init-model --grow: the same model with more words in its vocabulary, before it is trained on text that has them.

A tokenizer of whole words spells a word that it does not know byte by byte, and a small model that has to copy such a
word learns that slowly or not at all. Only tokenizers made with `tokenizer="words"` can grow: in learned pieces a new
token would change how other words are cut.
"""

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from agentgen_bench.errors import AgentGenError
from agentgen_bench.evaluation.training import PlayedLevels
from agentgen_bench.seeding import seed_from
from agentgen_bench.train.demonstrations import Demonstration, read_demonstrations
from agentgen_bench.train.init_model import InitSummary, check_possible, written_whole
from agentgen_bench.train.provenance import of_specs, record_training

TOKENIZER = "tokenizer.json"
# Of a new row, the share of its deviation that is its own. The rest it has in common with the same word after a space:
# to read the one and write the other is then near to copying.
OWN_SHARE = 0.1
READ_TO_COPY = 800  # demonstrations of a folder that say which words a model has learned to copy


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
    like: Sequence[str | Path] = (),
) -> InitSummary:
    """Write the model folder `model` to `output` with the words of `texts` that its tokenizer spells as new tokens.

    The most frequent come first, up to `vocab_size` tokens in all (None: all of them). Other tokens keep their
    embeddings; a new word's is drawn around the mean of theirs, with their deviation. What the model answers to text
    without the new words changes only by their share of the softmax. With `like`, folders of demonstrations, a new
    word's embedding is drawn around that of a word which their answers copy from what they read: each has its own, the
    most copied first, so that what the model does with words that it copies it does with the new ones.

    Raises:
        AgentGenError: the tokenizer is not one of whole words, or the folders of `like` copy no word.
        RunError: the output folder exists and is not empty, or cannot be written.
        MissingDependencyError: torch or transformers is not installed.
    """
    folder, start = Path(output), Path(model)
    check_possible(folder)
    from transformers import AutoModelForCausalLM, AutoTokenizer

    grown = grown_tokenizer(_tokenizer_text(start), texts, vocab_size)
    network = AutoModelForCausalLM.from_pretrained(start)
    _widen(network, grown, seed, _copied_rows(start, like))
    like_names = [str(path) for path in like]
    with written_whole(folder) as unfinished:
        network.save_pretrained(unfinished, safe_serialization=True)
        AutoTokenizer.from_pretrained(start).save_pretrained(unfinished)
        (unfinished / TOKENIZER).write_text(grown.text, encoding="utf-8")
        record_training(
            unfinished,
            "init-model",
            parent=str(start),
            run=None,
            step=0,
            settings={"model": str(start), "words": list(grown.words), "seed": seed, "like": like_names},
            sources=of_specs(()),
            levels=PlayedLevels(),
        )
    return InitSummary(folder, sum(p.numel() for p in network.parameters()), network.config.vocab_size)


def _tokenizer_text(start: Path) -> str:
    try:
        return (start / TOKENIZER).read_text(encoding="utf-8")
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


def copied_words(text: str, items: Sequence[Demonstration]) -> list[str]:
    """Return the words after a space that answers have in common with what they answer to, most frequent first.

    `text` is the JSON of a tokenizer; only its words count. What stands in more than half of the prompts is left out:
    it is how the family talks, not what differs from level to level.
    """
    from tokenizers import Tokenizer

    split, vocabulary = Tokenizer.from_str(text).pre_tokenizer, json.loads(text)["model"]["vocab"]

    def words(contents: Iterable[str]) -> set[str]:
        return {word for shown in contents for word, _ in split.pre_tokenize_str(shown)}

    read: Counter[str] = Counter()
    copied: Counter[str] = Counter()
    for item in items:
        answered = words(said.content for said in item.completion if said.role == "assistant")
        shown = words(said.content for said in (*item.prompt, *item.completion) if said.role != "assistant")
        read.update(shown)
        copied.update(shown & answered)
    nouns = [word for word in copied if _is_word(word) and word in vocabulary and 2 * read[word] <= len(items)]
    return sorted(nouns, key=lambda word: (-copied[word], word))


def _is_word(token: str) -> bool:
    return token.startswith("Ġ") and token[1:].isalpha() and len(token) > len("Ġat")


def _copied_rows(start: Path, like: Sequence[str | Path]) -> list[int]:
    """Return the numbers of the words that the demonstrations in these folders copy."""
    if not like:
        return []
    text = _tokenizer_text(start)
    items = [item for path in like for item in islice(read_demonstrations(Path(path)), READ_TO_COPY)]
    numbers: dict[str, int] = json.loads(text)["model"]["vocab"]
    copied = [numbers[word] for word in copied_words(text, items)]
    if not copied:
        raise AgentGenError(f"the answers in {', '.join(map(str, like))} copy no word that the model to grow has")
    return copied


def _widen(network: Any, grown: Grown, seed: int, copied: Sequence[int]) -> None:
    """Give the network's embeddings, and its output's where that has its own, rows for the new words."""
    import torch

    before = [network.get_input_embeddings(), network.get_output_embeddings()]
    rows = [layer.weight.detach().clone() for layer in before]
    network.resize_token_embeddings(len(rows[0]) + len(grown.words), mean_resizing=False)
    alone = list(dict.fromkeys(word.removeprefix("Ġ") for word in grown.words))
    with torch.no_grad():
        for layer, old in zip((network.get_input_embeddings(), network.get_output_embeddings()), rows, strict=True):
            new = []
            for word in grown.words:
                place = alone.index(word.removeprefix("Ġ"))
                new.append(_near(word, old, copied[place % len(copied)], seed) if copied else _drawn(word, old, seed))
            layer.weight.copy_(torch.cat([old[: grown.first], *[row[None] for row in new], old[grown.first :]]))


def _drawn(word: str, rows: Any, seed: int) -> Any:
    """Return a row for a word, from streams of the word without the space before it, and of the word."""
    shared, own = _normal(word.removeprefix("Ġ"), rows, seed), _normal(word, rows, seed)
    return rows.mean(0) + rows.std(0) * ((1 - OWN_SHARE) ** 0.5 * shared + OWN_SHARE**0.5 * own)


def _near(word: str, rows: Any, known: int, seed: int) -> Any:
    """Return a row for a word near that of the word whose number is `known`."""
    return rows[known] + rows.std(0) * OWN_SHARE**0.5 * _normal(word, rows, seed)


def _normal(key: str, rows: Any, seed: int) -> Any:
    import torch

    generator = torch.Generator().manual_seed(seed_from("grow-model", seed, key))
    return torch.randn(rows.shape[1], generator=generator)
