"""Tables and sections of the page: headers with a scope, wide ones scroll inside themselves, by keyboard too."""

from collections.abc import Sequence

from agentgen_bench.report.charts import shown


def section(title: str, body: str) -> str:
    """Return a section of HTML under its heading."""
    return f"<section><h2>{shown(title)}</h2>\n{body}\n</section>\n"


def head(names: Sequence[str]) -> str:
    """Return the header cells of these columns."""
    return "".join(f'<th scope="col">{shown(name)}</th>' for name in names)


def table(title: str, head: str, rows: str, kind: str = "") -> str:
    """Return a table that scrolls in a region of its own, which its title names."""
    shape = f' class="{kind}"' if kind else ""
    return scrolling(title, f"<table{shape}><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>")


def scrolling(title: str, body: str) -> str:
    """Return what may be wider than the page in a region that scrolls, also by keyboard."""
    return f'<div class="scroll" tabindex="0" role="region" aria-label="{shown(title)}">{body}</div>'


def percent(value: float | None) -> str:
    """Return a share in percent, a dash where there is none."""
    return "-" if value is None else f"{100 * value:.1f}"


def fixed(value: float | None, digits: int) -> str:
    """Return a number with so many digits, a dash where there is none."""
    return "-" if value is None else f"{value:.{digits}f}"
