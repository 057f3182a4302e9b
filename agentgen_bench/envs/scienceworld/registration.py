"""Which of the simulator's 19 families of tasks registers a task, and what the families before it use up.

The simulator sets up all 30 tasks whenever it loads one: 17,196 objects, of which a level shows some 400. Loading the
one family that is played, at the object id and the place of the random stream where the others would have left it,
makes the same level in a fraction of the time (a test compares whole worlds, ids and random streams).
"""

from typing import NamedTuple

from agentgen_bench.envs.scienceworld.levels import Level
from agentgen_bench.errors import SpecError


class Family(NamedTuple):
    """A Scala object that registers tasks: its name, their names, the ids and the random numbers that it uses up."""

    name: str
    tasks: tuple[str, ...]
    ids: int
    draws: int


# In the simulator's order (scienceworld 1.2.3, tasks/TaskMaker1.scala). The numbers of draws hold for all variations.
FAMILIES = (
    Family("TaskChangeOfState", ("boil", "melt", "freeze", "change-the-state-of-matter-of"), 360, 32),
    Family("TaskElectricCircuit", ("power-component", "power-component-renewable-vs-nonrenewable-energy"), 60, 0),
    Family("TaskElectricalConductivity", ("test-conductivity",), 156, 0),
    Family("TaskElectricalConductivity2", ("test-conductivity-of-unknown-substances",), 120, 24),
    Family(
        "TaskFindLivingNonLiving",
        ("find-living-thing", "find-non-living-thing", "find-plant", "find-animal"),
        5160,
        640,
    ),
    Family("TaskGrowPlant", ("grow-plant", "grow-fruit"), 1602, 0),
    Family("TaskChemistryMix", ("chemistry-mix",), 312, 0),
    Family(
        "TaskChemistryMixPaint",
        ("chemistry-mix-paint-secondary-color", "chemistry-mix-paint-tertiary-color"),
        222,
        4,
    ),
    Family(
        "TaskLifeSpan",
        ("lifespan-longest-lived", "lifespan-shortest-lived", "lifespan-longest-lived-then-shortest-lived"),
        135,
        0,
    ),
    Family("TaskIdentifyLifeStages1", ("identify-life-stages-1",), 630, 0),
    Family("TaskIdentifyLifeStages2", ("identify-life-stages-2",), 2850, 80),
    Family("TaskInclinedPlane1", ("inclined-plane-friction-named-surfaces",), 150, 0),
    Family("TaskInclinedPlane2", ("inclined-plane-friction-unnamed-surfaces",), 60, 0),
    Family("TaskInclinedPlane3", ("inclined-plane-determine-angle",), 60, 0),
    Family("TaskMendelianGenetics1", ("mendelian-genetics-known-plant",), 360, 140),
    Family("TaskMendelianGenetics2", ("mendelian-genetics-unknown-plant",), 600, 1080),
    Family("TaskUseInstrumentThermometer", ("use-thermometer",), 1173, 720),
    Family("TaskUseInstrumentThermometer2", ("measure-melting-point-known-substance",), 303, 25),
    Family("TaskUseInstrumentThermometer3", ("measure-melting-point-unknown-substance",), 2883, 775),
)
IDS = sum(family.ids for family in FAMILIES)

# java.util.Random: a linear congruential generator modulo 2**48, its seed scrambled with the multiplier.
MULTIPLIER, INCREMENT, MODULUS = 0x5DEECE66D, 0xB, 2**48


class Registration(NamedTuple):
    """How a level's task is registered: by which family, from which object id and which seed of the stream on."""

    family: str
    ids_before: int
    seed: int


def registration(level: Level) -> Registration:
    """Return how to register the task of a level; raises SpecError where there is none of that name."""
    ids, draws = 0, 0
    for family in FAMILIES:
        if level.task in family.tasks:
            return Registration(family.name, ids, advanced(level.variation, draws))
        ids, draws = ids + family.ids, draws + family.draws
    raise SpecError(f"the simulator cannot load {level}: ERROR: Unknown task ({level.task}).")


def advanced(seed: int, draws: int) -> int:
    """Return the seed of a java.util.Random that goes on where `Random(seed)` is after a number of draws.

    Examples:
        >>> advanced(5, 0), advanced(0, 1) == (0x5DEECE66D * 0x5DEECE66D + 0xB) % 2**48 ^ 0x5DEECE66D
        (5, True)
    """
    state = (seed ^ MULTIPLIER) % MODULUS
    for _ in range(draws):
        state = (state * MULTIPLIER + INCREMENT) % MODULUS
    return state ^ MULTIPLIER
