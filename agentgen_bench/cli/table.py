"""Results as a table for a terminal."""

from collections.abc import Sequence

from agentgen_bench.scores.base import ScoreJson
from agentgen_bench.scores.success import ResultsJson, SettingJson

HEADER = ("environment", "episodes", "success", "95 %, levels only", "score", "steps", "invalid", "unparsed", "errors")


def results_table(results: ResultsJson) -> str:
    """Return the results of one run as text: a row per environment setting, crashed episodes listed below."""
    rows = [HEADER, *(_row(setting) for setting in results["settings"])]
    if len(results["settings"]) > 1:
        rows.append(_overall_row(results))
    return "\n".join([*aligned(rows), *_crashes(results["settings"])])


def n_crashed(results: ResultsJson) -> int:
    """Return how many episodes ended in an error."""
    return sum(len(setting["crashed"]) for setting in results["settings"])


def aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Return the rows as lines, the first column flush left, the others flush right."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return [
        "  ".join(
            [row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))]
        )
        for row in rows
    ]


def percent(value: float | None) -> str:
    """Return a fraction as percent with one decimal, or a dash where it is undefined."""
    return "-" if value is None else f"{100 * value:.1f} %"


def interval(score: ScoreJson) -> str:
    """Return a score's interval in percent."""
    if score["low"] is None or score["high"] is None:
        return "-"
    return f"{100 * score['low']:.1f} - {100 * score['high']:.1f}"


def _row(setting: SettingJson) -> tuple[str, ...]:
    scores = setting["scores"]
    return (
        setting["setting"],
        str(setting["episodes"]),
        percent(scores["success"]["value"]),
        interval(scores["success"]),
        _number(scores["score"]["value"], 3),
        _number(scores["steps"]["value"], 1),
        percent(scores["invalid_action_rate"]["value"]),
        percent(scores["unparsed_rate"]["value"]),
        str(len(setting["crashed"])),
    )


def _overall_row(results: ResultsJson) -> tuple[str, ...]:
    success, score = results["overall"]["success"], results["overall"]["score"]
    return (
        "mean over environments",
        str(results["episodes"]),
        percent(success["value"]),
        interval(success),
        _number(score["value"], 3),
        *("", "", ""),
        str(n_crashed(results)),
    )


def _number(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{value:.{digits}f}"


def _crashes(settings: Sequence[SettingJson]) -> list[str]:
    return [
        f"failed: {setting['setting']}, seed {crash['seed']}, repeat {crash['repeat']}: {crash['error']}"
        for setting in settings
        for crash in setting["crashed"]
    ]
