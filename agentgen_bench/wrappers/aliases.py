"""Other words for actions: which words a family has, what may stand for them, and where its text names them.

An action word is replaced where it is the name of an action: at the start of a command, and where the text quotes
commands (lists of actions, buttons, the task's own `focus on`), which are spans of their own. Prose and geometry keep
their English: "You open the drawer 1.", "2 down and 1 right".
"""

import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from itertools import compress, count
from typing import Any, NamedTuple

from agentgen_bench.families import family
from agentgen_bench.seeding import stream
from agentgen_bench.text import Button, Command, Listing, Spans
from agentgen_bench.wrappers.banks import bank

Table = Mapping[str, str]


class Naming(NamedTuple):
    """What replaces what: action words, and button labels as they are written on the page."""

    words: dict[str, str]
    buttons: dict[str, str]

    def inverse(self) -> "Naming":
        """Return the naming that undoes this one."""
        return Naming({b: a for a, b in self.words.items()}, {b: a for a, b in self.buttons.items()})


def naming(family_name: str, aliases: str, seed: int) -> Naming:
    """Return the aliases of a family: for `synonym` one of each word's, for `opaque` a permutation of made-up words."""
    rng = stream("interface", family_name, aliases, seed)
    actions = family(family_name).actions
    words, buttons = ({word.name: word.synonyms for word in table} for table in (actions.words, actions.buttons))
    if aliases == "synonym":
        return Naming(
            *({word: own[rng.integers(len(own))] for word, own in table.items()} for table in (words, buttons))
        )
    drawn = [bank("opaque")[i] for i in rng.permutation(len(bank("opaque")))]
    return Naming(
        dict(zip(words, drawn, strict=False)),
        {label: word.capitalize() for label, word in zip(buttons, drawn[len(words) :], strict=False)},
    )


def command_translator(family_name: str, names: Naming) -> Callable[[str], str | None]:
    """Return a function from a command in the words `names` replaces to one in their aliases.

    It gives None for a command that starts with none of them. What follows the word stays as it is, but for the
    buttons of WebShop's click. A shorthand has no alias; a transcript that holds one is mapped by its word.

    The word is read more strictly than `read_action` does (docs/parsing.md): no full stop directly behind it, one space
    within it, its own case where the family's record says so and in WebShop. What is frozen is played so.
    """
    actions = family(family_name).actions
    if actions.form == "brackets":
        return _webshop_translator(names)
    folded = {word.lower(): other for word, other in names.words.items()}
    start = re.compile(rf"\s*({_either(names.words)})(?!\S)", 0 if actions.case_sensitive else re.IGNORECASE)
    short = {key: word.name for word in actions.words for key in word.shorthands if word.name in names.words}

    def translate(command: str) -> str | None:
        match = start.match(short.get(command.strip().lower(), command))
        return None if match is None else folded[match[1].lower()] + command[match.end() :]

    return translate


class Named(NamedTuple):
    """An action in the original words, and whether it was given under an alias; None where it names no action."""

    command: str
    is_alias: bool | None


def either_reader(family_name: str, names: Naming) -> Callable[[str], Named]:
    """Return a function that reads a command under its alias or under its original name.

    Which one it was is said by the action word; a label of WebShop's buttons may be either beside both.
    """
    to_alias, to_original = (command_translator(family_name, Naming(n.words, {})) for n in (names, names.inverse()))
    labels = {other.lower(): label.lower() for label, other in names.buttons.items()}
    click = {"click", names.words.get("click")}

    def read(command: str) -> Named:
        word, bracket, argument = command.partition("[")
        if bracket and word.strip() in click and (label := argument[:-1].lower()) in labels:
            command = f"{word}[{labels[label]}]"
        original = to_original(command)
        if original is not None:
            return Named(original, True)
        return Named(command, None if to_alias(command) is None else False)

    return read


def _webshop_translator(names: Naming) -> Callable[[str], str | None]:
    words = names.words
    buttons = {label.lower(): other.lower() for label, other in names.buttons.items()}
    taken = set(buttons.values()) - set(buttons)  # a label of the other naming is no button in this one
    click = {word for word in words if "click" in (word, words[word])}

    def translate(command: str) -> str | None:
        word, bracket, argument = command.partition("[")
        if not bracket or word not in words:
            return None
        if word in click and argument[-1:] == "]":
            label = argument[:-1].lower()
            if label in taken:
                return None
            argument = buttons.get(label, argument[:-1]) + "]"
        return f"{words[word]}[{argument}"

    return translate


def span_translator(names: Naming) -> Callable[[Spans], Spans]:
    """Return a function from spans to the same with the actions in the words of `names`.

    It returns the spans themselves where they name no action.
    """
    words, buttons = names

    @lru_cache(maxsize=4096)
    def command(span: Command) -> Command:
        return span.renamed(words[span.word]) if span.word in words else span

    listing = lru_cache(maxsize=64)(lambda span: Listing([command(each) for each in span.commands]))
    button = lru_cache(maxsize=64)(lambda span: Button(buttons.get(span, span)))
    by_type: dict[type[str], Callable[[Any], str]] = {Command: command, Listing: listing, Button: button}

    is_named = by_type.__contains__

    def translate(spans: Spans) -> Spans:
        places = [*compress(count(), map(is_named, map(type, spans)))]  # most spans are text, and passed by at C's pace
        if not places:
            return spans
        renamed = list(spans)
        for i in places:
            span = spans[i]
            renamed[i] = by_type[type(span)](span)
        return tuple(renamed)

    return translate


def _either(words: Table) -> str:
    """Return a pattern that matches any of the words, the longest that fits."""
    return "|".join(re.escape(word) for word in sorted(words, key=len, reverse=True))
