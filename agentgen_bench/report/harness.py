"""The section of the page on grids: success of one model under each harness, mean and variance between them."""

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from agentgen_bench.report.charts import heat_map, shown
from agentgen_bench.report.collect import RunReport
from agentgen_bench.report.tables import head, scrolling, section, table
from agentgen_bench.scores.harness import HarnessScores, harness_scores
from agentgen_bench.scores.units import in_units, interval_in_units, why_no_interval

HEADS = ("about", "score", "value", "95 %, levels only", "levels", "remark")


def harness_sections(runs: Sequence[RunReport]) -> list[str]:
    """Return a section of HTML for each grid of which two runs or more are on the page.

    A grid is its folder: two models' grids may have the same name, and are not one.
    """
    grids: dict[Path, dict[str, RunReport]] = {}
    for run in runs:
        if run.grid is not None:
            grids.setdefault(run.grid, {})[run.name] = run
    names = _told_apart(grids)
    return [_section(names[grid], members) for grid, members in grids.items() if len(members) > 1]


def _told_apart(folders: Iterable[Path]) -> dict[Path, str]:
    """Return the shortest end of each folder's path that no other one ends in: `grid`, or `model-a/grid`."""
    ends = {folder: ["/".join(folder.parts[-n:]) for n in range(1, len(folder.parts) + 1)] for folder in folders}
    seen = Counter(end for found in ends.values() for end in found)
    return {folder: next(end for end in found if seen[end] == 1) for folder, found in ends.items()}


def _section(grid: str, runs: dict[str, RunReport]) -> str:
    found = harness_scores({name: run.episodes for name, run in runs.items()})
    rates = {(name, one.subject): rate for one in found for name, rate in one.rates.items()}
    columns = [one.subject for one in found]
    chart = scrolling(f"Success by harness of {grid}", heat_map(list(runs), columns, rates))
    rows = "".join(_rows(one) for one in found)
    title = f"Harnesses of {grid}: success, %"
    return section(title, f"{chart}\n{table(f'Harness scores of {grid}', head(HEADS), rows)}")


def _rows(one: HarnessScores) -> str:
    return "".join(
        f"<tr><td>{shown(one.subject)}</td><td>{shown(score.name)}</td>"
        f'<td class="number">{shown(in_units(score.name, score.value))}</td>'
        f'<td class="number">{shown(interval_in_units(score))}</td><td class="number">{score.n}</td>'
        f'<td class="remark">{shown(score.reason or why_no_interval(score) or "")}</td></tr>'
        for score in one.scores
    )
