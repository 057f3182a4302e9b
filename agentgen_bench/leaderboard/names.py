"""Names on the board: of one script, with nothing unseen in them, and no two that look alike; and dates that can be.

Script and look are taken from `unicodedata` rather than from a package of confusables: the one that is kept up is two
Unicode versions behind, and which scripts may name a lab or a model is a short list. What it does not hold is refused.
A letter's script is the first word of its Unicode name. Look-alikes follow UTS 39: two names are confusable where
their skeletons are equal. Ours also folds case, marks and separators, since a reader does.
"""

import re
import unicodedata
from collections.abc import Iterable
from datetime import date, timedelta

from agentgen_bench.errors import EntryError

MAX_NAME_CHARS = 100
# Writing systems of today whose letters are told apart at sight, once the look-alikes below are folded.
SCRIPTS = (
    *("LATIN", "GREEK", "CYRILLIC", "ARABIC", "HEBREW", "DEVANAGARI", "BENGALI", "TAMIL", "THAI"),
    *("HANGUL", "CJK", "HIRAGANA", "KATAKANA", "KATAKANA-HIRAGANA"),
)
JAPANESE = frozenset(("CJK", "HIRAGANA", "KATAKANA", "KATAKANA-HIRAGANA"))  # one writing system (ISO 15924: Jpan)
BLANK_LETTERS = frozenset("\u115f\u1160\u3164\uffa0")  # letters by category, drawn as nothing
STUDIED = ("core-mini-v1", "transfer-smoke", "transfer-mini-v1", "transfer-v1", "difficulty-v2", "sequence-v1")
BORN = {
    **dict.fromkeys(
        ("smoke", "core-v1", "ood-v1", "difficulty-v1", "richness-v1", "paper-v1", "lifecycle-v1"), date(2026, 11, 21)
    ),
    **dict.fromkeys((*STUDIED, "lifecycle-v2", "lifecycle-transfer-v1", "lifecycle-smoke"), date(2026, 11, 28)),
    "transfer-mini-v2": date(2026, 11, 29),
}

_LOOKS = {
    # Cyrillic and Greek letters that are drawn as Latin ones (confusables.txt of UTS 39), in lower case.
    **dict(zip("аеорсухѕіјһԁԛԝкмнтвьѵӏгпэ", "aeopcyxsijhdqwkmhtbbvlrne", strict=True)),
    **dict(zip("αεορτυχικνηωβμγπσςκ", "aeoptuxiknnwbmynook", strict=True)),
    # Latin letters beyond a to z, and digits, that are taken for others.
    **dict(zip("ıłøđħŧɑɡƅɩʟɴʀɪ", "ilodhtagbilnri", strict=True)),
    "0": "o",
    "1": "l",
    "i": "l",
    "|": "l",
    "!": "l",
    "5": "s",
    "$": "s",
}
_PAIRS = (("rn", "m"), ("vv", "w"), ("cl", "d"))
_SEPARATORS = re.compile(r"[^\w|!$]|_")


def check_name(name: str, what: str) -> None:
    """Raise EntryError unless a name is one line of one script, as it is normally written, without unseen letters."""
    if not 0 < len(name) <= MAX_NAME_CHARS or not name.isprintable() or name != name.strip():
        raise EntryError(f"{what} must be one line of at most {MAX_NAME_CHARS} printable characters")
    if name != unicodedata.normalize("NFKC", name):
        raise EntryError(f"{what} {name!a} holds characters that stand for others; write it plainly")
    scripts = {_script(char, what) for char in name if not char.isascii() or char.isalpha()}
    if len(scripts) > 1 and not scripts <= JAPANESE:
        raise EntryError(f"{what} {name!a} mixes the scripts {', '.join(sorted(scripts))}; write it in one")


def _script(char: str, what: str) -> str:
    """Return the script of a letter or of a mark on one; raises EntryError for anything else beyond ASCII."""
    script = unicodedata.name(char, "").partition(" ")[0]
    if unicodedata.category(char)[0] not in "LM" or char in BLANK_LETTERS or script not in SCRIPTS:
        raise EntryError(f"{what} holds {char!a}, which is neither a letter of a script we know nor plain ASCII")
    return script


def skeleton(name: str) -> str:
    """Return what a reader sees of a name: two names with the same one look alike.

    Examples:
        >>> skeleton("Qwen3-4B") == skeleton("qwеn3 4b"), skeleton("Qwen3-4B") == skeleton("Qwen3-8B")
        (True, False)
    """
    text = unicodedata.normalize("NFD", unicodedata.normalize("NFKC", name).casefold())
    text = "".join(char for char in text if unicodedata.category(char) not in ("Mn", "Me", "Cf"))
    text = "".join(_LOOKS.get(char, char) for char in _SEPARATORS.sub("", text))
    for pair, letter in _PAIRS:
        text = text.replace(pair, letter)
    return text


def lookalike(name: str, others: Iterable[str]) -> str | None:
    """Return another name that looks like this one and is not the same, or None."""
    seen = skeleton(name)
    return next((other for other in sorted(others) if other != name and skeleton(other) == seen), None)


def known_problems(org: str, model: str, known: Iterable[tuple[str, str]]) -> list[str]:
    """Return where an entry's org or model looks like another one on the board; `known` are (org, model) there."""
    pairs = list(known)
    found = []
    for what, own, others in (("org", org, {each for each, _ in pairs}), ("model", model, {each for _, each in pairs})):
        if (other := lookalike(own, others)) is not None:
            found.append(f"the {what} {own!a} looks like {other!a}, which is on the board; write it so")
    return found


def date_problem(suite: str, day: str, today: date) -> str | None:
    """Return why an entry cannot be of that day (YYYY-MM-DD): before its suite, or later than tomorrow; else None."""
    born, tomorrow = BORN.get(suite, date.min), today + timedelta(days=1)  # somewhere it is tomorrow already
    if born <= date.fromisoformat(day) <= tomorrow:
        return None
    return f"its date is {day}; {suite} is of {born}, and tomorrow is {tomorrow}"
