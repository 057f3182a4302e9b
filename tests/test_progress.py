"""The progress bar goes on between two ends of episodes: a long one may take an hour."""

import io
import sys
from types import SimpleNamespace
from typing import Any

import pytest

from agentgen_bench.cli.progress import Progress


class Clock:
    """Seconds that pass when they are told to."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize("ended_before", [0, 1, 40])
def test_steps_are_shown_while_no_episode_ends(ended_before: int, monkeypatch: pytest.MonkeyPatch) -> None:
    clock, shown = Clock(), io.StringIO()
    monkeypatch.setattr("tqdm.std.time", clock)
    monkeypatch.setattr(sys, "stderr", shown)
    progress = Progress(100, show=True)
    progress.start([])
    episode: Any = SimpleNamespace(success=True)
    decision: Any = SimpleNamespace(completion_tokens=5)
    for _ in range(ended_before):
        clock.now += 4
        progress.episode(episode)
    for steps in (1, 2, 3):
        clock.now += 60
        progress.decisions([decision])
        assert f"{steps} steps" in shown.getvalue()
    progress.close()
