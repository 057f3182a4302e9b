"""Guesses of what a model writes next, from what it has written before: a pass that reads a right one draws two tokens.

A guess never changes a completion: every token is drawn from the model's own distribution with the random number of
its place, and the guesses after the first wrong one are thrown away (speculative decoding, arXiv 2211.17192, with
n-grams for the small model). Agents repeat themselves, so most guesses are right.
"""

from collections.abc import Sequence

ORDER = 4  # tokens that a guess rests on
LONGEST = 5  # guesses for one pass
MOST_TRUSTED = 4  # a guess that was right this often or more is given up after as many mistakes
MAX_KEYS = 200_000  # then all is forgotten: some 40 MB


class Drafts:
    """Which token followed the last four, over all completions of one model's weights."""

    def __init__(self) -> None:
        """Know nothing."""
        self._next: dict[tuple[int, ...], tuple[int, int]] = {}  # four tokens: the next, and how much it is trusted

    def __len__(self) -> int:
        """Return how many beginnings are known."""
        return len(self._next)

    def clear(self) -> None:
        """Forget everything: the weights are others now."""
        self._next.clear()

    def learn(self, ids: Sequence[int], start: int) -> None:
        """Take in the tokens of `ids` from `start` on, each with the four before it.

        Examples:
            >>> drafts = Drafts()
            >>> for _ in range(2):
            ...     drafts.learn([1, 2, 3, 4, 5, 6], 4)
            >>> drafts.after([1, 2, 3, 4], 3)
            [5, 6]
        """
        if len(self._next) > MAX_KEYS:
            self._next.clear()
        for end in range(max(start, ORDER), len(ids)):
            key, token = tuple(ids[end - ORDER : end]), ids[end]
            known, right = self._next.get(key, (token, -1))
            if known == token:
                self._next[key] = (token, min(right + 1, MOST_TRUSTED))
            else:
                self._next[key] = (known, right - 1) if right > 0 else (token, 0)

    def after(self, ids: Sequence[int], most: int) -> list[int]:
        """Return at most `most` guesses of what follows `ids`: those that were right more than once."""
        guesses: list[int] = []
        key = tuple(ids[-ORDER:])
        while len(guesses) < most:
            token, right = self._next.get(key, (0, 0))
            if right < 1:
                break
            guesses.append(token)
            key = (*key[1:], token)
        return guesses
