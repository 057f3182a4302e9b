"""SciWorld: the real ScienceWorld simulator (Wang et al. 2022, arXiv:2203.07540), made reproducible and light.

`java` finds and starts a JVM, `backend` drives the simulator in it, `levels` decides which level a seed plays, `gold`
holds the gold paths, `oracle` follows them, `text` words the observation, `env` is the Gymnasium glue.
"""

from agentgen_bench.families import DIFFICULTIES, Actions, Family, PaperValues, Version, Word

FAMILY = Family(
    name="SciWorld",
    versions=(Version(0, "agentgen_bench.envs.sciworld.env:SciWorldEnv"),),
    role="You are working in a text-only world of science experiments. You handle things and observe them.",
    actions=Actions(
        words=(
            Word("activate", ("switch on", "power up", "start")),
            Word("close", ("shut", "seal", "push shut")),
            Word("connect", ("attach", "link", "wire")),
            Word("deactivate", ("switch off", "power down", "stop")),
            Word("disconnect", ("detach", "unlink", "unwire")),
            Word("dunk", ("dip", "immerse", "submerge")),
            Word("eat", ("consume", "swallow", "devour")),
            Word("flush", ("rinse", "purge", "swill")),
            Word("focus on", ("concentrate on", "attend to", "single out")),
            Word("go to", ("walk to", "head to", "travel to")),
            Word("inventory", ("belongings", "holdings", "possessions")),
            Word("look around", ("survey", "scan room", "gaze about")),
            Word("look at", ("inspect", "study", "view")),
            Word("look in", ("peek into", "check inside", "search")),
            Word("mix", ("blend", "stir", "combine")),
            Word("move", ("transfer", "shift", "relocate")),
            Word("open", ("unclose", "unseal", "pull open")),
            Word("pick up", ("grab", "lift", "collect")),
            Word("pour", ("tip", "decant", "empty")),
            Word("put down", ("drop", "set aside", "leave")),
            Word("read", ("peruse", "skim", "decipher")),
            Word("task", ("goal", "assignment", "objective")),
            Word("teleport to", ("warp to", "jump to", "beam to")),
            Word("use", ("apply", "employ", "utilize")),
            Word("wait1", ("pause1", "rest1", "idle1")),
            Word("wait", ("pause", "rest", "idle")),
        ),
        connectives=("into", "drop", "with"),
        menu_numbers=True,  # the menu of an ambiguous action is answered by a number
    ),
    difficulties=(*DIFFICULTIES, "paper"),
    contextual="agentgen_bench.wrappers.contextual:SCIWORLD",
    volumes={"paper-v1": 170, "paper-v2": 170},
    medium="the log of a science simulation",
    paper=PaperValues(2851, 43.5),
)
