"""Text to index terms, as Anserini's English analyzer: standard tokenizer, possessives, lower case, stop words, Porter.

The tokenizer is a regular expression for Unicode's word boundaries (UAX 29). Not covered: scripts without spaces
other than Han and Hiragana (one character each), and the 255-character limit of Lucene's tokens.
"""

import re

from agentgen_bench.envs.webshop.porter import stem

STOP_WORDS = frozenset(
    "a an and are as at be but by for if in into is it no not of on or such that the their then there these they "
    "this to was will with".split()
)  # Lucene's EnglishAnalyzer.ENGLISH_STOP_WORDS_SET

_ASCII_WORD = re.compile(r"\w+(?:(?:(?<=[a-zA-Z])[.':](?=[a-zA-Z])|(?<=\d)[.,;'](?=\d))\w+)*", re.ASCII)
_IDEOGRAPH = "\u3040-\u309f\u3400-\u9fff\uf900-\ufaff"
_EXTEND = "\u0300-\u036f\u200c\u200d\ufe00-\ufe0f\u20d0-\u20f0\U0001f3fb-\U0001f3ff"
_CHAR = f"(?:[^\\W{_IDEOGRAPH}][{_EXTEND}]*)"
_LETTER = f"[^\\W\\d_{_IDEOGRAPH}]"
_PICTOGRAPH = (
    "[©®‼⁉™ℹ↔-↙↩↪⌚⌛⌨⎈⏏⏩-⏳⏸-⏺Ⓜ▪▫▶◀◻-◾\u2600-\u2605\u2607-\u2612\u2614-\u2685\u2690-\u2705\u2708-\u2712✔✖✝✡✨✳✴❄❇❌❎"
    f"❓-❕❗❣-❧➕-➗➡➰➿⤴⤵⬅-⬇⬛⬜⭐⭕〰〽㊗㊙\U0001f000-\U0001faff][{_EXTEND}]*"
)  # Unicode's Extended_Pictographic
_UNICODE_WORD = re.compile(
    f"[{_IDEOGRAPH}]|{_CHAR}+"
    f"(?:(?:(?<={_LETTER})[.'’‘․：:·‧](?={_LETTER})|(?<=\\d)[.'’‘․,;⁄，；](?=\\d)){_CHAR}+)*"
    f"|{_PICTOGRAPH}"
)
_MEMO_LIMIT = 300_000  # distinct words kept with their terms, about 40 MB

_terms_of_words: dict[str, str] = {}


def words(text: str) -> list[str]:
    """Return the words of a text in order, split as Lucene's standard tokenizer does.

    Examples:
        >>> words("Men's 3.5-inch T-shirt, size x_l")
        ["Men's", '3.5', 'inch', 'T', 'shirt', 'size', 'x_l']
    """
    return (_ASCII_WORD if text.isascii() else _UNICODE_WORD).findall(text)


def terms(text: str) -> list[str]:
    """Return the index terms of a text in order, with repetitions.

    Examples:
        >>> terms("The women's running shoes")
        ['women', 'run', 'shoe']
    """
    memo = _terms_of_words
    found = []
    for word in words(text):
        term = memo.get(word)
        if term is None:
            term = _remember(word)
        if term:
            found.append(term)
    return found


def _remember(word: str) -> str:
    """Return the word's term, "" for a stop word, and keep it."""
    if len(_terms_of_words) >= _MEMO_LIMIT:
        _terms_of_words.clear()
    term = _term(word)
    _terms_of_words[word] = term
    return term


def _term(word: str) -> str:
    if word.endswith(("'s", "'S", "’s", "’S", "＇s", "＇S")):
        word = word[:-2]
    word = word.lower()
    return "" if word in STOP_WORDS or not word.strip("_") else stem(word)
