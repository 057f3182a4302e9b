"""Sections of the page on what one run says by itself: reliability, cost, interface, horizon, robustness."""

from collections.abc import Sequence

from agentgen_bench.report.charts import shown
from agentgen_bench.report.collect import RunReport
from agentgen_bench.report.tables import head, section, table
from agentgen_bench.scores.run_scores import RunScores, run_scores
from agentgen_bench.scores.units import in_units, interval_in_units, why_no_interval

TITLES = {
    "reliability": "Reliability over repeats of a level",
    "cost": "Cost: success within generated tokens, and tokens per success",
    "interface": "Interface: by which names actions are called, where both are accepted",
    "horizon": "Horizon: exact distance at which success is one half",
    "robustness": "Robustness: what is left of success where steps fail",
}
HEADS = ("run", "environment", "score", "value", "95 %, levels only", "levels or episodes", "remark")


def run_score_sections(runs: Sequence[RunReport]) -> list[str]:
    """Return a section of HTML for each kind of score that some run has."""
    found = [(run.label, one) for run in runs for one in run_scores(run.episodes)]
    there = {one.section for _, one in found}
    return [
        _section(TITLES.get(kind, kind.capitalize()), [entry for entry in found if entry[1].section == kind])
        for kind in (*(kind for kind in TITLES if kind in there), *sorted(there - set(TITLES)))
    ]


def _section(title: str, found: Sequence[tuple[str, RunScores]]) -> str:
    rows = "".join(
        f"<tr><td>{shown(policy)}</td><td>{shown(one.setting)}</td><td>{shown(score.name)}</td>"
        f'<td class="number">{shown(in_units(score.name, score.value))}</td>'
        f'<td class="number">{shown(interval_in_units(score))}</td><td class="number">{score.n}</td>'
        f'<td class="remark">{shown(score.reason or why_no_interval(score) or "")}</td></tr>'
        for policy, one in found
        for score in one.scores
    )
    return section(title, table(title, head(HEADS), rows))
