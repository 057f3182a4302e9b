"""Sokoban's first fatal push and regret as a table of the page."""

from collections.abc import Iterator, Sequence

from agentgen_bench.report.charts import shown
from agentgen_bench.report.collect import RunReport
from agentgen_bench.report.tables import head
from agentgen_bench.scores.base import by_setting, setting_label
from agentgen_bench.scores.failures import ANALYSES, failures_json
from agentgen_bench.scores.units import in_steps
from agentgen_bench.seeding import stream

PUSHES_TITLE = "Sokoban: first fatal push and regret, mean steps and 95 % interval, levels only"


def push_table(runs: Sequence[RunReport]) -> tuple[str, str] | None:
    """Return head and rows of the table as HTML; None where no run holds a level of Sokoban."""
    rows = "".join(row for run in runs for row in _rows(run))
    names = ("run", "environment", *(name.replace("_", " ") for name in ANALYSES))
    return (head(names), rows) if rows else None


def _rows(run: RunReport) -> Iterator[str]:
    for key, group in by_setting(run.episodes).items():
        if any(name in episode.analysis for episode in group for name in ANALYSES):
            scores = failures_json(group, stream("scores", "failures", key))["scores"]
            texts = (run.label, setting_label(group[0].spec))
            yield (
                "<tr>"
                + "".join(f"<td>{shown(text)}</td>" for text in texts)
                + "".join(f'<td class="number">{in_steps(scores[name])}</td>' for name in ANALYSES)
                + "</tr>"
            )
