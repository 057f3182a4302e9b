"""Scores: pure functions over recorded episodes and over tables of success rates; nothing here touches a file."""

from agentgen_bench.scores.base import Score
from agentgen_bench.scores.success import results

__all__ = ["Score", "results"]
