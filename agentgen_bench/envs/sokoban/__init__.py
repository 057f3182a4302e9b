"""Sokoban with exact difficulty: every level's fewest pushes and fewest moves are proven."""

from agentgen_bench.families import DIFFICULTIES, Actions, Family, PaperValues, ToolStyle, Version, Word

FAMILY = Family(
    name="Sokoban",
    versions=(
        Version(0, "agentgen_bench.envs.sokoban.env:SokobanEnv", "agentgen_bench.envs.sokoban.vector:SokobanVectorEnv"),
    ),
    role="You are solving a Sokoban puzzle. You push boxes onto targets, one square at a time, and cannot pull.",
    actions=Actions(
        words=(
            Word("up", ("north", "ahead", "top"), ("u", "1")),
            Word("down", ("south", "back", "bottom"), ("d", "2")),
            Word("left", ("west", "port", "leftward"), ("l", "3")),
            Word("right", ("east", "starboard", "rightward"), ("r", "4")),
        ),
        names_things=False,
    ),
    difficulties=(*DIFFICULTIES, "extreme", "paper"),
    contextual="agentgen_bench.wrappers.contextual:SOKOBAN",
    volumes={"paper-v1": 80, "paper-v2": 80},
    medium="a board of a puzzle game",
    paper=PaperValues(3114, 44.0),
    tools=ToolStyle("choices", "move", ("direction",)),
)
