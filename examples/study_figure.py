"""The figure of a study of transfer on the board: what each policy solves, in the worlds trained on and in the others.

    python examples/study_figure.py leaderboards/transfer-mini-v1/ENTRY --output docs/study.svg

Reads `scores.json` of the entry, which `agentgen-bench verify` recomputes from its episodes, and nothing else.
"""

import argparse
import json
from collections.abc import Iterator
from pathlib import Path

from agentgen_bench.report.charts import Point, svg_file
from agentgen_bench.scores.study_board import BoardScoresJson, PolicyJson


def points(scores: BoardScoresJson, families: list[str]) -> list[Point]:
    """Return the success of every policy in these families, with its 95 % interval."""
    return [point for policy in scores["policies"] for point in _of_policy(policy, families)]


def _of_policy(policy: PolicyJson, families: list[str]) -> Iterator[Point]:
    for family in families:
        score = policy["families"].get(family)
        if score is not None and None not in (score["value"], score["low"], score["high"]):
            low, high = float(score["low"] or 0), float(score["high"] or 0)
            yield Point(family, _name(policy), float(score["value"] or 0), low, high, score["n"])


def _name(policy: PolicyJson) -> str:
    """Return what the legend has room for."""
    name = "before" if policy["role"] == "initial" else f"on {policy['source']}"
    return f"{name}, distractors" if policy["augmented"] else name


def figure(scores: BoardScoresJson) -> str:
    """Return the figure as SVG: two panels, worlds that some policy was trained on and worlds that none was."""
    played = list(dict.fromkeys(family for policy in scores["policies"] for family in policy["families"]))
    sources = {policy["source"] for policy in scores["policies"]}
    learned = [family for family in played if family in sources]
    others = [family for family in played if family not in sources]
    panels = {"worlds trained on: success, %": learned, "other worlds: success, %": others}
    return svg_file({title: points(scores, families) for title, families in panels.items() if families}, joined=False)


def main() -> None:
    """Write the figure of an entry."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("entry", type=Path, help="an entry of kind study, or a file like its scores.json")
    parser.add_argument("--output", type=Path, required=True)
    args = parser.parse_args()
    path = args.entry / "scores.json" if args.entry.is_dir() else args.entry
    args.output.write_text(figure(json.loads(path.read_text(encoding="utf-8"))), encoding="utf-8")


if __name__ == "__main__":
    main()
