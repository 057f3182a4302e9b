"""A line of a study's scores, and the table of rates that most of them come from."""

from collections.abc import Mapping
from typing import NamedTuple

from agentgen_bench.scores.base import Score, ScoreJson
from agentgen_bench.scores.sampling import PolicyRates
from agentgen_bench.scores.study import Condition
from agentgen_bench.scores.units import interval_over, why_no_interval

Table = Mapping[Condition, PolicyRates]


class LineJson(ScoreJson):
    """A line as `score --json` writes it."""

    section: str
    subject: str
    name: str
    interval_over: str | None
    no_interval: str | None


class Line(NamedTuple):
    """One score of a study: the section it belongs to, what it is about, and the score."""

    section: str
    subject: str
    score: Score

    def to_json(self) -> LineJson:
        """Return plain values: the score's, what its interval ranges over, and why it has none."""
        return {
            "section": self.section,
            "subject": self.subject,
            "name": self.score.name,
            **self.score.to_json(),
            "interval_over": interval_over(self.score) or None,
            "no_interval": why_no_interval(self.score),
        }
