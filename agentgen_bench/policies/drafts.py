"""Guesses of what a model writes next, from what it has written before: a pass that reads a right one draws two tokens.

A guess never changes a completion: every token is drawn from the model's own distribution with the random number of
its place, and the guesses after the first wrong one are thrown away (speculative decoding, arXiv 2211.17192, with
n-grams for the small model). Agents repeat themselves, so many guesses are right; where few are, reading them costs
more than they bring, and none are read.
"""

from collections.abc import Sequence

ORDER = 4  # tokens that a guess rests on
LONGEST = 5  # guesses for one pass
MOST_TRUSTED = 4  # a guess that was right this often or more is given up after as many mistakes
MAX_KEYS = 200_000  # then all is forgotten: some 40 MB
MEMORY = 2000  # first guesses after which their share of right ones is half forgotten


class Drafts:
    """Which token followed the last four, over all completions of one model's weights."""

    def __init__(self) -> None:
        """Know nothing."""
        self._next: dict[tuple[int, ...], tuple[int, int]] = {}  # four tokens: the next, and how much it is trusted
        self._right, self._seen = 1.0, 1.0  # first guesses

    def __len__(self) -> int:
        """Return how many beginnings are known."""
        return len(self._next)

    def clear(self) -> None:
        """Forget everything: the weights are others now."""
        self._next.clear()
        self._right, self._seen = 1.0, 1.0

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

    def saw(self, right: bool) -> None:
        """Take in whether the first guess after some tokens was right; it need not have been read."""
        self._right += right
        self._seen += 1
        if self._seen > MEMORY:
            self._right, self._seen = self._right / 2, self._seen / 2

    def worth_reading(self, guesses: Sequence[Sequence[int]], cost: float) -> list[Sequence[int]]:
        """Return the guesses of a pass cut to the length at which it draws the most tokens in its time.

        Args:
            guesses: those after each row. All rows read as many tokens as the longest.
            cost: time that one more token a row adds to a pass, over the time of a pass without guesses.

        Examples:
            >>> drafts = Drafts()
            >>> drafts.worth_reading([[1, 2], [3, 4]], cost=0.4)
            [[1, 2], [3, 4]]
            >>> for _ in range(9):
            ...     drafts.saw(right=False)
            >>> drafts.worth_reading([[1, 2], [3, 4]], cost=0.4)
            [[], []]
        """
        chance, drawn = 1.0, float(len(guesses))
        best, width = drawn, 0
        for length in range(1, max(map(len, guesses), default=0) + 1):
            chance *= self._right / self._seen
            drawn += chance * sum(len(own) >= length for own in guesses)
            if drawn / (1 + cost * length) > best:
                best, width = drawn / (1 + cost * length), length
        return [own[:width] for own in guesses]

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
