"""The task of a Sokoban level in other words."""

from agentgen_bench.envs.paraphrasing import Form

FORMS = (
    Form(
        "Push the box onto the {target}.",
        (
            "Get the box to stand on the {target}; pushing is the only way.",
            "The box belongs on the {target}: push it there.",
            "The puzzle is solved when the box has been pushed onto the {target}.",
            "Move the box to the {target} by pushing it.",
        ),
    ),
    Form(
        "Push the {n} boxes onto the {n} {target}s.",
        (
            "Get {n} boxes to stand on {n} {target}s, one on each; pushing is the only way.",
            "Each of the {n} boxes belongs on one of the {n} {target}s: push them there.",
            "The puzzle is solved when all {n} boxes have been pushed onto the {n} {target}s.",
            "Move the {n} boxes to the {n} {target}s by pushing them, a box for each.",
        ),
    ),
)
