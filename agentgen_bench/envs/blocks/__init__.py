"""Blocks world: towers of coloured blocks, for evaluation only. No trainer here takes its levels."""

from agentgen_bench.families import DIFFICULTIES, Actions, Family, Version, Word

FAMILY = Family(
    name="Blocks",
    versions=(Version(0, "agentgen_bench.envs.blocks.env:BlocksEnv"),),
    role="You are building towers of coloured blocks. You move one block at a time, and only one that nothing lies on.",
    actions=Actions(
        words=(
            Word("stack", ("mount", "pile", "heap")),
            Word("lower", ("ground", "rest", "settle")),
        ),
        connectives=("on",),
    ),
    difficulties=DIFFICULTIES,
    evaluation_only=True,
)
