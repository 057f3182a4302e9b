"""What the page says first: what each run reached; and what each run is: settings, time and machine."""

from collections import Counter
from collections.abc import Sequence
from datetime import timedelta

from agentgen_bench.evaluation.folder import ManifestJson
from agentgen_bench.evaluation.machine import HardwareJson
from agentgen_bench.evaluation.sessions import MadeJson, made, sessions_of
from agentgen_bench.report.charts import interval_bar, shown
from agentgen_bench.report.collect import RunReport
from agentgen_bench.report.tables import fixed, head, percent, section, table
from agentgen_bench.scores.base import ScoreJson


def result_section(runs: Sequence[RunReport]) -> str:
    """Return the answer: what each run reached over all its environments, and in each family."""
    families = sorted({name for run in runs for name in run.results["families"]})
    names = ("run", "success %", "95 %, levels only", "interval", *(f"{name} %" for name in families), "score")
    rows = "".join(_result_row(run, families) for run in runs)
    return section("Result", table("Result", head((*names, "episodes")), rows, "result"))


def _result_row(run: RunReport, families: Sequence[str]) -> str:
    overall = run.results["overall"]
    success = overall["success"]
    by_family = [run.results["families"].get(name, {}).get("success") for name in families]
    return (
        f'<tr><th scope="row">{shown(run.label)}</th><td class="number">{percent(success["value"])}</td>'
        f'<td class="number">{_range(success)}</td>'
        f"<td>{interval_bar(success['value'], success['low'], success['high'])}</td>"
        + "".join(
            f'<td class="number">{"-" if one is None else percent(one["value"])}'
            f"{'' if one is None or one['low'] is None else f' <small>{_range(one)}</small>'}</td>"
            for one in by_family
        )
        + f'<td class="number">{fixed(overall["score"]["value"], 3)}</td>'
        f'<td class="number">{run.results["episodes"]} of {_planned(run.manifest)}</td></tr>'
    )


def _range(score: ScoreJson) -> str:
    return "-" if score["low"] is None else f"{percent(score['low'])} - {percent(score['high'])}"


def runs_section(runs: Sequence[RunReport]) -> str:
    """Return which run is which: folder, policy, suite, version, when, how long, on what, by which command."""
    names = ("run", "folder", "policy", "suite", "version", "commit", "started", "duration", "machine", "command")
    rows = "".join(_run_row(run) for run in runs)
    return section("Runs", table("Runs", head(names), rows))


def _run_row(run: RunReport) -> str:
    manifest = run.manifest
    how, suite = made(sessions_of(manifest)), manifest["plan"]["suite"]
    cells = (
        run.name,
        manifest["policy"]["name"],
        "(no suite)" if suite is None else suite["name"],
        manifest["versions"].get("agentgen-bench", "unknown"),
        *(("-",) * 4 if how is None else _circumstances(how)),
    )
    return (
        f'<tr><th scope="row">{shown(run.label)}</th>'
        + "".join(f"<td>{shown(cell)}</td>" for cell in cells)
        + f'<td class="command"><code>{shown(manifest.get("command", ""))}</code></td></tr>'
    )


def _circumstances(how: MadeJson) -> tuple[str, ...]:
    """Return commits, start, duration and machines."""
    commits = [commit[:12] + ("-dirty" if commit.endswith("-dirty") else "") for commit in how["commits"]]
    return (
        ", ".join(commits) or "-",
        how["started"] or "-",
        str(timedelta(seconds=round(how["seconds"]))),
        "; ".join(_machine(machine) for machine in how["hardware"]) or "-",
    )


def _machine(machine: HardwareJson) -> str:
    """Return the graphics cards, or the processor where there are none."""
    gpus = Counter(map(str, machine.get("gpus") or ()))
    cards = ", ".join(name if n == 1 else f"{n} x {name}" for name, n in gpus.items())
    return cards or f"{machine.get('cpu', 'unknown')}, {machine.get('cores', '?')} cores"


def _planned(manifest: ManifestJson) -> int:
    plan = manifest["plan"]
    return int(plan["repeats"]) * sum(len(cell["seeds"]) for cell in plan["cells"])
