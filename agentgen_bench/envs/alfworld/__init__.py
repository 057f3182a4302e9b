"""ALFWorld: household tasks in text, played by our own engine of the official domain or by the official stack."""

from agentgen_bench.families import DIFFICULTIES, Actions, Family, PaperValues, Version, Word

FAMILY = Family(
    name="ALFWorld",
    versions=(Version(0, "agentgen_bench.envs.alfworld.env:ALFWorldEnv"),),
    role="You are a household robot in a text-only house. You look for things, handle them and put them away.",
    actions=Actions(
        words=(
            Word("look", ("survey", "scan", "gaze")),
            Word("inventory", ("belongings", "holdings", "carrying")),
            Word("go to", ("walk to", "head to", "travel to")),
            Word("open", ("unclose", "unseal", "pull open")),
            Word("close", ("shut", "seal", "push shut")),
            Word("examine", ("inspect", "study", "check")),
            Word("take", ("grab", "fetch", "pick")),
            Word("move", ("place", "set", "lay")),
            Word("put", ("deposit", "drop", "leave")),
            Word("use", ("operate", "toggle", "switch")),
            Word("heat", ("warm", "cook", "microwave")),
            Word("clean", ("wash", "rinse", "scrub")),
            Word("cool", ("chill", "refrigerate", "cold")),
            Word("slice", ("cut", "carve", "chop")),
            Word("help", ("commands", "manual", "usage")),
        ),
        connectives=("from", "in/on", "in", "on", "with"),
        case_sensitive=True,  # the official parser tells capitals; the other families do not
    ),
    difficulties=DIFFICULTIES,
    contextual="agentgen_bench.wrappers.contextual:ALFWORLD",
    volumes={"paper-v1": 300, "paper-v2": 200},
    medium="the log of a household robot",
    paper=PaperValues(1572, 42.0),
)
