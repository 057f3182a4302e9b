"""How a score is written for readers: percent, percentage points, or a plain number."""

from agentgen_bench.scores.base import Score, ScoreJson

# Differences of rates, shown in percentage points; the other scores are shares, shown in percent, but for RAW.
POINTS = {
    "generalization_tax",
    "delta_held_in",
    "delta_held_out",
    "delta_overall",
    "difficulty_transfer",
    "difficulty_drop",
    "backward_transfer",
    "forward_transfer",
    "forgetting_max",
    "forgetting_end",
    "cod_effect",
    "ralph_effect",
    "score_change",
    "effect_change",
    "gain_change",
    "held_in_score_change",
    "held_in_gain_change",
    "held_out_score_change",
    "held_out_gain_change",
    "fault_change",
    "stateful_gain",
    "interface_reliance",
}
RAW = {"ood_rank_score", "harness_variance", "tokens_per_success", "memory_tokens", "horizon_50", "horizon_slope"}
NO_INTERVAL_FOR = {
    "forgetting_max": "the largest of noisy rates is too large, by 1 to 3 points where nothing is forgotten, and "
    "redraws of it are larger still; forgetting_end has an interval",
    "iqm_success": "redraws of three seeds cover 77 %, not 95",
    **dict.fromkeys(
        ("interface_reliance", "originals_where_shown", "originals_where_aliases_are_shown"),
        "fewer than 30 levels show the originals, or the aliases, and redraws of so few cover 87 to 92 %",
    ),
    "ood_rank_score": "redraws cover 20 to 58 % where models are equal in truth; nothing is ordered by it",
}


def in_units(name: str, value: float | None) -> str:
    """Return a score's value for readers: percent, percentage points, or a plain number."""
    if value is None:
        return "-"
    if name in RAW:
        return f"{value:.4g}"
    return f"{100 * value:.1f} pp" if name in POINTS or name.startswith("intransigence") else f"{100 * value:.1f} %"


def interval_in_units(score: Score) -> str:
    """Return a score's interval in the same units, without naming them."""
    if score.low is None or score.high is None:
        return "-"
    if score.name in RAW:
        return f"{score.low:.4g} - {score.high:.4g}"
    return f"{100 * score.low:.1f} - {100 * score.high:.1f}"


def why_no_interval(score: Score) -> str | None:
    """Return why a score with a value has no interval; None where it has one, or needs none."""
    if score.value is None or score.low is not None or score.name == "ranking_stability":  # itself a share of redraws
        return None
    if score.name in NO_INTERVAL_FOR:
        return f"no interval: {NO_INTERVAL_FOR[score.name]}"
    return "no interval: all redraws of the levels agree, or over 5 % of them leave it undefined; play more levels"


def interval_over(score: Score) -> str:
    """Return what the score's interval ranges over; empty where there is none."""
    return "" if score.low is None else score.over


def in_steps(score: ScoreJson) -> str:
    """Return a score of steps, in JSON form, as its value with its interval; a dash where it is undefined."""
    if score["value"] is None:
        return "-"
    interval = "" if score["low"] is None else f" ({score['low']:.1f} - {score['high']:.1f})"
    return f"{score['value']:.1f}{interval}"
