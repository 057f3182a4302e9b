"""What a study adds to the page: the transfer matrix, curves over stages, and every score with its interval."""

from collections.abc import Sequence

from agentgen_bench.episodes import Episode
from agentgen_bench.report.charts import curve, heat_map, shown
from agentgen_bench.report.tables import head, scrolling, table
from agentgen_bench.scores.study import Study
from agentgen_bench.scores.study_scores import StudyScores, score_study
from agentgen_bench.scores.units import in_units, interval_in_units, interval_over, why_no_interval


def study_sections(study: Study, episodes: Sequence[Sequence[Episode]]) -> list[tuple[str, str]]:
    """Return (title, HTML) pairs; `episodes` holds those of each folder, in the order of `study.folders`."""
    scores = score_study(study, study.by_run(episodes))
    sections = [("Transfer matrix: success %, a row per policy", _transfer_matrix(scores))]
    if study.stages:
        sections.append(("Success after each stage", _stage_curves(scores)))
    return [*sections, (f"Scores of the study {study.name}", _score_table(scores))]


def _rates(scores: StudyScores) -> dict[tuple[str, str], float]:
    """Return success by (condition, family)."""
    rates = {}
    for line in scores.lines:
        if line.section == "success" and line.score.value is not None:
            condition, _, environment = line.subject.rpartition(": ")
            rates[condition, environment] = line.score.value
    return rates


def _transfer_matrix(scores: StudyScores) -> str:
    rates = _rates(scores)
    rows = [condition.label for condition in scores.study.conditions]
    columns = list(dict.fromkeys(environment for _, environment in rates))
    return scrolling("Transfer matrix", heat_map(rows, columns, rates))


def _stage_curves(scores: StudyScores) -> str:
    """Return a line per environment over the stages, from the initial policy where the study has one."""
    rates = _rates(scores)
    initial = scores.study.only("initial")
    conditions = [*([initial] if initial else []), *scores.study.stages]
    environments = dict.fromkeys(environment for _, environment in rates)
    lines = {name: [rates.get((condition.label, name)) for condition in conditions] for name in environments}
    labels = ["initial" if condition.role == "initial" else f"stage {condition.stage}" for condition in conditions]
    return curve(lines, labels, "success % after each stage")


def _score_table(scores: StudyScores) -> str:
    rows = "".join(
        "<tr>"
        + "".join(f"<td>{shown(cell)}</td>" for cell in (line.section, line.subject, line.score.name))
        + f'<td class="number">{shown(in_units(line.score.name, line.score.value))}</td>'
        + f'<td class="number">{shown(interval_in_units(line.score))}</td>'
        + f"<td>{shown(interval_over(line.score))}</td>"
        + f'<td class="remark">{shown(line.score.reason or why_no_interval(line.score) or "")}</td></tr>'
        for line in scores.lines
        if line.section != "success"
    )
    names = ("kind", "about", "score", "value", "95 % interval", "over", "remark")
    missing = "".join(f"<li>{shown(line)}</li>" for line in (*scores.notes, *scores.missing))
    body = table("Scores of the study", head(names), rows)
    unhealthy = "".join(f"<li>{shown(line)}</li>" for line in scores.study.unhealthy)
    body = (f"<p>Training that went wrong:</p><ul>{unhealthy}</ul>" if unhealthy else "") + body
    return body + (f"<p>Left out, or not computed for want of a run:</p><ul>{missing}</ul>" if missing else "")
