"""The progress bar: episodes done, running success rate, steps, tokens per second, time left."""

import sys
import time
from collections.abc import Sequence
from typing import Any

from tqdm import tqdm

from agentgen_bench.episodes import Episode
from agentgen_bench.policies.base import Decision


class Progress:
    """Reports a run on stderr; its methods are the callbacks of `evaluate`. The clock never reaches the record."""

    def __init__(self, n_episodes: int, *, show: bool) -> None:
        """Create the bar for a plan of `n_episodes`; with `show` off it stays silent."""
        self._n_episodes = n_episodes
        self._show = show
        self._bar: tqdm[Any] | None = None
        self._successes = 0
        self._done = 0
        self._steps = 0
        self._tokens = 0
        self._began = 0.0

    def start(self, recorded: Sequence[Episode]) -> None:
        """Draw the bar, with the episodes that a resumed run already holds."""
        self._done = len(recorded)
        self._successes = sum(episode.success for episode in recorded)
        self._began = time.monotonic()
        self._bar = tqdm(
            total=self._n_episodes,
            initial=len(recorded),
            unit="episode",
            file=sys.stderr,
            disable=not self._show,
            dynamic_ncols=True,
            mininterval=0.2 if sys.stderr.isatty() else 10,
            miniters=0,  # else tqdm waits, after the first episodes, for as many more as ended between two lines
        )

    def decisions(self, batch: Sequence[Decision]) -> None:
        """Count steps and tokens of one batch: long episodes end late, and are played first."""
        self._steps += len(batch)
        self._tokens += sum(decision.completion_tokens for decision in batch)
        if self._bar is not None:
            self._bar.set_postfix_str(self._postfix(), refresh=False)
            self._bar.update(0)

    def episode(self, episode: Episode) -> None:
        """Count one finished episode."""
        self._done += 1
        self._successes += episode.success
        if self._bar is not None:
            self._bar.set_postfix_str(self._postfix(), refresh=False)
            self._bar.update(1)

    def close(self) -> None:
        """Leave the bar as it stands."""
        if self._bar is not None:
            self._bar.close()

    def _postfix(self) -> str:
        parts = [f"success {self._successes / self._done:.1%}" if self._done else "success -", f"{self._steps:,} steps"]
        if self._tokens:
            parts.append(f"{self._tokens / max(time.monotonic() - self._began, 1e-9):,.0f} tokens/s")
        return ", ".join(parts)


def say(line: str) -> None:
    """Write a line to stderr, above the bar where there is one."""
    tqdm.write(line, file=sys.stderr)
