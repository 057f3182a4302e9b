"""The page: sections in the order a reader asks for them, all of it in one file that needs no network."""

import json
from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any

from agentgen_bench.evaluation.folder import write_text
from agentgen_bench.families import DIFFICULTY_ORDER
from agentgen_bench.knobs import WRAPPER_DEFAULTS
from agentgen_bench.report.answer import result_section, runs_section
from agentgen_bench.report.charts import Point, heat_map, interval_bar, shown, small_multiples
from agentgen_bench.report.collect import RunReport, collect, labelled
from agentgen_bench.report.harness import harness_sections
from agentgen_bench.report.pushes import PUSHES_TITLE, push_table
from agentgen_bench.report.run_scores import run_score_sections
from agentgen_bench.report.study import study_sections
from agentgen_bench.report.tables import fixed, head, percent, scrolling, section, table
from agentgen_bench.scores.base import Score, ScoreJson, family, setting_label
from agentgen_bench.scores.failures import MODES
from agentgen_bench.scores.packs import pack_scores
from agentgen_bench.scores.study import Study
from agentgen_bench.scores.success import SettingJson
from agentgen_bench.scores.units import in_units, interval_in_units

MAX_TITLED = 3  # runs that the title names; more would push the answer off the screen


def write_report(runs: Sequence[Path], output: Path, study: Study | None = None) -> None:
    """Write the report of run folders to a file; with a study, `runs` are its folders, in its order.

    Raises:
        RunError: a folder is no run, or the file cannot be written.
    """
    write_text(output, page([collect(run) for run in runs], study))


def page(runs: Sequence[RunReport], study: Study | None = None) -> str:
    """Return the whole HTML page; with a study, its scores come first."""
    runs = labelled(runs)
    names = ", ".join(run.label for run in runs) if len(runs) <= MAX_TITLED else f"{len(runs)} runs"
    title = f"agentgen-bench: {names}"
    studied = study_sections(study, [run.episodes for run in runs]) if study else []
    sections = [
        result_section(runs),
        *(section(name, body) for name, body in studied),
        _success_section(runs),
        _charts_section(runs),
        *([_matrix_section(runs)] if len(runs) > 1 and study is None else []),
        _lengths_section(runs),
        _endings_section(runs),
        *_packs_section(runs),
        *run_score_sections(runs),
        *harness_sections(runs),
        _failures_section(runs),
        *([section(PUSHES_TITLE, table(PUSHES_TITLE, *pushes))] if (pushes := push_table(runs)) else []),
        runs_section(runs),
        _browser_section(runs),
    ]
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; "
        "script-src 'unsafe-inline'; img-src data:\">\n"
        f"<title>{shown(title)}</title>\n<style>\n{_asset('report.css')}</style>\n</head>\n<body>\n"
        f"<header><h1>{shown(title)}</h1></header>\n<main>\n{''.join(sections)}</main>\n"
        f"{_payload(runs)}<script>\n{_asset('report.js')}</script>\n</body>\n</html>\n"
    )


def _success_section(runs: Sequence[RunReport]) -> str:
    names = ("run", "environment", "success %", "95 %, levels only", "interval", "score", "episodes", "errors")
    rows = "".join(_success_row(run, setting) for run in runs for setting in run.results["settings"])
    return section("Success", table("Success", head(names), rows))


def _success_row(run: RunReport, setting: SettingJson) -> str:
    success, score = setting["scores"]["success"], setting["scores"]["score"]
    texts = (run.label, setting["setting"])
    numbers = (percent(success["value"]), f"{percent(success['low'])} - {percent(success['high'])}")
    return (
        "<tr>"
        + "".join(f"<td>{shown(text)}</td>" for text in texts)
        + "".join(f'<td class="number">{shown(number)}</td>' for number in numbers)
        + f"<td>{interval_bar(success['value'], success['low'], success['high'])}</td>"
        + f'<td class="number">{fixed(score["value"], 3)}</td><td class="number">{setting["episodes"]}</td>'
        + f'<td class="number">{len(setting["crashed"])}</td></tr>'
    )


def _charts_section(runs: Sequence[RunReport]) -> str:
    panels: dict[str, list[Point]] = {}
    for run in runs:
        for setting in run.results["settings"]:
            success = setting["scores"]["success"]
            if success["value"] is not None:
                spec = setting["spec"]
                point = Point(
                    spec["difficulty"],
                    _series(run, spec, runs),
                    *_bounds(success["value"], success),
                    setting["episodes"],
                )
                panels.setdefault(f"{family(spec)} ({spec['split']})", []).append(point)
    difficulties = {point.x for points in panels.values() for point in points}
    order = [*(x for x in DIFFICULTY_ORDER if x in difficulties), *sorted(difficulties - set(DIFFICULTY_ORDER))]
    return section("Success by family, difficulty, richness and distractors", small_multiples(panels, order))


def _series(run: RunReport, spec: Mapping[str, Any], runs: Sequence[RunReport]) -> str:
    """Return what tells two points of one panel apart: the run where there are several, and the knobs."""
    richness = setting_label({**spec, "knobs": {}}).split()[0].partition("-")[2] or "base"
    parts = [run.label] if len(runs) > 1 else []
    parts.append(richness)
    parts += [f"{name}={json.dumps(value)}" for name, value in sorted(spec["knobs"].items())]
    for name, default in WRAPPER_DEFAULTS.items():
        value = spec.get(name, default)
        if value != default:
            parts.append(f"{name} {value if isinstance(value, str) else json.dumps(value)}")
    return ", ".join(parts)


def _bounds(value: float, score: ScoreJson) -> tuple[float, float, float]:
    return value, value if score["low"] is None else score["low"], value if score["high"] is None else score["high"]


def _matrix_section(runs: Sequence[RunReport]) -> str:
    values = {
        (run.label, setting["setting"]): setting["scores"]["success"]["value"]
        for run in runs
        for setting in run.results["settings"]
        if setting["scores"]["success"]["value"] is not None
    }
    columns = list(dict.fromkeys(column for _, column in values))
    title = "Success of each run on each environment, %"
    return section(title, scrolling(title, heat_map([run.label for run in runs], columns, values)))


def _lengths_section(runs: Sequence[RunReport]) -> str:
    names = ("steps", "prompt_tokens_per_step", "completion_tokens_per_step", "invalid_action_rate", "unparsed_rate")
    titles = ("run", "environment", *(name.replace("_", " ") for name in names))
    rows = "".join(
        f"<tr><td>{shown(run.label)}</td><td>{shown(setting['setting'])}</td>"
        + "".join(f'<td class="number">{fixed(setting["scores"][name]["value"], 3)}</td>' for name in names)
        + "</tr>"
        for run in runs
        for setting in run.results["settings"]
    )
    return section("Steps, tokens and actions", table("Steps, tokens and actions", head(titles), rows))


def _endings_section(runs: Sequence[RunReport]) -> str:
    names = ("run", "environment", "solved or ended", "out of steps", "crashed", "unparsed completions, why")
    rows = "".join(
        f"<tr><td>{shown(run.label)}</td><td>{shown(setting['setting'])}</td>"
        + "".join(
            f'<td class="number">{setting["endings"][name]}</td>' for name in ("terminated", "truncated", "error")
        )
        + f"<td>{shown(', '.join(f'{why} {n}' for why, n in setting['parse_reasons'].items()) or '-')}</td></tr>"
        for run in runs
        for setting in run.results["settings"]
    )
    return section("How episodes end", table("How episodes end", head(names), rows))


def _packs_section(runs: Sequence[RunReport]) -> list[str]:
    """Return the section of the packs: the score at each position, a panel per family and difficulty, and their scores.

    There is none where no run plays packs.
    """
    panels: dict[str, list[Point]] = {}
    rows: list[str] = []
    for run in runs:
        for packs in pack_scores([run.episodes]):
            for k, score in enumerate(packs.curve, 1):
                if score.value is not None:
                    low, high = _bounds(score.value, score.to_json())[1:]
                    point = Point(str(k), _series(run, packs.spec, runs), score.value, low, high, score.n)
                    panels.setdefault(f"{family(packs.spec)} {packs.spec['difficulty']}", []).append(point)
            rows += [_pack_row(run, packs.setting, score) for score in packs.scores[len(packs.curve) :]]
    order = sorted({point.x for points in panels.values() for point in points}, key=int)
    title = "Packs: score at each position, %"
    if not panels:
        return []
    names = ("run", "packs", "score", "value", "95 % interval", "n")
    return [section(title, small_multiples(panels, order) + table("What memory is worth", head(names), "".join(rows)))]


def _pack_row(run: RunReport, setting: str, score: Score) -> str:
    numbers = (in_units(score.name, score.value), interval_in_units(score), str(score.n))
    words = "".join(f"<td>{shown(text)}</td>" for text in (run.label, setting, score.name.replace("_", " ")))
    cells = "".join(f'<td class="number">{shown(number)}</td>' for number in numbers)
    return f"<tr>{words}{cells}</tr>"


def _failures_section(runs: Sequence[RunReport]) -> str:
    names = ("run", "environment", *(mode.replace("_", " ") for mode in MODES))
    rows = "".join(
        f"<tr><td>{shown(run.label)}</td><td>{shown(setting)}</td>"
        + "".join(f'<td class="number">{percent(share)}</td>' for share in shares.values())
        + "</tr>"
        for run in runs
        for setting, shares in _mode_shares(run).items()
    )
    return section("Failure modes, % of episodes", table("Failure modes", head(names), rows))


def _mode_shares(run: RunReport) -> dict[str, dict[str, float | None]]:
    """Return by setting the share of episodes that show each mode; None where no record can tell."""
    by_setting: dict[str, list[Mapping[str, bool | None]]] = {
        setting["setting"]: [] for setting in run.results["settings"]
    }
    for entry in run.index:
        by_setting.setdefault(entry["setting"], []).append(entry["modes"])
    shares: dict[str, dict[str, float | None]] = {}
    for label, found in by_setting.items():
        known = {mode: [is_shown for one in found if (is_shown := one[mode]) is not None] for mode in MODES}
        shares[label] = {mode: sum(values) / len(values) if values else None for mode, values in known.items()}
    return shares


def _browser_section(runs: Sequence[RunReport]) -> str:
    n_episodes = sum(len(run.index) for run in runs)
    return section(
        f"Episodes ({n_episodes:,})",
        '<div id="browser"><div class="filters">'
        '<label>run <select id="filter-run"></select></label>'
        '<label>environment <select id="filter-setting"></select></label>'
        '<label>outcome <select id="filter-outcome"><option value="">all</option><option>solved</option>'
        "<option>failed</option><option>error</option></select></label>"
        '<label>failure mode <select id="filter-mode"></select></label>'
        '<label>task or seed <input id="filter-text" type="search"></label><output id="count"></output></div>'
        '<div class="panes"><div id="list" tabindex="0" role="listbox" aria-label="episodes"></div>'
        '<article id="episode"><p>Choose an episode.</p></article></div></div>',
    )


def _payload(runs: Sequence[RunReport]) -> str:
    data = [{"name": run.name, "label": run.label, "index": run.index, "packed": run.packed} for run in runs]
    # No "<" survives, so nothing inside can close the script element.
    text = json.dumps(data, separators=(",", ":")).replace("<", "\\u003c")
    return f'<script type="application/json" id="data">{text}</script>\n'


def _asset(name: str) -> str:
    return resources.files("agentgen_bench.report").joinpath("assets", name).read_text(encoding="utf-8")
